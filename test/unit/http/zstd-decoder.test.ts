/**
 * zstd: what libzstd 1.5.4 wrote (recorded, and where its command is installed more of it), every flush at once;
 * wrong, cut, hostile and too large streams.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { createContentDecoder, type DecodeOutcome } from '../../../src/http/content-decoder.ts';
import { DEFAULT_HTTP_LIMITS, type HttpLimits } from '../../../src/http/limits.ts';

interface Fixture {
  name: string;
  /** Sizes of what was compressed, each part flushed. */
  parts: number[];
  sha256: string;
  pieces: string[];
}

const fixtures = JSON.parse(
  readFileSync(new URL('../../support/zstd-fixtures.json', import.meta.url), 'utf8'),
) as Fixture[];

function wireOf(fixture: Fixture): Buffer[] {
  return fixture.pieces.map((piece) => Buffer.from(piece, 'base64'));
}

interface Decoded {
  bytes: Buffer;
  outcome: DecodeOutcome;
  /** Output bytes after each piece. */
  progress: number[];
}

function decode(pieces: readonly Uint8Array[], limits: Partial<HttpLimits> = {}): Decoded {
  const parts: Buffer[] = [];
  let size = 0;
  const decoder = createContentDecoder(['zstd'], { ...DEFAULT_HTTP_LIMITS, ...limits }, (bytes) => {
    parts.push(Buffer.from(bytes));
    size += bytes.length;
  });
  assert.ok(decoder);
  let outcome: DecodeOutcome = 'ok';
  const progress: number[] = [];
  for (const piece of pieces) {
    if (outcome === 'ok') {
      const lent = Buffer.from(piece);
      outcome = decoder.push(lent);
      lent.fill(0xee);
    }
    progress.push(size);
  }
  outcome = outcome === 'ok' ? decoder.finish() : outcome;
  decoder.dispose();
  return { bytes: Buffer.concat(parts), outcome, progress };
}

function slices(bytes: Uint8Array, size: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    parts.push(bytes.subarray(at, at + size));
  }
  return parts;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function text(bytes: number): Buffer {
  const words = ['the ', 'model', '{"delta":"', '"}\n', 'data: ', 'token', ' 12', '\n\n', 'über'];
  let seed = 4711;
  let written = '';
  while (written.length < bytes) {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    written += words[(seed >>> 16) % words.length];
  }
  return Buffer.from(written).subarray(0, bytes);
}

const MAGIC = Buffer.from('28b52ffd', 'hex');

describe('zstd decoder', () => {
  for (const fixture of fixtures) {
    it(fixture.name, () => {
      const pieces = wireOf(fixture);
      const whole = Buffer.concat(pieces);
      for (const split of [[whole], ...[1, 2, 3, 100, 5000].map((size) => slices(whole, size))]) {
        const result = decode(split, { maxDecodeRatio: 1e9 });
        assert.equal(result.outcome, 'ok');
        assert.equal(sha256(result.bytes), fixture.sha256);
      }
      let sum = 0;
      const expected = fixture.parts.map((size) => {
        sum += size;
        return sum;
      });
      assert.deepEqual(decode(pieces, { maxDecodeRatio: 1e9 }).progress, expected, 'every flush');
    });
  }

  it('several frames, and frames that are to be skipped', () => {
    const [first, second] = fixtures.slice(1, 3).map((one) => Buffer.concat(wireOf(one)));
    const skippable = (body: string) => {
      const head = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, body.length, 0, 0, 0]);
      return Buffer.concat([head, Buffer.from(body)]);
    };
    const wire = Buffer.concat([
      skippable(''),
      first as Buffer,
      skippable('anything at all'),
      second as Buffer,
      first as Buffer,
      skippable('x'),
    ]);
    const expected = Buffer.concat(
      [first, second, first].map((one) => decode([one as Buffer]).bytes),
    );
    for (const size of [1, 7, 1000, wire.length]) {
      const result = decode(slices(wire, size));
      assert.equal(result.outcome, 'ok');
      assert.ok(result.bytes.equals(expected));
    }
  });

  it('every flipped bit under a checksum is noticed, and none throws or hangs', () => {
    for (const fixture of fixtures.filter(({ name }) => name.includes('checksum'))) {
      const whole = Buffer.concat(wireOf(fixture));
      const step = Math.max(1, Math.floor(whole.length / 150));
      for (let at = 0; at < whole.length; at += step) {
        const broken = Buffer.from(whole);
        broken[at] = (broken[at] as number) ^ (1 << (at % 8));
        const result = decode([broken], { maxDecodeRatio: 1e9 });
        const isRight = sha256(result.bytes) === fixture.sha256;
        assert.ok(result.outcome !== 'ok' || isRight, `${fixture.name}, byte ${at}`);
      }
    }
  });

  it('what is cut anywhere, goes on after its end, or is no zstd, is marked', () => {
    for (const fixture of fixtures.slice(0, 3)) {
      const whole = Buffer.concat(wireOf(fixture));
      for (let size = 1; size < whole.length; size += 13) {
        assert.equal(decode([whole.subarray(0, size)]).outcome, 'corrupt');
      }
      assert.equal(decode([whole, Buffer.from('zz')]).outcome, 'corrupt');
      assert.equal(decode([whole, Buffer.from('zzzz')]).outcome, 'corrupt');
    }
    assert.equal(decode([Buffer.from('no zstd at all')]).outcome, 'corrupt');
  });

  const hostile: [string, string, DecodeOutcome][] = [
    // Weights of a table with one symbol, which reads no bits: a decoder may give them for ever.
    ['endless Huffman weights', '28b52ffd005075000002810205f003ffff010101010100', 'corrupt'],
    ['a window of 3.75 TiB', '28b52ffd00ff010000', 'limit'],
    ['a window of 16 MiB', '28b52ffd0070010000', 'limit'],
    ['one segment of 2^64 - 1 bytes', '28b52ffde0ffffffffffffffff010000', 'limit'],
    ['a dictionary nobody has', '28b52ffd0150070100000001', 'corrupt'],
    ['a reserved bit', '28b52ffd0850010000', 'corrupt'],
    ['a reserved block type', '28b52ffd0050070000', 'corrupt'],
    ['a block larger than its window', '28b52ffd0000833e0061', 'corrupt'],
    ['a treeless block first', '28b52ffd00502d00001340000000', 'corrupt'],
    ['less than was announced', '28b52ffd2005190000616263', 'corrupt'],
  ];
  for (const [title, hex, outcome] of hostile) {
    it(`${title}: ${outcome}`, () => {
      const heldBefore = process.memoryUsage().arrayBuffers;
      assert.equal(decode([Buffer.from(hex, 'hex')]).outcome, outcome);
      assert.ok(process.memoryUsage().arrayBuffers - heldBefore < 4_000_000);
    });
  }

  it('a decompression bomb stops at the limit of ratio, and of size', () => {
    // Blocks of 128 KiB of one byte, four bytes each: 32768:1.
    const block = Buffer.from([0x02, 0x00, 0x10, 0x61]);
    const bomb = Buffer.concat([MAGIC, Buffer.from([0, 0x58]), ...new Array(100_000).fill(block)]);
    const startMs = performance.now();
    const byRatio = decode(slices(bomb, 16_384));
    assert.equal(byRatio.outcome, 'limit');
    assert.ok(byRatio.bytes.length <= 16_384 * DEFAULT_HTTP_LIMITS.maxDecodeRatio);
    const bySize = decode([bomb], { maxDecodedBytes: 3_000_000, maxDecodeRatio: 1e9 });
    assert.equal(bySize.outcome, 'limit');
    assert.ok(bySize.bytes.length <= 3_000_000);
    assert.ok(performance.now() - startMs < 2000);
  });

  it('random and half-way plausible bytes never throw or hang', () => {
    const mutated = fc
      .tuple(
        fc.constantFrom(...fixtures.map((one) => Buffer.concat(wireOf(one)))),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 8 }),
      )
      .map(([whole, changes]) => {
        const broken = Buffer.from(whole);
        for (const [at, value] of changes) {
          broken[at % Math.min(whole.length, 200)] = value;
        }
        return broken;
      });
    const random = fc
      .uint8Array({ maxLength: 300 })
      .map((bytes) => Buffer.concat([MAGIC, Buffer.from([0, 0x50]), bytes]));
    fc.assert(
      fc.property(fc.oneof(mutated, random), fc.integer({ min: 1, max: 400 }), (bytes, size) => {
        decode(slices(bytes, size), { maxDecodedBytes: 1_000_000 });
      }),
      { numRuns: 3000 },
    );
  });

  it('passes 200 MB in constant memory', function () {
    this.timeout(60_000);
    // Raw blocks of 128 KiB in one frame with a window of 8 MiB.
    const block = randomBytes(131_072);
    const head = Buffer.from([0x00, 0x00, 0x10]);
    let size = 0;
    const decoder = createContentDecoder(['zstd'], DEFAULT_HTTP_LIMITS, (bytes) => {
      size += bytes.length;
    });
    const heldBefore = process.memoryUsage().arrayBuffers;
    decoder?.push(Buffer.concat([MAGIC, Buffer.from([0, 13 << 3])]));
    let peak = 0;
    for (let index = 0; index < 1600; index += 1) {
      decoder?.push(head);
      assert.equal(decoder?.push(block), 'ok');
      peak = Math.max(peak, process.memoryUsage().arrayBuffers - heldBefore);
    }
    assert.equal(size, 1600 * 131_072);
    assert.ok(peak < 48_000_000, `array buffers grew by ${peak}`);
  });

  it('bounds what all decoders hold together, and gives their shares back', function () {
    this.timeout(60_000);
    // Each fills a window of 8 MiB and the room behind it.
    const run = Buffer.from([0x02, 0x00, 0x10, 0x61]);
    const wire = Buffer.concat([MAGIC, Buffer.from([0, 13 << 3]), ...new Array(80).fill(run)]);
    const limits = { ...DEFAULT_HTTP_LIMITS, maxDecodeRatio: 1e9 };
    const open = Array.from({ length: 40 }, () => {
      const decoder = createContentDecoder(['zstd'], limits, () => {});
      return { decoder, outcome: decoder?.push(wire) };
    });
    const working = open.filter(({ outcome }) => outcome === 'ok').length;
    assert.ok(working >= 20 && working <= 32, `${working} were at work`);
    assert.equal(open.at(-1)?.outcome, 'limit');
    for (const { decoder } of open) {
      decoder?.dispose();
      decoder?.dispose();
    }
    const decoder = createContentDecoder(['zstd'], limits, () => {});
    assert.equal(decoder?.push(wire), 'ok');
    decoder?.dispose();
  });

  it('reads what the zstd command writes, at every level', function () {
    this.timeout(60_000);
    if (spawnSync('zstd', ['--version']).error) {
      process.stderr.write(
        '      (the zstd command is not installed: only recorded streams were read)\n',
      );
      this.skip();
    }
    const inputs = [
      text(300_000),
      randomBytes(200_000),
      Buffer.concat([
        text(150_000),
        randomBytes(50_000),
        Buffer.alloc(200_000, 'ab'),
        text(150_000),
      ]),
    ];
    for (const input of inputs) {
      for (const level of ['--fast=3', '-1', '-3', '-6', '-12', '-19']) {
        for (const check of ['--check', '--no-check']) {
          const wire = execFileSync('zstd', ['-c', '-q', level, check], { input });
          const result = decode(slices(wire, 16_384), { maxDecodeRatio: 1e9 });
          assert.equal(result.outcome, 'ok', level);
          assert.ok(result.bytes.equals(input), level);
        }
      }
    }
  });
});
