/** Answers of Ollama's own API. */
import type { Fixture } from './fixture.ts';
import type { WireExchange } from './run-exchange.ts';

const MODEL = 'llama3.2:3b';
const HEAD = { model: MODEL, created_at: '2025-11-21T10:00:00.123456789Z' };
const REQUEST = { model: MODEL, messages: [{ role: 'user', content: 'Why is the sky blue?' }] };
const NDJSON = 'application/x-ndjson';
const TIMES = { total_duration: 5_043_500_667, load_duration: 5_025_959 };
const COUNTS = {
  prompt_eval_count: 26,
  prompt_eval_duration: 1,
  eval_count: 298,
  eval_duration: 2,
};
const END = { done: true, done_reason: 'stop', ...TIMES, ...COUNTS };
const USAGE = { inputTokens: 26, outputTokens: 298 };

function lines(list: readonly unknown[]): string {
  return list.map((line) => `${JSON.stringify(line)}\n`).join('');
}

function said(message: object, rest: object = { done: false }): object {
  return { ...HEAD, message: { role: 'assistant', content: '', ...message }, ...rest };
}

/** `stream` is not in the request: it is the default. */
function streamed(list: readonly unknown[], extra: Partial<WireExchange> = {}): WireExchange {
  return {
    target: '/api/chat',
    host: 'localhost:11434',
    request: REQUEST,
    status: 200,
    contentType: NDJSON,
    response: lines(list),
    ...extra,
  };
}

function whole(body: unknown, extra: Partial<WireExchange> = {}): WireExchange {
  return {
    ...streamed([]),
    request: { ...REQUEST, stream: false },
    contentType: 'application/json; charset=utf-8',
    response: JSON.stringify(body),
    ...extra,
  };
}

function generated(list: readonly unknown[], extra: Partial<WireExchange> = {}): WireExchange {
  return {
    ...streamed(list),
    target: '/api/generate',
    request: { model: MODEL, prompt: 'Why?', system: 'Be brief.' },
    ...extra,
  };
}

const TEXT_LINES = [
  said({ content: 'It ' }),
  said({ content: 'scatters\n' }),
  said({ content: '☀️ 😀' }),
  said({}, END),
];
const TEXT = { text: 'It scatters\n☀️ 😀', finishReason: 'stop', partTypes: ['text'] };
const EXPECTED = {
  provider: 'ollama',
  model: MODEL,
  usage: USAGE,
  finishReasons: ['stop'],
  messages: [TEXT],
};
/** Arguments are an object, here with a number that no float holds. */
const CALLS =
  '[{"function":{"name":"weather","arguments":{"city":"Paris","big":12345678901234567890}}},{"id":"call_1","function":{"index":1,"name":"time","arguments":{}}}]';
const CALL_LINE = JSON.stringify(said({ tool_calls: 'CALLS' })).replace('"CALLS"', CALLS);
const CALLED = [
  { name: 'weather', argumentsText: '{"city":"Paris","big":12345678901234567890}' },
  { id: 'call_1', name: 'time', argumentsText: '{}' },
];

export const OLLAMA_FIXTURES: readonly Fixture[] = [
  {
    name: 'a stream of lines, though the request does not ask for one',
    wire: streamed(TEXT_LINES),
    expected: EXPECTED,
  },
  {
    name: 'a stream of lines that calls itself JSON',
    wire: streamed(TEXT_LINES, { contentType: 'application/json' }),
    expected: EXPECTED,
  },
  {
    name: 'an answer in one text',
    wire: whole(said({ content: 'It scatters\n☀️ 😀' }, END)),
    expected: EXPECTED,
  },
  {
    name: 'a prompt that was in the cache: its count is absent, not zero',
    wire: streamed([
      said({ content: 'a' }),
      said({}, { done: true, done_reason: 'length', eval_count: 3 }),
    ]),
    expected: {
      model: MODEL,
      usage: { outputTokens: 3 },
      finishReasons: ['length'],
      messages: [{ text: 'a', finishReason: 'length' }],
    },
  },
  {
    name: 'thinking before the text',
    wire: streamed([
      said({ thinking: 'Let me' }),
      said({ thinking: ' see.' }),
      said({ content: 'Blue.' }),
      said({}, END),
    ]),
    expected: {
      ...EXPECTED,
      messages: [{ reasoning: 'Let me see.', text: 'Blue.', partTypes: ['reasoning', 'text'] }],
    },
  },
  {
    name: 'tool calls with arguments that are objects, one without an id, and the finish reason stop',
    wire: streamed([], { response: `${CALL_LINE}\n${lines([said({}, END)])}` }),
    expected: {
      ...EXPECTED,
      messages: [{ partTypes: ['tool_call', 'tool_call'] }],
      toolCalls: CALLED,
    },
  },
  {
    name: 'tool calls in one text',
    wire: whole(undefined, {
      response: JSON.stringify(said({ tool_calls: 'CALLS' }, END)).replace('"CALLS"', CALLS),
    }),
    expected: {
      ...EXPECTED,
      messages: [{ partTypes: ['tool_call', 'tool_call'] }],
      toolCalls: CALLED,
    },
  },
  {
    name: 'an unknown model',
    wire: streamed([], {
      status: 404,
      contentType: 'application/json; charset=utf-8',
      response: '{"error":"model \\"x\\" not found, try pulling it first"}',
    }),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [],
      error: { type: '404', message: 'model "x" not found, try pulling it first' },
      noResponse: true,
    },
  },
  {
    name: 'an error in the middle of a stream',
    wire: streamed([said({ content: 'It ' }), { error: 'an error was encountered while running' }]),
    expected: {
      model: MODEL,
      usage: {},
      finishReasons: [],
      messages: [{ text: 'It ', finishReason: 'error' }],
      error: { type: '_OTHER', message: 'an error was encountered while running' },
      complete: false,
    },
  },
  {
    name: 'a stream that breaks off within a line',
    wire: streamed([], {
      response: lines(TEXT_LINES.slice(0, 2)) + lines(TEXT_LINES.slice(2)).slice(0, 40),
      isResponseComplete: false,
    }),
    expected: {
      model: MODEL,
      usage: {},
      finishReasons: [],
      messages: [{ text: 'It scatters\n', finishReason: 'error' }],
      complete: false,
      damage: ['truncated'],
    },
  },
  {
    name: 'an answer that breaks off in the arguments of a tool call',
    wire: whole(undefined, {
      response: CALL_LINE.slice(0, CALL_LINE.indexOf(',"big"')),
      isResponseComplete: false,
    }),
    expected: {
      model: MODEL,
      usage: {},
      finishReasons: [],
      messages: [{ partTypes: ['tool_call'] }],
      tornToolCalls: [{ name: 'weather', argumentsText: '{"city":"Paris"' }],
      complete: false,
      damage: ['truncated'],
    },
  },
];

export const OLLAMA_GENERATE_FIXTURES: readonly Fixture[] = [
  {
    name: 'a stream of lines',
    wire: generated([
      { ...HEAD, response: 'It ', done: false },
      { ...HEAD, response: 'scatters\n', done: false },
      { ...HEAD, response: '☀️ 😀', done: false },
      { ...HEAD, response: '', ...END, context: [1, 2, 3] },
    ]),
    expected: EXPECTED,
  },
  {
    name: 'an answer in one text, with thinking',
    wire: generated([], {
      request: { model: MODEL, prompt: 'Why?', stream: false },
      response: JSON.stringify({ ...HEAD, response: 'Blue.', thinking: 'Hm.', ...END }),
      contentType: 'application/json',
    }),
    expected: { ...EXPECTED, messages: [{ text: 'Blue.', reasoning: 'Hm.' }] },
  },
];

const NOTHING = { finishReasons: [], messages: [] };

export const OLLAMA_EMBEDDINGS_FIXTURES: readonly Fixture[] = [
  {
    name: 'vectors and the count of tokens',
    wire: whole(
      { model: 'all-minilm', embeddings: [[0.1, 0.2]], total_duration: 1, prompt_eval_count: 8 },
      { target: '/api/embed', request: { model: 'all-minilm', input: ['a', 'b'] } },
    ),
    expected: { ...NOTHING, provider: 'ollama', model: 'all-minilm', usage: { inputTokens: 8 } },
  },
  {
    name: 'the older method, which says nothing but the vector',
    wire: whole(
      { embedding: [0.1, 0.2] },
      { target: '/api/embeddings', request: { model: 'all-minilm', prompt: 'a' } },
    ),
    expected: { ...NOTHING, usage: {}, noResponse: true },
  },
];
