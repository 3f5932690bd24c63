/** What of a body is masked in a recording, and that it makes no difference how the body is cut. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  createBodySecretScanner,
  createStreamSecretScanner,
} from '../../../src/http/body-secret-scanner.ts';
import { redactSecrets } from '../../../src/redaction.ts';
import { secretCorpus } from '../../support/secrets/corpus.ts';

/** The body as it is recorded when it comes in pieces of these sizes, in turn. */
function recorded(
  body: string,
  sizes: readonly number[],
  create: typeof createStreamSecretScanner = createStreamSecretScanner,
): string {
  const bytes = Buffer.from(body);
  const masked = Buffer.from(bytes);
  let releasedTo = 0;
  const scanner = create((position, length, replacement) => {
    assert.ok(position >= releasedTo, 'a secret is known before its bytes are released');
    if (replacement === undefined) {
      masked.fill('*', position, position + length);
    } else {
      assert.equal(replacement.length, length);
      masked.set(replacement, position);
    }
  });
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    scanner.push(bytes.subarray(at, at + size), at);
    at += size;
    releasedTo = Math.min(scanner.pendingPosition ?? at, at);
  }
  return masked.toString();
}

describe('the masks of a recorded body', () => {
  const line = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQnrtu0a1b2c3d4+/';
  const pem = `-----BEGIN PRIVATE KEY-----\n${`${line}\r\n`.repeat(26)}-----END PRIVATE KEY-----\n`;
  const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 4 });

  it('leave the line ends of a private key, so that its JSON decodes to what is exported', () => {
    for (const depth of [1, 2, 3]) {
      let body = `Here: ${pem} there.`;
      for (let wrapped = 0; wrapped < depth; wrapped += 1) {
        body = JSON.stringify({ text: body });
      }
      fc.assert(
        fc.property(sizes, (split) => {
          let text: string = recorded(body, split);
          for (let wrapped = 0; wrapped < depth; wrapped += 1) {
            text = (JSON.parse(text) as { text: string }).text;
          }
          assert.equal(text, redactSecrets(`Here: ${pem} there.`));
          assert.ok(!text.includes('MIIE') && text.includes('*\r\n*'));
        }),
        { numRuns: 30 },
      );
    }
  });

  it('hide what its key calls a secret, at any depth, and leave JSON that counts the same tokens', () => {
    const names = [
      ...['token', 'authorization', 'cookie', 'github_token', 'db_password', 'DB_PASSWORD'],
      ...['OPENAI_API_KEY', 'x-api-key', 'credentials', 'auth', 'jwt', 'sessionId', 'otp'],
    ];
    const counts = { max_tokens: '5', total_tokens: 16, tokens: 77, token: 5, key: 'abc' };
    const secrets = Object.fromEntries(names.map((name) => [name, 'hunter-two']));
    const masked = Object.fromEntries(names.map((name) => [name, '*'.repeat(10)]));
    let body: unknown = { ...secrets, ...counts, password: 84920, pwd: -12 };
    let expected: unknown = { ...masked, ...counts, password: 11111, pwd: -11 };
    for (let depth = 0; depth < 3; depth += 1) {
      fc.assert(
        fc.property(sizes, (split) => {
          assert.deepEqual(JSON.parse(recorded(JSON.stringify(body), split)), expected);
        }),
        { numRuns: 30 },
      );
      body = { text: JSON.stringify(body) };
      expected = { text: JSON.stringify(expected) };
    }
  });

  it('hide in texts what words before it give away', () => {
    const text = (secret: string) =>
      [
        `export DB_PASSWORD="${secret}"`,
        `api-key: ${secret}, MISTRAL_API_KEY=${secret} max_tokens=5000 tokens: 12345`,
        `Authorization: Token ${secret}`,
        `//registry.example/:_authToken=${secret}`,
        `https://${secret}@github.com/a/b, https://${secret}${secret}@github.com/a/b`,
      ].join('\n');
    const user = (secret: string) => `curl -u "${secret}" http://h/`;
    const body = JSON.stringify({ text: text('Ab1cdefgh234'), user: user('ada:letmein') });
    // A comma may belong to a password.
    const hidden = text('*'.repeat(12)).replace('*, ', '** ');
    fc.assert(
      fc.property(sizes, (split) => {
        assert.deepEqual(JSON.parse(recorded(body, split)), {
          text: hidden,
          user: user('*'.repeat(11)),
        });
      }),
      { numRuns: 30 },
    );
  });

  it('leave escapes of line ends by their numbers, and slashes that are escaped', () => {
    const body = `{"a":"-----BEGIN EC PRIVATE KEY-----\\u000aABCD\\/EFGHIJKLMNOP\\u000a-----END"}`;
    const masked = `{"a":"-----BEGIN EC PRIVATE KEY-----\\u000a****\\/************\\u000a-----END"}`;
    fc.assert(fc.property(sizes, (split) => assert.equal(recorded(body, split), masked)));
  });

  const key = `sk-proj-${'aB3'.repeat(14)}`;

  it('reach into Base64 that is text, in both alphabets, with line ends and escapes, by itself', () => {
    const text = `Ünïcode? ~~~>>> the key is ${key}. ~~~`;
    const base64 = Buffer.from(text).toString('base64');
    const shown = (encoded: string): string =>
      Buffer.from(encoded.replaceAll(/\\[nr]|\\(?=\/)/g, ''), 'base64').toString();
    const escaped = base64.replaceAll('/', '\\/').replace(/^.{32}/, '$&\\r\\n');
    for (const encoded of [base64, Buffer.from(text).toString('base64url'), escaped]) {
      assert.ok(encoded.length > 60);
      const body = `{"inlineData":{"mimeType":"text/plain","data":"${encoded}"},"more":"${'x'.repeat(300)}"}`;
      fc.assert(
        fc.property(sizes, fc.boolean(), (split, isAnswer) => {
          const create = isAnswer ? createStreamSecretScanner : createBodySecretScanner;
          const { inlineData } = JSON.parse(recorded(body, split, create)) as {
            inlineData: { data: string };
          };
          assert.equal(shown(inlineData.data), text.replace(key, '*'.repeat(key.length)));
        }),
        { numRuns: 60 },
      );
    }
  });

  it('reach into data URLs, and leave Base64 that is no text', () => {
    const url = `data:text/plain;base64,${Buffer.from(`my key: ${key}`).toString('base64')}`;
    const masked = `data:text/plain;base64,${Buffer.from(`my key: ${'*'.repeat(key.length)}`).toString('base64')}`;
    const image = Buffer.from(`\x89PNG\r\n\x1a\n\0\0\0${key}`, 'latin1').toString('base64');
    fc.assert(
      fc.property(sizes, (split) => {
        const body = recorded(JSON.stringify({ file: url, image }), split);
        assert.deepEqual(JSON.parse(body), { file: masked, image });
      }),
    );
  });

  it('are over every value whose key says that it is secret, in JSON within JSON too', () => {
    const names = [
      ...['api_key', 'API-Key', 'apikey', 'password', 'passwd', 'passphrase', 'pwd', 'secret'],
      ...['client_secret', 'aws_secret_access_key', 'masterKey', 'signing-key', 'accessToken'],
      ...['refresh_token', 'sessionToken', 'private_key_data', 'private-key-data', 'token'],
      ...['Authorization', 'proxy-authorisation', 'auth_header', 'cookie', 'passcode', 'otp'],
      ...['sessionId', 'session-id', 'SESSION_ID', 'sms_otp', 'api_keys', 'credential'],
      ...['credentials', 'secrets', 'auth', 'bearer', 'jwt'],
    ];
    const of = (name: string, value: string): string =>
      JSON.stringify({ [name]: value, args: JSON.stringify({ [name]: value }), more: 'kept' });
    for (const name of names) {
      const masked = of(name, '*'.repeat(8));
      fc.assert(
        fc.property(sizes, fc.boolean(), (split, isAnswer) => {
          const create = isAnswer ? createStreamSecretScanner : createBodySecretScanner;
          assert.equal(recorded(of(name, 'hunter22'), split, create), masked);
        }),
        { numRuns: 10 },
      );
    }
  });

  it('end where the secret ends, whatever of its beginning is still at hand', () => {
    const filling = 'and that is all of it, '.repeat(20);
    const long = [
      `sk-proj-${'aB3'.repeat(52)}`,
      `postgres://${'name'.repeat(25)}:${'pw'.repeat(60)}@h`,
    ];
    for (const text of [...secretCorpus().map((planted) => planted.text), ...long]) {
      const body = JSON.stringify({ text: `Use ${text}. ${filling}` });
      const whole = recorded(body, [body.length]);
      for (const size of [1, 30, 100]) {
        assert.equal(recorded(body, [size]), whole, `by ${size}`);
      }
    }
  });

  it('go on in a key that silence lies in, of which the rest is not let go', () => {
    const masks: [number, number][] = [];
    const scanner = createStreamSecretScanner((position, length) => masks.push([position, length]));
    const first = Buffer.from(`{"delta":"it is ${key.slice(0, 30)}`);
    scanner.push(first, 0);
    assert.notEqual(scanner.pendingPosition, undefined);
    scanner.letGo();
    assert.equal(scanner.pendingPosition, undefined);
    masks.length = 0;
    scanner.push(Buffer.from(`${key.slice(30)}"}`), first.length);
    assert.deepEqual(masks[0], [first.length, key.length - 30]);
  });

  it('reach into Base64 that silence lies in, wherever, and never before it', () => {
    const text = `a file of some length that has a line or two, then ${key}, and an end`;
    const body = Buffer.from(`{"file":"${Buffer.from(text).toString('base64')}"}`);
    const keyAt = '{"file":"'.length + Math.floor(text.indexOf(key) / 3) * 4;
    for (let silence = 1; silence < keyAt; silence += 1) {
      const masked = Buffer.from(body);
      let firstPosition = 0;
      const scanner = createStreamSecretScanner((position, length, replacement) => {
        assert.ok(position >= firstPosition, `${position} was let go`);
        assert.equal(replacement?.length, length);
        masked.set(replacement ?? [], position);
      });
      scanner.push(body.subarray(0, silence), 0);
      scanner.letGo();
      assert.equal(scanner.pendingPosition, undefined);
      firstPosition = silence;
      scanner.push(body.subarray(silence), silence);
      const { file } = JSON.parse(masked.toString()) as { file: string };
      const shown = Buffer.from(file, 'base64').toString();
      assert.equal(shown, text.replace(key, '*'.repeat(key.length)), `silence at ${silence}`);
    }
  });
});
