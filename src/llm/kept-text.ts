/** Text that comes in many small pieces, of which at most a given number of bytes is kept. */
import { cutToBytes } from '../util/json-scanner.ts';

/**
 * Pieces are joined in blocks of this many: one long rope of slices would keep every event they were cut from
 * in memory, and joining each time would copy the text over and over.
 */
const PIECES_PER_BLOCK = 256;

export class KeptText {
  readonly #maxBytes: number;
  #blocks: string[] = [];
  #pieces: string[] = [];
  #bytes = 0;
  #isCut = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Appends; gives false once the limit cut something off. */
  append(piece: string): boolean {
    if (this.#isCut) {
      return piece.length === 0;
    }
    const bytes = Buffer.byteLength(piece);
    if (this.#bytes + bytes > this.#maxBytes) {
      this.#isCut = true;
      const head = cutToBytes(piece, this.#maxBytes - this.#bytes);
      this.#pieces.push(head);
      this.#bytes += Buffer.byteLength(head);
      return false;
    }
    this.#bytes += bytes;
    this.#pieces.push(piece);
    if (this.#pieces.length >= PIECES_PER_BLOCK) {
      this.#blocks.push(this.#pieces.join(''));
      this.#pieces = [];
    }
    return true;
  }

  /** UTF-8 bytes kept. */
  get bytes(): number {
    return this.#bytes;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  toString(): string {
    const text = this.#blocks.join('') + this.#pieces.join('');
    this.#blocks = [text];
    this.#pieces = [];
    return text;
  }
}
