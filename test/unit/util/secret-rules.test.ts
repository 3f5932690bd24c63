/** Every built-in rule finds its credentials whole, wherever they stand, and nothing in what only resembles one. */
import assert from 'node:assert/strict';
import { redactSecrets } from '../../../src/redaction.ts';
import { createSecretFinder, findSecretsInText, maskPlaces } from '../../../src/util/key-shapes.ts';
import { OPTIONAL_RULES, SECRET_RULES } from '../../../src/util/secret-rules.ts';
import { secretCorpus } from '../../support/secrets/corpus.ts';

const SURROUNDINGS: readonly (readonly [string, string])[] = [
  ['', ''],
  ['{"content":"the key is ', '"}'],
  ['{"content":"first line\\n', '\\nlast line"}'],
  ['"{\\"key\\":\\"', '\\"}"'],
  ['see (', ') there'],
  ['/v1/x?q=', '&n=1'],
  ['q=%20', '%20'],
  ['key=', '\n'],
];

describe('the built-in rules', () => {
  const corpus = secretCorpus();

  it('have a sample each, 200 and more together', () => {
    assert.ok(corpus.length >= 200, `${corpus.length}`);
    assert.equal(new Set(corpus.map(({ secret }) => secret)).size, corpus.length);
    const names = [...SECRET_RULES, ...OPTIONAL_RULES].map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
  });

  for (const { name } of SECRET_RULES) {
    it(`find ${name} wherever it stands`, () => {
      const rule = SECRET_RULES.filter((one) => one.name === name);
      const findAlone = createSecretFinder(rule);
      for (const { text, secret } of corpus.filter((one) => one.rule === name)) {
        for (const [before, after] of SURROUNDINGS) {
          const whole = `${before}${text}${after}`;
          const masked = whole.replace(secret, '*'.repeat(secret.length));
          for (const find of [findAlone, findSecretsInText]) {
            const found = maskPlaces(whole, find(whole));
            assert.ok(!found.includes(secret.slice(0, 12)), found);
            assert.ok(!found.includes(secret.slice(-8)), found);
            assert.equal(found.length, whole.length);
          }
          assert.deepEqual(
            findSecretsInText(masked).filter(
              ({ index, length }) => !/^[*\\n]+$/.test(masked.slice(index, index + length)),
            ),
            [],
          );
          const exported = redactSecrets(whole);
          assert.ok(!exported.includes(secret.slice(-8)), exported);
          assert.equal(redactSecrets(exported), exported);
        }
      }
    });
  }

  it('leave ordinary text alone', () => {
    for (const text of [
      'task-force risk-averse sk-learn bearer of news, eyJ, AKIA, key-value pairs and pa-ra-graphs',
      'Basic understanding of Basic Income; Bearer authentication; Basic YWJjZGVm',
      'https://host/path@v2 http://host:8080/@scope/name git@github.com:owner/name.git',
      'SK: Slovakia. SKELETON. SG.1.2 hf_model npm_config_registry gsk_x fw_update',
      'password= and Password: and pwd; AccountKey',
      'The order 1234567890:AB is 8Q~ long; see /services/Team and do_v1_thing.',
    ]) {
      assert.deepEqual(findSecretsInText(text), [], text);
    }
  });

  it('take time linear in the text', () => {
    const hints = SECRET_RULES.flatMap((rule) => rule.hints);
    const startMs = performance.now();
    for (const hint of hints) {
      for (const unit of [hint, `${hint}-`, `${hint} `, `:${hint}:`, `://${hint}`]) {
        findSecretsInText(unit.repeat(Math.ceil(60_000 / unit.length)));
      }
      findSecretsInText(`${hint}${'a'.repeat(60_000)}`);
    }
    const perTextMs = (performance.now() - startMs) / (hints.length * 6);
    assert.ok(perTextMs < 60, `${perTextMs} ms for 60 kB`);
  });
});

describe('the optional rules', () => {
  const findRule = (name: string) =>
    createSecretFinder(OPTIONAL_RULES.filter((rule) => rule.name === name));

  it('find e-mail addresses', () => {
    const find = findRule('email');
    const text = 'write to a.b+c@mail.example.co.uk, or <x@y.io>; not @scope/name, a@b or 3@4.5';
    assert.equal(
      maskPlaces(text, find(text)),
      `write to ${'*'.repeat(24)}, or <******>; not @scope/name, a@b or 3@4.5`,
    );
  });

  it('find card numbers whose check digit is right', () => {
    const find = findRule('card');
    const text =
      '4111 1111 1111 1111, 5500-0000-0000-0004 and 340000000000009, not 4111111111111112';
    assert.equal(
      maskPlaces(text, find(text)),
      `${'*'.repeat(19)}, ${'*'.repeat(19)} and ${'*'.repeat(15)}, not 4111111111111112`,
    );
    assert.deepEqual(find('1712345678901234 0.4111111111111111 id_4111111111111111'), []);
  });
});
