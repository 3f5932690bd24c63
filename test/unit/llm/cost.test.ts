/** What a call is estimated to cost, and when nothing is: by hand from the counts and the published prices. */
import assert from 'node:assert/strict';
import { estimateCostUsd } from '../../../src/llm/call-cost.ts';
import type { ModelCall, Usage } from '../../../src/llm/model-call.ts';
import { builtInPriceTable, readPriceTable } from '../../../src/llm/price-table.ts';
import {
  anthropicEvents,
  runExchange,
  type WireExchange,
} from '../../support/llm-fixtures/run-exchange.ts';
import { makeCall } from '../../support/story-pieces.ts';

const BUILT_IN = builtInPriceTable();

interface Case {
  provider?: string;
  model: string;
  usage: Usage;
  serviceTier?: string;
  operation?: ModelCall['operation'];
}

function callOf({ provider = 'anthropic', model, usage, serviceTier, operation }: Case): ModelCall {
  const call = makeCall();
  return {
    ...call,
    provider,
    operation: operation ?? 'chat',
    request: { ...call.request, model },
    response: {
      ...call.response!,
      model,
      usage,
      ...(serviceTier === undefined ? {} : { serviceTier }),
    },
  };
}

function cost(subject: Case, table = BUILT_IN): number | undefined {
  const usd = estimateCostUsd(callOf(subject), table);
  return usd === undefined ? undefined : Number(usd.toFixed(9));
}

const MILLION = { inputTokens: 1_000_000, outputTokens: 1_000_000 };

describe('the cost of a call', () => {
  it('is that of its input and output', () => {
    assert.equal(cost({ model: 'claude-opus-4-1', usage: MILLION }), 90);
    assert.equal(cost({ provider: 'openai', model: 'gpt-5-mini', usage: MILLION }), 2.25);
  });

  it('counts cached input at its own prices, and writes for an hour apart', () => {
    const usage = {
      inputTokens: 1000,
      outputTokens: 10,
      cacheReadInputTokens: 600,
      cacheCreationInputTokens: 300,
      hourCacheCreationInputTokens: 100,
    };
    // 100 plain × 3, 600 read × 0.3, 200 written × 3.75, 100 written for an hour × 6, 10 out × 15.
    const expected = (300 + 180 + 750 + 600 + 150) / 1e6;
    assert.equal(cost({ model: 'claude-sonnet-4-6', usage }), expected);
  });

  it('takes cached input for ordinary input where it has no price of its own', () => {
    const table = readPriceTable('{"prices":{"*":{"m":{"input":2,"output":0}}}}', 'p.json');
    const usage = { inputTokens: 1_000_000, outputTokens: 0, cacheReadInputTokens: 400_000 };
    assert.equal(cost({ provider: 'groq', model: 'm', usage }, table), 2);
  });

  it('of a long context is another', () => {
    const usage = { inputTokens: 200_001, outputTokens: 0 };
    assert.equal(cost({ model: 'claude-sonnet-4-5', usage }), (200_001 * 6) / 1e6);
    const shorter = { inputTokens: 200_000, outputTokens: 0 };
    assert.equal(cost({ model: 'claude-sonnet-4-5', usage: shorter }), 0.6);
  });

  it('of a batch or another tier is a part or a multiple', () => {
    const batch = { model: 'claude-opus-4-1', usage: MILLION, serviceTier: 'batch' };
    assert.equal(cost(batch), 45);
    const flex = { provider: 'openai', model: 'gpt-5', usage: MILLION, serviceTier: 'flex' };
    assert.equal(cost(flex), 5.625);
    assert.equal(cost({ ...flex, serviceTier: 'priority' }), 22.5);
    assert.equal(cost({ ...flex, serviceTier: 'default' }), 11.25);
  });

  it('of embeddings needs no output', () => {
    const usage = { inputTokens: 1_000_000 };
    const model = 'text-embedding-3-small';
    assert.equal(cost({ provider: 'openai', model, usage, operation: 'embeddings' }), 0.02);
  });

  it('is found for a dated version, and not for another model of the same beginning', () => {
    const usage = MILLION;
    assert.equal(cost({ model: 'claude-opus-4-1-20250805', usage }), 90);
    assert.equal(cost({ provider: 'openai', model: 'gpt-4o-2024-11-20', usage }), 12.5);
    assert.equal(cost({ provider: 'openai', model: 'gpt-4o-audio-preview', usage }), undefined);
    const gemini = { provider: 'gcp.gemini', model: 'models/gemini-2.5-flash', usage };
    assert.equal(cost(gemini), 2.8);
  });

  it('is unknown rather than guessed', () => {
    const usage = MILLION;
    const gpt5 = { provider: 'openai', model: 'gpt-5', usage };
    assert.equal(cost({ ...gpt5, model: 'gpt-99' }), undefined);
    assert.equal(cost({ ...gpt5, model: 'constructor' }), undefined);
    assert.equal(cost({ ...gpt5, provider: 'azure.ai.openai' }), undefined);
    assert.equal(cost({ ...gpt5, provider: '__proto__' }), undefined);
    assert.equal(cost({ ...gpt5, serviceTier: 'scale' }), undefined);
    assert.equal(cost({ ...gpt5, serviceTier: 'constructor' }), undefined);
    assert.equal(cost({ ...gpt5, usage: { inputTokens: 5 } }), undefined);
    assert.equal(cost({ ...gpt5, usage: { outputTokens: 5 } }), undefined);
    const sound = { ...usage, byModality: { audio: { inputTokens: 1 } } };
    assert.equal(cost({ ...gpt5, usage: sound }), undefined);
    const { response: _, ...unanswered } = callOf(gpt5);
    assert.equal(estimateCostUsd(unanswered, BUILT_IN), undefined);
  });
});

describe('the cost of a call on the wire', () => {
  const CHAT = JSON.stringify({
    model: 'gpt-4o',
    choices: [{ index: 0, message: { role: 'assistant', content: 'a' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 1_000_000, completion_tokens: 0 },
  });

  function costOf(wire: Partial<WireExchange> & { target: string }, table = BUILT_IN) {
    const { call } = runExchange({ request: { model: 'm', messages: [] }, status: 200, ...wire });
    return call && estimateCostUsd(call, table);
  }

  it('has no built-in price where the provider is only assumed', () => {
    const target = '/v1/chat/completions';
    const asked = { target, response: CHAT };
    assert.equal(costOf({ ...asked, host: 'api.openai.com' }), 2.5);
    assert.equal(costOf({ ...asked, host: 'localhost:8000' }), undefined);
    assert.equal(costOf({ ...asked, host: 'contoso.azure-api.net' }), undefined);
  });

  it('has the price of a table that knows the own hosts', () => {
    const own = '{"extends":"built-in","prices":{"openai":{"own":{"input":1,"output":1}}}}';
    const table = readPriceTable(own, 'p.json');
    const asked = { target: '/v1/chat/completions', host: 'localhost:8000' };
    const answer = CHAT.replace('gpt-4o', 'own');
    assert.equal(costOf({ ...asked, response: answer }, table), 1);
    assert.equal(costOf({ ...asked, response: CHAT }, table), undefined);
  });

  const COUNTS = { input_tokens: 1_000_000, output_tokens: 0 };

  function claude(usage: object): WireExchange {
    return {
      target: '/v1/messages',
      host: 'api.anthropic.com',
      request: { model: 'claude-opus-4-6', max_tokens: 1, messages: [] },
      response: JSON.stringify({
        id: 'm',
        type: 'message',
        role: 'assistant',
        model: 'claude-opus-4-6',
        content: [{ type: 'text', text: 'a' }],
        stop_reason: 'end_turn',
        usage: { ...COUNTS, ...usage },
      }),
    };
  }

  it('takes a speed and a region for tiers', () => {
    const ordinary = {
      speed: 'standard',
      inference_geo: 'not_available',
      service_tier: 'standard',
    };
    assert.equal(costOf(claude(ordinary)), 5);
    assert.equal(costOf(claude({ ...ordinary, inference_geo: 'global', speed: null })), 5);
    assert.equal(costOf(claude({ ...ordinary, speed: 'fast' })), undefined);
    assert.equal(costOf(claude({ ...ordinary, inference_geo: 'us' })), undefined);
    const tiers = '{"claude-opus-4-6":{"input":5,"output":25,"tiers":{"fast":6,"us":1.5}}}';
    const table = readPriceTable(`{"prices":{"anthropic":${tiers}}}`, 'p.json');
    assert.equal(costOf(claude({ speed: 'fast', inference_geo: 'us' }), table), 45);
  });

  it('is unknown where more runs than are counted cost something', () => {
    const own = { type: 'message', ...COUNTS };
    assert.equal(costOf(claude({ iterations: [own] })), 5);
    const half = { type: 'message', input_tokens: 500_000, output_tokens: 0 };
    assert.equal(costOf(claude({ iterations: [half, half] })), 5);
    const compaction = { type: 'compaction', input_tokens: 90, output_tokens: 9 };
    assert.equal(costOf(claude({ iterations: [compaction, own] })), undefined);
  });

  it('is unknown so in a stream, too, whose counts stay those of the whole', () => {
    const { call } = runExchange({
      ...claude({}),
      status: 200,
      contentType: 'text/event-stream',
      response: anthropicEvents([
        { type: 'message_start', message: { id: 'm', model: 'claude-opus-4-6', usage: COUNTS } },
        {
          type: 'message_delta',
          delta: { stop_reason: 'end_turn' },
          usage: {
            ...COUNTS,
            output_tokens: 7,
            iterations: [
              { type: 'compaction', input_tokens: 90, output_tokens: 9 },
              { type: 'message', ...COUNTS, output_tokens: 7 },
            ],
          },
        },
        { type: 'message_stop' },
      ]),
    });
    assert.deepEqual(call?.response?.usage, { inputTokens: 1_000_000, outputTokens: 7 });
    assert.equal(estimateCostUsd(call!, BUILT_IN), undefined);
  });
});

describe('a table of prices', () => {
  const own = '{"prices":{"openai":{"gpt-5":{"input":1,"output":1}}}}';

  it('is in place of the built-in one, or before it', () => {
    const only = readPriceTable(own, 'p.json');
    assert.equal(only.find('openai', 'gpt-5')?.input, 1);
    assert.equal(only.find('anthropic', 'claude-opus-4-1'), undefined);
    const both = readPriceTable(own.replace('{', '{"extends":"built-in",'), 'p.json');
    assert.equal(both.find('openai', 'gpt-5')?.input, 1);
    assert.equal(both.find('anthropic', 'claude-opus-4-1')?.input, 15);
  });

  const wrong: [string, RegExp][] = [
    ['no', /no JSON/],
    ['[]', /it must be an object/],
    ['{}', /"prices" must be an object/],
    ['{"prices":{},"extends":"other"}', /"extends" can only be "built-in"/],
    ['{"prices":{},"price":{}}', /it has "price", which is not known/],
    ['{"prices":{"openai":{"m":{"input":1}}}}', /openai m output must be a number/],
    ['{"prices":{"openai":{"m":{"input":-1,"output":1}}}}', /openai m input must be a number/],
    ['{"prices":{"openai":{"m":{"input":1,"output":1,"cached":1}}}}', /openai m has "cached"/],
    [
      '{"prices":{"a":{"m":{"input":1,"output":1,"tiers":{"x":"y"}}}}}',
      /a m tier x must be a number/,
    ],
    [
      '{"prices":{"a":{"m":{"input":1,"output":1,"longContext":{"input":1,"output":2}}}}}',
      /a m longContext aboveInputTokens must be a number/,
    ],
  ];
  for (const [text, message] of wrong) {
    it(`that is ${text} is refused with what is wrong`, () => {
      assert.throws(() => readPriceTable(text, 'p.json'), message);
      assert.throws(() => readPriceTable(text, 'p.json'), { code: 'SL_PRICES', exitCode: 2 });
    });
  }
});
