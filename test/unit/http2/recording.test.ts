/** A recording of HTTP/2 holds no credential, and its replay gives the exchanges of the live run. */
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import type { CaptureEvent, DataEvent } from '../../../src/capture/events.ts';
import { createScrubbingRecorder } from '../../../src/capture/scrubbing-recorder.ts';
import {
  type Call,
  captureEvents,
  observe,
  splitEveryByte,
  summary,
} from '../../support/http-generator.ts';
import { ask, connectPeers } from '../../support/http2-peers.ts';
import {
  type Field,
  frame,
  headers,
  PREFACE,
  requestFields,
  settings,
  TestEncoder,
} from '../../support/http2-writer.ts';

const KEY = 'sk-proj-Zz9_0123456789abcdefghijklmnop';
const SECRETS = [
  KEY,
  'AIzaSyA-0123456789abcdefghijklmnopqrstuv',
  'session=swordfish',
  'let{me}~in99',
];

/** What a recorder behind the stages writes. */
function record(events: readonly CaptureEvent[]): CaptureEvent[] {
  const written: CaptureEvent[] = [];
  const recorder = createScrubbingRecorder({
    write(event) {
      written.push(event.type === 'data' ? { ...event, bytes: Buffer.from(event.bytes) } : event);
    },
  });
  const releasedTo = { read: 0, write: 0 };
  const queue = events.map((event) => {
    recorder.event(event);
    return event;
  });
  observe(queue, {
    onSecret(connection, direction, position, length, replacement) {
      assert.ok(position >= releasedTo[direction], 'reported before it was released');
      assert.ok(replacement === undefined || replacement.length === length);
      recorder.mask(connection, direction, position, length, replacement);
    },
    onDecoded: recorder.decoded,
    onRelease(connection, direction, upTo) {
      assert.ok(upTo >= releasedTo[direction], 'release never goes back');
      releasedTo[direction] = upTo;
      recorder.release(connection, direction, upTo);
    },
  });
  recorder.flush();
  assert.equal(recorder.counters().unreleasedBytes, 0);
  return written;
}

function bytesOf(events: readonly CaptureEvent[], direction: 'read' | 'write'): Buffer {
  return Buffer.concat(
    events
      .filter((event): event is DataEvent => event.type === 'data')
      .filter((event) => event.direction === direction)
      .map((event) => event.bytes),
  );
}

function assertSame(calls: readonly Call[]): void {
  const events = captureEvents(calls);
  const live = observe(events);
  const recorded = record(events);
  assert.deepEqual(
    recorded.map((event) => (event.type === 'data' ? event.bytes.length : event.type)),
    events.map((event) => (event.type === 'data' ? event.bytes.length : event.type)),
    'lengths and positions stay',
  );
  const replayed = observe(recorded);
  assert.deepEqual(summary(replayed).map(withoutBodies), summary(live).map(withoutBodies));
  for (const direction of ['read', 'write'] as const) {
    const text = bytesOf(recorded, direction).toString('latin1');
    for (const secret of SECRETS) {
      assert.ok(!text.includes(secret));
    }
  }
  const shown = JSON.stringify(summary(replayed));
  for (const secret of SECRETS) {
    assert.ok(!shown.includes(secret), `${secret} is not in the replay`);
  }
  // What was recorded holds nothing that a second recording would find.
  assert.deepEqual(bytesOf(record(recorded), 'write'), bytesOf(recorded, 'write'));
}

/** Bodies of a recording are masked; live ones are what they were. */
function withoutBodies(one: unknown): unknown {
  const {
    requestBody: _request,
    responseBody: _response,
    ...rest
  } = one as Record<string, unknown>;
  return rest;
}

describe('http2 recordings', function () {
  this.timeout(30_000);

  it("Node's client and server: credentials in fields, targets and bodies", async () => {
    const peers = connectPeers((stream) => {
      stream.respond({ ':status': 200, 'set-cookie': SECRETS[2] ?? '', 'x-plain': 'kept' });
      stream.end(`data: {"key":"${KEY}"}\n\n`);
    });
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        ask(
          peers.client,
          {
            ':method': 'POST',
            ':path': `/v1/models/m${index}:stream?key=${SECRETS[1]}&alt=sse&n=${index}`,
            authorization: `Bearer ${KEY}`,
            'x-api-key': `${SECRETS[3]}${index}`,
            referer: `https://u:letmein@h/`,
          },
          Buffer.from(`{"input":"${KEY}","n":${index}}`),
        ),
      ),
    );
    await peers.close();
    assertSame(peers.calls);
    assertSame(splitEveryByte(peers.calls));
    const [first] = observe(record(captureEvents(peers.calls)));
    assert.match(
      first?.exchange.request?.target ?? '',
      /^\/v1\/models\/m0:stream\?key=\*+&alt=sse&n=0$/,
    );
    assert.match(first?.requestBody.toString() ?? '', /^\{"input":"\*+","n":0\}$/);
    assert.equal(first?.exchange.response?.headers.get('x-plain'), 'kept');
  });

  it('every form of a literal, coded or not, cut by CONTINUATION frames anywhere', () => {
    for (const isHuffman of [false, true]) {
      for (const form of ['added', 'plain', 'never'] as const) {
        for (const cut of [3, 17, 1000]) {
          const encoder = new TestEncoder();
          const calls: Call[] = [{ side: 'request', bytes: Buffer.concat([PREFACE, settings()]) }];
          for (let id = 1; id < 9; id += 2) {
            const fields = requestFields(`/x?token=${KEY}&id=${id}`, [
              ['authorization', `Bearer ${KEY}`],
              ['x-secret', SECRETS[3] ?? ''],
              ['x-id', String(id)],
            ]);
            const block = encoder.block(fields, id > 4 ? 'indexed' : form, isHuffman);
            calls.push({ side: 'request', bytes: headers(id, block, 1, cut) });
          }
          assertSame(calls);
        }
      }
    }
  });

  it('what nobody examines is masked: unknown frames, padding, a block cut off by the end', () => {
    const encoder = new TestEncoder();
    const block = encoder.block(requestFields('/', [['x-secret', KEY]]), 'plain', false);
    const calls: Call[] = [
      { side: 'request', bytes: Buffer.concat([PREFACE, settings()]) },
      { side: 'request', bytes: frame(0xbb, 0, 0, KEY) },
      { side: 'request', bytes: frame('DATA', 8, 1, `${String.fromCharCode(KEY.length)}${KEY}`) },
      { side: 'request', bytes: headers(3, block, 0).subarray(0, 80) },
    ];
    const recorded = bytesOf(record(captureEvents(calls)), 'write').toString('latin1');
    assert.ok(!recorded.includes(KEY.slice(0, 12)));
  });

  it('nothing compressed is in them: of gRPC, of a body whose head was lost, of unknown encodings', () => {
    const packed = gzipSync(Buffer.from(`{"key":"${KEY}"}`.repeat(9)));
    const message = Buffer.concat([Buffer.from([1, 0, 0, 0, packed.length]), packed]);
    assert.ok(packed.length < 256);
    const type = ['content-type', 'application/grpc'] as const;
    const request = (id: number, fields: Field[], body: Uint8Array): Call[] => [
      { side: 'request', bytes: headers(id, encoder.block(requestFields('/', fields)), 4) },
      { side: 'request', bytes: frame('DATA', 1, id, body) },
    ];
    const encoder = new TestEncoder();
    const start: Call = { side: 'request', bytes: Buffer.concat([PREFACE, settings()]) };
    const grpc = request(1, [type, ['grpc-encoding', 'gzip']], message);
    const unknown = request(3, [['content-encoding', 'lzma']], packed);
    const headless: Call = { side: 'request', bytes: frame('DATA', 1, 5, packed) };
    const calls = [start, ...grpc, ...unknown, headless];
    for (const cut of [calls, splitEveryByte(calls)]) {
      const recorded = bytesOf(record(captureEvents(cut)), 'write');
      assert.ok(recorded.includes(message.subarray(0, 5)), 'where messages begin is there');
      // The header of gzip begins with a byte that texts may have.
      for (let at = 4; at + 8 < packed.length; at += 8) {
        assert.ok(!recorded.includes(packed.subarray(at, at + 8)), `compressed bytes at ${at}`);
      }
    }
  });
});
