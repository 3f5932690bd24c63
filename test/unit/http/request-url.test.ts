/** Where requests went, and that no credential is in the URL that says so. */
import assert from 'node:assert/strict';
import { scrubTarget } from '../../../src/http/credentials.ts';
import { type Exchange, type HeaderField, Headers } from '../../../src/http/exchange.ts';
import { fullUrl, requestUrlOf } from '../../../src/http/request-url.ts';
import { maskSecretsInText } from '../../../src/util/argument-secrets.ts';
import { Damage } from '../../../src/util/damage.ts';

interface Asked {
  method?: string;
  target: string;
  headers?: HeaderField[];
  isPlain?: boolean;
}

function exchangeOf({
  method = 'GET',
  target,
  headers = [['Host', 'a.test']],
  isPlain,
}: Asked): Exchange {
  return {
    connection: {
      process: { pid: 1, startNs: 1n },
      stack: isPlain ? 'plain' : 'openssl',
      object: 8,
      generation: 1n,
    },
    role: 'client',
    version: '1.1',
    ordinal: 0,
    request: {
      startNs: 1n,
      endNs: 2n,
      method,
      // As every stage behind the parser gets it.
      target: scrubTarget(target),
      headers: new Headers(headers),
      bodyBytes: 0,
      complete: true,
    },
    damage: new Damage(),
  };
}

function urlOf(asked: Asked): string | undefined {
  const url = requestUrlOf(exchangeOf(asked));
  return url && fullUrl(url);
}

const CASES: readonly [Asked, string | undefined][] = [
  [{ target: '/a/b?c=d' }, 'https://a.test/a/b?c=d'],
  [{ target: '/a', isPlain: true }, 'http://a.test/a'],
  [{ target: '/', headers: [['host', 'A.test:8443']] }, 'https://a.test:8443/'],
  [{ target: '/', headers: [['host', 'a.test:443']] }, 'https://a.test/'],
  [{ target: '/', headers: [['host', 'a.test:80']], isPlain: true }, 'http://a.test/'],
  [{ target: '/x', headers: [[':authority', 'b.test']] }, 'https://b.test/x'],
  [{ target: '/', headers: [['host', '[::1]:9000']] }, 'https://[::1]:9000/'],
  [{ target: 'http://c.test/p?q=1', isPlain: true }, 'http://c.test/p?q=1'],
  [{ target: 'https://c.test:444/p' }, 'https://c.test:444/p'],
  [{ target: 'http://me:secret@c.test/p', isPlain: true }, 'http://REDACTED:REDACTED@c.test/p'],
  [{ method: 'OPTIONS', target: '*' }, 'https://a.test'],
  [{ method: 'CONNECT', target: 'd.test:443', isPlain: true }, undefined],
  [{ target: '/', headers: [] }, undefined],
  [{ target: '/', headers: [['host', 'not a host']] }, undefined],
];

/** The parameters that the conventions name, and some of those beside them. */
const SECRETS = [
  'AWSAccessKeyId',
  'Signature',
  'sig',
  'X-Goog-Signature',
  'api_key',
  'access_token',
  'key',
  'X-Amz-Security-Token',
];

describe('the URL of a request', () => {
  for (const [asked, expected] of CASES) {
    it(`${asked.method ?? 'GET'} ${asked.target} is ${expected ?? 'none'}`, () => {
      assert.equal(urlOf(asked), expected);
    });
  }

  for (const name of SECRETS) {
    it(`has no value of ${name}`, () => {
      const target = `/o?first=1&${name}=abc123-very-secret&last=2`;
      assert.equal(urlOf({ target }), `https://a.test/o?first=1&${name}=REDACTED&last=2`);
    });
  }

  it('has nothing left of secrets that overlap', () => {
    const url = requestUrlOf(exchangeOf({ target: '/p' }));
    assert.ok(url);
    const query = 'token=x://u:ab;cd@h&last=2';
    assert.equal(fullUrl({ ...url, query }), 'https://a.test/p?token=REDACTED@h&last=2');
  });

  it('has the same words whatever else masks it', () => {
    const target = 'http://me:secret@c.test/p?api_key=abc123-very-secret&mail=ada@c.test';
    const url = requestUrlOf(exchangeOf({ target, isPlain: true }));
    const redact = (text: string): string => maskSecretsInText(text).replace('ada@', '***@');
    assert.equal(
      url && fullUrl(url, redact),
      'http://REDACTED:REDACTED@c.test/p?api_key=REDACTED&mail=***@c.test',
    );
  });

  it('says where a tunnel is to go', () => {
    const url = requestUrlOf(
      exchangeOf({ method: 'CONNECT', target: 'D.test:8443', isPlain: true }),
    );
    assert.deepEqual([url?.host, url?.port, url?.path], ['d.test', 8443, '']);
  });

  it('is not there when the request was not seen', () => {
    const exchange = exchangeOf({ target: '/' });
    delete exchange.request;
    assert.equal(requestUrlOf(exchange), undefined);
  });
});
