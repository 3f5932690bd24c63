/**
 * Writes asterisks over a part of a Huffman-coded string so that it stays one, bit for bit as long as it was.
 *
 * `*` has a code of eight bits. What a secret's length in bits leaves over is filled with codes of five to seven.
 */
import type { SecretPlace } from '../../util/key-shapes.ts';
import { HUFFMAN_CODES, HUFFMAN_LENGTHS } from './huffman-code.ts';

const ASTERISK = 0x2a;
const FIVE_BITS = 0x30;
const SIX_BITS = 0x2e;
const SEVEN_BITS = 0x3a;

export interface MaskedString {
  /** What the string decodes to now. */
  text: string;
  /** Its code: as many bytes as before. */
  bytes: Uint8Array;
}

/** `text` is what `encodedBytes` bytes decode to, latin1. */
export function maskHuffman(
  text: string,
  places: readonly SecretPlace[],
  encodedBytes: number,
): MaskedString {
  const isSecret = secretUnits(text, places);
  const writer = createBitWriter(encodedBytes);
  let masked = '';
  let index = 0;
  while (index < text.length) {
    if (isSecret[index] === 0) {
      writer.write(text.charCodeAt(index));
      masked += text.charAt(index);
      index += 1;
      continue;
    }
    let bits = 0;
    while (index < text.length && isSecret[index] === 1) {
      bits += HUFFMAN_LENGTHS[text.charCodeAt(index)] as number;
      index += 1;
    }
    for (const symbol of fillBits(bits)) {
      writer.write(symbol);
      masked += String.fromCharCode(symbol);
    }
  }
  return { text: masked, bytes: writer.finish() };
}

function secretUnits(text: string, places: readonly SecretPlace[]): Uint8Array {
  const units = new Uint8Array(text.length);
  for (const { index, length } of places) {
    units.fill(1, index, index + length);
  }
  return units;
}

/** Symbols whose codes have `bits` bits together; that is a sum of code lengths, so there always are some. */
function fillBits(bits: number): number[] {
  const rest = restSymbols(bits % 8);
  const restBits = rest.reduce((sum, symbol) => sum + (HUFFMAN_LENGTHS[symbol] as number), 0);
  const asterisks = new Array<number>(Math.max(0, bits - restBits) / 8).fill(ASTERISK);
  return [...asterisks, ...rest];
}

function restSymbols(rest: number): number[] {
  switch (rest) {
    case 1:
      return [FIVE_BITS, SIX_BITS, SIX_BITS];
    case 2:
      return [FIVE_BITS, FIVE_BITS];
    case 3:
      return [FIVE_BITS, SIX_BITS];
    case 4:
      return [SIX_BITS, SIX_BITS];
    case 5:
      return [FIVE_BITS];
    case 6:
      return [SIX_BITS];
    case 7:
      return [SEVEN_BITS];
    default:
      return [];
  }
}

interface BitWriter {
  write(symbol: number): void;
  /** The rest of the last byte is filled with ones (RFC 7541 §5.2). */
  finish(): Uint8Array;
}

function createBitWriter(byteLength: number): BitWriter {
  const bytes = new Uint8Array(byteLength).fill(0xff);
  let position = 0;
  return {
    write(symbol) {
      const code = HUFFMAN_CODES[symbol] as number;
      for (let bit = (HUFFMAN_LENGTHS[symbol] as number) - 1; bit >= 0; bit -= 1) {
        if (((code >>> bit) & 1) === 0) {
          const index = position >>> 3;
          bytes[index] = (bytes[index] as number) & ~(0x80 >>> (position & 7));
        }
        position += 1;
      }
    },
    finish: () => bytes,
  };
}
