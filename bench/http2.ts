/**
 * How fast HTTP/2 connections are taken apart: frames and bytes a second, one core.
 * `npx tsx bench/http2.ts [SECONDS]`. Prints a table; each row is the median of its rounds. The rows of one run can
 * be compared with one another; between machines only their ratios can.
 */
import type { ConnectionRef } from '../src/capture/events.ts';
import type { Exchange } from '../src/http/exchange.ts';
import { createHttpStage } from '../src/http/http-stage.ts';
import {
  END_STREAM,
  frame,
  headers,
  PREFACE,
  requestFields,
  settings,
  TestEncoder,
} from '../test/support/http2-writer.ts';

const SECONDS_PER_ROW = Number(process.argv[2] ?? 2);
/** What a TLS record can hold, and so what one read mostly gives. */
const READ_BYTES = 16_384;
const CONNECTION: ConnectionRef = {
  process: { pid: 1, startNs: 1n },
  stack: 'openssl',
  object: 8,
  generation: 1n,
};

interface Piece {
  direction: 'read' | 'write';
  bytes: Uint8Array;
}

interface Workload {
  name: string;
  pieces: Piece[];
  frames: number;
  exchanges: number;
}

const EVENT = `data: ${JSON.stringify({
  id: 'chatcmpl-BxVqnSWJ0a1c2e3g4i5k6m7o8',
  object: 'chat.completion.chunk',
  created: 1_763_700_000,
  model: 'gpt-4o-2024-08-06',
  choices: [{ index: 0, delta: { content: ' quick' }, logprobs: null, finish_reason: null }],
})}\n\n`;

/** Cuts the response's frames into reads of `readBytes`; 0: a read a frame. */
function workload(
  name: string,
  streams: number,
  framesEach: number,
  payload: Buffer,
  readBytes: number,
): Workload {
  const client = new TestEncoder();
  const server = new TestEncoder();
  const ids = Array.from({ length: streams }, (_, index) => index * 2 + 1);
  const fields = [
    ['authorization', 'Bearer sk-0123456789abcdefghijklmnop'],
    ['content-type', 'application/json'],
    ['accept', 'text/event-stream'],
    ['user-agent', 'OpenAI/JS 6.49.0'],
    ['x-stainless-lang', 'js'],
  ] as const;
  const requests = ids.map((id) =>
    Buffer.concat([
      headers(id, client.block(requestFields('/v1/chat/completions', fields))),
      frame('DATA', END_STREAM, id, '{"model":"gpt-4o"}'),
    ]),
  );
  const answers: Buffer[] = [settings()];
  for (const id of ids) {
    const block = server.block([
      [':status', '200'],
      ['content-type', 'text/event-stream; charset=utf-8'],
      ['date', `Fri, 21 Nov 2025 12:00:${id % 60} GMT`],
      ['x-request-id', `req_${id}`],
    ]);
    answers.push(headers(id, block));
  }
  for (let round = 0; round < framesEach; round += 1) {
    for (const id of ids) {
      answers.push(frame('DATA', round === framesEach - 1 ? END_STREAM : 0, id, payload));
    }
  }
  const pieces: Piece[] = [
    { direction: 'write', bytes: Buffer.concat([PREFACE, settings(), ...requests]) },
  ];
  if (readBytes === 0) {
    pieces.push(...answers.map((bytes): Piece => ({ direction: 'read', bytes })));
  } else {
    const all = Buffer.concat(answers);
    for (let at = 0; at < all.length; at += readBytes) {
      pieces.push({ direction: 'read', bytes: all.subarray(at, at + readBytes) });
    }
  }
  return { name, pieces, frames: streams * (framesEach + 3) + 2, exchanges: streams };
}

/** Runs one connection through the stage. */
function run({ pieces }: Workload): { exchanges: Exchange[]; bytes: number } {
  const exchanges: Exchange[] = [];
  let bytes = 0;
  const sink = {
    data(part: Uint8Array) {
      bytes += part.length;
    },
    gap() {},
    end() {},
  };
  const parser = createHttpStage({
    handler: () => ({
      requestBody: sink,
      response: () => sink,
      end: (exchange) => exchanges.push(exchange),
    }),
  })(CONNECTION);
  const positions = { read: 0, write: 0 };
  let timeNs = 1_000_000_000_000n;
  for (const { direction, bytes: part } of pieces) {
    timeNs += 1000n;
    parser.data(
      direction,
      part,
      { enterNs: timeNs - 100n, timeNs, callOffset: 0 },
      positions[direction],
    );
    positions[direction] += part.length;
  }
  parser.end('closed', timeNs);
  return { exchanges, bytes };
}

/** Seconds of one round, the median over as many rounds as fit. */
function measure(round: () => void): number {
  const times: number[] = [];
  const end = performance.now() + SECONDS_PER_ROW * 1000;
  while (performance.now() < end || times.length < 5) {
    const start = performance.now();
    round();
    times.push((performance.now() - start) / 1000);
  }
  times.sort((a, b) => a - b);
  return times[times.length >> 1]!;
}

const BULK = Buffer.alloc(READ_BYTES, 'x');
const WORKLOADS: readonly Workload[] = [
  workload('100 streams, an event a frame, a frame a read', 100, 200, Buffer.from(EVENT), 0),
  workload('100 streams, an event a frame, reads of 16 KiB', 100, 200, Buffer.from(EVENT), 16_384),
  workload('one stream, an event a frame, reads of 16 KiB', 1, 20_000, Buffer.from(EVENT), 16_384),
  workload('one stream, frames of 16 KiB', 1, 2000, BULK, 16_384),
  workload('2000 exchanges of one frame each', 2000, 1, Buffer.from('{}'), 16_384),
];

console.log(
  `${'workload'.padEnd(52)}${'frames'.padStart(10)}${'bytes'.padStart(11)}${'each'.padStart(11)}`,
);
for (const one of WORKLOADS) {
  const { exchanges } = run(one);
  const isExact = exchanges.every(
    ({ damage, request, response }) => !damage.any && request?.complete && response?.complete,
  );
  if (exchanges.length !== one.exchanges || !isExact) {
    throw new Error(`${one.name}: the exchanges are not what they should be`);
  }
  const bytes = one.pieces.reduce((sum, piece) => sum + piece.bytes.length, 0);
  const seconds = measure(() => run(one));
  const rate = `${(one.frames / seconds / 1000).toFixed(0)} k/s`.padStart(10);
  const megabytes = (bytes / seconds / 1e6).toFixed(0).padStart(6);
  const time = `${(seconds * 1000).toFixed(2)} ms`.padStart(11);
  console.log(`${one.name.padEnd(52)}${rate}${megabytes} MB/s${time}`);
}
