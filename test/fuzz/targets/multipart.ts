/** Form data: its parts by their lengths. The boundary is `b`. */
import assert from 'node:assert/strict';
import {
  createMultipartReader,
  type MultipartPart,
  multipartBoundary,
} from '../../../src/http/multipart-reader.ts';
import { type Pieces, piecesFor } from '../calls-input.ts';
import type { FuzzTarget } from '../target.ts';

const BOUNDARY = 'b-0';
const LIMITS = { maxParts: 20, maxHeadBytes: 500 };

function read(bytes: Uint8Array, pieces?: Pieces, gapAt = -1) {
  const parts: MultipartPart[] = [];
  let limits = 0;
  const reader = createMultipartReader({
    boundary: BOUNDARY,
    onPart: (part) => parts.push({ ...part }),
    onLimit: () => {
      limits += 1;
    },
    ...LIMITS,
  });
  for (let at = 0; at < bytes.length; ) {
    const size = pieces?.() ?? bytes.length;
    const piece = Buffer.from(bytes.subarray(at, at + size));
    at += size;
    if (gapAt >= at - size && gapAt < at) {
      reader.gap(1n);
    } else {
      reader.data(piece, 1n);
      piece.fill(0xee);
    }
  }
  reader.end(true, 2n);
  return { parts, limits };
}

function form(lineEnd: string): Buffer {
  return Buffer.from(
    [
      'preamble',
      `--${BOUNDARY}`,
      'Content-Disposition: form-data; name="model"',
      '',
      'whisper-1',
      `--${BOUNDARY} \t`,
      'content-disposition: form-data; name="file"; filename="a\\"b.wav"; filename*=UTF-8\'\'%c3%a9',
      'Content-Type: audio/wav; x=y',
      ' folded',
      '',
      `--${BOUNDARY}x is content`,
      `--${BOUNDARY}--`,
      'epilogue',
    ].join(lineEnd),
  );
}

export const MULTIPART: FuzzTarget = {
  name: 'multipart',
  seeds: () => [form('\r\n'), form('\n'), Buffer.from(`--${BOUNDARY}--`)],
  words: [`\r\n--${BOUNDARY}`, `--${BOUNDARY}--`, '\r\n\r\n', `\r\n--${BOUNDARY}\r\n`, 'name="'],
  run(input) {
    const whole = read(input);
    assert.deepEqual(read(input, piecesFor(input)), whole, 'cut into pieces, it gives other parts');
    const gapped = read(input, piecesFor(input), input.length >> 1);
    for (const { parts, limits } of [whole, gapped]) {
      const contentBytes = parts.reduce((sum, part) => sum + part.contentBytes, 0);
      assert.ok(contentBytes <= input.length, 'parts are not larger than the body');
      assert.ok(
        parts.every((part) => part.contentBytes >= 0),
        'no part is smaller than nothing',
      );
      assert.ok(parts.length <= LIMITS.maxParts && limits <= 1, 'parts are bounded');
    }
    multipartBoundary(Buffer.from(input).toString('latin1'));
  },
};
