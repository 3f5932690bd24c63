/** The lists of keys that name a credential: written apart for what each is for, they must say the same. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  isSecretKey,
  isSecretNumberKey,
  SECRET_KEY_ENDINGS,
  SECRET_KEY_SHAPE,
  SECRET_NUMBER_KEY_SHAPE,
} from '../../../src/util/secret-keys.ts';

const whole = (shape: string): RegExp => new RegExp(`^(?:${shape})$`, 'i');

/** Keys of the shape, letters in any case. */
function keysOf(shape: string): fc.Arbitrary<string> {
  return fc
    .tuple(fc.stringMatching(new RegExp(`^(?:${shape})$`)), fc.boolean())
    .map(([key, isUpper]) => (isUpper ? key.toUpperCase() : key));
}

describe('keys that name a credential', () => {
  it('end as the scanner of bodies is told that they end', () => {
    const used = new Set<string>();
    fc.assert(
      fc.property(keysOf(SECRET_KEY_SHAPE), (key) => {
        const found = SECRET_KEY_ENDINGS.filter((ending) => key.toLowerCase().endsWith(ending));
        assert.notDeepEqual(found, [], key);
        for (const ending of found) {
          used.add(ending);
        }
      }),
      { numRuns: 5000 },
    );
    assert.deepEqual(
      SECRET_KEY_ENDINGS.filter((ending) => !used.has(ending)),
      [],
      'never used',
    );
  });

  it('are the same in recordings and in exports, and those of numbers are among them', () => {
    for (const [shape, isOne] of [
      [SECRET_KEY_SHAPE, isSecretKey],
      [SECRET_NUMBER_KEY_SHAPE, isSecretNumberKey],
    ] as const) {
      fc.assert(
        fc.property(keysOf(shape), (key) => {
          assert.ok(isOne(key) && isSecretKey(key), key);
        }),
        { numRuns: 1000 },
      );
      // Of recordings alone: no more than 48 characters before the word, of those that names are made of.
      const word = fc.constantFrom(...SECRET_KEY_ENDINGS, 'count', 'max', 'tokens', 'the', 'x');
      const parts = fc.array(word, { minLength: 1, maxLength: 3 });
      fc.assert(
        fc.property(parts, fc.constantFrom('', '_', '-', '.', ' '), (words, between) => {
          const key = words.join(between);
          const isTold = whole(shape).test(key);
          assert.equal(isOne(key) && !/(?:^|[-_. ])tokens$/.test(key), isTold, key);
        }),
        { numRuns: 2000 },
      );
    }
  });
});
