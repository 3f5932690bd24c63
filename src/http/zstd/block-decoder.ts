/**
 * Compressed blocks of a zstd frame: literals, and sequences that say how to put them together with what came
 * before.
 * RFC 8878 §3.1.1.3, https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1.3
 */
import { BackwardBits } from './backward-bits.ts';
import { buildFseTable, type FseTable, readFseTable, singleSymbolTable } from './fse-table.ts';
import { decodeHuffman, type HuffmanTable, readHuffmanTable } from './huffman-table.ts';

export const MAX_BLOCK_BYTES = 131_072;

/** What later blocks of a frame may refer to. */
export interface FrameState {
  huffman: HuffmanTable | undefined;
  literalLengths: FseTable | undefined;
  offsets: FseTable | undefined;
  matchLengths: FseTable | undefined;
  /** The last three offsets, the latest first. */
  repeats: [number, number, number];
}

export function createFrameState(): FrameState {
  return {
    huffman: undefined,
    literalLengths: undefined,
    offsets: undefined,
    matchLengths: undefined,
    repeats: [1, 4, 8],
  };
}

/** Codes of literal lengths and match lengths: least value, and bits to add (§3.1.1.3.2.1.1). */
const LITERAL_EXTRA = [
  ...new Array(16).fill(0),
  1,
  1,
  1,
  1,
  2,
  2,
  3,
  3,
  4,
  6,
  7,
  8,
  9,
  10,
  11,
  12,
  13,
  14,
  15,
  16,
] as number[];
const MATCH_EXTRA = [
  ...new Array(32).fill(0),
  1,
  1,
  1,
  1,
  2,
  2,
  3,
  3,
  4,
  4,
  5,
  7,
  8,
  9,
  10,
  11,
  12,
  13,
  14,
  15,
  16,
] as number[];
const LITERAL_BASES = basesOf(LITERAL_EXTRA, 0);
const MATCH_BASES = basesOf(MATCH_EXTRA, 3);

function basesOf(extra: readonly number[], first: number): number[] {
  let base = first;
  return extra.map((bits) => {
    const own = base;
    base += 1 << bits;
    return own;
  });
}

/** The distributions where a block brings none (§3.1.1.3.2.2). */
const DEFAULT_LITERAL_LENGTHS = buildFseTable(
  [
    4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1,
    -1, -1, -1, -1,
  ],
  6,
);
const DEFAULT_MATCH_LENGTHS = buildFseTable(
  [
    1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
  ],
  6,
);
const DEFAULT_OFFSETS = buildFseTable(
  [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1],
  5,
);
/** No window that is accepted needs a larger one. */
const MAX_OFFSET_CODE = 24;

const literals = new Uint8Array(MAX_BLOCK_BYTES);
const bits = new BackwardBits();

/** Where the literals of the block being read ended, and how many they are. */
let literalsEnd = 0;
let literalBytes = 0;

/**
 * Decodes the block `bytes[from, end)` to `output` from `at` on, which has room for `maxBytes`. What may be
 * referred to begins at `historyStart`. Returns the index after what was written; -1 when the block is corrupt.
 */
export function decodeBlock(
  bytes: Uint8Array,
  from: number,
  end: number,
  state: FrameState,
  output: Uint8Array,
  at: number,
  historyStart: number,
  maxBytes: number,
): number {
  if (!readLiterals(bytes, from, end, state, maxBytes)) {
    return -1;
  }
  let index = literalsEnd;
  if (index >= end) {
    return -1;
  }
  let sequences = bytes[index] as number;
  index += 1;
  if (sequences >= 128) {
    const isLong = sequences === 255;
    sequences = isLong
      ? (bytes[index] as number) + (bytes[index + 1] as number) * 256 + 0x7f00
      : (sequences - 128) * 256 + (bytes[index] as number);
    index += isLong ? 2 : 1;
  }
  if (index > end) {
    return -1;
  }
  if (sequences === 0) {
    return index === end ? writeLiterals(output, at, 0, at + maxBytes) : -1;
  }
  index = readTables(bytes, index, end, state);
  if (index < 0 || !bits.open(bytes, index, end)) {
    return -1;
  }
  return execute(sequences, state, output, at, historyStart, at + maxBytes);
}

// ---- literals ------------------------------------------------------------------------------------------------

/** §3.1.1.3.1. Sets `literalsEnd` and `literalBytes`. */
function readLiterals(
  bytes: Uint8Array,
  from: number,
  end: number,
  state: FrameState,
  maxBytes: number,
): boolean {
  if (from >= end) {
    return false;
  }
  const first = bytes[from] as number;
  const type = first & 3;
  const format = (first >> 2) & 3;
  return type < 2
    ? readPlainLiterals(bytes, from, end, type === 1, format, maxBytes)
    : readCompressedLiterals(bytes, from, end, type === 2, format, state, maxBytes);
}

function readPlainLiterals(
  bytes: Uint8Array,
  from: number,
  end: number,
  isRun: boolean,
  format: number,
  maxBytes: number,
): boolean {
  const headerBytes = format === 1 ? 2 : format === 3 ? 3 : 1;
  let header = 0;
  for (let index = headerBytes - 1; index >= 0; index -= 1) {
    header = header * 256 + (bytes[from + index] as number);
  }
  const start = from + headerBytes;
  literalBytes = headerBytes === 1 ? header >> 3 : header >> 4;
  literalsEnd = start + (isRun ? 1 : literalBytes);
  if (literalsEnd > end || literalBytes > maxBytes) {
    return false;
  }
  if (isRun) {
    literals.fill(bytes[start] as number, 0, literalBytes);
  } else {
    literals.set(bytes.subarray(start, literalsEnd));
  }
  return true;
}

function readCompressedLiterals(
  bytes: Uint8Array,
  from: number,
  end: number,
  bringsTable: boolean,
  format: number,
  state: FrameState,
  maxBytes: number,
): boolean {
  const headerBytes = format < 2 ? 3 : format + 2;
  const sizeBits = format < 2 ? 10 : format === 2 ? 14 : 18;
  let start = from + headerBytes;
  if (start > end) {
    return false;
  }
  // Up to 40 bits: beyond what bit operations hold.
  let header = 0;
  for (let index = headerBytes - 1; index >= 0; index -= 1) {
    header = header * 256 + (bytes[from + index] as number);
  }
  header = Math.floor(header / 16);
  const size = 2 ** sizeBits;
  literalBytes = header % size;
  literalsEnd = start + Math.floor(header / size);
  if (literalsEnd > end || literalBytes > maxBytes) {
    return false;
  }
  if (bringsTable) {
    const read = readHuffmanTable(bytes, start, literalsEnd);
    if (read === undefined) {
      return false;
    }
    state.huffman = read.table;
    start = read.next;
  }
  const { huffman } = state;
  if (huffman === undefined) {
    return false;
  }
  return format === 0
    ? decodeHuffman(bytes, start, literalsEnd, huffman, literals, 0, literalBytes)
    : decodeFourStreams(bytes, start, huffman);
}

function decodeFourStreams(bytes: Uint8Array, jumps: number, huffman: HuffmanTable): boolean {
  const quarter = (literalBytes + 3) >> 2;
  let start = jumps + 6;
  if (start > literalsEnd || quarter * 3 > literalBytes) {
    return false;
  }
  for (let stream = 0; stream < 4; stream += 1) {
    const at = jumps + stream * 2;
    const isLast = stream === 3;
    const end = isLast
      ? literalsEnd
      : start + (bytes[at] as number) + (bytes[at + 1] as number) * 256;
    const to = isLast ? literalBytes : quarter * (stream + 1);
    if (
      end > literalsEnd ||
      !decodeHuffman(bytes, start, end, huffman, literals, quarter * stream, to)
    ) {
      return false;
    }
    start = end;
  }
  return true;
}

function writeLiterals(output: Uint8Array, at: number, from: number, limit: number): number {
  const size = literalBytes - from;
  if (at + size > limit) {
    return -1;
  }
  output.set(literals.subarray(from, literalBytes), at);
  return at + size;
}

// ---- sequences -----------------------------------------------------------------------------------------------

/** Where the description of the table read last ended. */
let tableEnd = 0;

/** §3.1.1.3.2.1. Returns the index after the tables; -1 when one is malformed. */
function readTables(bytes: Uint8Array, from: number, end: number, state: FrameState): number {
  if (from >= end) {
    return -1;
  }
  const modes = bytes[from] as number;
  tableEnd = from + 1;
  const read = (
    mode: number,
    previous: FseTable | undefined,
    standard: FseTable,
    maxLog: number,
    maxSymbol: number,
  ): FseTable | undefined => readTable(bytes, end, mode, previous, standard, maxLog, maxSymbol);
  state.literalLengths = read(modes >> 6, state.literalLengths, DEFAULT_LITERAL_LENGTHS, 9, 35);
  state.offsets =
    state.literalLengths && read((modes >> 4) & 3, state.offsets, DEFAULT_OFFSETS, 8, 31);
  state.matchLengths =
    state.offsets && read((modes >> 2) & 3, state.matchLengths, DEFAULT_MATCH_LENGTHS, 9, 52);
  return state.matchLengths === undefined || (modes & 3) !== 0 ? -1 : tableEnd;
}

function readTable(
  bytes: Uint8Array,
  end: number,
  mode: number,
  previous: FseTable | undefined,
  standard: FseTable,
  maxLog: number,
  maxSymbol: number,
): FseTable | undefined {
  if (mode === 0) {
    return standard;
  }
  if (mode === 3) {
    return previous;
  }
  if (mode === 1) {
    const symbol = bytes[tableEnd] as number;
    tableEnd += 1;
    return tableEnd > end || symbol > maxSymbol ? undefined : singleSymbolTable(symbol);
  }
  const read = readFseTable(bytes, tableEnd, end, maxLog, maxSymbol);
  tableEnd = read?.next ?? end;
  return read?.table;
}

/** §3.1.1.4. The offset that a value stands for, and the history of offsets; 0 when there is none. */
function offsetOf(value: number, literalLength: number, repeats: FrameState['repeats']): number {
  const [first, second, third] = repeats;
  if (value > 3) {
    repeats[2] = second;
    repeats[1] = first;
    repeats[0] = value - 3;
    return value - 3;
  }
  const which = value - (literalLength === 0 ? 0 : 1);
  if (which === 0) {
    return first;
  }
  const offset = which === 1 ? second : which === 2 ? third : first - 1;
  if (which > 1) {
    repeats[2] = second;
  }
  repeats[1] = first;
  repeats[0] = offset;
  return offset;
}

function execute(
  sequences: number,
  state: FrameState,
  output: Uint8Array,
  start: number,
  historyStart: number,
  limit: number,
): number {
  const lengths = state.literalLengths as FseTable;
  const offsets = state.offsets as FseTable;
  const matches = state.matchLengths as FseTable;
  let lengthState = bits.read(lengths.log);
  let offsetState = bits.read(offsets.log);
  let matchState = bits.read(matches.log);
  let at = start;
  let literal = 0;
  for (let left = sequences; left > 0; left -= 1) {
    const offsetCode = offsets.symbols[offsetState] as number;
    if (offsetCode > MAX_OFFSET_CODE) {
      return -1;
    }
    const value = (1 << offsetCode) + bits.read(offsetCode);
    const matchCode = matches.symbols[matchState] as number;
    const matchLength =
      (MATCH_BASES[matchCode] as number) + bits.read(MATCH_EXTRA[matchCode] as number);
    const lengthCode = lengths.symbols[lengthState] as number;
    const literalLength =
      (LITERAL_BASES[lengthCode] as number) + bits.read(LITERAL_EXTRA[lengthCode] as number);
    if (left > 1) {
      lengthState =
        (lengths.bases[lengthState] as number) + bits.read(lengths.bits[lengthState] as number);
      matchState =
        (matches.bases[matchState] as number) + bits.read(matches.bits[matchState] as number);
      offsetState =
        (offsets.bases[offsetState] as number) + bits.read(offsets.bits[offsetState] as number);
    }
    const offset = offsetOf(value, literalLength, state.repeats);
    const matchStart = at + literalLength - offset;
    if (
      bits.left < 0 ||
      literal + literalLength > literalBytes ||
      at + literalLength + matchLength > limit ||
      offset <= 0 ||
      matchStart < historyStart
    ) {
      return -1;
    }
    for (const end = literal + literalLength; literal < end; literal += 1) {
      output[at] = literals[literal] as number;
      at += 1;
    }
    copyMatch(output, matchStart, at, matchLength);
    at += matchLength;
  }
  return bits.left === 0 ? writeLiterals(output, at, literal, limit) : -1;
}

/** A match may overlap what it writes: then it repeats. */
function copyMatch(output: Uint8Array, from: number, to: number, length: number): void {
  if (length > 32 && to - from >= length) {
    output.copyWithin(to, from, from + length);
    return;
  }
  for (let index = 0; index < length; index += 1) {
    output[to + index] = output[from + index] as number;
  }
}
