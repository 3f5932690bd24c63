/** An HTTP/2 server on Node's own implementation that remembers what it was asked and what it answered. */
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import type { Exchange } from '../../src/http/exchange.ts';
import type { Seen } from './http-generator.ts';

export async function listen(server: Server | http2.Http2Server): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
}

export function portOf(server: Server | http2.Http2Server): number {
  return (server.address() as AddressInfo).port;
}

export async function close(server: Server | http2.Http2Server): Promise<void> {
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

export interface ServedTruth {
  headers: http2.IncomingHttpHeaders;
  body: Buffer;
  answer: Buffer;
  status: number;
}

export interface TruthServer {
  port: number;
  truth: ServedTruth[];
  stop(): Promise<void>;
}

/** Node's server, with TLS if given: answers of many sizes, in pieces, with the truth of each. */
export async function startTruthServer(tls?: http2.SecureServerOptions): Promise<TruthServer> {
  const truth: ServedTruth[] = [];
  const settings = { maxConcurrentStreams: 500 };
  const server =
    tls === undefined
      ? http2.createServer({ settings })
      : http2.createSecureServer({ ...tls, settings });
  server.on('stream', (stream, headers) => {
    const parts: Buffer[] = [];
    stream.on('error', () => {});
    stream.on('data', (bytes: Buffer) => parts.push(bytes));
    stream.on('end', () => {
      const number = truth.length;
      const status = [200, 201, 404][number % 3] as number;
      const answer = Buffer.alloc((number * 1543) % 60_000, `answer ${number} `);
      truth.push({ headers, body: Buffer.concat(parts), answer, status });
      stream.respond({
        ':status': status,
        'x-answer': String(number),
        'x-text': 'é'.repeat(number % 9),
      });
      const middle = answer.length >> 1;
      stream.write(answer.subarray(0, middle));
      setImmediate(() => stream.end(answer.subarray(middle)));
    });
  });
  await listen(server);
  return { port: portOf(server), truth, stop: () => close(server) };
}

/** Every exchange that was seen, held against what the server had and gave: heads and bodies. */
export function assertServed(seen: readonly Seen[], truth: readonly ServedTruth[]): void {
  assert.equal(seen.length, truth.length);
  for (const one of seen) {
    const { request, response, damage }: Exchange = one.exchange;
    const expected = truth[Number(response?.headers.get('x-answer'))];
    assert.ok(expected && request && response);
    assert.deepEqual([...damage.kinds], []);
    assert.equal(request.method, expected.headers[':method']);
    assert.equal(request.target, expected.headers[':path']);
    assert.equal(request.headers.get('host'), expected.headers[':authority']);
    for (const [name, value] of Object.entries(expected.headers)) {
      if (!name.startsWith(':')) {
        assert.equal(request.headers.get(name), value, name);
      }
    }
    assert.ok(one.requestBody.equals(expected.body));
    assert.equal(response.status, expected.status);
    assert.ok(one.responseBody.equals(expected.answer));
  }
}
