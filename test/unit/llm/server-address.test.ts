/** Where a request went: its own words first, then the connection's. */
import assert from 'node:assert/strict';
import { type Exchange, Headers } from '../../../src/http/exchange.ts';
import { serverAddressOf } from '../../../src/llm/server-address.ts';
import { makeCall } from '../../support/story-pieces.ts';

interface Case {
  headers?: [string, string][];
  target?: string;
  stack?: Exchange['connection']['stack'];
  facts?: Exchange['facts'];
}

function addressOf({ headers = [], target = '/v1/messages', stack, facts }: Case) {
  const { exchange } = makeCall();
  return serverAddressOf({
    ...exchange,
    connection: { ...exchange.connection, ...(stack === undefined ? {} : { stack }) },
    ...(facts === undefined ? {} : { facts }),
    request: { ...exchange.request!, headers: new Headers(headers), target },
  });
}

describe('the address of a server', () => {
  it('is that of the request, with the port of its scheme where it names none', () => {
    assert.deepEqual(addressOf({ headers: [['host', 'API.test']] }), {
      host: 'api.test',
      port: 443,
    });
    assert.deepEqual(addressOf({ headers: [['host', 'api.test']], stack: 'plain' }), {
      host: 'api.test',
      port: 80,
    });
    assert.deepEqual(addressOf({ headers: [['host', 'api.test:8080']], stack: 'plain' }), {
      host: 'api.test',
      port: 8080,
    });
    assert.deepEqual(addressOf({ headers: [[':authority', '[::1]:99']] }), {
      host: '::1',
      port: 99,
    });
  });

  it('is that of the target where a proxy is told it', () => {
    const target = 'http://api.test/v1/messages';
    assert.deepEqual(addressOf({ target, headers: [['host', 'other']] }), {
      host: 'api.test',
      port: 80,
    });
    const secure = 'https://api.test/v1/messages';
    assert.deepEqual(addressOf({ target: secure, stack: 'plain' }), {
      host: 'api.test',
      port: 443,
    });
  });

  it('is the name given to the TLS library where the head was not seen whole', () => {
    const peer = {
      address: '192.0.2.1',
      port: 8443,
      localAddress: '192.0.2.2',
      localPort: 5,
      isInferred: false,
    };
    assert.deepEqual(addressOf({ facts: { serverName: 'Api.test', peer } }), {
      host: 'api.test',
      port: 8443,
    });
    assert.deepEqual(addressOf({ facts: { serverName: 'api.test' } }), {
      host: 'api.test',
      port: 443,
    });
    assert.deepEqual(
      addressOf({ headers: [['host', 'said.test']], facts: { serverName: 'api.test' } }),
      { host: 'said.test', port: 443 },
    );
  });

  it('is unknown where nobody says it', () => {
    assert.equal(addressOf({}), undefined);
    assert.equal(addressOf({ headers: [['host', 'a b']] }), undefined);
    assert.equal(addressOf({ headers: [['host', 'a:99999']] }), undefined);
  });
});
