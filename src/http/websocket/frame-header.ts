/**
 * The header of a WebSocket frame.
 * RFC 6455 §5.2, https://www.rfc-editor.org/rfc/rfc6455#section-5.2
 */

export const Opcode = {
  continuation: 0,
  text: 1,
  binary: 2,
  close: 8,
  ping: 9,
  pong: 10,
} as const;

/** Two bytes, eight more of length, four of masking key. */
export const MAX_HEADER_BYTES = 14;
export const MAX_CONTROL_BYTES = 125;

/** Filled in place: a header is read per frame. */
export interface FrameHeader {
  isFinal: boolean;
  /** RSV1: with permessage-deflate, the message is compressed. */
  isCompressed: boolean;
  opcode: number;
  payloadBytes: number;
  /** The masking key, first byte in the lowest bits; 0 when the frame is not masked. */
  key: number;
}

export interface FrameRules {
  /** Frames of a client are masked, those of a server are not (§5.1). */
  isMasked: boolean;
  /** RSV1 may be set: an extension that uses it was agreed on, or that is not known. */
  mayBeCompressed: boolean;
}

export function createFrameHeader(): FrameHeader {
  return { isFinal: false, isCompressed: false, opcode: 0, payloadBytes: 0, key: 0 };
}

export function isControl(header: FrameHeader): boolean {
  return header.opcode >= Opcode.close;
}

/**
 * Reads a header at `from` into `header`. Returns its size; 0 when `end` comes before the header does; -1 when no
 * sender that keeps the rules writes these bytes.
 */
export function readFrameHeader(
  bytes: Uint8Array,
  from: number,
  end: number,
  rules: FrameRules,
  header: FrameHeader,
): number {
  if (end - from < 2) {
    return end > from && !isFirstByte(bytes[from] as number, rules) ? -1 : 0;
  }
  const first = bytes[from] as number;
  const second = bytes[from + 1] as number;
  if (!isFirstByte(first, rules) || ((second & 0x80) !== 0) !== rules.isMasked) {
    return -1;
  }
  header.isFinal = (first & 0x80) !== 0;
  header.isCompressed = (first & 0x40) !== 0;
  header.opcode = first & 0x0f;
  const short = second & 0x7f;
  if (isControl(header) && short > MAX_CONTROL_BYTES) {
    return -1;
  }
  const lengthBytes = short < 126 ? 0 : short === 126 ? 2 : 8;
  const size = 2 + lengthBytes + (rules.isMasked ? 4 : 0);
  if (end - from < 2 + lengthBytes) {
    return 0;
  }
  header.payloadBytes = lengthBytes === 0 ? short : readLength(bytes, from + 2, lengthBytes);
  if (header.payloadBytes < 0) {
    return -1;
  }
  if (end - from < size) {
    return 0;
  }
  header.key = rules.isMasked ? readKey(bytes, from + size - 4) : 0;
  return size;
}

/** Reserved bits and opcodes; only first frames of messages carry RSV1, control frames are never fragmented. */
function isFirstByte(first: number, rules: FrameRules): boolean {
  const opcode = first & 0x0f;
  const isData = opcode === Opcode.text || opcode === Opcode.binary;
  if ((first & 0x30) !== 0) {
    return false;
  }
  if ((first & 0x40) !== 0) {
    return isData && rules.mayBeCompressed;
  }
  if (opcode >= Opcode.close) {
    return opcode <= Opcode.pong && (first & 0x80) !== 0;
  }
  return opcode <= Opcode.binary;
}

/** -1 when the length is not written in as few bytes as possible, which §5.2 demands, or is beyond 2^53. */
function readLength(bytes: Uint8Array, from: number, lengthBytes: number): number {
  let length = 0;
  for (let index = from; index < from + lengthBytes; index += 1) {
    length = length * 256 + (bytes[index] as number);
  }
  const isMinimal = lengthBytes === 2 ? length > 125 : length > 65_535;
  return isMinimal && Number.isSafeInteger(length) ? length : -1;
}

function readKey(bytes: Uint8Array, from: number): number {
  return (
    (bytes[from] as number) |
    ((bytes[from + 1] as number) << 8) |
    ((bytes[from + 2] as number) << 16) |
    ((bytes[from + 3] as number) << 24)
  );
}

/** Whole words: `to - from` bytes fit when they are rounded up to four. */
export function createUnmaskTarget(size: number): UnmaskTarget {
  const words = new Int32Array(Math.ceil(size / 4));
  return { words, bytes: new Uint8Array(words.buffer) };
}

export interface UnmaskTarget {
  words: Int32Array;
  /** The same memory. */
  bytes: Uint8Array;
}

/** Whether the machine's words begin with their lowest byte, as `FrameHeader.key` does. */
const IS_LITTLE_ENDIAN = new Uint8Array(Int32Array.of(1).buffer)[0] === 1;

/**
 * XORs `bytes[from, to)` with the key into `target` from index 0 on; `offset` is that of the first byte in the
 * frame's payload. By words, which is four times as fast as by bytes.
 */
export function unmask(
  bytes: Uint8Array,
  from: number,
  to: number,
  key: number,
  offset: number,
  target: UnmaskTarget,
): void {
  const shift = (offset & 3) * 8;
  const turned = shift === 0 ? key : (key >>> shift) | (key << (32 - shift));
  const word = IS_LITTLE_ENDIAN ? turned : swapped(turned);
  const { words } = target;
  target.bytes.set(bytes.subarray(from, to));
  const count = (to - from + 3) >> 2;
  for (let index = 0; index < count; index += 1) {
    words[index] = (words[index] as number) ^ word;
  }
}

function swapped(word: number): number {
  return (word >>> 24) | ((word >>> 8) & 0xff00) | ((word << 8) & 0xff0000) | ((word & 0xff) << 24);
}

/** The byte of the key that the payload byte at `offset` is masked with. */
export function keyByte(key: number, offset: number): number {
  return (key >>> ((offset & 3) * 8)) & 0xff;
}
