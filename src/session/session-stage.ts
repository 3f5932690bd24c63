/**
 * The session stage: tells the story of model calls and processes as turns, calls, tool calls and processes, each
 * handed over as soon as it is over. `docs/how-turns-are-found.md` states the rules.
 */
import type { ConnectionRef, HostEvent } from '../capture/events.ts';
import type { Exchange } from '../http/exchange.ts';
import {
  isConversational,
  type ModelCall,
  type ModelCallObserver,
  type ToolCall,
} from '../llm/model-call.ts';
import type { Process } from '../process/process.ts';
import type { ProcessTable } from '../process/process-table.ts';
import { type Counters, createCounters } from '../self/counters.ts';
import type { ConnectionFacts } from '../transport/connection-facts.ts';
import type { Handshake } from '../transport/handshake.ts';
import type { DamageKind } from '../util/damage.ts';
import { type CallMatch, type CallNode, createCallIndex } from './call-index.ts';
import { createHttpExchanges, type HttpSpans } from './http-exchanges.ts';
import {
  DEFAULT_RETRY_WINDOW_NS,
  DEFAULT_SESSION_LIMITS,
  DEFAULT_TURN_TIMEOUT_NS,
  type SessionLimits,
} from './limits.ts';
import { createProcessLinks } from './process-links.ts';
import { callIdentity, deriveSpanId, deriveTraceId } from './span-ids.ts';
import type { HandshakePiece, HttpPiece, ServedCall, SpanIds, StorySink } from './story.ts';
import { parseTraceparent } from './traceparent.ts';
import type { ToolState, Tree, Turn } from './turn.ts';
import { createTurns } from './turns.ts';
import { createWorkloads, lineage } from './workloads.ts';

export interface SessionStageOptions {
  sink: StorySink;
  /** A call was followed at its server. */
  onServedCall?(served: ServedCall): void;
  /** Whose HTTP exchanges are pieces of the story. Absent: nobody's. */
  httpSpans?: HttpSpans;
  /** An exchange is no piece of its own, because its parent has too many. */
  onExchangeLeftOut?(piece: HttpPiece): void;
  processes: Pick<ProcessTable, 'ensure'>;
  /** service.name of a workload's root process. Asked again at each call; should be quick. */
  workloadName(process: Process): string;
  /** The process runs a program known as an agent. Its tree is one workload from the start. */
  isKnownAgent?(process: Process): boolean;
  /**
   * The process runs an agent that declares no tools: its calls take turns all the same. Not for agents that make
   * calls without tools beside their turns (titles, summaries), where each of those would be taken for a turn.
   */
  promptsWithoutTools?(process: Process): boolean;
  /** Part of every id. Set by `host` when it is not known yet. */
  bootId?: string;
  turnTimeoutNs?: bigint;
  retryWindowNs?: bigint;
  limits?: Partial<SessionLimits>;
  counters?: Counters;
}

export interface SessionStage extends ModelCallObserver {
  /** To be called with the source's first event, before any other method: ids are derived from its boot id. */
  host(event: HostEvent): void;
  /** The observer's `toolCall` is always there. */
  toolCall(call: ModelCall, toolCall: ToolCall): void;
  /** The request of an exchange is known. */
  exchangeBegan(exchange: Exchange): boolean;
  /** It is over, and was no model call. `isGivenUp`: observation of it ended, whatever became of it. */
  exchangeEnded(exchange: Exchange, isGivenUp: boolean): void;
  /** A program started in the process; it is the last of `process.programs`. */
  executed(process: Process, timeNs: bigint): void;
  /** The process ended. The calls it had under way may be finished before or after this. */
  exited(process: Process, timeNs: bigint): void;
  /** Whose handshake it was. */
  handshake(
    connection: ConnectionRef,
    handshake: Handshake,
    facts: ConnectionFacts,
  ): HandshakePiece;
  /** Time passed: turns in which nothing happened for too long end. */
  tick(timeNs: bigint): void;
  /** The source is over: everything still open is handed over as unfinished. */
  end(timeNs: bigint): void;
  readonly openTurns: number;
  readonly openProcesses: number;
}

/** A call under way. */
interface OpenCall {
  process: Process;
  identity: string;
  /** The request was seen to its end, without a hole. */
  isWhole: boolean;
  place: { turn: Turn; node: CallNode } | undefined;
  tools: Set<ToolCall>;
}

/** Wire APIs in which a request may name the answer it goes on with instead of repeating what came before. */
const NAMING_APIS: ReadonlySet<string> = new Set([
  'openai.responses',
  'openai.realtime',
  'gemini.interactions',
]);

/** Damage after which a request may have said more than is known of it. A cut of captured content is none such. */
const DAMAGED_REQUEST: readonly DamageKind[] = ['gap', 'truncated', 'decode-error'];

/** Makes a stage. It keeps bounded state, and calls `sink` synchronously from within its own methods. */
export function createSessionStage(options: SessionStageOptions): SessionStage {
  const { sink, processes } = options;
  const limits = { ...DEFAULT_SESSION_LIMITS, ...options.limits };
  const counters = options.counters ?? createCounters();
  const promptsWithoutTools = options.promptsWithoutTools ?? (() => false);
  const trees = new Map<Process, Tree>();
  const openCalls = new Map<ModelCall, OpenCall>();
  let bootId = options.bootId ?? '';

  const workloads = createWorkloads({
    workloadName: options.workloadName,
    isKnownAgent: options.isKnownAgent ?? (() => false),
    isToolCommand: (process) => links.isToolCommand(process),
  });
  const turns = createTurns({
    sink,
    limits,
    turnTimeoutNs: options.turnTimeoutNs ?? DEFAULT_TURN_TIMEOUT_NS,
    retryWindowNs: options.retryWindowNs ?? DEFAULT_RETRY_WINDOW_NS,
    workloadName: options.workloadName,
    onEnd: forgetTreeOfExited,
    onLimit: countLimit,
  });
  const links = createProcessLinks({
    sink,
    limits,
    bootId: () => bootId,
    turnsOf: turns.turnsOf,
    treeOf: (process) => trees.get(process),
    touch: turns.touch,
    onLimit: countLimit,
  });

  const exchanges = createHttpExchanges({
    which: options.httpSpans ?? 'off',
    sink,
    onLeftOut: (piece) => options.onExchangeLeftOut?.(piece),
    limits,
    bootId: () => bootId,
    processOf: ({ connection }) => processes.ensure(connection.process),
    workloadOf: workloads.of,
    placeOf: links.placeOf,
    onLimit: countLimit,
    counters,
  });

  function countLimit(limit: keyof SessionLimits): void {
    counters.counter('sightline.limits', { limit: `session.${limit}` }).add();
  }

  function started(call: ModelCall): void {
    if (call.exchange.role !== 'client' || openCalls.has(call)) {
      // The server's side of a call is not the agent's story.
      return;
    }
    turns.advance(call.requestEndNs ?? call.exchange.request?.endNs ?? call.startNs);
    if (openCalls.size >= limits.maxOpenCalls) {
      countLimit('maxOpenCalls');
      return;
    }
    openCalls.set(call, place(call));
  }

  function place(call: ModelCall): OpenCall {
    const process = processes.ensure(call.exchange.connection.process);
    const identity = callIdentity(bootId, call);
    const { kinds } = call.damage;
    const isWhole = !DAMAGED_REQUEST.some((kind) => kinds.has(kind));
    const opened: OpenCall = { process, identity, isWhole, place: undefined, tools: new Set() };
    if (!isConversational(call)) {
      // A retrieval, a picture, a voice, of an agent or of anyone else.
      return opened;
    }
    const match = findMatch(call, opened);
    const turn = match?.node.turn;
    const hasTools = call.request.toolDefinitions.length > 0;
    const isResumed = match !== undefined && carryOn(match, call);
    if (turn !== undefined && !turn.isEnded && turn.closing === undefined) {
      if (isResumed || !hasTools) {
        turns.addCall(turn, call, process);
        opened.place = { turn, node: turn.tree.calls.add(call.request, turn, process, isWhole) };
        return opened;
      }
      turns.supersede(turn);
    }
    if (hasTools || isResumed || promptsWithoutTools(process)) {
      beginTurn(opened, call, turn?.ids);
    }
    return opened;
  }

  /** Looks through the trees of the process's ancestors, nearest first. */
  function findMatch(call: ModelCall, opened: OpenCall): CallMatch | undefined {
    const { process, isWhole } = opened;
    for (const each of lineage(process)) {
      const match = trees.get(each)?.calls.find(call.request, process, isWhole);
      if (match !== undefined) {
        return match;
      }
    }
    return undefined;
  }

  /** True when the request goes on with the turn of the matched call; false when it brings a new prompt. */
  function carryOn(match: CallMatch, call: ModelCall): boolean {
    const { node, kind, isExact } = match;
    if (kind === 'repetition') {
      turns.dropTools(node, call.startNs);
      return true;
    }
    const { toolResults } = call.request;
    if (toolResults.length > 0) {
      turns.answerTools(node, toolResults, call.startNs);
      return true;
    }
    return isExact;
  }

  function beginTurn(opened: OpenCall, call: ModelCall, previous: SpanIds | undefined): Turn {
    const { process, identity } = opened;
    workloads.markAgent(process);
    const workload = workloads.of(process);
    const tree = treeAt(workload.root);
    const known = workloads.knownAgentOf(process);
    const turn = turns.begin({
      call,
      process,
      tree,
      workload,
      owner: known ?? process,
      isOwnerKnown: known !== undefined,
      identity,
      parent: parseTraceparent(call.traceparent) ?? links.openSpanAbove(process)?.ids,
      previous,
      isJoinedMidway: call.request.toolResults.length > 0,
    });
    const node = tree.calls.add(call.request, turn, process, opened.isWhole);
    opened.place = { turn, node };
    return turn;
  }

  function treeAt(root: Process): Tree {
    let tree = trees.get(root);
    if (tree === undefined) {
      tree = {
        root,
        openTurns: new Set(),
        calls: createCallIndex({
          maxCalls: limits.maxCallsPerTree,
          onForget: () => countLimit('maxCallsPerTree'),
        }),
      };
    } else {
      trees.delete(root);
    }
    trees.set(root, tree);
    for (const [silentRoot, silent] of trees) {
      if (trees.size <= limits.maxTrees) {
        break;
      }
      if (silent.openTurns.size === 0 && silent !== tree) {
        trees.delete(silentRoot);
        countLimit('maxTrees');
      }
    }
    return tree;
  }

  function forgetTreeOfExited(turn: Turn): void {
    const { tree } = turn;
    if (tree.root.exit !== undefined && tree.openTurns.size === 0) {
      trees.delete(tree.root);
    }
  }

  function toolCall(call: ModelCall, seen: ToolCall): void {
    const opened = openCalls.get(call);
    if (opened !== undefined) {
      turns.advance(seen.timeNs);
      addTool(opened, call, seen);
    }
  }

  function addTool(opened: OpenCall, call: ModelCall, seen: ToolCall): void {
    if (opened.tools.has(seen)) {
      return;
    }
    opened.tools.add(seen);
    if (opened.place === undefined) {
      // Whatever the request declared: who gets tool calls is an agent.
      beginTurn(opened, call, undefined);
    }
    const { place: at, identity } = opened;
    if (at === undefined || at.turn.isEnded) {
      return;
    }
    const tool: ToolState | undefined = turns.addTool(at.turn, at.node, call, seen, identity);
    if (tool !== undefined) {
      at.turn.tree.calls.addTool(at.node, tool);
      links.claim(tool);
    }
  }

  function describeHandshake(
    connection: ConnectionRef,
    handshake: Handshake,
    facts: ConnectionFacts,
  ): HandshakePiece {
    const process = processes.ensure(connection.process);
    return { workload: workloads.of(process), process, handshake, facts };
  }

  function finished(call: ModelCall): void {
    if (call.exchange.role !== 'client') {
      const process = processes.ensure(call.exchange.connection.process);
      options.onServedCall?.({ workload: workloads.of(process), process, call });
      return;
    }
    turns.advance(call.endNs);
    const opened = openCalls.get(call) ?? place(call);
    openCalls.delete(call);
    for (const seen of call.response?.toolCalls ?? []) {
      addTool(opened, call, seen);
    }
    emitCall(opened, call);
    const at = opened.place;
    if (at === undefined) {
      return;
    }
    const { response } = call;
    if (response !== undefined && call.complete && call.error === undefined) {
      const isChoices = response.finishReasons.length > 1;
      // Only these let a later request name an answer.
      const responseId = NAMING_APIS.has(call.api) ? response.id : undefined;
      at.turn.tree.calls.answer(at.node, response.fingerprints, isChoices, responseId);
    } else {
      at.node.state = 'failed';
    }
    turns.finishCall(at.turn, call);
  }

  function emitCall(opened: OpenCall, call: ModelCall): void {
    const { process, identity } = opened;
    const turn = opened.place?.turn;
    const remote = parseTraceparent(call.traceparent);
    const isOtherTrace = remote !== undefined && remote.traceId !== turn?.ids.traceId;
    const parent = isOtherTrace ? remote : (turn?.ids ?? links.openSpanAbove(process)?.ids);
    sink({
      kind: 'call',
      ids: {
        traceId: parent?.traceId ?? deriveTraceId(identity),
        spanId: deriveSpanId('call', identity),
        ...(parent && { parentSpanId: parent.spanId }),
      },
      workload: turn?.workload ?? workloads.of(process),
      process,
      call,
      ...(turn && { turn: turn.ids }),
    });
  }

  return {
    host(event) {
      bootId = event.bootId;
    },
    started,
    toolCall,
    finished,
    exchangeBegan: exchanges.began,
    exchangeEnded: exchanges.ended,
    handshake: describeHandshake,
    executed(process, timeNs) {
      turns.advance(timeNs);
      links.executed(process, timeNs);
    },
    exited(process, timeNs) {
      turns.advance(timeNs);
      links.exited(process, timeNs);
      turns.exited(process, timeNs);
      if (trees.get(process)?.openTurns.size === 0) {
        trees.delete(process);
      }
    },
    tick(timeNs) {
      turns.advance(timeNs);
    },
    end(timeNs) {
      turns.advance(timeNs);
      for (const [call, opened] of openCalls) {
        call.damage.add('truncated');
        emitCall(opened, call);
      }
      openCalls.clear();
      turns.end();
      links.end(timeNs);
    },
    get openTurns() {
      return turns.openTurns;
    },
    get openProcesses() {
      return links.openProcesses;
    },
  };
}
