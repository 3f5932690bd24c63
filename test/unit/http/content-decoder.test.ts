/** Content codings: whole, split, flushed, chained, broken, and too large. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createDeflate,
  createDeflateRaw,
  createGzip,
  deflateSync,
  gzipSync,
} from 'node:zlib';
import { Inflate } from 'fflate';
import { createContentDecoder, type DecodeOutcome } from '../../../src/http/content-decoder.ts';
import { DEFAULT_HTTP_LIMITS } from '../../../src/http/limits.ts';
import { type Coding, encode } from '../../support/http-generator.ts';

interface Decoded {
  bytes: Buffer;
  outcome: DecodeOutcome;
  finish: DecodeOutcome;
  /** Output bytes after each push. */
  progress: number[];
}

function decode(
  codings: string[],
  pieces: readonly Uint8Array[],
  limits: Partial<typeof DEFAULT_HTTP_LIMITS> = {},
): Decoded {
  const out: Buffer[] = [];
  let size = 0;
  const decoder = createContentDecoder(codings, { ...DEFAULT_HTTP_LIMITS, ...limits }, (bytes) => {
    out.push(Buffer.from(bytes));
    size += bytes.length;
  });
  assert.ok(decoder, 'the codings are known');
  let outcome: DecodeOutcome = 'ok';
  const progress: number[] = [];
  for (const piece of pieces) {
    const lent = Buffer.from(piece);
    outcome = decoder.push(lent);
    lent.fill(0xee);
    progress.push(size);
    if (outcome !== 'ok') {
      break;
    }
  }
  const finish = outcome === 'ok' ? decoder.finish() : outcome;
  decoder.dispose();
  return { bytes: Buffer.concat(out), outcome, finish, progress };
}

function pieces(bytes: Uint8Array, size: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    parts.push(bytes.subarray(at, at + size));
  }
  return parts;
}

const CODINGS: [Coding, string][] = [
  ['gzip', 'gzip'],
  ['x-gzip', 'x-gzip'],
  ['deflate', 'deflate'],
  ['raw-deflate', 'deflate'],
  ['br', 'br'],
  ['identity', 'identity'],
];

describe('content decoder', () => {
  for (const [coding, name] of CODINGS) {
    it(`${coding}: text and random bytes, in pieces of 1 to 65536 bytes`, () => {
      const text = Buffer.from('data: {"delta":"hello"}\n\n'.repeat(400));
      for (const original of [
        text,
        randomBytes(3000),
        Buffer.alloc(1),
        Buffer.alloc(70_000, 'a'),
      ]) {
        const encoded = encode(original, coding);
        for (const size of [1, 2, 7, 100, 4096, 65_536]) {
          const result = decode([name], pieces(encoded, size));
          assert.equal(result.finish, 'ok', `${size}`);
          assert.ok(result.bytes.equals(original));
        }
      }
    });
  }

  it('several codings in a row, removed in reverse order', () => {
    const original = randomBytes(5000);
    const encoded = brotliCompressSync(gzipSync(deflateSync(original)));
    for (const size of [1, 50, 10_000]) {
      const result = decode(['deflate', 'gzip', 'br'], pieces(encoded, size));
      assert.equal(result.finish, 'ok');
      assert.ok(result.bytes.equals(original));
    }
  });

  it('gzip with several members, extra field, name, comment and padding', () => {
    const plain = gzipSync('second');
    const body = plain.subarray(10);
    const extra = Buffer.from([0x1f, 0x8b, 8, 4 + 8 + 16 + 2, 0, 0, 0, 0, 0, 3, 3, 0, 1, 2, 3]);
    const rest = Buffer.from('name\0comment\0hh', 'latin1');
    const encoded = Buffer.concat([gzipSync('first '), extra, rest, body, Buffer.alloc(5)]);
    for (const size of [1, 3, 1000]) {
      const result = decode(['gzip'], pieces(encoded, size));
      assert.equal(result.finish, 'ok');
      assert.equal(result.bytes.toString(), 'first second');
    }
  });

  const flushing: [string, string, () => ReturnType<typeof createGzip>, number][] = [
    ['gzip', 'gzip', () => createGzip(), constants.Z_SYNC_FLUSH],
    ['deflate', 'deflate', () => createDeflate() as never, constants.Z_SYNC_FLUSH],
    ['raw deflate', 'deflate', () => createDeflateRaw() as never, constants.Z_SYNC_FLUSH],
    ['br', 'br', () => createBrotliCompress() as never, constants.BROTLI_OPERATION_FLUSH],
  ];
  for (const [title, name, create, kind] of flushing) {
    it(`${title}: hands out every flushed event at once`, async () => {
      const stream = create();
      const parts: Buffer[] = [];
      const flushed: Buffer[] = [];
      const expected: number[] = [];
      let size = 0;
      stream.on('data', (part: Buffer) => parts.push(part));
      for (let index = 0; index < 50; index += 1) {
        const event = `data: {"n":${index},"t":"${'x'.repeat(index % 7)}"}\n\n`;
        size += event.length;
        expected.push(size);
        stream.write(event);
        await new Promise<void>((resolve) => stream.flush(kind, resolve));
        flushed.push(Buffer.concat(parts.splice(0)));
      }
      stream.end();
      await once(stream, 'end');
      const last = Buffer.concat(parts.splice(0));
      const result = decode([name], [...flushed, last]);
      assert.deepEqual(result.progress.slice(0, 50), expected);
      assert.equal(result.finish, 'ok');
    });
  }

  it('marks a wrong CRC, a wrong length and a wrong Adler sum', () => {
    const gzip = gzipSync('hello hello hello');
    for (const at of [gzip.length - 1, gzip.length - 4, gzip.length - 5, gzip.length - 8]) {
      const broken = Buffer.from(gzip);
      broken[at] = (broken[at] ?? 0) ^ 1;
      assert.equal(decode(['gzip'], [broken]).finish, 'corrupt');
    }
    const zlib = deflateSync('hello hello hello');
    zlib[zlib.length - 1] = (zlib[zlib.length - 1] ?? 0) ^ 1;
    assert.equal(decode(['deflate'], [zlib]).finish, 'corrupt');
  });

  it('marks what is cut, what goes on after its end, and what is no such encoding', () => {
    for (const [coding, name] of CODINGS.filter(([one]) => one !== 'identity')) {
      const encoded = encode(Buffer.from('hello world, hello world'), coding);
      assert.equal(decode([name], [encoded.subarray(0, -1)]).finish, 'corrupt', `${coding} cut`);
      const longer = Buffer.concat([encoded, Buffer.from('zz')]);
      assert.equal(decode([name], [longer]).finish, 'corrupt', `${coding} longer`);
      assert.equal(decode([name], [Buffer.from('\xff\xfe no encoding')]).finish, 'corrupt', coding);
    }
  });

  it('stops at the limit of size and of ratio', () => {
    const zeros = Buffer.alloc(20_000_000);
    for (const [coding, name] of CODINGS.filter(([one]) => one !== 'identity')) {
      const encoded = encode(zeros, coding);
      const bySize = decode([name], pieces(encoded, 16_384), {
        maxDecodedBytes: 2_000_000,
        maxDecodeRatio: 1e9,
      });
      assert.equal(bySize.finish, 'limit', `${coding} size`);
      assert.ok(bySize.bytes.length <= 2_000_000);
      const byRatio = decode([name], pieces(encoded, 16_384), { maxDecodeRatio: 100 });
      assert.equal(byRatio.finish, 'limit', `${coding} ratio`);
    }
  });

  it('does not know compress, nor more encodings than allowed', () => {
    assert.equal(
      createContentDecoder(['compress'], DEFAULT_HTTP_LIMITS, () => {}),
      undefined,
    );
    const many = ['gzip', 'gzip', 'gzip', 'gzip', 'gzip'];
    assert.equal(
      createContentDecoder(many, DEFAULT_HTTP_LIMITS, () => {}),
      undefined,
    );
  });

  it('bounds brotli decoders that are open at once, and gives their places back', () => {
    const encoded = brotliCompressSync('hello');
    const open = Array.from({ length: 64 }, () => {
      const decoder = createContentDecoder(['br'], DEFAULT_HTTP_LIMITS, () => {});
      decoder?.push(encoded.subarray(0, 1));
      return decoder;
    });
    assert.equal(decode(['br'], [encoded]).finish, 'limit');
    for (const decoder of open) {
      decoder?.dispose();
      decoder?.dispose();
    }
    assert.equal(decode(['br'], [encoded]).finish, 'ok');
  });

  it('finds in fflate the stream state that inflate-stream.ts reads', () => {
    const inflate = new Inflate(() => {});
    const inner = inflate as unknown as {
      o: Uint8Array;
      p: Uint8Array;
      s: Record<string, unknown>;
    };
    assert.equal(inner.o.length, 32_768);
    inflate.push(Uint8Array.of(0x4b, 0x04, 0x00, 0xaa, 0xbb));
    assert.equal(inner.s.f, 1);
    assert.ok(!inner.s.l);
    assert.equal(inner.p.length - (inner.s.p ? 1 : 0), 2);
  });

  it('decodes 100 MB in constant memory', function () {
    this.timeout(60_000);
    const block = randomBytes(50_000);
    const member = gzipSync(Buffer.concat([block, block]), { level: 1 });
    const hash = createHash('sha1');
    const expected = createHash('sha1');
    let size = 0;
    const decoder = createContentDecoder(['gzip'], DEFAULT_HTTP_LIMITS, (bytes) => {
      size += bytes.length;
      hash.update(bytes);
    });
    const before = process.memoryUsage().arrayBuffers;
    for (let index = 0; index < 1000; index += 1) {
      expected.update(block).update(block);
      for (const piece of pieces(member, 16_384)) {
        assert.equal(decoder?.push(piece), 'ok');
      }
    }
    assert.equal(decoder?.finish(), 'ok');
    assert.equal(size, 100_000_000);
    assert.equal(hash.digest('hex'), expected.digest('hex'));
    const grown = process.memoryUsage().arrayBuffers - before;
    assert.ok(grown < 64_000_000, `array buffers grew by ${grown}`);
  });
});
