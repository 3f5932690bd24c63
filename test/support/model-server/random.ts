/** Numbers, bytes and text drawn from a seed, so that every run of a test sees the same traffic. */
import { createHash } from 'node:crypto';

export interface Random {
  /** The next unsigned 32-bit number. */
  uint32(): number;
  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number;
  bytes(length: number): Buffer;
  /** Text of exactly `bytes` bytes of UTF-8, full of what text-based parsers stumble over. */
  text(bytes: number): string;
  /** `length` characters out of letters and digits, as providers have them in their ids. */
  token(length: number): string;
}

/** Things that look like framing, escapes and multi-byte characters, between ordinary words. */
const WORDS = [
  'the',
  'model',
  'answers',
  'with',
  'a',
  'sentence',
  'naïve',
  'größer',
  '東京',
  '🚀',
  '"quoted"',
  'back\\slash',
  'tab\there',
  'line\nbreak',
  'cr\r\nlf',
  'data: [DONE]',
  'event: ping',
  '\n\ndata: {}\n\n',
  'HTTP/1.1 200 OK',
  '0\r\n\r\n',
  '{"usage":null}',
  '\u2028',
  '\u0007',
];

const TOKEN_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** A 32-bit seed out of any text. */
export function seedOf(...parts: readonly (string | number)[]): number {
  return createHash('sha256').update(parts.join('\u0000')).digest().readUInt32LE(0);
}

/** The generator is mulberry32: one multiplication chain a number, good enough for test data, and quick. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;

  function uint32(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  function int(min: number, max: number): number {
    return min + (uint32() % (max - min + 1));
  }

  function bytes(length: number): Buffer {
    const words = new Uint32Array(Math.ceil(length / 4));
    for (let index = 0; index < words.length; index += 1) {
      words[index] = uint32();
    }
    return Buffer.from(words.buffer, 0, length);
  }

  function text(byteLength: number): string {
    const pieces: string[] = [];
    let used = 0;
    for (;;) {
      const word = `${WORDS[int(0, WORDS.length - 1)]!} `;
      const size = Buffer.byteLength(word);
      if (used + size > byteLength) {
        break;
      }
      pieces.push(word);
      used += size;
    }
    pieces.push('.'.repeat(byteLength - used));
    return pieces.join('');
  }

  function token(length: number): string {
    let out = '';
    while (out.length < length) {
      out += TOKEN_CHARACTERS[int(0, TOKEN_CHARACTERS.length - 1)]!;
    }
    return out;
  }

  return { uint32, int, bytes, text, token };
}

/** The body that `/bytes/LENGTH?seed=SEED` answers with, before any content encoding. */
export function seededBytes(seed: number, length: number): Buffer {
  return createRandom(seed).bytes(length);
}
