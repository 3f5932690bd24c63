/** What counts as a credential, what is masked, and what a recorder hears of it. */
import assert from 'node:assert/strict';
import type { Direction } from '../../../src/capture/events.ts';
import { scrubTarget } from '../../../src/http/credentials.ts';
import { findSecretsInText, maskPlaces } from '../../../src/util/key-shapes.ts';
import { isSecretHeader } from '../../../src/util/secret-headers.ts';
import {
  type Call,
  callsOf,
  captureEvents,
  observe,
  splitEveryByte,
} from '../../support/http-generator.ts';

// Put together here, so that no scanner of sources takes them for real ones.
const KEYS: Record<string, string> = {
  openai: `sk-${'aB3'.repeat(16)}`,
  openaiProject: `sk-proj-${'aB3_-'.repeat(20)}`,
  anthropic: `sk-ant-api03-${'aB3_-'.repeat(18)}AA`,
  github: `ghp_${'aB3'.repeat(12)}`,
  githubFine: `github_pat_${'aB3_'.repeat(20)}`,
  aws: `AKIA${'A2B3'.repeat(4)}`,
  google: `AIza${'aB3_-'.repeat(7)}`,
  slack: `xoxb-${'12345-'.repeat(4)}abc`,
  groq: `gsk_${'aB3'.repeat(16)}`,
  xai: `xai-${'aB3'.repeat(20)}`,
  jwt: `eyJ${'hbGciOi'.repeat(3)}.eyJ${'zdWIiOi'.repeat(3)}.${'sig_-'.repeat(5)}`,
};

describe('credentials', () => {
  it('headers by name, in any case', () => {
    for (const name of [
      'Authorization',
      'PROXY-AUTHORIZATION',
      'Cookie',
      'Set-Cookie',
      'x-api-key',
      'api-key',
      'X-Goog-Api-Key',
      'X-Amz-Security-Token',
      'openai-api-key',
      'anthropic-api-key',
      'X-Custom-Auth-Token',
      'X-My-Secret',
      'Ocp-Apim-Subscription-Key',
      'DD-API-KEY',
      'x-csrf-token',
      'x-rapidapi-key',
      'x-portkey-virtual-key',
      'helicone-auth',
      'x-access-key',
      'x-litellm-key',
      'x-master-key',
      'x-auth',
      'Authentication',
      'x-jwt',
      'x-signature',
      'x-session-id',
      'x_user_key',
      'x-amzn-oidc-accesstoken',
      'cf-access-jwt-assertion',
      'X-Auth-Thing',
      'cookie2',
    ]) {
      assert.ok(isSecretHeader(name), name);
    }
    for (const name of [
      'content-type',
      'x-ratelimit-remaining-tokens',
      'anthropic-ratelimit-tokens-limit',
      'traceparent',
      'x-amzn-bedrock-input-token-count',
      'openai-organization',
      'etag',
      'idempotency-key-hint',
      'host',
      'idempotency-key',
      'x-idempotency-key',
      'sec-websocket-key',
      'sec-websocket-accept',
      'surrogate-key',
      'x-stainless-retry-count',
      'anthropic-version',
      'anthropic-beta',
      'access-control-allow-credentials',
      'x-ratelimit-limit-tokens',
      'www-authenticate',
      'x-monkey',
    ]) {
      assert.ok(!isSecretHeader(name), name);
    }
  });

  it('targets: parameters, percent-encoding, userinfo, fragments; twice changes nothing', () => {
    const cases: [string, string][] = [
      ['/v1/m?key=abc&alt=sse', '/v1/m?key=***&alt=sse'],
      ['/a?api_key=abc;x=1', '/a?api_key=***;x=1'],
      ['/a?API-Key=abc', '/a?API-Key=***'],
      ['/a?access%5Ftoken=abc', '/a?access%5Ftoken=***'],
      ['/a?x=1&X-Amz-Signature=abcd&X-Amz-Date=1', '/a?x=1&X-Amz-Signature=****&X-Amz-Date=1'],
      ['/a?sig=a%2Bb&se=1', '/a?sig=*****&se=1'],
      ['https://user:pw@h/p', 'https://*******@h/p'],
      ['/cb#access_token=abc', '/cb#access_token=***'],
      ['/a?key=', '/a?key='],
      ['/a?monkey=abc&max_tokens=5', '/a?monkey=abc&max_tokens=5'],
      ['/a?%zz=1&token=ab', '/a?%zz=1&token=**'],
      [`/p/${KEYS.openai}/x`, `/p/${'*'.repeat(KEYS.openai?.length ?? 0)}/x`],
      [`/bot123456789:AA${'x'.repeat(33)}/sendMessage`, `/bot${'*'.repeat(45)}/sendMessage`],
      [`/services/T12345678/B12345678/${'x'.repeat(24)}`, `/services/${'*'.repeat(44)}`],
      [`/api/webhooks/${'1'.repeat(18)}/${'x'.repeat(68)}`, `/api/webhooks/${'*'.repeat(87)}`],
      ['/x?authkey=a&appkey=b&sessionkey=c&otp=1', '/x?authkey=*&appkey=*&sessionkey=*&otp=*'],
      ['/x?pat=a&ticket=b&bearer=c&path=d', '/x?pat=*&ticket=*&bearer=*&path=d'],
      ['/services/Team/Billing/overview', '/services/Team/Billing/overview'],
    ];
    for (const [target, expected] of cases) {
      assert.equal(scrubTarget(target), expected);
      assert.equal(scrubTarget(expected), expected);
    }
  });

  it('keys in text, wherever they stand, to their whole length', () => {
    for (const [name, key] of Object.entries(KEYS)) {
      for (const [before, after] of [
        ['', ''],
        ['{"k":"', '"}'],
        ['x=', '\n'],
        ['(', ')'],
      ]) {
        const text = `${before}${key}${after}`;
        const masked = maskPlaces(text, findSecretsInText(text));
        assert.equal(masked, `${before}${'*'.repeat(key.length)}${after}`, name);
      }
    }
    const bearer = 'authorization: bearer abcdefghijklmnopqrstuvwxyz';
    assert.equal(
      maskPlaces(bearer, findSecretsInText(bearer)),
      `authorization: bearer ${'*'.repeat(26)}`,
    );
    const pem = `-----BEGIN RSA PRIVATE KEY-----\n${'MIIabc+/=\n'.repeat(20)}-----END RSA PRIVATE KEY-----`;
    const masked = maskPlaces(pem, findSecretsInText(pem));
    assert.ok(!masked.includes('MII') && masked.length === pem.length);
  });

  it('leaves ordinary text alone', () => {
    const text =
      'task-force risk-averse sk-learn bearer of news, eyJ, AKIA, -----BEGIN CERTIFICATE-----\nMII';
    assert.deepEqual(findSecretsInText(text), []);
  });

  it('takes time linear in the text', () => {
    const texts = [
      'eyJ-'.repeat(50_000),
      'SG.'.repeat(70_000),
      'sk-'.repeat(70_000),
      'Bearer '.repeat(30_000),
      '-----BEGIN '.repeat(20_000),
      `PRIVATE KEY ${'://a:'.repeat(40_000)}`,
      `sk-${'a'.repeat(200_000)}`,
      `eyJ${'a'.repeat(100_000)}.${'a'.repeat(100_000)}`,
      'xox'.repeat(70_000),
    ];
    const startMs = performance.now();
    for (const text of texts) {
      findSecretsInText(text);
      scrubTarget(`/a?${text}`);
    }
    assert.ok(performance.now() - startMs < 3000);
  });
});

/** What a recorder would have written: bytes masked as the stage said, judged at the moment of release. */
function record(calls: readonly Call[]): { request: string; response: string; released: boolean } {
  const events = captureEvents(calls);
  const streams: Record<Direction, Buffer> = {
    write: Buffer.concat(calls.filter((call) => call.side === 'request').map((call) => call.bytes)),
    read: Buffer.concat(calls.filter((call) => call.side === 'response').map((call) => call.bytes)),
  };
  const masked = { write: Buffer.from(streams.write), read: Buffer.from(streams.read) };
  const releasedTo = { write: 0, read: 0 };
  observe(events, {
    onSecret: (_connection, direction, position, length) => {
      assert.ok(position >= releasedTo[direction], 'reported before it was released');
      masked[direction].fill('*', position, position + length);
    },
    onRelease: (_connection, direction, upTo) => {
      assert.ok(upTo >= releasedTo[direction], 'release never goes back');
      releasedTo[direction] = upTo;
    },
  });
  return {
    request: masked.write.toString('latin1'),
    response: masked.read.toString('latin1'),
    released: releasedTo.write === streams.write.length && releasedTo.read === streams.read.length,
  };
}

describe('credentials of a conversation, for a recorder', () => {
  const key = KEYS.openai ?? '';
  const stars = '*'.repeat(key.length);
  const conversation = (secret: string, header: string): Call[] =>
    callsOf(
      `>POST /v1?key=${header}&x=1 HTTP/1.1\r\nAuthorization: ${header}\r\nContent-Length: ${secret.length + 12}\r\n\r\n{"a": "${secret}", 1`,
      `<HTTP/1.1 200 OK\r\nSet-Cookie: ${header}\r\nTransfer-Encoding: chunked\r\n\r\n14\r\ndata: ${secret.slice(0, 14)}\r\n${(secret.length - 14).toString(16)}\r\n${secret.slice(14)}\r\n2\r\n\n\n\r\n0\r\nX-Api-Key: ${header}\r\n\r\n`,
    );

  it('7. no raw event has one: masks in place, under any split, and releases everything in the end', () => {
    const calls = conversation(key, 'letmein');
    const [request, response] = conversation(stars, '*******').map((call) =>
      Buffer.from(call.bytes).toString('latin1'),
    );
    assert.deepEqual(record(calls), { request, response, released: true });
    assert.deepEqual(record(splitEveryByte(calls)), { request, response, released: true });
    for (const size of [2, 5, 17, 64]) {
      const split = calls.flatMap((call) => {
        const parts: Call[] = [];
        for (let at = 0; at < call.bytes.length; at += size) {
          parts.push({ ...call, bytes: call.bytes.subarray(at, at + size) });
        }
        return parts;
      });
      assert.deepEqual(record(split), { request, response, released: true }, `${size}`);
    }
  });

  it('exchanges carry masked headers and targets, as a replay of the recording gives them', () => {
    const live = observe(captureEvents(conversation(key, 'letmein')));
    const replayed = observe(captureEvents(conversation(stars, '*******')));
    assert.deepEqual(live[0]?.exchange.request?.headers, replayed[0]?.exchange.request?.headers);
    assert.equal(live[0]?.exchange.request?.target, '/v1?key=*******&x=1');
    assert.equal(live[0]?.exchange.response?.headers.get('set-cookie'), '*******');
    assert.deepEqual(live[0]?.exchange.response?.trailers?.fields, [['X-Api-Key', '*******']]);
  });

  it('masks strings of JSON whose key names a secret, under any split', () => {
    const bodyOf = (secret: string, long: string, token = 'a') =>
      `{"api_key": "${secret}","max_tokens":"5","password":"${long}","token":"${token}","n":1}`;
    const secret = 'a b\\u00e9"'.replace('"', '\\"');
    const long = 'x \\" y \\\\'.repeat(200);
    const head = `POST / HTTP/1.1\r\nContent-Length: ${bodyOf(secret, long).length}\r\n\r\n`;
    const expected = head + bodyOf('*'.repeat(secret.length), '*'.repeat(long.length), '*');
    const calls = callsOf(`>${head}${bodyOf(secret, long)}`);
    const after = callsOf('<HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    assert.equal(record(calls.concat(after)).request, expected);
    assert.equal(record(splitEveryByte(calls).concat(after)).request, expected);
  });

  it('masks a key longer than what is kept, and one cut off by the end', () => {
    const long = `sk-${'a'.repeat(5000)}`;
    const length = long.length;
    const calls = callsOf(`>POST / HTTP/1.1\r\nContent-Length: ${length + 5}\r\n\r\n${long}`);
    const { request } = record(splitEveryByte(calls).concat(callsOf('>"tail')));
    assert.ok(request.endsWith(`${'*'.repeat(length)}"tail`));
  });

  it('what cannot be examined is masked whole: what is no frame, tunnels, unknown bytes, a head cut by a loss', () => {
    const h2 = record(callsOf('>PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nsecret', '<frames'));
    assert.equal(h2.request, `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'*'.repeat(6)}`);
    assert.equal(h2.response, '******');
    const unknown = record(callsOf('>EHLO secret\r\n', '<250 hello\r\n'));
    assert.match(unknown.response, /^\*+$/);
    assert.ok(!unknown.request.includes('secret'));
    const tunnel = record(
      callsOf('>CONNECT h:1 HTTP/1.1\r\n\r\n', '<HTTP/1.1 200 OK\r\n\r\n', '>secret', '<secret'),
    );
    assert.ok(!`${tunnel.request}${tunnel.response}`.includes('secret'));
    const cut = callsOf('>GET / HTTP/1.1\r\nAuthoriz', '>ation: Bearer ', '>secret\r\n\r\n');
    (cut[1] as Call).isLost = 'silent';
    assert.ok(!record(cut).request.includes('secret'));
    const unfinished = callsOf('>GET / HTTP/1.1\r\nAuthorization: secr');
    assert.ok(!record(unfinished).request.includes('secr'));
  });

  it('of a head that a tunnel begins in are known before their bytes are released', () => {
    const bearer = `Bearer ${KEYS.openai}`;
    const connected = callsOf(
      '>CONNECT h:443 HTTP/1.1\r\n\r\n',
      '>POST / HTTP/1.1\r\nAuthorization: Bea',
      '<HTTP/1.1 200 OK\r\n\r\n',
      `>${bearer.slice(3)}\r\n`,
      '>\r\n',
    );
    const upgrade = 'Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n';
    const upgraded = callsOf(
      `>GET / HTTP/1.1\r\n${upgrade}HTTP2-Settings: AAMAAABk\r\n\r\n`,
      `>POST / HTTP/1.1\r\nAuthorization: ${bearer}`,
      `<HTTP/1.1 101 Switching Protocols\r\n${upgrade}\r\n`,
    );
    const lost = { side: 'request', bytes: Buffer.alloc(200), isLost: 'announced' } as const;
    for (const calls of [connected, [...upgraded, lost]]) {
      let releasedTo = 0;
      let secretBytes = 0;
      observe(captureEvents(calls), {
        onSecret(_connection, direction, position, length) {
          if (direction === 'write') {
            assert.ok(position >= releasedTo, `${position} was released, up to ${releasedTo}`);
            secretBytes += length;
          }
        },
        onRelease(_connection, direction, upToPosition) {
          releasedTo = direction === 'write' ? Math.max(releasedTo, upToPosition) : releasedTo;
        },
      });
      assert.ok(secretBytes >= bearer.length, `${secretBytes} bytes are secret`);
    }
  });

  it('of one body are not looked for in the next, when its end was not seen', () => {
    const body = 'hello"}}';
    const calls = callsOf(
      '<HTTP/1.1 200 OK\r\n\r\n',
      '<{"password":"',
      '>GET /a HTTP/1.1\r\nHost: h\r\n\r\n',
      `<HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const size = (calls[0]?.bytes.length ?? 0) + (calls[1]?.bytes.length ?? 0);
    const bodyStart = size + (calls[3]?.bytes.length ?? 0) - body.length;
    const released: number[] = [];
    observe(captureEvents(calls, { close: false }).slice(0, -1), {
      onSecret: (_connection, direction, position, length) =>
        assert.ok(direction === 'write' || position + length <= bodyStart, `at ${position}`),
      onRelease: (_connection, direction, upToPosition) => {
        if (direction === 'read') {
          released.push(upToPosition);
        }
      },
    });
    assert.ok(
      released.some((position) => position >= size),
      'what is over is released',
    );
  });
});
