/** Credentials in arguments: masked at their length, and nothing else touched. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { redactArguments } from '../../../src/telemetry/command-args.ts';

const same = (text: string) => text;

/** Every `§` stands for one masked character. */
const CASES: [name: string, argv: string[], masked: string[]][] = [
  ['an option with =', ['x', '--api-key=abc123'], ['x', '--api-key=§§§§§§']],
  ['an option and its value', ['x', '--token', 'abc123', '-v'], ['x', '--token', '§§§§§§', '-v']],
  ['an option followed by another', ['x', '--token', '--verbose'], ['x', '--token', '--verbose']],
  ["curl's user", ['curl', '-u', 'ada:pw', 'http://h/'], ['curl', '-u', '§§§§§§', 'http://h/']],
  [
    'a header',
    ['curl', '-H', 'Authorization: Bearer abc.def', 'http://h/'],
    ['curl', '-H', 'Authorization: §§§§§§§§§§§§§§', 'http://h/'],
  ],
  ['a header of a vendor', ['curl', '-H', 'x-api-key: abc'], ['curl', '-H', 'x-api-key: §§§']],
  ['an assignment', ['env', 'OPENAI_API_KEY=abc', 'node'], ['env', 'OPENAI_API_KEY=§§§', 'node']],
  [
    'a script',
    ['bash', '-c', 'export GITHUB_TOKEN="abc" && git push'],
    ['bash', '-c', 'export GITHUB_TOKEN="§§§" && git push'],
  ],
  [
    'user information of a URL',
    ['git', 'clone', 'https://ada:pw@host/r.git'],
    ['git', 'clone', 'https://§§§§§§@host/r.git'],
  ],
  ['a key by its shape', ['x', 'sk-ant-abcdefgh'], ['x', '§§§§§§§§§§§§§§§']],
  [
    'nothing in ordinary arguments',
    ['git', 'commit', '-m', 'Explain tokens', '--author=Ada'],
    ['git', 'commit', '-m', 'Explain tokens', '--author=Ada'],
  ],
  ['nothing in the program itself', ['/opt/token', 'list'], ['/opt/token', 'list']],
];

describe('the arguments of a program', () => {
  for (const [name, argv, masked] of CASES) {
    it(`mask ${name}`, () => {
      assert.deepEqual(
        redactArguments(argv, same),
        masked.map((argument) => argument.replaceAll('§', '*')),
      );
    });
  }

  it('pass through the given rules too', () => {
    assert.deepEqual(
      redactArguments(['x', 'secretword'], (t) => t.replace('secretword', '**********')),
      ['x', '**********'],
    );
  });

  it('keep their number and lengths', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 60 }), { maxLength: 8 }), (argv) => {
        const masked = redactArguments(argv, same);
        assert.deepEqual(
          masked.map((argument) => argument.length),
          argv.map((argument) => argument.length),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('take no more than linear time on hostile text', () => {
    const started = process.hrtime.bigint();
    for (const text of [
      'token'.repeat(20_000),
      '"'.repeat(100_000),
      ':// '.repeat(25_000),
      'a'.repeat(100_000),
      `Bearer${' '.repeat(100_000)}`,
    ]) {
      redactArguments(['x', text], same);
    }
    assert.ok(process.hrtime.bigint() - started < 2_000_000_000n);
  });
});
