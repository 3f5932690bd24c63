/**
 * Server-sent events from body bytes, split anywhere.
 * WHATWG HTML §9.2.6, https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 *
 * Works on bytes, and makes one string per event: a line that lies in one read is never copied before that, and
 * a line beyond the limit is read over without being kept. (Why not a library: docs/decisions/0101-sse-decoder.md.)
 */

export interface SseEvent {
  /** `message` unless the stream names it. */
  event: string;
  data: string;
  /** The last `id` the stream gave, here or earlier; absent when it gave none. */
  id?: string;
  /** False for the last event of a stream that ended without the blank line which dispatches it. */
  complete: boolean;
}

export interface SseDecoderOptions {
  /** `timeNs` of the bytes that completed the event. The object is the receiver's to keep. */
  onEvent(event: SseEvent, timeNs: bigint): void;
  /** An event was larger than `maxEventBytes` and is skipped; called once for it. */
  onLimit?(timeNs: bigint): void;
  /** Largest event, as the bytes of its field values and of the line ends that join its data. */
  maxEventBytes?: number;
}

/** A BodySink's shape, so that a decoder can be handed out as one. */
export interface SseDecoder {
  /** `bytes` are not referenced after the call. */
  data(bytes: Uint8Array, timeNs: bigint): void;
  /** Bytes are missing: what was begun of an event is dropped; goes on with the next event that is whole. */
  gap(timeNs: bigint): void;
  /** The stream is over. An event that has data but no blank line is delivered, marked. */
  end(complete: boolean, timeNs: bigint): void;
}

/** The Responses API sends whole answers, images included, as one line: megabytes are normal. */
export const DEFAULT_MAX_EVENT_BYTES = 16_777_216;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
/** The longest field name that is kept, its colon and a space, with one to spare. */
const MAX_NAME_BYTES = 8;
const INITIAL_LINE_BYTES = 1024;
/** A line buffer that a long line has grown is given back after it. */
const KEPT_LINE_BYTES = 65_536;

export function createSseDecoder(options: SseDecoderOptions): SseDecoder {
  const maxEventBytes = options.maxEventBytes ?? DEFAULT_MAX_EVENT_BYTES;
  /** The unfinished line. */
  let line: Buffer = Buffer.alloc(INITIAL_LINE_BYTES);
  let lineBytes = 0;
  /** The unfinished line is a comment or a field that nobody reads, and was not kept to its end. */
  let isLineIgnored = false;
  /** The last byte was a CR: an LF that follows belongs to it. */
  let skipLineFeed = false;
  /** Matched bytes of a byte order mark; -1 once the stream's beginning is past. */
  let markBytes = 0;
  let data: string | undefined;
  let name = '';
  let id: string | undefined;
  let eventBytes = 0;
  /** The event is over the limit: nothing of it is kept up to its blank line. */
  let isOversized = false;
  /** After a gap: everything up to the next blank line belongs to an event that is not whole. */
  let isResynchronising = false;
  /** The field that every whole event so far began with and had once; undefined when they differ. */
  let firstField: string | undefined;
  let hasUniformEvents = true;
  let eventFirstField: string | undefined;
  let eventFirstFieldCount = 0;
  /** The next bytes are the first after a gap. */
  let isBehindGap = false;
  let isEnded = false;

  function startEvent(): void {
    data = undefined;
    name = '';
    eventBytes = 0;
    isOversized = false;
    isResynchronising = false;
    eventFirstField = undefined;
    eventFirstFieldCount = 0;
  }

  /** Learns how this stream's events begin, from one that is whole. */
  function learn(): void {
    firstField ??= eventFirstField;
    if (firstField !== eventFirstField || eventFirstFieldCount !== 1) {
      hasUniformEvents = false;
    }
  }

  /**
   * What is lost is whole reads, and servers write whole events: so an event may well begin right behind a gap.
   * It is believed to when the bytes begin with the one field that begins each event of this stream.
   */
  function beginsEvent(bytes: Uint8Array, start: number): boolean {
    if (!hasUniformEvents || firstField === undefined) {
      return false;
    }
    const end = start + firstField.length;
    return isName(bytes, start, firstField) && bytes[end] === COLON;
  }

  function dispatch(complete: boolean, timeNs: bigint): void {
    if (data !== undefined && !isOversized && !isResynchronising) {
      if (complete) {
        learn();
      }
      const event: SseEvent = { event: name === '' ? 'message' : name, data, complete };
      if (id !== undefined) {
        event.id = id;
      }
      startEvent();
      options.onEvent(event, timeNs);
    } else {
      startEvent();
    }
  }

  function exceed(timeNs: bigint): void {
    isOversized = true;
    data = undefined;
    lineBytes = 0;
    options.onLimit?.(timeNs);
  }

  /** A whole line, `bytes[start, end)`, without its end. */
  function takeLine(bytes: Buffer, start: number, end: number, timeNs: bigint): void {
    if (start === end) {
      dispatch(true, timeNs);
      return;
    }
    if (isOversized || isResynchronising) {
      return;
    }
    let colon = start;
    while (colon < end && bytes[colon] !== COLON) {
      colon += 1;
    }
    const nameLength = colon - start;
    if (nameLength === 0) {
      return;
    }
    let valueStart = Math.min(colon + 1, end);
    if (valueStart < end && bytes[valueStart] === SPACE) {
      valueStart += 1;
    }
    takeField(bytes, start, nameLength, valueStart, end, timeNs);
  }

  function takeField(
    bytes: Buffer,
    start: number,
    nameLength: number,
    valueStart: number,
    end: number,
    timeNs: bigint,
  ): void {
    const first = bytes[start];
    const isData = nameLength === 4 && first === 0x64 && isName(bytes, start, 'data');
    const isEvent = nameLength === 5 && first === 0x65 && isName(bytes, start, 'event');
    const isId = nameLength === 2 && first === 0x69 && isName(bytes, start, 'id');
    if (!isData && !isEvent && !isId) {
      return;
    }
    // Lines of data may be empty, and there is no end to them.
    const isJoined = isData && data !== undefined;
    eventBytes += end - valueStart + (isJoined ? 1 : 0);
    if (eventBytes > maxEventBytes) {
      exceed(timeNs);
      return;
    }
    const field = isData ? 'data' : isEvent ? 'event' : 'id';
    eventFirstField ??= field;
    if (field === eventFirstField) {
      eventFirstFieldCount += 1;
    }
    // Malformed UTF-8 becomes U+FFFD, as the specification's decoder does it.
    const value = bytes.toString('utf8', valueStart, end);
    if (isData) {
      data = data === undefined ? value : `${data}\n${value}`;
    } else if (isEvent) {
      name = value;
    } else if (!value.includes('\0')) {
      id = value;
    }
  }

  /** Whether the unfinished line, which goes on with these bytes, is of a field that is kept. */
  function isKeptField(bytes: Uint8Array, start: number): boolean {
    const head = Buffer.concat([
      line.subarray(0, Math.min(lineBytes, MAX_NAME_BYTES)),
      bytes.subarray(start, start + MAX_NAME_BYTES),
    ]);
    return ['data', 'event', 'id'].some(
      (field) => isName(head, 0, field) && head[field.length] === COLON,
    );
  }

  /** Keeps a part of a line for the reads that follow. */
  function keep(bytes: Uint8Array, start: number, end: number, timeNs: bigint): void {
    const size = end - start;
    if (isOversized || isResynchronising || isLineIgnored) {
      // Only whether the line is empty matters.
      lineBytes = 1;
      return;
    }
    if (lineBytes + size > maxEventBytes + MAX_NAME_BYTES) {
      if (isKeptField(bytes, start)) {
        exceed(timeNs);
      } else {
        isLineIgnored = true;
      }
      lineBytes = 1;
      return;
    }
    if (lineBytes + size > line.length) {
      const grown = Buffer.alloc(Math.max(line.length * 2, lineBytes + size));
      grown.set(line.subarray(0, lineBytes));
      line = grown;
    }
    line.set(size === bytes.length ? bytes : bytes.subarray(start, end), lineBytes);
    lineBytes += size;
  }

  function endLine(bytes: Buffer, start: number, end: number, timeNs: bigint): void {
    if (lineBytes === 0) {
      takeLine(bytes, start, end, timeNs);
      return;
    }
    if (end > start) {
      keep(bytes, start, end, timeNs);
    }
    const size = lineBytes;
    lineBytes = 0;
    if (!isOversized && !isResynchronising && !isLineIgnored) {
      takeLine(line, 0, size, timeNs);
    }
    isLineIgnored = false;
    if (line.length > KEPT_LINE_BYTES) {
      line = Buffer.alloc(INITIAL_LINE_BYTES);
    }
  }

  /** Reads over a byte order mark, which only the very beginning may have. Returns where the text begins. */
  function readMark(bytes: Uint8Array, timeNs: bigint): number {
    let index = 0;
    while (index < bytes.length && markBytes < 3) {
      if (bytes[index] !== BYTE_ORDER_MARK[markBytes]) {
        if (markBytes > 0) {
          keep(Uint8Array.from(BYTE_ORDER_MARK), 0, markBytes, timeNs);
        }
        markBytes = -1;
        return index;
      }
      markBytes += 1;
      index += 1;
    }
    if (markBytes === 3) {
      markBytes = -1;
    }
    return index;
  }

  function push(read: Uint8Array, timeNs: bigint): void {
    // A Buffer over the same bytes: its search is a memchr, six times as fast as a typed array's, and its text
    // decoder takes a range.
    const bytes = Buffer.from(read.buffer, read.byteOffset, read.length);
    let start = markBytes >= 0 ? readMark(bytes, timeNs) : 0;
    if (skipLineFeed && start < bytes.length) {
      skipLineFeed = false;
      if (bytes[start] === LINE_FEED) {
        start += 1;
      }
    }
    if (isBehindGap && start < bytes.length) {
      isBehindGap = false;
      if (beginsEvent(bytes, start)) {
        isResynchronising = false;
        lineBytes = 0;
      }
    }
    // Both searches are native; a stream uses one kind of line end, so the other is looked for once per read.
    let lineFeed = bytes.indexOf(LINE_FEED, start);
    let carriageReturn = bytes.indexOf(CARRIAGE_RETURN, start);
    for (;;) {
      if (lineFeed >= 0 && lineFeed < start) {
        lineFeed = bytes.indexOf(LINE_FEED, start);
      }
      if (carriageReturn >= 0 && carriageReturn < start) {
        carriageReturn = bytes.indexOf(CARRIAGE_RETURN, start);
      }
      const isLineFeed = carriageReturn < 0 || (lineFeed >= 0 && lineFeed < carriageReturn);
      const end = isLineFeed ? lineFeed : carriageReturn;
      if (end < 0) {
        break;
      }
      endLine(bytes, start, end, timeNs);
      start = end + 1;
      if (!isLineFeed) {
        if (start === bytes.length) {
          skipLineFeed = true;
        } else if (bytes[start] === LINE_FEED) {
          start += 1;
        }
      }
    }
    if (start < bytes.length) {
      keep(bytes, start, bytes.length, timeNs);
    }
  }

  return {
    data(bytes, timeNs) {
      if (!isEnded) {
        push(bytes, timeNs);
      }
    },
    gap() {
      startEvent();
      isResynchronising = true;
      isBehindGap = true;
      // Whatever line was begun goes on somewhere behind the gap: its rest must not look like a blank line.
      lineBytes = 1;
      isLineIgnored = false;
      skipLineFeed = false;
      markBytes = -1;
    },
    end(_complete, timeNs) {
      if (isEnded) {
        return;
      }
      isEnded = true;
      if (lineBytes > 0 && !isOversized && !isResynchronising && !isLineIgnored) {
        const size = lineBytes;
        lineBytes = 0;
        takeLine(line, 0, size, timeNs);
      }
      dispatch(false, timeNs);
    },
  };
}

function isName(bytes: Uint8Array, start: number, name: string): boolean {
  for (let index = 0; index < name.length; index += 1) {
    if (bytes[start + index] !== name.charCodeAt(index)) {
      return false;
    }
  }
  return true;
}
