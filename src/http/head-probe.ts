/**
 * Looks for the start of an HTTP message in a direction whose place in the conversation is unknown: at the
 * beginning of a connection, and after a loss. Costs a few byte comparisons per TLS call.
 *
 * Software writes a head at the start of a call (and thereby of a TLS record), so only the start of a call is
 * looked at; a call may be as short as one byte, so the first bytes are collected until they decide.
 */
import { type ChunkTime, timeFrom } from '../transport/connection.ts';
import { latin1Text } from './latin1.ts';

export type ProbeResult = 'none' | 'partial' | 'request' | 'response' | 'http2';

export interface HeadProbe {
  /**
   * Looks at the next bytes. On `partial` they are held; on a find, what is held are the bytes before these that belong
   * to it; on `none` nothing is held.
   */
  push(bytes: Uint8Array, at: ChunkTime, position: number): ProbeResult;
  readonly held: HeldBytes | undefined;
  /** Hands over what is held; what follows is no longer the beginning of the connection. */
  take(): HeldBytes | undefined;
  /** The same, but what is held belongs to nothing. */
  giveUp(): void;
}

/** Bytes of earlier calls, of which the first begins a call. */
export interface HeldBytes {
  bytes: Uint8Array;
  /** When and where the first of them came. */
  at: ChunkTime;
  position: number;
}

/**
 * A status line up to the first digit of its status. Less would take the end of a request line, when the TLS
 * call with its beginning was lost, for a response of the other side.
 */
const RESPONSE_STARTS = ['HTTP/1.1 ', 'HTTP/1.0 '];
const RESPONSE_START = /^HTTP\/1\.\d [1-5]/;
/** RFC 9113 §3.4. */
const HTTP2_PREFACE = 'PRI * HTTP/2.0\r\n';
/** Methods that a message found in the middle of a stream may have; text of a body rarely begins with one. */
const KNOWN_STARTS = [
  'GET ',
  'POST ',
  'PUT ',
  'PATCH ',
  'DELETE ',
  'HEAD ',
  'OPTIONS ',
  'CONNECT ',
  'TRACE ',
  'QUERY ',
];
/** Longest method accepted at the very beginning of a connection, where any token may be one (RFC 9110 §9.1). */
const MAX_METHOD_LENGTH = 24;
const ANY_METHOD = /^[A-Z][A-Z!#$%&'*+.^_`|~0-9-]*$/;
const NOTHING = new Uint8Array(0);
/** More than any start has. */
const LOOK_BYTES = 32;

export interface HeadProbeOptions {
  requests: boolean;
  responses: boolean;
  /** Accept any upper-case token as a method, for the first bytes looked at. */
  anyMethodFirst?: boolean;
  /** Bytes that were held belong to no message. */
  onGivenUp(position: number, length: number): void;
}

/** A call that began in what is held, where a message may begin. */
interface CallStart {
  /** In what is held. */
  offset: number;
  at: ChunkTime;
}

export function createHeadProbe(options: HeadProbeOptions): HeadProbe {
  let bytesHeld: Uint8Array = NOTHING;
  let heldPosition = 0;
  /** Oldest first: what is held begins with the first of them. */
  let starts: CallStart[] = [];
  /** Nothing was looked at but what the oldest start began. */
  let isFirst = options.anyMethodFirst === true;

  function judge(text: string, isAnyMethod: boolean): ProbeResult {
    let isPartial = false;
    if (options.responses) {
      if (RESPONSE_START.test(text)) {
        return 'response';
      }
      isPartial = RESPONSE_STARTS.some((start) => start.startsWith(text));
    }
    if (options.requests) {
      if (text.startsWith(HTTP2_PREFACE)) {
        return 'http2';
      }
      if (HTTP2_PREFACE.startsWith(text)) {
        return 'partial';
      }
      for (const start of KNOWN_STARTS) {
        if (text.startsWith(start)) {
          return 'request';
        }
        isPartial ||= start.startsWith(text);
      }
      if (isAnyMethod && !isPartial) {
        return judgeAnyMethod(text);
      }
    }
    return isPartial ? 'partial' : 'none';
  }

  function judgeAnyMethod(text: string): ProbeResult {
    const space = text.indexOf(' ');
    const method = space < 0 ? text : text.slice(0, space);
    if (method.length > MAX_METHOD_LENGTH || !ANY_METHOD.test(method)) {
      return 'none';
    }
    return space < 0 ? 'partial' : 'request';
  }

  /** Gives up so many bytes at the front. */
  function drop(count: number): void {
    if (count > 0) {
      options.onGivenUp(heldPosition, count);
      bytesHeld = bytesHeld.subarray(count);
      heldPosition += count;
      for (const start of starts) {
        start.offset -= count;
      }
    }
  }

  function forget(): void {
    bytesHeld = NOTHING;
    starts = [];
    isFirst = false;
  }

  /**
   * Decides between the starts, byte by byte, so that it makes no difference how calls are cut. Better than half a word
   * continued is the end of a body, and then a message: an older start waits until it is clear what the newer ones are.
   */
  function decide(text: string): ProbeResult {
    for (let end = bytesHeld.length + 1; end <= text.length; end += 1) {
      let isNewerOpen = false;
      for (let index = starts.length - 1; index >= 0; index -= 1) {
        const { offset } = starts[index] as CallStart;
        const result = judge(text.slice(offset, end), isFirst && index === 0);
        if (result === 'none') {
          starts.splice(index, 1);
          isFirst &&= index > 0;
        } else if (result === 'partial' || (isNewerOpen && end - offset < LOOK_BYTES)) {
          isNewerOpen = true;
        } else {
          starts = starts.slice(index);
          drop(offset);
          return result;
        }
      }
    }
    return starts.length > 0 ? 'partial' : 'none';
  }

  function push(bytes: Uint8Array, at: ChunkTime, position: number): ProbeResult {
    const isHolding = bytesHeld.length > 0;
    const isCallStart = (at.callOffset ?? 0) === 0;
    if (bytes.length === 0 || (!isHolding && !isCallStart)) {
      return isHolding ? 'partial' : 'none';
    }
    const text = latin1Text(bytes, 0, Math.min(bytes.length, LOOK_BYTES));
    if (!isHolding) {
      const result = judge(text, isFirst);
      if (result === 'partial') {
        hold(bytes, at, position);
      } else {
        isFirst = false;
      }
      return result;
    }
    if (isCallStart) {
      starts.push({ offset: bytesHeld.length, at: timeFrom(at, 0) });
    }
    const result = decide(latin1Text(bytesHeld) + text);
    if (result === 'none') {
      drop(bytesHeld.length);
      forget();
    } else if (result === 'partial') {
      drop(starts[0]?.offset ?? 0);
      bytesHeld = concat(bytesHeld, bytes);
    }
    return result;
  }

  function hold(bytes: Uint8Array, at: ChunkTime, position: number): void {
    // Not slice(): on a Buffer that is a view, and these bytes are only lent.
    bytesHeld = new Uint8Array(bytes);
    heldPosition = position;
    starts = [{ offset: 0, at: timeFrom(at, 0) }];
  }

  function heldBytes(): HeldBytes | undefined {
    const start = starts[0];
    return start === undefined || bytesHeld.length === 0
      ? undefined
      : { bytes: bytesHeld, at: start.at, position: heldPosition };
  }

  return {
    push,
    get held() {
      return heldBytes();
    },
    take() {
      const held = heldBytes();
      forget();
      return held;
    },
    giveUp() {
      drop(bytesHeld.length);
      forget();
    },
  };
}

function concat(one: Uint8Array, other: Uint8Array): Uint8Array {
  const joined = new Uint8Array(one.length + other.length);
  joined.set(one);
  joined.set(other, one.length);
  return joined;
}
