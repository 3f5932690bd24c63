/** Literals in bytes that come in pieces: none is missed however they are cut, and few are taken for others. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  findHintedSecrets,
  findSecretsInText,
  SECRET_HINTS,
} from '../../../src/util/key-shapes.ts';
import { createLiteralWatcher } from '../../../src/util/literal-watch.ts';
import { secretCorpus } from '../../support/secrets/corpus.ts';

const ALL_SEARCHES = -1;

describe('a watch for literals', () => {
  const literals = [
    { text: 'he', isAnyCase: false, searches: 1 },
    { text: 'she', isAnyCase: false, searches: 2 },
    { text: 'Hers', isAnyCase: false, searches: 4 },
    { text: 'abab"', isAnyCase: true, searches: 8 },
    { text: '@', isAnyCase: false, searches: 16 },
  ];
  const begin = createLiteralWatcher(literals);
  const text = fc
    .array(fc.constantFrom(...'heHErsSabAB"@.\u00e9'), { maxLength: 60 })
    .map((chars) => chars.join(''));

  function expected(all: string): number {
    let searches = 0;
    for (const literal of literals) {
      const [where, what] = literal.isAnyCase
        ? [all.toLowerCase(), literal.text.toLowerCase()]
        : [all, literal.text];
      searches |= where.includes(what) ? literal.searches : 0;
    }
    return searches;
  }

  it('tells exactly which are in one piece', () => {
    fc.assert(
      fc.property(text, (all) => {
        const bytes = Buffer.from(all);
        assert.equal(begin().push(bytes, 0, bytes.length), expected(all));
      }),
    );
  });

  it('misses none that are cut, and says where the last one ends', () => {
    fc.assert(
      fc.property(
        text,
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1 }),
        (all, sizes) => {
          const bytes = Buffer.from(all);
          const watch = begin();
          let searches = 0;
          let from = 0;
          for (let turn = 0; from < bytes.length; turn += 1) {
            const to = Math.min(bytes.length, from + (sizes[turn % sizes.length] ?? 1));
            const found = watch.push(bytes, from, to);
            assert.equal(found !== 0, watch.lastEnd > from);
            searches |= found;
            from = to;
          }
          assert.equal(searches & expected(all), expected(all));
          // Of what was cut the case alone is not known.
          const inAnyCase = literals.filter(({ text: one }) =>
            all.toLowerCase().includes(one.toLowerCase()),
          );
          assert.equal(
            searches & ~inAnyCase.reduce((sum, literal) => sum | literal.searches, 0),
            0,
          );
        },
      ),
    );
  });

  it('forgets at a reset what was begun', () => {
    const watch = begin();
    assert.equal(watch.push(Buffer.from('s'), 0, 1), 0);
    watch.reset();
    assert.equal(watch.push(Buffer.from('he'), 0, 2), 1);
  });
});

describe('the hints of the rules', () => {
  it('call for every search that finds something', () => {
    const begin = createLiteralWatcher(SECRET_HINTS);
    // The corpus has credentials of every rule; letters of another case are in none of them.
    const inAnyCase = ['BEARER abcdefghijklmnopqrst', 'PassWord=hunter2222'];
    const texts = [...secretCorpus().map(({ text }) => text), ...inAnyCase];
    for (const one of texts) {
      const bytes = Buffer.from(`text ${one} text`);
      const text = bytes.toString('latin1');
      const searches = begin().push(bytes, 0, bytes.length);
      assert.notDeepEqual(findHintedSecrets(text, searches), [], one);
      assert.deepEqual(findHintedSecrets(text, searches), findSecretsInText(text));
      assert.deepEqual(findHintedSecrets(text, ALL_SEARCHES), findSecretsInText(text));
    }
  });
});
