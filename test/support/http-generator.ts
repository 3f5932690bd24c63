/**
 * HTTP/1.1 conversations for tests: built from a description, cut into TLS calls, sent through transport and
 * http, and observed. The wire bytes are written here independently of the code under test.
 */
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type {
  CaptureEvent,
  ConnectionRef,
  DataEvent,
  Direction,
} from '../../src/capture/events.ts';
import type { Exchange, ExchangeHandler } from '../../src/http/exchange.ts';
import type { HttpStageOptions } from '../../src/http/http-options.ts';
import { createHttpStage } from '../../src/http/http-stage.ts';
import { createTransport } from '../../src/transport/transport.ts';

export const CONNECTION: ConnectionRef = {
  process: { pid: 4242, startNs: 1_000n },
  stack: 'openssl',
  object: 0x7f00_1234_5678,
  generation: 5_000n,
};

export type Side = 'request' | 'response';

/** One TLS call of one side. */
export interface Call {
  side: Side;
  bytes: Uint8Array;
  /** Set by a test that loses it: `silent` is noticed by its position only. */
  isLost?: 'announced' | 'silent';
  /** Number of the exchange it belongs to. */
  owner?: number;
}

/** What was seen of one exchange. */
export interface Seen {
  exchange: Exchange;
  requestBody: Buffer;
  responseBody: Buffer;
  holes: number;
  /** Times of the response body's pieces. */
  responseTimes: bigint[];
  isEnded: boolean;
}

/** A handler that keeps everything. */
export function createWitness(): { handler: ExchangeHandler; seen: Seen[] } {
  const seen: Seen[] = [];
  const handler: ExchangeHandler = (exchange) => {
    const request: Buffer[] = [];
    const response: Buffer[] = [];
    const one: Seen = {
      exchange,
      requestBody: Buffer.alloc(0),
      responseBody: Buffer.alloc(0),
      holes: 0,
      responseTimes: [],
      isEnded: false,
    };
    seen.push(one);
    return {
      requestBody: {
        data: (bytes) => request.push(Buffer.from(bytes)),
        gap: () => {
          one.holes += 1;
        },
        end: () => {},
      },
      response: () => ({
        data: (bytes, timeNs) => {
          response.push(Buffer.from(bytes));
          one.responseTimes.push(timeNs);
        },
        gap: () => {
          one.holes += 1;
        },
        end: () => {},
      }),
      end: () => {
        one.requestBody = Buffer.concat(request);
        one.responseBody = Buffer.concat(response);
        one.isEnded = true;
      },
    };
  };
  return { handler, seen };
}

export interface RunOptions {
  role?: 'client' | 'server';
  /** Close the connection after the last call; otherwise the source ends. */
  close?: boolean;
  http?: Partial<HttpStageOptions>;
  connection?: ConnectionRef;
}

/** Capture events of the calls, 1 µs apart, each call taking 400 ns. */
export function captureEvents(calls: readonly Call[], options: RunOptions = {}): CaptureEvent[] {
  const connection = options.connection ?? CONNECTION;
  const positions = { request: 0, response: 0 };
  const sequences = { request: 0, response: 0 };
  const events: CaptureEvent[] = [];
  let timeNs = 1_000_000n;
  const directionOf = (side: Side): Direction =>
    (side === 'request') === (options.role !== 'server') ? 'write' : 'read';
  for (const call of calls) {
    timeNs += 1000n;
    const position = positions[call.side];
    positions[call.side] += call.bytes.length;
    const direction = directionOf(call.side);
    if (call.isLost === 'announced') {
      events.push({
        type: 'loss',
        timeNs,
        connection,
        direction,
        position,
        lostBytes: call.bytes.length,
        reason: 'ring-full',
      });
    } else if (call.isLost === undefined) {
      const event: DataEvent = {
        type: 'data',
        timeNs,
        enterNs: timeNs - 400n,
        tid: 4243,
        connection,
        direction,
        position,
        callBytes: call.bytes.length,
        callOffset: 0,
        sequence: sequences[call.side],
        bytes: call.bytes,
      };
      events.push(event);
    }
    sequences[call.side] += 1;
  }
  timeNs += 1000n;
  if (options.close !== false) {
    const [read, write] =
      directionOf('request') === 'write'
        ? [positions.response, positions.request]
        : [positions.request, positions.response];
    events.push({ type: 'close', timeNs, connection, readPosition: read, writePosition: write });
  }
  events.push({ type: 'end', timeNs: timeNs + 1000n });
  return events;
}

/** Sends the events through transport and http; a fault of either fails the test. */
export function observe(
  events: readonly CaptureEvent[],
  http: Partial<HttpStageOptions> = {},
): Seen[] {
  const witness = createWitness();
  let failure: unknown;
  const transport = createTransport({
    createParser: createHttpStage({ handler: witness.handler, ...http }),
    onFault: (error) => {
      failure = error;
    },
  });
  for (const event of events) {
    // As the live source does it: the bytes are gone once push returns.
    if (event.type === 'data') {
      const bytes = Buffer.from(event.bytes);
      transport.push({ ...event, bytes });
      bytes.fill(0xee);
    } else {
      transport.push(event);
    }
    if (failure !== undefined) {
      throw failure;
    }
  }
  return witness.seen;
}

export function run(calls: readonly Call[], options: RunOptions = {}): Seen[] {
  return observe(captureEvents(calls, options), options.http);
}

/** Calls from texts, for tables: `>` and `<` before each say whose it is. */
export function callsOf(...texts: string[]): Call[] {
  return texts.map((text) => ({
    side: text.startsWith('>') ? 'request' : 'response',
    bytes: Buffer.from(text.slice(1), 'latin1'),
  }));
}

/** The same bytes, one call a byte. */
export function splitEveryByte(calls: readonly Call[]): Call[] {
  return calls.flatMap((call) =>
    Array.from(call.bytes, (byte) => ({ ...call, bytes: Uint8Array.of(byte) })),
  );
}

/** The call at `index` cut in two at `at`. */
export function splitAt(calls: readonly Call[], index: number, at: number): Call[] {
  return calls.flatMap((call, number) =>
    number === index
      ? [
          { ...call, bytes: call.bytes.subarray(0, at) },
          { ...call, bytes: call.bytes.subarray(at) },
        ]
      : [call],
  );
}

/** A form of what was seen that can be compared. */
export function summary(seen: readonly Seen[]): unknown[] {
  return seen.map(({ exchange, requestBody, responseBody, holes }) => ({
    ordinal: exchange.ordinal,
    role: exchange.role,
    version: exchange.version,
    request: exchange.request && {
      method: exchange.request.method,
      target: exchange.request.target,
      fields: exchange.request.headers.fields,
      trailers: exchange.request.trailers?.fields,
      bytes: exchange.request.bodyBytes,
      complete: exchange.request.complete,
    },
    response: exchange.response && {
      status: exchange.response.status,
      fields: exchange.response.headers.fields,
      trailers: exchange.response.trailers?.fields,
      bytes: exchange.response.bodyBytes,
      complete: exchange.response.complete,
    },
    requestBody: requestBody.toString('latin1'),
    responseBody: responseBody.toString('latin1'),
    holes,
    damage: [...exchange.damage.kinds],
    lostBytes: exchange.damage.lostBytes,
  }));
}

// ---- descriptions ------------------------------------------------------------------------------------------

export type Framing = 'length' | 'chunked';
export type Coding = 'identity' | 'gzip' | 'x-gzip' | 'deflate' | 'raw-deflate' | 'br';

export interface BodyDescription {
  bytes: Uint8Array;
  framing: Framing;
  coding: Coding;
  /** Chunk sizes, repeated. */
  chunks: number[];
  extension: boolean;
  trailer: boolean;
}

export interface ExchangeDescription {
  method: string;
  path: string;
  requestBody: BodyDescription | undefined;
  interims: number[];
  status: number;
  responseBody: BodyDescription | undefined;
}

const SPECIAL_STATUS = [204, 304];

const coding = fc.constantFrom<Coding>(
  'identity',
  'identity',
  'gzip',
  'x-gzip',
  'deflate',
  'raw-deflate',
  'br',
);

const body: fc.Arbitrary<BodyDescription> = fc.record({
  bytes: fc.uint8Array({ maxLength: 300 }),
  framing: fc.constantFrom<Framing>('length', 'chunked'),
  coding,
  chunks: fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 4 }),
  extension: fc.boolean(),
  trailer: fc.boolean(),
});

export const exchangeDescription: fc.Arbitrary<ExchangeDescription> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'),
  path: fc.constantFrom('/', '/v1/chat/completions', '/a?b=c&d'),
  requestBody: fc.option(body, { nil: undefined }),
  interims: fc.array(fc.constantFrom(100, 102, 103), { maxLength: 2 }),
  status: fc.constantFrom(200, 200, 200, 201, 404, 500, 204, 304),
  responseBody: fc.option(body, { nil: undefined }),
});

export interface WireExchange {
  description: ExchangeDescription;
  number: number;
  request: Buffer;
  response: Buffer;
}

/** The wire bytes of an exchange; `number` is written into its target and its response. */
export function wireOf(description: ExchangeDescription, number: number): WireExchange {
  const { method, path, requestBody, interims, status, responseBody } = description;
  const target = `${path}${path.includes('?') ? '&' : '?'}n=${number}`;
  const request = Buffer.concat([
    Buffer.from(`${method} ${target} HTTP/1.1\r\nHost: h.example\r\nX-Two: a\r\nX-Two: b\r\n`),
    bodyWire(requestBody, true),
  ]);
  const interim = interims
    .map((code) => `HTTP/1.1 ${code} Interim\r\nLink: </x>; rel=preload\r\n\r\n`)
    .join('');
  const start = `HTTP/1.1 ${status} Whatever it is\r\nX-Number: ${number}\r\n`;
  const hasBody = method !== 'HEAD' && !SPECIAL_STATUS.includes(status);
  // A length in the answer to HEAD, and in a 304, tells what would have been sent.
  const rest = hasBody
    ? bodyWire(responseBody, false)
    : Buffer.from(status === 204 ? '\r\n' : 'Content-Length: 1234\r\n\r\n');
  return {
    description,
    number,
    request,
    response: Buffer.concat([Buffer.from(interim + start), rest]),
  };
}

/** Bodies as the observer must get them. */
export function expectedBodies(description: ExchangeDescription): {
  request: Uint8Array;
  response: Uint8Array;
} {
  const empty = new Uint8Array(0);
  const hasBody = description.method !== 'HEAD' && !SPECIAL_STATUS.includes(description.status);
  return {
    request: description.requestBody?.bytes ?? empty,
    response: hasBody ? (description.responseBody?.bytes ?? empty) : empty,
  };
}

/** The fields that frame a body, the empty line, and the body. */
function bodyWire(description: BodyDescription | undefined, isRequest: boolean): Buffer {
  if (description === undefined) {
    return Buffer.from(isRequest ? '\r\n' : 'Content-Length: 0\r\n\r\n');
  }
  const encoded = encode(description.bytes, description.coding);
  const name = description.coding === 'raw-deflate' ? 'deflate' : description.coding;
  const encoding = name === 'identity' ? '' : `Content-Encoding: ${name}\r\n`;
  if (description.framing === 'length') {
    return Buffer.concat([
      Buffer.from(`${encoding}Content-Length: ${encoded.length}\r\n\r\n`),
      encoded,
    ]);
  }
  const parts: Buffer[] = [Buffer.from(`${encoding}Transfer-Encoding: chunked\r\n\r\n`)];
  const extension = description.extension ? ';name="va lue"' : '';
  let at = 0;
  for (let turn = 0; at < encoded.length; turn += 1) {
    const size = description.chunks[turn % description.chunks.length] ?? 1;
    const chunk = encoded.subarray(at, at + size);
    at += chunk.length;
    parts.push(Buffer.from(`${chunk.length.toString(16)}${extension}\r\n`), chunk);
    parts.push(Buffer.from('\r\n'));
  }
  parts.push(Buffer.from(`0\r\n${description.trailer ? 'X-Trailer: t\r\n' : ''}\r\n`));
  return Buffer.concat(parts);
}

export function encode(bytes: Uint8Array, name: Coding): Buffer {
  switch (name) {
    case 'gzip':
    case 'x-gzip':
      return gzipSync(bytes);
    case 'deflate':
      return deflateSync(bytes);
    case 'raw-deflate':
      return deflateRawSync(bytes);
    case 'br':
      return brotliCompressSync(bytes);
    default:
      return Buffer.from(bytes);
  }
}

/** Cuts bytes at the given fractions (0–1 each). */
export function cut(bytes: Uint8Array, fractions: readonly number[]): Uint8Array[] {
  const cuts = [...new Set(fractions.map((fraction) => Math.floor(fraction * bytes.length)))]
    .filter((at) => at > 0 && at < bytes.length)
    .sort((one, other) => one - other);
  const pieces: Uint8Array[] = [];
  let start = 0;
  for (const at of [...cuts, bytes.length]) {
    pieces.push(bytes.subarray(start, at));
    start = at;
  }
  return pieces;
}

export const fractions = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 });
