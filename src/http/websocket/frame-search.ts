/**
 * Finds the next frame boundary in bytes whose place is unknown: after a loss, or when joined midway.
 *
 * Frames have no marks, but senders write whole frames, so one is looked for at the start of each TLS call: a
 * header that a sender may write, at whose frame's end the next begins, and so on. Three headers in a row are
 * believed, and so is a chain that ends where a read ends. What is not decided yet is held, within limits, so that
 * the first message after a loss is not lost too.
 */
import { isUtf8 } from 'node:buffer';
import { type ChunkTime, timeFrom } from '../../transport/connection.ts';
import {
  createFrameHeader,
  createUnmaskTarget,
  type FrameRules,
  isControl,
  MAX_HEADER_BYTES,
  Opcode,
  readFrameHeader,
  unmask,
} from './frame-header.ts';
import type { WebSocketLimits } from './limits.ts';

/** Bytes of one read, copied. */
export interface HeldPiece {
  bytes: Uint8Array;
  at: ChunkTime;
  position: number;
}

export interface FrameSearch {
  /** True when a frame is believed to begin at the front of what `take` gives (or right after these bytes). */
  push(bytes: Uint8Array, at: ChunkTime, position: number): boolean;
  /** Hands over what is held, and forgets it. */
  take(): HeldPiece[];
  /** Gives up what is held: the bytes that follow have another place. */
  reset(): void;
  /** Position of the first byte held; undefined when nothing is. */
  readonly heldPosition: number | undefined;
}

const ENOUGH_HEADERS = 3;

/** `unread` is told of bytes that nobody has looked into. */
export function createFrameSearch(
  rules: FrameRules,
  limits: WebSocketLimits,
  unread: (position: number, length: number) => void,
): FrameSearch {
  let held: HeldPiece[] = [];
  let heldBytes = 0;
  /** Where in what is held the next header of the chain is expected; may lie beyond. */
  let next = 0;
  let headers = 0;
  /** Whether a message is unfinished in the chain; undefined while no data frame was seen in it. */
  let isInMessage: boolean | undefined;
  /** Bytes to go to the next header of a frame that was too large to be held; 0 when there is none. */
  let toSkip = 0;
  const header = createFrameHeader();
  const headerBytes = new Uint8Array(MAX_HEADER_BYTES);

  function startChain(): void {
    next = 0;
    headers = 0;
    isInMessage = undefined;
  }

  function dropFirst(): void {
    const piece = held.shift();
    if (piece) {
      heldBytes -= piece.bytes.length;
      unread(piece.position, piece.bytes.length);
    }
  }

  /** What is held begins with no frame: goes on to the next call's start. */
  function reject(): void {
    do {
      dropFirst();
    } while (held[0] && (held[0].at.callOffset ?? 0) !== 0);
    startChain();
  }

  function gatherHeader(): number {
    let from = next;
    let size = 0;
    for (const { bytes } of held) {
      while (from < bytes.length && size < MAX_HEADER_BYTES) {
        headerBytes[size] = bytes[from] as number;
        size += 1;
        from += 1;
      }
      from = Math.max(0, from - bytes.length);
    }
    return size;
  }

  /** Whether the frame just read can follow those before it in the chain. */
  function fits(): boolean {
    if (isControl(header)) {
      return true;
    }
    if (header.payloadBytes > limits.maxMessageBytes) {
      return false;
    }
    if (header.opcode === Opcode.continuation) {
      // Without this, silence in audio (zeros) would be a chain of empty fragments.
      const isPointless = header.payloadBytes === 0 && !header.isFinal;
      if (isInMessage === false || isPointless) {
        return false;
      }
    } else if (isInMessage) {
      return false;
    }
    isInMessage = !header.isFinal;
    return true;
  }

  /** A text message that is all in one read must be text. */
  function isPlausibleText(start: number): boolean {
    if (header.opcode !== Opcode.text || header.isCompressed || !header.isFinal) {
      return true;
    }
    let from = start;
    for (const { bytes } of held) {
      if (from < bytes.length) {
        const end = from + header.payloadBytes;
        if (end > bytes.length) {
          return true;
        }
        const payload = createUnmaskTarget(header.payloadBytes);
        unmask(bytes, from, end, header.key, 0, payload);
        return isUtf8(payload.bytes.subarray(0, header.payloadBytes));
      }
      from -= bytes.length;
    }
    return true;
  }

  /** True: believed. False: more bytes are needed (perhaps because nothing is held any more). */
  function judge(): boolean {
    while (held.length > 0) {
      if (next === heldBytes && headers > 0) {
        return true;
      }
      if (next > heldBytes) {
        return false;
      }
      const available = gatherHeader();
      const size = readFrameHeader(headerBytes, 0, available, rules, header);
      if (size === 0) {
        return false;
      }
      if (size < 0 || !fits() || !isPlausibleText(next + size)) {
        reject();
        continue;
      }
      headers += 1;
      next += size + header.payloadBytes;
      if (headers >= ENOUGH_HEADERS) {
        return true;
      }
    }
    return false;
  }

  function skip(bytes: Uint8Array, at: ChunkTime, position: number): boolean {
    const size = Math.min(toSkip, bytes.length);
    toSkip -= size;
    unread(position, size);
    if (size === bytes.length) {
      return toSkip === 0;
    }
    const isFrame = readFrameHeader(bytes, size, bytes.length, rules, header) >= 0;
    if (isFrame) {
      hold(bytes.subarray(size), timeFrom(at, size), position + size);
    } else {
      unread(position + size, bytes.length - size);
    }
    return isFrame;
  }

  function hold(bytes: Uint8Array, at: ChunkTime, position: number): void {
    // Copied: the reader's caller takes its memory back.
    held.push({ bytes: new Uint8Array(bytes), at, position });
    heldBytes += bytes.length;
  }

  function push(bytes: Uint8Array, at: ChunkTime, position: number): boolean {
    if (toSkip > 0) {
      return skip(bytes, at, position);
    }
    if (held.length === 0 && (at.callOffset ?? 0) !== 0) {
      unread(position, bytes.length);
      return false;
    }
    hold(bytes, timeFrom(at, at.callOffset ?? 0), position);
    if (judge()) {
      return true;
    }
    if (heldBytes > limits.maxSearchBytes || held.length > limits.maxSearchCalls) {
      toSkip = Math.max(0, next - heldBytes);
      reset();
    }
    return false;
  }

  function reset(): void {
    while (held.length > 0) {
      dropFirst();
    }
    startChain();
  }

  return {
    push,
    take() {
      const pieces = held;
      held = [];
      heldBytes = 0;
      toSkip = 0;
      startChain();
      return pieces;
    },
    reset() {
      toSkip = 0;
      reset();
    },
    get heldPosition() {
      return held[0]?.position;
    },
  };
}
