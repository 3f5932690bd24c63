/**
 * Reads the frames of one direction: where each begins and ends, whatever is split or missing.
 * RFC 9113 §4, https://www.rfc-editor.org/rfc/rfc9113#section-4
 *
 * | state     | what comes next                        | a gap of known size …                             |
 * |-----------|----------------------------------------|---------------------------------------------------|
 * | preface   | the client's 24 bytes                  | → searching                                       |
 * | header    | the nine bytes of a frame header       | → searching                                       |
 * | prefix    | pad length, priority, promised stream  | the frame is given up, and counted off if it fits |
 * | payload   | data, a header block, a control frame  | is counted off if it fits, else → searching       |
 * | padding   | bytes without meaning                  | is counted off if it fits, else → searching       |
 * | searching | unknown bytes; frames at a call start  | nothing changes                                   |
 */
import type { ChunkTime } from '../../transport/connection.ts';
import {
  FRAME_HEADER_BYTES,
  FrameFlag,
  type FrameHeader,
  FrameType,
  isLegalFrame,
  PREFACE,
  readFrameHeader,
} from './frame.ts';
import { type ChainContext, isFrameChain } from './frame-chain.ts';

export type FrameLossCause = 'gap' | 'decode-error';
/** `limit`: the frame is longer than our limit, so its payload was not read. */
export type PayloadGapCause = FrameLossCause | 'limit';

/** What the reader found, in the order of the bytes. `header` objects are reused: valid only during the call. */
export interface FrameReaderEvents {
  /** The client's preface is there. */
  preface(): void;
  /** A frame header, before its payload. False: the frame contradicts the protocol at this place. */
  begin(header: FrameHeader, at: ChunkTime): boolean;
  /** A frame that contradicts the protocol, though frames go on where it ends: nothing else of it is reported. */
  malformed(header: FrameHeader, at: ChunkTime): void;
  /** Payload of a DATA or header frame, without padding and prefix; of another one if it is kept. */
  payload(bytes: Uint8Array, at: ChunkTime, position: number): void;
  /** `size` bytes of the payload are missing; what follows is at its true place. */
  payloadGap(size: number, cause: PayloadGapCause, at: ChunkTime): void;
  /** The frame is over, padding included. */
  end(at: ChunkTime): void;
  /** The place in the stream is lost. What was begun gets nothing more. */
  lost(cause: FrameLossCause, at: ChunkTime): void;
  /** Frames were found again. */
  found(at: ChunkTime): void;
  /** Bytes that nobody examines. */
  skipped(position: number, length: number): void;
}

export interface FrameReader {
  data(bytes: Uint8Array, at: ChunkTime, position: number): void;
  gap(size: number | undefined, at: ChunkTime): void;
  /** DATA frames of `streamId` were left out; `remainderBytes` of the last one's payload are yet to come. */
  goOnWithin(streamId: number, remainderBytes: number): void;
  /** What the bytes are that come next, for the very first ones. */
  startAt(place: 'preface' | 'header' | 'searching'): void;
  readonly isSearching: boolean;
  /** Position of a frame header that is not whole yet; undefined when there is none. */
  readonly pendingPosition: number | undefined;
}

const State = { preface: 0, header: 1, prefix: 2, payload: 3, padding: 4, searching: 5 } as const;

const PRIORITY_BYTES = 5;
const PROMISED_ID_BYTES = 4;

export function createFrameReader(
  maxFrameBytes: number,
  chain: ChainContext,
  events: FrameReaderEvents,
): FrameReader {
  let state: number = State.searching;
  const header: FrameHeader = { length: 0, type: 0, flags: 0, streamId: 0 };
  const next: FrameHeader = { length: 0, type: 0, flags: 0, streamId: 0 };
  const partial = new Uint8Array(FRAME_HEADER_BYTES);
  /** Bytes of the preface, the header or the prefix that are there. */
  let collected = 0;
  let headerPosition = 0;
  let headerStart: ChunkTime = { enterNs: 0n, timeNs: 0n };
  let prefixBytes = 0;
  let payloadLeft = 0;
  let paddingLeft = 0;

  function lose(cause: FrameLossCause, at: ChunkTime): void {
    state = State.searching;
    collected = 0;
    events.lost(cause, at);
  }

  function readPreface(bytes: Uint8Array, from: number, at: ChunkTime): number {
    let index = from;
    while (index < bytes.length && collected < PREFACE.length) {
      if (bytes[index] !== PREFACE[collected]) {
        lose('decode-error', at);
        return index;
      }
      collected += 1;
      index += 1;
    }
    if (collected === PREFACE.length) {
      collected = 0;
      state = State.header;
      events.preface();
    }
    return index;
  }

  function readHeader(bytes: Uint8Array, from: number, at: ChunkTime, position: number): number {
    if (collected === 0) {
      headerPosition = position + from;
    }
    if (collected === 0 && from + FRAME_HEADER_BYTES <= bytes.length) {
      readFrameHeader(bytes, from, header);
      beginFrame(bytes, from + FRAME_HEADER_BYTES, at, at);
      return from + FRAME_HEADER_BYTES;
    }
    if (collected === 0) {
      headerStart = { enterNs: at.enterNs, timeNs: at.timeNs };
    }
    let index = from;
    while (index < bytes.length && collected < FRAME_HEADER_BYTES) {
      partial[collected] = bytes[index] as number;
      collected += 1;
      index += 1;
    }
    if (collected === FRAME_HEADER_BYTES) {
      readFrameHeader(partial, 0, header);
      beginFrame(bytes, index, headerStart, at);
    }
    return index;
  }

  /** The header is whole, and its payload begins at `from`; `start` is when its first byte came. */
  function beginFrame(bytes: Uint8Array, from: number, start: ChunkTime, at: ChunkTime): void {
    collected = 0;
    if (!isLegalFrame(header) || !events.begin(header, start)) {
      if (isFollowed(bytes, from + header.length)) {
        events.malformed(header, start);
        payloadLeft = 0;
        paddingLeft = header.length;
        state = State.padding;
        endIfOver(at);
        return;
      }
      lose('decode-error', at);
      events.skipped(headerPosition, FRAME_HEADER_BYTES);
      return;
    }
    payloadLeft = header.length;
    paddingLeft = 0;
    prefixBytes = prefixOf(header);
    if (header.length > maxFrameBytes) {
      giveUpFrame('limit', at);
    } else if (prefixBytes > header.length) {
      giveUpFrame('decode-error', at);
    } else if (prefixBytes > 0) {
      state = State.prefix;
    } else {
      state = State.payload;
      endIfOver(at);
    }
  }

  /** Whether the bytes at `end`, or the end of the call there, confirm that a frame ends there. */
  function isFollowed(bytes: Uint8Array, end: number): boolean {
    if (end + FRAME_HEADER_BYTES > bytes.length) {
      return end === bytes.length;
    }
    readFrameHeader(bytes, end, next);
    return (
      isLegalFrame(next) &&
      next.type <= FrameType.continuation &&
      next.length <= chain.maxFrameBytes &&
      (next.streamId === 0 || chain.judgeStream(next.streamId) !== 'impossible')
    );
  }

  /** Nothing of the rest of this frame can be used, but where it ends is known. */
  function giveUpFrame(cause: PayloadGapCause, at: ChunkTime): void {
    events.payloadGap(payloadLeft, cause, at);
    paddingLeft += payloadLeft;
    payloadLeft = 0;
    state = State.padding;
    endIfOver(at);
  }

  function readPrefix(bytes: Uint8Array, from: number, at: ChunkTime): number {
    let index = from;
    while (index < bytes.length && collected < prefixBytes) {
      if (collected === 0 && (header.flags & FrameFlag.padded) !== 0) {
        paddingLeft = bytes[index] as number;
      }
      collected += 1;
      index += 1;
      payloadLeft -= 1;
    }
    if (collected === prefixBytes) {
      collected = 0;
      if (paddingLeft > payloadLeft) {
        paddingLeft = 0;
        giveUpFrame('decode-error', at);
      } else {
        payloadLeft -= paddingLeft;
        state = State.payload;
        endIfOver(at);
      }
    }
    return index;
  }

  function endIfOver(at: ChunkTime): void {
    if (payloadLeft === 0 && state === State.payload) {
      state = State.padding;
    }
    if (paddingLeft === 0 && state === State.padding) {
      state = State.header;
      events.end(at);
    }
  }

  function search(bytes: Uint8Array, from: number, at: ChunkTime, position: number): number {
    const isCallStart = from === 0 && (at.callOffset ?? 0) === 0;
    if (isCallStart && isFrameChain(bytes, chain)) {
      state = State.header;
      collected = 0;
      events.found(at);
      return from;
    }
    events.skipped(position + from, bytes.length - from);
    return bytes.length;
  }

  function data(bytes: Uint8Array, at: ChunkTime, position: number): void {
    let index = 0;
    while (index < bytes.length) {
      switch (state) {
        case State.payload: {
          const size = Math.min(payloadLeft, bytes.length - index);
          payloadLeft -= size;
          const isWhole = size === bytes.length;
          const part = isWhole ? bytes : bytes.subarray(index, index + size);
          events.payload(part, at, position + index);
          index += size;
          endIfOver(at);
          break;
        }
        case State.header:
          index = readHeader(bytes, index, at, position);
          break;
        case State.prefix:
          index = readPrefix(bytes, index, at);
          break;
        case State.padding: {
          const size = Math.min(paddingLeft, bytes.length - index);
          // Zeros by the rules (§6.1), but nobody looks: to a recording they may be anything.
          events.skipped(position + index, size);
          paddingLeft -= size;
          index += size;
          endIfOver(at);
          break;
        }
        case State.preface:
          index = readPreface(bytes, index, at);
          break;
        default:
          index = search(bytes, index, at, position);
      }
    }
  }

  function gap(size: number | undefined, at: ChunkTime): void {
    const isInFrame = state === State.payload || state === State.padding || state === State.prefix;
    if (!isInFrame) {
      if (state !== State.searching) {
        if (state === State.header && collected > 0) {
          events.skipped(headerPosition, collected);
        }
        lose('gap', at);
      } else {
        events.lost('gap', at);
      }
      return;
    }
    if (state === State.prefix) {
      // How much of the rest is padding is lost with it.
      paddingLeft = 0;
      collected = 0;
      giveUpFrame('gap', at);
    }
    const isInside = size !== undefined && size <= payloadLeft + paddingLeft;
    const fromPayload = Math.min(size ?? payloadLeft, payloadLeft);
    if (fromPayload > 0) {
      events.payloadGap(fromPayload, 'gap', at);
    }
    if (!isInside) {
      lose('gap', at);
      return;
    }
    payloadLeft -= fromPayload;
    paddingLeft -= size - fromPayload;
    endIfOver(at);
  }

  return {
    data,
    gap,
    goOnWithin(streamId, remainderBytes) {
      header.type = FrameType.data;
      header.flags = 0;
      header.streamId = streamId;
      collected = 0;
      payloadLeft = remainderBytes;
      paddingLeft = 0;
      state = remainderBytes > 0 ? State.payload : State.header;
    },
    startAt(place) {
      state = State[place];
      collected = 0;
    },
    get isSearching() {
      return state === State.searching;
    },
    get pendingPosition() {
      return state === State.header && collected > 0 ? headerPosition : undefined;
    },
  };
}

/** Bytes of the payload that come before its content, the pad length first. */
function prefixOf({ type, flags }: FrameHeader): number {
  const pad = (flags & FrameFlag.padded) === 0 ? 0 : 1;
  switch (type) {
    case FrameType.data:
      return pad;
    case FrameType.headers:
      return pad + ((flags & FrameFlag.priority) === 0 ? 0 : PRIORITY_BYTES);
    case FrameType.pushPromise:
      return pad + PROMISED_ID_BYTES;
    default:
      return 0;
  }
}
