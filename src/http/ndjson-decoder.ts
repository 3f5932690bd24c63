/**
 * Newline-delimited JSON from body bytes, split anywhere: one text per line.
 * https://github.com/ndjson/ndjson-spec
 *
 * A line beyond the limit is read over without being kept.
 */
import { createRecordBeginning } from './record-beginning.ts';
import { createRecordBuffer } from './record-buffer.ts';

export interface JsonLine {
  text: string;
  /** False for a last line whose end was not seen, in a body that did not say it was over. */
  complete: boolean;
}

export interface NdjsonDecoderOptions {
  /** `timeNs` of the bytes that completed the line. Blank lines are left out. */
  onLine(line: JsonLine, timeNs: bigint): void;
  /** A line was longer than `maxLineBytes` and is skipped; called once for it. */
  onLimit?(timeNs: bigint): void;
  maxLineBytes?: number;
}

/** A BodySink's shape, so that a decoder can be handed out as one. */
export interface NdjsonDecoder {
  /** `bytes` are not referenced after the call. */
  data(bytes: Uint8Array, timeNs: bigint): void;
  /** Bytes are missing: what was begun of a line is dropped; goes on behind the next line end. */
  gap(timeNs: bigint): void;
  /** The body is over. Its last line needs no line end. */
  end(complete: boolean, timeNs: bigint): void;
}

export const DEFAULT_MAX_LINE_BYTES = 16_777_216;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export function createNdjsonDecoder(options: NdjsonDecoderOptions): NdjsonDecoder {
  const record = createRecordBuffer(options.maxLineBytes ?? DEFAULT_MAX_LINE_BYTES);
  const beginning = createRecordBeginning();
  /** The line being read is not kept: too long, or its beginning is missing. */
  let isSkipping = false;
  /** The next bytes are the first after a gap. */
  let isBehindGap = false;
  let isEnded = false;

  function skip(): void {
    isSkipping = true;
    record.clear();
  }

  /** The line `bytes[start, end)`, with what is kept of it before. */
  function takeLine(
    bytes: Uint8Array,
    start: number,
    end: number,
    complete: boolean,
    timeNs: bigint,
  ): void {
    if (isSkipping) {
      isSkipping = false;
      return;
    }
    if (!record.append(bytes, start, end)) {
      record.clear();
      options.onLimit?.(timeNs);
      return;
    }
    const text = record.takeText(isCarriageReturn);
    if (!isBlank(text)) {
      beginning.learn(text);
      options.onLine({ text, complete }, timeNs);
    }
  }

  function push(bytes: Uint8Array, timeNs: bigint): void {
    if (isBehindGap && bytes.length > 0) {
      isBehindGap = false;
      isSkipping = !beginning.matches(bytes, 0);
    }
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(LINE_FEED, start);
      if (end < 0) {
        break;
      }
      takeLine(bytes, start, end, true, timeNs);
      start = end + 1;
    }
    if (start < bytes.length && !isSkipping && !record.append(bytes, start, bytes.length)) {
      skip();
      options.onLimit?.(timeNs);
    }
  }

  return {
    data(bytes, timeNs) {
      if (!isEnded) {
        push(bytes, timeNs);
      }
    },
    gap() {
      skip();
      isBehindGap = true;
    },
    end(complete, timeNs) {
      if (!isEnded) {
        isEnded = true;
        takeLine(new Uint8Array(0), 0, 0, complete, timeNs);
      }
    },
  };
}

function isCarriageReturn(byte: number): boolean {
  return byte === CARRIAGE_RETURN;
}

function isBlank(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code !== 0x20 && code !== 0x09 && code !== CARRIAGE_RETURN) {
      return false;
    }
  }
  return true;
}
