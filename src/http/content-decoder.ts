/**
 * Removes content encodings from a body, incrementally and synchronously.
 * RFC 9110 §8.4, https://www.rfc-editor.org/rfc/rfc9110#section-8.4
 */
import { createBrotliDecoder } from './brotli-decoder.ts';
import { createDeflateDecoder } from './deflate-decoder.ts';
import { createGzipDecoder } from './gzip-decoder.ts';
import type { HttpLimits } from './limits.ts';
import { createZstdDecoder } from './zstd-decoder.ts';

/** `limit`: something of ours is used up, and the rest is not decoded. */
export type DecodeOutcome = 'ok' | 'corrupt' | 'limit';

/** One encoding. Output goes to the `emit` it was made with, at once, as far as each push makes it available. */
export interface StreamDecoder {
  push(bytes: Uint8Array): DecodeOutcome;
  /** The input is over. `corrupt` when the encoding says that something is missing or wrong. */
  finish(): DecodeOutcome;
  /** Frees what is not garbage collected. Idempotent. */
  dispose(): void;
}

/** `emit` returns false when no more output is wanted. */
export type Emit = (bytes: Uint8Array) => boolean;

const MIN_RATIO_BYTES = 1_048_576;

/**
 * Decodes the encodings `codings` (lower case, in the order they were applied). Undefined when one of them is
 * unknown or there are too many. `emit` gets decoded bytes that are valid only during the call.
 */
export function createContentDecoder(
  codings: readonly string[],
  limits: HttpLimits,
  emit: (bytes: Uint8Array) => void,
): StreamDecoder | undefined {
  const applied = codings.filter((coding) => coding !== 'identity' && coding !== '');
  if (applied.length > limits.maxContentEncodings) {
    return undefined;
  }
  let inputBytes = 0;
  let outcome: DecodeOutcome = 'ok';
  const stages: StreamDecoder[] = [];

  /** Counts what one stage gives: every stage is bounded, or an inner one could work without output. */
  function bounded(pass: (bytes: Uint8Array) => void): Emit {
    let outputBytes = 0;
    return (bytes) => {
      outputBytes += bytes.length;
      const isBomb =
        outputBytes > MIN_RATIO_BYTES && outputBytes > inputBytes * limits.maxDecodeRatio;
      if (outcome === 'ok' && (isBomb || outputBytes > limits.maxDecodedBytes)) {
        outcome = 'limit';
      }
      if (outcome === 'ok') {
        pass(bytes);
      }
      return outcome === 'ok';
    };
  }

  function pushTo(stage: StreamDecoder): (bytes: Uint8Array) => void {
    return (bytes) => {
      const result = stage.push(bytes);
      if (outcome === 'ok') {
        outcome = result;
      }
    };
  }

  // The encoding applied last is the first to remove: the chain is built from its far end.
  let next: (bytes: Uint8Array) => void = emit;
  for (const coding of applied) {
    const stage = createStage(coding, bounded(next));
    if (stage === undefined) {
      return undefined;
    }
    stages.unshift(stage);
    next = pushTo(stage);
  }
  const first = next;

  return {
    push(bytes) {
      inputBytes += bytes.length;
      if (outcome === 'ok') {
        first(bytes);
      }
      return outcome;
    },
    finish() {
      for (const stage of stages) {
        if (outcome === 'ok') {
          const result = stage.finish();
          if (outcome === 'ok') {
            outcome = result;
          }
        }
      }
      return outcome;
    },
    dispose() {
      for (const stage of stages) {
        stage.dispose();
      }
    },
  };
}

function createStage(coding: string, emit: Emit): StreamDecoder | undefined {
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return createGzipDecoder(emit);
    case 'deflate':
      return createDeflateDecoder(emit);
    case 'br':
      return createBrotliDecoder(emit);
    case 'zstd':
      return createZstdDecoder(emit);
    default:
      return undefined;
  }
}
