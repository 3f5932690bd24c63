/**
 * Huffman-coded literals.
 * RFC 8878 §4.2, https://www.rfc-editor.org/rfc/rfc8878#section-4.2
 */
import { BackwardBits } from './backward-bits.ts';
import { readFseTable } from './fse-table.ts';

export interface HuffmanTable {
  /** Longest code; the table has 2^maxBits entries. */
  maxBits: number;
  /** By the next `maxBits` bits: symbol × 16 + bits of its code. */
  entries: Uint16Array;
}

/** A table read, and the index after its description. */
export interface ReadHuffmanTable {
  table: HuffmanTable;
  next: number;
}

const MAX_CODE_BITS = 11;
const MAX_WEIGHTS = 255;
const MAX_WEIGHT_LOG = 6;
const weights = new Uint8Array(256);
const bitStream = new BackwardBits();

/** Undefined when the description is malformed. */
export function readHuffmanTable(
  bytes: Uint8Array,
  from: number,
  end: number,
): ReadHuffmanTable | undefined {
  if (from >= end) {
    return undefined;
  }
  const header = bytes[from] as number;
  const isDirect = header >= 128;
  const next = from + 1 + (isDirect ? (header - 126) >> 1 : header);
  if (next > end) {
    return undefined;
  }
  const count = isDirect
    ? readDirect(bytes, from + 1, header - 127)
    : readFse(bytes, from + 1, next);
  const table = count > 0 ? buildTable(count) : undefined;
  return table && { table, next };
}

function readDirect(bytes: Uint8Array, from: number, count: number): number {
  for (let index = 0; index < count; index += 1) {
    const byte = bytes[from + (index >> 1)] as number;
    weights[index] = index % 2 === 0 ? byte >> 4 : byte & 15;
  }
  return count;
}

/** Weights coded with two states in turn (§4.2.1.2). Returns how many; 0 when they are malformed. */
function readFse(bytes: Uint8Array, from: number, end: number): number {
  const read = readFseTable(bytes, from, end, MAX_WEIGHT_LOG, MAX_CODE_BITS);
  if (read === undefined || !bitStream.open(bytes, read.next, end)) {
    return 0;
  }
  const { log, symbols, bits, bases } = read.table;
  let state = bitStream.read(log);
  let other = bitStream.read(log);
  let count = 0;
  if (bitStream.left < 0) {
    return 0;
  }
  // The number of weights bounds this: a table of one symbol would give them for ever.
  while (count < MAX_WEIGHTS - 1) {
    weights[count] = symbols[state] as number;
    count += 1;
    const width = bits[state] as number;
    const next = (bases[state] as number) + bitStream.read(width);
    state = other;
    other = next;
    if (bitStream.left < 0) {
      weights[count] = symbols[state] as number;
      return count + 1;
    }
  }
  return 0;
}

/** The last weight is not written: the codes have to add up to a power of two (§4.2.1). */
function buildTable(count: number): HuffmanTable | undefined {
  let sum = 0;
  for (let index = 0; index < count; index += 1) {
    const weight = weights[index] as number;
    sum += weight === 0 ? 0 : 2 ** (weight - 1);
  }
  const maxBits = sum === 0 ? 0 : 32 - Math.clz32(sum);
  const size = 2 ** maxBits;
  const rest = size - sum;
  if (sum === 0 || maxBits > MAX_CODE_BITS || (rest & (rest - 1)) !== 0) {
    return undefined;
  }
  weights[count] = 32 - Math.clz32(rest);
  const entries = new Uint16Array(size);
  let place = 0;
  for (let weight = 1; weight <= maxBits; weight += 1) {
    const width = maxBits + 1 - weight;
    const span = 1 << (weight - 1);
    for (let symbol = 0; symbol <= count; symbol += 1) {
      if (weights[symbol] === weight) {
        entries.fill(symbol * 16 + width, place, place + span);
        place += span;
      }
    }
  }
  return place === size ? { maxBits, entries } : undefined;
}

/** Decodes one stream to fill `output[from, to)`. False when it does not do so exactly. */
export function decodeHuffman(
  bytes: Uint8Array,
  start: number,
  end: number,
  { maxBits, entries }: HuffmanTable,
  output: Uint8Array,
  from: number,
  to: number,
): boolean {
  if (!bitStream.open(bytes, start, end)) {
    return false;
  }
  let { left } = bitStream;
  for (let index = from; index < to; index += 1) {
    const entry = entries[bitStream.peekAt(left - maxBits, maxBits)] as number;
    output[index] = entry >> 4;
    left -= entry & 15;
  }
  return left === 0;
}
