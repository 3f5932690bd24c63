/**
 * Speed of WebSocket messages and of body formats on one core, by the stage. Run:
 * `npx tsx bench/websocket.ts [seconds per row]`.
 *
 * Every row counts its records at the far end and stops when the number is wrong. The inputs are made before the
 * clock starts; the best of three rounds is shown. The last column is what a record allocates on the heap.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import type { BodySink } from '../src/http/exchange.ts';
import { createHttpStage } from '../src/http/http-stage.ts';
import { createMultipartReader } from '../src/http/multipart-reader.ts';
import { createStreamReader, type RecordFormat } from '../src/http/stream-reader.ts';
import { createWebSocketStage } from '../src/http/websocket/websocket-upgrade.ts';
import { createZstdDecoder } from '../src/http/zstd-decoder.ts';
import { createLlmSocketStage } from '../src/llm/llm-socket-stage.ts';
import { createTransport } from '../src/transport/transport.ts';
import { type Call, captureEvents } from '../test/support/http-generator.ts';
import { createCompressor, frame, handshake } from '../test/support/websocket-wire.ts';
import { startAllocationMeter } from './support/allocation.ts';

const ROUND_SECONDS = Number(process.argv[2] ?? '1');
const RECORDS = 4000;

interface Prepared {
  wireBytes: number;
  records: number;
  /** One pass through a fresh parser; returns the records seen. */
  pass(): number;
}

function delta(index: number, textBytes: number): Buffer {
  const event = {
    type: 'response.output_text.delta',
    item_id: 'msg_BENCHBENCHBENCHBENCHBENCHBENCHBENCH',
    output_index: 0,
    content_index: 0,
    sequence_number: index,
    delta: 'x'.repeat(textBytes),
  };
  return Buffer.from(JSON.stringify(event));
}

function webSocket(
  textBytes: number,
  isClient: boolean,
  isDeflating: boolean,
  isObserved = true,
): Prepared {
  const compress = createCompressor(true);
  const calls = Array.from({ length: RECORDS }, (_, index) => {
    const plain = delta(index, textBytes);
    const payload = isDeflating ? compress(plain) : plain;
    const masking = isClient ? { key: Uint8Array.of(1, 2, 3, index & 255) } : {};
    const bytes = frame({ opcode: 1, payload, rsv1: isDeflating, ...masking });
    return { side: isClient ? ('request' as const) : ('response' as const), bytes };
  });
  const opening = handshake(isDeflating ? 'permessage-deflate' : undefined);
  const events = captureEvents([...opening, ...calls]);
  return {
    wireBytes: calls.reduce((sum, { bytes }) => sum + bytes.length, 0),
    records: RECORDS,
    pass() {
      let seen = 0;
      const sink: BodySink = { data: () => {}, gap: () => process.exit(1), end: () => {} };
      const stage = createWebSocketStage({
        handler: () => ({
          ...(isObserved ? { message: () => sink } : {}),
          messageEnd: () => {
            seen += 1;
          },
        }),
      });
      const transport = createTransport({
        createParser: createHttpStage({ handler: () => undefined, upgrade: stage.upgrade }),
      });
      for (const event of events) {
        transport.push(event);
      }
      return seen;
    },
  };
}

/** Streamed responses, each asked for, read to model calls: what an event costs the whole way. */
function socketEvents(textBytes: number): Prepared {
  const perResponse = 200;
  const frames: Call[] = [];
  let wireBytes = 0;
  const say = (side: 'request' | 'response', message: object): void => {
    const masking = side === 'request' ? { key: Uint8Array.of(1, 2, 3, 4) } : {};
    const bytes = frame({ opcode: 1, payload: Buffer.from(JSON.stringify(message)), ...masking });
    wireBytes += bytes.length;
    frames.push({ side, bytes });
  };
  for (let response = 0; response < RECORDS / perResponse; response += 1) {
    const id = `resp_${response}`;
    say('request', { type: 'response.create', model: 'm', input: 'Say something.' });
    say('response', { type: 'response.created', response: { id } });
    for (let index = 0; index < perResponse - 2; index += 1) {
      const bytes = frame({ opcode: 1, payload: delta(index, textBytes) });
      wireBytes += bytes.length;
      frames.push({ side: 'response', bytes });
    }
    const usage = { input_tokens: 1, output_tokens: 2 };
    say('response', {
      type: 'response.completed',
      response: { id, status: 'completed', usage },
    });
  }
  const events = captureEvents([...handshake(undefined, '/v1/responses'), ...frames]);
  return {
    wireBytes,
    records: RECORDS,
    pass() {
      let calls = 0;
      const transport = createTransport({
        createParser: createHttpStage({
          handler: () => undefined,
          webSocket: createLlmSocketStage({
            observer: {
              started: () => {},
              finished: (call) => {
                calls += call.complete && !call.damage.any ? 1 : 0;
              },
            },
            keepContent: false,
            maxContentBytes: 65_536,
          }),
        }),
      });
      for (const event of events) {
        transport.push(event);
      }
      return calls * perResponse;
    },
  };
}

function records(format: RecordFormat, pieces: readonly Buffer[]): Prepared {
  return {
    wireBytes: pieces.reduce((sum, piece) => sum + piece.length, 0),
    records: pieces.length,
    pass() {
      let seen = 0;
      const reader = createStreamReader(format, {
        onRecord: () => {
          seen += 1;
        },
        onDamage: () => process.exit(1),
      });
      for (const piece of pieces) {
        reader.data(piece, 1n);
      }
      reader.end(true, 1n);
      return seen;
    },
  };
}

function jsonArray(textBytes: number): Prepared {
  return records(
    'json-array',
    Array.from({ length: RECORDS }, (_, index) =>
      Buffer.concat([Buffer.from(index === 0 ? '[' : ',\r\n'), delta(index, textBytes)]),
    ),
  );
}

function ndjson(textBytes: number): Prepared {
  return records(
    'ndjson',
    Array.from({ length: RECORDS }, (_, index) =>
      Buffer.concat([delta(index, textBytes), Buffer.from('\n')]),
    ),
  );
}

async function awsEvents(textBytes: number): Promise<Prepared> {
  const { EventStreamCodec } = await import('@smithy/eventstream-codec');
  const codec = new EventStreamCodec(
    (bytes) => Buffer.from(bytes as Uint8Array).toString(),
    (text) => Buffer.from(text),
  );
  return records(
    'aws-event-stream',
    Array.from({ length: RECORDS }, (_, index) =>
      Buffer.from(
        codec.encode({
          headers: {
            ':event-type': { type: 'string', value: 'contentBlockDelta' },
            ':content-type': { type: 'string', value: 'application/json' },
            ':message-type': { type: 'string', value: 'event' },
          },
          body: delta(index, textBytes),
        }),
      ),
    ),
  );
}

/** Blocks as the zstd command makes them, in reads of 16 KiB. */
function zstd(arguments_: readonly string[]): Prepared | undefined {
  if (spawnSync('zstd', ['--version']).error) {
    return undefined;
  }
  const plain = Buffer.concat(
    Array.from({ length: 20_000 }, (_, index) => delta(index * 7919, index % 40)),
  );
  const wire = execFileSync('zstd', ['-c', '-q', ...arguments_], { input: plain, maxBuffer: 1e9 });
  return {
    wireBytes: plain.length,
    records: plain.length,
    pass() {
      let seen = 0;
      const decoder = createZstdDecoder((bytes) => {
        seen += bytes.length;
        return true;
      });
      for (let at = 0; at < wire.length; at += 16_384) {
        decoder.push(wire.subarray(at, at + 16_384));
      }
      return decoder.finish() === 'ok' ? seen : -1;
    },
  };
}

/** A frame of which every event is a flushed block, as a server streams it; raw blocks stand for any kind. */
function zstdFlushed(): Prepared {
  const event = delta(1, 20);
  const size = event.length << 3;
  const block = Buffer.concat([Buffer.from([size & 255, size >> 8, 0]), event]);
  return {
    wireBytes: block.length * RECORDS,
    records: RECORDS,
    pass() {
      let seen = 0;
      const decoder = createZstdDecoder(() => {
        seen += 1;
        return true;
      });
      decoder.push(Buffer.from('28b52ffd0068', 'hex'));
      for (let index = 0; index < RECORDS; index += 1) {
        decoder.push(block);
      }
      return seen;
    },
  };
}

function multipart(): Prepared {
  const block = Buffer.alloc(65_536, 'audio\r\n');
  const reads = 200;
  return {
    wireBytes: block.length * reads,
    records: 1,
    pass() {
      let seen = 0;
      const reader = createMultipartReader({
        boundary: 'boundary',
        onPart: () => {
          seen += 1;
        },
      });
      reader.data(Buffer.from('--boundary\r\n\r\n'), 1n);
      for (let index = 0; index < reads; index += 1) {
        reader.data(block, 1n);
      }
      reader.data(Buffer.from('\r\n--boundary--'), 1n);
      return seen;
    },
  };
}

const works: [string, Prepared | undefined][] = [
  ['ws, server, 200 B messages, framing only', webSocket(20, false, false, false)],
  ['ws, server, 200 B messages', webSocket(20, false, false)],
  ['ws, client (masked), 200 B messages', webSocket(20, true, false)],
  ['ws, server, 16 KB messages', webSocket(16_000, false, false)],
  ['ws, client (masked), 16 KB messages', webSocket(16_000, true, false)],
  ['ws, deflate with takeover, 200 B messages', webSocket(20, false, true)],
  ['ws, responses to model calls, 200 B events', socketEvents(20)],
  ['ndjson, 200 B lines', ndjson(20)],
  ['ndjson, 16 KB lines', ndjson(16_000)],
  ['json array, 200 B elements', jsonArray(20)],
  ['json array, 16 KB elements', jsonArray(16_000)],
  ['aws event stream, 300 B messages', await awsEvents(20)],
  ['multipart, 64 KiB reads', multipart()],
  ['zstd -3, decoded bytes', zstd(['-3', '--no-check'])],
  ['zstd -3 with checksum, decoded bytes', zstd(['-3', '--check'])],
  ['zstd, a block flushed per event', zstdFlushed()],
];

function row(cells: readonly string[]): string {
  const widths = [42, 10, 14, 10, 12];
  return cells
    .map((cell, index) =>
      index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0),
    )
    .join('  ');
}

console.log(row(['work', 'MB/s', 'records/s', 'µs each', 'B allocated']));
for (const [name, work] of works) {
  if (work === undefined) {
    console.log(row([name, 'the zstd command is not installed']));
    continue;
  }
  let best = 0;
  for (let round = 0; round < 3; round += 1) {
    let passes = 0;
    const startMs = performance.now();
    while (performance.now() - startMs < ROUND_SECONDS * 1000) {
      const seen = work.pass();
      if (seen !== work.records) {
        console.error(`${name}: ${seen} records instead of ${work.records}`);
        process.exit(1);
      }
      passes += 1;
    }
    best = Math.max(best, passes / ((performance.now() - startMs) / 1000));
  }
  const meter = startAllocationMeter();
  work.pass();
  meter.look();
  const perSecond = best * work.records;
  console.log(
    row([
      name,
      ((best * work.wireBytes) / 1e6).toFixed(0),
      Math.round(perSecond).toLocaleString('en'),
      (1e6 / perSecond).toFixed(3),
      (meter.bytes() / work.records).toFixed(1),
    ]),
  );
}
