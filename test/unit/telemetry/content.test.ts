/** Content that is exported: what is masked in JSON, whole or cut off, and in the texts of messages. */
import assert from 'node:assert/strict';
import { redactSecrets } from '../../../src/redaction.ts';
import { redactJsonText, redactValue } from '../../../src/telemetry/content.ts';

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

  it('lose what a limit left of a key at their end', () => {
    const key = `npm_${'A1b2'.repeat(9)}`;
    for (const keptChars of [12, 24, 33]) {
      assert.equal(redactSecrets(`x ${key.slice(0, keptChars)}`), `x ${'*'.repeat(keptChars)}`);
    }
    for (const [head, secret] of [
      ['postgres://admin:', 'Zq8vTn4LmX2pRw'],
      ['see https://me:', 'a'],
      ['123456789:', 'AAbcdefgh'],
      ['x;Pwd=', 'ab'],
      ['https://hooks.slack.com/services/', 'T123/B12'],
    ] as const) {
      assert.equal(redactSecrets(head + secret), head + '*'.repeat(secret.length));
      const json = `{"url":"${head}`;
      assert.equal(redactJsonText(json + secret, redactSecrets), json + '*'.repeat(secret.length));
    }
    for (const text of ['at http://localhost:8080', 'http://[::1]:80', 'https://host']) {
      assert.equal(redactSecrets(text), text);
    }
    for (const text of ['set npm_config_prefix', 'the hf_transfer', 'xnpm_A1b2A1b2']) {
      assert.equal(redactSecrets(text), text);
    }
  });

  it('are masked in linear time', () => {
    const started = process.hrtime.bigint();
    redactSecrets('a line of prose: with words = and more\n'.repeat(50_000));
    redactSecrets('-H "a-key-'.repeat(100_000));
    assert.ok(Number(process.hrtime.bigint() - started) / 1e6 < 5000);
  });
});

describe('JSON that is exported', () => {
  const CASES: [name: string, text: string, masked: string][] = [
    ['a text', '{"password":"ab","n":1}', '{"password":"**","n":1}'],
    [
      'an object',
      '{"secret":{"v":"ab","w":["c"]},"x":"d"}',
      '{"secret":{"v":"**","w":["*"]},"x":"d"}',
    ],
    ['an array', '{"tokens": ["ab"], "max": ["c"]}', '{"tokens": ["**"], "max": ["c"]}'],
    ['a passphrase', '{"passphrase":"ab"}', '{"passphrase":"**"}'],
    ['a number', '{"password": 84920, "n": 84920}', '{"password": "*****", "n": 84920}'],
    ['a number that is cut', '{"otp":84', '{"otp":"**"'],
    [
      'keys of many names',
      '{"passcode":"a","bearer":"b","auth_header":"c","sessionId":"d","otp":"e","x-api-key":"f"}',
      '{"passcode":"*","bearer":"*","auth_header":"*","sessionId":"*","otp":"*","x-api-key":"*"}',
    ],
    ['an escaped key', '{"p\\u0061ssword":"ab"}', '{"p\\u0061ssword":"**"}'],
    ['a variable', '{"env":{"OPENAI_API_KEY":"ab"}}', '{"env":{"OPENAI_API_KEY":"**"}}'],
    ['a text that is cut behind it', '{"password":"hun","cmd":"x', '{"password":"***","cmd":"x'],
    ['a text that is cut in it', '{"a":"b","password": "hun', '{"a":"b","password": "***'],
    ['a text that is cut behind a backslash', '{"token":"hun\\', '{"token":"****'],
    ['a text that is cut in an object', '{"secret":{"v":"ab', '{"secret":*"v":"**'],
  ];
  for (const [name, text, masked] of CASES) {
    it(`is masked: ${name}`, () => {
      assert.equal(redactJsonText(text, redactSecrets), masked);
      assert.equal(redactJsonText(masked, redactSecrets), masked);
    });
  }

  it('is masked as a value, numbers too', () => {
    assert.deepEqual(redactValue({ password: 84920, a: [{ otp: '1' }] }, redactSecrets), {
      password: '*****',
      a: [{ otp: '*' }],
    });
  });

  it('stays as it is otherwise', () => {
    const text =
      '{"tokens": 12345678901234567890, "a": ["b", {"c": "d"}], "key": "e", "max_tokens": "5", "token": 7}';
    assert.equal(redactJsonText(text, redactSecrets), text);
    const value: unknown = { tokens: 5, total_tokens: 6, maxTokens: '7', prompt_tokens: '8' };
    assert.deepEqual(redactValue(value, redactSecrets), value);
  });

  it('is masked in linear time', () => {
    const started = process.hrtime.bigint();
    for (const unit of ['"', '"a"', '"\\', '{"secret":', '"a" ', '[', '"secret":"']) {
      redactJsonText(`{${unit.repeat(40_000)}`, (text) => text);
    }
    assert.ok(Number(process.hrtime.bigint() - started) / 1e6 < 3000);
  });
});
