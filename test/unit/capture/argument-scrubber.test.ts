import assert from 'node:assert/strict';
import { scrubArguments } from '../../../src/capture/argument-scrubber.ts';

describe('the argument scrubber', () => {
  const cases: [string[], string[]][] = [
    [
      ['curl', '-H', 'Authorization: Bearer abc', 'https://h/'],
      ['curl', '-H', 'Authorization: **********', 'https://h/'],
    ],
    [
      ['curl', '-u', 'me:secret', '--user=x'],
      ['curl', '-u', 'me:******', '--user=x'],
    ],
    [
      ['tool', '--api-key', 'abc', '--openai-api-key=def'],
      ['tool', '--api-key', '***', '--openai-api-key=***'],
    ],
    [
      ['git', 'clone', 'https://me:tok@host/x?a=1'],
      ['git', 'clone', 'https://me:***@host/x?a=1'],
    ],
    [
      ['bash', '-c', 'OPENAI_API_KEY=sk-1 python x.py; echo done'],
      ['bash', '-c', 'OPENAI_API_KEY=**** python x.py; echo done'],
    ],
    [
      ['x', `use sk-${'a'.repeat(20)} now`],
      ['x', `use ${'*'.repeat(23)} now`],
    ],
    [
      ['wget', 'https://h/?key=abc&x=1'],
      ['wget', 'https://h/?key=***&x=1'],
    ],
    [
      ['python', '-u', 'a:b.py', '--tokens', '100'],
      ['python', '-u', 'a:b.py', '--tokens', '100'],
    ],
    [
      ['ls', '-la', '/home/secret'],
      ['ls', '-la', '/home/secret'],
    ],
  ];

  for (const [given, wanted] of cases) {
    it(`${given.join(' ').slice(0, 50)}`, () => {
      const scrubbed = scrubArguments(given);
      assert.deepEqual(scrubbed, wanted);
      assert.deepEqual(
        scrubbed.map((argument) => argument.length),
        given.map((argument) => argument.length),
      );
    });
  }

  it('takes time in proportion to the length', () => {
    const started = process.hrtime.bigint();
    for (const unit of ['a', 'a-', 'eyJ-', 'TOKEN', 'http://a:', 'sk-', '?key', 'Bearer ']) {
      scrubArguments(['x', unit.repeat(Math.ceil(500_000 / unit.length))]);
    }
    assert.ok(process.hrtime.bigint() - started < 10_000_000_000n);
  });
});
