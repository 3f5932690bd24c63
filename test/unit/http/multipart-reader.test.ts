/** Multipart bodies: what Node's own FormData writes, at every split, and what only looks like a delimiter. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  createMultipartReader,
  type MultipartPart,
  multipartBoundary,
} from '../../../src/http/multipart-reader.ts';

function read(
  boundary: string,
  pieces: readonly (Uint8Array | string | null)[],
  limits: { maxParts?: number; maxHeadBytes?: number } = {},
): { parts: MultipartPart[]; limits: number } {
  const parts: MultipartPart[] = [];
  let reached = 0;
  const reader = createMultipartReader({
    boundary,
    onPart: (part) => parts.push(part),
    onLimit: () => {
      reached += 1;
    },
    ...limits,
  });
  for (const piece of pieces) {
    if (piece === null) {
      reader.gap(1n);
    } else {
      const lent = Buffer.from(piece as string);
      reader.data(lent, 1n);
      lent.fill(0xee);
    }
  }
  reader.end(true, 2n);
  return { parts, limits: reached };
}

describe('multipart reader', () => {
  it('reads what fetch sends, at every split', async () => {
    const form = new FormData();
    form.append('model', 'whisper-1');
    form.append('empty', '');
    const audio = randomBytes(700);
    form.append('file', new Blob([audio], { type: 'Audio/WAV' }), 'größe "a".wav');
    form.append('note', 'two\r\nlines\r\n--not the boundary\r\n-');
    const request = new Request('http://h.example/', { method: 'POST', body: form });
    const boundary = multipartBoundary(request.headers.get('content-type') ?? undefined) ?? '';
    const body = Buffer.from(await request.arrayBuffer());
    const expected: MultipartPart[] = [
      { name: 'model', contentBytes: 9, complete: true },
      { name: 'empty', contentBytes: 0, complete: true },
      {
        name: 'file',
        filename: 'größe "a".wav',
        contentType: 'audio/wav',
        contentBytes: 700,
        complete: true,
      },
      { name: 'note', contentBytes: 33, complete: true },
    ];
    assert.deepEqual(read(boundary, [body]).parts, expected);
    const single = Array.from(body, (byte) => Uint8Array.of(byte));
    assert.deepEqual(read(boundary, single).parts, expected);
    for (let at = 0; at <= body.length; at += 1) {
      const pieces = [body.subarray(0, at), body.subarray(at)];
      assert.deepEqual(read(boundary, pieces).parts, expected, `split at ${at}`);
    }
  });

  it('counts content that nearly is a delimiter', () => {
    for (const content of [
      '\r\n--bx',
      '\r\n--b-x',
      '\r\n--\r\n--b',
      '\r\n-',
      '\r\r\n--b!\r',
      '--b',
    ]) {
      const body = `--b\r\nContent-Disposition: form-data; name=a\r\n\r\n${content}\r\n--b--\r\n`;
      const expected = [{ name: 'a', contentBytes: content.length, complete: true }];
      // A delimiter at once behind the head is one: the head's line end is its own.
      const isDelimiter = content === '--b' || content.endsWith('\r\n--b');
      for (const pieces of [[body], Array.from(Buffer.from(body), (byte) => Uint8Array.of(byte))]) {
        const { parts } = read('b', pieces);
        assert.deepEqual(parts.slice(0, 1), isDelimiter ? parts.slice(0, 1) : expected, content);
        assert.ok((parts[0]?.contentBytes ?? -1) >= 0);
      }
    }
  });

  it('preamble, blanks behind a delimiter, folded and strange heads, extended file names', () => {
    const body = [
      'preamble\r\n--b \t\r\n',
      'Content-Disposition: form-data;\r\n name="x y"; filename="plain"; ',
      "filename*=UTF-8''%e2%82%ac.txt\r\nX: y\r\nno colon\r\nContent-Type: text/plain; charset=x\r\n",
      '\r\ncontent\r\n--b\r\n\r\nno head\r\n--b--ignored\r\n--b\r\n',
    ].join('');
    assert.deepEqual(read('b', [body]).parts, [
      {
        name: 'x y',
        filename: '€.txt',
        contentType: 'text/plain',
        contentBytes: 7,
        complete: true,
      },
      { contentBytes: 7, complete: true },
    ]);
  });

  it('marks parts that are cut or touched by a gap', () => {
    const head = (name: string) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`;
    assert.deepEqual(read('b', [`${head('a')}12345`]).parts, [
      { name: 'a', contentBytes: 5, complete: false },
    ]);
    const pieces = [`${head('a')}123`, null, `45\r\n${head('c')}6789\r\n--b--\r\n`];
    assert.deepEqual(read('b', pieces).parts, [
      { name: 'a', contentBytes: 3, complete: false },
      { name: 'c', contentBytes: 4, complete: true },
    ]);
  });

  it('keeps no more than its limits', () => {
    const part = '--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n';
    const many = read('b', [`${part.repeat(20)}--b--`], { maxParts: 5 });
    assert.equal(many.parts.length, 5);
    assert.equal(many.limits, 1);
    const long = read('b', [`--b\r\nX: ${'y'.repeat(1000)}\r\n\r\nx\r\n--b--`], {
      maxHeadBytes: 100,
    });
    assert.deepEqual(long, { parts: [], limits: 1 });
  });

  it('counts 1 GB of content in constant memory', function () {
    this.timeout(60_000);
    let part: MultipartPart | undefined;
    const reader = createMultipartReader({
      boundary: 'b',
      onPart: (one) => {
        part = one;
      },
    });
    const block = Buffer.alloc(65_536, 'x');
    const heldBefore = process.memoryUsage().arrayBuffers;
    reader.data(Buffer.from('--b\r\n\r\n'), 1n);
    for (let index = 0; index < 2 ** 30 / block.length; index += 1) {
      reader.data(block, 1n);
    }
    assert.ok(process.memoryUsage().arrayBuffers - heldBefore < 10_000_000);
    reader.data(Buffer.from('\r\n--b--'), 1n);
    assert.equal(part?.contentBytes, 2 ** 30);
  });

  it('finds the boundary', () => {
    assert.equal(multipartBoundary('multipart/form-data; boundary=abc'), 'abc');
    assert.equal(multipartBoundary('Multipart/Form-Data; charset=x; Boundary="a b"'), 'a b');
    assert.equal(multipartBoundary('multipart/form-data'), undefined);
    assert.equal(multipartBoundary('multipart/mixed; boundary=x'), undefined);
    assert.equal(multipartBoundary(`multipart/form-data; boundary=${'x'.repeat(71)}`), undefined);
    assert.equal(multipartBoundary(undefined), undefined);
  });
});
