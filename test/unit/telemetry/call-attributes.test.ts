/** Attributes of a call's span that are only there when the conventions have a place for what the wire says. */
import assert from 'node:assert/strict';
import type { WireApi } from '../../../src/llm/model-call.ts';
import { callAttributes } from '../../../src/telemetry/call-attributes.ts';
import { contentPolicy } from '../../../src/telemetry/content.ts';
import { describePiece } from '../../../src/telemetry/piece-span.ts';
import { CONVENTIONS, type Generation } from '../../../src/telemetry/semconv.ts';
import {
  anthropicEvents,
  runExchange,
  runExchanges,
  type WireExchange,
} from '../../support/llm-fixtures/run-exchange.ts';
import { makeCall, turnPiece } from '../../support/story-pieces.ts';

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

  it('have the type of output that the modalities ask for', () => {
    const types: [members: string, type: string | undefined][] = [
      ['"modalities":["text","audio"]', 'speech'],
      ['"modalities":["image","text"]', 'image'],
      ['"modalities":["text"]', undefined],
      ['"modalities":["audio"],"response_format":{"type":"json_object"}', 'json'],
      ['"modalities":"audio"', undefined],
    ];
    for (const [members, type] of types) {
      assert.equal(chatAttributes(members)['gen_ai.output.type'], type, members);
    }
  });
});

/** Both generations' values of one attribute of a call that was read with and without content. */
function valuesOf(name: string, wires: readonly WireExchange[]): unknown[] {
  return [true, false].flatMap((keepContent) => {
    const call = runExchanges(wires, { keepContent }).at(-1)?.call;
    assert.ok(call !== undefined);
    return [
      callAttributes(call, CONVENTIONS['1.41'])[name],
      callAttributes(call, CONVENTIONS.latest)[name],
    ];
  });
}

const NONE = [undefined, undefined, undefined, undefined];

function laterOnly(value: unknown): unknown[] {
  return [undefined, value, undefined, value];
}

function responses(request: object, output: readonly unknown[] = []): WireExchange {
  const answer = { id: 'r', object: 'response', status: 'completed', model: 'm', output };
  return {
    target: '/v1/responses',
    request: { model: 'm', input: 'x', ...request },
    status: 200,
    response: JSON.stringify(answer),
  };
}

const BLOCK = { type: 'compaction', content: 'So far: x' };

function messages(content: unknown, blocks: readonly object[] = []): WireExchange {
  const message = { id: 'm', type: 'message', role: 'assistant', model: 'c', usage: {} };
  return {
    target: '/v1/messages',
    request: {
      model: 'c',
      max_tokens: 1,
      stream: true,
      messages: [{ role: 'assistant', content }],
    },
    status: 200,
    contentType: 'text/event-stream',
    response: anthropicEvents([
      { type: 'message_start', message: { ...message, content: [] } },
      ...blocks.flatMap((content_block, index) => [
        { type: 'content_block_start', index, content_block },
        { type: 'content_block_stop', index },
      ]),
      { type: 'message_stop' },
    ]),
  };
}

describe("a call's attributes since 1.41", () => {
  it('have the version of a stored prompt', () => {
    const name = 'gen_ai.prompt.version';
    const prompt = { id: 'pmpt_1', version: '2', variables: { city: 'Rome' } };
    assert.deepEqual(valuesOf(name, [responses({ prompt })]), laterOnly('2'));
    assert.deepEqual(valuesOf(name, [responses({ prompt: { id: 'pmpt_1' } })]), NONE);
    assert.deepEqual(valuesOf(name, [responses({ prompt: { version: 2 } })]), NONE);
  });

  it('say where a stream is taken up again', () => {
    const name = 'gen_ai.request.stream_cursor';
    const queued = JSON.stringify({ id: 'r', object: 'response', status: 'queued', output: [] });
    const asked = { ...responses({ background: true }), response: queued };
    const fetch = (query: string): WireExchange => ({
      method: 'GET',
      target: `/v1/responses/r${query}`,
      request: '',
      status: 200,
      response: queued,
    });
    assert.deepEqual(
      valuesOf(name, [asked, fetch('?stream=true&starting_after=42')]),
      laterOnly('42'),
    );
    assert.deepEqual(valuesOf(name, [asked, fetch('?starting_after=')]), NONE);
    assert.deepEqual(valuesOf(name, [asked, fetch('')]), NONE);
  });

  it('say that what was said before was made shorter', () => {
    const name = 'gen_ai.conversation.compacted';
    const item = { type: 'compaction', id: 'cmp_1', encrypted_content: 'AAAA' };
    const input = [item, { role: 'user', content: 'Go on' }];
    const said = { type: 'message', role: 'assistant', content: [] };
    assert.deepEqual(valuesOf(name, [responses({ input })]), laterOnly(true));
    assert.deepEqual(valuesOf(name, [responses({}, [item, said])]), laterOnly(true));
    assert.deepEqual(valuesOf(name, [responses({}, [said])]), NONE);
    assert.deepEqual(valuesOf(name, [messages([BLOCK])]), laterOnly(true));
    assert.deepEqual(valuesOf(name, [messages('x', [BLOCK])]), laterOnly(true));
    assert.deepEqual(valuesOf(name, [messages('compaction', [{ type: 'text', text: '' }])]), NONE);
  });
});

describe("a turn's conversation", () => {
  const inConversation = (conversationId?: string) => {
    const { request, ...call } = makeCall();
    return { ...call, request: { ...request, ...(conversationId && { conversationId }) } };
  };
  const CASES: [ids: (string | undefined)[], callCount: number, told: string | undefined][] = [
    [['conv_1', 'conv_1'], 2, 'conv_1'],
    [['conv_1', 'conv_2'], 2, undefined],
    [['conv_1', undefined], 2, undefined],
    // One was not kept.
    [['conv_1', 'conv_1'], 3, undefined],
  ];
  for (const [ids, callCount, told] of CASES) {
    it(`is ${told ?? 'not told'}: ${ids.map(String).join(', ')} of ${callCount}`, () => {
      const piece = turnPiece({ calls: ids.map(inConversation), callCount });
      for (const generation of ['1.41', 'latest'] as const) {
        const span = describePiece(piece, contentPolicy(), CONVENTIONS[generation]);
        assert.equal(span.attributes['gen_ai.conversation.id'], told);
      }
    });
  }
});
