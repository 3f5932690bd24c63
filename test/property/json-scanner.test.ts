/** Any JSON value under any split must come out of the scanner as JSON.parse gives it. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createJsonScanner, type JsonPlan, RawJson } from '../../src/util/json-scanner.ts';
import { digestText, TextDigest } from '../../src/util/text-digest.ts';

/** Feeds `bytes` in pieces whose lengths cycle through `sizes`. */
function scan(bytes: Uint8Array, sizes: readonly number[], plan?: JsonPlan) {
  const scanner = createJsonScanner(plan === undefined ? {} : { plan });
  let at = 0;
  let turn = 0;
  while (at < bytes.length) {
    const size = sizes[turn++ % sizes.length]!;
    // A copy of its own, overwritten afterwards: the scanner must not keep views of what it was given.
    const piece = Buffer.from(bytes.subarray(at, at + size));
    scanner.push(piece);
    piece.fill(0x58);
    at += size;
  }
  return scanner.end();
}

const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 });

/** JSON texts with white space, every escape style and raw UTF-8. */
const jsonText = fc
  .tuple(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(0, 1, 2), fc.boolean())
  .map(([value, indent, isAscii]) => {
    const text = JSON.stringify(value, null, indent);
    return isAscii
      ? text.replace(
          /[\u007f-\uffff]/g,
          (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
        )
      : text;
  });

const unicodeJson = fc
  .array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' })))
  .map((strings) => JSON.stringify({ strings, nested: { deeper: strings } }));

describe('JSON scanner, any split', () => {
  it('equals JSON.parse for every value', () => {
    fc.assert(
      fc.property(fc.oneof(jsonText, unicodeJson), sizes, (text, pieces) => {
        const result = scan(Buffer.from(text), pieces);
        assert.equal(result.state, 'complete');
        assert.deepEqual(result.value, JSON.parse(text));
        assert.equal(result.limited, false);
      }),
      { numRuns: 1000 },
    );
  });

  it('keeps the order of members and lets the last duplicate win, as JSON.parse does', () => {
    const member = fc.tuple(
      fc.constantFrom('a', 'b', '1', '0', '__proto__', 'constructor', ''),
      fc.integer(),
    );
    fc.assert(
      fc.property(fc.array(member), sizes, (members, pieces) => {
        const text = `{${members.map(([key, value]) => `${JSON.stringify(key)}:${value}`)}}`;
        const result = scan(Buffer.from(text), pieces);
        assert.equal(JSON.stringify(result.value), JSON.stringify(JSON.parse(text)));
        assert.equal(Object.getPrototypeOf(result.value), Object.prototype);
      }),
    );
  });

  it('accepts exactly the texts that JSON.parse accepts', () => {
    const nearly = fc
      .tuple(jsonText, fc.nat(), fc.constantFrom(...'{}[]",:\\ntfu0-+.eE1 \t\u0001é'))
      .map(([text, position, char]) => {
        const at = position % (text.length + 1);
        return text.slice(0, at) + char + text.slice(at + (position % 2));
      });
    fc.assert(
      fc.property(nearly, sizes, (text, pieces) => {
        let expected: { value: unknown } | undefined;
        try {
          expected = { value: JSON.parse(text) };
        } catch {
          expected = undefined;
        }
        for (const plan of [{ keep: 'all' }, { keep: 'skip' }, { keep: 'raw' }] as JsonPlan[]) {
          const result = scan(Buffer.from(text), pieces, plan);
          assert.equal(result.state === 'complete', expected !== undefined, text);
          if (expected !== undefined && plan.keep === 'all') {
            assert.deepEqual(result.value, expected.value);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('decodes bytes that are no UTF-8 like a web client, wherever they are torn', () => {
    const body = fc
      .uint8Array({ maxLength: 24 })
      .map((bytes) =>
        bytes.map((byte) => (byte < 0x20 || byte === 0x22 || byte === 0x5c ? 0x41 : byte)),
      );
    fc.assert(
      fc.property(body, sizes, (bytes, pieces) => {
        const text = Buffer.concat([Buffer.from('["'), bytes, Buffer.from('"]')]);
        const expected = new TextDecoder('utf-8', { ignoreBOM: true }).decode(text);
        const result = scan(text, pieces);
        assert.deepEqual(result.value, JSON.parse(expected));
        assert.equal(result.replaced, !Buffer.from(expected).equals(text));
      }),
      { numRuns: 1000 },
    );
  });

  it('keeps raw values as the bytes they were', () => {
    fc.assert(
      fc.property(jsonText, jsonText, sizes, (first, second, pieces) => {
        const plan: JsonPlan = {
          keep: 'all',
          fields: new Map<string, JsonPlan>([['raw', { keep: 'raw' }]]),
          other: { keep: 'all' },
        };
        const text = `{"raw": ${first} ,"plain":${second}}`;
        const { value } = scan(Buffer.from(text), pieces, plan) as {
          value: { raw: unknown; plain: unknown };
        };
        assert.deepEqual(value.plain, JSON.parse(second));
        if (value.raw instanceof RawJson) {
          assert.equal(value.raw.text, first);
          assert.equal(value.raw.complete, true);
        } else {
          assert.deepEqual(value.raw, JSON.parse(first));
          assert.equal(typeof value.raw === 'object' && value.raw !== null, false);
        }
      }),
    );
  });

  it('leaves of a torn text what a reader of the whole would have seen first', () => {
    fc.assert(
      fc.property(jsonText, fc.nat(), sizes, (text, where, pieces) => {
        const bytes = Buffer.from(`{"before":1,"value":${text}}`);
        const cut = Math.max(12, where % bytes.length);
        const result = scan(bytes.subarray(0, cut), pieces);
        assert.equal(result.state, 'incomplete');
        assert.equal((result.value as { before: number }).before, 1);
      }),
    );
  });

  it('digests text the same whatever pieces and digests it is put together from', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ unit: 'binary' }), fc.boolean())), (pieces) => {
        const digest = new TextDigest();
        for (const [piece, isDigest] of pieces) {
          if (isDigest) {
            digest.appendDigest(digestText(piece));
          } else {
            digest.append(piece);
          }
        }
        assert.equal(digest.hex(), digestText(pieces.map(([piece]) => piece).join('')).hex());
      }),
    );
  });
});
