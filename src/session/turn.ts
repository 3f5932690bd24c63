/** The state of an open turn, its tool calls and its processes. */
import type { ModelCall, ToolCall } from '../llm/model-call.ts';
import type { Process } from '../process/process.ts';
import type { Damage } from '../util/damage.ts';
import type { CallIndex, CallNode } from './call-index.ts';
import type { Evidence, SpanIds, TurnPiece, Workload } from './story.ts';

/** How the last finished call of a turn left it. */
type Outcome =
  /** No call finished yet, or the last one asked for tools: more is to come. */
  | 'pending'
  /** The model's final answer. */
  | 'answered'
  | 'failed'
  /** The answer broke off or has a hole where tool calls may have been. */
  | 'unknown';

export interface Turn {
  ids: SpanIds;
  tree: Tree;
  workload: Workload;
  /** The process whose exit ends the turn: the known agent nearest to the caller, else the latest caller. */
  owner: Process;
  /** True when `owner` is a known agent; then it does not change with the caller. */
  isOwnerKnown: boolean;
  /** Processes that made calls of this turn, and the owner. */
  members: Set<Process>;
  /** As `TurnPiece.calls`; emptied at the end. */
  calls: ModelCall[];
  callCount: number;
  openCalls: Set<ModelCall>;
  outcome: Outcome;
  tools: Set<ToolState>;
  toolCount: number;
  /** Running processes directly under the turn, which a tool call that becomes known late may still claim. */
  looseProcesses: Set<ProcessSpan>;
  processCount: number;
  /** HTTP exchanges directly under the turn. */
  exchangeCount: number;
  exchangesLeftOut: number;
  startNs: bigint;
  lastNs: bigint;
  previous: SpanIds | undefined;
  damage: Damage;
  /** Set while the turn waits for its open calls to finish before it ends. */
  closing: TurnPiece['endedBy'] | undefined;
  isEnded: boolean;
}

/** What one agent (a root process and its descendants) has going on. */
export interface Tree {
  root: Process;
  openTurns: Set<Turn>;
  calls: CallIndex;
}

export interface ToolState {
  ids: SpanIds;
  turn: Turn;
  node: CallNode;
  toolCall: ToolCall;
  /** What the request says of the tool; let go at the end. */
  description: string | undefined;
  /**
   * `outstanding`: its result is awaited. `abandoned`: a later request went on without its result. `ended`: its
   * span is out.
   */
  state: 'outstanding' | 'abandoned' | 'ended';
  evidence: Evidence;
  /** In comparable form, see `command-text.ts`; emptied at the end. */
  texts: readonly string[];
  /** Processes linked to it directly. */
  linked: number;
  /** Processes under it that still run. */
  running: number;
}

/** A process that has a span. */
export interface ProcessSpan {
  ids: SpanIds;
  process: Process;
  workload: Workload;
  turn: Turn;
  /** The tool call it belongs to, directly or below another process. */
  tool: ToolState | undefined;
  /** It hangs directly under the turn or a tool call, not under another process. */
  isTop: boolean;
  startNs: bigint;
  evidence: Evidence;
  /** HTTP exchanges of the process. */
  exchangeCount: number;
  exchangesLeftOut: number;
}
