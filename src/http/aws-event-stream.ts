/**
 * Messages of application/vnd.amazon.eventstream (Bedrock) from body bytes, split anywhere, both CRCs checked.
 * https://smithy.io/2.0/aws/amazon-eventstream.html
 *
 * Lengths are believed only under a valid prelude CRC, which also finds the next message behind damage: at any byte.
 */
import { crc32 } from 'node:zlib';
import { createRecordBuffer } from './record-buffer.ts';

export type AwsHeaderValue =
  | { type: 'boolean'; value: boolean }
  | { type: 'byte' | 'short' | 'integer'; value: number }
  | { type: 'long'; value: bigint }
  | { type: 'bytes'; value: Uint8Array }
  | { type: 'string'; value: string }
  /** Milliseconds since 1970-01-01. */
  | { type: 'timestamp'; value: bigint }
  /** Lower case, with hyphens. */
  | { type: 'uuid'; value: string };

export interface AwsMessage {
  /** In the order sent; of several with one name the last counts. */
  headers: ReadonlyMap<string, AwsHeaderValue>;
  /** Valid only during the call. */
  payload: Uint8Array;
}

export interface AwsEventStreamOptions {
  /** `timeNs` of the bytes that completed the message. */
  onMessage(message: AwsMessage, timeNs: bigint): void;
  /** A message was larger than `maxMessageBytes` and is read over; called once for it. */
  onLimit?(timeNs: bigint): void;
  /**
   * A CRC is wrong, or the headers of a message contradict themselves: that message is dropped. Called once for
   * each place where that is found, however much is read over until the next message.
   */
  onCorrupt?(timeNs: bigint): void;
  maxMessageBytes?: number;
}

/** A BodySink's shape, so that a decoder can be handed out as one. */
export interface AwsEventStreamDecoder {
  /** `bytes` are not referenced after the call. */
  data(bytes: Uint8Array, timeNs: bigint): void;
  /** Bytes are missing: what was begun of a message is dropped; goes on with the next whose prelude is valid. */
  gap(timeNs: bigint): void;
  /** The body is over. True to its framing it ends between messages: another end is corrupt if `complete`. */
  end(complete: boolean, timeNs: bigint): void;
}

/** The specification allows payloads of 24 MiB and headers of 128 KiB; services send far less. */
export const DEFAULT_MAX_MESSAGE_BYTES = 16_777_216;

const PRELUDE_BYTES = 12;
/** Prelude and the message's CRC. */
const OVERHEAD_BYTES = 16;
const MAX_TOTAL_BYTES = 2 ** 25;
const MAX_FIRST_BYTE = MAX_TOTAL_BYTES / 2 ** 24;

export function createAwsEventStreamDecoder(options: AwsEventStreamOptions): AwsEventStreamDecoder {
  const maxMessageBytes = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
  /** The message, prelude included, as far as it came. */
  const record = createRecordBuffer(maxMessageBytes);
  const prelude = Buffer.alloc(PRELUDE_BYTES);
  let preludeBytes = 0;
  /** Bytes of the message still to come; 0 while its prelude is read. */
  let remaining = 0;
  let isSkipped = false;
  /** Headers of the last message and their bytes: most messages of a stream have the same. */
  let knownHeaders: ReadonlyMap<string, AwsHeaderValue> | undefined;
  let knownHeaderBytes: Buffer = Buffer.alloc(0);
  /** Looking for a valid prelude. */
  let isSearching = false;
  let isEnded = false;

  /** Fills the prelude; returns the index behind what was used. */
  function readPrelude(bytes: Uint8Array, from: number, timeNs: bigint): number {
    let at = from;
    while (at < bytes.length) {
      prelude[preludeBytes] = bytes[at] as number;
      preludeBytes += 1;
      at += 1;
      if (preludeBytes < PRELUDE_BYTES) {
        continue;
      }
      if (isAwsPrelude(prelude)) {
        beginMessage(timeNs);
        return at;
      }
      if (!isSearching) {
        isSearching = true;
        options.onCorrupt?.(timeNs);
      }
      shiftPrelude();
    }
    return at;
  }

  /** Goes on to the next byte that may begin a prelude. */
  function shiftPrelude(): void {
    let from = 1;
    while (from < PRELUDE_BYTES && (prelude[from] as number) > MAX_FIRST_BYTE) {
      from += 1;
    }
    prelude.copyWithin(0, from);
    preludeBytes -= from;
  }

  function beginMessage(timeNs: bigint): void {
    isSearching = false;
    preludeBytes = 0;
    const totalBytes = prelude.readUInt32BE(0);
    remaining = totalBytes - PRELUDE_BYTES;
    isSkipped = totalBytes > maxMessageBytes;
    record.clear();
    if (isSkipped) {
      options.onLimit?.(timeNs);
    } else {
      record.append(prelude, 0, PRELUDE_BYTES);
    }
  }

  function readRest(bytes: Uint8Array, from: number, timeNs: bigint): number {
    const end = Math.min(bytes.length, from + remaining);
    remaining -= end - from;
    if (!isSkipped) {
      record.append(bytes, from, end);
      if (remaining === 0) {
        takeMessage(timeNs);
      }
    }
    return end;
  }

  function headersOf(bytes: Buffer): ReadonlyMap<string, AwsHeaderValue> | undefined {
    if (knownHeaders === undefined || !bytes.equals(knownHeaderBytes)) {
      knownHeaders = readHeaders(bytes);
      knownHeaderBytes = Buffer.from(bytes);
    }
    return knownHeaders;
  }

  function takeMessage(timeNs: bigint): void {
    const held = record.bytes();
    const message = Buffer.from(held.buffer, held.byteOffset, held.length);
    const crcAt = message.length - 4;
    const headersEnd = PRELUDE_BYTES + message.readUInt32BE(4);
    const isIntact =
      crc32(message.subarray(0, crcAt)) === message.readUInt32BE(crcAt) ||
      isMasked(message.subarray(headersEnd, crcAt));
    const headers = isIntact ? headersOf(message.subarray(PRELUDE_BYTES, headersEnd)) : undefined;
    if (headers === undefined) {
      options.onCorrupt?.(timeNs);
    } else {
      options.onMessage({ headers, payload: message.subarray(headersEnd, crcAt) }, timeNs);
    }
    record.clear();
  }

  return {
    data(bytes, timeNs) {
      let at = 0;
      while (at < bytes.length && !isEnded) {
        at = remaining > 0 ? readRest(bytes, at, timeNs) : readPrelude(bytes, at, timeNs);
      }
    },
    gap() {
      record.clear();
      remaining = 0;
      preludeBytes = 0;
      isSearching = true;
    },
    end(complete, timeNs) {
      if (!isEnded && complete && !isSearching && (remaining > 0 || preludeBytes > 0)) {
        options.onCorrupt?.(timeNs);
      }
      isEnded = true;
      record.clear();
    },
  };
}

/** A recorder wrote stars over a credential in it, perhaps in Base64, and the CRC is that of what was sent. */
function isMasked(payload: Buffer): boolean {
  if (payload.includes('*')) {
    return true;
  }
  const strings = payload.toString('latin1').matchAll(/"([A-Za-z0-9+/_-]{16,})={0,2}"/g);
  return [...strings].some(([, text = '']) => Buffer.from(text, 'base64').includes('*'));
}

/** Whether these 12 bytes begin a message: lengths that fit each other, and their CRC. */
export function isAwsPrelude(prelude: Buffer): boolean {
  const totalBytes = prelude.readUInt32BE(0);
  const headerBytes = prelude.readUInt32BE(4);
  return (
    totalBytes >= OVERHEAD_BYTES &&
    totalBytes <= MAX_TOTAL_BYTES &&
    headerBytes <= totalBytes - OVERHEAD_BYTES &&
    crc32(prelude.subarray(0, 8)) === prelude.readUInt32BE(8)
  );
}

/** Sizes of the values of the types 0 to 9; those of bytes and strings are written before them. */
const VALUE_BYTES = [0, 0, 1, 2, 4, 8, -1, -1, 8, 16] as const;

/** Undefined when a header goes beyond the end or has an unknown type. */
function readHeaders(bytes: Buffer): Map<string, AwsHeaderValue> | undefined {
  const headers = new Map<string, AwsHeaderValue>();
  let at = 0;
  while (at < bytes.length) {
    const nameEnd = at + 1 + bytes.readUInt8(at);
    if (nameEnd + 1 > bytes.length) {
      return undefined;
    }
    const name = bytes.toString('utf8', at + 1, nameEnd);
    const type = bytes.readUInt8(nameEnd);
    let start = nameEnd + 1;
    let size: number | undefined = VALUE_BYTES[type];
    if (size === -1) {
      if (start + 2 > bytes.length) {
        return undefined;
      }
      size = bytes.readUInt16BE(start);
      start += 2;
    }
    if (size === undefined || start + size > bytes.length) {
      return undefined;
    }
    headers.set(name, readValue(type, bytes.subarray(start, start + size)));
    at = start + size;
  }
  return headers;
}

/** https://smithy.io/2.0/aws/amazon-eventstream.html#headers: the number of each type. */
function readValue(type: number, bytes: Buffer): AwsHeaderValue {
  switch (type) {
    case 0:
    case 1:
      return { type: 'boolean', value: type === 0 };
    case 2:
      return { type: 'byte', value: bytes.readInt8(0) };
    case 3:
      return { type: 'short', value: bytes.readInt16BE(0) };
    case 4:
      return { type: 'integer', value: bytes.readInt32BE(0) };
    case 5:
      return { type: 'long', value: bytes.readBigInt64BE(0) };
    case 6:
      return { type: 'bytes', value: new Uint8Array(bytes) };
    case 7:
      return { type: 'string', value: bytes.toString('utf8') };
    case 8:
      return { type: 'timestamp', value: bytes.readBigInt64BE(0) };
    default:
      return { type: 'uuid', value: hyphenated(bytes.toString('hex')) };
  }
}

function hyphenated(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
