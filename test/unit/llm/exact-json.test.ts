import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseExactJson } from '../../../src/llm/exact-json.ts';

describe('JSON whose numbers keep their digits', () => {
  const CASES: readonly [text: string, value: unknown][] = [
    ['5', 5],
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', '9007199254740993'],
    ['-12345678901234567890', '-12345678901234567890'],
    // Written again, these have the digits that they had.
    ['12345678901234567000', 12345678901234567000],
    ['1e30', 1e30],
    ['100.50', 100.5],
    ['1.0E+2', 100],
    ['0.1', 0.1],
    ['-0', -0],
    ['0.00e10', 0],
    ['1e400', '1e400'],
    ['1e-400', '1e-400'],
    ['3.14159265358979323846', '3.14159265358979323846'],
    [
      '{"id":9007199254740993,"text":"9007199254740993 \\" 9007199254740993"}',
      {
        id: '9007199254740993',
        text: '9007199254740993 " 9007199254740993',
      },
    ],
    ['[1, 18446744073709551615]', [1, '18446744073709551615']],
  ];
  for (const [text, value] of CASES) {
    it(text, () => {
      assert.deepEqual(parseExactJson(text), value);
    });
  }

  it('is JSON.parse where every number is a double', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        assert.deepEqual(parseExactJson(text), JSON.parse(text));
      }),
    );
  });

  it('throws as JSON.parse does', () => {
    assert.throws(() => parseExactJson('{"id":9007199254740993'), SyntaxError);
  });
});
