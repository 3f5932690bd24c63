/** Changes bytes at random: bits, numbers, pieces that move, repeat or come from other inputs, and known words. */
import type { Random } from '../support/model-server/random.ts';

const INTERESTING = [0, 1, 2, 16, 64, 100, 127, 128, 255, 256, 1000, 1024, 4096, 32_767, 32_768];
const INTERESTING_LARGE = [65_535, 65_536, 0xff_ffff, 0x100_0000, 0x7fff_ffff, 0x8000_0000];
const NUMBERS = [...INTERESTING, ...INTERESTING_LARGE, 0xffff_ffff];
const NUMBER_TEXTS = [
  '0',
  '-1',
  '00',
  '1e3',
  '65536',
  '4294967296',
  '9007199254740993',
  '0x10',
  'ff',
];

export interface Mutator {
  mutate(bytes: Uint8Array): Uint8Array;
}

export interface MutatorOptions {
  random: Random;
  maxBytes: number;
  words: readonly Uint8Array[];
  other(): Uint8Array;
}

export function createMutator({ random, maxBytes, words, other }: MutatorOptions): Mutator {
  const below = (count: number): number => random.uint32() % Math.max(1, count);
  const pick = <Item>(items: readonly Item[]): Item => items[below(items.length)] as Item;

  /** A stretch of the bytes, more often a short one. */
  function stretch(bytes: Uint8Array): { start: number; end: number } {
    const start = below(bytes.length);
    const longest = below(4) === 0 ? bytes.length : 16;
    const end = Math.min(bytes.length, start + 1 + below(longest));
    return { start, end };
  }

  function replace(bytes: Uint8Array, start: number, end: number, by: Uint8Array): Buffer {
    return Buffer.concat([bytes.subarray(0, start), by, bytes.subarray(end)]);
  }

  function writeNumber(bytes: Buffer): Buffer {
    const width = pick([1, 2, 3, 4] as const);
    if (bytes.length < width) {
      return bytes;
    }
    const at = below(bytes.length - width + 1);
    const value = pick(NUMBERS) % 2 ** (8 * width);
    if (below(2) === 0) {
      bytes.writeUIntBE(value, at, width);
    } else {
      bytes.writeUIntLE(value, at, width);
    }
    return bytes;
  }

  /** Another number in place of one that is written in digits. */
  function writeDigits(bytes: Buffer): Buffer {
    const text = bytes.toString('latin1');
    const found = [...text.matchAll(/[0-9a-fA-F]*\d[0-9a-fA-F]*/g)];
    const match = found.length > 0 ? pick(found) : undefined;
    if (match === undefined) {
      return bytes;
    }
    const value = Number.parseInt(match[0], pick([10, 16]));
    const texts = [...NUMBER_TEXTS, String(value + 1), String(value - 1), (value + 1).toString(16)];
    return replace(bytes, match.index, match.index + match[0].length, Buffer.from(pick(texts)));
  }

  function change(bytes: Buffer): Buffer {
    if (bytes.length === 0) {
      return words.length > 0 ? Buffer.from(pick(words)) : random.bytes(1 + below(8));
    }
    const { start, end } = stretch(bytes);
    switch (below(14)) {
      case 0:
        bytes[start] = (bytes[start] as number) ^ (1 << below(8));
        return bytes;
      case 1:
        bytes[start] = random.uint32() & 0xff;
        return bytes;
      case 2:
        bytes[start] = (bytes[start] as number) + pick([1, -1, 2, 16, -16]);
        return bytes;
      case 3:
        return writeNumber(bytes);
      case 4:
        return writeDigits(bytes);
      case 5:
        return replace(bytes, start, end, Buffer.alloc(0));
      case 6:
        return replace(bytes, start, start, random.bytes(1 + below(8)));
      case 7:
        // The same again, now and then very often.
        return replace(
          bytes,
          end,
          end,
          Buffer.concat(
            new Array(below(8) === 0 ? 1 + below(200) : 1).fill(bytes.subarray(start, end)),
          ),
        );
      case 8: {
        const at = below(bytes.length);
        return replace(bytes, at, at, Buffer.from(bytes.subarray(start, end)));
      }
      case 9: {
        const from = other();
        const piece = from.length > 0 ? stretch(from) : { start: 0, end: 0 };
        const isInsert = below(2) === 0;
        return replace(bytes, start, isInsert ? start : end, from.subarray(piece.start, piece.end));
      }
      case 10:
      case 11:
        return words.length > 0 ? replace(bytes, start, start, pick(words)) : bytes;
      case 12: {
        const word = words.length > 0 ? pick(words) : Buffer.alloc(0);
        return replace(bytes, start, Math.min(bytes.length, start + word.length), word);
      }
      default:
        // The beginning of one and the end of another.
        return Buffer.concat([bytes.subarray(0, start), other().subarray(below(other().length))]);
    }
  }

  return {
    mutate(input) {
      let bytes: Buffer = Buffer.from(input);
      const changes = 1 + below(below(3) === 0 ? 8 : 3);
      for (let index = 0; index < changes; index += 1) {
        bytes = change(bytes);
      }
      return bytes.subarray(0, maxBytes);
    },
  };
}
