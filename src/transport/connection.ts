/** What the transport room hands to a protocol parser: ordered bytes of one connection, and what is missing. */
import type { ConnectionRef, DecodedPiece, Direction } from '../capture/events.ts';

/** When a chunk of bytes was handed over by the TLS call that carried it (boot time, nanoseconds). */
export interface ChunkTime {
  enterNs: bigint;
  timeNs: bigint;
  /** Offset of the chunk in its call; 0 (or absent) means that the chunk begins a call. */
  callOffset?: number;
  /** As of the data event: what the compressed ones among the chunk's bytes decode to. */
  decoded?: readonly DecodedPiece[];
}

/** The same for bytes that begin `callOffset` bytes into the call; a copy, because `at` may be an event with its bytes. */
export function timeFrom(at: ChunkTime, callOffset: number): ChunkTime {
  const { enterNs, timeNs, decoded } = at;
  return decoded === undefined
    ? { enterNs, timeNs, callOffset }
    : { enterNs, timeNs, callOffset, decoded };
}

/** Skipped bytes that are DATA frames of one HTTP/2 stream, and nothing else. */
export interface SkippedFrames {
  stream: number;
  /** Frame headers among the bytes. */
  headers: number;
  /** From the end of the bytes to the next frame header. */
  remainderBytes: number;
}

/**
 * Takes one connection apart. Everything arrives in the order the process saw it, both directions interleaved.
 * Calls are synchronous; `bytes` are valid only during the call.
 */
export interface ConnectionParser {
  data(direction: Direction, bytes: Uint8Array, at: ChunkTime, position: number): void;
  /** `size` bytes are missing here, or an unknown number when it is undefined. */
  gap(direction: Direction, size: number | undefined, at: ChunkTime): void;
  /**
   * `size` bytes were not copied because nobody wanted them: no damage. Absent: they are a gap. `frames` tells what
   * they were, where the capture side followed them.
   */
  skip?(direction: Direction, size: number, at: ChunkTime, frames?: SkippedFrames): void;
  /** Nothing came for a while. What is held back from a recording for what may follow is let go. */
  letGo?(): void;
  /**
   * The connection ended (closed, its process exited, idle too long, or the source ended). After `timeout`
   * alone more may follow: a keep-alive connection that rested longer than the limit speaks again, to the same
   * parser, which closed what was unfinished and begins anew.
   */
  end(reason: EndReason, timeNs: bigint): void;
}

export type EndReason = 'closed' | 'process-exit' | 'timeout' | 'source-end';

/** Makes the parser of a new connection. */
export type ConnectionParserFactory = (connection: ConnectionRef) => ConnectionParser;
