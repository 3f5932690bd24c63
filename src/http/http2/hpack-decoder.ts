/**
 * Decodes header blocks of one direction.
 * RFC 7541 §3, §5, §6, https://www.rfc-editor.org/rfc/rfc7541
 *
 * It goes on where a decoder of an endpoint would close the connection, as far as the block's own structure
 * shows where the next field begins: a reference to nothing known costs one field, not the block.
 */

import { maskPlaces, type SecretPlace } from '../../util/key-shapes.ts';
import { latin1Text } from '../latin1.ts';
import { ENTRY_OVERHEAD_BYTES, HpackTable } from './hpack-table.ts';
import { decodeHuffman } from './huffman.ts';
import { maskHuffman } from './huffman-mask.ts';

export interface HpackEvents {
  /** A field in order; `undefined` for what refers to entries never seen, or cannot be decoded. */
  field(name: string | undefined, value: string | undefined): void;
  /**
   * Bytes `[offset, offset + length)` of the block hold a credential. `replacement` has as many bytes and keeps
   * the block decodable; without it the bytes are literal text, and any will do.
   */
  secret(offset: number, length: number, replacement: Uint8Array | undefined): void;
}

/** `broken`: the rest of the block was not read, and the table no longer follows the encoder's. */
export type BlockOutcome = 'ok' | 'error' | 'broken';

export interface HpackDecoder {
  readonly table: HpackTable;
  decode(block: Uint8Array, events: HpackEvents): BlockOutcome;
}

/** Integers of more bytes are refused: 2^28 is beyond every limit here (§5.1). */
const MAX_INTEGER_BYTES = 5;
const ASTERISK = 0x2a;

/** `secretsOf` gives the places of credentials in a field's value. */
export function createHpackDecoder(
  limitBytes: number,
  secretsOf: (name: string, value: string) => SecretPlace[],
  isSecretName: (name: string) => boolean,
): HpackDecoder {
  const table = new HpackTable(limitBytes);
  let block: Uint8Array = new Uint8Array(0);
  let at = 0;
  let hasError = false;
  /** The string just read: its bytes in the block, and whether they are Huffman-coded. */
  let stringStart = 0;
  let isHuffman = false;

  /** The integer with a prefix of `bits` bits at `at` (§5.1); -1 when it does not end or is too large. */
  function readInteger(bits: number): number {
    const mask = (1 << bits) - 1;
    let value = (block[at] as number) & mask;
    at += 1;
    if (value < mask) {
      return value;
    }
    for (let count = 0; count < MAX_INTEGER_BYTES; count += 1) {
      if (at >= block.length) {
        return -1;
      }
      const byte = block[at] as number;
      at += 1;
      value += (byte & 0x7f) * 2 ** (7 * count);
      if (byte < 0x80) {
        return value;
      }
    }
    return -1;
  }

  /** The string at `at` (§5.2): undefined when it is undecodable, `false` when it runs beyond the block. */
  function readString(): string | undefined | false {
    if (at >= block.length) {
      return false;
    }
    isHuffman = (block[at] as number) >= 0x80;
    const length = readInteger(7);
    if (length < 0 || at + length > block.length) {
      return false;
    }
    stringStart = at;
    at += length;
    return isHuffman ? decodeHuffman(block, stringStart, at) : latin1Text(block, stringStart, at);
  }

  /** A field whose value, and perhaps name, is in the block (§6.2). False when the block is broken. */
  function readLiteral(bits: number, isAdded: boolean, events: HpackEvents): boolean {
    const index = readInteger(bits);
    if (index < 0) {
      return false;
    }
    let name: string | undefined;
    let nameBytes = 0;
    if (index === 0) {
      const read = readString();
      if (read === false) {
        return false;
      }
      name = read;
      nameBytes = at - stringStart;
      if (name === undefined) {
        hasError = true;
        events.secret(stringStart, nameBytes, undefined);
      }
    } else {
      const found = table.get(index);
      if (found === 'invalid') {
        hasError = true;
      }
      name = typeof found === 'string' ? undefined : found.name;
    }
    const read = readString();
    if (read === false) {
      return false;
    }
    const size = (name?.length ?? nameBytes) + (read ?? '').length + ENTRY_OVERHEAD_BYTES;
    const value = judgeValue(name, read, events);
    if (isAdded) {
      table.add({ name, value, size });
    }
    events.field(name, value);
    return true;
  }

  /** The value with its credentials masked, and their places reported. */
  function judgeValue(
    name: string | undefined,
    value: string | undefined,
    events: HpackEvents,
  ): string | undefined {
    const length = at - stringStart;
    if (name === undefined) {
      // Without its name it may be anything.
      reportWhole(value, length, events);
      return undefined;
    }
    if (value === undefined) {
      if (isSecretName(name) && isMasked(stringStart, at)) {
        return '*'.repeat(length);
      }
      hasError = true;
      events.secret(stringStart, length, undefined);
      return undefined;
    }
    const places = secretsOf(name, value);
    if (places.length === 0) {
      return value;
    }
    if (isHuffman) {
      const masked = maskHuffman(value, places, length);
      events.secret(stringStart, length, masked.bytes);
      // As a replay of the masked bytes shows it: there may be fewer characters now.
      return maskPlaces(masked.text, secretsOf(name, masked.text));
    }
    for (const place of places) {
      events.secret(stringStart + place.index, place.length, undefined);
    }
    return maskPlaces(value, places);
  }

  function reportWhole(value: string | undefined, length: number, events: HpackEvents): void {
    if (isHuffman && value !== undefined) {
      const whole = [{ index: 0, length: value.length }];
      events.secret(stringStart, length, maskHuffman(value, whole, length).bytes);
    } else {
      events.secret(stringStart, length, undefined);
    }
  }

  /** Bytes that a recorder wrote over without regard to their code. */
  function isMasked(start: number, end: number): boolean {
    for (let index = start; index < end; index += 1) {
      if (block[index] !== ASTERISK) {
        return false;
      }
    }
    return end > start;
  }

  function readIndexed(events: HpackEvents): boolean {
    const index = readInteger(7);
    if (index < 0) {
      return false;
    }
    const found = table.get(index);
    if (typeof found === 'string') {
      hasError ||= found === 'invalid';
      events.field(undefined, undefined);
    } else {
      events.field(found.name, found.value);
    }
    return true;
  }

  function readSizeUpdate(): boolean {
    const size = readInteger(5);
    if (size >= 0) {
      table.resize(size);
    }
    return size >= 0;
  }

  function readField(events: HpackEvents): boolean {
    const byte = block[at] as number;
    if (byte >= 0x80) {
      return readIndexed(events);
    }
    if (byte >= 0x40) {
      return readLiteral(6, true, events);
    }
    if (byte >= 0x20) {
      return readSizeUpdate();
    }
    return readLiteral(4, false, events);
  }

  return {
    table,
    decode(bytes, events) {
      block = bytes;
      at = 0;
      hasError = false;
      while (at < block.length) {
        const start = at;
        if (!readField(events)) {
          events.secret(start, block.length - start, undefined);
          table.forget();
          return 'broken';
        }
      }
      return hasError ? 'error' : 'ok';
    },
  };
}
