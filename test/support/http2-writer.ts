/** HTTP/2 frames and header blocks for tests, written here independently of the code under test. */

import { STATIC_TABLE } from '../../src/http/http2/hpack-static-table.ts';
import { HUFFMAN_CODES, HUFFMAN_LENGTHS } from '../../src/http/http2/huffman-code.ts';

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

const TYPES = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;
export const PRIORITY = 0x20;

/** One frame, as told: nothing is checked. */
export function frame(
  type: keyof typeof TYPES | number,
  flags: number,
  streamId: number,
  payload: Uint8Array | string = '',
): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = typeof type === 'number' ? type : TYPES[type];
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, bytes]);
}

/** A payload with its pad length before and its padding after. */
export function padded(payload: Uint8Array | string, padding: number): Buffer {
  return Buffer.concat([
    Buffer.from([padding]),
    typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload,
    Buffer.alloc(padding),
  ]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function settings(values: readonly [id: number, value: number][] = []): Buffer {
  const payload = Buffer.alloc(values.length * 6);
  values.forEach(([id, value], index) => {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  });
  return frame('SETTINGS', 0, 0, payload);
}

/** RFC 7541 §5.1. */
export function integer(value: number, prefixBits: number, front: number): Buffer {
  const max = (1 << prefixBits) - 1;
  if (value < max) {
    return Buffer.from([front | value]);
  }
  const bytes = [front | max];
  let rest = value - max;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** RFC 7541 §5.2, by bits in a text: slow, and plain to see. */
export function huffman(text: string): Buffer {
  let bits = '';
  for (const byte of Buffer.from(text, 'latin1')) {
    bits += (HUFFMAN_CODES[byte] as number)
      .toString(2)
      .padStart(HUFFMAN_LENGTHS[byte] as number, '0');
  }
  bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, '1');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

export function text(value: string, isHuffman = false): Buffer {
  const bytes = isHuffman ? huffman(value) : Buffer.from(value, 'latin1');
  return Buffer.concat([integer(bytes.length, 7, isHuffman ? 0x80 : 0), bytes]);
}

export type Field = readonly [name: string, value: string];

/** How a field may be written. */
export type FieldForm = 'indexed' | 'added' | 'plain' | 'never';

/**
 * Encodes fields as an endpoint with a dynamic table of its own does. One encoder per direction: its blocks must
 * be used in the order in which they were made.
 */
export class TestEncoder {
  private dynamic: Field[] = [];
  maxBytes = 4096;

  /** Changes the table's size, and gives the bytes that say so (RFC 7541 §6.3). */
  resize(maxBytes: number): Buffer {
    this.maxBytes = maxBytes;
    this.evict();
    return integer(maxBytes, 5, 0x20);
  }

  private size(): number {
    return this.dynamic.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
  }

  private evict(): void {
    while (this.size() > this.maxBytes) {
      this.dynamic.pop();
    }
  }

  private find(name: string, value?: string): number {
    const matches = ([otherName, otherValue]: Field): boolean =>
      otherName === name && (value === undefined || otherValue === value);
    const known = STATIC_TABLE.findIndex(matches);
    if (known >= 0) {
      return known + 1;
    }
    const added = this.dynamic.findIndex(matches);
    return added < 0 ? 0 : STATIC_TABLE.length + 1 + added;
  }

  field([name, value]: Field, form: FieldForm = 'indexed', isHuffman = false): Buffer {
    const index = this.find(name, value);
    if (form === 'indexed' && index > 0) {
      return integer(index, 7, 0x80);
    }
    const isAdded = form === 'indexed' || form === 'added';
    const nameIndex = this.find(name);
    const [bits, front] = isAdded ? [6, 0x40] : [4, form === 'never' ? 0x10 : 0];
    const head = integer(nameIndex, bits as number, front as number);
    const block = Buffer.concat([
      head,
      nameIndex === 0 ? text(name, isHuffman) : Buffer.alloc(0),
      text(value, isHuffman),
    ]);
    if (isAdded) {
      this.dynamic.unshift([name, value]);
      this.evict();
    }
    return block;
  }

  block(fields: readonly Field[], form: FieldForm = 'indexed', isHuffman = true): Buffer {
    return Buffer.concat(fields.map((field) => this.field(field, form, isHuffman)));
  }
}

/** A block in one HEADERS frame, or cut into CONTINUATION frames of `cut` bytes. */
export function headers(
  streamId: number,
  block: Uint8Array,
  flags = 0,
  cut = Number.MAX_SAFE_INTEGER,
): Buffer {
  if (block.length <= cut) {
    return frame('HEADERS', flags | END_HEADERS, streamId, block);
  }
  const parts = [frame('HEADERS', flags, streamId, block.subarray(0, cut))];
  for (let at = cut; at < block.length; at += cut) {
    const isLast = at + cut >= block.length;
    const part = block.subarray(at, at + cut);
    parts.push(frame('CONTINUATION', isLast ? END_HEADERS : 0, streamId, part));
  }
  return Buffer.concat(parts);
}

export function requestFields(path: string, more: readonly Field[] = [], method = 'POST'): Field[] {
  return [
    [':method', method],
    [':scheme', 'https'],
    [':authority', 'h.example'],
    [':path', path],
    ...more,
  ];
}
