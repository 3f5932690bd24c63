/** SIGHTLINE_REDACT: what it takes, and what it says of what it does not take. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../../src/config/load.ts';

const read = (text: string) => loadConfig({ SIGHTLINE_REDACT: text }).content.redact;

describe('SIGHTLINE_REDACT', () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sightline-redact-'));
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  it('is a list of rules and patterns, with commas and slashes in them', () => {
    assert.deepEqual(read('email, Card,/a{2,3}/,/x\\/[,\\/]y/is\n/^z$/m'), [
      { rule: 'email' },
      { rule: 'card' },
      { source: 'a{2,3}', flags: '' },
      { source: 'x/[,/]y', flags: 'is' },
      { source: '^z$', flags: 'm' },
    ]);
    assert.deepEqual(loadConfig({}).content.redact, []);
  });

  it('may come from a file, and as a list in a configuration file', () => {
    const list = join(folder, 'list');
    writeFileSync(list, '# ours\nemail\n\n/ACME-[0-9]{5,}/i\n');
    const expected = [{ rule: 'email' }, { source: 'ACME-[0-9]{5,}', flags: 'i' }];
    assert.deepEqual(read(`@${list}`), expected);
    const configFile = join(folder, 'config.yaml');
    writeFileSync(configFile, 'content:\n  redact:\n    - email\n    - /ACME-[0-9]{5,}/i\n');
    assert.deepEqual(loadConfig({}, { configFile }).content.redact, expected);
  });

  const wrong: readonly (readonly [string, string, RegExp])[] = [
    ['an unknown name', 'emails', /"emails" is no rule: allowed is a list.*email, card/],
    ['a pattern without an end', '/abc', /"\/abc" begins a pattern that does not end/],
    ['look-ahead', '/a(?=b)/', /the pattern \/a\(\?=b\)\/ is refused: .*look-around/],
    ['look-behind', '/(?<=b)a/', /the pattern \/\(\?<=b\)a\/ is refused/],
    ['a back-reference', '/(a)\\1/', /the pattern \/\(a\)\\1\/ is refused/],
    ['an open bracket', '/a(b/', /missing closing \)/],
    ['a huge repeat', '/(a{900}){900}/', /is refused: .*repeat/],
    ['what matches nothing', '/x*/', /it matches the empty text/],
    ['unknown flags', '/x/g', /the flags "g" are not of i, m and s/],
    ['flags twice', '/x/ii', /the flags "ii"/],
    ['a long pattern', `/${'x'.repeat(1001)}/`, /more than 1000 characters/],
    [
      'many items',
      Array.from({ length: 65 }, (_, n) => `/x${n}/`).join(),
      /65 items; allowed are 64/,
    ],
    ['no file', '@/nowhere/list', /no readable file is at \/nowhere\/list/],
  ];
  for (const [what, text, message] of wrong) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => read(text),
        (error: Error) => {
          assert.match(error.message, /^SIGHTLINE_REDACT is "/);
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }

  it('names the line of a file that is wrong', () => {
    const list = join(folder, 'wrong');
    writeFileSync(list, 'email\n/(/\n');
    assert.throws(() => read(`@${list}`), /line 2 of .*wrong: the pattern \/\(\/ is refused/);
  });
});
