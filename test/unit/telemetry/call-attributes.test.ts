/** Attributes of a call's span that are only there when the conventions have a place for what the wire says. */
import assert from 'node:assert/strict';
import type { WireApi } from '../../../src/llm/model-call.ts';
import { callAttributes } from '../../../src/telemetry/call-attributes.ts';
import { CONVENTIONS, type Generation } from '../../../src/telemetry/semconv.ts';
import { runExchange } from '../../support/llm-fixtures/run-exchange.ts';
import { makeCall } from '../../support/story-pieces.ts';

const ANSWER = JSON.stringify({
  id: 'x',
  object: 'chat.completion',
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'a' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: 1 },
});

function chatAttributes(members: string, generation: Generation = '1.41') {
  const { call } = runExchange({
    target: '/v1/chat/completions',
    request: `{"model":"m","messages":[],${members}}`,
    status: 200,
    response: ANSWER,
  });
  assert.ok(call !== undefined);
  return callAttributes(call, CONVENTIONS[generation]);
}

describe("a call's attributes", () => {
  it('have a seed that is an integer', () => {
    assert.equal(chatAttributes('"seed":-7')['gen_ai.request.seed'], -7);
    for (const seed of ['1.5', '12345678901234567890', '9007199254740993', '1e300']) {
      assert.equal(chatAttributes(`"seed":${seed}`)['gen_ai.request.seed'], undefined, seed);
    }
  });

  it('have the top K of their generation', () => {
    assert.equal(chatAttributes('"top_k":40.5')['gen_ai.request.top_k'], 40.5);
    assert.equal(chatAttributes('"top_k":40.5', 'latest')['gen_ai.request.top_k'], undefined);
    assert.equal(chatAttributes('"top_k":40', 'latest')['gen_ai.request.top_k'], 40);
  });

  it('name the API of OpenAI that the conventions know, and no other', () => {
    const named: [api: WireApi, type: string | undefined][] = [
      ['openai.chat_completions', 'chat_completions'],
      ['openai.responses', 'responses'],
      ['openai.stored_response', 'responses'],
      ['openai.realtime', undefined],
      ['openai.compactions', undefined],
      ['openai.completions', undefined],
      ['openai.embeddings', undefined],
      ['anthropic.messages', undefined],
    ];
    for (const [api, type] of named) {
      const attributes = callAttributes(makeCall({ api }), CONVENTIONS['1.41']);
      assert.equal(attributes['openai.api.type'], type, api);
    }
  });
});
