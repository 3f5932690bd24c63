/** Whatever the arguments: their number and lengths stay, only `*` appears, and a second masking finds nothing. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { maskArguments, maskSecretsInText } from '../../src/util/argument-secrets.ts';
import { findSecretsInText, maskPlaces } from '../../src/util/key-shapes.ts';

/** What the rules look at, so that random compositions meet them, and each other, often. */
const WORDS = [
  'curl',
  '/usr/bin/curl',
  'http',
  'mysql',
  'docker',
  'login',
  'sudo',
  'bash',
  '-c',
  '-u',
  '-uU',
  '-b',
  '-p',
  '-a',
  '-H',
  '--header=',
  '--token',
  '--token=',
  '--user',
  '--api-key',
  '--password=',
  '-',
  '--',
  'TOKEN=',
  'API_KEY_2=',
  'password',
  'secret',
  '"',
  "'",
  '\\"',
  ' ',
  '\n',
  '=',
  ':',
  ': ',
  ';',
  '&',
  '?',
  '?key=',
  '&token=',
  '://',
  '@',
  'Bearer ',
  'Basic ',
  'authorization: ',
  'Cookie:',
  'X-Auth: ',
  'sk-',
  'sk-abcdefgh',
  'ghp_abcdefghijklmnopqrst',
  'AKIAABCDEFGHIJKLMNOP',
  'eyJabcdefgh.abcdefgh1',
  'xoxb-abcdefgh',
  'abcdefgh',
  'a',
  '1:1',
  '*',
  '**',
  'é',
  '💥',
];

const argument = (): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...WORDS) },
    {
      weight: 4,
      arbitrary: fc
        .array(fc.constantFrom(...WORDS), { maxLength: 10 })
        .map((words) => words.join('')),
    },
    { weight: 1, arbitrary: fc.string({ maxLength: 40 }) },
  );

const argv = (): fc.Arbitrary<string[]> => fc.array(argument(), { maxLength: 8 });

describe('masking arguments', () => {
  it('keeps number and lengths, and changes characters to * alone', () => {
    fc.assert(
      fc.property(argv(), (given) => {
        const masked = maskArguments(given);
        assert.equal(masked.length, given.length);
        for (const [index, text] of masked.entries()) {
          const original = given[index] ?? '';
          assert.equal(text.length, original.length);
          const changed = text
            .split('')
            .filter((unit, at) => unit !== '*' && unit !== original[at]);
          assert.deepEqual(changed, []);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('a second time changes nothing', () => {
    fc.assert(
      fc.property(argv(), (given) => {
        const masked = maskArguments(given);
        assert.deepEqual(maskArguments(masked), masked);
        const text = maskSecretsInText(given.join(' '));
        assert.equal(maskSecretsInText(text), text);
      }),
      { numRuns: 4000 },
    );
  });

  it('comes to the same where the shapes of keys were masked before, as in a recording', () => {
    fc.assert(
      fc.property(argument(), (text) => {
        const recorded = maskPlaces(text, findSecretsInText(text));
        assert.equal(maskSecretsInText(recorded), maskSecretsInText(text));
      }),
      { numRuns: 4000 },
    );
  });

  it('leaves no value behind an option that names a credential', () => {
    const name = fc.constantFrom(
      '--token',
      '--api-key',
      '-secret',
      '--db_password',
      '--client-secret',
    );
    const value = fc.string({ minLength: 1 }).filter((text) => !/^--[a-z]/i.test(text));
    fc.assert(
      fc.property(argv(), name, value, argv(), (before, option, secret, after) => {
        const given = ['x', ...before, option, secret, ...after];
        const masked = maskArguments(given);
        assert.equal(masked[before.length + 2], '*'.repeat(secret.length));
        const joined = maskArguments(['x', ...before, `${option}=${secret}`, ...after]);
        assert.equal(joined[before.length + 1]?.endsWith('*'.repeat(secret.length)), true);
      }),
      { numRuns: 1500 },
    );
  });
});
