/**
 * The elements of a JSON array that is streamed, each as soon as it is whole (Gemini without `alt=sse`).
 * RFC 8259, https://www.rfc-editor.org/rfc/rfc8259
 *
 * Only brackets, strings and commas are looked at: whether an element is valid JSON is for its reader to find.
 */
import { createRecordBeginning } from './record-beginning.ts';
import { createRecordBuffer } from './record-buffer.ts';

export interface JsonElement {
  text: string;
  /** Number of the element in the array, counted from 0, skipped ones included; a gap leaves it unsure. */
  index: number;
  /** False for the last element of a body that stopped within it. */
  complete: boolean;
}

export interface JsonArrayDecoderOptions {
  /** `timeNs` of the bytes that completed the element. */
  onElement(element: JsonElement, timeNs: bigint): void;
  /** An element was larger than `maxElementBytes` and is skipped; called once for it. */
  onLimit?(timeNs: bigint): void;
  /** The body is no array, or goes on after it; the rest is read over. Called once. */
  onInvalid?(timeNs: bigint): void;
  maxElementBytes?: number;
}

/** A BodySink's shape, so that a decoder can be handed out as one. */
export interface JsonArrayDecoder {
  /** `bytes` are not referenced after the call. */
  data(bytes: Uint8Array, timeNs: bigint): void;
  /**
   * Bytes are missing: what was begun of an element is dropped. Nothing after it has a known depth, so elements
   * are found again only where bytes behind the gap begin one as those before did.
   */
  gap(timeNs: bigint): void;
  end(complete: boolean, timeNs: bigint): void;
}

export const DEFAULT_MAX_ELEMENT_BYTES = 16_777_216;

const State = {
  /** Before the array. */
  start: 0,
  /** Behind `[` or `,`. */
  beforeElement: 1,
  /** In an object or array. */
  bracketed: 2,
  /** In an element that is a string. */
  string: 3,
  /** In a number, a word, or something that is no JSON. */
  word: 4,
  afterElement: 5,
  /** Behind the array. */
  finished: 6,
  /** Nothing is read any more. */
  invalid: 7,
  /** Behind a gap. */
  lost: 8,
} as const;

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_SQUARE = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_SQUARE = 0x5d;
const OPEN_CURLY = 0x7b;
const CLOSE_CURLY = 0x7d;
/** Of a string, before it is searched for its end. */
const SCANNED_BYTES = 32;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

export function createJsonArrayDecoder(options: JsonArrayDecoderOptions): JsonArrayDecoder {
  const record = createRecordBuffer(options.maxElementBytes ?? DEFAULT_MAX_ELEMENT_BYTES);
  const beginning = createRecordBeginning();
  let state: number = State.start;
  /** Brackets open within the element. */
  let depth = 0;
  let isInString = false;
  let isEscaped = false;
  let isOversized = false;
  let index = 0;
  let markBytes = 0;
  let isEnded = false;

  function keep(bytes: Uint8Array, start: number, end: number, timeNs: bigint): void {
    if (!isOversized && start < end && !record.append(bytes, start, end)) {
      isOversized = true;
      record.clear();
      options.onLimit?.(timeNs);
    }
  }

  function beginElement(first: number): void {
    const isBracketed = first === OPEN_CURLY || first === OPEN_SQUARE;
    state = isBracketed ? State.bracketed : first === QUOTE ? State.string : State.word;
    depth = 0;
    isInString = false;
    isEscaped = false;
    isOversized = false;
    record.clear();
  }

  function endElement(complete: boolean, timeNs: bigint): void {
    if (!isOversized) {
      const text = record.takeText();
      beginning.learn(text);
      options.onElement({ text, index, complete }, timeNs);
    }
    index += 1;
    state = State.afterElement;
  }

  function fail(timeNs: bigint): void {
    state = State.invalid;
    record.clear();
    options.onInvalid?.(timeNs);
  }

  /** Returns the index behind the string's end, or the end of the bytes. */
  function readString(bytes: Uint8Array, from: number): number {
    let at = from;
    // Most strings are short, and a search that is native costs more to call than they have bytes.
    const scanned = Math.min(bytes.length, from + SCANNED_BYTES);
    while (at < scanned) {
      const byte = bytes[at];
      at += 1;
      if (isEscaped) {
        isEscaped = false;
      } else if (byte === BACKSLASH) {
        isEscaped = true;
      } else if (byte === QUOTE) {
        isInString = false;
        return at;
      }
    }
    return at < bytes.length ? searchStringEnd(bytes, at) : at;
  }

  function searchStringEnd(bytes: Uint8Array, from: number): number {
    let at = from;
    let quote = -1;
    let backslash = -1;
    while (at < bytes.length) {
      if (isEscaped) {
        isEscaped = false;
        at += 1;
        continue;
      }
      quote = quote >= at ? quote : placeOf(bytes, QUOTE, at);
      backslash = backslash >= at ? backslash : placeOf(bytes.subarray(0, quote), BACKSLASH, at);
      if (backslash >= quote) {
        isInString = quote === bytes.length;
        return Math.min(quote + 1, bytes.length);
      }
      isEscaped = true;
      at = backslash + 1;
    }
    return at;
  }

  function readBracketed(bytes: Uint8Array, from: number, timeNs: bigint): number {
    let at = from;
    while (at < bytes.length) {
      if (isInString) {
        at = readString(bytes, at);
        continue;
      }
      const byte = bytes[at];
      at += 1;
      if (byte === QUOTE) {
        isInString = true;
      } else if (byte === OPEN_CURLY || byte === OPEN_SQUARE) {
        depth += 1;
      } else if (byte === CLOSE_CURLY || byte === CLOSE_SQUARE) {
        depth -= 1;
        if (depth === 0) {
          keep(bytes, from, at, timeNs);
          endElement(true, timeNs);
          return at;
        }
      }
    }
    keep(bytes, from, at, timeNs);
    return at;
  }

  function readStringElement(bytes: Uint8Array, from: number, timeNs: bigint): number {
    const isBegin = !isInString;
    isInString = true;
    const at = readString(bytes, isBegin ? from + 1 : from);
    keep(bytes, from, at, timeNs);
    if (!isInString) {
      endElement(true, timeNs);
    }
    return at;
  }

  function readWord(bytes: Uint8Array, from: number, timeNs: bigint): number {
    let at = from;
    while (at < bytes.length && !endsWord(bytes[at] as number)) {
      at += 1;
    }
    keep(bytes, from, at, timeNs);
    if (at < bytes.length) {
      endElement(true, timeNs);
    }
    return at;
  }

  /** What may stand between elements, one byte. */
  function readBetween(byte: number, timeNs: bigint): void {
    if (isBlank(byte)) {
      return;
    }
    if (state === State.start) {
      readStart(byte, timeNs);
    } else if (state === State.afterElement && byte === COMMA) {
      state = State.beforeElement;
    } else if (state === State.afterElement && byte === CLOSE_SQUARE) {
      state = State.finished;
    } else {
      fail(timeNs);
    }
  }

  /** Before the array there may be a byte order mark. */
  function readStart(byte: number, timeNs: bigint): void {
    if (byte === OPEN_SQUARE) {
      state = State.beforeElement;
    } else if (byte === BYTE_ORDER_MARK[markBytes]) {
      markBytes += 1;
    } else {
      fail(timeNs);
    }
  }

  function readBeforeElement(bytes: Uint8Array, from: number, timeNs: bigint): number {
    const byte = bytes[from] as number;
    if (isBlank(byte)) {
      return from + 1;
    }
    if (byte === CLOSE_SQUARE && index === 0) {
      state = State.finished;
      return from + 1;
    }
    if (byte === COMMA || byte === CLOSE_SQUARE || byte === CLOSE_CURLY) {
      fail(timeNs);
      return bytes.length;
    }
    beginElement(byte);
    return from;
  }

  /** Behind a gap: where an element is believed to begin, or the end of the bytes. */
  function resume(bytes: Uint8Array): number {
    let at = 0;
    let commas = 0;
    while (at < bytes.length && (isBlank(bytes[at] as number) || bytes[at] === COMMA)) {
      commas += bytes[at] === COMMA ? 1 : 0;
      at += 1;
    }
    if (commas > 1 || !beginning.matches(bytes, at)) {
      return bytes.length;
    }
    state = State.beforeElement;
    return at;
  }

  function push(bytes: Uint8Array, timeNs: bigint): void {
    let at = state === State.lost ? resume(bytes) : 0;
    while (at < bytes.length) {
      switch (state) {
        case State.bracketed:
          at = readBracketed(bytes, at, timeNs);
          break;
        case State.string:
          at = readStringElement(bytes, at, timeNs);
          break;
        case State.word:
          at = readWord(bytes, at, timeNs);
          break;
        case State.beforeElement:
          at = readBeforeElement(bytes, at, timeNs);
          break;
        case State.invalid:
          return;
        default:
          readBetween(bytes[at] as number, timeNs);
          at += 1;
      }
    }
  }

  function isInElement(): boolean {
    return state === State.bracketed || state === State.string || state === State.word;
  }

  return {
    data(bytes, timeNs) {
      if (!isEnded) {
        push(bytes, timeNs);
      }
    },
    gap() {
      if (state !== State.invalid && state !== State.finished) {
        record.clear();
        state = State.lost;
      }
    },
    end(_complete, timeNs) {
      if (!isEnded) {
        isEnded = true;
        if (isInElement()) {
          endElement(false, timeNs);
        }
      }
    },
  };
}

/** The length when there is none. */
function placeOf(bytes: Uint8Array, byte: number, from: number): number {
  const place = bytes.indexOf(byte, from);
  return place < 0 ? bytes.length : place;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function endsWord(byte: number): boolean {
  return byte === COMMA || byte === CLOSE_SQUARE || byte === CLOSE_CURLY || isBlank(byte);
}
