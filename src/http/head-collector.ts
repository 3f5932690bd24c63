/** Collects the bytes of one message head, from wherever it is split, up to its empty line; bounded. */
import { isFramingLine } from './head.ts';
import { latin1Text } from './latin1.ts';

/** A line beyond the head limit is kept up to this length, which no framing field reaches. */
const MAX_LATE_LINE_BYTES = 4096;
const INITIAL_BYTES = 2048;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export interface HeadCollector {
  /**
   * Takes bytes from `from` on. Returns the index after the head's last byte, or -1 when all of them belong to
   * it and more must come.
   */
  push(bytes: Uint8Array, from: number): number;
  /** Latin1 text of the head so far. Beyond the limit it has the framing fields only. */
  text(): string;
  /** Bytes of the stream the head has taken so far. */
  readonly streamBytes: number;
  /** Bytes at the front of `text()` whose places in the stream are true; all of them unless `isOverLimit`. */
  readonly exactBytes: number;
  readonly isOverLimit: boolean;
  /** True once the start line is there to its end. */
  readonly hasStartLine: boolean;
  reset(): void;
}

export function createHeadCollector(maxHeadBytes: number): HeadCollector {
  let buffer = new Uint8Array(INITIAL_BYTES);
  let length = 0;
  let streamBytes = 0;
  /** Length of the line being collected, without its line feed, and whether it is just a carriage return. */
  let lineLength = 0;
  let isOnlyCr = false;
  let hasStartLine = false;
  let isOverLimit = false;
  let lateLine = '';
  let lateLines = '';
  let lateLineStart = 0;

  function append(bytes: Uint8Array, from: number, to: number): void {
    const size = to - from;
    streamBytes += size;
    if (isOverLimit) {
      appendLate(latin1Text(bytes, from, Math.min(to, from + MAX_LATE_LINE_BYTES)));
      return;
    }
    if (length + size > maxHeadBytes) {
      enterOverLimit();
      appendLate(latin1Text(bytes, from, Math.min(to, from + MAX_LATE_LINE_BYTES)));
      return;
    }
    if (length + size > buffer.length) {
      const grown = new Uint8Array(
        Math.min(maxHeadBytes, Math.max(buffer.length * 2, length + size)),
      );
      grown.set(buffer.subarray(0, length));
      buffer = grown;
    }
    buffer.set(bytes.subarray(from, to), length);
    length += size;
  }

  /** From here on lines are looked at one by one, and only those that frame the body are kept. */
  function enterOverLimit(): void {
    isOverLimit = true;
    const lastLineStart = buffer.lastIndexOf(LINE_FEED, length - 1) + 1;
    lateLine = latin1Text(
      buffer,
      lastLineStart,
      Math.min(length, lastLineStart + MAX_LATE_LINE_BYTES),
    );
    length = lastLineStart;
    lateLineStart = lastLineStart;
  }

  function appendLate(text: string): void {
    if (lateLine.length < MAX_LATE_LINE_BYTES) {
      lateLine += text.slice(0, MAX_LATE_LINE_BYTES - lateLine.length);
    }
  }

  function endLateLine(): void {
    if (lateLines.length < MAX_LATE_LINE_BYTES && isFramingLine(lateLine)) {
      lateLines += lateLine;
    }
    lateLine = '';
  }

  function push(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length) {
      const lineFeed = bytes.indexOf(LINE_FEED, at);
      const end = lineFeed < 0 ? bytes.length : lineFeed;
      if (end > at) {
        isOnlyCr = lineLength === 0 && end - at === 1 && bytes[at] === CARRIAGE_RETURN;
        lineLength += end - at;
      }
      if (lineFeed < 0) {
        append(bytes, at, end);
        return -1;
      }
      append(bytes, at, lineFeed + 1);
      const isEmptyLine = lineLength === 0 || (lineLength === 1 && isOnlyCr);
      lineLength = 0;
      isOnlyCr = false;
      at = lineFeed + 1;
      if (isOverLimit) {
        endLateLine();
      }
      if (isEmptyLine) {
        return at;
      }
      hasStartLine = true;
    }
    return -1;
  }

  return {
    push,
    text: () => latin1Text(buffer, 0, length) + (isOverLimit ? `${lateLines}\r\n` : ''),
    get streamBytes() {
      return streamBytes;
    },
    get exactBytes() {
      return isOverLimit ? lateLineStart : length;
    },
    get isOverLimit() {
      return isOverLimit;
    },
    get hasStartLine() {
      return hasStartLine;
    },
    reset() {
      if (buffer.length > 16 * INITIAL_BYTES) {
        buffer = new Uint8Array(INITIAL_BYTES);
      }
      length = 0;
      streamBytes = 0;
      lineLength = 0;
      isOnlyCr = false;
      hasStartLine = false;
      isOverLimit = false;
      lateLine = '';
      lateLines = '';
      lateLineStart = 0;
    },
  };
}
