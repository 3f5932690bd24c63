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
import { messageOf } from '../util/errors.ts';
import {
  checkList,
  checkMessages,
  checkText,
  type FieldCheck,
  type ReadAnswer,
  readAnswer,
  redactTexts,
  WrongAnswer,
} from './answer.ts';
import { SINGLE_CALL_FACTOR } from './limits.ts';
import type { LoadedPlugin } from './load-plugins.ts';
import { isContentOn, withCallContent, withToolContent, withTurnContent } from './piece-content.ts';
import type { HookName } from './plugin.ts';
import { callView, deepFreeze, exchangeView, toolCallView, turnView } from './views.ts';

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
  /** Monotonic, nanoseconds; for tests. */
  now?: () => bigint;
}

/** Bounded values of the counter's attribute. */
type Reason = 'threw' | 'wrong-answer' | 'promise' | 'slow';

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

type Fields = Readonly<Record<string, FieldCheck>>;

const NO_FIELDS: Fields = {};
const CALL_FIELDS: Fields = {
  systemInstructions: checkList('type'),
  inputMessages: checkMessages(),
  outputMessages: checkMessages('finish_reason'),
  toolDefinitions: checkList('type', 'name'),
  errorMessage: checkText,
};
const TOOL_FIELDS: Fields = { arguments: checkText, result: checkText };
const TURN_FIELDS: Fields = { inputMessages: checkMessages(), outputMessages: checkMessages() };

const KEPT: Verdict = { isDropped: false, attributes: {} };

export function createPluginStage(options: PluginStageOptions): PluginStage {
  const { content: policy, counters, now } = options;
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
    return states.some(({ isOff, plugin }) => !isOff && plugin.hooks[hook] !== undefined);
  }

  /** Asks each plugin in turn; `view` is made of what those before it left of the content. */
  function ask(hook: HookName, fields: Fields, first: View): ContentVerdict {
    let view = first;
    let attributes: ExtraAttributes = {};
    let changed: object | undefined;
    for (const state of states) {
      const fn = state.isOff ? undefined : state.plugin.hooks[hook];
      if (fn === undefined) {
        continue;
      }
      const answer = attempt(state, hook, () => {
        const read = readAnswer(refusePromise(fn(view)), fields);
        return { read, content: changedContent(read, view.content ?? {}) };
      });
      if (answer === undefined) {
        continue;
      }
      if (answer.read.isDropped) {
        counters.counter('sightline.plugin_drops', { plugin: state.plugin.name, hook }).add();
        return { isDropped: true, attributes, content: changed };
      }
      attributes = { ...attributes, ...answer.read.attributes };
      if (answer.content !== undefined) {
        changed = deepFreeze(answer.content);
        view = Object.freeze({ ...view, content: changed });
      }
    }
    return { isDropped: false, attributes, content: changed };
  }

  /** Runs the plugin's code. Whatever goes wrong in there costs the plugin, not the span. */
  function attempt<T>(state: State, hook: HookName, work: () => T): T | undefined {
    const budget = budgetOf(state, hook);
    try {
      const result = budget.measure(work);
      if (budget.overrun !== undefined) {
        switchOff(state, hook, 'slow', slowness(budget));
      }
      return result;
    } catch (error) {
      if (error instanceof PromiseAnswer) {
        switchOff(state, hook, 'promise', 'it answered a promise, but hooks are synchronous');
      } else if (error instanceof WrongAnswer) {
        switchOff(state, hook, 'wrong-answer', `it answered ${error.message}`);
      } else {
        switchOff(state, hook, 'threw', `it threw ${safeMessage(error)}`);
      }
      return undefined;
    }
  }

  function budgetOf(state: State, hook: HookName): TimeBudget {
    let budget = state.budgets.get(hook);
    if (budget === undefined) {
      budget = createTimeBudget({
        maxAverageNs: options.budgetNs,
        maxSingleNs: options.budgetNs * SINGLE_CALL_FACTOR,
        ...(now === undefined ? {} : { now }),
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

  function switchOff(state: State, hook: HookName, reason: Reason, why: string): void {
    const { name, guardsContent } = state.plugin;
    state.isOff = true;
    isWithheld ||= guardsContent;
    counters.counter('sightline.plugin_errors', { plugin: name, hook, reason }).add();
    const after = guardsContent ? 'no content is exported from now on' : 'all goes on without it';
    options.warn(`the plugin ${name} is switched off, its hook ${hook} failed: ${why}; ${after}`);
  }

  function judge(exchange: Exchange, processOf: () => Process): Verdict {
    const known = exchanges.get(exchange);
    if (known !== undefined || !asks('exchange')) {
      return known ?? KEPT;
    }
    const verdict = ask('exchange', NO_FIELDS, exchangeView(exchange, processOf(), policy.redact));
    exchanges.set(exchange, verdict);
    return verdict;
  }

  function takeCall(piece: CallPiece): CallPiece | undefined {
    const ofExchange = judge(piece.call.exchange, () => piece.process);
    const ofCall: ContentVerdict =
      ofExchange.isDropped || !asks('call')
        ? { ...ofExchange, content: undefined }
        : ask('call', CALL_FIELDS, callView(piece, policy));
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
      ? ask('toolCall', TOOL_FIELDS, toolCallView(piece, policy))
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
      ? ask('turn', TURN_FIELDS, turnView(piece, policy))
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

/** The content that an answer makes of the given one; undefined when it leaves it as it is. */
function changedContent(answer: ReadAnswer, given: object): object | undefined {
  const { content, redact } = answer;
  if (content.size === 0 && redact === undefined) {
    return undefined;
  }
  const fields = new Map<string, unknown>(Object.entries(given));
  for (const [name, value] of content) {
    if (value === undefined) {
      fields.delete(name);
    } else {
      fields.set(name, value);
    }
  }
  const entries = [...fields].map(([name, value]): [string, unknown] => [
    name,
    redact === undefined ? value : redactTexts(value, redact),
  ]);
  return Object.fromEntries(entries);
}

class PromiseAnswer extends Error {}

/** A promise's rejection would otherwise be nobody's and end the program. */
function refusePromise(answer: unknown): unknown {
  if (answer instanceof Promise) {
    answer.catch(() => {});
    throw new PromiseAnswer();
  }
  if (typeof answer === 'object' && answer !== null && 'then' in answer) {
    throw new PromiseAnswer();
  }
  return answer;
}

/** Anything can be thrown, also what throws when it is looked at. */
function safeMessage(error: unknown): string {
  try {
    return messageOf(error).slice(0, MAX_MESSAGE_CHARS);
  } catch {
    return 'something that cannot be shown';
  }
}

const MAX_MESSAGE_CHARS = 200;
