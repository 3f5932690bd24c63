/**
 * Asks the plugins about everything that is about to be exported, and does what they answer. A plugin that throws,
 * answers what it may not, or is slow is switched off and counted; the span at hand is then as without it.
 */
import type { Exchange } from '../http/exchange.ts';
import type { ModelCall } from '../llm/model-call.ts';
import type { Process } from '../process/process.ts';
import type { Counters } from '../self/counters.ts';
import { createTimeBudget, type TimeBudget } from '../self/time-budget.ts';
import type {
  CallPiece,
  ExtraAttributes,
  HttpPiece,
  ServedCall,
  StoryPiece,
  ToolPiece,
  TurnPiece,
} from '../session/story.ts';
import type { ContentPolicy } from '../telemetry/content.ts';
import type { Damage } from '../util/damage.ts';
import { deepFreeze } from '../util/deep-freeze.ts';
import type { HookFailure, TakenAnswer } from './hook-call.ts';
import { DEADLINE_FACTOR, MAX_DEADLINE_MS, SINGLE_CALL_FACTOR } from './limits.ts';
import { isContentOn, withCallContent, withToolContent, withTurnContent } from './piece-content.ts';
import type { HookName } from './plugin.ts';
import type { LoadedPlugin } from './read-plugin.ts';
import { callView, exchangeView, toolCallView, turnView } from './views.ts';

export interface PluginStage {
  /** The exchange is over. Does nothing where no plugin has such a hook. */
  exchange(exchange: Exchange, processOf: () => Process): void;
  /** The piece as it is to be exported; undefined when it is not. Never throws. */
  piece(piece: StoryPiece): StoryPiece | undefined;
  /** False: the call is not measured. */
  isServedCallKept(served: ServedCall): boolean;
}

export interface PluginStageOptions {
  plugins: readonly LoadedPlugin[];
  content: ContentPolicy;
  /** What a hook may take on average, nanoseconds. */
  budgetNs: number;
  counters: Counters;
  /** Told once of each plugin that is switched off: one line. */
  warn(line: string): void;
}

interface State {
  plugin: LoadedPlugin;
  isOff: boolean;
  budgets: Map<HookName, TimeBudget>;
}

interface Verdict {
  isDropped: boolean;
  attributes: ExtraAttributes;
}

interface ContentVerdict extends Verdict {
  /** The content as the plugins want it, its fields checked; undefined when none changed it. */
  content: object | undefined;
}

type View = object & { readonly content?: object };

const NS_PER_MS = 1_000_000;

const KEPT: Verdict = { isDropped: false, attributes: {} };

export function createPluginStage(options: PluginStageOptions): PluginStage {
  const { content: policy, counters } = options;
  const deadlineMs = Math.min((options.budgetNs * DEADLINE_FACTOR) / NS_PER_MS, MAX_DEADLINE_MS);
  const states: State[] = options.plugins.map((plugin) => ({
    plugin,
    isOff: false,
    budgets: new Map(),
  }));
  /** Exchanges that were asked about: of the calls on one WebSocket there are many. */
  const exchanges = new WeakMap<Exchange, Verdict>();
  /** What a turn still has to be told of its calls. A copy that a turn keeps has the call's own damage. */
  const changedCalls = new WeakMap<ModelCall, ModelCall>();
  const droppedCalls = new WeakSet<Damage>();
  /** A plugin that guards content is off: none is exported any more. */
  let isWithheld = false;

  function asks(hook: HookName): boolean {
    return states.some(({ isOff, plugin }) => !isOff && plugin.hookNames.has(hook));
  }

  /** Asks each plugin in turn; `view` is made of what those before it left of the content. */
  function ask(hook: HookName, first: View): ContentVerdict {
    let view = first;
    let attributes: ExtraAttributes = {};
    let changed: object | undefined;
    for (const state of states) {
      const answer = askOne(state, hook, view);
      if (answer === undefined) {
        continue;
      }
      if (answer.isDropped) {
        counters.counter('sightline.plugin_drops', { plugin: state.plugin.name, hook }).add();
        return { isDropped: true, attributes, content: changed };
      }
      attributes = { ...attributes, ...answer.attributes };
      if (answer.content !== undefined) {
        changed = deepFreeze(answer.content);
        view = Object.freeze({ ...view, content: changed });
      }
    }
    return { isDropped: false, attributes, content: changed };
  }

  /** Whatever goes wrong in the plugin's code costs the plugin, not the span. */
  function askOne(state: State, hook: HookName, view: View): TakenAnswer | undefined {
    if (state.isOff || !state.plugin.hookNames.has(hook)) {
      return undefined;
    }
    const asked = state.plugin.ask(hook, view, deadlineMs);
    if (asked.kind === 'failed') {
      switchOff(state, asked.failure, hook);
      return undefined;
    }
    const budget = budgetOf(state, hook);
    budget.take(asked.tookNs);
    if (budget.overrun !== undefined) {
      switchOff(state, { reason: 'slow', why: slowness(budget) }, hook);
    }
    return asked.answer;
  }

  function budgetOf(state: State, hook: HookName): TimeBudget {
    let budget = state.budgets.get(hook);
    if (budget === undefined) {
      budget = createTimeBudget({
        maxAverageNs: options.budgetNs,
        maxSingleNs: options.budgetNs * SINGLE_CALL_FACTOR,
      });
      state.budgets.set(hook, budget);
    }
    return budget;
  }

  function slowness(budget: TimeBudget): string {
    const ms = (ns: number): string => `${(ns / 1e6).toFixed(1)} ms`;
    return budget.overrun === 'single'
      ? `it took ${ms(budget.longestNs)} once, more than ${ms(options.budgetNs * SINGLE_CALL_FACTOR)}`
      : `it takes ${ms(budget.averageNs)} on average, more than ${ms(options.budgetNs)} (SIGHTLINE_PLUGIN_BUDGET)`;
  }

  /** `hook` is absent where none was asked when the plugin ended. */
  function switchOff(state: State, { reason, why }: HookFailure, hook?: HookName): void {
    const { name, guardsContent } = state.plugin;
    if (state.isOff) {
      return;
    }
    state.isOff = true;
    state.plugin.end();
    isWithheld ||= guardsContent;
    counters
      .counter('sightline.plugin_errors', { plugin: name, hook: hook ?? 'none', reason })
      .add();
    const what = hook === undefined ? '' : `, its hook ${hook} failed`;
    const after = guardsContent ? 'no content is exported from now on' : 'all goes on without it';
    options.warn(`the plugin ${name} is switched off${what}: ${why}; ${after}`);
  }

  function judge(exchange: Exchange, processOf: () => Process): Verdict {
    const known = exchanges.get(exchange);
    if (known !== undefined || !asks('exchange')) {
      return known ?? KEPT;
    }
    const verdict = ask('exchange', exchangeView(exchange, processOf(), policy.redact));
    exchanges.set(exchange, verdict);
    return verdict;
  }

  function takeCall(piece: CallPiece): CallPiece | undefined {
    const ofExchange = judge(piece.call.exchange, () => piece.process);
    const ofCall: ContentVerdict =
      ofExchange.isDropped || !asks('call')
        ? { ...ofExchange, content: undefined }
        : ask('call', callView(piece, policy));
    if (ofCall.isDropped) {
      droppedCalls.add(piece.call.damage);
      return undefined;
    }
    const content = isWithheld ? {} : ofCall.content;
    const call = content === undefined ? piece.call : withCallContent(piece.call, content, policy);
    if (call !== piece.call) {
      changedCalls.set(piece.call, call);
    }
    return withAttributes({ ...piece, call }, { ...ofExchange.attributes, ...ofCall.attributes });
  }

  function takeTool(piece: ToolPiece): ToolPiece | undefined {
    const verdict: ContentVerdict = asks('toolCall')
      ? ask('toolCall', toolCallView(piece, policy))
      : { ...KEPT, content: undefined };
    if (verdict.isDropped) {
      return undefined;
    }
    const content = isWithheld ? {} : verdict.content;
    // While content is off there is none to change, and what the piece has of it is not exported.
    const changed =
      content === undefined || !isContentOn(policy) ? piece : withToolContent(piece, content);
    return withAttributes(changed, verdict.attributes);
  }

  function takeTurn(given: TurnPiece): TurnPiece | undefined {
    const piece = withCallsAsExported(given);
    if (piece.callCount === 0 && given.callCount !== 0 && piece.toolCalls === 0) {
      return undefined;
    }
    const verdict: ContentVerdict = asks('turn')
      ? ask('turn', turnView(piece, policy))
      : { ...KEPT, content: undefined };
    if (verdict.isDropped) {
      return undefined;
    }
    const content = isWithheld ? {} : verdict.content;
    const changed =
      content === undefined || !isContentOn(policy) ? piece : withTurnContent(piece, content);
    return withAttributes(changed, verdict.attributes);
  }

  /** A turn is made of the calls that are exported: what was dropped or redacted there is so here. */
  function withCallsAsExported(piece: TurnPiece): TurnPiece {
    const calls = piece.calls
      .filter(({ damage }) => !droppedCalls.has(damage))
      .map((call) => changedCalls.get(call) ?? call);
    const droppedCount = piece.calls.length - calls.length;
    return { ...piece, calls, callCount: (piece.callCount ?? piece.calls.length) - droppedCount };
  }

  for (const state of states) {
    state.plugin.whenEnded((why) => switchOff(state, { reason: 'ended', why }));
  }

  if (states.length === 0) {
    return { exchange: () => {}, piece: (piece) => piece, isServedCallKept: () => true };
  }
  return {
    exchange: judge,
    piece(piece) {
      switch (piece.kind) {
        case 'call':
          return takeCall(piece);
        case 'tool':
          return takeTool(piece);
        case 'http': {
          const verdict = judge(piece.exchange, () => piece.process);
          return verdict.isDropped ? undefined : withAttributes(piece, verdict.attributes);
        }
        case 'turn':
          return takeTurn(piece);
        default:
          return piece;
      }
    },
    isServedCallKept({ process, call }) {
      return !judge(call.exchange, () => process).isDropped;
    },
  };
}

function withAttributes<P extends CallPiece | HttpPiece | ToolPiece | TurnPiece>(
  piece: P,
  attributes: ExtraAttributes,
): P {
  return Object.keys(attributes).length === 0 ? piece : { ...piece, extraAttributes: attributes };
}
