/**
 * The parts of a multipart/form-data body (file uploads, audio), without their content.
 * RFC 7578, https://www.rfc-editor.org/rfc/rfc7578; delimiters of RFC 2046 §5.1.1
 */
import { latin1Text } from './latin1.ts';

export interface MultipartPart {
  /** Of the form field; absent when the part does not say it. UTF-8 as sent. */
  name?: string;
  filename?: string;
  /** As sent, without parameters, lower case. */
  contentType?: string;
  /** Bytes of its content; at least these, when it is not complete. */
  contentBytes: number;
  /** The text of a field that is no file, where values are asked for and it is not longer than they may be. */
  value?: string;
  /** The delimiter behind it was seen, and nothing of it is missing. */
  complete: boolean;
}

export interface MultipartReaderOptions {
  /** Without the two hyphens, as `multipartBoundary` gives it. */
  boundary: string;
  onPart(part: MultipartPart, timeNs: bigint): void;
  /** More parts than `maxParts`, or a part's head larger than `maxHeadBytes`; called once. The rest is skipped. */
  onLimit?(timeNs: bigint): void;
  maxParts?: number;
  maxHeadBytes?: number;
  /** Fields that are no files and not longer than this have their `value`; by default none has. */
  maxValueBytes?: number;
}

/** A BodySink's shape, so that a reader can be handed out as one. */
export interface MultipartReader {
  /** `bytes` are not referenced after the call. */
  data(bytes: Uint8Array, timeNs: bigint): void;
  /** Bytes are missing, perhaps whole parts; goes on with the next delimiter. */
  gap(timeNs: bigint): void;
  end(complete: boolean, timeNs: bigint): void;
}

export const DEFAULT_MAX_PARTS = 1000;
export const DEFAULT_MAX_PART_HEAD_BYTES = 16_384;
/** RFC 2046 §5.1.1 */
const MAX_BOUNDARY_BYTES = 70;
/** White space that may follow a delimiter is read over up to here. */
const MAX_DELIMITER_TAIL_BYTES = 1024;

const State = { content: 0, delimiterTail: 1, head: 2, finished: 3 } as const;
/** Of a delimiter, which the reader takes for the beginning of what it delimits. */
const LINE_END_BYTES = 2;
const LINE_FEED = 0x0a;
const HYPHEN = 0x2d;

/** The boundary in a Content-Type; undefined when that is no multipart/form-data or has none that is allowed. */
export function multipartBoundary(contentType: string | undefined): string | undefined {
  if (!/^\s*multipart\/form-data\s*;/i.test(contentType ?? '')) {
    return undefined;
  }
  const match = /;\s*boundary\s*=\s*(?:"([^"]*)"|([^;\s"]+))/i.exec(contentType ?? '');
  const boundary = match?.[1] ?? match?.[2] ?? '';
  return boundary.length > 0 && boundary.length <= MAX_BOUNDARY_BYTES ? boundary : undefined;
}

export function createMultipartReader(options: MultipartReaderOptions): MultipartReader {
  const maxParts = options.maxParts ?? DEFAULT_MAX_PARTS;
  const maxHeadBytes = options.maxHeadBytes ?? DEFAULT_MAX_PART_HEAD_BYTES;
  const delimiter = Buffer.from(`\r\n--${options.boundary}`, 'latin1');
  let state: number = State.content;
  /** The end of what came before that may be the beginning of a delimiter. The body begins like behind a line end. */
  let kept: Buffer = Buffer.from('\r\n', 'latin1');
  let part: MultipartPart | undefined;
  let parts = 0;
  /** The part's head, or what follows a delimiter on its line. */
  let text = '';
  const maxValueBytes = options.maxValueBytes ?? 0;
  /** What the part's value is so far; undefined for one that is not kept. */
  let value: Buffer[] | undefined;

  function finishPart(complete: boolean, timeNs: bigint): void {
    if (part) {
      part.complete = complete;
      part.contentBytes = Math.max(0, part.contentBytes);
      if (value !== undefined && complete && part.contentBytes <= maxValueBytes) {
        part.value = Buffer.concat(value).toString('utf8', LINE_END_BYTES);
      }
      value = undefined;
      options.onPart(part, timeNs);
      part = undefined;
    }
  }

  function stop(timeNs: bigint): void {
    state = State.finished;
    options.onLimit?.(timeNs);
  }

  function addContent(bytes: Buffer): void {
    if (part) {
      part.contentBytes += bytes.length;
      if (value !== undefined && part.contentBytes <= maxValueBytes) {
        value.push(Buffer.from(bytes));
      }
    }
  }

  /** Looks for a delimiter; returns the index behind it, or the end of the bytes. */
  function readContent(bytes: Buffer, from: number): number {
    const carried = kept.length;
    if (carried > 0) {
      // A delimiter that began earlier ends within these.
      const joint = Buffer.concat([kept, bytes.subarray(from, from + delimiter.length - 1)]);
      const found = joint.indexOf(delimiter);
      if (found >= 0) {
        addContent(joint.subarray(0, found));
        return endContent(from + found + delimiter.length - carried);
      }
      if (bytes.length - from < delimiter.length) {
        keepEnd(joint);
        return bytes.length;
      }
      addContent(kept);
    }
    const found = bytes.indexOf(delimiter, from);
    if (found < 0) {
      keepEnd(bytes.subarray(from));
      return bytes.length;
    }
    addContent(bytes.subarray(from, found));
    return endContent(found + delimiter.length);
  }

  /** Counts what cannot be the beginning of a delimiter any more. */
  function keepEnd(bytes: Buffer): void {
    const keptBytes = Math.min(bytes.length, delimiter.length - 1);
    addContent(bytes.subarray(0, bytes.length - keptBytes));
    kept = Buffer.from(bytes.subarray(bytes.length - keptBytes));
  }

  function endContent(next: number): number {
    kept = Buffer.alloc(0);
    state = State.delimiterTail;
    text = '';
    return next;
  }

  /** Up to the line end behind a delimiter: `--` says that it is the last. */
  function readDelimiterTail(bytes: Buffer, from: number, timeNs: bigint): number {
    let at = from;
    while (at < bytes.length) {
      const byte = bytes[at] as number;
      at += 1;
      text += String.fromCharCode(byte);
      if (text === '--') {
        finishPart(true, timeNs);
        state = State.finished;
        return bytes.length;
      }
      if (byte === LINE_FEED) {
        beginHead(timeNs);
        return at;
      }
      if (!isTail(byte, text.length)) {
        // The content holds something that only begins like the delimiter.
        addContent(delimiter);
        kept = Buffer.from(text, 'latin1');
        state = State.content;
        return at;
      }
    }
    return at;
  }

  function beginHead(timeNs: bigint): void {
    finishPart(true, timeNs);
    parts += 1;
    text = '';
    if (parts > maxParts) {
      stop(timeNs);
    } else {
      state = State.head;
    }
  }

  function readHead(bytes: Buffer, from: number, timeNs: bigint): number {
    let at = from;
    while (at < bytes.length) {
      const lineEnd = bytes.indexOf(LINE_FEED, at);
      const end = lineEnd < 0 ? bytes.length : lineEnd + 1;
      if (text.length + end - at > maxHeadBytes) {
        stop(timeNs);
        return bytes.length;
      }
      text += latin1Text(bytes, at, end);
      at = end;
      if (/(?:^|\n)\r?\n$/.test(text)) {
        part = partOf(text);
        text = '';
        state = State.content;
        // The delimiter's own line end may be the one that ends the head.
        kept = Buffer.from('\r\n', 'latin1');
        part.contentBytes = -kept.length;
        value = maxValueBytes > 0 && part.filename === undefined ? [] : undefined;
        return at;
      }
    }
    return at;
  }

  return {
    data(bytes, timeNs) {
      const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      let at = 0;
      while (at < all.length && state !== State.finished) {
        if (state === State.content) {
          at = readContent(all, at);
        } else if (state === State.delimiterTail) {
          at = readDelimiterTail(all, at, timeNs);
        } else {
          at = readHead(all, at, timeNs);
        }
      }
    },
    gap(timeNs) {
      if (state !== State.finished) {
        addContent(kept);
        kept = Buffer.alloc(0);
        text = '';
        finishPart(false, timeNs);
        state = State.content;
      }
    },
    end(_complete, timeNs) {
      if (state !== State.finished) {
        addContent(kept);
        kept = Buffer.alloc(0);
        finishPart(false, timeNs);
        state = State.finished;
      }
    },
  };
}

/** `length` bytes so far behind the delimiter, of which `byte` is the last. */
function isTail(byte: number, length: number): boolean {
  const isBlank = byte === 0x20 || byte === 0x09 || byte === 0x0d;
  return (isBlank && length <= MAX_DELIMITER_TAIL_BYTES) || (byte === HYPHEN && length === 1);
}

function partOf(head: string): MultipartPart {
  const part: MultipartPart = { contentBytes: 0, complete: false };
  // A line that begins with white space continues the one before (obsolete, but sent).
  for (const line of head.replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/)) {
    const colon = line.indexOf(':');
    const value = line.slice(colon + 1).trim();
    switch (line.slice(0, Math.max(colon, 0)).trim().toLowerCase()) {
      case 'content-disposition':
        takeDisposition(part, value);
        break;
      case 'content-type':
        part.contentType = (value.split(';')[0] as string).trim().toLowerCase();
        break;
      default:
        break;
    }
  }
  return part;
}

function takeDisposition(part: MultipartPart, value: string): void {
  const parameter = /;\s*([A-Za-z*]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))/g;
  for (let match = parameter.exec(value); match; match = parameter.exec(value)) {
    const name = (match[1] as string).toLowerCase();
    const text = unescaped(match[2] ?? match[3] ?? '');
    if (name === 'name') {
      part.name = text;
    } else if (name === 'filename') {
      part.filename ??= text;
    } else if (name === 'filename*') {
      part.filename = extendedValue(text) ?? part.filename ?? text;
    }
  }
}

/** Senders write UTF-8, and escape a quote either as HTML's `%22` (WHATWG) or with a backslash. */
function unescaped(value: string): string {
  const text = Buffer.from(value, 'latin1').toString('utf8');
  return text
    .replace(/\\(["\\])/g, '$1')
    .replace(/%22/g, '"')
    .replace(/%0D%0A/gi, '\r\n');
}

/** RFC 8187: `UTF-8''percent-encoded`; undefined when it is not that. */
function extendedValue(value: string): string | undefined {
  const match = /^utf-8'[^']*'(.*)$/i.exec(value);
  try {
    return match ? decodeURIComponent(match[1] as string) : undefined;
  } catch {
    return undefined;
  }
}
