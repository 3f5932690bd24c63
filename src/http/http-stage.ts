/**
 * Tells what a connection speaks from the first bytes of its TLS calls, and hands it to that protocol's parser.
 *
 * A connection whose first bytes are no HTTP is not given up: it may have been joined in the middle of a body.
 * Each later call costs a few byte comparisons until one begins like a message.
 */
import type { ConnectionRef, Direction } from '../capture/events.ts';
import { NEVER_COPY_SERVED } from '../capture/verdict.ts';
import {
  type ChunkTime,
  type ConnectionParser,
  type ConnectionParserFactory,
  timeFrom,
} from '../transport/connection.ts';
import { createHeadProbe, type HeadProbe, type ProbeResult } from './head-probe.ts';
import { createHttpCounters, type HttpContext, type HttpStageOptions } from './http-options.ts';
import { createHttp1Connection } from './http1-connection.ts';
import { FRAME_HEADER_BYTES, FrameType } from './http2/frame.ts';
import { isFrameChain, UNKNOWN_CONNECTION } from './http2/frame-chain.ts';
import { createUpgradedParser } from './http2/h2c-upgrade.ts';
import { createHttp2Connection, type Http2Connection } from './http2/http2-connection.ts';
import { DEFAULT_STREAM_TIMEOUT_NS } from './http2/limits.ts';
import { latin1Text } from './latin1.ts';
import { DEFAULT_HTTP_LIMITS } from './limits.ts';
import { judgeForeign } from './verdicts.ts';
import { webSocketSender } from './websocket/frame-probe.ts';
import { createWebSocketStage } from './websocket/websocket-upgrade.ts';

/** A connection whose first line is longer is copied. */
const MAX_REQUEST_LINE_BYTES = 8192;

/** Makes the parsers of a transport's connections. */
export function createHttpStage(options: HttpStageOptions): ConnectionParserFactory {
  const counters = options.counters ?? createHttpCounters();
  const context: HttpContext = {
    ...options,
    limits: { ...DEFAULT_HTTP_LIMITS, ...options.limits },
    streamTimeoutNs: options.streamTimeoutNs ?? DEFAULT_STREAM_TIMEOUT_NS,
    counters,
    webSockets: createWebSocketStage({
      handler: options.webSocket ?? (() => undefined),
      counters: counters.webSocket,
      ...(options.webSocketLimits === undefined ? {} : { limits: options.webSocketLimits }),
      ...(options.onSecret === undefined ? {} : { onSecret: options.onSecret }),
      ...(options.onDecoded === undefined ? {} : { onDecoded: options.onDecoded }),
      ...(options.onRelease === undefined ? {} : { onRelease: options.onRelease }),
      ...(options.findAddedSecrets === undefined
        ? {}
        : { findAddedSecrets: options.findAddedSecrets }),
    }),
  };
  context.upgrade = (exchange) =>
    options.upgrade?.(exchange) ??
    context.webSockets.upgrade(exchange) ??
    createUpgradedParser(exchange, context);
  return (connection) => createSniffedConnection(connection, context);
}

/** One direction while it is not known what the connection speaks. */
interface Sniffed {
  readonly direction: Direction;
  readonly probe: HeadProbe;
  /** Nothing but line ends so far, which may come before a message (RFC 9112 §2.2). */
  isUntouched: boolean;
}

function createSniffedConnection(
  connection: ConnectionRef,
  context: HttpContext,
): ConnectionParser {
  let parser: ConnectionParser | undefined;
  /** The parser, while it rests on what looked like frames in the middle of a connection. */
  let guess: Http2Connection | undefined;
  /** Bytes or a hole came before anything that could be placed. */
  let joinedMidway = false;
  /** Bytes lost before anything was found. */
  const lostBytes = { read: 0, write: 0 };
  /** Bytes in which nothing was found, and bytes that there were. */
  const foreign = { read: 0, write: 0 };
  const ends = { read: 0, write: 0 };
  /** A request was read before anything was written: what is written first will tell. */
  let mayBeServed = false;
  const read = createSniffed('read');
  const write = createSniffed('write');

  function secret(direction: Direction, position: number, length: number): void {
    if (length > 0) {
      context.onSecret?.(connection, direction, position, length);
    }
  }

  /** Bytes that nobody examines may hold anything: for a recording they are secret. */
  function skip(direction: Direction, bytes: Uint8Array, position: number): void {
    secret(direction, position, bytes.length);
    context.onRelease?.(connection, direction, position + bytes.length);
  }

  function createSniffed(direction: Direction): Sniffed {
    const probe = createHeadProbe({
      requests: true,
      responses: true,
      anyMethodFirst: true,
      onGivenUp(position, length) {
        secret(direction, position, length);
        joinedMidway = true;
      },
    });
    return { direction, probe, isUntouched: true };
  }

  function releaseHeld({ direction, probe }: Sniffed): void {
    const { held } = probe;
    probe.giveUp();
    if (held !== undefined) {
      context.onRelease?.(connection, direction, held.position + held.bytes.length);
    }
  }

  function decide(
    sniffed: Sniffed,
    result: ProbeResult,
    bytes: Uint8Array,
    at: ChunkTime,
    position: number,
  ): void {
    mayBeServed = beginsServed(sniffed, bytes, position);
    if (result === 'http2') {
      context.counters.http2Connections += 1;
      parser = context.http2?.(connection) ?? guess ?? createHttp2Connection(connection, context);
    } else {
      context.counters.http1Connections += 1;
      const isRequest = result === 'request';
      const requestDirection = isRequest ? sniffed.direction : opposite(sniffed.direction);
      parser = createHttp1Connection(connection, requestDirection, context, {
        joinedMidway: joinedMidway || !isRequest,
        lostRequestBytes: lostBytes[requestDirection],
      });
    }
    // What the other direction holds (half a word at most) belongs to nothing that was found.
    const other = sniffed === read ? write : read;
    releaseHeld(other);
    const held = sniffed.probe.take();
    if (held !== undefined) {
      parser.data(sniffed.direction, held.bytes, held.at, held.position);
    }
    parser.data(sniffed.direction, bytes, at, position);
  }

  /** The very first bytes of the connection are, beyond doubt, a request that the process gets. */
  function beginsServed(sniffed: Sniffed, bytes: Uint8Array, position: number): boolean {
    const { held } = sniffed.probe;
    return (
      context.leavesOutServed === true &&
      context.onVerdict !== undefined &&
      sniffed.direction === 'read' &&
      (held?.position ?? position) === 0 &&
      ends.write === 0 &&
      !joinedMidway &&
      isWholeRequestStart(held === undefined ? bytes : Buffer.concat([held.bytes, bytes]))
    );
  }

  /** And its first answer is one: whatever follows on the connection is an answer to somebody. */
  function leaveOutServed(bytes: Uint8Array, position: number): void {
    parser = createUnwantedParser(skip);
    skip('write', bytes, position);
    context.onVerdict?.(connection, NEVER_COPY_SERVED);
  }

  /** Leaves out line ends before the first message. */
  function sniffFirst(sniffed: Sniffed, bytes: Uint8Array, at: ChunkTime, position: number): void {
    let start = 0;
    while (start < bytes.length && (bytes[start] === 0x0d || bytes[start] === 0x0a)) {
      start += 1;
    }
    if (start < bytes.length) {
      sniffed.isUntouched = false;
      // Behind line ends a message may begin, wherever in the call that is.
      const from = position + start === 0 ? at : timeFrom(at, 0);
      sniff(sniffed, bytes.subarray(start), from, position + start);
    } else {
      context.onRelease?.(connection, sniffed.direction, position + start);
    }
  }

  function sniff(sniffed: Sniffed, bytes: Uint8Array, at: ChunkTime, position: number): void {
    const result = sniffed.probe.push(bytes, at, position);
    switch (result) {
      case 'none':
        // A connection joined midway begins with no preface. Text cannot be taken for frames: they begin with 0.
        if ((at.callOffset ?? 0) === 0 && isFrameChain(bytes, UNKNOWN_CONNECTION)) {
          guess =
            context.http2 === undefined ? createHttp2Connection(connection, context) : undefined;
          decide(sniffed, 'http2', bytes, at, position);
          return;
        }
        joinedMidway = true;
        if (joinWebSocket(sniffed, bytes, at, position)) {
          return;
        }
        skip(sniffed.direction, bytes, position);
        foreign[sniffed.direction] += bytes.length;
        judge();
        return;
      case 'partial':
        return;
      default:
        decide(sniffed, result, bytes, at, position);
    }
  }

  /** A WebSocket that was opened before observation began. */
  function joinWebSocket(
    sniffed: Sniffed,
    bytes: Uint8Array,
    at: ChunkTime,
    position: number,
  ): boolean {
    const sender = (at.callOffset ?? 0) === 0 ? webSocketSender(bytes) : undefined;
    if (sender === undefined) {
      return false;
    }
    const role = (sender === 'client') === (sniffed.direction === 'write') ? 'client' : 'server';
    parser = context.webSockets.join(connection, role);
    if (parser === undefined) {
      return false;
    }
    releaseHeld(sniffed === read ? write : read);
    parser.data(sniffed.direction, bytes, at, position);
    return true;
  }

  function judge(): void {
    if (context.onVerdict === undefined) {
      return;
    }
    const verdict = judgeForeign(foreign, ends);
    if (verdict) {
      context.onVerdict(connection, verdict);
      // One that is lifted is given again only after as much more.
      foreign.read = 0;
      foreign.write = 0;
    }
  }

  /** Bytes of an HTTP/1 body may look like frames. Its next message shows the mistake. */
  function correctGuess(direction: Direction, bytes: Uint8Array, at: ChunkTime): void {
    if (guess?.isSearching(direction) && (at.callOffset ?? 0) === 0 && isHttp1Start(bytes)) {
      guess.end('closed', at.timeNs);
      guess = undefined;
      parser = undefined;
      joinedMidway = true;
    }
  }

  return {
    data(direction, bytes, at, position) {
      if (guess !== undefined) {
        correctGuess(direction, bytes, at);
      }
      if (mayBeServed && direction === 'write') {
        mayBeServed = false;
        if (position === 0 && isAnswerStart(bytes)) {
          leaveOutServed(bytes, position);
          return;
        }
      }
      if (parser) {
        parser.data(direction, bytes, at, position);
      } else {
        ends[direction] = position + bytes.length;
        const sniffed = direction === 'read' ? read : write;
        if (sniffed.isUntouched) {
          sniffFirst(sniffed, bytes, at, position);
        } else {
          sniff(sniffed, bytes, at, position);
        }
      }
    },
    gap(direction, size, at) {
      ends[direction] += size ?? 0;
      if (parser) {
        parser.gap(direction, size, at);
      } else {
        joinedMidway = true;
        lostBytes[direction] += size ?? 0;
        const sniffed = direction === 'read' ? read : write;
        sniffed.isUntouched = false;
        releaseHeld(sniffed);
      }
    },
    skip(direction, size, at, frames) {
      ends[direction] += size;
      if (parser?.skip) {
        parser.skip(direction, size, at, frames);
      } else if (parser) {
        parser.gap(direction, size, at);
      } else {
        joinedMidway = true;
        const sniffed = direction === 'read' ? read : write;
        sniffed.isUntouched = false;
        releaseHeld(sniffed);
      }
    },
    letGo() {
      parser?.letGo?.();
    },
    end(reason, timeNs) {
      releaseHeld(read);
      releaseHeld(write);
      parser?.end(reason, timeNs);
    },
  };
}

/** Of a connection that nobody wants; what still comes of it was on its way when the kernel was told. */
function createUnwantedParser(
  skip: (direction: Direction, bytes: Uint8Array, position: number) => void,
): ConnectionParser {
  return {
    data: (direction, bytes, _at, position) => skip(direction, bytes, position),
    gap: () => {},
    skip: () => {},
    end: () => {},
  };
}

/** A request line with its end (RFC 9112 §3), or the client's preface (RFC 9113 §3.4). */
function isWholeRequestStart(bytes: Uint8Array): boolean {
  const text = latin1Text(bytes, 0, Math.min(bytes.length, MAX_REQUEST_LINE_BYTES));
  return /^(?:[A-Z]+ \S+ HTTP\/1\.[01]\r?\n|PRI \* HTTP\/2\.0\r\n\r\nSM\r\n\r\n)/.test(text);
}

/** A status line, or the SETTINGS frame that a server begins with. */
function isAnswerStart(bytes: Uint8Array): boolean {
  const isSettings =
    bytes.length >= FRAME_HEADER_BYTES &&
    bytes[3] === FrameType.settings &&
    bytes.subarray(5, FRAME_HEADER_BYTES).every((byte) => byte === 0);
  return (
    isSettings || /^HTTP\/1\.[01] [1-5]\d\d/.test(latin1Text(bytes, 0, Math.min(bytes.length, 12)))
  );
}

function isHttp1Start(bytes: Uint8Array): boolean {
  const text = latin1Text(bytes, 0, Math.min(bytes.length, 16));
  return /^(?:HTTP\/1\.\d [1-5]|(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) )/.test(text);
}

function opposite(direction: Direction): Direction {
  return direction === 'read' ? 'write' : 'read';
}
