/**
 * Reads the WebSocket frames of one direction, split anywhere.
 * RFC 6455 §5, https://www.rfc-editor.org/rfc/rfc6455#section-5
 *
 * | state     | what comes next     | a gap of known size …                             |
 * |-----------|---------------------|---------------------------------------------------|
 * | header    | a frame's header    | → searching                                       |
 * | payload   | a frame's payload   | is counted off if it fits, else → searching       |
 * | searching | unknown bytes       | begins the search anew                            |
 * | closed    | nothing (§5.5.1)    | nothing changes                                   |
 */
import type { ChunkTime } from '../../transport/connection.ts';
import {
  createFrameHeader,
  createUnmaskTarget,
  type FrameHeader,
  type FrameRules,
  isControl,
  MAX_HEADER_BYTES,
  Opcode,
  readFrameHeader,
  unmask,
} from './frame-header.ts';
import { createFrameSearch } from './frame-search.ts';
import type { WebSocketLimits } from './limits.ts';

export type FrameLossCause = 'gap' | 'decode-error';

/** What the reader found, in the order of the bytes. */
export interface FrameEvents {
  /** A header; `start` is the time of its first byte. The object is reused for the next frame. */
  frame(header: FrameHeader, start: ChunkTime, at: ChunkTime): void;
  /** Unmasked payload, valid only during the call; `offset` is its place in the frame. */
  payload(bytes: Uint8Array, at: ChunkTime, position: number, offset: number): void;
  /** `size` bytes of the frame's payload are missing, and it goes on exactly. */
  payloadGap(size: number, at: ChunkTime): void;
  frameEnd(at: ChunkTime): void;
  /** Where the next frame begins is unknown: what was unfinished stays so. */
  lost(cause: FrameLossCause, size: number | undefined, at: ChunkTime): void;
  /** A frame boundary was found again. */
  found(): void;
  /** Bytes that nobody looked into. */
  unread(position: number, length: number): void;
}

export interface FrameReader {
  data(bytes: Uint8Array, at: ChunkTime, position: number): void;
  gap(size: number | undefined, at: ChunkTime): void;
  /** Nothing more comes for now: what is held back is given up. */
  end(): void;
  /** Position of the first byte held back; undefined when none is. */
  readonly heldPosition: number | undefined;
}

/** Masked payload is unmasked by pieces of this size. */
const UNMASK_BYTES = 65_536;
const unmasked = createUnmaskTarget(UNMASK_BYTES);

export function createFrameReader(
  rules: FrameRules,
  limits: WebSocketLimits,
  isJoinedMidway: boolean,
  events: FrameEvents,
): FrameReader {
  const search = createFrameSearch(rules, limits, events.unread);
  let isSearching = isJoinedMidway;
  const header = createFrameHeader();
  /** The header as far as it came in earlier reads. */
  const headerBytes = new Uint8Array(MAX_HEADER_BYTES);
  let heldHeaderBytes = 0;
  let headerStart: ChunkTime = { enterNs: 0n, timeNs: 0n };
  let isInPayload = false;
  let remaining = 0;
  let offset = 0;
  /** A message is unfinished; undefined after a loss, until a data frame tells. */
  let isInMessage: boolean | undefined = isJoinedMidway ? undefined : false;
  /** After a close frame its sender sends nothing more (§5.5.1): what comes all the same is not read. */
  let isClosed = false;

  function lose(cause: FrameLossCause, size: number | undefined, at: ChunkTime): void {
    isSearching = true;
    isInPayload = false;
    heldHeaderBytes = 0;
    isInMessage = undefined;
    events.lost(cause, size, at);
  }

  /** Returns the index after the header, or after what there is of it; -1 when it is none. */
  function readHeader(bytes: Uint8Array, from: number, at: ChunkTime): number {
    if (heldHeaderBytes === 0) {
      headerStart = at;
      const size = readFrameHeader(bytes, from, bytes.length, rules, header);
      if (size !== 0) {
        return size < 0 || !begin(at) ? -1 : from + size;
      }
    }
    let index = from;
    while (index < bytes.length) {
      headerBytes[heldHeaderBytes] = bytes[index] as number;
      heldHeaderBytes += 1;
      index += 1;
      const size = readFrameHeader(headerBytes, 0, heldHeaderBytes, rules, header);
      if (size !== 0) {
        heldHeaderBytes = 0;
        return size < 0 || !begin(at) ? -1 : index;
      }
    }
    // Copied: it may be an event, whose bytes would be kept with it.
    headerStart = { enterNs: headerStart.enterNs, timeNs: headerStart.timeNs };
    return index;
  }

  /** False when the frame contradicts those before it. */
  function begin(at: ChunkTime): boolean {
    if (!isControl(header)) {
      const isContinuation = header.opcode === Opcode.continuation;
      if (isInMessage !== undefined && isInMessage !== isContinuation) {
        return false;
      }
      isInMessage = !header.isFinal;
    }
    isInPayload = true;
    remaining = header.payloadBytes;
    offset = 0;
    events.frame(header, headerStart, at);
    if (remaining === 0) {
      endFrame(at);
    }
    return true;
  }

  function endFrame(at: ChunkTime): void {
    isInPayload = false;
    isClosed = header.opcode === Opcode.close;
    events.frameEnd(at);
  }

  function readPayload(bytes: Uint8Array, from: number, at: ChunkTime, position: number): number {
    const end = Math.min(bytes.length, from + remaining);
    if (header.key === 0) {
      const isWhole = from === 0 && end === bytes.length;
      events.payload(isWhole ? bytes : bytes.subarray(from, end), at, position + from, offset);
      offset += end - from;
    } else {
      for (let index = from; index < end; index += UNMASK_BYTES) {
        const to = Math.min(end, index + UNMASK_BYTES);
        unmask(bytes, index, to, header.key, offset, unmasked);
        events.payload(unmasked.bytes.subarray(0, to - index), at, position + index, offset);
        offset += to - index;
      }
    }
    remaining -= end - from;
    if (remaining === 0) {
      endFrame(at);
    }
    return end;
  }

  function read(bytes: Uint8Array, at: ChunkTime, position: number): void {
    let index = 0;
    while (index < bytes.length) {
      if (isClosed) {
        events.unread(position + index, bytes.length - index);
        return;
      }
      if (isInPayload) {
        index = readPayload(bytes, index, at, position);
        continue;
      }
      const next = readHeader(bytes, index, at);
      if (next < 0) {
        lose('decode-error', undefined, at);
        events.unread(position + index, bytes.length - index);
        return;
      }
      index = next;
    }
  }

  function readFound(): void {
    events.found();
    isSearching = false;
    // What was believed may prove wrong further on: then the rest is searched again, which gets ever shorter.
    let pieces = search.take();
    while (pieces.length > 0) {
      const [piece, ...rest] = pieces as [(typeof pieces)[number], ...typeof pieces];
      pieces = rest;
      if (!isSearching) {
        read(piece.bytes, piece.at, piece.position);
      } else if (search.push(piece.bytes, piece.at, piece.position)) {
        events.found();
        isSearching = false;
        pieces = [...search.take(), ...pieces];
      }
    }
  }

  return {
    data(bytes, at, position) {
      if (!isSearching) {
        read(bytes, at, position);
      } else if (search.push(bytes, at, position)) {
        readFound();
      }
    },
    gap(size, at) {
      if (isClosed) {
        return;
      }
      if (isInPayload && size !== undefined && size <= remaining) {
        remaining -= size;
        offset += size;
        events.payloadGap(size, at);
        if (remaining === 0) {
          endFrame(at);
        }
        return;
      }
      search.reset();
      lose('gap', size, at);
    },
    end() {
      search.reset();
    },
    get heldPosition() {
      return search.heldPosition;
    },
  };
}
