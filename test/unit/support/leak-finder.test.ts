/** The finder that the tests of planted credentials rely on: it must find what leaks, and nothing else. */
import assert from 'node:assert/strict';
import { secretCorpus } from '../../support/secrets/corpus.ts';
import { createLeakFinder } from '../../support/secrets/leak-finder.ts';

describe('the finder of planted credentials', () => {
  const corpus = secretCorpus();
  const findLeak = createLeakFinder(corpus);

  it('finds each credential whole, and its rear half', () => {
    for (const { rule, secret } of corpus) {
      const half = secret.slice(Math.floor(secret.length / 2));
      for (const text of [secret, half]) {
        const leak = findLeak(`{"content":"it is ${text}"}`);
        assert.equal(leak?.rule, rule, text);
      }
    }
  });

  it('finds the beginning of a token that starts with digits', () => {
    const slack = corpus.find(({ rule }) => rule === 'slack-token');
    const beginning = slack?.secret.slice(0, 15) ?? '';
    assert.deepEqual(findLeak(`"${beginning}"`), {
      rule: 'slack-token',
      part: beginning.slice(4, 14),
      index: 5,
    });
  });

  it('takes no time for a part of a token', () => {
    const digits = corpus.flatMap(({ secret }) => secret.match(/\d{10,}/g) ?? []);
    assert.ok(digits.includes('335292627202'), 'one token has the digits of a time');
    assert.equal(findLeak('"timeUnixNano":"1795292627202000000"'), undefined);
  });
});
