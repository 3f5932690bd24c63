/** Streams of JSON cut anywhere are read as they are whole; gaps and noise are survived; nothing throws. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createMultipartReader } from '../../src/http/multipart-reader.ts';
import { createStreamFormatDetector } from '../../src/http/stream-format.ts';
import { createStreamReader, type RecordFormat } from '../../src/http/stream-reader.ts';
import { cut, fractions } from '../support/http-generator.ts';

const value = fc.jsonValue({ maxDepth: 4, stringUnit: 'grapheme' });
const blank = fc.constantFrom('', ' ', '\n', '\r\n  ', '\t');

function read(
  format: RecordFormat,
  pieces: readonly (Uint8Array | null)[],
  maxRecordBytes?: number,
) {
  const texts: string[] = [];
  const damage: string[] = [];
  const reader = createStreamReader(format, {
    onRecord: ({ text, complete }) => {
      if (complete) {
        texts.push(text);
      }
    },
    onDamage: (kind) => damage.push(kind),
    ...(maxRecordBytes === undefined ? {} : { maxRecordBytes }),
  });
  for (const piece of pieces) {
    if (piece === null) {
      reader.gap(1n);
    } else {
      reader.data(Buffer.from(piece), 1n);
    }
  }
  reader.end(true, 2n);
  return { texts, damage };
}

describe('streams of JSON', () => {
  it('arrays: elements are those of JSON.parse, at any split', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 8 }), blank, fractions, (elements, space, cuts) => {
        const texts = elements.map((element) => JSON.stringify(element, null, space.length % 3));
        const body = `${space}[${space}${texts.join(`${space},${space}`)}${space}]${space}`;
        const result = read('json-array', cut(Buffer.from(body), cuts));
        assert.deepEqual(result.damage, []);
        assert.deepEqual(result.texts, texts);
        assert.deepEqual(
          result.texts.map((text) => JSON.parse(text)),
          JSON.parse(body),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('lines: at any split, with either line end', () => {
    const end = fc.constantFrom('\n', '\r\n', '\n\n', ' \r\n\n');
    fc.assert(
      fc.property(fc.array(value, { maxLength: 8 }), end, fractions, (values, lineEnd, cuts) => {
        const lines = values.map((one) => JSON.stringify(one));
        const result = read('ndjson', cut(Buffer.from(lines.join(lineEnd)), cuts));
        assert.deepEqual(result.damage, []);
        assert.deepEqual(
          result.texts.map((line) => line.trimEnd()),
          lines,
        );
      }),
      { numRuns: 300 },
    );
  });

  for (const format of ['json-array', 'ndjson'] as const) {
    it(`${format}: with reads lost, no record is given that was touched`, () => {
      const record = fc.record({
        model: fc.constant('m'),
        text: fc.string(),
        n: fc.array(fc.nat()),
      });
      let found = 0;
      fc.assert(
        fc.property(
          fc.array(record, { minLength: 1, maxLength: 12 }),
          fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
          (records, isKept) => {
            const texts = records.map((one) => JSON.stringify(one));
            const pieces = texts.map((text, index) => {
              const before = format === 'ndjson' ? '' : index === 0 ? '[' : ',\r\n';
              const bytes = Buffer.from(`${before}${text}${format === 'ndjson' ? '\n' : ''}`);
              return isKept[index] ? bytes : null;
            });
            const kept = texts.filter((_, index) => isKept[index]);
            const result = read(format, pieces);
            // Without a record before the first loss nothing tells how records begin.
            if (isKept[0]) {
              assert.deepEqual(result.texts, kept);
            } else {
              assert.ok(result.texts.every((text) => kept.includes(text)));
            }
            found += result.texts.length;
          },
        ),
        { numRuns: 200 },
      );
      assert.ok(found > 200);
    });
  }

  it('random bytes never throw, and no record is larger than allowed', () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.string({
        unit: fc.constantFrom('[', ']', '{', '}', '"', '\\', ',', ' ', '\n', 'a', '1', ':'),
      }),
    );
    const piece = fc.option(
      noise.map((bytes) => Buffer.from(bytes as string)),
      { freq: 8 },
    );
    const formats = fc.constantFrom<RecordFormat>(
      'json-array',
      'ndjson',
      'sse',
      'aws-event-stream',
    );
    fc.assert(
      fc.property(formats, fc.array(piece, { maxLength: 20 }), (format, pieces) => {
        for (const text of read(format, pieces, 50).texts) {
          // Bytes that are no UTF-8 become U+FFFD, three bytes for one; events join lines by line feeds.
          assert.ok(text.length <= 100);
        }
        const detector = createStreamFormatDetector(undefined);
        const reader = createMultipartReader({
          boundary: '1',
          onPart: (part) => assert.ok(part.contentBytes >= 0),
        });
        for (const bytes of pieces) {
          if (bytes === null) {
            reader.gap(1n);
          } else {
            detector.push(bytes);
            reader.data(bytes, 1n);
          }
        }
        detector.end();
        reader.end(false, 2n);
      }),
      { numRuns: 1500 },
    );
  });
});
