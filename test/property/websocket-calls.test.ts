/**
 * Responses over interleaved WebSockets, as a model server makes them: every call equals the server's truth under any
 * split and interleaving; with messages lost, what is unmarked is exact, and each socket recovers.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { CaptureEvent } from '../../src/capture/events.ts';
import { type Call, CONNECTION, captureEvents, cut } from '../support/http-generator.ts';
import type { Scenario } from '../support/model-server/scenario.ts';
import {
  assertSocketCall,
  converse,
  respond,
  type Socket,
} from '../support/model-traffic/socket-traffic.ts';
import { runChain, socketCalls } from '../support/socket-conversation.ts';

const scenario: fc.Arbitrary<Scenario> = fc.oneof(
  fc.record({
    textBytes: fc.integer({ min: 1, max: 2000 }),
    deltas: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({ text: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }) }),
  fc.constant({ text: 'Cut', finishReason: 'max_output_tokens' }),
  fc.record({
    toolCalls: fc.array(
      fc.record({
        name: fc.constantFrom('shell', 'web'),
        arguments: fc.dictionary(fc.string(), fc.string()),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  }),
);

/** With where its bytes are cut into calls. */
const socket: fc.Arbitrary<Socket & { cuts: number[] }> = fc.record({
  api: fc.constantFrom('responses', 'realtime'),
  isDeflating: fc.boolean(),
  scenarios: fc.array(scenario, { minLength: 1, maxLength: 4 }),
  cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 }),
});

/** The events of several sockets, taken in turns; times stay in order on each. */
function interleave(all: readonly CaptureEvent[][]): CaptureEvent[] {
  const mixed: CaptureEvent[] = [];
  const longest = Math.max(...all.map((events) => events.length));
  for (let index = 0; index < longest; index += 1) {
    for (const events of all) {
      const event = events[index];
      if (event !== undefined && event.type !== 'end') {
        mixed.push(event);
      }
    }
  }
  const end = all.flat().findLast((event) => event.type === 'end');
  return end === undefined ? mixed : [...mixed, end];
}

function eventsOf(calls: readonly Call[], index: number): CaptureEvent[] {
  return captureEvents(calls, { connection: { ...CONNECTION, object: 0x1000 * (index + 1) } });
}

describe('websocket calls', function () {
  this.timeout(60_000);

  it('equal the server’s truth under any split and interleaving', () => {
    fc.assert(
      fc.property(fc.array(socket, { minLength: 1, maxLength: 4 }), (sockets) => {
        const conversations = sockets.map(converse);
        const events = conversations.map(({ calls }, index) =>
          eventsOf(
            calls.flatMap(({ side, bytes }) =>
              cut(bytes, sockets[index]?.cuts ?? []).map((part): Call => ({ side, bytes: part })),
            ),
            index,
          ),
        );
        const seen = new Map(
          runChain(interleave(events)).calls.map((call) => [call.response?.id, call]),
        );
        const truths = conversations.flatMap((each) => each.truths);
        assert.equal(seen.size, truths.length);
        for (const truth of truths) {
          const call = seen.get(truth.id);
          assert.ok(call && !call.damage.any);
          assertSocketCall(call, truth);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('with messages lost: what is unmarked is exact, and the last response of an uncompressed socket is', () => {
    const losses = fc.array(fc.nat({ max: 200 }), { minLength: 1, maxLength: 3 });
    const whole = fc.constant<Scenario>({ text: 'The last one.' });
    fc.assert(
      fc.property(socket, losses, whole, fc.boolean(), (one, places, last, isSilent) => {
        const withLast = { ...one, scenarios: [...one.scenarios, last, last] };
        const { calls, truths } = converse(withLast);
        const lastTwo = calls.length - [...socketCallsOf(withLast)].length;
        for (const place of places) {
          const index = 2 + (place % Math.max(1, lastTwo - 2));
          (calls[index] as Call).isLost = isSilent ? 'silent' : 'announced';
        }
        const seen = runChain(eventsOf(calls, 0)).calls;
        const byId = new Map(truths.map((truth) => [truth.id, truth]));
        for (const call of seen) {
          if (!call.damage.any) {
            const truth = byId.get(call.response?.id);
            assert.ok(truth, 'an unmarked call is a real one');
            assertSocketCall(call, truth);
          }
        }
        if (!one.isDeflating) {
          const final = seen.find((call) => call.response?.id === truths.at(-1)?.id);
          assert.ok(final && !final.damage.any, 'it recovers');
        }
      }),
      { numRuns: 150 },
    );
  });
});

/** The calls of the last two responses, which are as many each. */
function* socketCallsOf(one: Socket): Generator<Call> {
  for (const wanted of one.scenarios.slice(-2)) {
    yield* socketCalls(respond(one, wanted).said, false);
  }
}
