/** What bytes make a parser reach a limit is counted by the limit's name, as well as marked on the call. */
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import type { CaptureEvent, ConnectionRef } from '../../../src/capture/events.ts';
import { createPipeline } from '../../../src/pipeline.ts';
import { createCounters } from '../../../src/self/counters.ts';
import { createDataEvents } from '../../support/data-events.ts';
import { HOST } from '../../support/story-pieces.ts';
import { frame, handshake } from '../../support/websocket-wire.ts';

const PROCESS = { pid: 10, startNs: 10n };
const CONNECTION: ConnectionRef = {
  process: PROCESS,
  stack: 'openssl',
  object: 4096,
  generation: 90n,
};

type Piece = readonly ['read' | 'write', Buffer | string];

interface Outcome {
  /** How often each limit was reached, but those that were not. */
  limits: Record<string, number>;
  /** Damage of each call. */
  damage: string[][];
}

function run(pieces: readonly Piece[], llm = {}): Outcome {
  const counters = createCounters();
  const damage: string[][] = [];
  const pipeline = createPipeline(
    {
      streamTimeoutNs: 300_000_000_000n,
      turnTimeoutNs: 600_000_000_000n,
      keepContent: false,
      maxContentBytes: 65_536,
      limits: { transport: {}, http: {}, llm, process: {}, session: {} },
    },
    { host: () => {}, piece: () => {}, call: (call) => damage.push([...call.damage.kinds]) },
    counters,
  );
  const dataOf = createDataEvents(CONNECTION);
  let timeNs = 1_000_000n;
  const push = (event: CaptureEvent): void => pipeline.push(event);
  push({ ...HOST, timeNs });
  for (const [direction, content] of pieces) {
    timeNs += 1_000_000n;
    push(dataOf(direction, Buffer.from(content), timeNs));
  }
  push({ type: 'end', timeNs: timeNs + 1_000_000n });
  const limits: Record<string, number> = {};
  for (const { name, attributes, value } of counters.snapshot()) {
    if (name === 'sightline.limits' && value > 0) {
      limits[String(attributes.limit)] = value;
    }
  }
  return { limits, damage };
}

function post(body: string): Piece {
  const head = [
    'POST /v1/chat/completions HTTP/1.1',
    'host: model.test',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return ['write', `${head.join('\r\n')}\r\n\r\n${body}`];
}

function answer(contentType: string, body: Buffer | string, ...fields: string[]): Piece {
  const bytes = Buffer.from(body);
  const head = [
    'HTTP/1.1 200 OK',
    `content-type: ${contentType}`,
    `content-length: ${bytes.length}`,
    ...fields,
  ];
  return ['read', Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), bytes])];
}

const REQUEST = post('{"model":"m","messages":[{"role":"user","content":"hi"}]}');
const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;

describe('limits that a call reaches', () => {
  it('are none of a call that reaches none', () => {
    const body = '{"id":"1","choices":[],"usage":{"prompt_tokens":1}}';
    assert.deepEqual(run([REQUEST, answer('application/json', body)]), {
      limits: {},
      damage: [[]],
    });
  });

  it('of a server-sent event are counted, each', () => {
    const event = (text: string): string =>
      `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: text } }] })}\n\n`;
    const long = event('x'.repeat(5000));
    const body = [event('a'), long, event('b'), long, 'data: [DONE]\n\n'].join('');
    const outcome = run([REQUEST, answer('text/event-stream', body)], { maxEventBytes: 1000 });
    assert.deepEqual(outcome, { limits: { 'llm.maxEventBytes': 2 }, damage: [['limit']] });
  });

  it('of the depth of JSON are counted, of a request and of an answer', () => {
    const deep = `{"model":"m","messages":[],"tools":${nested(600)}}`;
    const body = `{"id":"1","choices":${nested(600)}}`;
    assert.deepEqual(run([post(deep), answer('application/json', body)]), {
      limits: { 'llm.maxDepth': 2 },
      damage: [['limit']],
    });
  });

  it('of tiny members of gzip are counted', () => {
    const member = gzipSync('x');
    const body = Buffer.alloc(member.length * 20_000, member);
    const { limits, damage } = run([REQUEST, answer('text/plain', body, 'content-encoding: gzip')]);
    assert.deepEqual(limits, { 'http.decode': 1 });
    assert.ok(damage[0]?.includes('limit'));
  });

  it('of final blocks in a message of a WebSocket, and of its size, are counted', () => {
    const upgrade = handshake('permessage-deflate', '/v1/responses').map(
      ({ side, bytes }): Piece => [side === 'request' ? 'write' : 'read', Buffer.from(bytes)],
    );
    // An empty block that says it is the last one, again and again.
    const blocks = Buffer.alloc(400, Buffer.from([0x03, 0x00]));
    assert.deepEqual(
      run([...upgrade, ['read', frame({ opcode: 1, rsv1: true, payload: blocks })]]).limits,
      {
        'websocket.message': 1,
      },
    );
    const payload = Buffer.from(JSON.stringify({ type: 'response.done', text: 'x'.repeat(2000) }));
    const { limits } = run([...upgrade, ['read', frame({ opcode: 1, payload })]], {
      maxEventBytes: 1000,
    });
    assert.deepEqual(limits, { 'llm.maxEventBytes': 1 });
  });
});
