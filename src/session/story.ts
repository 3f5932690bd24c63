/** What the session room tells telemetry: finished pieces of a story, each with its place in the trace. */
import type { Exchange } from '../http/exchange.ts';
import type { Message, ModelCall, ToolCall, ToolResult } from '../llm/model-call.ts';
import type { Process } from '../process/process.ts';
import type { ConnectionFacts } from '../transport/connection-facts.ts';
import type { Handshake } from '../transport/handshake.ts';
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

export type AttributeScalar = string | number | boolean;

/** Attributes that plugins add to a span, by name; a list has elements of one type. */
export type ExtraAttributes = Readonly<
  Record<string, AttributeScalar | readonly string[] | readonly number[] | readonly boolean[]>
>;

export interface CallPiece {
  kind: 'call';
  ids: SpanIds;
  workload: Workload;
  /** The process that made the call. */
  process: Process;
  call: ModelCall;
  /** The turn it belongs to: its parent, unless the request named another trace's span as that. */
  turn?: SpanIds;
  extraAttributes?: ExtraAttributes;
}

/** The server's side of a call: measured, but no piece of a story, for the client's side of it is one. */
export interface ServedCall {
  workload: Workload;
  process: Process;
  call: ModelCall;
}

/** How a connection's TLS handshake came out: measured, and told when it failed. */
export interface HandshakePiece {
  workload: Workload;
  process: Process;
  handshake: Handshake;
  facts: ConnectionFacts;
}

export interface ToolPiece {
  kind: 'tool';
  ids: SpanIds;
  workload: Workload;
  toolCall: ToolCall;
  /** What the request says of the tool. Absent when content is off. */
  description?: string;
  result?: ToolResult;
  startNs: bigint;
  endNs: bigint;
  evidence: Evidence;
  damage: Damage;
  extraAttributes?: ExtraAttributes;
}

export interface ProcessPiece {
  kind: 'process';
  ids: SpanIds;
  workload: Workload;
  process: Process;
  /** The first exec seen of it: before, it was a copy of its parent. */
  startNs: bigint;
  /** Its exit; the end of observation when it still ran then (`process.exit` is absent, `truncated`). */
  endNs: bigint;
  evidence: Evidence;
  damage?: Damage;
  /** HTTP exchanges of the process that have no span, because it had too many. Absent: none. */
  exchangesLeftOut?: number;
}

/** An HTTP exchange that is no model call. */
export interface HttpPiece {
  kind: 'http';
  ids: SpanIds;
  workload: Workload;
  /** The process that wrote the request. */
  process: Process;
  exchange: Exchange;
  startNs: bigint;
  endNs: bigint;
  /** Its connection or stream ended before the response did. */
  isBroken: boolean;
  /** What it belongs to: its parent, unless the request named another trace's span as that. */
  place?: { kind: 'turn' | 'process'; ids: SpanIds };
  extraAttributes?: ExtraAttributes;
}

export interface TurnPiece {
  kind: 'turn';
  ids: SpanIds;
  workload: Workload;
  agentName: string;
  /**
   * The calls of the turn in the order they began. The first and the last are whole; of those between, the
   * messages, tool definitions and fingerprints are left out. Shorter than `callCount` where a limit was reached.
   */
  calls: readonly ModelCall[];
  /** Calls of the turn, whether `calls` holds them or not. */
  callCount?: number;
  toolCalls: number;
  startNs: bigint;
  endNs: bigint;
  /** `answer`: the model's final answer; otherwise what cut the turn off. */
  endedBy: 'answer' | 'new-prompt' | 'process-exit' | 'timeout' | 'source-end' | 'error';
  /** Turn of the same conversation before this one. */
  previous?: SpanIds;
  damage: Damage;
  extraAttributes?: ExtraAttributes;
  /** Exported as the turn's content in place of what its calls have of it. */
  content?: { inputMessages: readonly Message[]; outputMessages: readonly Message[] };
  /** HTTP exchanges of the agent itself that have no span, because the turn had too many. Absent: none. */
  exchangesLeftOut?: number;
}

export type StoryPiece = CallPiece | ToolPiece | ProcessPiece | HttpPiece | TurnPiece;

export type StorySink = (piece: StoryPiece) => void;
