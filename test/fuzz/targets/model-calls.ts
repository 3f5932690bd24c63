/**
 * Every wire API's reader, behind http. An input: which request is the frame (a byte), how the answer is sent (a byte: 1
 * as an event stream; 2 content kept; 4 an error's status; 8 small limits; 16 bytes lost in the middle), the request's
 * size (u16, little endian), its body, the answer's body.
 */
import assert from 'node:assert/strict';
import { createLlmStage } from '../../../src/llm/llm-stage.ts';
import { FIXTURES_BY_API } from '../../support/llm-fixtures/all-fixtures.ts';
import { eventsOf, type InputCall, type Pieces, piecesFor, RESPONSE } from '../calls-input.ts';
import { observeConnection } from '../connection-witness.ts';
import { type CallLog, checkUsage, createCallLog } from '../model-call-log.ts';
import type { FuzzTarget, MutationTools } from '../target.ts';

const FIXTURES = FIXTURES_BY_API.flatMap(([, fixtures]) => fixtures);
/** Where requests go: one of each. */
const TARGETS = [
  ...new Set(FIXTURES.map(({ wire }) => `${wire.host ?? 'localhost'} ${wire.target}`)),
];
const STREAM = 1;
const CONTENT = 2;
const ERROR = 4;
const SMALL = 8;
const GAP = 16;
const HEAD_BYTES = 4;
const MAX_CONTENT_BYTES = 300;

function seedOf({ wire }: (typeof FIXTURES)[number], index: number): Buffer {
  const request = Buffer.from(
    typeof wire.request === 'string' ? wire.request : JSON.stringify(wire.request),
  ).subarray(0, 0xffff);
  const target = TARGETS.indexOf(`${wire.host ?? 'localhost'} ${wire.target}`);
  const isStream = wire.contentType?.includes('event-stream') === true;
  const isError = (wire.status ?? 200) >= 400;
  const flags = (isStream ? STREAM : 0) | (isError ? ERROR : 0) | (index % 3 === 0 ? 0 : CONTENT);
  return Buffer.concat([
    Buffer.from([target, flags, request.length & 0xff, request.length >> 8]),
    request,
    Buffer.from(wire.response ?? ''),
  ]);
}

interface Parts {
  target: string;
  flags: number;
  request: Uint8Array;
  response: Uint8Array;
}

function partsOf(input: Uint8Array): Parts {
  const size = (input[2] ?? 0) | ((input[3] ?? 0) << 8);
  return {
    target: TARGETS[(input[0] ?? 0) % TARGETS.length] as string,
    flags: input[1] ?? 0,
    request: input.subarray(HEAD_BYTES, HEAD_BYTES + size),
    response: input.subarray(HEAD_BYTES + size),
  };
}

function callsOf({ target, flags, request, response }: Parts): InputCall[] {
  const [host, path] = target.split(' ');
  const head = (lines: string[]): Buffer => Buffer.from(`${lines.join('\r\n')}\r\n\r\n`);
  const type = (flags & STREAM) === 0 ? 'application/json' : 'text/event-stream; charset=utf-8';
  const status = (flags & ERROR) === 0 ? '200 OK' : '429 Too Many Requests';
  const middle = response.length >> 1;
  const lost = (flags & GAP) === 0 ? 0 : Math.min(10, response.length - middle);
  return [
    {
      flags: 0,
      bytes: Buffer.concat([
        head([`POST ${path} HTTP/1.1`, `Host: ${host}`, `Content-Length: ${request.length}`]),
        request,
      ]),
    },
    {
      flags: RESPONSE,
      bytes: head([
        `HTTP/1.1 ${status}`,
        `Content-Type: ${type}`,
        `Content-Length: ${response.length}`,
      ]),
    },
    { flags: RESPONSE, bytes: response.subarray(0, middle) },
    ...(lost > 0 ? [{ flags: RESPONSE | 2, bytes: response.subarray(middle, middle + lost) }] : []),
    { flags: RESPONSE, bytes: response.subarray(middle + lost) },
  ].filter(({ bytes }) => bytes.length > 0);
}

function observe(parts: Parts, pieces?: Pieces): CallLog {
  const log = createCallLog();
  const handler = createLlmStage({
    observer: log.observer,
    keepContent: (parts.flags & CONTENT) !== 0,
    maxContentBytes: (parts.flags & SMALL) === 0 ? MAX_CONTENT_BYTES : 20,
  });
  observeConnection(eventsOf(callsOf(parts), pieces), {
    handler,
    limits: { maxHeadBytes: 65_536 },
    onExchange: () => {},
  });
  return log;
}

/** Changes the bytes of one of the two bodies; what is around them stays valid. */
function mutate(input: Uint8Array, tools: MutationTools): Uint8Array {
  const { flags, request, response } = partsOf(input);
  const { random } = tools;
  const isRequest = random.uint32() % 4 === 0;
  const newRequest = (isRequest ? tools.mutateBytes(request) : request).subarray(0, 0xffff);
  const newResponse = isRequest ? response : tools.mutateBytes(response);
  const bit = random.uint32() % 8 === 0 ? 1 << (random.uint32() % 5) : 0;
  const target = random.uint32() % 16 === 0 ? random.uint32() & 0xff : (input[0] ?? 0);
  return Buffer.concat([
    Buffer.from([target, flags ^ bit, newRequest.length & 0xff, newRequest.length >> 8]),
    newRequest,
    newResponse,
  ]);
}

export const MODEL_CALLS: FuzzTarget = {
  name: 'model-calls',
  seeds: () => FIXTURES.map(seedOf).filter((seed) => seed.length <= 16_384),
  mutate,
  words: ['data: ', '\n\n', 'data: [DONE]\n\n', '"index":', '"delta":{', '\\u0000', '1e400', '-1'],
  run(input) {
    const parts = partsOf(input);
    const whole = observe(parts);
    const split = observe(parts, piecesFor(input));
    assert.deepEqual(split.account(), whole.account(), 'cut into records, another call');
    whole.check();
    checkUsage(whole.calls);
  },
};
