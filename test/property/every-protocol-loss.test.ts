/**
 * Several connections of different protocols at once, cut anywhere, interleaved in any order, with bytes lost anywhere.
 *
 * A conversation is a list of exchanges on one connection, one after the other (HTTP/1.1) or several at a time
 * (HTTP/2), each with a number in its request, in its response's head and in every record of its body. A loss is a range
 * of bytes of one direction, reported or to be noticed by its position. An exchange is *touched* when a loss has any of
 * its bytes. Then, on every connection:
 *
 * 1. An exchange without damage is exact: its own request and response, and every record, in order.
 * 2. No record is given that was not sent in that exchange, and none out of order: nothing is ever spliced.
 * 3. An exchange that was touched is marked, wherever a part of it appears.
 * 4. HTTP/1.1: an exchange that was not touched, nor the one before it, is there once and exact: a connection recovers
 *    within one message. HTTP/2: so is one that begins after the last loss.
 *    Unless, on HTTP/1.1, both directions lost bytes and not every loss was reported in its place: that can hide the end of
 *    one exchange and the beginning of the next, and look like a loss within one. Then the marks (1, 3) are all there is.
 * 5. A connection without a loss is exact, whatever happened on the others.
 */
import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import type { CaptureEvent, ConnectionRef, Direction } from '../../src/capture/events.ts';
import type { Exchange, ExchangeHandler } from '../../src/http/exchange.ts';
import { createHttpStage } from '../../src/http/http-stage.ts';
import { createStreamReader, type RecordFormat } from '../../src/http/stream-reader.ts';
import { createTransport } from '../../src/transport/transport.ts';
import {
  END_STREAM,
  type Field,
  frame,
  headers,
  PREFACE,
  settings,
  TestEncoder,
} from '../support/http2-writer.ts';

const FORMATS = ['sse', 'ndjson', 'json-array', 'aws-event-stream'] as const;
type Framing = 'length' | 'chunked' | 'until-end';

interface Plan {
  format: RecordFormat;
  framing: Framing;
  records: string[];
  /** Sizes of the pieces in which the response body is sent, each a call of its own; repeated. */
  pieces: number[];
}

interface WireCall {
  direction: Direction;
  bytes: Buffer;
  /** Exchange whose bytes these are; undefined of a connection's beginning. */
  owner: number | undefined;
}

interface Loss {
  direction: Direction;
  /** Of the direction's bytes. */
  from: number;
  length: number;
  isAnnounced: boolean;
}

interface Conversation {
  ref: ConnectionRef;
  isHttp2: boolean;
  plans: Plan[];
  calls: WireCall[];
  losses: Loss[];
  /** Where calls are cut into events besides. */
  cuts: number[];
}

/** One exchange as it was seen. */
interface Seen {
  exchange: Exchange;
  records: string[];
  isEnded: boolean;
}

function recordText(owner: number, index: number, text: string): string {
  return JSON.stringify({ owner, index, text });
}

function textsOf(plan: Plan, owner: number): string[] {
  return plan.records.map((text, index) => recordText(owner, index, text));
}

/** A message without headers: https://smithy.io/2.0/aws/amazon-eventstream.html */
function awsMessage(text: string): Buffer {
  const payload = Buffer.from(text);
  const message = Buffer.alloc(16 + payload.length);
  message.writeUInt32BE(message.length, 0);
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8);
  payload.copy(message, 12);
  message.writeUInt32BE(crc32(message.subarray(0, -4)), message.length - 4);
  return message;
}

function bodyOf(plan: Plan, owner: number): Buffer {
  const texts = textsOf(plan, owner);
  switch (plan.format) {
    case 'sse':
      return Buffer.from(texts.map((text) => `event: e\ndata: ${text}\n\n`).join(''));
    case 'ndjson':
      return Buffer.from(texts.map((text) => `${text}\n`).join(''));
    case 'json-array':
      return Buffer.from(`[${texts.join(',\n')}]`);
    case 'aws-event-stream':
      return Buffer.concat(texts.map(awsMessage));
  }
}

function piecesOf(body: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const size = sizes[pieces.length % sizes.length] ?? 1;
    pieces.push(body.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

function http1Calls(plans: readonly Plan[]): WireCall[] {
  return plans.flatMap((plan, owner) => {
    const body = bodyOf(plan, owner);
    // Only the last answer of a connection can end with it.
    const isLast = owner === plans.length - 1;
    const framing = plan.framing === 'until-end' && !isLast ? 'chunked' : plan.framing;
    const question = `{"question":${owner}}`;
    const request = `POST /${owner} HTTP/1.1\r\nHost: h\r\nContent-Length: ${question.length}\r\n\r\n${question}`;
    const length = framing === 'length' ? `Content-Length: ${body.length}\r\n` : '';
    const chunked = framing === 'chunked' ? 'Transfer-Encoding: chunked\r\n' : '';
    const head = `HTTP/1.1 200 OK\r\nX-Number: ${owner}\r\nX-Format: ${plan.format}\r\n${length}${chunked}\r\n`;
    const parts = piecesOf(body, plan.pieces).map((piece) =>
      framing === 'chunked'
        ? Buffer.concat([
            Buffer.from(`${piece.length.toString(16)}\r\n`),
            piece,
            Buffer.from('\r\n'),
          ])
        : piece,
    );
    const end = framing === 'chunked' ? [Buffer.from('0\r\n\r\n')] : [];
    return [
      { direction: 'write' as const, bytes: Buffer.from(request), owner },
      ...[Buffer.from(head), ...parts, ...end].map((bytes) => ({
        direction: 'read' as const,
        bytes,
        owner,
      })),
    ];
  });
}

/** Streams two at a time, frame by frame. */
function http2Calls(plans: readonly Plan[]): WireCall[] {
  const client = new TestEncoder();
  const server = new TestEncoder();
  const calls: WireCall[] = [
    { direction: 'write', bytes: Buffer.concat([PREFACE, settings()]), owner: undefined },
    { direction: 'read', bytes: settings(), owner: undefined },
  ];
  function* steps(plan: Plan, owner: number): Generator<WireCall> {
    const id = owner * 2 + 1;
    const fields: Field[] = [
      [':method', 'POST'],
      [':path', `/${owner}`],
      [':scheme', 'https'],
      [':authority', 'h'],
    ];
    const question = frame('DATA', END_STREAM, id, `{"question":${owner}}`);
    const ask = Buffer.concat([headers(id, client.block(fields, 'plain')), question]);
    yield { direction: 'write', bytes: ask, owner };
    const answer: Field[] = [
      [':status', '200'],
      ['x-number', `${owner}`],
      ['x-format', plan.format],
    ];
    yield { direction: 'read', bytes: headers(id, server.block(answer, 'plain')), owner };
    const pieces = piecesOf(bodyOf(plan, owner), plan.pieces);
    for (const piece of pieces) {
      yield { direction: 'read', bytes: frame('DATA', 0, id, piece), owner };
    }
    yield { direction: 'read', bytes: frame('DATA', END_STREAM, id, ''), owner };
  }
  for (let first = 0; first < plans.length; first += 2) {
    const open = plans.slice(first, first + 2).map((plan, index) => steps(plan, first + index));
    while (open.length > 0) {
      const one = open.shift() as Generator<WireCall>;
      const step = one.next();
      if (!step.done) {
        calls.push(step.value);
        open.push(one);
      }
    }
  }
  return calls;
}

/** After a loss, HTTP/2 is recognised by the beginning of a call: as much comes in one piece of longer ones. */
const HEAD_BYTES = 64;

/** The calls as events, cut and with their losses; times are given when connections are interleaved. */
function eventsOf({ ref, isHttp2, calls, losses, cuts }: Conversation): CaptureEvent[] {
  const positions = { read: 0, write: 0 };
  const events: CaptureEvent[] = [];
  let turn = 0;
  for (const { direction, bytes } of calls) {
    const start = positions[direction];
    const mine = losses.filter((loss) => loss.direction === direction);
    const cut = (cuts[turn % cuts.length] ?? 0) + (isHttp2 && losses.length > 0 ? HEAD_BYTES : 0);
    const edges = new Set([0, bytes.length, cut < bytes.length ? cut : 0]);
    turn += 1;
    for (const { from, length } of mine) {
      edges.add(Math.min(bytes.length, Math.max(0, from - start)));
      edges.add(Math.min(bytes.length, Math.max(0, from + length - start)));
    }
    const sorted = [...edges].sort((one, other) => one - other);
    for (let index = 0; index + 1 < sorted.length; index += 1) {
      const [from, to] = [sorted[index] as number, sorted[index + 1] as number];
      const position = start + from;
      const lost = mine.find((loss) => position >= loss.from && position < loss.from + loss.length);
      const common = { timeNs: 0n, connection: ref, direction, position };
      if (lost === undefined) {
        const data = {
          enterNs: 0n,
          tid: 1,
          callBytes: bytes.length,
          callOffset: from,
          sequence: 0,
        };
        events.push({ type: 'data', ...common, ...data, bytes: bytes.subarray(from, to) });
      } else if (lost.isAnnounced) {
        events.push({ type: 'loss', ...common, lostBytes: to - from, reason: 'ring-full' });
      }
    }
    positions[direction] = start + bytes.length;
  }
  const ends = { readPosition: positions.read, writePosition: positions.write };
  events.push({ type: 'close', timeNs: 0n, connection: ref, ...ends });
  return events;
}

/** One event after the other of all connections, as `order` picks them, each a microsecond later. */
function* interleaved(queues: CaptureEvent[][], order: readonly number[]): Generator<CaptureEvent> {
  let timeNs = 1000n;
  for (let turn = 0; queues.some((queue) => queue.length > 0); turn += 1) {
    const waiting = queues.filter((queue) => queue.length > 0);
    const event = waiting[(order[turn % order.length] ?? 0) % waiting.length]?.shift();
    if (event !== undefined) {
      timeNs += 1000n;
      yield event.type === 'data'
        ? { ...event, timeNs, enterNs: timeNs - 400n }
        : { ...event, timeNs };
    }
  }
}

function observe(conversations: readonly Conversation[], order: readonly number[]): Seen[] {
  const seen: Seen[] = [];
  const handler: ExchangeHandler = (exchange) => {
    const one: Seen = { exchange, records: [], isEnded: false };
    seen.push(one);
    return {
      response({ headers: fields }) {
        const format = fields.get('x-format') as RecordFormat | undefined;
        return format === undefined
          ? undefined
          : createStreamReader(format, {
              onRecord({ text, complete }) {
                if (complete) {
                  one.records.push(text.trim());
                }
              },
              onDamage: (kind) => exchange.damage.add(kind),
            });
      },
      end() {
        one.isEnded = true;
      },
    };
  };
  const transport = createTransport({
    createParser: createHttpStage({ handler }),
    onFault: (error) => {
      throw error;
    },
  });
  for (const event of interleaved(conversations.map(eventsOf), order)) {
    transport.push(event);
  }
  return seen;
}

function numberOf({ request, response }: Exchange): number | undefined {
  const text = response?.headers.get('x-number') ?? request?.target.slice(1);
  return text === undefined || text === '' ? undefined : Number(text);
}

function isSubsequence(part: readonly string[], whole: readonly string[]): boolean {
  let at = 0;
  for (const one of part) {
    at = whole.indexOf(one, at) + 1;
    if (at === 0) {
      return false;
    }
  }
  return true;
}

/** Exchanges that lost bytes, and the last call that did. */
function touchedBy({ calls, losses }: Conversation): { owners: Set<number>; lastCall: number } {
  const positions = { read: 0, write: 0 };
  const owners = new Set<number>();
  let lastCall = -1;
  for (const [index, { direction, bytes, owner }] of calls.entries()) {
    const start = positions[direction];
    const end = start + bytes.length;
    positions[direction] = end;
    const isHit = losses.some(
      (loss) => loss.direction === direction && loss.from < end && loss.from + loss.length > start,
    );
    if (isHit) {
      lastCall = index;
      if (owner !== undefined) {
        owners.add(owner);
      }
    }
  }
  return { owners, lastCall };
}

function check(conversation: Conversation, seen: readonly Seen[]): void {
  const { plans, isHttp2, calls, losses } = conversation;
  const { owners, lastCall } = touchedBy(conversation);
  const isAmbiguous =
    !isHttp2 &&
    losses.some(({ isAnnounced }) => !isAnnounced) &&
    new Set(losses.map(({ direction }) => direction)).size > 1;
  const isExact = (one: Seen): void => {
    const { request, response, damage } = one.exchange;
    const owner = numberOf(one.exchange) ?? -1;
    const plan = plans[owner];
    assert.ok(plan, 'an exchange without damage is one that was sent');
    assert.equal(request?.target, `/${owner}`);
    assert.equal(request?.bodyBytes, `{"question":${owner}}`.length);
    assert.equal(response?.headers.get('x-number'), `${owner}`);
    assert.ok(request?.complete && response?.complete, 'complete');
    assert.equal(response.bodyBytes, bodyOf(plan, owner).length);
    assert.deepEqual(one.records, textsOf(plan, owner));
    assert.deepEqual([...damage.kinds], []);
  };
  for (const one of seen) {
    assert.ok(one.isEnded, 'every exchange ends');
    const owner = Number(one.exchange.response?.headers.get('x-number') ?? -1);
    const sent = plans[owner] === undefined ? [] : textsOf(plans[owner], owner);
    assert.ok(isAmbiguous || isSubsequence(one.records, sent), `${one.records} of ${sent}`);
    if (!one.exchange.damage.any) {
      isExact(one);
      assert.ok(!owners.has(owner), `exchange ${owner} was touched, and is not marked`);
    }
  }
  for (const [owner] of plans.entries()) {
    const begins = calls.findIndex((call) => call.owner === owner);
    const mustBeExact =
      losses.length === 0 ||
      (isHttp2 ? begins > lastCall : !isAmbiguous && !owners.has(owner) && !owners.has(owner - 1));
    if (mustBeExact) {
      const mine = seen.filter((one) => numberOf(one.exchange) === owner);
      assert.equal(mine.length, 1, `exchange ${owner} is there once`);
      isExact(mine[0] as Seen);
    }
  }
}

const plan: fc.Arbitrary<Plan> = fc.record({
  format: fc.constantFrom(...FORMATS),
  framing: fc.constantFrom<Framing>('length', 'chunked', 'until-end'),
  records: fc.array(fc.string({ maxLength: 30 }), { minLength: 1, maxLength: 8 }),
  pieces: fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 5 }),
});

const loss = fc.record({
  isRead: fc.boolean(),
  at: fc.nat(10_000),
  length: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 400 })),
  isAnnounced: fc.boolean(),
});

const conversation = fc
  .record({
    isHttp2: fc.boolean(),
    plans: fc.array(plan, { minLength: 1, maxLength: 6 }),
    losses: fc.array(loss, { maxLength: 2 }),
    cuts: fc.array(fc.nat(200), { minLength: 1, maxLength: 8 }),
  })
  .map(({ isHttp2, plans, losses, cuts }): Omit<Conversation, 'ref'> => {
    const calls = isHttp2 ? http2Calls(plans) : http1Calls(plans);
    const totals = { read: 0, write: 0 };
    for (const { direction, bytes } of calls) {
      totals[direction] += bytes.length;
    }
    const placed = losses.map(({ isRead, at, length, isAnnounced }): Loss => {
      const direction = isRead ? 'read' : 'write';
      return { direction, from: at % totals[direction], length, isAnnounced };
    });
    return { isHttp2, plans, calls, losses: placed, cuts };
  });

describe('property over all protocols: splits, interleavings and lost bytes', function () {
  this.timeout(60_000);

  it('what no loss touched is exact, what one touched is marked, and a connection recovers', () => {
    fc.assert(
      fc.property(
        fc.array(conversation, { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(11), { minLength: 1, maxLength: 40 }),
        (parts, order) => {
          const conversations = parts.map((part, index): Conversation => {
            const process = { pid: 7, startNs: 1n };
            const ref: ConnectionRef = {
              process,
              stack: 'openssl',
              object: index + 1,
              generation: 1n,
            };
            return { ...part, ref };
          });
          const seen = observe(conversations, order);
          for (const one of conversations) {
            check(
              one,
              seen.filter(({ exchange }) => exchange.connection.object === one.ref.object),
            );
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
