/**
 * Collects a header block from HEADERS or PUSH_PROMISE and its CONTINUATION frames, wherever they are split.
 * RFC 9113 §4.3, https://www.rfc-editor.org/rfc/rfc9113#section-4.3
 */
import type { ChunkTime } from '../../transport/connection.ts';

const INITIAL_BYTES = 4096;
/** A buffer that grew beyond this for one block is given back. */
const KEPT_BYTES = 65_536;

export interface BlockLimits {
  maxHeaderBlockBytes: number;
  maxContinuations: number;
}

/** Why a block cannot be read although the place of its end is known. */
export type BlockFault = 'gap' | 'decode-error' | 'limit';

/** Where a run of the block's bytes was in the stream: frame headers and padding may lie between two. */
interface Segment {
  offset: number;
  position: number;
}

export class HeaderBlock {
  streamId = 0;
  isPromise = false;
  isEndStream = false;
  startTime: ChunkTime = { enterNs: 0n, timeNs: 0n };
  /** Set once the block cannot be read any more; its bytes are not kept from then on. */
  fault: BlockFault | undefined;
  /** Bytes of it known to be missing. */
  lostBytes = 0;
  isOpen = false;
  private buffer: Uint8Array = new Uint8Array(INITIAL_BYTES);
  private length = 0;
  private continuations = 0;
  private segments: Segment[] = [];
  private readonly limits: BlockLimits;

  constructor(limits: BlockLimits) {
    this.limits = limits;
  }

  open(streamId: number, at: ChunkTime): void {
    this.streamId = streamId;
    this.isPromise = false;
    this.isEndStream = false;
    this.startTime = { enterNs: at.enterNs, timeNs: at.timeNs };
    this.fault = undefined;
    this.lostBytes = 0;
    this.length = 0;
    this.continuations = 0;
    this.segments = [];
    this.isOpen = true;
    if (this.buffer.length > KEPT_BYTES) {
      this.buffer = new Uint8Array(INITIAL_BYTES);
    }
  }

  /** One more CONTINUATION frame; false when that is one too many. */
  goOn(): boolean {
    this.continuations += 1;
    return this.continuations <= this.limits.maxContinuations;
  }

  /** False when the bytes were not kept, because the block is too large. */
  push(bytes: Uint8Array, position: number): boolean {
    const end = this.length + bytes.length;
    if (end > this.limits.maxHeaderBlockBytes) {
      return false;
    }
    if (end > this.buffer.length) {
      const grown = new Uint8Array(Math.max(this.buffer.length * 2, end));
      grown.set(this.buffer.subarray(0, this.length));
      this.buffer = grown;
    }
    const last = this.segments[this.segments.length - 1];
    if (last === undefined || position - last.position !== this.length - last.offset) {
      this.segments.push({ offset: this.length, position });
    }
    this.buffer.set(bytes, this.length);
    this.length = end;
    return true;
  }

  close(): void {
    this.isOpen = false;
  }

  /** Valid until the next `open`. */
  get bytes(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }

  /** Position in the stream of its first byte that is yet to be judged. */
  get position(): number | undefined {
    return this.isOpen && this.fault === undefined ? this.segments[0]?.position : undefined;
  }

  /** Calls `each` with the stream's position and the block's offsets of every run in `[offset, offset + length)`. */
  locate(
    offset: number,
    length: number,
    each: (position: number, from: number, to: number) => void,
  ): void {
    const end = offset + length;
    for (let index = 0; index < this.segments.length; index += 1) {
      const segment = this.segments[index] as Segment;
      const segmentEnd = this.segments[index + 1]?.offset ?? this.length;
      const from = Math.max(offset, segment.offset);
      const to = Math.min(end, segmentEnd);
      if (from < to) {
        each(segment.position + from - segment.offset, from, to);
      }
    }
  }
}
