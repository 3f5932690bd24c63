/** Answers of Cohere's chat, versions 2 and 1, and of its embeddings. */
import type { Fixture } from './fixture.ts';
import { anthropicEvents, type WireExchange } from './run-exchange.ts';

const MODEL = 'command-a-03-2025';
const HOST = 'api.cohere.com';
const ID = 'c14c80c3-18eb-4519-9460-6c92edd8cfb4';
const REQUEST = { model: MODEL, messages: [{ role: 'user', content: 'Tell me.' }] };
const USAGE = {
  billed_units: { input_tokens: 17, output_tokens: 12 },
  tokens: { input_tokens: 215, output_tokens: 14 },
};
const COUNTED = { inputTokens: 17, outputTokens: 12 };

type Event = { type: string; [member: string]: unknown };

function events(list: readonly Event[], done = true): string {
  return anthropicEvents(list) + (done ? 'data: [DONE]\n\n' : '');
}

function streamed(list: readonly Event[], extra: Partial<WireExchange> = {}): WireExchange {
  return {
    target: '/v2/chat',
    host: HOST,
    request: { ...REQUEST, stream: true },
    status: 200,
    contentType: 'text/event-stream',
    response: events(list),
    ...extra,
  };
}

function whole(body: unknown, extra: Partial<WireExchange> = {}): WireExchange {
  return {
    ...streamed([]),
    request: { ...REQUEST, stream: false },
    contentType: 'application/json',
    response: JSON.stringify(body),
    ...extra,
  };
}

function message(type: string, value: object, index?: number): Event {
  return { type, ...(index === undefined ? {} : { index }), delta: { message: value } };
}

const START: Event = {
  id: ID,
  ...message('message-start', {
    role: 'assistant',
    content: [],
    tool_plan: '',
    tool_calls: [],
    citations: [],
  }),
};

function content(index: number, kind: 'text' | 'thinking', ...pieces: string[]): Event[] {
  return [
    message('content-start', { content: { type: kind, [kind]: '' } }, index),
    ...pieces.map((piece) => message('content-delta', { content: { [kind]: piece } }, index)),
    { type: 'content-end', index },
  ];
}

function tool(index: number, id: string, name: string, ...pieces: string[]): Event[] {
  const called = { id, type: 'function', function: { name, arguments: '' } };
  return [
    message('tool-call-start', { tool_calls: called }, index),
    ...pieces.map((piece) =>
      message('tool-call-delta', { tool_calls: { function: { arguments: piece } } }, index),
    ),
    { type: 'tool-call-end', index },
  ];
}

function end(reason: string, rest: object = { usage: USAGE }): Event {
  return { type: 'message-end', id: ID, delta: { finish_reason: reason, ...rest } };
}

const EXPECTED = {
  provider: 'cohere',
  id: ID,
  usage: COUNTED,
  finishReasons: ['COMPLETE'],
  messages: [{ text: 'It is ☀️.', finishReason: 'stop', partTypes: ['text'] }],
};
const CALLED = [
  { id: 'weather_a1', name: 'weather', argumentsText: '{"city": "Paris"}' },
  { id: 'time_b2', name: 'time', argumentsText: '{}' },
];

export const COHERE_FIXTURES: readonly Fixture[] = [
  {
    name: 'a stream of text, whose billed tokens are not those of the model, with [DONE]',
    wire: streamed([START, ...content(0, 'text', 'It', ' is ', '☀️.'), end('COMPLETE')]),
    expected: EXPECTED,
  },
  {
    name: 'an answer in one text',
    wire: whole({
      id: ID,
      finish_reason: 'COMPLETE',
      message: { role: 'assistant', content: [{ type: 'text', text: 'It is ☀️.' }] },
      usage: USAGE,
    }),
    expected: EXPECTED,
  },
  {
    name: 'tokens that are not billed, and tokens from the cache',
    wire: whole({
      id: ID,
      finish_reason: 'MAX_TOKENS',
      message: { role: 'assistant', content: [{ type: 'text', text: 'a' }] },
      usage: { tokens: { input_tokens: 215, output_tokens: 14 }, cached_tokens: 200 },
    }),
    expected: {
      id: ID,
      usage: { inputTokens: 215, outputTokens: 14, cacheReadInputTokens: 200 },
      finishReasons: ['MAX_TOKENS'],
      messages: [{ text: 'a', finishReason: 'length' }],
    },
  },
  {
    name: 'tokens from the cache that are none of the billed ones',
    wire: whole({
      id: ID,
      finish_reason: 'COMPLETE',
      message: { role: 'assistant', content: [{ type: 'text', text: 'a' }] },
      usage: {
        billed_units: { input_tokens: 15, output_tokens: 43 },
        tokens: { input_tokens: 1005, output_tokens: 49 },
        cached_tokens: 897,
      },
    }),
    expected: {
      id: ID,
      usage: { inputTokens: 15, outputTokens: 43 },
      finishReasons: ['COMPLETE'],
      messages: [{ text: 'a' }],
    },
  },
  {
    name: 'a plan and tool calls in a stream',
    wire: streamed([
      START,
      message('tool-plan-delta', { tool_plan: 'I will' }),
      message('tool-plan-delta', { tool_plan: ' look.' }),
      ...tool(0, 'weather_a1', 'weather', '{"city":', ' "Paris"}'),
      ...tool(1, 'time_b2', 'time', '{}'),
      end('TOOL_CALL'),
    ]),
    expected: {
      ...EXPECTED,
      finishReasons: ['TOOL_CALL'],
      messages: [
        {
          reasoning: 'I will look.',
          finishReason: 'tool_call',
          partTypes: ['reasoning', 'tool_call', 'tool_call'],
        },
      ],
      toolCalls: CALLED,
    },
  },
  {
    name: 'a plan and tool calls in one text',
    wire: whole({
      id: ID,
      finish_reason: 'TOOL_CALL',
      message: {
        role: 'assistant',
        tool_plan: 'I will look.',
        tool_calls: CALLED.map(({ id, name, argumentsText }) => ({
          id,
          type: 'function',
          function: { name, arguments: argumentsText },
        })),
      },
      usage: USAGE,
    }),
    expected: {
      ...EXPECTED,
      finishReasons: ['TOOL_CALL'],
      messages: [{ reasoning: 'I will look.' }],
      toolCalls: CALLED,
    },
  },
  {
    name: 'thinking, then text',
    wire: streamed([
      START,
      ...content(0, 'thinking', 'Hm', '.'),
      ...content(1, 'text', 'Yes.'),
      end('COMPLETE'),
    ]),
    expected: {
      ...EXPECTED,
      messages: [{ reasoning: 'Hm.', text: 'Yes.', partTypes: ['reasoning', 'text'] }],
    },
  },
  {
    name: 'an error at the end of a stream whose status is 200',
    wire: streamed([
      START,
      ...content(0, 'text', 'It'),
      end('ERROR', { error: 'the model failed', usage: USAGE }),
    ]),
    expected: {
      ...EXPECTED,
      finishReasons: ['ERROR'],
      messages: [{ text: 'It', finishReason: 'error' }],
      error: { type: 'ERROR', message: 'the model failed' },
      complete: false,
    },
  },
  {
    name: 'an answer that took too long',
    wire: whole({
      id: ID,
      finish_reason: 'TIMEOUT',
      message: { role: 'assistant', content: [{ type: 'text', text: 'It' }] },
      usage: USAGE,
    }),
    expected: {
      ...EXPECTED,
      finishReasons: ['TIMEOUT'],
      messages: [{ text: 'It', finishReason: 'error' }],
      error: { type: 'TIMEOUT' },
    },
  },
  {
    name: 'a refused request',
    wire: whole({ id: 'x', message: 'invalid api token' }, { status: 401 }),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [],
      error: { type: '401', message: 'invalid api token' },
      noResponse: true,
    },
  },
  {
    name: 'a refused request that names its error',
    wire: whole(
      { id: 'x', error_type: 'TOO_MANY_TOKENS', message: 'too many tokens: size limit exceeded' },
      { status: 400 },
    ),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [],
      error: { type: 'TOO_MANY_TOKENS', message: 'too many tokens: size limit exceeded' },
      noResponse: true,
    },
  },
  {
    name: 'a stream that breaks off inside a tool call',
    wire: streamed([], {
      response: events([START, ...tool(0, 'weather_a1', 'weather', '{"city":').slice(0, 2)], false),
      isResponseComplete: false,
    }),
    expected: {
      id: ID,
      usage: {},
      finishReasons: [],
      messages: [{ finishReason: 'error' }],
      tornToolCalls: [{ id: 'weather_a1', name: 'weather', argumentsText: '{"city":' }],
      complete: false,
      damage: ['truncated'],
    },
  },
];

const GENERATION = 'a6b2c3';
const META = { api_version: { version: '1' }, ...USAGE };

function lines(list: readonly object[]): string {
  return list.map((line) => `${JSON.stringify(line)}\n`).join('');
}

function streamedV1(list: readonly object[], extra: Partial<WireExchange> = {}): WireExchange {
  return {
    target: '/v1/chat',
    host: HOST,
    request: {
      message: 'And now?',
      model: MODEL,
      stream: true,
      chat_history: [
        { role: 'USER', message: 'Hi' },
        { role: 'CHATBOT', message: 'Hello' },
      ],
    },
    status: 200,
    contentType: 'application/stream+json',
    response: lines(list),
    ...extra,
  };
}

const STREAM_START = { is_finished: false, event_type: 'stream-start', generation_id: GENERATION };

function generated(text: string): object {
  return { is_finished: false, event_type: 'text-generation', text };
}

function streamEnd(reason: string, rest: object): object {
  return {
    is_finished: true,
    event_type: 'stream-end',
    response: { response_id: ID, generation_id: GENERATION, ...rest, meta: META },
    finish_reason: reason,
  };
}

const TEXT_LINES = [
  STREAM_START,
  generated('It'),
  generated(' is ☀️.'),
  streamEnd('COMPLETE', { text: 'It is ☀️.', finish_reason: 'COMPLETE' }),
];
const EXPECTED_V1 = { ...EXPECTED, id: GENERATION };
const CALLS_V1 = '[{"name":"weather","parameters":{"city":"Paris","big":12345678901234567890}}]';
const CALLED_V1 = [
  { name: 'weather', argumentsText: '{"city":"Paris","big":12345678901234567890}' },
];

export const COHERE_V1_FIXTURES: readonly Fixture[] = [
  {
    name: 'a stream of JSON lines, the last of which repeats everything',
    wire: streamedV1(TEXT_LINES),
    expected: EXPECTED_V1,
  },
  {
    name: 'the same lines as events',
    wire: streamedV1([], {
      contentType: 'text/event-stream',
      response: TEXT_LINES.map((line) => `data: ${JSON.stringify(line)}\n\n`).join(''),
    }),
    expected: EXPECTED_V1,
  },
  {
    name: 'an answer in one text',
    wire: streamedV1([], {
      request: { message: 'And now?', model: MODEL },
      contentType: 'application/json',
      response: JSON.stringify({
        response_id: ID,
        text: 'It is ☀️.',
        generation_id: GENERATION,
        chat_history: [{ role: 'USER', message: 'And now?' }],
        finish_reason: 'COMPLETE',
        meta: META,
      }),
    }),
    expected: EXPECTED_V1,
  },
  {
    name: 'tool calls without ids',
    wire: streamedV1([], {
      response: `${lines([STREAM_START])}{"event_type":"tool-calls-generation","tool_calls":${CALLS_V1}}\n${lines([streamEnd('COMPLETE', {})])}`,
    }),
    expected: {
      ...EXPECTED_V1,
      messages: [{ finishReason: 'tool_call' }],
      toolCalls: CALLED_V1,
    },
  },
  {
    name: 'tool calls that come in pieces, and once more as a whole',
    wire: streamedV1([], {
      response: `${lines([
        STREAM_START,
        {
          event_type: 'tool-calls-chunk',
          tool_call_delta: { index: 0, name: 'weather', parameters: '{"city":"Paris",' },
        },
        {
          event_type: 'tool-calls-chunk',
          tool_call_delta: { index: 0, parameters: '"big":12345678901234567890}' },
        },
      ])}{"event_type":"tool-calls-generation","tool_calls":${CALLS_V1}}\n${lines([streamEnd('COMPLETE', {})])}`,
    }),
    expected: {
      ...EXPECTED_V1,
      messages: [{ finishReason: 'tool_call' }],
      toolCalls: CALLED_V1,
    },
  },
  {
    name: 'a stream that ends with an error',
    wire: streamedV1([STREAM_START, generated('It'), streamEnd('ERROR', {})]),
    expected: {
      ...EXPECTED_V1,
      finishReasons: ['ERROR'],
      messages: [{ text: 'It', finishReason: 'error' }],
      error: { type: 'ERROR' },
      complete: false,
    },
  },
  {
    name: 'a stream that breaks off',
    wire: streamedV1(TEXT_LINES.slice(0, 2), { isResponseComplete: false }),
    expected: {
      id: GENERATION,
      usage: {},
      finishReasons: [],
      messages: [{ text: 'It', finishReason: 'error' }],
      complete: false,
      damage: ['truncated'],
    },
  },
];

const NOTHING = { finishReasons: [], messages: [] };

export const COHERE_EMBEDDINGS_FIXTURES: readonly Fixture[] = [
  {
    name: 'vectors and what is billed for them',
    wire: whole(
      {
        id: ID,
        embeddings: { float: [[0.1, 0.2]] },
        texts: ['a'],
        meta: { api_version: { version: '2' }, billed_units: { input_tokens: 2 } },
      },
      {
        target: '/v2/embed',
        request: {
          model: 'embed-v4.0',
          texts: ['a'],
          input_type: 'search_query',
          embedding_types: ['float'],
        },
      },
    ),
    expected: { ...NOTHING, provider: 'cohere', id: ID, usage: { inputTokens: 2 } },
  },
  {
    name: 'an image, for which no tokens are billed',
    wire: whole(
      { id: ID, embeddings: { int8: [[1]] }, meta: { billed_units: { images: 1 } } },
      {
        target: '/v1/embed',
        request: { model: 'embed-v4.0', images: ['data:image/png;base64,AA'] },
      },
    ),
    expected: { ...NOTHING, id: ID, usage: {} },
  },
];
