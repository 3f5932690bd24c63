/** Strings of JSON that come in pieces are put together by their keys and indices, however the bytes are cut. */
import assert from 'node:assert/strict';
import { createStreamedStrings } from '../../../src/http/streamed-strings.ts';

/** What each string says in the end, by its key and indices. */
function join(text: string, size = text.length): Record<string, string> {
  const bytes = Buffer.from(text);
  const strings: Record<string, string> = {};
  const streamed = createStreamedStrings((key, indices, piece, from, to, position) => {
    const told = Buffer.from(piece.subarray(from, to)).toString('latin1');
    assert.equal(
      told,
      text.slice(position, position + told.length),
      'it is where it is said to be',
    );
    strings[key + indices] = (strings[key + indices] ?? '') + told;
  });
  for (let at = 0; at < bytes.length; at += size) {
    streamed.push(bytes.subarray(at, at + size), at);
  }
  streamed.letGo();
  return strings;
}

describe('strings that come in pieces', () => {
  const record = (index: number, delta: string): string =>
    `data: {"type":"text_delta","output_index": ${index},"delta":"${delta}"}\n\n`;
  const streams = [
    record(0, 'sk-'),
    record(1, 'the '),
    'data: {"type":"other","text":"beside"}\n\n',
    record(0, 'abc'),
    record(1, 'other\\" one'),
  ];

  it('are told apart by their indices, at every cut', () => {
    const expected = {
      type: 'text_deltatext_deltaothertext_deltatext_delta',
      'delta/typetext_delta/output_index0': 'sk-abc',
      'delta/typetext_delta/output_index1': 'the other\\" one',
      text: 'beside',
    };
    const text = streams.join('');
    for (let size = 1; size <= text.length; size += 1) {
      assert.deepEqual(join(text, size), expected, `${size} at once`);
    }
  });

  it('cost no more for a record of many indices, or of a large one', () => {
    const many = Array.from({ length: 5000 }, (_, index) => `"k${index}_index":${index},"x":"v"`);
    const names = Object.keys(join(`{${many.join(',')},"index":${'9'.repeat(5000)},"y":"v"}`));
    const longest = Math.max(...names.map((name) => name.length));
    assert.ok(longest < 1000, `${longest} characters tell a string from others`);
    assert.ok(names.length < 50, `${names.length} strings`);
  });
});
