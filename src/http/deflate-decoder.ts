/**
 * The `deflate` content coding: zlib-wrapped as specified, or raw as some servers send it.
 * RFC 1950, https://www.rfc-editor.org/rfc/rfc1950; RFC 9110 §8.4.1.2 notes the raw form.
 */
import type { DecodeOutcome, Emit, StreamDecoder } from './content-decoder.ts';
import { createInflateStream } from './inflate-stream.ts';

const ADLER_BASE = 65_521;
/** Most bytes that can be summed before 32 bits overflow (RFC 1950 §9, NMAX). */
const ADLER_RUN = 5552;

export function createDeflateDecoder(emit: Emit): StreamDecoder {
  let header: number[] = [];
  let isHeaderRead = false;
  let isWrapped = false;
  let low = 1;
  let high = 0;
  let trailerSeen = 0;
  let trailer = 0;
  let isStopped = false;
  const inflate = createInflateStream((output) => {
    if (isWrapped) {
      updateAdler(output);
    }
    isStopped = isStopped || !emit(output);
  });

  function updateAdler(bytes: Uint8Array): void {
    let index = 0;
    while (index < bytes.length) {
      const end = Math.min(bytes.length, index + ADLER_RUN);
      for (; index < end; index += 1) {
        low += bytes[index] as number;
        high += low;
      }
      low %= ADLER_BASE;
      high %= ADLER_BASE;
    }
  }

  function pushData(bytes: Uint8Array, from: number): DecodeOutcome {
    const index = inflate.push(bytes, from, () => isStopped);
    if (index < 0) {
      return 'corrupt';
    }
    return inflate.isFinished ? pushTrailer(bytes, index) : 'ok';
  }

  function pushTrailer(bytes: Uint8Array, from: number): DecodeOutcome {
    if (!isWrapped) {
      return from < bytes.length ? 'corrupt' : 'ok';
    }
    for (let index = from; index < bytes.length; index += 1) {
      if (trailerSeen === 4) {
        return 'corrupt';
      }
      trailer = ((trailer << 8) | (bytes[index] as number)) >>> 0;
      trailerSeen += 1;
    }
    const sum = ((high << 16) | low) >>> 0;
    return trailerSeen === 4 && trailer !== sum ? 'corrupt' : 'ok';
  }

  function push(bytes: Uint8Array): DecodeOutcome {
    let from = 0;
    if (!isHeaderRead) {
      while (header.length < 2 && from < bytes.length) {
        header.push(bytes[from] as number);
        from += 1;
      }
      if (header.length < 2) {
        return 'ok';
      }
      isHeaderRead = true;
      isWrapped = isZlibHeader(header[0] ?? 0, header[1] ?? 0);
      if (!isWrapped) {
        const outcome = pushData(Uint8Array.from(header), 0);
        if (outcome !== 'ok') {
          return outcome;
        }
      }
      header = [];
    }
    return from < bytes.length ? pushData(bytes, from) : 'ok';
  }

  return {
    push,
    finish() {
      return inflate.isFinished && (!isWrapped || trailerSeen === 4) ? 'ok' : 'corrupt';
    },
    dispose() {},
  };
}

/** Method 8, a window of at most 32 KiB, the check bits right, no preset dictionary. */
function isZlibHeader(first: number, second: number): boolean {
  const isMethodRight = (first & 0x0f) === 8 && first >> 4 <= 7;
  return isMethodRight && (first * 256 + second) % 31 === 0 && (second & 0x20) === 0;
}
