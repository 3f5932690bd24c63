/** The JSON scanner, against JSON.parse: with everything kept, and with the plans that readers of bodies use. */
import assert from 'node:assert/strict';
import {
  CutText,
  createJsonScanner,
  type JsonPlan,
  type JsonResult,
  RawJson,
} from '../../../src/util/json-scanner.ts';
import { type Pieces, piecesFor } from '../calls-input.ts';
import type { FuzzTarget } from '../target.ts';

const PLANS: readonly JsonPlan[] = [
  { keep: 'all' },
  { keep: 'skip' },
  { keep: 'raw' },
  { keep: 'text' },
  {
    keep: 'all',
    fields: new Map<string, JsonPlan>([
      ['a', { keep: 'raw' }],
      ['b', { keep: 'skip' }],
    ]),
    other: { keep: 'all' },
  },
];

function scan(bytes: Uint8Array, plan: JsonPlan, pieces?: Pieces, gapAt = -1): JsonResult {
  const scanner = createJsonScanner({ plan });
  for (let at = 0; at < bytes.length; ) {
    const size = pieces?.() ?? bytes.length;
    const piece = Buffer.from(bytes.subarray(at, at + size));
    at += size;
    if (gapAt >= at - size && gapAt < at) {
      scanner.gap();
    } else {
      scanner.push(piece);
      piece.fill(0x58);
    }
  }
  return scanner.end();
}

export const JSON_SCANNER: FuzzTarget = {
  name: 'json',
  seeds: () =>
    [
      '{"a":{"x":[1,-2.5e+3,"\\u00e9\\ud83d\\ude00"]},"b":[true,false,null],"c":"d"}',
      ' [ "a\\"\\\\\\/\\b\\f\\n\\r\\t" , {} , [] , 0 ] ',
      '{"__proto__":1,"constructor":{"a":2},"a":1,"a":2}',
      '"é東京🚀"',
      '[[[[[[[[1]]]]]]]]',
      '-0',
    ].map((text) => Buffer.from(text)),
  words: ['"a":', '"b":', '\\u', '\\ud83d', '1e400', 'null', 'true', 'false', '[[', '{"'],
  run(input) {
    for (const plan of PLANS) {
      const whole = scan(input, plan);
      const split = scan(input, plan, piecesFor(input));
      assert.deepEqual(
        comparable(split),
        comparable(whole),
        'cut into pieces, it gives another value',
      );
      scan(input, plan, piecesFor(input), input.length >> 1);
    }
    const all = scan(input, PLANS[0] as JsonPlan);
    if (all.state === 'limit' || all.limited) {
      return;
    }
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(input);
    let expected: { value: unknown } | undefined;
    try {
      expected = { value: JSON.parse(text) };
    } catch {
      expected = undefined;
    }
    assert.equal(all.state === 'complete', expected !== undefined, 'as JSON.parse judges it');
    if (expected !== undefined) {
      assert.deepEqual(all.value, expected.value, 'as JSON.parse reads it');
    }
  },
};

function comparable(result: JsonResult): unknown {
  return { ...result, value: plain(result.value, 0) };
}

function plain(value: unknown, depth: number): unknown {
  if (value instanceof RawJson || value instanceof CutText) {
    return { ...value };
  }
  if (Array.isArray(value)) {
    return value.map((item) => plain(item, depth + 1));
  }
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).map(([key, item]) => [key, plain(item, depth + 1)]);
  }
  return value;
}
