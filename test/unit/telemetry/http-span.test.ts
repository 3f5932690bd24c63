/** The span and the metric of an HTTP exchange, as the conventions of HTTP clients have them. */
import assert from 'node:assert/strict';
import { type Exchange, Headers } from '../../../src/http/exchange.ts';
import type { HttpPiece } from '../../../src/session/story.ts';
import { contentPolicy } from '../../../src/telemetry/content.ts';
import { describePiece } from '../../../src/telemetry/piece-span.ts';
import { conventionsOf } from '../../../src/telemetry/semconv.ts';
import type { SpanDescription } from '../../../src/telemetry/span-description.ts';
import {
  at,
  damaged,
  makeProcess,
  ROOT_PROCESS,
  spanId,
  TRACE_ID,
  WORKLOAD,
} from '../../support/story-pieces.ts';

interface Said {
  method?: string;
  target?: string;
  status?: number;
  host?: string;
  isBroken?: boolean;
  exchange?: Partial<Exchange>;
  piece?: Partial<HttpPiece>;
}

function httpPiece({
  method = 'POST',
  target = '/repos?per_page=3',
  host = 'api.github.com',
  ...said
}: Said): HttpPiece {
  const { status = 201 } = said;
  return {
    kind: 'http',
    ids: { traceId: TRACE_ID, spanId: spanId(9), parentSpanId: spanId(4) },
    workload: WORKLOAD,
    process: ROOT_PROCESS,
    exchange: {
      connection: { process: ROOT_PROCESS.ref, stack: 'openssl', object: 4096, generation: 7n },
      role: 'client',
      version: '1.1',
      ordinal: 0,
      request: {
        startNs: at(10),
        endNs: at(11),
        headers: new Headers(host === '' ? [] : [['host', host]]),
        bodyBytes: 12,
        complete: true,
        method,
        target,
      },
      ...(status !== 0 && {
        response: {
          startNs: at(50),
          endNs: at(60),
          headers: new Headers([]),
          bodyBytes: 104_857_600,
          skippedBytes: 104_000_000,
          complete: true,
          status,
        },
      }),
      damage: damaged([]),
      ...said.exchange,
    },
    startNs: at(10),
    endNs: at(60),
    isBroken: said.isBroken === true,
    ...said.piece,
  };
}

function spanOf(said: Said = {}, knownMethods?: readonly string[]): SpanDescription {
  return describePiece(
    httpPiece(said),
    contentPolicy('NO_CONTENT', (text) => text),
    conventionsOf('1.41', knownMethods),
  );
}

describe('the span of an HTTP exchange', () => {
  it('has every attribute that the conventions ask for', () => {
    const span = spanOf();
    assert.equal(span.name, 'POST');
    assert.equal(span.kind, 'client');
    assert.equal(span.error, undefined);
    assert.deepEqual([span.startNs, span.endNs], [at(10), at(60)]);
    assert.deepEqual(span.attributes, {
      'http.request.method': 'POST',
      'network.protocol.name': 'http',
      'network.protocol.version': '1.1',
      'server.address': 'api.github.com',
      'server.port': 443,
      'url.scheme': 'https',
      'url.full': 'https://api.github.com/repos?per_page=3',
      'http.response.status_code': 201,
      'http.request.body.size': 12,
      'http.response.body.size': 104_857_600,
    });
  });

  it('is an error from status 400 on, or when the connection ended first', () => {
    for (const [said, type] of [
      [{ status: 399 }, undefined],
      [{ status: 404 }, '404'],
      [{ status: 500, isBroken: true }, '500'],
      [{ status: 200, isBroken: true }, '_OTHER'],
      [{ status: 0, isBroken: true }, '_OTHER'],
      [{ status: 0 }, undefined],
    ] as const) {
      const span = spanOf(said);
      assert.equal(span.attributes['error.type'], type);
      assert.equal(span.error !== undefined, type !== undefined);
      assert.equal(
        span.attributes['http.response.status_code'],
        said.status === 0 ? undefined : said.status,
      );
    }
  });

  it('is named HTTP when its method is none of the known ones', () => {
    const span = spanOf({ method: 'PROPFIND' });
    assert.equal(span.name, 'HTTP');
    assert.equal(span.attributes['http.request.method'], '_OTHER');
    assert.equal(span.attributes['http.request.method_original'], 'PROPFIND');
    const lower = spanOf({ method: 'get' });
    assert.equal(lower.attributes['http.request.method'], '_OTHER', 'methods have a case');
    const unseen = spanOf({ method: '' });
    assert.equal(unseen.name, 'HTTP');
    assert.ok(!('http.request.method_original' in unseen.attributes));
  });

  it('tells the methods that are known instead, with their case', () => {
    const known = ['PROPFIND', 'get'];
    const found = spanOf({ method: 'PROPFIND' }, known);
    assert.equal(found.name, 'PROPFIND');
    assert.equal(found.attributes['http.request.method'], 'PROPFIND');
    assert.ok(!('http.request.method_original' in found.attributes));
    // The list takes the place of the default.
    for (const method of ['GET', 'POST', 'propfind']) {
      const { name, attributes } = spanOf({ method }, known);
      assert.equal(name, 'HTTP');
      assert.equal(attributes['http.request.method'], '_OTHER');
      assert.equal(attributes['http.request.method_original'], method);
    }
  });

  it('names the other end of the connection when the request names no server', () => {
    const peer = {
      address: '10.0.0.7',
      port: 8443,
      localAddress: '10.0.0.1',
      localPort: 5,
      isInferred: false,
    };
    const { attributes } = spanOf({ host: '', exchange: { facts: { peer } } });
    assert.equal(attributes['server.address'], '10.0.0.7');
    assert.equal(attributes['server.port'], 8443);
    assert.equal(attributes['network.peer.address'], '10.0.0.7');
    assert.equal(attributes['url.full'], 'https://10.0.0.7:8443/repos?per_page=3');
    const nowhere = spanOf({ host: '' }).attributes;
    assert.ok(!('url.full' in nowhere) && !('server.address' in nowhere));
  });

  it('says what was lost, who called, and what it would stand below', () => {
    const child = makeProcess({ ref: { pid: 99, startNs: 8n }, executable: '/usr/bin/curl' });
    const span = spanOf({
      exchange: { damage: damaged(['gap'], 77) },
      piece: {
        process: child,
        place: { kind: 'process', ids: { traceId: TRACE_ID, spanId: spanId(8) } },
      },
    });
    assert.deepEqual(span.attributes['sightline.damage'], ['gap']);
    assert.equal(span.attributes['sightline.lost_bytes'], 77);
    assert.equal(span.attributes['process.pid'], 99);
    assert.equal(span.attributes['process.executable.name'], 'curl');
    assert.deepEqual(span.links, [
      { ids: { traceId: TRACE_ID, spanId: spanId(8) }, kind: 'process' },
    ]);
    const below = { kind: 'process', ids: { traceId: TRACE_ID, spanId: spanId(4) } } as const;
    assert.deepEqual(spanOf({ piece: { place: below } }).links, []);
  });
});
