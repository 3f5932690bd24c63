/** A filter leaves what there would be if the exchanges that it drops had never been; when it is judged makes no difference. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { CaptureEvent } from '../../src/capture/events.ts';
import { httpFilterCondition } from '../../src/config/http-filter.ts';
import { createPipeline } from '../../src/pipeline.ts';
import { createCounters } from '../../src/self/counters.ts';
import type { StoryPiece } from '../../src/session/story.ts';

interface Spec {
  isCall: boolean;
  isStream: boolean;
  asksTool: boolean;
  host: 'a.test' | 'b.test';
  status: 200 | 404 | 503;
  bodyBytes: number;
  /** Bytes of a call of the client's library. */
  pieceBytes: number;
}

const spec: fc.Arbitrary<Spec> = fc.record({
  isCall: fc.boolean(),
  isStream: fc.boolean(),
  asksTool: fc.boolean(),
  host: fc.constantFrom('a.test', 'b.test'),
  status: fc.constantFrom(200, 200, 404, 503),
  bodyBytes: fc.integer({ min: 0, max: 400 }),
  pieceBytes: fc.integer({ min: 1, max: 300 }),
});

/** Expressions, with the same in JavaScript: of the request, of the response, of a size, and mixed. */
const FILTERS: readonly [string, (one: Wire) => boolean][] = [
  ['request.host == "a.test"', ({ spec: { host } }) => host === 'a.test'],
  ['response.status < 400', ({ spec: { status } }) => status < 400],
  ['response.size >= 200', ({ responseBytes }) => responseBytes >= 200],
  ['request.path.endsWith("completions")', ({ spec: { isCall } }) => isCall],
  [
    'request.host == "b.test" || response.status == 404 || response.size < 150',
    ({ spec: { host, status }, responseBytes }) =>
      host === 'b.test' || status === 404 || responseBytes < 150,
  ],
  [
    '!(request.host == "b.test" && response.content_type == "text/event-stream")',
    ({ spec: { host }, isEvents }) => !(host === 'b.test' && isEvents),
  ],
];

interface Wire {
  spec: Spec;
  request: Buffer;
  response: Buffer;
  responseBytes: number;
  isEvents: boolean;
}

function wireOf(one: Spec): Wire {
  const isEvents = one.isCall && one.isStream && one.status === 200;
  const message = one.asksTool
    ? {
        role: 'assistant',
        tool_calls: [
          {
            index: 0,
            id: 't',
            type: 'function',
            function: { name: 'Bash', arguments: '{"command":"ls"}' },
          },
        ],
      }
    : { role: 'assistant', content: 'x'.repeat(one.bodyBytes) };
  const reason = one.asksTool ? 'tool_calls' : 'stop';
  const choice = { index: 0, finish_reason: reason };
  const answer = isEvents
    ? `data: ${JSON.stringify({ id: 'r', model: 'm', choices: [{ ...choice, delta: message }] })}\n\ndata: [DONE]\n\n`
    : JSON.stringify({ id: 'r', model: 'm', choices: [{ ...choice, message }] });
  const body = one.isCall ? answer : 'y'.repeat(one.bodyBytes);
  const asked = one.isCall
    ? JSON.stringify({
        model: 'm',
        stream: one.isStream,
        messages: [{ role: 'user', content: 'Hi' }],
        tools: [{ type: 'function', function: { name: 'Bash', parameters: {} } }],
      })
    : '';
  const path = one.isCall ? 'POST /v1/chat/completions' : 'GET /plain';
  const type = isEvents ? 'text/event-stream' : 'application/json';
  return {
    spec: one,
    request: Buffer.from(
      `${path} HTTP/1.1\r\nhost: ${one.host}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(asked)}\r\n\r\n${asked}`,
    ),
    response: Buffer.from(
      `HTTP/1.1 ${one.status} X\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    ),
    responseBytes: Buffer.byteLength(body),
    isEvents,
  };
}

/** Each exchange by a process of its own, all at the same time; those left out never happen. */
function eventsOf(wires: readonly Wire[], isIn: (wire: Wire) => boolean): CaptureEvent[] {
  const timed: CaptureEvent[] = [];
  wires.forEach((wire, index) => {
    const process = { pid: 100 + index, startNs: BigInt(100 + index) };
    timed.push({
      type: 'exec',
      timeNs: BigInt(1000 + index),
      process,
      parent: { pid: 1, startNs: 0n },
      executable: '/bin/agent',
      argv: ['agent'],
      argvLostBytes: 0,
      uid: 0,
      gid: 0,
      cgroupId: 0n,
      comm: 'agent',
    });
    if (!isIn(wire)) {
      return;
    }
    const connection = { process, stack: 'openssl', object: 8, generation: 1n } as const;
    let timeNs = BigInt(10_000 + index);
    for (const direction of ['write', 'read'] as const) {
      const bytes = direction === 'write' ? wire.request : wire.response;
      let position = 0;
      for (; position < bytes.length; position += wire.spec.pieceBytes) {
        const piece = bytes.subarray(position, position + wire.spec.pieceBytes);
        timeNs += 100n;
        timed.push({
          type: 'data',
          timeNs,
          enterNs: timeNs - 1n,
          tid: process.pid,
          connection,
          direction,
          position,
          callBytes: piece.length,
          callOffset: 0,
          sequence: 0,
          bytes: piece,
        });
      }
    }
  });
  timed.sort((one, other) => (one.timeNs < other.timeNs ? -1 : one.timeNs > other.timeNs ? 1 : 0));
  return timed;
}

function piecesOf(events: readonly CaptureEvent[], filter: string | undefined): string[] {
  const pieces: StoryPiece[] = [];
  const pipeline = createPipeline(
    {
      streamTimeoutNs: 300_000_000_000n,
      turnTimeoutNs: 600_000_000_000n,
      keepContent: false,
      maxContentBytes: 1000,
      httpSpans: 'all',
      ...(filter === undefined ? {} : { httpFilter: httpFilterCondition(filter) }),
      limits: { transport: {}, http: {}, llm: {}, process: {}, session: {} },
    },
    { host: () => {}, piece: (piece) => pieces.push(piece) },
    createCounters(),
  );
  const host = { bootId: 'b', hostName: 'h', arch: 'x64', osDescription: 'o', clockOffsetNs: 0n };
  pipeline.push({ type: 'host', timeNs: 0n, ...host });
  for (const event of events) {
    pipeline.push(event);
  }
  pipeline.push({ type: 'end', timeNs: 1_000_000n });
  return pieces.map(digest).sort();
}

function digest(piece: StoryPiece): string {
  const { traceId, spanId, parentSpanId } = piece.ids;
  const [startNs, endNs] =
    piece.kind === 'call' ? [piece.call.startNs, piece.call.endNs] : [piece.startNs, piece.endNs];
  const own = piece.kind === 'turn' ? [piece.endedBy, piece.callCount, piece.toolCalls] : [];
  return [
    piece.kind,
    traceId,
    spanId,
    parentSpanId,
    startNs,
    endNs,
    piece.workload.name,
    ...own,
  ].join(' ');
}

describe('the HTTP filter over any exchanges', () => {
  for (const [filter, keeps] of FILTERS) {
    it(`leaves what there would be without those it drops: ${filter}`, () => {
      fc.assert(
        fc.property(fc.array(spec, { minLength: 1, maxLength: 8 }), (specs) => {
          const wires = specs.map(wireOf);
          const filtered = piecesOf(
            eventsOf(wires, () => true),
            filter,
          );
          const expected = piecesOf(eventsOf(wires, keeps), undefined);
          assert.deepEqual(filtered, expected);
        }),
        { numRuns: 50 },
      );
    });
  }
});
