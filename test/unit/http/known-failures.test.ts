/** Failures that observers of this kind are known for, each held off by a test of its name. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { CaptureEvent, DataEvent } from '../../../src/capture/events.ts';
import { createHttpStage } from '../../../src/http/http-stage.ts';
import { createSseDecoder } from '../../../src/http/sse-decoder.ts';
import { createTransport } from '../../../src/transport/transport.ts';
import {
  type Call,
  CONNECTION,
  callsOf,
  captureEvents,
  observe,
  run,
} from '../../support/http-generator.ts';
import { Script } from '../../support/http2-script.ts';

const GET = '>GET /x HTTP/1.1\r\n\r\n';

function answer(body: Uint8Array, fields = ''): Call[] {
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${fields}\r\n`;
  const calls: Call[] = [{ side: 'response', bytes: Buffer.from(head) }];
  // A TLS record carries 16 KiB at most.
  for (let at = 0; at < body.length; at += 16_384) {
    calls.push({ side: 'response', bytes: body.subarray(at, at + 16_384) });
  }
  return calls;
}

/** 1 to 2048, and then around every power of two and in odd steps up to 64 KiB. */
function sizes(): number[] {
  const all = new Set<number>();
  for (let size = 1; size <= 2048; size += 1) {
    all.add(size);
  }
  for (let size = 2049; size <= 65_536; size += 101) {
    all.add(size);
  }
  for (let power = 9; power <= 16; power += 1) {
    for (const size of [2 ** power - 1, 2 ** power, 2 ** power + 1]) {
      all.add(Math.min(size, 65_536));
    }
  }
  return [...all];
}

describe('known failures of others', () => {
  it('1. bytes corrupted on the way: random bodies of every size come through unchanged', () => {
    for (const size of sizes()) {
      const body = randomBytes(size);
      const [one] = run([...callsOf(GET), ...answer(body)]);
      assert.ok(one?.responseBody.equals(body), `${size} bytes`);
      assert.equal(one?.exchange.damage.any, false);
    }
  });

  it('1. bytes corrupted on the way: gzip streams of every size come through unchanged', () => {
    for (const size of sizes()) {
      const body = randomBytes(size);
      const [one] = run([
        ...callsOf(GET),
        ...answer(gzipSync(body, { level: 1 }), 'Content-Encoding: gzip\r\n'),
      ]);
      assert.ok(one?.responseBody.equals(body), `${size} bytes`);
      assert.equal(one?.exchange.damage.any, false);
    }
  });

  it('2. bytes lost silently: four bytes missing from a gzip stream are marked, with their number', () => {
    const body = gzipSync(randomBytes(10_000));
    const head = `<HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nContent-Encoding: gzip\r\n\r\n`;
    const calls: Call[] = [
      ...callsOf(GET, head),
      { side: 'response', bytes: body.subarray(0, 5000) },
      { side: 'response', bytes: body.subarray(5000, 5004), isLost: 'silent' },
      { side: 'response', bytes: body.subarray(5004) },
    ];
    const [one] = run(calls);
    assert.deepEqual([...(one?.exchange.damage.kinds ?? [])], ['gap']);
    assert.equal(one?.exchange.damage.lostBytes, 4);
    assert.equal(one?.exchange.response?.complete, true);
    assert.equal(one?.holes, 1);
  });

  it('2. a response over 65 reads and a request over two writes are one exchange', () => {
    const body = randomBytes(65 * 1000);
    const head = `<HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`;
    const reads: Call[] = Array.from({ length: 65 }, (_, index) => ({
      side: 'response',
      bytes: body.subarray(index * 1000, index * 1000 + 1000),
    }));
    const seen = run([
      ...callsOf('>POST /x HTTP/1.1\r\nContent-Length: 4\r\n\r\n', '>body', head),
      ...reads,
    ]);
    assert.equal(seen.length, 1);
    assert.equal(seen[0]?.requestBody.toString(), 'body');
    assert.ok(seen[0]?.responseBody.equals(body));
  });

  it('3. streams mixed: keep-alive connections interleaved on one thread stay apart', () => {
    const connections = Array.from({ length: 5 }, (_, index) => ({
      ...CONNECTION,
      object: CONNECTION.object + index * 64,
    }));
    const queues = connections.map((connection, index) =>
      captureEvents(
        [0, 1, 2].flatMap((turn) =>
          callsOf(
            `>GET /c${index}/${turn} HTTP/1.1\r\n`,
            '>\r\n',
            '<HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n',
            `<c${index}`,
            `</${turn}`,
          ),
        ),
        { connection },
      ).filter((event) => event.type !== 'end'),
    );
    const events: CaptureEvent[] = [];
    while (queues.some((queue) => queue.length > 0)) {
      for (const queue of queues) {
        const event = queue.shift();
        if (event) {
          events.push(event);
        }
      }
    }
    const seen = observe(events);
    assert.equal(seen.length, 15);
    for (const one of seen) {
      assert.equal(`/${one.responseBody.toString()}`, one.exchange.request?.target);
      assert.equal(one.exchange.damage.any, false);
    }
  });

  function streamed(body: Uint8Array, fields: string): string[] {
    const calls: Call[] = [
      ...callsOf(GET, `<HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n${fields}\r\n`),
    ];
    for (let at = 0; at < body.length; at += 13) {
      const chunk = body.subarray(at, at + 13);
      calls.push({ side: 'response', bytes: Buffer.from(`${chunk.length.toString(16)}\r\n`) });
      calls.push({ side: 'response', bytes: chunk });
      calls.push({ side: 'response', bytes: Buffer.from('\r\n') });
    }
    calls.push(...callsOf('<0\r\n\r\n'));
    const [one] = run(calls);
    assert.equal(one?.exchange.damage.any, false);
    const events: string[] = [];
    const decoder = createSseDecoder({ onEvent: (event) => events.push(event.data) });
    decoder.data(one?.responseBody ?? new Uint8Array(0), 1n);
    decoder.end(true, 1n);
    return events;
  }

  const STREAM = Buffer.from('data: {"a":1}\n\ndata: {"b":"ä"}\n\ndata: [DONE]\n\n');
  const EVENTS = ['{"a":1}', '{"b":"ä"}', '[DONE]'];

  it('4. lines split across reads, to the last event', () => {
    assert.deepEqual(streamed(STREAM, ''), EVENTS);
  });

  it('4. gzip and brotli event streams are decoded', () => {
    assert.deepEqual(streamed(gzipSync(STREAM), 'Content-Encoding: gzip\r\n'), EVENTS);
    assert.deepEqual(streamed(brotliCompressSync(STREAM), 'Content-Encoding: br\r\n'), EVENTS);
  });

  it('5. chunk framing never reaches a body', () => {
    const [one] = run(
      callsOf(
        GET,
        '<HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n',
      ),
    );
    assert.equal(one?.responseBody.toString(), 'hello!');
  });

  it('5. headers of one name stay several', () => {
    const [one] = run(
      callsOf(GET, '<HTTP/1.1 200 OK\r\nVia: a\r\nVia: b\r\nContent-Length: 0\r\n\r\n'),
    );
    assert.deepEqual(one?.exchange.response?.headers.all('via'), ['a', 'b']);
  });

  it('5. pipelining, interim responses, and HEAD with a length and no body', () => {
    const seen = run(
      callsOf(
        '>HEAD /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n',
        '<HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n',
        '<HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok',
      ),
    );
    assert.deepEqual(
      seen.map(({ exchange, responseBody }) => [
        exchange.request?.target,
        exchange.response?.status,
        responseBody.toString(),
      ]),
      [
        ['/1', 200, ''],
        ['/2', 201, 'ok'],
      ],
    );
  });

  it('5. every HTTP/2 connection has header tables of its own', () => {
    const events = [0, 1].map((index) => {
      const connection = { ...CONNECTION, object: CONNECTION.object + index * 64 };
      const script = new Script();
      for (const id of [1, 3]) {
        script.request(id, `/c${index}`, undefined, [['x-a', `c${index}`]]).response(id, 200, 'ok');
      }
      return captureEvents(script.calls, { connection }).filter((event) => event.type !== 'end');
    });
    const [first = [], second = []] = events;
    const seen = observe(first.flatMap((event, at) => [event, ...second.slice(at, at + 1)]));
    assert.equal(seen.length, 4);
    for (const { exchange } of seen) {
      assert.equal(`/${exchange.request?.headers.get('x-a')}`, exchange.request?.target);
      assert.equal(exchange.damage.any, false);
    }
  });

  it('7. credentials in headers and targets are in no exchange', () => {
    const secret = 'opensesame0123456789';
    const names = ['authorization', 'api-key', 'x-goog-api-key', 'proxy-authorization', 'cookie'];
    const fields = names.map((name) => `${name}: ${secret}\r\n`).join('');
    const [one] = run(
      callsOf(
        `>GET /v1?key=${secret} HTTP/1.1\r\n${fields}\r\n`,
        `<HTTP/1.1 200 OK\r\nSet-Cookie: ${secret}\r\nContent-Length: 0\r\n\r\n`,
      ),
    );
    const { request, response } = one?.exchange ?? {};
    const kept = names.flatMap((name) => request?.headers.all(name) ?? []);
    assert.equal(kept.length, names.length);
    for (const text of [request?.target, ...kept, ...(response?.headers.all('set-cookie') ?? [])]) {
      assert.match(String(text), /\*{20}$/);
    }
  });

  it('a lost chunk never splices two bodies', () => {
    const ok = (text: string) =>
      `<HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n${text}\r\n`;
    const calls = callsOf(GET, ok('aaa'), '<3\r\nAAA\r\n0\r\n\r\n', GET, ok('bbb'), '<0\r\n\r\n');
    (calls[2] as Call).isLost = 'silent';
    const seen = run(calls);
    assert.deepEqual(
      seen.map((one) => one.responseBody.toString()),
      ['aaa', 'bbb'],
    );
    assert.ok(seen[0]?.exchange.damage.kinds.has('gap'));
    assert.equal(seen[1]?.exchange.response?.complete, true);
  });

  it('a keep-alive connection is not given up after a loss', () => {
    const calls = callsOf(
      ...Array.from({ length: 23 }, () => [
        GET,
        '<HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
      ]).flat(),
    );
    (calls[5] as Call).isLost = 'announced';
    const seen = run(calls);
    assert.equal(seen.length, 23);
    assert.equal(seen.filter((one) => !one.exchange.damage.any).length, 22);
  });

  it('a 100 MB body passes in constant memory', () => {
    const block = randomBytes(16_384);
    const count = 6400;
    let bodyBytes = 0;
    let isComplete = false;
    const transport = createTransport({
      createParser: createHttpStage({
        handler: () => ({
          response: () => ({
            data: (piece) => {
              bodyBytes += piece.length;
            },
            gap: () => assert.fail('no gap'),
            end: (complete) => {
              isComplete = complete;
            },
          }),
        }),
      }),
    });
    const head = `<HTTP/1.1 200 OK\r\nContent-Length: ${block.length * count}\r\n\r\n`;
    const [get, start, first] = captureEvents([
      ...callsOf(GET, head),
      { side: 'response', bytes: block },
    ]) as [DataEvent, DataEvent, DataEvent];
    transport.push(get);
    transport.push(start);
    const before = process.memoryUsage().arrayBuffers;
    for (let index = 0; index < count; index += 1) {
      transport.push({ ...first, position: first.position + index * block.length });
    }
    assert.equal(bodyBytes, block.length * count);
    assert.ok(isComplete);
    assert.ok(process.memoryUsage().arrayBuffers - before < 8_000_000);
  });
});
