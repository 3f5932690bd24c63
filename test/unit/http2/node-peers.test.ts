/** Node's own HTTP/2 client and server, listened to on the way: what each side saw is what was read. */
import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http2';
import { gzipSync } from 'node:zlib';
import type { Headers } from '../../../src/http/exchange.ts';
import {
  type Call,
  run,
  type Seen,
  splitEveryByte,
  summary,
} from '../../support/http-generator.ts';
import { ask, connectPeers, type PeerAnswer } from '../../support/http2-peers.ts';

/** Fields as Node gives them: names to values, several joined or in a list. */
function plain(headers: IncomingHttpHeaders): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(':') && value !== undefined) {
      fields[name] = Array.isArray(value) ? value.join(', ') : value;
    }
  }
  return fields;
}

function seenFields(headers: Headers | undefined): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [name] of headers?.fields ?? []) {
    fields[name] = headers?.get(name) ?? '';
  }
  return fields;
}

function byNumber(seen: readonly Seen[]): Map<string, Seen> {
  return new Map(seen.map((one) => [one.exchange.request?.headers.get('x-number') ?? '', one]));
}

interface Asked {
  headers: Record<string, string>;
  body: Buffer | undefined;
  answer: PeerAnswer;
  atServer: { headers: IncomingHttpHeaders; body: Buffer };
}

const BODY = (size: number, seed: number): Buffer =>
  Buffer.from(Array.from({ length: size }, (_, index) => (index * 31 + seed * 7) & 0xff));

/** Runs a mixed conversation of `count` requests, all at once. */
async function converse(count: number): Promise<{ calls: Call[]; asked: Asked[] }> {
  const atServer = new Map<string, { headers: IncomingHttpHeaders; body: Buffer }>();
  const peers = connectPeers(
    (stream, headers) => {
      const number = Number(headers['x-number']);
      const parts: Buffer[] = [];
      stream.on('data', (bytes: Buffer) => parts.push(bytes));
      stream.on('end', () => {
        atServer.set(String(number), { headers, body: Buffer.concat(parts) });
        if (number % 5 === 1) {
          stream.additionalHeaders({ ':status': 103, link: '</early>' });
        }
        const status = [200, 200, 201, 404, 204, 304, 500][number % 7] as number;
        const isCoded = number % 3 === 0 && status === 200;
        const body = BODY((number * 997) % 70_000, number);
        stream.respond(
          {
            ':status': status,
            'x-number': String(number),
            'x-varied': `v${number % 4}`.repeat(1 + (number % 90)),
            ...(isCoded ? { 'content-encoding': 'gzip' } : {}),
          },
          {
            waitForTrailers: number % 4 === 0,
            endStream: status === 204 || status === 304 || headers[':method'] === 'HEAD',
          },
        );
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-trailer': `t${number}` }));
        if (stream.writable) {
          stream.end(isCoded ? gzipSync(body) : body);
        }
      });
    },
    {
      server: { settings: { maxConcurrentStreams: 1000, headerTableSize: 8192 } },
      client: { settings: { initialWindowSize: 100_000 } },
    },
  );
  const asked = await Promise.all(
    Array.from({ length: count }, async (_, number): Promise<Asked> => {
      const method = ['GET', 'POST', 'PUT', 'HEAD'][number % 4] as string;
      const body = method === 'GET' || method === 'HEAD' ? undefined : BODY(number * 301, number);
      const headers: Record<string, string> = {
        'x-number': String(number),
        'x-same': 'always the same',
        [`x-own-${number % 10}`]: 'é~{}|'.repeat(number % 7),
      };
      const answer = await ask(
        peers.client,
        { ':method': method, ':path': `/p/${number}?q=${number % 3}`, ...headers },
        body,
      );
      return { headers, body, answer, atServer: { headers: {}, body: Buffer.alloc(0) } };
    }),
  );
  await peers.close();
  for (const [number, one] of asked.entries()) {
    one.atServer = atServer.get(String(number)) ?? one.atServer;
  }
  return { calls: peers.calls, asked };
}

describe("http2 with Node's own client and server", function () {
  this.timeout(60_000);

  it('300 exchanges at once: heads, trailers and bodies as both sides saw them', async () => {
    const { calls, asked } = await converse(300);
    for (const role of ['client', 'server'] as const) {
      const seen = run(calls, { role });
      assert.equal(seen.length, 300);
      const found = byNumber(seen);
      for (const [number, { body, answer, atServer }] of asked.entries()) {
        const one = found.get(String(number));
        assert.ok(one, `exchange ${number}`);
        const { request, response, damage } = one.exchange;
        assert.deepEqual([...damage.kinds], [], `exchange ${number}`);
        assert.equal(request?.method, atServer.headers[':method']);
        assert.equal(request?.target, atServer.headers[':path']);
        const { host, ...fields } = seenFields(request?.headers);
        assert.equal(host, atServer.headers[':authority']);
        assert.deepEqual(fields, plain(atServer.headers));
        assert.ok(one.requestBody.equals(body ?? Buffer.alloc(0)));
        assert.ok(one.requestBody.equals(atServer.body));
        assert.equal(response?.status, answer.headers[':status']);
        assert.deepEqual(seenFields(response?.headers), plain(answer.headers));
        assert.deepEqual(seenFields(response?.trailers), plain(answer.trailers ?? {}));
        assert.equal(response?.bodyBytes, answer.body.length);
        const isCoded = response?.headers.get('content-encoding') === 'gzip';
        const expected = isCoded ? BODY((number * 997) % 70_000, number) : answer.body;
        const isEmpty = request?.method === 'HEAD';
        assert.ok(one.responseBody.equals(isEmpty ? Buffer.alloc(0) : expected), `body ${number}`);
        assert.ok(request?.complete && response?.complete);
      }
    }
  });

  it('the same under any split, byte by byte', async () => {
    const { calls } = await converse(40);
    assert.deepEqual(summary(run(splitEveryByte(calls))), summary(run(calls)));
  });

  it('a client that cancels, and a server that does', async () => {
    const peers = connectPeers((stream, headers) => {
      stream.respond({ ':status': 200 });
      stream.write('data: 1\n\n');
      if (headers[':path'] === '/server') {
        setTimeout(() => stream.destroy(new Error('failed')), 5);
      }
    });
    const client = peers.client.request({ ':path': '/client' });
    await new Promise((resolve) => client.once('data', resolve));
    client.close(8);
    await new Promise((resolve) => client.once('close', resolve));
    const server = peers.client.request({ ':path': '/server' });
    server.on('error', () => {});
    server.resume();
    await new Promise((resolve) => server.once('close', resolve));
    await peers.close();
    const seen = run(peers.calls);
    assert.deepEqual(
      seen.map((one) => [one.exchange.request?.target, [...one.exchange.damage.kinds]]),
      [
        ['/client', ['truncated']],
        ['/server', ['truncated']],
      ],
    );
    assert.ok(seen.every((one) => one.responseBody.toString() === 'data: 1\n\n'));
  });
});
