/**
 * Responses over interleaved WebSockets, as a model server makes them: every call equals the server's truth under any
 * split and interleaving; with messages lost, what is unmarked is exact, and each socket recovers.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { CaptureEvent } from '../../src/capture/events.ts';
import type { ModelCall } from '../../src/llm/model-call.ts';
import { type Call, CONNECTION, captureEvents, cut } from '../support/http-generator.ts';
import { type AnswerTruth, finishReasonsOf } from '../support/model-server/exchange-truth.ts';
import { planModelResponse } from '../support/model-server/model-endpoint.ts';
import { realtimeEvents } from '../support/model-server/openai-realtime.ts';
import type { Scenario } from '../support/model-server/scenario.ts';
import { runChain, type Said, socketCalls } from '../support/socket-conversation.ts';
import { handshake } from '../support/websocket-wire.ts';

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

interface Socket {
  api: 'responses' | 'realtime';
  isDeflating: boolean;
  scenarios: Scenario[];
  /** Where its bytes are cut into calls. */
  cuts: number[];
}

const socket: fc.Arbitrary<Socket> = fc.record({
  api: fc.constantFrom('responses', 'realtime'),
  isDeflating: fc.boolean(),
  scenarios: fc.array(scenario, { minLength: 1, maxLength: 4 }),
  cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 }),
});

let exchanges = 0;

/** What both sides say for one response, and the truth of it. */
function respond(one: Socket, wanted: Scenario): { said: Said[]; truth: AnswerTruth } {
  exchanges += 1;
  const content = [{ type: 'input_text', text: 'Say it.' }];
  const item = { type: 'message', role: 'user', content };
  const plan = planModelResponse({
    api: 'openai.responses',
    body: Buffer.from(JSON.stringify({ model: 'gpt-5', stream: true, input: [item] })),
    scenarioHeader: undefined,
    nextScripted: () => wanted,
    defaultScenario: {},
    serverSeed: 7,
    exchange: exchanges,
  });
  assert.ok(plan.events && plan.answer);
  const isRealtime = one.api === 'realtime';
  const events = isRealtime ? realtimeEvents(plan.events, 'conv_1') : plan.events;
  for (const event of events) {
    event.effect?.();
  }
  if (isRealtime) {
    delete plan.answer.usage.reasoningOutputTokens;
  }
  const ask: Said[] = isRealtime
    ? [
        ['client', { type: 'conversation.item.create', item }],
        ['client', { type: 'response.create' }],
      ]
    : [['client', { type: 'response.create', model: 'gpt-5', input: [item] }]];
  return {
    said: [...ask, ...events.map((event): Said => ['server', event.data as object])],
    truth: plan.answer,
  };
}

interface Conversation {
  calls: Call[];
  truths: AnswerTruth[];
}

function converse(one: Socket): Conversation {
  const answered = one.scenarios.map((wanted) => respond(one, wanted));
  const said = answered.flatMap((each) => each.said);
  const path = one.api === 'realtime' ? '/v1/realtime?model=gpt-5' : '/v1/responses';
  const opening = handshake(one.isDeflating ? 'permessage-deflate' : undefined, path);
  return {
    calls: [...opening, ...socketCalls(said, one.isDeflating)],
    truths: answered.map(({ truth }) => truth),
  };
}

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

function textOf(call: ModelCall): string {
  const parts = call.response?.messages[0]?.parts ?? [];
  return parts.map((part) => (part.type === 'text' ? part.content : '')).join('');
}

function assertEqual(call: ModelCall, truth: AnswerTruth): void {
  const { response } = call;
  assert.ok(call.complete && call.error === undefined);
  assert.equal(response?.id, truth.id);
  const { byModality: _, ...usage } = response?.usage ?? {};
  assert.deepEqual(usage, truth.usage);
  assert.deepEqual(response?.finishReasons, finishReasonsOf(truth));
  assert.equal(textOf(call), truth.choices[0]?.text);
  assert.deepEqual(
    response?.toolCalls.map(({ id, name, argumentsText }) => ({ id, name, argumentsText })),
    truth.choices[0]?.toolCalls,
  );
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
          assertEqual(call, truth);
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
            assertEqual(call, truth);
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
