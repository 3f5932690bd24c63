/**
 * What a hostile peer sends to use up memory or time, each under its common name. Whatever it is, memory stays bounded,
 * what was cut is marked `limit` and counted, and the connection (or the next one) goes on.
 * CONTINUATION floods and HPACK bombs: test/unit/http2/connection.test.ts.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib';
import { createHttpCounters } from '../../../src/http/http-options.ts';
import { createSseDecoder } from '../../../src/http/sse-decoder.ts';
import { DEFAULT_WEBSOCKET_LIMITS } from '../../../src/http/websocket/limits.ts';
import { createMessageInflate } from '../../../src/http/websocket/message-inflate.ts';
import { type Call, callsOf, run } from '../../support/http-generator.ts';
import { Script, view } from '../../support/http2-script.ts';
import {
  ACK,
  frame,
  headers,
  requestFields,
  settings,
  uint32,
} from '../../support/http2-writer.ts';

const MIB = 1024 * 1024;
const BOMB_BYTES = 64 * MIB;
/** Above what a body may decode to in these tests. */
const MAX_GROWTH_BYTES = 48 * MIB;

/** A zstd frame of blocks that each repeat one byte 128 KiB long: RFC 8878 §3.1.1. */
function zstdBomb(bytes: number): Buffer {
  const blocks: Buffer[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58])];
  for (let left = bytes; left > 0; left -= 131_072) {
    const isLast = left <= 131_072;
    const header = (131_072 << 3) | (1 << 1) | Number(isLast);
    blocks.push(Buffer.from([header & 0xff, (header >> 8) & 0xff, header >> 16, 0x61]));
  }
  return Buffer.concat(blocks);
}

const BOMBS: Record<string, () => Buffer> = {
  gzip: () => gzipSync(Buffer.alloc(BOMB_BYTES)),
  deflate: () => deflateSync(Buffer.alloc(BOMB_BYTES)),
  br: () =>
    brotliCompressSync(Buffer.alloc(BOMB_BYTES), {
      params: { [constants.BROTLI_PARAM_QUALITY]: 4 },
    }),
  zstd: () => zstdBomb(BOMB_BYTES),
  'gzip, gzip': () => gzipSync(gzipSync(Buffer.alloc(BOMB_BYTES))),
};

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes that are held: garbage is nobody's growth. */
function memory(): number {
  // The first one leaves the memory of buffers to another thread, which the second one waits for.
  collectGarbage();
  collectGarbage();
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}

function assertGrowth(before: number): void {
  const growthBytes = memory() - before;
  assert.ok(growthBytes < MAX_GROWTH_BYTES, `${growthBytes} bytes are held`);
}

describe('floods and bombs', function () {
  this.timeout(30_000);

  for (const [encoding, make] of Object.entries(BOMBS)) {
    it(`decompression bomb, ${encoding}: stopped by size and by ratio, and the next answer is whole`, () => {
      const bomb = make();
      for (const limits of [{ maxDecodedBytes: 4 * MIB, maxDecodeRatio: 1_000_000 }, {}]) {
        const counters = createHttpCounters();
        const head = `HTTP/1.1 200 OK\r\nContent-Encoding: ${encoding}\r\nContent-Length: ${bomb.length}\r\n\r\n`;
        const calls: Call[] = [
          ...callsOf('>GET /bomb HTTP/1.1\r\nHost: h\r\n\r\n'),
          { side: 'response', bytes: Buffer.concat([Buffer.from(head), bomb]) },
          ...callsOf(
            '>GET /next HTTP/1.1\r\nHost: h\r\n\r\n',
            '<HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
          ),
        ];
        const before = memory();
        const seen = run(calls, { http: { counters, limits } });
        assertGrowth(before);
        assert.ok((seen[0]?.responseBody.length ?? BOMB_BYTES) < MAX_GROWTH_BYTES);
        assert.deepEqual(view(seen[0]).damage, ['limit']);
        assert.equal(seen[0]?.exchange.response?.complete, true);
        assert.equal(counters.decodeLimits, 1);
        assert.deepEqual(view(seen[1]).body, 'ok');
      }
    });
  }

  it('more encodings in a row than allowed are a limit, and not taken for an unknown one', () => {
    const counters = createHttpCounters();
    const codings = Array.from({ length: 5 }, () => 'gzip').join(', ');
    const [one] = run(
      callsOf(
        '>GET / HTTP/1.1\r\nHost: h\r\n\r\n',
        `<HTTP/1.1 200 OK\r\nContent-Encoding: ${codings}\r\nContent-Length: 4\r\n\r\nabcd`,
      ),
      { http: { counters } },
    );
    assert.deepEqual(view(one).damage, ['limit']);
    assert.equal(counters.decodeLimits, 1);
  });

  it('empty lines of data without end: one limit, and the next event', () => {
    const events: string[] = [];
    let limits = 0;
    const decoder = createSseDecoder({
      onEvent: ({ data }) => events.push(data),
      onLimit: () => {
        limits += 1;
      },
      maxEventBytes: 1000,
    });
    decoder.data(Buffer.from('data:\n'.repeat(1001)), 1n);
    decoder.data(Buffer.from('\n'), 1n);
    assert.equal(events.length, 1, 'a thousand line ends are within the limit');
    decoder.data(Buffer.from('data:\n'.repeat(100_000)), 1n);
    decoder.data(Buffer.from('\ndata: last\n\n'), 1n);
    assert.equal(limits, 1);
    assert.deepEqual(events.slice(1), ['last']);
  });

  it('a line of 1 GB in an event stream: constant memory, one limit, and the next event', () => {
    const events: string[] = [];
    let limits = 0;
    const decoder = createSseDecoder({
      onEvent: ({ data }) => events.push(data),
      onLimit: () => {
        limits += 1;
      },
      maxEventBytes: MIB,
    });
    const piece = Buffer.alloc(64 * 1024, 'x');
    const before = memory();
    decoder.data(Buffer.from('data: first\n\ndata: '), 1n);
    for (let sent = 0; sent < 1024 * MIB; sent += piece.length) {
      decoder.data(piece, 2n);
    }
    assertGrowth(before);
    decoder.data(Buffer.from('\n\ndata: last\n\n'), 3n);
    decoder.end(true, 4n);
    assert.deepEqual(events, ['first', 'last']);
    assert.equal(limits, 1);
  });

  function flood(frames: readonly Buffer[], count: number): void {
    const script = new Script().request(1, '/flooded');
    script.answer(headers(1, script.head(200)), frame('DATA', 0, 1, 'one '));
    const call = Buffer.concat(Array.from({ length: 100 }, () => Buffer.concat(frames)));
    for (let sent = 0; sent < count; sent += 100) {
      script.send(call);
      script.answer(call);
    }
    script
      .answer(frame('DATA', 1, 1, 'two'))
      .request(3, '/next')
      .response(3, 200, 'ok');
    const before = memory();
    const seen = script.run();
    assertGrowth(before);
    assert.deepEqual(
      seen.map(view).map(({ body, damage }) => [body, damage]),
      [
        ['one two', []],
        ['ok', []],
      ],
    );
  }

  it('SETTINGS flood', () => flood([settings([[3, 100]]), frame('SETTINGS', ACK, 0)], 200_000));
  it('PING flood', () => flood([frame('PING', 0, 0, Buffer.alloc(8))], 200_000));
  it('PRIORITY flood', () => flood([frame('PRIORITY', 0, 9, Buffer.alloc(5))], 200_000));
  it('empty DATA flood', () => flood([frame('DATA', 0, 1)], 200_000));
  it('WINDOW_UPDATE flood', () => flood([frame('WINDOW_UPDATE', 0, 1, uint32(1))], 200_000));

  it('rapid reset flood: every stream ends at once, and none is kept', () => {
    const script = new Script();
    const count = 20_000;
    for (let index = 0; index < count; index += 1) {
      const id = index * 2 + 1;
      const block = script.client.block(requestFields('/reset'), 'indexed');
      script.send(headers(id, block), frame('RST_STREAM', 0, id, uint32(8)));
    }
    const last = count * 2 + 1;
    script.request(last, '/last').response(last, 200, 'ok');
    let ended = 0;
    const counters = createHttpCounters();
    const before = memory();
    script.run({
      http: {
        counters,
        handler: () => undefined,
        onExchange: ({ damage, response }) => {
          ended += 1;
          assert.deepEqual([...damage.kinds], response === undefined ? ['truncated'] : []);
        },
      },
    });
    assert.equal(ended, count + 1);
    assert.equal(counters.http2.streamLimits, 0);
    assertGrowth(before);
  });

  it('more streams than the limit, none of which ends: the oldest give way', () => {
    const script = new Script();
    const count = 5000;
    for (let index = 0; index < count; index += 1) {
      script.send(headers(index * 2 + 1, script.client.block(requestFields('/open'), 'indexed')));
    }
    const counters = createHttpCounters();
    script.run({ http: { counters, limits: { maxOpenStreams: 100 } } });
    assert.equal(counters.http2.streamLimits, count - 100);
  });

  it('final block flood in a WebSocket message: a limit, and no stream for each', () => {
    const inflate = createMessageInflate(true, DEFAULT_WEBSOCKET_LIMITS, () => {});
    const block = Buffer.from([0x03, 0x00]);
    for (let message = 0; message < 3; message += 1) {
      assert.equal(inflate.begin(), undefined);
      assert.equal(inflate.pushLast(block), 'ok', 'one a message is common');
    }
    inflate.begin();
    assert.equal(inflate.push(Buffer.alloc(1_000_000, block)), 'limit');
    assert.equal(inflate.begin(), 'limit');
  });

  it('gzip member flood: a limit, while many members with something in them are decoded', () => {
    const decodedOf = (member: Buffer, count: number) => {
      const counters = createHttpCounters();
      const body = Buffer.alloc(member.length * count, member);
      const [one, next] = run(
        [
          ...callsOf('>GET /flood HTTP/1.1\r\nHost: h\r\n\r\n'),
          {
            side: 'response',
            bytes: Buffer.concat([
              Buffer.from(
                `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n`,
              ),
              body,
            ]),
          },
          ...callsOf(
            '>GET /next HTTP/1.1\r\nHost: h\r\n\r\n',
            '<HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
          ),
        ],
        { http: { counters } },
      );
      assert.equal(view(next).body, 'ok');
      return {
        damage: view(one).damage,
        bytes: one?.responseBody.length,
        limits: counters.decodeLimits,
      };
    };
    const tiny = gzipSync(Buffer.from('x'));
    assert.deepEqual(decodedOf(tiny, 10_000), { damage: [], bytes: 10_000, limits: 0 });
    assert.deepEqual(decodedOf(tiny, 20_000), { damage: ['limit'], bytes: 16_385, limits: 1 });
    const large = gzipSync(randomBytes(2000));
    assert.deepEqual(decodedOf(large, 20_000), { damage: [], bytes: 40_000_000, limits: 0 });
  });

  it('a form of more parts, and with larger heads, than allowed', () => {
    const part = '--b\r\nContent-Disposition: form-data; name="n"\r\n\r\nv\r\n';
    const large = `--b\r\nContent-Disposition: form-data; name="${'n'.repeat(5000)}"\r\n\r\nv\r\n`;
    for (const [body, kept] of [
      [`${part.repeat(50)}--b--\r\n`, 10],
      [`${part}${large}--b--\r\n`, 1],
    ] as const) {
      const counters = createHttpCounters();
      const [one] = run(
        callsOf(
          `>POST / HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
          '<HTTP/1.1 204 No Content\r\n\r\n',
        ),
        { http: { counters, limits: { maxFormParts: 10, maxFormPartHeadBytes: 1000 } } },
      );
      assert.deepEqual(view(one).damage, ['limit']);
      assert.equal(counters.formLimits, 1);
      assert.equal(one?.exchange.request?.parts?.length, kept);
    }
  });
});
