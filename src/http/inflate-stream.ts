/**
 * Raw deflate, incremental: every push hands out what it made available. Adapts fflate's `Inflate`.
 * RFC 1951, https://www.rfc-editor.org/rfc/rfc1951
 *
 * Two things are not in fflate's interface, so this file (and only this one) reads its stream state, and a test
 * holds that state in place: where the compressed data ended, which a trailer's check needs; and the window
 * buffer, which is lent a large scratch buffer before each push. Without that, fflate allocates and clears
 * 160 KiB per push: 80 µs for one flushed event instead of 3–9 µs.
 */
import { Inflate } from 'fflate';

/** fflate 0.8.3 `Inflate`: `o` window, `p` input not yet used, `s` state (`p` bit offset, `f` final block, `l` in a block). */
interface InflateState {
  o: Uint8Array;
  p: Uint8Array;
  s: { p?: number; f?: number; l?: unknown };
}

const WINDOW_BYTES = 32_768;
/** Window, fflate's own reserve of 2^17 per block, and room for what a slice usually decodes to. */
const scratch = new Uint8Array(WINDOW_BYTES + 131_072 + 65_536);
/** Deflate decodes to at most 1032 bytes per byte: a slice of this size bounds one output to about 4 MiB. */
const SLICE_BYTES = 4096;

export interface InflateStream {
  /**
   * Decodes from `from` on. Returns the index after the last byte used: less than the length only when the
   * compressed data ended; -1 when it is corrupt. `isStopped` is asked between slices.
   */
  push(bytes: Uint8Array, from: number, isStopped: () => boolean): number;
  readonly isFinished: boolean;
  /** Everything pushed so far has been used, and ends where a block does (as after a sync flush). */
  readonly isBetweenBlocks: boolean;
  /** The last 32 KiB decoded, zeros before the beginning; valid until the next push. */
  readonly window: Uint8Array;
}

/** `emit` gets output that it may keep. `before`: what was decoded already and may be referred to. */
export function createInflateStream(
  emit: (bytes: Uint8Array) => void,
  before: Uint8Array = new Uint8Array(0),
): InflateStream {
  const inflate = new Inflate({ dictionary: before }, (output) => {
    if (output.length > 0) {
      emit(output);
    }
  });
  const inner = inflate as unknown as InflateState;
  let isFinished = false;

  function push(bytes: Uint8Array, from: number, isStopped: () => boolean): number {
    let index = from;
    while (index < bytes.length && !isFinished && !isStopped()) {
      const end = Math.min(bytes.length, index + SLICE_BYTES);
      scratch.set(inner.o);
      inner.o = scratch;
      try {
        // fflate keeps its input when it has nothing older, so it gets a copy (slice() of a Buffer is none).
        inflate.push(new Uint8Array(bytes.subarray(index, end)));
      } catch {
        return -1;
      }
      index = end;
      if (inner.s.f && !inner.s.l) {
        isFinished = true;
        // The first byte left over is used in part, unless the data ended on a byte boundary.
        index -= Math.max(0, inner.p.length - (inner.s.p ? 1 : 0));
      }
    }
    return index;
  }

  return {
    push,
    get isFinished() {
      return isFinished;
    },
    get isBetweenBlocks() {
      return isFinished || (!inner.s.l && inner.p.length === 0);
    },
    get window() {
      return inner.o;
    },
  };
}
