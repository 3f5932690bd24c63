/** Recognises a WebSocket in the bytes of a connection whose beginning was not seen. */
import { isUtf8 } from 'node:buffer';
import type { Role } from '../exchange.ts';
import {
  createFrameHeader,
  createUnmaskTarget,
  isControl,
  Opcode,
  readFrameHeader,
  unmask,
} from './frame-header.ts';

const header = createFrameHeader();
/** Longer texts are judged by their beginning. */
const MAX_JUDGED_BYTES = 4096;

/**
 * Which side sent `bytes`, the start of a TLS call, if they are WebSocket frames and nothing else; undefined when
 * they are not, or could as well be anything. Either two frames or more fill the call exactly, or one that is
 * JSON text does.
 */
export function webSocketSender(bytes: Uint8Array): Role | undefined {
  if (bytes.length < 2) {
    return undefined;
  }
  const isMasked = ((bytes[1] as number) & 0x80) !== 0;
  const rules = { isMasked, mayBeCompressed: true };
  let index = 0;
  let frames = 0;
  let dataFrames = 0;
  let hasText = false;
  while (index < bytes.length) {
    const size = readFrameHeader(bytes, index, bytes.length, rules, header);
    const end = index + size + header.payloadBytes;
    if (size <= 0 || end > bytes.length) {
      return undefined;
    }
    if (header.opcode === Opcode.text && !header.isCompressed) {
      if (!isJsonText(bytes, index + size, end)) {
        return undefined;
      }
      hasText = true;
    }
    frames += 1;
    dataFrames += isControl(header) || header.payloadBytes === 0 ? 0 : 1;
    index = end;
  }
  const isEvident = hasText || (frames >= 2 && dataFrames >= 1);
  return isEvident ? (isMasked ? 'client' : 'server') : undefined;
}

function isJsonText(bytes: Uint8Array, from: number, to: number): boolean {
  const judged = Math.min(to - from, MAX_JUDGED_BYTES);
  const target = createUnmaskTarget(judged);
  unmask(bytes, from, from + judged, header.key, 0, target);
  const text = target.bytes.subarray(0, judged);
  const isWhole = judged === to - from;
  const first = text[0];
  return (first === 0x7b || first === 0x5b) && (!isWhole || !header.isFinal || isUtf8(text));
}
