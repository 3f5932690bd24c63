/**
 * Decompresses the messages of one sender: permessage-deflate.
 * RFC 7692 §7.2.2, https://www.rfc-editor.org/rfc/rfc7692#section-7.2.2
 *
 * With context takeover a message may refer to the 32 KiB before it. So once a part of one is missing, no later one
 * can be decoded: nothing in the bytes would show that the result is wrong.
 */
import type { DamageKind } from '../../util/damage.ts';
import type { DecodeOutcome } from '../content-decoder.ts';
import { createInflateStream, type InflateStream } from '../inflate-stream.ts';
import type { WebSocketLimits } from './limits.ts';

export interface MessageInflate {
  /** Begins a message. The answer, when there is one, says why it cannot be decoded. */
  begin(): DamageKind | undefined;
  /** Hands out what these bytes of the message make available. */
  push(bytes: Uint8Array): DecodeOutcome;
  /** The same for the last bytes of the message, perhaps none: it is over. */
  pushLast(bytes: Uint8Array): DecodeOutcome;
  /** The rest of the message, or whole ones, will not be pushed. */
  lose(cause: DamageKind): void;
}

/** What a sender leaves out at the end of each message: an empty block that is stored. */
const TAIL = Uint8Array.of(0x00, 0x00, 0xff, 0xff);
const MIN_RATIO_BYTES = 1_048_576;
/** Each costs a new stream, and takes two bytes: a message has one at most, where its sender means well. */
const MAX_FINAL_BLOCKS = 64;

export function createMessageInflate(
  keepsContext: boolean,
  limits: WebSocketLimits,
  emit: (bytes: Uint8Array) => void,
): MessageInflate {
  let stream: InflateStream | undefined;
  let lostCause: DamageKind | undefined;
  let inputBytes = 0;
  let outputBytes = 0;
  let isOverLimit = false;
  let finalBlocks = 0;

  function takeOutput(bytes: Uint8Array): void {
    outputBytes += bytes.length;
    isOverLimit ||=
      outputBytes > limits.maxInflatedBytes ||
      (outputBytes > MIN_RATIO_BYTES && outputBytes > inputBytes * limits.maxInflateRatio);
    if (!isOverLimit) {
      emit(bytes);
    }
  }

  function lose(cause: DamageKind): void {
    if (keepsContext) {
      lostCause ??= cause;
    }
    stream = undefined;
  }

  /** Decodes `bytes`, of which those from `tailAt` on are not the sender's. */
  function pushAll(bytes: Uint8Array, tailAt: number): DecodeOutcome {
    let index = 0;
    while (index < bytes.length && stream !== undefined) {
      if (stream.isFinished) {
        if (index >= tailAt) {
          // A sender that ended its data for good has left nothing out.
          return 'ok';
        }
        finalBlocks += 1;
        if (finalBlocks > MAX_FINAL_BLOCKS) {
          lose('limit');
          return 'limit';
        }
        // After a block that says it is the last one (§7.2.3.4) deflate begins anew, with the same window.
        stream = createInflateStream(takeOutput, stream.window);
      }
      const next = stream.push(bytes, index, () => isOverLimit);
      if (next < 0) {
        lose('decode-error');
        return 'corrupt';
      }
      if (isOverLimit) {
        lose('limit');
        return 'limit';
      }
      index = next;
    }
    return 'ok';
  }

  return {
    begin() {
      if (lostCause !== undefined) {
        return lostCause;
      }
      if (!keepsContext || stream === undefined) {
        stream = createInflateStream(takeOutput);
      }
      inputBytes = 0;
      outputBytes = 0;
      isOverLimit = false;
      finalBlocks = 0;
      return undefined;
    },
    push(bytes) {
      inputBytes += bytes.length;
      return pushAll(bytes, bytes.length);
    },
    pushLast(bytes) {
      inputBytes += bytes.length;
      const all = new Uint8Array(bytes.length + TAIL.length);
      all.set(bytes);
      all.set(TAIL, bytes.length);
      const outcome = pushAll(all, bytes.length);
      if (outcome === 'ok' && stream !== undefined && !stream.isBetweenBlocks) {
        lose('decode-error');
        return 'corrupt';
      }
      return outcome;
    },
    lose,
  };
}
