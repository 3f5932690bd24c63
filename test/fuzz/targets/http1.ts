/** HTTP/1.1: transport, framing, content codings and the search for credentials, against llhttp where that reads it. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { callsOf, exchangeDescription, type Seen, wireOf } from '../../support/http-generator.ts';
import {
  callsFrom,
  decodeCalls,
  eventsOf,
  type InputCall,
  isWhole,
  mutateCalls,
  piecesFor,
  sideOf,
} from '../calls-input.ts';
import { observeConnection } from '../connection-witness.ts';
import type { FuzzTarget } from '../target.ts';

const HANDWRITTEN = [
  callsOf(
    '>POST /v1/messages HTTP/1.1\r\nHost: h\r\nx-api-key: sk-ant-0123456789abcdefghij\r\nContent-Length: 13\r\n\r\n',
    '>{"a":"sk-x1"}',
    '<HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n',
  ),
  callsOf(
    '>CONNECT h:443 HTTP/1.1\r\n\r\n',
    '<HTTP/1.1 200 OK\r\n\r\n',
    '>GET / HTTP/1.1\r\n\r\n',
    '<HTTP/1.0 200 OK\r\n\r\nuntil the end',
  ),
  callsOf(
    '>GET /a HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n',
    '<HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
  ),
  callsOf(
    '>GET / HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n',
    '<HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    '<HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
  ),
];

export const HTTP1: FuzzTarget = {
  name: 'http1',
  seeds: () => [
    ...HANDWRITTEN.map((calls) => callsFrom(calls)),
    ...fc
      .sample(fc.array(exchangeDescription, { minLength: 1, maxLength: 3 }), {
        numRuns: 60,
        seed: 1,
      })
      .map((descriptions) => {
        const wires = descriptions.map((description, number) => wireOf(description, number));
        return callsFrom(
          wires.flatMap(({ request, response }) => [
            { side: 'request' as const, bytes: request },
            { side: 'response' as const, bytes: response },
          ]),
        );
      }),
  ],
  mutate: (input, tools) => mutateCalls(input, tools),
  words: ['\r\n\r\n', 'HTTP/1.1 200 OK\r\n', '0\r\n\r\n', 'Content-Length: ', 'sk-ant-api03-'],
  run(input) {
    const calls = decodeCalls(input);
    const whole = observeConnection(eventsOf(calls));
    const split = observeConnection(eventsOf(calls, piecesFor(input)));
    if (isWhole(calls) && whole.isPlaced) {
      assert.deepEqual(split.account, whole.account, 'cut into records, the calls differ');
    }
    if (whole.isPlaced) {
      compareWithLlhttp(calls, whole.seen);
    }
  },
};

interface Message {
  start: string;
  bodyBytes: number;
}

/** What llhttp reads of one side; undefined where it refuses, or the connection leaves HTTP. */
function readByLlhttp(
  type: 'REQUEST' | 'RESPONSE',
  bytes: Buffer,
  isHead: (index: number) => boolean,
): Message[] | undefined {
  const parser = new HTTPParser();
  parser.initialize(HTTPParser[type], {});
  const messages: Message[] = [];
  let current: Message = { start: '', bodyBytes: 0 };
  let hasLeft = false;
  parser[HTTPParser.kOnHeadersComplete] = (
    _major: number,
    _minor: number,
    _headers: string[] | undefined,
    method: number | undefined,
    url: string | undefined,
    status: number | undefined,
    _reason: string | undefined,
    isUpgrade: boolean,
  ) => {
    hasLeft ||= isUpgrade;
    const start = type === 'REQUEST' ? `${METHODS[method ?? -1]} ${url}` : String(status);
    current = { start, bodyBytes: 0 };
    return type === 'RESPONSE' && isHead(messages.length) ? 1 : 0;
  };
  parser[HTTPParser.kOnBody] = (part: Buffer) => {
    current.bodyBytes += part.length;
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    if (type === 'REQUEST' || !/^1\d\d$/.test(current.start)) {
      messages.push(current);
    }
  };
  const result = parser.execute(bytes);
  const isRead = result === bytes.length && !hasLeft && !(parser.finish() instanceof Error);
  return isRead ? messages : undefined;
}

function compareWithLlhttp(calls: readonly InputCall[], seen: readonly Seen[]): void {
  const isPlain = seen.every(({ exchange }) => exchange.version === '1.1');
  if (!isWhole(calls) || !isPlain || seen.some(({ exchange }) => exchange.damage.any)) {
    return;
  }
  const requests = readByLlhttp('REQUEST', sideOf(calls, 'request'), () => false);
  if (requests === undefined || seen.some(({ exchange }) => exchange.request === undefined)) {
    return;
  }
  assert.deepEqual(
    seen.map(({ exchange }) => ({
      start: `${exchange.request?.method} ${exchange.request?.target}`,
      bodyBytes: exchange.request?.bodyBytes,
    })),
    requests,
    'requests as llhttp reads them',
  );
  const isHead = (index: number): boolean => requests[index]?.start.startsWith('HEAD ') === true;
  const responses = readByLlhttp('RESPONSE', sideOf(calls, 'response'), isHead);
  if (responses !== undefined && responses.length <= requests.length) {
    assert.deepEqual(
      seen
        .filter(({ exchange }) => exchange.response !== undefined)
        .map(({ exchange }) => ({
          start: String(exchange.response?.status),
          bodyBytes: exchange.response?.bodyBytes,
        })),
      responses,
      'responses as llhttp reads them',
    );
  }
}

/** Node's own parser, which it has no public name for. */
interface LlhttpParser {
  initialize(type: number, resource: object): void;
  execute(bytes: Buffer): number | Error;
  finish(): Error | undefined;
  [hook: number]: unknown;
}

interface LlhttpParserType {
  new (): LlhttpParser;
  REQUEST: number;
  RESPONSE: number;
  kOnHeadersComplete: number;
  kOnBody: number;
  kOnMessageComplete: number;
}

const { HTTPParser, allMethods: METHODS } = loadLlhttp();

function loadLlhttp(): { HTTPParser: LlhttpParserType; allMethods: string[] } {
  const { binding } = createRequire(import.meta.url)('node:process') as {
    binding(name: string): {
      HTTPParser: LlhttpParserType;
      methods: string[];
      allMethods?: string[];
    };
  };
  const { HTTPParser, methods, allMethods } = binding('http_parser');
  return { HTTPParser, allMethods: allMethods ?? methods };
}
