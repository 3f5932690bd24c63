/** Responses over WebSockets, of OpenAI's responses and Realtime APIs, as a model server makes them and knows them. */
import assert from 'node:assert/strict';
import type { ModelCall } from '../../../src/llm/model-call.ts';
import type { Call } from '../http-generator.ts';
import { type AnswerTruth, finishReasonsOf } from '../model-server/exchange-truth.ts';
import { planModelResponse } from '../model-server/model-endpoint.ts';
import { realtimeEvents } from '../model-server/openai-realtime.ts';
import type { Random } from '../model-server/random.ts';
import type { Scenario } from '../model-server/scenario.ts';
import { type Said, socketCalls } from '../socket-conversation.ts';
import { handshake } from '../websocket-wire.ts';
import { isOneIn, pick } from './traffic-plan.ts';

export interface Socket {
  api: 'responses' | 'realtime';
  isDeflating: boolean;
  /** What is asked for, one a response. */
  scenarios: Scenario[];
}

let exchanges = 0;

/** What both sides say for one response, and the truth of it. */
export function respond(one: Socket, wanted: Scenario): { said: Said[]; truth: AnswerTruth } {
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

export interface Conversation {
  calls: Call[];
  truths: AnswerTruth[];
}

export function converse(one: Socket): Conversation {
  const answered = one.scenarios.map((wanted) => respond(one, wanted));
  const said = answered.flatMap((each) => each.said);
  const path = one.api === 'realtime' ? '/v1/realtime?model=gpt-5' : '/v1/responses';
  const opening = handshake(one.isDeflating ? 'permessage-deflate' : undefined, path);
  return {
    calls: [...opening, ...socketCalls(said, one.isDeflating)],
    truths: answered.map(({ truth }) => truth),
  };
}

function textOf(call: ModelCall): string {
  const parts = call.response?.messages[0]?.parts ?? [];
  return parts.map((part) => (part.type === 'text' ? part.content : '')).join('');
}

/** The call is whole, and says what the server knows. */
export function assertSocketCall(call: ModelCall, truth: AnswerTruth): void {
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

/** A socket with up to four responses. */
export function drawSocket(random: Random): Socket {
  return {
    api: pick(random, 'responses', 'realtime'),
    isDeflating: isOneIn(random, 2),
    scenarios: Array.from({ length: random.int(1, 4) }, () => drawScenario(random)),
  };
}

function drawScenario(random: Random): Scenario {
  if (isOneIn(random, 3)) {
    const names = Array.from({ length: random.int(1, 3) }, () => pick(random, 'shell', 'web'));
    return { toolCalls: names.map((name) => ({ name, arguments: { a: random.text(9) } })) };
  }
  const text = random.text(random.int(1, 200));
  return isOneIn(random, 4)
    ? { text, finishReason: 'max_output_tokens' }
    : { text, deltas: random.int(1, 9) };
}
