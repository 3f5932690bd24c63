/** Content codings, against Node's zlib where it has them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import {
  brotliCompressSync,
  brotliDecompressSync,
  constants,
  deflateRawSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateRawSync,
  inflateSync,
  type ZlibOptions,
} from 'node:zlib';
import { createContentDecoder, type DecodeOutcome } from '../../../src/http/content-decoder.ts';
import { DEFAULT_HTTP_LIMITS } from '../../../src/http/limits.ts';
import { createRandom } from '../../support/model-server/random.ts';
import { type Pieces, piecesFor } from '../calls-input.ts';
import type { FuzzTarget } from '../target.ts';

const MAX_DECODED_BYTES = 262_144;
const LIMITS = { ...DEFAULT_HTTP_LIMITS, maxDecodedBytes: MAX_DECODED_BYTES };

interface Decoded {
  outcome: DecodeOutcome;
  output: Buffer;
}

function decode(coding: string, bytes: Uint8Array, pieces?: Pieces): Decoded {
  const parts: Buffer[] = [];
  const decoder = createContentDecoder([coding], LIMITS, (part) => parts.push(Buffer.from(part)));
  assert.ok(decoder !== undefined);
  let outcome: DecodeOutcome = 'ok';
  for (let at = 0; at < bytes.length && outcome === 'ok'; ) {
    const size = pieces?.() ?? bytes.length;
    const piece = Buffer.from(bytes.subarray(at, at + size));
    at += size;
    outcome = decoder.push(piece);
    piece.fill(0xee);
  }
  if (outcome === 'ok') {
    outcome = decoder.finish();
  }
  decoder.dispose();
  return { outcome, output: Buffer.concat(parts) };
}

/** What zlib makes of the bytes; undefined when it refuses, or gives too much. */
interface OracleReading {
  output: Buffer;
  /** It may stop before the end, where what follows does not matter to it. */
  isToTheEnd: boolean;
}

type Inflate = (bytes: Uint8Array, options: ZlibOptions) => Buffer;

function readByZlib(inflate: Inflate, bytes: Uint8Array): OracleReading | undefined {
  try {
    // With `info`, which the types do not have, the engine comes along.
    const options = { maxOutputLength: MAX_DECODED_BYTES, info: true } as ZlibOptions;
    const { buffer, engine } = inflate(bytes, options) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    return { output: buffer, isToTheEnd: engine.bytesWritten === bytes.length };
  } catch {
    return undefined;
  }
}

function target(
  name: string,
  coding: string,
  seeds: () => Uint8Array[],
  oracle?: (bytes: Uint8Array) => OracleReading | undefined,
): FuzzTarget {
  return {
    name,
    seeds,
    maxInputBytes: 4096,
    run(input) {
      const whole = decode(coding, input);
      const split = decode(coding, input, piecesFor(input));
      assert.equal(split.outcome, whole.outcome, 'cut into pieces, it ends differently');
      if (whole.outcome === 'ok') {
        assert.ok(split.output.equals(whole.output), 'cut into pieces, it gives other bytes');
      }
      assert.ok(whole.output.length <= MAX_DECODED_BYTES, 'the output is bounded');
      if (oracle === undefined) {
        return;
      }
      const expected = oracle(input);
      if (whole.outcome === 'ok') {
        // Zlib is stricter with bits that carry nothing.
        const isSame = expected === undefined || whole.output.equals(expected.output);
        assert.ok(isSame, 'zlib reads something else');
      } else if (whole.outcome === 'corrupt') {
        assert.ok(expected?.isToTheEnd !== true, 'zlib reads it');
      }
    },
  };
}

function samples(): Buffer[] {
  const random = createRandom(7);
  return [
    Buffer.alloc(0),
    Buffer.from('a'),
    Buffer.from(random.text(900)),
    Buffer.from('data: {"choices":[{"delta":{"content":"x"}}]}\n\n'.repeat(30)),
    random.bytes(300),
    Buffer.alloc(5000),
  ];
}

function compressed(...encoders: ((bytes: Buffer) => Buffer)[]): Uint8Array[] {
  return encoders.flatMap((encode) => samples().map((sample) => encode(sample)));
}

const fixed = { strategy: constants.Z_FIXED };
const stored = { level: 0 };

export const GZIP = target(
  'gzip',
  'gzip',
  () => [
    ...compressed(
      (bytes) => gzipSync(bytes),
      (bytes) => gzipSync(bytes, fixed),
      (bytes) => gzipSync(bytes, stored),
      (bytes) => Buffer.concat([gzipSync(bytes), gzipSync('more')]),
    ),
    // Extra field, name, comment and a header checksum that is wrong.
    Buffer.concat([
      Buffer.from('1f8b081e00000000000302006869', 'hex'),
      Buffer.from('n\0c\0'),
      Buffer.from('0000', 'hex'),
      gzipSync('x').subarray(10),
    ]),
  ],
  (bytes) => readByZlib(gunzipSync, bytes),
);

export const DEFLATE = target(
  'deflate',
  'deflate',
  () =>
    compressed(
      (bytes) => deflateSync(bytes),
      (bytes) => deflateRawSync(bytes),
      (bytes) => deflateSync(bytes, fixed),
      (bytes) => deflateRawSync(bytes, stored),
    ),
  (bytes) => readByZlib(inflateSync, bytes) ?? readByZlib(inflateRawSync, bytes),
);

export const BROTLI = target(
  'brotli',
  'br',
  () => compressed((bytes) => brotliCompressSync(bytes)),
  (bytes) => readByZlib(brotliDecompressSync, bytes),
);

/** Frames of the reference encoder, small ones only. */
function zstdFixtures(): Uint8Array[] {
  const path = new URL('../../support/zstd-fixtures.json', import.meta.url);
  const fixtures = JSON.parse(readFileSync(path, 'utf8')) as { pieces: string[] }[];
  return fixtures
    .map(({ pieces }) => Buffer.concat(pieces.map((piece) => Buffer.from(piece, 'base64'))))
    .filter((frame) => frame.length <= 4096);
}

export const ZSTD = target('zstd', 'zstd', zstdFixtures);
