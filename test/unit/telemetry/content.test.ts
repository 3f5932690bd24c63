/** Content that is exported: what is masked in JSON, whole or cut off, and in the texts of messages. */
import assert from 'node:assert/strict';
import { redactSecrets } from '../../../src/agent-settings.ts';

describe('exported texts', () => {
  it('lose what their own words give away', () => {
    assert.equal(redactSecrets('run x --api-key abc123 now'), 'run x --api-key ****** now');
    assert.equal(redactSecrets('-H "x-api-key: abc" u'), '-H "x-api-key: ***" u');
    assert.equal(redactSecrets("-H 'X-RapidAPI-Key: abc' u"), "-H 'X-RapidAPI-Key: ***' u");
    assert.equal(redactSecrets('my password=abc ok'), 'my password=*** ok');
  });

  it('stay as they are when they speak of nothing secret', () => {
    const text = 'Sum: 5 tokens; a = b. See https://h/p?x=1, then run `ls -la`.';
    assert.equal(redactSecrets(text), text);
  });

  it('are masked in linear time', () => {
    const started = process.hrtime.bigint();
    redactSecrets('a line of prose: with words = and more\n'.repeat(50_000));
    redactSecrets('-H "a-key-'.repeat(100_000));
    assert.ok(Number(process.hrtime.bigint() - started) / 1e6 < 5000);
  });
});
