/**
 * Speed of transport + http + sse on one core: chunked event streams, one TLS call per event, as a streaming
 * client reads them. Run: `npx tsx bench/http.ts [seconds per row]`.
 *
 * Every row counts its events at the far end and stops when the number is wrong: a bench of broken code is
 * worth nothing. The inputs are made before the clock starts; the best of three rounds is shown.
 */
import { constants, createBrotliCompress, createGzip } from 'node:zlib';
import type { CaptureEvent, DataEvent } from '../src/capture/events.ts';
import type { BodySink } from '../src/http/exchange.ts';
import { createHttpStage } from '../src/http/http-stage.ts';
import { createSseDecoder } from '../src/http/sse-decoder.ts';
import { createTransport } from '../src/transport/transport.ts';

const ROUND_SECONDS = Number(process.argv[2] ?? '1');
const EVENTS_PER_STREAM = 500;
const CONNECTIONS = 20;

interface Work {
  name: string;
  /** Bytes of one event's content, and the coding of the stream. */
  textBytes: number;
  coding: 'identity' | 'gzip' | 'br';
  /** Whether an observer wants the body: a response that is no model call is only framed. */
  observed: boolean;
  parseJson?: boolean;
}

const WORKS: Work[] = [
  { name: 'framing only, 240 B events', textBytes: 20, coding: 'identity', observed: false },
  { name: 'sse, 240 B events', textBytes: 20, coding: 'identity', observed: true },
  {
    name: 'sse, 240 B events + JSON.parse',
    textBytes: 20,
    coding: 'identity',
    observed: true,
    parseJson: true,
  },
  { name: 'sse, 1.2 KB events', textBytes: 1000, coding: 'identity', observed: true },
  { name: 'sse, 16 KB events', textBytes: 16_000, coding: 'identity', observed: true },
  { name: 'sse, gzip flushed per event', textBytes: 20, coding: 'gzip', observed: true },
  { name: 'sse, br flushed per event', textBytes: 20, coding: 'br', observed: true },
];

function sseEvent(index: number, textBytes: number): Buffer {
  const delta = {
    id: 'chatcmpl-BENCHBENCHBENCHBENCHBENCHBEN',
    object: 'chat.completion.chunk',
    created: 1_700_000_000 + index,
    model: 'bench-model-2026-01-01',
    system_fingerprint: 'fp_0123456789',
    choices: [{ index: 0, delta: { content: 'x'.repeat(textBytes) }, finish_reason: null }],
  };
  return Buffer.from(`data: ${JSON.stringify(delta)}\n\n`);
}

/** The stream's bytes as they leave the encoder after each event. */
async function encoded(events: Buffer[], coding: Work['coding']): Promise<Buffer[]> {
  if (coding === 'identity') {
    return events;
  }
  const encoder = coding === 'gzip' ? createGzip({ level: 6 }) : createBrotliCompress();
  const flush = coding === 'gzip' ? constants.Z_SYNC_FLUSH : constants.BROTLI_OPERATION_FLUSH;
  const parts: Buffer[] = [];
  encoder.on('data', (part: Buffer) => parts.push(part));
  const flushed: Buffer[] = [];
  for (const event of events) {
    encoder.write(event);
    await new Promise<void>((resolve) => encoder.flush(flush, resolve));
    flushed.push(Buffer.concat(parts.splice(0)));
  }
  encoder.end();
  await new Promise((resolve) => encoder.once('end', resolve));
  const last = flushed.pop() ?? Buffer.alloc(0);
  return [...flushed, Buffer.concat([last, ...parts])];
}

interface Load {
  events: CaptureEvent[];
  wireBytes: number;
  contentBytes: number;
  sseEvents: number;
}

/** Streams on several connections, interleaved call by call; every connection carries one after the other. */
async function load(work: Work): Promise<Load> {
  const plain = Array.from({ length: EVENTS_PER_STREAM }, (_, index) =>
    sseEvent(index, work.textBytes),
  );
  const body = await encoded(plain, work.coding);
  const coding = work.coding === 'identity' ? '' : `Content-Encoding: ${work.coding}\r\n`;
  const request = Buffer.from('POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}');
  const response = Buffer.from(
    `HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n${coding}Transfer-Encoding: chunked\r\n\r\n`,
  );
  const chunks = body.map((part) =>
    Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]),
  );
  const reads = [response, ...chunks, Buffer.from('0\r\n\r\n')];
  const connections = Array.from({ length: CONNECTIONS }, (_, index) => ({
    process: { pid: 1000 + (index % 3), startNs: 1n },
    stack: 'openssl' as const,
    object: 0x7f00_0000_0000 + index * 4096,
    generation: 1n,
  }));
  const events: CaptureEvent[] = [];
  let timeNs = 1_000n;
  let wireBytes = 0;
  const add = (index: number, direction: 'read' | 'write', bytes: Buffer, position: number) => {
    timeNs += 1000n;
    wireBytes += bytes.length;
    const event: DataEvent = {
      type: 'data',
      timeNs,
      enterNs: timeNs - 500n,
      tid: 1,
      connection: connections[index] as (typeof connections)[number],
      direction,
      position,
      callBytes: bytes.length,
      callOffset: 0,
      sequence: 0,
      bytes,
    };
    events.push(event);
  };
  for (const index of connections.keys()) {
    add(index, 'write', request, 0);
  }
  let position = 0;
  for (const read of reads) {
    for (const index of connections.keys()) {
      add(index, 'read', read, position);
    }
    position += read.length;
  }
  return {
    events,
    wireBytes,
    contentBytes: plain.reduce((sum, part) => sum + part.length, 0) * CONNECTIONS,
    sseEvents: EVENTS_PER_STREAM * CONNECTIONS,
  };
}

/** Sends the load once through a fresh chain; returns the events seen at its end. */
function pass(work: Work, { events }: Load): number {
  let seen = 0;
  const sink = (): BodySink =>
    createSseDecoder({
      onEvent: (event) => {
        seen += 1;
        if (work.parseJson) {
          JSON.parse(event.data);
        }
      },
    });
  let ended = 0;
  const transport = createTransport({
    createParser: createHttpStage({
      handler: () =>
        work.observed
          ? { response: sink, end: () => {} }
          : {
              end: () => {
                ended += 1;
              },
            },
    }),
    onFault: (error) => {
      throw error;
    },
  });
  for (const event of events) {
    transport.push(event);
  }
  return work.observed ? seen : ended * EVENTS_PER_STREAM;
}

function row(cells: readonly string[]): string {
  const widths = [32, 10, 12, 12, 10];
  return cells
    .map((cell, index) =>
      index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0),
    )
    .join('  ');
}

console.log(row(['work', 'wire MB/s', 'content MB/s', 'events/s', 'µs/event']));
for (const work of WORKS) {
  const prepared = await load(work);
  let best = 0;
  for (let round = 0; round < 3; round += 1) {
    let passes = 0;
    const startMs = performance.now();
    while (performance.now() - startMs < ROUND_SECONDS * 1000) {
      const seen = pass(work, prepared);
      if (seen !== prepared.sseEvents) {
        console.error(`${work.name}: ${seen} events instead of ${prepared.sseEvents}`);
        process.exit(1);
      }
      passes += 1;
    }
    best = Math.max(best, passes / ((performance.now() - startMs) / 1000));
  }
  const perSecond = best * prepared.sseEvents;
  console.log(
    row([
      work.name,
      ((best * prepared.wireBytes) / 1e6).toFixed(0),
      ((best * prepared.contentBytes) / 1e6).toFixed(0),
      Math.round(perSecond).toLocaleString('en'),
      (1e6 / perSecond).toFixed(2),
    ]),
  );
}
