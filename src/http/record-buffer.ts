/** Keeps the bytes of one record of a stream, up to a limit, until it is whole: a line, an element, a message. */

export interface RecordBuffer {
  /** False, and nothing is added, when the record would be larger than the limit. Copies the bytes. */
  append(bytes: Uint8Array, start: number, end: number): boolean;
  readonly byteLength: number;
  /** The record, valid until the next `append`. */
  bytes(): Uint8Array;
  /** The record as UTF-8 text (malformed bytes become U+FFFD), without a last byte that `drops`; and clears it. */
  takeText(drops?: (byte: number) => boolean): string;
  clear(): void;
}

const INITIAL_BYTES = 1024;
/** Memory beyond this, which a large record has needed, is given back after it. */
const KEPT_BYTES = 65_536;

export function createRecordBuffer(maxBytes: number): RecordBuffer {
  let memory = new Uint8Array(INITIAL_BYTES);
  let size = 0;

  function clear(): void {
    size = 0;
    if (memory.length > KEPT_BYTES) {
      memory = new Uint8Array(INITIAL_BYTES);
    }
  }

  return {
    append(bytes, start, end) {
      const added = end - start;
      if (size + added > maxBytes) {
        return false;
      }
      if (size + added > memory.length) {
        const grown = new Uint8Array(Math.max(memory.length * 2, size + added));
        grown.set(memory.subarray(0, size));
        memory = grown;
      }
      memory.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), size);
      size += added;
      return true;
    },
    get byteLength() {
      return size;
    },
    bytes: () => memory.subarray(0, size),
    takeText(drops) {
      const last = memory[size - 1];
      const end = size > 0 && drops?.(last as number) ? size - 1 : size;
      const text = Buffer.from(memory.buffer, 0, end).toString('utf8');
      clear();
      return text;
    },
    clear,
  };
}
