/**
 * Reads the HTTP/1.x messages of one direction of a connection: where heads and bodies begin and end.
 * RFC 9112 §2, §6, §7, https://www.rfc-editor.org/rfc/rfc9112
 *
 * | state          | what comes next                      | a gap of known size …                               |
 * |----------------|--------------------------------------|-----------------------------------------------------|
 * | start          | a head, perhaps after empty lines    | → searching                                         |
 * | head           | the rest of a head                   | → searching                                         |
 * | length         | body bytes that are counted          | is counted off if it fits, else → searching         |
 * | until-end      | body bytes                           | is reported, and the body goes on                   |
 * | chunk-size     | a chunk-size line                    | → searching, for a chunk too                        |
 * | chunk-data     | bytes of a chunk                     | is counted off if it fits, else as in chunk-size    |
 * | chunk-end      | the line end after a chunk           | → searching, for a chunk too                        |
 * | trailers       | trailer fields                       | → searching                                         |
 * | searching      | unknown bytes; a head at a call start| nothing changes                                     |
 * | tunnel         | another protocol                     | is passed on                                        |
 *
 * A message whose place is lost is never joined with what follows the loss.
 */
import { type ChunkTime, timeFrom } from '../transport/connection.ts';
import type { SecretFinder } from '../util/key-shapes.ts';
import type { HeaderField } from './exchange.ts';
import { type ParsedHead, parseFields, parseHead, parseStartLine } from './head.ts';
import { createHeadCollector } from './head-collector.ts';
import { createHeadProbe, type HeadProbe } from './head-probe.ts';
import { latin1Text } from './latin1.ts';
import type { HttpLimits } from './limits.ts';
import type { BodyFraming } from './message-framing.ts';

/** What the reader found, in the order of the bytes. */
export interface MessageReaderEvents {
  /** The first byte of a message (found again after a loss: its head may still prove to be none). */
  begin(at: ChunkTime): void;
  /** A whole head. The answer says how its body ends; undefined: an interim response, another head follows. */
  head(head: ParsedHead, isOverLimit: boolean, start: ChunkTime, at: ChunkTime): BodyFraming;
  body(bytes: Uint8Array, at: ChunkTime, position: number): void;
  /** `size` body bytes are missing, and the framing goes on exactly (or up to the end of the connection). */
  bodyGap(size: number | undefined, at: ChunkTime): void;
  /** `size` body bytes were left out on purpose; otherwise as `bodyGap`. */
  bodySkip(size: number, at: ChunkTime): void;
  /** So much of the body was left out that its end cannot be told; the reader looks for the next message. */
  skippedEnd(at: ChunkTime): void;
  trailers(fields: HeaderField[]): void;
  complete(at: ChunkTime): void;
  /** The rest of the current message (if any was begun) cannot be known; the reader searches from here. */
  lost(cause: LostCause, size: number | undefined, at: ChunkTime): void;
  /** After `lost`, a chunk of the same body was recognised, and the body goes on behind a hole. */
  resumed(at: ChunkTime): void;
  /** Whether chunks found behind a loss can only be of the body that it hit. */
  mayResume(): boolean;
  /** Bytes of another protocol, after a head whose framing was `tunnel`. */
  tunnel(bytes: Uint8Array, at: ChunkTime, position: number): void;
  tunnelGap(size: number | undefined, at: ChunkTime): void;
  /** Bytes at `position` that hold a credential. */
  secret(position: number, length: number): void;
}

export type LostCause = 'gap' | 'decode-error';

export interface MessageReader {
  data(bytes: Uint8Array, at: ChunkTime, position: number): void;
  gap(size: number | undefined, at: ChunkTime): void;
  /** `size` bytes were left out because nobody wanted them. */
  skip(size: number, at: ChunkTime): void;
  /** The connection is over. True when that is how the current body's end is told. */
  endsBody(): boolean;
  /** Forgets the current message and looks for the next head at the start of a call. What is there of a head is secret. */
  search(): void;
  /** The current message has no body after all (the response to a HEAD request that was not seen). */
  endBodyEarly(): void;
  /** Called while a head is judged: its message may have no body although it announces one. */
  doubtBody(): void;
  /** Body bytes still to come; Infinity when that is unknown, 0 outside of a body. */
  readonly remainingBodyBytes: number;
  /** True while the place in the stream is unknown. */
  readonly isSearching: boolean;
  /** True between messages. */
  readonly isAtStart: boolean;
  /** Position of the first byte that belongs to an unfinished head; undefined when there is none. */
  readonly headPosition: number | undefined;
}

const State = {
  start: 0,
  head: 1,
  length: 2,
  untilEnd: 3,
  chunkSize: 4,
  chunkData: 5,
  chunkEnd: 6,
  trailers: 7,
  searching: 8,
  tunnel: 9,
} as const;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
/** 2^48 and more is no chunk. */
const MAX_CHUNK_DIGITS = 12;
/** Chunk extensions are read over, up to this many bytes of a line. */
const MAX_CHUNK_LINE_BYTES = 16_384;
const NO_TIME: ChunkTime = { enterNs: 0n, timeNs: 0n };

export function createMessageReader(
  kind: 'request' | 'response',
  limits: HttpLimits,
  events: MessageReaderEvents,
  findAddedSecrets?: SecretFinder,
): MessageReader {
  const collector = createHeadCollector(limits.maxHeadBytes);
  const trailerCollector = createHeadCollector(limits.maxHeadBytes);
  const probe: HeadProbe = createHeadProbe({
    requests: kind === 'request',
    responses: kind === 'response',
    onGivenUp: (position, length) => events.secret(position, length),
  });
  let state: number = State.start;
  /** Bytes left of a counted body or chunk. */
  let remaining = 0;
  let chunkDigits = 0;
  let chunkLineBytes = 0;
  let isInExtension = false;
  /** White space came after the size: only an extension or the line's end may follow. */
  let isAfterSize = false;
  let hasCarriageReturn = false;
  /** The head being read was found by searching: it is believed once its start line parses. */
  let isTentative = false;
  let isStartLineChecked = false;
  let hasBegun = false;
  let headPosition = 0;
  let headStart: ChunkTime = NO_TIME;
  /** Searching after a loss in a chunked body: a whole chunk at the start of a call resumes it. */
  let mayResumeChunks = false;
  let hasBody = false;
  /** The body announced may not be there: a status line in its place ends the message. */
  let isBodyDoubtful = false;

  function lose(cause: LostCause, size: number | undefined, at: ChunkTime, chunked: boolean): void {
    startSearching();
    mayResumeChunks = chunked && cause === 'gap';
    events.lost(cause, size, at);
  }

  function startSearching(): void {
    state = State.searching;
    mayResumeChunks = false;
    hasBegun = false;
    probe.giveUp();
    collector.reset();
    trailerCollector.reset();
  }

  /** What is left of an unfinished head has lost its field names: all of it counts as secret. */
  function overwriteHead(): void {
    const bytes = collector.streamBytes + trailerCollector.streamBytes;
    if (bytes > 0) {
      events.secret(headPosition, bytes);
    }
  }

  function beginHead(at: ChunkTime, position: number, tentative: boolean): void {
    state = State.head;
    collector.reset();
    headPosition = position;
    headStart = { enterNs: at.enterNs, timeNs: at.timeNs };
    isTentative = tentative;
    isStartLineChecked = false;
    hasBegun = false;
    if (!tentative) {
      begin(at);
    }
  }

  function begin(at: ChunkTime): void {
    if (!hasBegun) {
      hasBegun = true;
      events.begin(at);
    }
  }

  /** The head so far cannot be one. Returns where to go on in `bytes`: nowhere. */
  function rejectHead(at: ChunkTime): void {
    events.secret(headPosition, collector.streamBytes);
    const wasTentative = isTentative && !hasBegun;
    const resumable = mayResumeChunks;
    startSearching();
    if (wasTentative) {
      mayResumeChunks = resumable;
    } else {
      events.lost('decode-error', undefined, at);
    }
  }

  /** False when the start line is there and is none. */
  function checkStartLine(): boolean {
    if (!isStartLineChecked && collector.hasStartLine && !collector.isOverLimit) {
      const text = collector.text();
      const end = text.indexOf('\n');
      const line = text.slice(0, end > 0 && text[end - 1] === '\r' ? end - 1 : end);
      if (parseStartLine(line, kind) === undefined) {
        return false;
      }
      isStartLineChecked = true;
    }
    return true;
  }

  function readHead(bytes: Uint8Array, from: number, at: ChunkTime): number {
    const end = collector.push(bytes, from);
    if (end < 0) {
      if (!checkStartLine() || !isPlausible()) {
        rejectHead(at);
      } else if (isTentative && isStartLineChecked) {
        begin(headStart);
      }
      return bytes.length;
    }
    const head = parseHead(collector.text(), kind, limits.maxHeaderFields, findAddedSecrets);
    if (head === undefined) {
      rejectHead(at);
      return bytes.length;
    }
    mayResumeChunks = false;
    begin(headStart);
    const { exactBytes, streamBytes, isOverLimit } = collector;
    for (const place of head.secrets) {
      if (place.index < exactBytes) {
        events.secret(headPosition + place.index, place.length);
      }
    }
    if (isOverLimit) {
      events.secret(headPosition + exactBytes, streamBytes - exactBytes);
    }
    collector.reset();
    hasBegun = false;
    hasBody = false;
    isBodyDoubtful = false;
    startBody(events.head(head, isOverLimit, headStart, at), at);
    return end;
  }

  /** Refuses early what cannot become a start line, so that binary bytes are not collected as a head. */
  function isPlausible(): boolean {
    if (isStartLineChecked || collector.hasStartLine) {
      return true;
    }
    const text = collector.text().slice(0, 40);
    if (kind === 'response') {
      return 'HTTP/1.'.startsWith(text.slice(0, 7));
    }
    return /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}(?: |$)/.test(text);
  }

  function startBody(framing: BodyFraming, at: ChunkTime): void {
    switch (framing.kind) {
      case 'none':
        state = State.start;
        events.complete(at);
        break;
      case 'length':
        state = State.length;
        remaining = framing.length;
        break;
      case 'chunked':
        startChunk();
        break;
      case 'until-end':
        state = State.untilEnd;
        break;
      case 'tunnel':
        state = State.tunnel;
        events.complete(at);
        break;
      case 'invalid':
        lose('decode-error', undefined, at, false);
        break;
    }
  }

  function startChunk(): void {
    state = State.chunkSize;
    remaining = 0;
    chunkDigits = 0;
    chunkLineBytes = 0;
    isInExtension = false;
    isAfterSize = false;
    hasCarriageReturn = false;
  }

  /** Reads a chunk-size line (RFC 9112 §7.1); -1 when it is none. */
  function readChunkSize(bytes: Uint8Array, from: number): number {
    for (let index = from; index < bytes.length; index += 1) {
      const byte = bytes[index] as number;
      chunkLineBytes += 1;
      if (byte === LINE_FEED) {
        if (chunkDigits === 0) {
          return -1;
        }
        hasCarriageReturn = false;
        state = remaining === 0 ? State.trailers : State.chunkData;
        return index + 1;
      }
      if (isInExtension) {
        if (chunkLineBytes > MAX_CHUNK_LINE_BYTES) {
          return -1;
        }
        continue;
      }
      const digit = hexDigit(byte);
      if (digit >= 0 && !hasCarriageReturn && !isAfterSize) {
        chunkDigits += 1;
        if (chunkDigits > MAX_CHUNK_DIGITS) {
          return -1;
        }
        remaining = remaining * 16 + digit;
      } else if (chunkDigits === 0 || hasCarriageReturn) {
        return -1;
      } else if (byte === CARRIAGE_RETURN) {
        hasCarriageReturn = true;
      } else if (byte === 0x3b) {
        isInExtension = true;
      } else if ((byte === 0x20 || byte === 0x09) && chunkLineBytes <= MAX_CHUNK_LINE_BYTES) {
        isAfterSize = true;
      } else {
        return -1;
      }
    }
    return bytes.length;
  }

  function readChunkEnd(bytes: Uint8Array, from: number): number {
    let index = from;
    if (!hasCarriageReturn && bytes[index] === CARRIAGE_RETURN) {
      hasCarriageReturn = true;
      index += 1;
    }
    if (index < bytes.length) {
      if (bytes[index] !== LINE_FEED) {
        return -1;
      }
      index += 1;
      startChunk();
    }
    return index;
  }

  function readTrailers(bytes: Uint8Array, from: number, at: ChunkTime, position: number): number {
    if (trailerCollector.streamBytes === 0) {
      headPosition = position + from;
    }
    const start = headPosition;
    const end = trailerCollector.push(bytes, from);
    if (end < 0) {
      return bytes.length;
    }
    const text = trailerCollector.text();
    if (text.length > 2) {
      const parsed = { fields: [], secrets: [], malformedLines: 0, droppedFields: 0 };
      parseFields(text, 0, limits.maxHeaderFields, parsed, findAddedSecrets);
      for (const { index, length } of parsed.secrets as { index: number; length: number }[]) {
        if (index < trailerCollector.exactBytes) {
          events.secret(start + index, length);
        }
      }
      if (trailerCollector.isOverLimit) {
        const exact = trailerCollector.exactBytes;
        events.secret(start + exact, trailerCollector.streamBytes - exact);
      }
      events.trailers(parsed.fields);
    }
    trailerCollector.reset();
    state = State.start;
    events.complete(at);
    return end;
  }

  /** Skips what cannot be placed; returns where a message (or a chunk) was found, or the end. */
  function search(bytes: Uint8Array, from: number, at: ChunkTime, position: number): number {
    const isWhole = from === 0;
    const part = isWhole ? bytes : bytes.subarray(from);
    const partAt = isWhole ? at : timeFrom(at, (at.callOffset ?? 0) + from);
    const result = probe.push(part, partAt, position + from);
    if (result === 'partial') {
      return bytes.length;
    }
    if (result === kind) {
      const held = probe.take();
      beginHead(held?.at ?? at, held?.position ?? position + from, true);
      if (held !== undefined) {
        collector.push(held.bytes, 0);
      }
      return from;
    }
    probe.giveUp();
    const isCallStart = isWhole && (at.callOffset ?? 0) === 0;
    if (mayResumeChunks && isCallStart && isWholeChunk(bytes) && events.mayResume()) {
      mayResumeChunks = false;
      startChunk();
      events.resumed(at);
      return from;
    }
    events.secret(position + from, bytes.length - from);
    return bytes.length;
  }

  function data(bytes: Uint8Array, at: ChunkTime, position: number): void {
    let index = 0;
    if (isBodyDoubtful && isBodyAbsent(bytes, at)) {
      state = State.start;
      events.complete(at);
    }
    while (index < bytes.length) {
      switch (state) {
        case State.chunkData:
        case State.length: {
          const size = Math.min(remaining, bytes.length - index);
          hasBody = true;
          remaining -= size;
          const isWhole = size === bytes.length;
          events.body(isWhole ? bytes : bytes.subarray(index, index + size), at, position + index);
          index += size;
          if (remaining === 0) {
            endCounted(at);
          }
          break;
        }
        case State.chunkSize: {
          const next = readChunkSize(bytes, index);
          if (next < 0) {
            lose('decode-error', undefined, at, false);
            events.secret(position + index, bytes.length - index);
            return;
          }
          index = next;
          break;
        }
        case State.chunkEnd: {
          const next = readChunkEnd(bytes, index);
          if (next < 0) {
            lose('decode-error', undefined, at, false);
            events.secret(position + index, bytes.length - index);
            return;
          }
          index = next;
          break;
        }
        case State.start: {
          const byte = bytes[index];
          if (byte === CARRIAGE_RETURN || byte === LINE_FEED) {
            index += 1;
          } else {
            beginHead(at, position + index, false);
          }
          break;
        }
        case State.head: {
          const end = readHead(bytes, index, at);
          if (isLost()) {
            // The collector's bytes are reported as secret already; they include these.
            return;
          }
          index = end;
          break;
        }
        case State.untilEnd:
          hasBody = true;
          events.body(index === 0 ? bytes : bytes.subarray(index), at, position + index);
          return;
        case State.trailers:
          index = readTrailers(bytes, index, at, position);
          break;
        case State.searching:
          index = search(bytes, index, at, position);
          break;
        default:
          events.tunnel(index === 0 ? bytes : bytes.subarray(index), at, position + index);
          return;
      }
    }
  }

  /** Judges the first bytes where a doubtful body would begin. */
  function isBodyAbsent(bytes: Uint8Array, at: ChunkTime): boolean {
    const isAtBody =
      state === State.length || state === State.untilEnd || state === State.chunkSize;
    isBodyDoubtful = false;
    if (!isAtBody || hasBody || (at.callOffset ?? 0) !== 0) {
      return false;
    }
    return /^HTTP\/1\.\d +\d{3}[ \r\n]/.test(latin1Text(bytes, 0, Math.min(bytes.length, 16)));
  }

  function isLost(): boolean {
    return state === State.searching;
  }

  function endCounted(at: ChunkTime): void {
    if (state === State.chunkData) {
      state = State.chunkEnd;
      hasCarriageReturn = false;
    } else {
      state = State.start;
      events.complete(at);
    }
  }

  function gap(size: number | undefined, at: ChunkTime): void {
    switch (state) {
      case State.tunnel:
        events.tunnelGap(size, at);
        return;
      case State.untilEnd:
        hasBody = true;
        events.bodyGap(size, at);
        return;
      case State.searching: {
        const resumable = mayResumeChunks;
        startSearching();
        mayResumeChunks = resumable;
        events.lost('gap', size, at);
        return;
      }
      case State.length:
      case State.chunkData:
        if (size !== undefined && size <= remaining) {
          hasBody = true;
          remaining -= size;
          events.bodyGap(size, at);
          if (remaining === 0) {
            endCounted(at);
          }
          return;
        }
        lose('gap', size, at, state === State.chunkData);
        return;
      case State.head:
      case State.trailers:
        overwriteHead();
        lose('gap', size, at, false);
        return;
      default:
        lose('gap', size, at, state === State.chunkSize || state === State.chunkEnd);
    }
  }

  function skip(size: number, at: ChunkTime): void {
    switch (state) {
      case State.untilEnd:
        hasBody = true;
        events.bodySkip(size, at);
        return;
      case State.searching:
        // What nobody wants is not missed; the search goes on behind it.
        startSearching();
        return;
      case State.length:
      case State.chunkData:
        if (size <= remaining) {
          hasBody = true;
          remaining -= size;
          events.bodySkip(size, at);
          if (remaining === 0) {
            endCounted(at);
          }
          return;
        }
        if (state === State.length) {
          gap(size, at);
          return;
        }
        break;
      case State.chunkSize:
      case State.chunkEnd:
        break;
      default:
        gap(size, at);
        return;
    }
    // Somewhere in a chunked body.
    hasBody = true;
    events.bodySkip(size, at);
    startSearching();
    events.skippedEnd(at);
  }

  return {
    data,
    gap,
    skip,
    endsBody: () => state === State.untilEnd,
    search() {
      overwriteHead();
      startSearching();
    },
    doubtBody() {
      isBodyDoubtful = true;
    },
    endBodyEarly() {
      if (
        !hasBody &&
        (state === State.length || state === State.untilEnd || state === State.chunkSize)
      ) {
        state = State.start;
      }
    },
    get remainingBodyBytes() {
      switch (state) {
        case State.length:
          return remaining;
        case State.untilEnd:
        case State.chunkSize:
        case State.chunkData:
        case State.chunkEnd:
          return Infinity;
        default:
          return 0;
      }
    },
    get isSearching() {
      return state === State.searching;
    },
    get isAtStart() {
      return state === State.start;
    },
    get headPosition() {
      if (state === State.head || (state === State.trailers && trailerCollector.streamBytes > 0)) {
        return headPosition;
      }
      return probe.held?.position;
    },
  };
}

/** Whether a TLS call holds one chunk (or several), each to its end: strong evidence of where chunks begin. */
function isWholeChunk(bytes: Uint8Array): boolean {
  const text = latin1Text(bytes, 0, Math.min(bytes.length, 64));
  const match = /^([0-9a-fA-F]{1,8})(?:[ \t]*;[^\r\n]{0,40})?\r\n/.exec(text);
  if (match === null) {
    return false;
  }
  const size = Number.parseInt(match[1] ?? '', 16);
  const end = match[0].length + size;
  return bytes.length >= end + 2 && endsLine(bytes, end);
}

function endsLine(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === CARRIAGE_RETURN && bytes[at + 1] === LINE_FEED;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) {
    return byte - 0x30;
  }
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
