/**
 * WebSocket conversations of any shape, cut and interleaved at random: every message comes out exact. With calls
 * lost: what was not touched is exact, what was touched says so, and nothing is spliced.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createWebSocketStage } from '../../src/http/websocket/websocket-upgrade.ts';
import { type Call, CONNECTION, cut, type Side } from '../support/http-generator.ts';
import {
  createCompressor,
  createSocketWitness,
  frame,
  runSocket,
  type SeenMessage,
} from '../support/websocket-wire.ts';

interface MessageDescription {
  side: Side;
  opcode: 1 | 2;
  payload: Uint8Array;
  /** Where it is cut into frames. */
  fragments: number[];
  /** A ping or pong before each further fragment. */
  hasControls: boolean;
  isCompressed: boolean;
  key: Uint8Array;
}

const fractions = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 });

const payload = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.string({ maxLength: 40, unit: 'grapheme' }).map((text) => Buffer.from(`{"t":"${text}"}`)),
  fc.integer({ min: 100, max: 70_000 }).map((size) => Buffer.alloc(size, 'abcdefgh')),
);

const message: fc.Arbitrary<MessageDescription> = fc.record({
  side: fc.constantFrom<Side>('request', 'response'),
  opcode: fc.constantFrom(1, 2),
  payload,
  fragments: fractions,
  hasControls: fc.boolean(),
  isCompressed: fc.boolean(),
  key: fc.uint8Array({ minLength: 4, maxLength: 4 }),
});

interface Setup {
  messages: MessageDescription[];
  isDeflating: boolean;
  clientKeepsContext: boolean;
  serverKeepsContext: boolean;
}

const setup: fc.Arbitrary<Setup> = fc.record({
  messages: fc.array(message, { maxLength: 10 }),
  isDeflating: fc.boolean(),
  clientKeepsContext: fc.boolean(),
  serverKeepsContext: fc.boolean(),
});

function extensionsOf(one: Setup): { extensions: string } | object {
  if (!one.isDeflating) {
    return {};
  }
  const parameters = [
    'permessage-deflate',
    ...(one.clientKeepsContext ? [] : ['client_no_context_takeover']),
    ...(one.serverKeepsContext ? [] : ['server_no_context_takeover']),
  ];
  return { extensions: parameters.join('; ') };
}

interface WireFrame {
  side: Side;
  bytes: Buffer;
  owner: number;
  isControl: boolean;
}

/** Frames in order; of one message those of a side are in a row, as senders write them. */
function framesOf(one: Setup): WireFrame[] {
  const compressors = {
    request: createCompressor(one.clientKeepsContext),
    response: createCompressor(one.serverKeepsContext),
  };
  const frames: WireFrame[] = [];
  for (const [owner, description] of one.messages.entries()) {
    const { side } = description;
    const masking = side === 'request' ? { key: description.key } : {};
    const rsv1 = one.isDeflating && description.isCompressed;
    const wire = rsv1 ? compressors[side](description.payload) : description.payload;
    const parts = wire.length === 0 ? [wire] : cut(wire, description.fragments);
    for (const [index, part] of parts.entries()) {
      const opcode = index === 0 ? description.opcode : 0;
      const fin = index === parts.length - 1;
      if (index > 0 && description.hasControls) {
        const ping = frame({ opcode: 9 + (index % 2), payload: Buffer.from('hi'), ...masking });
        frames.push({ side, bytes: ping, owner, isControl: true });
      }
      const bytes = frame({ opcode, payload: part, fin, rsv1: rsv1 && index === 0, ...masking });
      frames.push({ side, bytes, owner, isControl: false });
    }
  }
  return frames;
}

/** The two directions have no common order: takes from each as the choices say. */
function interleave(calls: readonly Call[], choices: readonly boolean[]): Call[] {
  const queues = {
    request: calls.filter(({ side }) => side === 'request'),
    response: calls.filter(({ side }) => side === 'response'),
  };
  const mixed: Call[] = [];
  for (let turn = 0; queues.request.length + queues.response.length > 0; turn += 1) {
    const wanted = choices[turn % Math.max(choices.length, 1)] ? queues.request : queues.response;
    const from =
      wanted.length > 0 ? wanted : wanted === queues.request ? queues.response : queues.request;
    mixed.push(from.shift() as Call);
  }
  return mixed;
}

function assertExact(seen: SeenMessage, expected: MessageDescription, isDeflating: boolean): void {
  assert.ok(seen.content.equals(expected.payload), 'content');
  assert.equal(seen.message.opcode, expected.opcode === 1 ? 'text' : 'binary');
  assert.equal(seen.message.isCompressed, isDeflating && expected.isCompressed);
  assert.equal(seen.message.contentBytes, expected.payload.length);
  assert.ok(seen.message.complete && seen.isEnded);
  assert.equal(seen.holes, 0);
  assert.ok(!seen.message.damage.any);
}

const senderOf = { request: 'client', response: 'server' } as const;

describe('websocket conversations', () => {
  it('come out exact under any fragmentation, split and interleaving', () => {
    fc.assert(
      fc.property(setup, fractions, fc.array(fc.boolean(), { maxLength: 9 }), (one, cuts, mix) => {
        const streams = { request: [] as Buffer[], response: [] as Buffer[] };
        for (const { side, bytes } of framesOf(one)) {
          streams[side].push(bytes);
        }
        const calls = (['request', 'response'] as const).flatMap((side) =>
          cut(Buffer.concat(streams[side]), [...cuts, 0.5, 0.51]).map((bytes) => ({ side, bytes })),
        );
        const seen = runSocket(interleave(calls, mix), extensionsOf(one));
        assert.equal(seen.counters.framingErrors, 0);
        assert.deepEqual(seen.gaps, []);
        for (const side of ['request', 'response'] as const) {
          const expected = one.messages.filter((description) => description.side === side);
          const found = seen.messages.filter(
            ({ message: { sender } }) => sender === senderOf[side],
          );
          assert.equal(found.length, expected.length);
          for (const [index, description] of expected.entries()) {
            assertExact(found[index] as SeenMessage, description, one.isDeflating);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('with frames lost: untouched messages are exact, touched ones marked, none is spliced', () => {
    const losses = fc.array(
      fc.constantFrom<Call['isLost'] | 'kept'>('kept', 'kept', 'kept', 'announced', 'silent'),
      { minLength: 1, maxLength: 12 },
    );
    let recovered = 0;
    fc.assert(
      fc.property(setup, losses, (one, fates) => {
        // Text must be text, or its frame would not be believed behind a loss.
        const messages = one.messages.map((description) => ({
          ...description,
          opcode: 2 as const,
        }));
        const plan = { ...one, messages };
        const frames = framesOf(plan);
        const calls: Call[] = frames.map(({ side, bytes, owner }, index) => {
          const fate = fates[index % fates.length];
          return fate === 'kept' || fate === undefined
            ? { side, bytes, owner }
            : { side, bytes, owner, isLost: fate };
        });
        const seen = runSocket(calls, extensionsOf(plan));
        const touched = new Set(calls.filter((call) => call.isLost).map((call) => call.owner));
        for (const side of ['request', 'response'] as const) {
          const keeps = side === 'request' ? one.clientKeepsContext : one.serverKeepsContext;
          let isContextLost = false;
          const exact: MessageDescription[] = [];
          for (const [owner, description] of messages.entries()) {
            if (description.side !== side) {
              continue;
            }
            const isCompressed = plan.isDeflating && description.isCompressed;
            isContextLost ||= touched.has(owner) && keeps;
            if (!touched.has(owner) && !(isCompressed && isContextLost)) {
              exact.push(description);
            }
          }
          const found = seen.messages.filter(
            ({ message: { sender } }) => sender === senderOf[side],
          );
          const intact = found.filter(({ message: { damage } }) => !damage.any);
          assert.equal(intact.length, exact.length, 'as many exact messages as untouched ones');
          for (const [index, description] of exact.entries()) {
            assertExact(intact[index] as SeenMessage, description, plan.isDeflating);
          }
          recovered += exact.length;
          for (const { message: damaged, content, holes } of found) {
            if (damaged.damage.any) {
              // Each message is told apart by nothing but its place: a damaged one holds pieces of one alone.
              assert.ok(holes > 0 || damaged.damage.kinds.has('truncated'));
              const isPieceOfOne = messages.some(
                (description) =>
                  description.side === side && isSubsequence(content, description.payload),
              );
              assert.ok(isPieceOfOne, 'its content is that of one message, with holes');
            }
          }
          const isTouched = [...touched].some((owner) => messages[owner as number]?.side === side);
          if (isTouched) {
            const direction = side === 'request' ? 'write' : 'read';
            const isMarked =
              found.some(({ message: { damage } }) => damage.any) ||
              seen.gaps.some((gap) => gap.direction === direction);
            assert.ok(isMarked, 'the loss is told');
          }
        }
      }),
      { numRuns: 300 },
    );
    assert.ok(recovered > 300, `${recovered} messages were compared`);
  });

  it('with pieces of frames lost: what is unmarked is exact, and a loss costs one more message at most', () => {
    let recovered = 0;
    const loss = fc.constantFrom<Call['isLost'] | 'kept'>(
      ...new Array(9).fill('kept'),
      'announced',
      'silent',
    );
    const losses = fc.array(loss, { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(setup, losses, fractions, (one, fates, cuts) => {
        const plan = {
          ...one,
          messages: one.messages.map((description) => ({ ...description, opcode: 2 as const })),
          clientKeepsContext: false,
          serverKeepsContext: false,
        };
        const pieces = framesOf(plan).flatMap((part) =>
          cut(part.bytes, cuts).map((bytes) => ({ ...part, bytes })),
        );
        const calls: Call[] = pieces.map((piece, index) => {
          const fate = fates[index % fates.length];
          return fate === 'kept' || fate === undefined ? piece : { ...piece, isLost: fate };
        });
        const seen = runSocket(calls, extensionsOf(plan));
        const lost = calls.flatMap(({ isLost }, index) =>
          isLost === undefined ? [] : (pieces[index] ?? []),
        );
        // The content of a ping is nobody's message, and its loss may cost none.
        const touched = new Set(lost.filter((piece) => !piece.isControl).map(({ owner }) => owner));
        const lostControls = lost.filter((piece) => piece.isControl);
        for (const side of ['request', 'response'] as const) {
          const untouched = plan.messages.filter(
            (description, owner) => description.side === side && !touched.has(owner),
          );
          const sideTouched = [...touched].filter(
            (owner) => plan.messages[owner as number]?.side === side,
          );
          const intact = seen.messages.filter(
            (one) => one.message.sender === senderOf[side] && !one.message.damage.any,
          );
          let next = 0;
          for (const message of intact) {
            while (next < untouched.length && !isSame(message, untouched[next])) {
              next += 1;
            }
            assert.ok(next < untouched.length, 'it is one of the untouched ones, in order');
            assertExact(message, untouched[next] as MessageDescription, plan.isDeflating);
            next += 1;
          }
          recovered += intact.length;
          const missed = untouched.length - intact.length;
          const allowed =
            sideTouched.length + lostControls.filter((piece) => piece.side === side).length;
          assert.ok(missed <= allowed, `${missed} untouched messages were missed`);
        }
      }),
      { numRuns: 300 },
    );
    assert.ok(recovered > 300, `${recovered} messages were compared`);
  });

  it('joined midway: recovers with the next message of each direction', () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 3, maxLength: 8 }), (messages) => {
        const plan: Setup = {
          messages: messages.map((description) => ({ ...description, opcode: 2, fragments: [] })),
          isDeflating: false,
          clientKeepsContext: true,
          serverKeepsContext: true,
        };
        const witness = createSocketWitness();
        const stage = createWebSocketStage({ handler: witness.handler });
        const parser = stage.join(CONNECTION, 'client');
        const positions = { request: 1000, response: 2000 };
        for (const { side, bytes } of framesOf(plan)) {
          const direction = side === 'request' ? 'write' : 'read';
          parser?.data(direction, bytes, { enterNs: 1n, timeNs: 2n }, positions[side]);
          positions[side] += bytes.length;
        }
        parser?.end('closed', 3n);
        for (const side of ['request', 'response'] as const) {
          const expected = plan.messages.filter((description) => description.side === side);
          const found = witness.sockets[0]?.messages.filter(
            (one) => one.message.sender === senderOf[side],
          );
          assert.equal(found?.length, expected.length);
          for (const [index, description] of expected.entries()) {
            assertExact(found[index] as SeenMessage, description, false);
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it('random bytes never throw, hang or are kept', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      // Half-way plausible: a header, then anything.
      fc
        .tuple(
          fc.constantFrom(0x00, 0x01, 0x02, 0x41, 0x80, 0x81, 0x82, 0xc1, 0xc2, 0x88, 0x89),
          fc.constantFrom(0, 1, 5, 125, 126, 127, 128, 133, 254, 255),
          fc.uint8Array({ maxLength: 200 }),
        )
        .map(([first, second, rest]) => Uint8Array.of(first, second, ...rest)),
    );
    const action = fc.record({
      side: fc.constantFrom<Side>('request', 'response'),
      bytes: piece,
      isLost: fc.constantFrom(undefined, undefined, undefined, 'silent' as const),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), fc.boolean(), (actions, isDeflating) => {
        const calls = actions
          .filter(({ bytes }) => bytes.length > 0)
          .map(({ isLost, ...call }) => (isLost === undefined ? call : { ...call, isLost }));
        const seen = runSocket(calls, {
          ...(isDeflating ? { extensions: 'permessage-deflate' } : {}),
          limits: { maxMessageBytes: 500, maxSearchBytes: 400, maxSearchCalls: 5 },
        });
        for (const one of seen.messages) {
          assert.ok(one.isEnded);
          assert.ok(one.content.length <= 500);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

function isSame(seen: SeenMessage, description: MessageDescription | undefined): boolean {
  return description !== undefined && seen.content.equals(description.payload);
}

/** Whether `part` is `whole` with stretches left out. */
function isSubsequence(part: Uint8Array, whole: Uint8Array): boolean {
  let at = 0;
  for (const byte of part) {
    while (at < whole.length && whole[at] !== byte) {
      at += 1;
    }
    if (at === whole.length) {
      return false;
    }
    at += 1;
  }
  return true;
}
