/**
 * A digest of text that does not depend on how the text came in pieces: it can be fed by character, by piece or
 * by the digest of a piece. Two polynomial hashes modulo 2^32 over UTF-16 code units; for recognising equal
 * text, not for security.
 */

/** Odd, so that they are invertible modulo 2^32; otherwise arbitrary (from the Weyl and PCG generators). */
const FACTOR_A = 0x9e3779b1;
const FACTOR_B = 0x2c9277b5;

export class TextDigest {
  #a = 0;
  #b = 0;
  #chars = 0;

  /** UTF-16 code units so far. */
  get chars(): number {
    return this.#chars;
  }

  append(text: string): this {
    let a = this.#a;
    let b = this.#b;
    const length = text.length;
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index) + 1;
      a = (Math.imul(a, FACTOR_A) + code) | 0;
      b = (Math.imul(b, FACTOR_B) + code) | 0;
    }
    this.#a = a;
    this.#b = b;
    this.#chars += length;
    return this;
  }

  /** As if the text behind `other` were appended. */
  appendDigest(other: TextDigest): this {
    this.#a = (Math.imul(this.#a, power(FACTOR_A, other.#chars)) + other.#a) | 0;
    this.#b = (Math.imul(this.#b, power(FACTOR_B, other.#chars)) + other.#b) | 0;
    this.#chars += other.#chars;
    return this;
  }

  /** First half of the digest, an unsigned 32-bit number. */
  get high(): number {
    return scramble(this.#a ^ Math.imul(this.#chars, FACTOR_B));
  }

  /** Second half of the digest, an unsigned 32-bit number. */
  get low(): number {
    return scramble(this.#b + Math.imul(this.#chars, FACTOR_A));
  }

  /** 16 lower-case hexadecimal digits. */
  hex(): string {
    return this.high.toString(16).padStart(8, '0') + this.low.toString(16).padStart(8, '0');
  }
}

/** The digest of one text. */
export function digestText(text: string): TextDigest {
  return new TextDigest().append(text);
}

/** `base` to the power of `exponent`, modulo 2^32. */
function power(base: number, exponent: number): number {
  let result = 1;
  let square = base | 0;
  let rest = exponent;
  while (rest > 0) {
    if (rest % 2 === 1) {
      result = Math.imul(result, square);
    }
    square = Math.imul(square, square);
    rest = Math.floor(rest / 2);
  }
  return result;
}

/** MurmurHash3's finaliser: makes every input bit count in every output bit. */
function scramble(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
