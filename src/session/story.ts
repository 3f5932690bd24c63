/** What the session room tells telemetry: finished pieces of a story, each with its place in the trace. */
import type { ModelCall, ToolCall, ToolResult } from '../llm/model-call.ts';
import type { Process } from '../process/process.ts';
import type { Damage } from '../util/damage.ts';

/** Lower-case hex, as OTLP JSON has them: 32 and 16 digits. */
export interface SpanIds {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
}

/** How a link between a tool call and a process is known: exported as `sightline.evidence`. */
export type Evidence = 'wire' | 'process' | 'wire+process';

/** The observed workload a piece belongs to: an agent's root process, or a single program outside any agent. */
export interface Workload {
  root: Process;
  /** service.name: what the workload calls itself, or is called. */
  name: string;
  isAgent: boolean;
}

export interface CallPiece {
  kind: 'call';
  ids: SpanIds;
  workload: Workload;
  /** The process that made the call. */
  process: Process;
  call: ModelCall;
}

export interface ToolPiece {
  kind: 'tool';
  ids: SpanIds;
  workload: Workload;
  toolCall: ToolCall;
  result?: ToolResult;
  startNs: bigint;
  endNs: bigint;
  evidence: Evidence;
  damage: Damage;
}

export interface ProcessPiece {
  kind: 'process';
  ids: SpanIds;
  workload: Workload;
  process: Process;
  startNs: bigint;
  endNs: bigint;
  evidence: Evidence;
}

export interface TurnPiece {
  kind: 'turn';
  ids: SpanIds;
  workload: Workload;
  agentName: string;
  /** First and last call of the turn. */
  calls: readonly ModelCall[];
  toolCalls: number;
  startNs: bigint;
  endNs: bigint;
  /** `answer`: the model's final answer; otherwise what cut the turn off. */
  endedBy: 'answer' | 'process-exit' | 'timeout' | 'source-end' | 'error';
  /** Turn of the same conversation before this one. */
  previous?: SpanIds;
  damage: Damage;
}

export type StoryPiece = CallPiece | ToolPiece | ProcessPiece | TurnPiece;

export type StorySink = (piece: StoryPiece) => void;
