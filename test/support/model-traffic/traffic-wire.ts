/**
 * Puts planned exchanges on the wire: on many connections of HTTP/1.1 and HTTP/2, cut anywhere and interleaved at
 * random, as events of the capture.
 */
import { gzipSync } from 'node:zlib';
import type { CaptureEvent, ConnectionRef } from '../../../src/capture/events.ts';
import { type Call, captureEvents } from '../http-generator.ts';
import { cutCalls, interleave, type StreamDescription } from '../http2-generator.ts';
import type { Random } from '../model-server/random.ts';
import { type AnswerTruth, isOneIn, type PlannedExchange, pick } from './traffic-plan.ts';

/** An exchange with the number that its request carries, and what of its answer was sent. */
export interface SentExchange {
  planned: PlannedExchange;
  number: number;
  version: '1.1' | '2';
  truth: AnswerTruth;
  /** The connection ended within its answer. */
  isBrokenOff: boolean;
}

export const NUMBER_FIELD = 'x-exchange';

/**
 * Draws how many of the planned exchanges share a connection, and which protocol it speaks. `besides` are connections
 * of their own.
 */
export function putOnWire(
  planned: readonly PlannedExchange[],
  random: Random,
  firstNumber: number,
  besides: readonly (readonly Call[])[] = [],
): { sent: SentExchange[]; events: CaptureEvent[] } {
  const sent: SentExchange[] = [];
  const streams: CaptureEvent[][] = [];
  for (let at = 0; at < planned.length; ) {
    const group = planned.slice(at, at + random.int(1, 12)).map(
      (one, index): SentExchange => ({
        planned: one,
        number: firstNumber + at + index,
        version: '1.1',
        truth: { usage: {}, choices: [], endedTools: [], isComplete: false },
        isBrokenOff: false,
      }),
    );
    at += group.length;
    sent.push(...group);
    const calls = isOneIn(random, 2) ? http2Calls(group, random) : http1Calls(group, random);
    streams.push(eventsOf(calls, group[0]!.number % 7, firstNumber + at));
  }
  besides.forEach((calls, index) => {
    const parts = calls.flatMap(({ side, bytes }) => cut(side, bytes as Buffer, sizes(random)));
    streams.push(eventsOf(parts, index % 7, 1_000_000 + firstNumber + index));
  });
  return { sent, events: shuffle(streams, random, BigInt(firstNumber) * 1_000_000_000n) };
}

function eventsOf(calls: readonly Call[], process: number, object: number): CaptureEvent[] {
  const connection: ConnectionRef = {
    process: { pid: 4000 + process, startNs: 1000n },
    stack: 'openssl',
    object,
    generation: BigInt(object),
  };
  return captureEvents(calls, { connection }).filter(({ type }) => type !== 'end');
}

/** Any order that keeps each connection's own, with the time going on. */
function shuffle(streams: CaptureEvent[][], random: Random, startNs: bigint): CaptureEvent[] {
  const open = streams.map((events) => ({ events, next: 0 }));
  const all: CaptureEvent[] = [];
  let timeNs = startNs + 1_000_000n;
  while (open.length > 0) {
    const index = random.int(0, open.length - 1);
    const stream = open[index]!;
    // Some go on for a while before another does.
    for (
      let turns = random.int(1, 4);
      turns > 0 && stream.next < stream.events.length;
      turns -= 1
    ) {
      const event = stream.events[stream.next]!;
      stream.next += 1;
      timeNs += 1000n;
      const timed = event.type === 'data' ? { ...event, enterNs: timeNs - 400n } : event;
      all.push({ ...timed, timeNs } as CaptureEvent);
    }
    if (stream.next === stream.events.length) {
      open.splice(index, 1);
    }
  }
  return all;
}

function sizes(random: Random): number[] {
  const largest = pick(random, 3, 40, 700, 20_000);
  return Array.from({ length: 7 }, () => random.int(1, largest));
}

function tell(one: SentExchange, pieces = one.planned.pieces): void {
  for (const piece of pieces) {
    piece.tell(one.truth);
  }
}

function isCompressed(one: SentExchange, random: Random): boolean {
  return one.planned.pieces.length > 0 && !one.isBrokenOff && isOneIn(random, 4);
}

function http1Calls(group: readonly SentExchange[], random: Random): Call[] {
  const calls: Call[] = [];
  const last = group.at(-1)!;
  last.isBrokenOff = last.planned.isStream && last.planned.pieces.length > 1 && isOneIn(random, 2);
  for (const one of group) {
    const { planned } = one;
    const fields = [
      `${planned.method} ${planned.target} HTTP/1.1`,
      `Host: ${planned.host}`,
      `${NUMBER_FIELD}: ${one.number}`,
      ...planned.requestHeaders.map(([name, value]) => `${name}: ${value}`),
      ...(planned.method === 'GET' ? [] : [`Content-Length: ${planned.request.length}`]),
    ];
    const request = Buffer.concat([Buffer.from(`${fields.join('\r\n')}\r\n\r\n`), planned.request]);
    calls.push(...cut('request', request, sizes(random)));
    calls.push(...cut('response', http1Response(one, random), sizes(random)));
  }
  return calls;
}

function cut(side: Call['side'], bytes: Buffer, lengths: readonly number[]): Call[] {
  const calls: Call[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const end = at + lengths[turn % lengths.length]!;
    calls.push({ side, bytes: bytes.subarray(at, end) });
    at = end;
  }
  return calls;
}

function http1Response(one: SentExchange, random: Random): Buffer {
  const { planned } = one;
  const kept = one.isBrokenOff ? random.int(1, planned.pieces.length - 1) : planned.pieces.length;
  const pieces = planned.pieces.slice(0, kept);
  tell(one, pieces);
  const isGzip = isCompressed(one, random);
  const whole = Buffer.concat(pieces.map(({ bytes }) => bytes));
  const bodies = isGzip ? [gzipSync(whole)] : pieces.map(({ bytes }) => bytes);
  const isChunked = one.isBrokenOff || planned.isStream || isOneIn(random, 2);
  const length = bodies.reduce((sum, bytes) => sum + bytes.length, 0);
  const head = [
    `HTTP/1.1 ${planned.status} Said`,
    ...planned.responseHeaders.map(([name, value]) => `${name}: ${value}`),
    ...(isGzip ? ['Content-Encoding: gzip'] : []),
    isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`,
  ];
  const framed = isChunked
    ? [
        ...bodies.map((bytes) =>
          Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, CRLF]),
        ),
        ...(one.isBrokenOff ? [] : [Buffer.from('0\r\n\r\n')]),
      ]
    : bodies;
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), ...framed]);
}

const CRLF = Buffer.from('\r\n');
const MAX_FRAME_BYTES = 16_384;

function http2Calls(group: readonly SentExchange[], random: Random): Call[] {
  const streams = group.map((one): StreamDescription => {
    const { planned } = one;
    one.version = '2';
    tell(one);
    const isGzip = isCompressed(one, random);
    const whole = Buffer.concat(planned.pieces.map(({ bytes }) => bytes));
    const answer = isGzip ? [gzipSync(whole)] : planned.pieces.map(({ bytes }) => bytes);
    const coding: [string, string][] = isGzip ? [['content-encoding', 'gzip']] : [];
    return {
      method: planned.method,
      path: planned.target,
      status: planned.status,
      interim: false,
      form: pick(random, 'indexed', 'added', 'plain'),
      isHuffman: isOneIn(random, 2),
      request: {
        fields: [...planned.requestHeaders, [NUMBER_FIELD, String(one.number)]],
        pieces: framesOf([planned.request]),
        padding: undefined,
        trailers: undefined,
        cut: undefined,
      },
      response: {
        fields: [...planned.responseHeaders, ...coding],
        pieces: framesOf(answer),
        padding: isOneIn(random, 4) ? random.int(0, 20) : undefined,
        trailers: undefined,
        cut: undefined,
      },
    };
  });
  const order = Array.from({ length: 29 }, () => random.int(0, 1000));
  return cutCalls(interleave(streams, order), sizes(random));
}

function framesOf(bodies: readonly Buffer[]): Buffer[] {
  return bodies.flatMap((body) => {
    const frames: Buffer[] = [];
    for (let at = 0; at < body.length; at += MAX_FRAME_BYTES) {
      frames.push(body.subarray(at, at + MAX_FRAME_BYTES));
    }
    return frames;
  });
}
