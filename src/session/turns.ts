/** The life of turns: begin, tool calls and their results, what ends them, and the pieces they leave. */
import type { ModelCall, ToolCall, ToolResult } from '../llm/model-call.ts';
import type { Process } from '../process/process.ts';
import { Damage } from '../util/damage.ts';
import type { CallNode } from './call-index.ts';
import { commandTexts } from './command-text.ts';
import type { SessionLimits } from './limits.ts';
import { deriveSpanId, deriveTraceId } from './span-ids.ts';
import type { SpanIds, StorySink, TurnPiece, Workload } from './story.ts';
import type { ToolState, Tree, Turn } from './turn.ts';

export interface Turns {
  begin(start: TurnStart): Turn;
  /** A further call of the turn begins. */
  addCall(turn: Turn, call: ModelCall, process: Process): void;
  /** A call of the turn is over; ends the turn when that was its last. */
  finishCall(turn: Turn, call: ModelCall): void;
  /** The model asks for a tool, in the answer of `call`; undefined when the turn has had too many. */
  addTool(
    turn: Turn,
    node: CallNode,
    call: ModelCall,
    toolCall: ToolCall,
    identity: string,
  ): ToolState | undefined;
  /** A request beginning at `timeNs` carries results back to the calls of `node`. True when one was awaited. */
  answerTools(node: CallNode, results: readonly ToolResult[], timeNs: bigint): boolean;
  /** A call is tried again: the tool calls of the first try are never carried out. */
  dropTools(node: CallNode, timeNs: bigint): void;
  /** A new prompt of the same conversation came: the turn will have no answer. */
  supersede(turn: Turn): void;
  /** The process is over, and with it the turns whose agent it is. */
  exited(process: Process, timeNs: bigint): void;
  touch(turn: Turn, timeNs: bigint): void;
  /** Ends the turns in which nothing happened for too long. Cheap when none can be. */
  advance(timeNs: bigint): void;
  /** Ends every turn. */
  end(): void;
  turnsOf(process: Process): ReadonlySet<Turn> | undefined;
  readonly openTurns: number;
}

interface TurnStart {
  call: ModelCall;
  process: Process;
  tree: Tree;
  workload: Workload;
  owner: Process;
  isOwnerKnown: boolean;
  /** Identity of the exchange of its first call. */
  identity: string;
  /** The span it hangs under, of this trace or of the application's own. */
  parent: { traceId: string; spanId: string } | undefined;
  previous: SpanIds | undefined;
  isJoinedMidway: boolean;
}

export interface TurnsOptions {
  sink: StorySink;
  limits: SessionLimits;
  turnTimeoutNs: bigint;
  retryWindowNs: bigint;
  workloadName(process: Process): string;
  onEnd(turn: Turn): void;
  onLimit(limit: keyof SessionLimits): void;
}

/** Finish reasons by which an answer says that it is not the last, though it holds no tool call of the client's. */
const UNFINISHED_REASONS = new Set(['pause_turn', 'tool_use', 'tool_calls', 'function_call']);

export function createTurns(options: TurnsOptions): Turns {
  const { sink, limits, turnTimeoutNs } = options;
  // A failed turn never waits longer than any other.
  const isWindowShorter = options.retryWindowNs < turnTimeoutNs;
  const retryWindowNs = isWindowShorter ? options.retryWindowNs : turnTimeoutNs;
  const open = new Set<Turn>();
  const byMember = new Map<Process, Set<Turn>>();
  // No open turn can be due before this.
  let nextDeadlineNs: bigint | undefined;

  function begin(start: TurnStart): Turn {
    makeRoom();
    const { call, process, tree, workload, owner, isOwnerKnown, identity, parent } = start;
    const turn: Turn = {
      ids: {
        traceId: parent?.traceId ?? deriveTraceId(identity),
        spanId: deriveSpanId('turn', identity),
        ...(parent && { parentSpanId: parent.spanId }),
      },
      tree,
      workload,
      owner,
      isOwnerKnown,
      members: new Set(),
      calls: [],
      callCount: 0,
      openCalls: new Set(),
      outcome: 'pending',
      tools: new Set(),
      toolCount: 0,
      looseProcesses: new Set(),
      processCount: 0,
      exchangeCount: 0,
      exchangesLeftOut: 0,
      startNs: call.startNs,
      lastNs: call.startNs,
      previous: start.previous,
      damage: new Damage(),
      closing: undefined,
      isEnded: false,
    };
    if (start.isJoinedMidway) {
      turn.damage.add('joined-midway');
    }
    open.add(turn);
    tree.openTurns.add(turn);
    addMember(turn, owner);
    addCall(turn, call, process);
    return turn;
  }

  function makeRoom(): void {
    if (open.size < limits.maxOpenTurns) {
      return;
    }
    let silent: Turn | undefined;
    for (const turn of open) {
      if (silent === undefined || turn.lastNs < silent.lastNs) {
        silent = turn;
      }
    }
    if (silent !== undefined) {
      options.onLimit('maxOpenTurns');
      silent.damage.add('limit');
      finish(silent, 'timeout');
    }
  }

  function addMember(turn: Turn, process: Process): void {
    turn.members.add(process);
    const turns = byMember.get(process);
    if (turns === undefined) {
      byMember.set(process, new Set([turn]));
    } else {
      turns.add(turn);
    }
  }

  function removeMember(turn: Turn, process: Process): void {
    turn.members.delete(process);
    const turns = byMember.get(process);
    turns?.delete(turn);
    if (turns?.size === 0) {
      byMember.delete(process);
    }
  }

  function addCall(turn: Turn, call: ModelCall, process: Process): void {
    if (!turn.isOwnerKnown) {
      turn.owner = process;
    }
    addMember(turn, process);
    const before = turn.calls.length - 1;
    const previous = turn.calls[before];
    if (previous !== undefined && !turn.openCalls.has(previous)) {
      slim(turn, before);
    }
    if (turn.calls.length >= limits.maxCallsPerTurn) {
      turn.damage.add('limit');
      options.onLimit('maxCallsPerTurn');
      turn.calls.pop();
    }
    turn.calls.push(call);
    turn.callCount += 1;
    turn.openCalls.add(call);
    turn.outcome = 'pending';
    touch(turn, call.startNs);
  }

  function finishCall(turn: Turn, call: ModelCall): void {
    turn.openCalls.delete(call);
    turn.outcome = outcomeOf(call);
    for (const kind of call.damage.kinds) {
      // Which damage there is concerns the turn; how many bytes is the call's own, and not to be counted twice.
      turn.damage.add(kind);
    }
    const at = turn.calls.lastIndexOf(call);
    if (at >= 0 && at < turn.calls.length - 1) {
      slim(turn, at);
    }
    touch(turn, call.endNs);
    if (turn.isEnded || turn.openCalls.size > 0) {
      return;
    }
    if (turn.outcome === 'answered' && !hasOutstandingTools(turn)) {
      finish(turn, 'answer');
    } else if (turn.closing !== undefined) {
      close(turn, turn.closing);
    }
  }

  function addTool(
    turn: Turn,
    node: CallNode,
    call: ModelCall,
    toolCall: ToolCall,
    identity: string,
  ): ToolState | undefined {
    if (turn.toolCount >= limits.maxToolsPerTurn) {
      turn.damage.add('limit');
      options.onLimit('maxToolsPerTurn');
      return undefined;
    }
    const isSearchable = toolCall.argumentsText.length <= limits.maxArgumentChars;
    if (!isSearchable) {
      options.onLimit('maxArgumentChars');
    }
    const tool: ToolState = {
      ids: {
        traceId: turn.ids.traceId,
        spanId: deriveSpanId('tool', identity, node.tools.length),
        parentSpanId: turn.ids.spanId,
      },
      turn,
      node,
      toolCall,
      description: call.request.toolDefinitions.find(({ name }) => name === toolCall.name)
        ?.description,
      state: 'outstanding',
      evidence: 'wire',
      texts: isSearchable ? commandTexts(toolCall.argumentsText) : [],
      linked: 0,
      running: 0,
    };
    turn.tools.add(tool);
    turn.toolCount += 1;
    touch(turn, toolCall.timeNs);
    return tool;
  }

  function answerTools(node: CallNode, results: readonly ToolResult[], timeNs: bigint): boolean {
    const awaited = node.tools.filter((tool) => tool.state === 'outstanding');
    let isAnswer = false;
    for (const result of results) {
      // Without an id the order counts: the first result is that of the first call still open.
      const tool = awaited.find(
        (each) => each.state === 'outstanding' && (each.toolCall.id || undefined) === result.id,
      );
      if (tool !== undefined) {
        endTool(tool, timeNs, result);
        isAnswer = true;
      }
    }
    if (isAnswer) {
      for (const tool of awaited) {
        // The conversation has gone on without it. It is reported with the turn.
        tool.state = tool.state === 'outstanding' ? 'abandoned' : tool.state;
      }
    }
    return isAnswer;
  }

  function dropTools(node: CallNode, timeNs: bigint): void {
    for (const tool of node.tools) {
      if (tool.state === 'outstanding') {
        endTool(tool, timeNs, undefined);
      }
    }
  }

  function endTool(tool: ToolState, timeNs: bigint, result: ToolResult | undefined): void {
    tool.state = 'ended';
    tool.texts = [];
    tool.turn.tools.delete(tool);
    const damage = new Damage();
    if (result === undefined) {
      damage.add('truncated');
    }
    const { ids, toolCall, description, evidence, turn } = tool;
    const startNs = toolCall.timeNs;
    sink({
      kind: 'tool',
      ids,
      workload: turn.workload,
      toolCall,
      ...(description && { description }),
      ...(result && { result }),
      startNs,
      endNs: timeNs > startNs ? timeNs : startNs,
      evidence,
      damage,
    });
    // The tool call stays known by its id; its arguments need not stay.
    tool.toolCall = { ...toolCall, argumentsText: '' };
    tool.description = undefined;
  }

  /** Ends the turn now, or when its open calls are over. */
  function close(turn: Turn, endedBy: TurnPiece['endedBy']): void {
    if (turn.isEnded) {
      return;
    }
    if (turn.openCalls.size === 0) {
      finish(turn, turn.outcome === 'failed' ? 'error' : endedBy);
    } else {
      turn.closing = endedBy;
      schedule(turn);
    }
  }

  function finish(turn: Turn, endedBy: TurnPiece['endedBy']): void {
    turn.isEnded = true;
    const isCut = turn.openCalls.size > 0 || turn.outcome === 'unknown';
    if (endedBy === 'timeout' || endedBy === 'source-end' || isCut) {
      turn.damage.add('truncated');
    }
    for (const tool of [...turn.tools]) {
      endTool(tool, turn.lastNs, undefined);
    }
    open.delete(turn);
    turn.tree.openTurns.delete(turn);
    for (const process of [...turn.members]) {
      removeMember(turn, process);
    }
    const { ids, workload, calls, callCount, toolCount, startNs, lastNs, previous, damage } = turn;
    sink({
      kind: 'turn',
      ids,
      workload,
      agentName: options.workloadName(turn.owner),
      calls,
      callCount,
      toolCalls: toolCount,
      startNs,
      endNs: lastNs,
      endedBy,
      ...(previous && { previous }),
      damage,
      ...(turn.exchangesLeftOut > 0 && { exchangesLeftOut: turn.exchangesLeftOut }),
    });
    // Calls of later turns may still point here: keep the ids, let the messages go.
    turn.calls = [];
    turn.looseProcesses.clear();
    options.onEnd(turn);
  }

  function touch(turn: Turn, timeNs: bigint): void {
    if (timeNs > turn.lastNs) {
      turn.lastNs = timeNs;
    }
    schedule(turn);
  }

  function schedule(turn: Turn): void {
    const deadlineNs = deadlineOf(turn);
    if (deadlineNs !== undefined && (nextDeadlineNs === undefined || deadlineNs < nextDeadlineNs)) {
      nextDeadlineNs = deadlineNs;
    }
  }

  /** When the turn is given up if nothing more happens; undefined while something is known to be under way. */
  function deadlineOf(turn: Turn): bigint | undefined {
    if (turn.closing !== undefined) {
      return turn.lastNs + retryWindowNs;
    }
    if (turn.openCalls.size > 0) {
      return undefined;
    }
    if (turn.outcome === 'failed') {
      return turn.lastNs + retryWindowNs;
    }
    for (const tool of turn.tools) {
      if (tool.state === 'outstanding' && tool.running > 0) {
        return undefined;
      }
    }
    return turn.lastNs + turnTimeoutNs;
  }

  function advance(timeNs: bigint): void {
    if (nextDeadlineNs === undefined || timeNs < nextDeadlineNs) {
      return;
    }
    nextDeadlineNs = undefined;
    for (const turn of [...open]) {
      const deadlineNs = deadlineOf(turn);
      if (deadlineNs === undefined) {
        continue;
      }
      if (timeNs < deadlineNs) {
        schedule(turn);
      } else if (turn.closing !== undefined) {
        finish(turn, turn.closing);
      } else {
        finish(turn, turn.outcome === 'failed' ? 'error' : 'timeout');
      }
    }
  }

  return {
    begin,
    addCall,
    finishCall,
    addTool,
    answerTools,
    dropTools,
    supersede(turn) {
      // With a call under way it is a branch beside this turn, not the end of it.
      if (turn.openCalls.size === 0) {
        close(turn, 'new-prompt');
      }
    },
    exited(process, timeNs) {
      for (const turn of [...(byMember.get(process) ?? [])]) {
        touch(turn, timeNs);
        if (turn.owner === process) {
          close(turn, 'process-exit');
        } else {
          removeMember(turn, process);
        }
      }
    },
    touch,
    advance,
    end() {
      for (const turn of [...open]) {
        finish(turn, 'source-end');
      }
    },
    turnsOf: (process) => byMember.get(process),
    get openTurns() {
      return open.size;
    },
  };
}

function hasOutstandingTools(turn: Turn): boolean {
  for (const tool of turn.tools) {
    if (tool.state === 'outstanding') {
      return true;
    }
  }
  return false;
}

function outcomeOf(call: ModelCall): Turn['outcome'] {
  if (call.error !== undefined) {
    return 'failed';
  }
  const { response } = call;
  if (response === undefined || !call.complete) {
    return 'unknown';
  }
  // The tool calls decide, not the finish reason: `stop` beside tool calls is common.
  if (response.toolCalls.length > 0) {
    return 'pending';
  }
  if (response.finishReasons.some((reason) => UNFINISHED_REASONS.has(reason))) {
    return 'unknown';
  }
  const mayMissTools = call.damage.kinds.has('gap') || call.damage.kinds.has('decode-error');
  return mayMissTools && response.finishReasons.length === 0 ? 'unknown' : 'answered';
}

/** Lets go of what grows with the conversation, for calls that are neither first nor last of their turn. */
function slim(turn: Turn, at: number): void {
  const call = turn.calls[at];
  if (at <= 0 || call === undefined) {
    return;
  }
  const { response } = call;
  const { promptVariables: _, ...request } = call.request;
  turn.calls[at] = {
    ...call,
    request: {
      ...request,
      systemInstructions: [],
      messages: [],
      fingerprints: [],
      toolResults: [],
      toolDefinitions: [],
    },
    ...(response && {
      response: { ...response, messages: [], fingerprints: [], toolCalls: [] },
    }),
  };
}
