/**
 * Looks for the start of an HTTP message in a direction whose place in the conversation is unknown: at the
 * beginning of a connection, and after a loss. Costs a few byte comparisons per TLS call.
 *
 * Software writes a head at the start of a call (and thereby of a TLS record), so only the start of a call is
 * looked at; a call may be as short as one byte, so the first bytes are collected until they decide.
 */
import { latin1Text } from './latin1.ts';

export type ProbeResult = 'none' | 'partial' | 'request' | 'response' | 'http2';

export interface HeadProbe {
  /**
   * Looks at the next bytes. On `partial` they are kept in `held`; on a find, `held` are the bytes before these
   * that belong to it; on `none` nothing is held.
   */
  push(bytes: Uint8Array, isCallStart: boolean): ProbeResult;
  readonly held: Uint8Array;
  /** Forgets what is held; what follows is no longer the beginning of the connection. */
  reset(): void;
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
const EMPTY = new Uint8Array(0);

export interface HeadProbeOptions {
  requests: boolean;
  responses: boolean;
  /** Accept any upper-case token as a method, for the first bytes looked at. */
  anyMethodFirst?: boolean;
}

export function createHeadProbe(options: HeadProbeOptions): HeadProbe {
  let held: Uint8Array = EMPTY;
  let isFirst = options.anyMethodFirst === true;

  function judge(text: string): ProbeResult {
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
      if (isFirst && !isPartial) {
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

  function push(bytes: Uint8Array, isCallStart: boolean): ProbeResult {
    if (bytes.length === 0) {
      return held.length > 0 ? 'partial' : 'none';
    }
    const wasFirst = isFirst;
    if (held.length > 0) {
      const before = held;
      if (isCallStart) {
        // Better than half a word continued: the end of a body, and then a message.
        isFirst = false;
        const alone = judge(latin1Text(bytes, 0, Math.min(bytes.length, 32)));
        if (alone !== 'none' && alone !== 'partial') {
          held = EMPTY;
          return alone;
        }
        isFirst = wasFirst;
      }
      const text = latin1Text(before) + latin1Text(bytes, 0, Math.min(bytes.length, 32));
      const result = judge(text);
      if (result === 'partial') {
        held = concat(before, bytes);
        return result;
      }
      if (result !== 'none') {
        return result;
      }
      held = EMPTY;
      isFirst = false;
    }
    if (!isCallStart) {
      return 'none';
    }
    const result = judge(latin1Text(bytes, 0, Math.min(bytes.length, 32)));
    if (result === 'partial') {
      // Not slice(): on a Buffer that is a view, and these bytes are only lent.
      held = new Uint8Array(bytes);
    } else {
      isFirst = false;
    }
    return result;
  }

  return {
    push,
    get held() {
      return held;
    },
    reset() {
      held = EMPTY;
      isFirst = false;
    },
  };
}

function concat(one: Uint8Array, other: Uint8Array): Uint8Array {
  const joined = new Uint8Array(one.length + other.length);
  joined.set(one);
  joined.set(other, one.length);
  return joined;
}
