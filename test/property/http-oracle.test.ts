/** The same legal conversations through http-parser-js, an independent reader, and through Node's own server. */
import assert from 'node:assert/strict';
import { Agent, createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import {
  type AddressInfo,
  createConnection,
  createServer as createRelay,
  type Socket,
} from 'node:net';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { HTTPParser } from 'http-parser-js';
import {
  type Call,
  exchangeDescription,
  run,
  type Seen,
  wireOf,
} from '../support/http-generator.ts';

interface Message {
  start: string;
  fields: string[];
  body: string;
}

interface OracleHead {
  method?: number;
  url?: string;
  statusCode?: number;
  headers: string[];
}

/** Messages of one direction as http-parser-js reads them. */
function oracle(type: 'REQUEST' | 'RESPONSE', bytes: Uint8Array, hasNoBody: boolean[]): Message[] {
  const messages: Message[] = [];
  let body: Buffer[] = [];
  let current: Message | undefined;
  const parser = new HTTPParser(HTTPParser[type]);
  (HTTPParser as unknown as { encoding: string }).encoding = 'latin1';
  const hooks = parser as unknown as Record<string, unknown>;
  hooks[String((HTTPParser as unknown as Record<string, number>).kOnHeadersComplete)] = (
    info: OracleHead,
  ) => {
    const method = info.method === undefined ? '' : HTTPParser.methods[info.method];
    const isInterim = (info.statusCode ?? 200) < 200;
    const start = method ? `${method} ${info.url}` : `${info.statusCode}`;
    current = isInterim ? undefined : { start, fields: info.headers, body: '' };
    body = [];
    return type === 'RESPONSE' && !isInterim && hasNoBody[messages.length] === true;
  };
  hooks[String((HTTPParser as unknown as Record<string, number>).kOnBody)] = (
    chunk: Buffer,
    offset: number,
    length: number,
  ) => {
    body.push(Buffer.from(chunk.subarray(offset, offset + length)));
  };
  hooks[String((HTTPParser as unknown as Record<string, number>).kOnMessageComplete)] = () => {
    if (current) {
      current.body = Buffer.concat(body).toString('latin1');
      messages.push(current);
    }
  };
  const result = parser.execute(Buffer.from(bytes));
  assert.ok(!(result instanceof Error), String(result));
  return messages;
}

describe('http oracle', () => {
  it('http-parser-js reads the same messages', () => {
    fc.assert(
      fc.property(fc.array(exchangeDescription, { minLength: 1, maxLength: 4 }), (descriptions) => {
        // It does not decode contents, so none are encoded here.
        const plain = descriptions.map((description) => ({
          ...description,
          requestBody: description.requestBody && {
            ...description.requestBody,
            coding: 'identity' as const,
          },
          responseBody: description.responseBody && {
            ...description.responseBody,
            coding: 'identity' as const,
          },
        }));
        const wires = plain.map((description, number) => wireOf(description, number));
        const calls = wires.flatMap(({ request, response }): Call[] => [
          { side: 'request', bytes: request },
          { side: 'response', bytes: response },
        ]);
        const seen = run(calls);
        const requests = oracle('REQUEST', Buffer.concat(wires.map(({ request }) => request)), []);
        const responses = oracle(
          'RESPONSE',
          Buffer.concat(wires.map(({ response }) => response)),
          plain.map(({ method, status }) => method === 'HEAD' || status === 204 || status === 304),
        );
        assert.deepEqual(
          seen.map(
            ({ exchange, requestBody }): Message => ({
              start: `${exchange.request?.method} ${exchange.request?.target}`,
              fields: exchange.request?.headers.fields.flat() ?? [],
              body: requestBody.toString('latin1'),
            }),
          ),
          requests,
        );
        assert.deepEqual(
          seen.map(
            ({ exchange, responseBody }): Message => ({
              start: `${exchange.response?.status}`,
              fields: exchange.response?.headers.fields.flat() ?? [],
              body: responseBody.toString('latin1'),
            }),
          ),
          responses,
        );
      }),
      { numRuns: 200 },
    );
  });

  it("Node's own client and server, listened to on the way", async () => {
    const server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const body = Buffer.concat(parts);
        if (request.url === '/stream') {
          response.writeHead(200, { 'content-type': 'text/event-stream', trailer: 'x-sum' });
          for (let index = 0; index < 10; index += 1) {
            response.write(`data: ${index}\n\n`);
          }
          response.addTrailers({ 'x-sum': '45' });
          response.end();
        } else if (request.url === '/gzip') {
          response.writeHead(200, { 'content-encoding': 'gzip' });
          response.end(gzipSync(body));
        } else if (request.url === '/none') {
          response.writeHead(304, { etag: '"x"' });
          response.end();
        } else {
          response.writeEarlyHints({ link: '</a>; rel=preload' });
          response.end(body);
        }
      });
    });
    const connections: Call[][] = [];
    const relay = createRelay((client: Socket) => {
      const calls: Call[] = [];
      connections.push(calls);
      const upstream = createConnection((server.address() as AddressInfo).port, '127.0.0.1');
      client.on('data', (bytes: Buffer) => {
        calls.push({ side: 'request', bytes: Buffer.from(bytes) });
        upstream.write(bytes);
      });
      upstream.on('data', (bytes: Buffer) => {
        calls.push({ side: 'response', bytes: Buffer.from(bytes) });
        client.write(bytes);
      });
      client.on('close', () => upstream.destroy());
      client.on('error', () => upstream.destroy());
      upstream.on('error', () => client.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const got: string[] = [];
    const send = (method: string, path: string, body: string, expect = false) =>
      new Promise<void>((resolve, reject) => {
        const { port } = relay.address() as AddressInfo;
        const headers = expect ? { expect: '100-continue' } : {};
        const request = httpRequest(
          { host: '127.0.0.1', port, method, path, agent, headers },
          (response: IncomingMessage) => {
            const parts: Buffer[] = [];
            response.on('data', (part: Buffer) => parts.push(part));
            response.on('end', () => {
              const raw = Buffer.concat(parts);
              got.push(
                `${method} ${path} ${response.statusCode} ${path === '/gzip' && method !== 'HEAD' ? body : raw.toString('latin1')}`,
              );
              resolve();
            });
          },
        );
        request.on('error', reject);
        if (expect) {
          request.on('continue', () => request.end(body));
          request.flushHeaders();
        } else {
          request.end(body);
        }
      });
    const big = 'x'.repeat(300_000);
    await send('POST', '/echo', 'hello');
    await send('POST', '/echo', big);
    await send('GET', '/stream', '');
    await send('HEAD', '/gzip', '');
    await send('POST', '/gzip', big);
    await send('GET', '/none', '');
    await send('PUT', '/echo', 'patient', true);
    await send('DELETE', '/echo', '');
    agent.destroy();
    relay.close();
    server.close();
    server.closeAllConnections();
    // The agent keeps its connection alive as far as it likes.
    assert.ok(connections.length < got.length);
    const seen: Seen[] = connections.flatMap((calls) => run(calls));
    assert.deepEqual(
      seen.map(
        ({ exchange, responseBody }) =>
          `${exchange.request?.method} ${exchange.request?.target} ${exchange.response?.status} ${responseBody.toString('latin1')}`,
      ),
      got,
    );
    assert.ok(seen.every((one) => !one.exchange.damage.any));
    assert.deepEqual(seen[2]?.exchange.response?.trailers?.fields, [['x-sum', '45']]);
  });
});
