/**
 * gzip with one or several members; each member's CRC and length are checked, which fflate leaves out.
 * RFC 1952, https://www.rfc-editor.org/rfc/rfc1952
 */
import { crc32 } from 'node:zlib';
import type { DecodeOutcome, Emit, StreamDecoder } from './content-decoder.ts';
import { createInflateStream, type InflateStream } from './inflate-stream.ts';

const State = {
  fixedHeader: 0,
  extraLength: 1,
  extra: 2,
  name: 3,
  comment: 4,
  headerCrc: 5,
  data: 6,
  trailer: 7,
  padding: 8,
} as const;

const HAS_HEADER_CRC = 2;
const HAS_EXTRA = 4;
const HAS_NAME = 8;
const HAS_COMMENT = 16;
const RESERVED_FLAGS = 0xe0;

/** Each member costs a new stream, some 20 µs: as much as decoding this many bytes of one. */
const SMALL_MEMBER_BYTES = 1024;

/** Members smaller than that in one body, where one an event is the most that a sender has use for. */
const MAX_SMALL_MEMBERS = 16_384;

export function createGzipDecoder(emit: Emit): StreamDecoder {
  let state: number = State.fixedHeader;
  /** Bytes of the current fixed-size part seen so far, and their values where they matter. */
  let seen = 0;
  let flags = 0;
  let extraBytes = 0;
  let trailer = new Uint8Array(8);
  let crc = 0;
  let lengthModulo = 0;
  let members = 0;
  let smallMembers = 0;
  /** Input before this push, and before this member. */
  let passedBytes = 0;
  let memberAt = 0;
  let isStopped = false;
  let inflate: InflateStream = createMember();

  function createMember(): InflateStream {
    return createInflateStream((output) => {
      crc = crc32(output, crc);
      lengthModulo = (lengthModulo + output.length) >>> 0;
      isStopped = isStopped || !emit(output);
    });
  }

  /** Goes on to the next optional part of the header that the flags announce. */
  function nextPart(after: number): void {
    seen = 0;
    if (after < State.extraLength && flags & HAS_EXTRA) {
      state = State.extraLength;
    } else if (after < State.name && flags & HAS_NAME) {
      state = State.name;
    } else if (after < State.comment && flags & HAS_COMMENT) {
      state = State.comment;
    } else if (after < State.headerCrc && flags & HAS_HEADER_CRC) {
      state = State.headerCrc;
    } else {
      state = State.data;
    }
  }

  /** One byte of a header; false when it is wrong. */
  function readHeader(byte: number): boolean {
    switch (state) {
      case State.fixedHeader:
        if (seen === 0 && byte === 0 && members > 0) {
          // Zero padding after the last member, as gzip(1) tolerates.
          state = State.padding;
          return true;
        }
        seen += 1;
        if ((seen === 1 && byte !== 0x1f) || (seen === 2 && byte !== 0x8b)) {
          return false;
        }
        if (seen === 3 && byte !== 8) {
          return false;
        }
        if (seen === 4) {
          flags = byte;
          return (byte & RESERVED_FLAGS) === 0;
        }
        if (seen === 10) {
          nextPart(State.fixedHeader);
        }
        return true;
      case State.extraLength:
        extraBytes = seen === 0 ? byte : extraBytes + byte * 256;
        seen += 1;
        if (seen === 2) {
          if (extraBytes === 0) {
            nextPart(State.extra);
          } else {
            state = State.extra;
          }
        }
        return true;
      case State.extra:
        extraBytes -= 1;
        if (extraBytes === 0) {
          nextPart(State.extra);
        }
        return true;
      case State.name:
      case State.comment:
        if (byte === 0) {
          nextPart(state);
        }
        return true;
      case State.headerCrc:
        seen += 1;
        if (seen === 2) {
          nextPart(State.headerCrc);
        }
        return true;
      default:
        return byte === 0;
    }
  }

  /** One byte of a trailer; false when the member is not what it says. */
  function readTrailer(byte: number): boolean {
    trailer[seen] = byte;
    seen += 1;
    if (seen < 8) {
      return true;
    }
    const view = new DataView(trailer.buffer);
    const isRight = view.getUint32(0, true) === crc && view.getUint32(4, true) === lengthModulo;
    members += 1;
    state = State.fixedHeader;
    seen = 0;
    crc = 0;
    lengthModulo = 0;
    trailer = new Uint8Array(8);
    inflate = createMember();
    return isRight;
  }

  /** Whether the member that ends here is one too many. */
  function isFlood(endsAt: number): boolean {
    smallMembers += endsAt - memberAt < SMALL_MEMBER_BYTES ? 1 : 0;
    memberAt = endsAt;
    return smallMembers > MAX_SMALL_MEMBERS;
  }

  function push(bytes: Uint8Array): DecodeOutcome {
    let index = 0;
    while (index < bytes.length && !isStopped) {
      if (state === State.data) {
        index = inflate.push(bytes, index, () => isStopped);
        if (index < 0) {
          return 'corrupt';
        }
        if (inflate.isFinished) {
          state = State.trailer;
          seen = 0;
        }
        continue;
      }
      const byte = bytes[index] as number;
      index += 1;
      const isEnd = state === State.trailer && seen === 7;
      const isRight = state === State.trailer ? readTrailer(byte) : readHeader(byte);
      if (!isRight) {
        return 'corrupt';
      }
      if (isEnd && isFlood(passedBytes + index)) {
        return 'limit';
      }
    }
    passedBytes += bytes.length;
    return 'ok';
  }

  return {
    push,
    finish() {
      const isBetweenMembers = state === State.fixedHeader && seen === 0 && members > 0;
      return isBetweenMembers || state === State.padding ? 'ok' : 'corrupt';
    },
    dispose() {},
  };
}
