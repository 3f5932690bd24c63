/**
 * A bit stream that is read from its end.
 * RFC 8878 §4.1, §4.2.2, https://www.rfc-editor.org/rfc/rfc8878#section-4.2.2
 */

export class BackwardBits {
  #bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  /** Bits not read yet; negative once more was read than there is (as zeros). */
  left = 0;

  /** False when the last byte, whose highest set bit ends the stream, is zero or missing. */
  open(bytes: Uint8Array, from: number, end: number): boolean {
    const last = end > from ? (bytes[end - 1] as number) : 0;
    this.#bytes = bytes;
    this.#start = from;
    this.left = (end - from) * 8 - (Math.clz32(last) - 24) - 1;
    return last !== 0;
  }

  /** The next `count` bits, 0 to 24, as a number; beyond the beginning there are zeros. */
  read(count: number): number {
    this.left -= count;
    return this.peekAt(this.left, count);
  }

  /** `count` bits from bit `from` of the stream on. */
  peekAt(from: number, count: number): number {
    const mask = (1 << count) - 1;
    if (from < 0) {
      const missing = -from;
      return missing >= count ? 0 : (this.peekAt(0, count - missing) << missing) & mask;
    }
    const at = this.#start + (from >> 3);
    const bytes = this.#bytes;
    const word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    return (word >>> (from & 7)) & mask;
  }
}
