/** Answers of the older completions API. */
import type { Fixture } from './fixture.ts';
import { openAiEvents, type WireExchange } from './run-exchange.ts';

const HEAD = {
  id: 'cmpl-1',
  object: 'text_completion',
  created: 1_763_700_000,
  model: 'gpt-3.5-turbo-instruct:20230824-v2',
};

function wire(body: string, extra: object = {}, more: Partial<WireExchange> = {}): WireExchange {
  return {
    target: '/v1/completions',
    host: 'api.openai.com',
    request: { model: 'gpt-3.5-turbo-instruct', prompt: 'Say this', ...extra },
    status: 200,
    response: body,
    ...more,
  };
}

function choice(text: string, finish: string | null, index = 0): object {
  return { text, index, logprobs: null, finish_reason: finish };
}

const USAGE = { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 };
const SHARED = {
  id: HEAD.id,
  model: HEAD.model,
  usage: { inputTokens: 5, outputTokens: 7 },
};
const STREAM = { contentType: 'text/event-stream' };

export const COMPLETIONS_FIXTURES: readonly Fixture[] = [
  {
    name: 'a text for each choice',
    wire: wire(
      JSON.stringify({
        ...HEAD,
        choices: [choice('One.', 'stop'), choice('Two', 'length', 1)],
        usage: USAGE,
      }),
      { n: 2 },
    ),
    expected: {
      ...SHARED,
      provider: 'openai',
      finishReasons: ['stop', 'length'],
      messages: [{ text: 'One.' }, { text: 'Two' }],
    },
  },
  {
    name: 'a stream',
    wire: wire(
      openAiEvents([
        { ...HEAD, choices: [choice('This', null)] },
        { ...HEAD, choices: [choice(' is "it"', null)] },
        { ...HEAD, choices: [choice('', 'stop')] },
        { ...HEAD, choices: [], usage: USAGE },
      ]),
      { stream: true },
      STREAM,
    ),
    expected: { ...SHARED, finishReasons: ['stop'], messages: [{ text: 'This is "it"' }] },
  },
  {
    name: 'what fills a hole, as a message (Mistral)',
    wire: wire(
      JSON.stringify({
        ...HEAD,
        choices: [
          { index: 0, message: { role: 'assistant', content: 'a + b' }, finish_reason: 'stop' },
        ],
        usage: USAGE,
      }),
      { suffix: 'return c' },
      { target: '/v1/fim/completions', host: 'api.mistral.ai' },
    ),
    expected: {
      ...SHARED,
      provider: 'mistral_ai',
      finishReasons: ['stop'],
      messages: [{ text: 'a + b' }],
    },
  },
  {
    name: 'what fills a hole, as the deltas of a message (Mistral)',
    wire: wire(
      openAiEvents([
        { ...HEAD, choices: [{ index: 0, delta: { role: 'assistant', content: 'a +' } }] },
        { ...HEAD, choices: [{ index: 0, delta: { content: ' b' }, finish_reason: 'stop' }] },
        { ...HEAD, choices: [], usage: USAGE },
      ]),
      { stream: true, suffix: 'return c' },
      { ...STREAM, target: '/v1/fim/completions', host: 'api.mistral.ai' },
    ),
    expected: { ...SHARED, finishReasons: ['stop'], messages: [{ text: 'a + b' }] },
  },
  {
    name: 'a stream that breaks off',
    wire: wire(
      openAiEvents([{ ...HEAD, choices: [choice('This', null)] }], false),
      { stream: true },
      { ...STREAM, isResponseComplete: false },
    ),
    expected: {
      ...SHARED,
      usage: {},
      finishReasons: [],
      messages: [{ text: 'This', finishReason: 'error' }],
      complete: false,
      damage: ['truncated'],
    },
  },
  {
    name: 'a refused request',
    wire: wire(
      JSON.stringify({ error: { message: 'No.', type: 'invalid_request_error', code: null } }),
      {},
      { status: 400 },
    ),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [],
      error: { type: 'invalid_request_error', message: 'No.' },
      noResponse: true,
    },
  },
];
