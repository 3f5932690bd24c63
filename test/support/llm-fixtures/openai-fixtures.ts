/** Answers of the chat completions API in the shapes that services and gateways give them. */
import type { Fixture } from './fixture.ts';
import { openAiEvents, type WireExchange } from './run-exchange.ts';

const MESSAGES = [{ role: 'user', content: 'What is the weather in Paris?' }];

function request(extra: object = {}): WireExchange {
  return {
    target: '/v1/chat/completions',
    host: 'api.openai.com',
    request: { model: 'gpt-4o', messages: MESSAGES, ...extra },
    status: 200,
  };
}

function streamed(chunks: readonly unknown[], extra: Partial<WireExchange> = {}): WireExchange {
  return {
    ...request({ stream: true, stream_options: { include_usage: true } }),
    contentType: 'text/event-stream; charset=utf-8',
    response: openAiEvents(chunks),
    ...extra,
  };
}

function whole(body: unknown, extra: Partial<WireExchange> = {}): WireExchange {
  return { ...request(), response: JSON.stringify(body), ...extra };
}

const HEAD = {
  id: 'chatcmpl-Bx1',
  object: 'chat.completion.chunk',
  created: 1_763_700_000,
  model: 'gpt-4o-2024-08-06',
};

const BODY_HEAD = { ...HEAD, object: 'chat.completion' };

function chunk(delta: unknown, finish: unknown = null, extra: object = {}): object {
  return {
    ...HEAD,
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
    ...extra,
  };
}

function texts(...pieces: string[]): object[] {
  return pieces.map((content) => chunk({ content }));
}

const START = chunk({ role: 'assistant', content: '', refusal: null });
const ID = { id: 'chatcmpl-Bx1', model: 'gpt-4o-2024-08-06' };
const USAGE = {
  prompt_tokens: 14,
  completion_tokens: 9,
  total_tokens: 23,
  prompt_tokens_details: { cached_tokens: 4, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 3, audio_tokens: 0 },
};
const COUNTS = {
  inputTokens: 14,
  outputTokens: 9,
  cacheReadInputTokens: 4,
  reasoningOutputTokens: 3,
};

function toolDelta(...calls: object[]): object {
  return chunk({ tool_calls: calls });
}

const PERPLEXITY_CHUNKS = ['Par', 'is', '.'].map((content, index) => ({
  ...HEAD,
  usage: { prompt_tokens: 14, completion_tokens: index + 1, total_tokens: 15 + index },
  choices: [
    {
      index: 0,
      delta: { role: 'assistant', content },
      message: { role: 'assistant', content: ['Par', 'Paris', 'Paris.'][index] },
      finish_reason: index === 2 ? 'stop' : null,
    },
  ],
}));

const EMPTY_CUSTOM = { custom: { input: '', name: '' } };
const EMPTY_CALL = { function_call: { arguments: '', name: '' } };

export const OPENAI_FIXTURES: readonly Fixture[] = [
  {
    name: 'members that are there with nothing in them (Snowflake)',
    wire: {
      ...request(),
      response: JSON.stringify({
        ...HEAD,
        object: 'chat.completion',
        choices: [
          {
            finish_reason: 'tool_calls',
            index: 0,
            message: {
              role: 'assistant',
              content: '',
              refusal: '',
              ...EMPTY_CALL,
              tool_calls: [
                {
                  ...EMPTY_CUSTOM,
                  id: 'call_1',
                  type: 'function',
                  function: { arguments: '{"city":"Paris"}', name: 'get_weather' },
                },
              ],
            },
          },
        ],
        service_tier: '',
        system_fingerprint: '',
        usage: USAGE,
      }),
    },
    expected: {
      ...ID,
      usage: COUNTS,
      finishReasons: ['tool_calls'],
      messages: [{ finishReason: 'tool_call' }],
      toolCalls: [{ id: 'call_1', name: 'get_weather', argumentsText: '{"city":"Paris"}' }],
    },
  },
  {
    name: 'an answer that says first why it ended, and breaks off in the arguments of a tool call (Azure)',
    wire: {
      ...request(),
      response: `{"id":"${HEAD.id}","model":"${HEAD.model}","choices":[{"finish_reason":"tool_calls","index":0,"message":{"content":null,"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"get_weather","arguments":"{\\"city\\"`,
      isResponseComplete: false,
    },
    expected: {
      ...ID,
      usage: {},
      finishReasons: ['tool_calls'],
      messages: [{}],
      tornToolCalls: [{ id: 'call_1', name: 'get_weather', argumentsText: '{"city"' }],
      complete: false,
      damage: ['truncated'],
    },
  },
  {
    name: 'a stream of deltas whose members have nothing in them',
    wire: streamed([
      START,
      chunk({ content: '', ...EMPTY_CALL }),
      chunk({
        ...EMPTY_CALL,
        tool_calls: [
          {
            index: 0,
            id: 'call_1',
            type: 'function',
            ...EMPTY_CUSTOM,
            function: { name: 'get_weather', arguments: '{"city":' },
          },
        ],
      }),
      chunk({
        ...EMPTY_CALL,
        tool_calls: [{ index: 0, ...EMPTY_CUSTOM, function: { name: '', arguments: '"Paris"}' } }],
      }),
      chunk(EMPTY_CALL, 'tool_calls'),
      { ...HEAD, choices: [], usage: USAGE },
    ]),
    expected: {
      ...ID,
      usage: COUNTS,
      finishReasons: ['tool_calls'],
      messages: [{ finishReason: 'tool_call' }],
      toolCalls: [{ id: 'call_1', name: 'get_weather', argumentsText: '{"city":"Paris"}' }],
    },
  },
  {
    name: 'a stream with usage in a last chunk without choices',
    isForSdk: true,
    wire: streamed([
      { ...START, service_tier: 'default', system_fingerprint: 'fp_50cad350e4' },
      ...texts('It', ' is', ' sunny', ' in "Paris"\n', '☀️', ' \ud83d\ude00 today', '.'),
      chunk({}, 'stop'),
      { ...HEAD, choices: [], usage: USAGE },
    ]),
    expected: {
      ...ID,
      provider: 'openai',
      usage: COUNTS,
      finishReasons: ['stop'],
      messages: [{ text: 'It is sunny in "Paris"\n☀️ 😀 today.', finishReason: 'stop' }],
      serviceTier: 'default',
      systemFingerprint: 'fp_50cad350e4',
    },
  },
  {
    name: 'a stream padded with random strings',
    isForSdk: true,
    wire: streamed([
      chunk({ role: 'assistant', content: '' }, null, { usage: null, obfuscation: 'aB' }),
      ...['one', ' two', ' "three"', ' four\\', ' five', ''].map((content, index) =>
        chunk({ content }, null, { usage: null, obfuscation: 'xYz123'.slice(0, index) }),
      ),
      chunk({}, 'stop', { usage: null, obfuscation: 'q' }),
      { ...HEAD, choices: [], usage: USAGE, obfuscation: '' },
    ]),
    expected: {
      ...ID,
      usage: COUNTS,
      finishReasons: ['stop'],
      messages: [{ text: 'one two "three" four\\ five' }],
    },
  },
  {
    name: 'usage in the last chunk with choices (Mistral, DeepSeek, xAI)',
    isForSdk: true,
    wire: streamed([START, ...texts('a', 'b'), chunk({ content: '' }, 'stop', { usage: USAGE })], {
      host: 'api.mistral.ai',
    }),
    expected: {
      ...ID,
      provider: 'mistral_ai',
      usage: COUNTS,
      finishReasons: ['stop'],
      messages: [{ text: 'ab' }],
    },
  },
  {
    name: 'usage in every chunk, growing, beside the message so far (Perplexity)',
    wire: {
      ...streamed([]),
      host: 'api.perplexity.ai',
      target: '/chat/completions',
      response: openAiEvents(PERPLEXITY_CHUNKS, false),
    },
    expected: {
      ...ID,
      provider: 'perplexity',
      usage: { inputTokens: 14, outputTokens: 3 },
      finishReasons: ['stop'],
      messages: [{ text: 'Paris.' }],
    },
  },
  {
    name: 'usage before the last chunk',
    wire: streamed([
      START,
      ...texts('a'),
      { ...HEAD, choices: [], usage: USAGE },
      chunk({}, 'stop'),
    ]),
    expected: { ...ID, usage: COUNTS, finishReasons: ['stop'], messages: [{ text: 'a' }] },
  },
  {
    name: 'usage only under a vendor key (Groq)',
    wire: streamed(
      [
        { ...START, x_groq: { id: 'req_1' } },
        ...texts('a'),
        chunk({}, 'stop', {
          x_groq: { id: 'req_1', usage: { prompt_tokens: 5, completion_tokens: 6 } },
        }),
      ],
      { host: 'api.groq.com', target: '/openai/v1/chat/completions' },
    ),
    expected: {
      ...ID,
      provider: 'groq',
      usage: { inputTokens: 5, outputTokens: 6 },
      finishReasons: ['stop'],
      messages: [{ text: 'a' }],
    },
  },
  {
    name: 'usage inside the last choice (Moonshot)',
    wire: streamed(
      [
        START,
        ...texts('a'),
        {
          ...HEAD,
          choices: [
            {
              index: 0,
              delta: {},
              finish_reason: 'stop',
              usage: { prompt_tokens: 5, completion_tokens: 6, cached_tokens: 2 },
            },
          ],
        },
      ],
      { host: 'api.moonshot.ai' },
    ),
    expected: {
      ...ID,
      provider: 'moonshot_ai',
      usage: { inputTokens: 5, outputTokens: 6, cacheReadInputTokens: 2 },
      finishReasons: ['stop'],
      messages: [{ text: 'a' }],
    },
  },
  {
    name: 'no usage although the request asked for it',
    isForSdk: true,
    wire: streamed([START, ...texts('a', 'b'), chunk({}, 'stop')]),
    expected: { ...ID, usage: {}, finishReasons: ['stop'], messages: [{ text: 'ab' }] },
  },
  {
    name: 'a gateway’s counts: cache writes, top-level reasoning above the completion',
    wire: streamed(
      [
        START,
        ...texts('a'),
        chunk({}, 'stop'),
        {
          ...HEAD,
          choices: [],
          usage: {
            prompt_tokens: 100,
            completion_tokens: 7,
            reasoning_tokens: 50,
            prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 30 },
          },
        },
      ],
      { host: 'openrouter.ai', target: '/api/v1/chat/completions' },
    ),
    expected: {
      ...ID,
      provider: 'openrouter',
      usage: {
        inputTokens: 100,
        outputTokens: 7,
        reasoningOutputTokens: 50,
        cacheReadInputTokens: 60,
        cacheCreationInputTokens: 30,
      },
      finishReasons: ['stop'],
      messages: [{ text: 'a' }],
    },
  },
  {
    name: 'a first chunk with empty id and model and no choices (Azure)',
    isForSdk: true,
    wire: streamed(
      [
        {
          id: '',
          object: '',
          created: 0,
          model: '',
          choices: [],
          prompt_filter_results: [{ prompt_index: 0, content_filter_results: {} }],
        },
        START,
        ...texts('Bon', 'jour'),
        chunk({}, 'stop'),
        { ...HEAD, choices: [], usage: USAGE },
      ],
      {
        host: 'my-resource.openai.azure.com',
        target: '/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21',
      },
    ),
    expected: {
      ...ID,
      provider: 'azure.ai.openai',
      usage: COUNTS,
      finishReasons: ['stop'],
      messages: [{ text: 'Bonjour' }],
    },
  },
  {
    name: 'ids that change from chunk to chunk',
    wire: streamed([
      START,
      { ...chunk({ content: 'a' }), id: 'other-1' },
      { ...chunk({ content: 'b' }), id: 'other-2' },
      chunk({}, 'stop'),
    ]),
    expected: { ...ID, usage: {}, finishReasons: ['stop'], messages: [{ text: 'ab' }] },
  },
  {
    name: 'a finish reason that a later empty one does not undo',
    wire: streamed([START, ...texts('a'), chunk({}, 'length'), chunk({}, ''), chunk({}, null)]),
    expected: {
      ...ID,
      usage: {},
      finishReasons: ['length'],
      messages: [{ text: 'a', finishReason: 'length' }],
    },
  },
  {
    name: 'several choices, interleaved',
    isForSdk: true,
    wire: streamed(
      [
        ...[0, 1].map((index) => ({
          ...HEAD,
          choices: [{ index, delta: { role: 'assistant', content: '' }, finish_reason: null }],
        })),
        ...['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((content, position) => ({
          ...HEAD,
          choices: [{ index: position % 2, delta: { content }, finish_reason: null }],
        })),
        { ...HEAD, choices: [{ index: 1, delta: {}, finish_reason: 'length' }] },
        { ...HEAD, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
      ],
      { request: { model: 'gpt-4o', messages: MESSAGES, n: 2, stream: true } },
    ),
    expected: {
      ...ID,
      usage: {},
      finishReasons: ['stop', 'length'],
      messages: [{ text: 'aceg' }, { text: 'bdfh' }],
    },
  },
  {
    name: 'two parallel tool calls in pieces',
    isForSdk: true,
    wire: streamed([
      chunk({ role: 'assistant', content: null }),
      toolDelta({
        index: 0,
        id: 'call_1',
        type: 'function',
        function: { name: 'get_weather', arguments: '' },
      }),
      toolDelta({ index: 0, function: { arguments: '{"city": "Pa' } }),
      toolDelta({ index: 0, function: { arguments: 'ris"}' } }),
      toolDelta({
        index: 1,
        id: 'call_2',
        type: 'function',
        function: { name: 'get_time', arguments: '' },
      }),
      toolDelta({ index: 1, function: { arguments: '{}' } }),
      chunk({}, 'tool_calls'),
      { ...HEAD, choices: [], usage: USAGE },
    ]),
    expected: {
      ...ID,
      usage: COUNTS,
      finishReasons: ['tool_calls'],
      messages: [{ text: '', finishReason: 'tool_call', partTypes: ['tool_call', 'tool_call'] }],
      toolCalls: [
        { id: 'call_1', name: 'get_weather', argumentsText: '{"city": "Paris"}' },
        { id: 'call_2', name: 'get_time', argumentsText: '{}' },
      ],
    },
  },
  {
    name: 'finish reason stop together with tool calls',
    isForSdk: true,
    wire: streamed([
      START,
      ...texts('Let me look.'),
      toolDelta({
        index: 0,
        id: 'call_1',
        type: 'function',
        function: { name: 'look', arguments: '{"a":1}' },
      }),
      chunk({}, 'stop'),
    ]),
    expected: {
      ...ID,
      usage: {},
      finishReasons: ['stop'],
      messages: [{ text: 'Let me look.', partTypes: ['text', 'tool_call'] }],
      toolCalls: [{ id: 'call_1', name: 'look', argumentsText: '{"a":1}' }],
    },
  },
  {
    name: 'tool calls without index, several in one delta (Mistral)',
    wire: streamed([
      chunk(
        {
          role: 'assistant',
          content: '',
          tool_calls: [
            { id: 'D681PevKs', function: { name: 'first', arguments: '{"x": 1}' } },
            { id: 'E792QfwLt', function: { name: 'second', arguments: '{"y": 2}' } },
          ],
        },
        'tool_calls',
      ),
    ]),
    expected: {
      ...ID,
      usage: {},
      finishReasons: ['tool_calls'],
      messages: [{}],
      toolCalls: [
        { id: 'D681PevKs', name: 'first', argumentsText: '{"x": 1}' },
        { id: 'E792QfwLt', name: 'second', argumentsText: '{"y": 2}' },
      ],
    },
  },
  {
    name: 'pieces of tool calls without index, told apart by id',
    wire: streamed([
      START,
      toolDelta({ id: 'a', function: { name: 'first', arguments: '' } }),
      toolDelta({ id: 'b', function: { name: 'second', arguments: '' } }),
      toolDelta({ id: 'a', function: { arguments: '{"n":1}' } }),
      toolDelta({ id: 'b', function: { arguments: '{"n"' } }),
      toolDelta({ function: { arguments: ':2}' } }),
      chunk({}, 'tool_calls'),
    ]),
    expected: {
      ...ID,
      usage: {},
      finishReasons: ['tool_calls'],
      messages: [{}],
      toolCalls: [
        { id: 'a', name: 'first', argumentsText: '{"n":1}' },
        { id: 'b', name: 'second', argumentsText: '{"n":2}' },
      ],
    },
  },
  {
    name: 'tool calls without ids (Gemini, Ollama), arguments as an object',
    wire: streamed([
      START,
      toolDelta({
        index: 0,
        type: 'function',
        function: { name: 'ls', arguments: { path: '/tmp' } },
      }),
      toolDelta({ index: 1, id: '', function: { name: 'pwd', arguments: {} } }),
      chunk({}, 'stop'),
    ]),
    expected: {
      ...ID,
      usage: {},
      finishReasons: ['stop'],
      messages: [{}],
      toolCalls: [
        { name: 'ls', argumentsText: '{"path":"/tmp"}' },
        { name: 'pwd', argumentsText: '{}' },
      ],
    },
  },
  {
    name: 'every tool call numbered 0, with ids of their own',
    wire: streamed([
      START,
      toolDelta({ index: 0, id: 'a', function: { name: 'first', arguments: '{"n":1}' } }),
      toolDelta({ index: 0, id: 'b', function: { name: 'second', arguments: '{"n":2}' } }),
      chunk({}, 'tool_calls'),
    ]),
    expected: {
      ...ID,
      usage: {},
      finishReasons: ['tool_calls'],
      messages: [{}],
      toolCalls: [
        { id: 'a', name: 'first', argumentsText: '{"n":1}' },
        { id: 'b', name: 'second', argumentsText: '{"n":2}' },
      ],
    },
  },
  {
    name: 'a tool name split over deltas, and one repeated in each',
    wire: streamed([
      START,
      toolDelta({ index: 0, id: 'a', function: { name: 'get_', arguments: '' } }),
      toolDelta({ index: 0, function: { name: 'weather', arguments: '{' } }),
      toolDelta({ index: 0, function: { arguments: '}' } }),
      toolDelta({ index: 1, id: 'b', function: { name: 'search', arguments: '{' } }),
      toolDelta({ index: 1, id: 'b', function: { name: 'search', arguments: '}' } }),
      chunk({}, 'tool_calls'),
    ]),
    expected: {
      ...ID,
      usage: {},
      finishReasons: ['tool_calls'],
      messages: [{}],
      toolCalls: [
        { id: 'a', name: 'get_weather', argumentsText: '{}' },
        { id: 'b', name: 'search', argumentsText: '{}' },
      ],
    },
  },
  {
    name: 'a tool call with empty arguments',
    isForSdk: true,
    wire: streamed([
      START,
      toolDelta({
        index: 0,
        id: 'call_1',
        type: 'function',
        function: { name: 'now', arguments: '' },
      }),
      chunk({}, 'tool_calls'),
    ]),
    expected: {
      ...ID,
      usage: {},
      finishReasons: ['tool_calls'],
      messages: [{}],
      toolCalls: [{ id: 'call_1', name: 'now', argumentsText: '' }],
    },
  },
  {
    name: 'the older function_call',
    wire: streamed([
      START,
      chunk({ function_call: { name: 'look', arguments: '' } }),
      chunk({ function_call: { arguments: '{"a"' } }),
      chunk({ function_call: { arguments: ':1}' } }),
      chunk({}, 'function_call'),
    ]),
    expected: {
      ...ID,
      usage: {},
      finishReasons: ['function_call'],
      messages: [{ finishReason: 'tool_call' }],
      toolCalls: [{ name: 'look', argumentsText: '{"a":1}' }],
    },
  },
  {
    name: 'a refusal in pieces',
    isForSdk: true,
    wire: streamed([
      chunk({ role: 'assistant', content: null, refusal: '' }),
      chunk({ refusal: "I can't" }),
      chunk({ refusal: ' do that.' }),
      chunk({}, 'stop'),
    ]),
    expected: {
      ...ID,
      usage: {},
      finishReasons: ['stop'],
      messages: [{ refusal: "I can't do that.", partTypes: ['refusal'] }],
    },
  },
  {
    name: 'reasoning before the text (DeepSeek), with empty content beside it',
    wire: streamed([
      chunk({ role: 'assistant', content: null, reasoning_content: '' }),
      chunk({ content: null, reasoning_content: 'Hm, ' }),
      chunk({ content: null, reasoning_content: 'Paris.' }),
      chunk({ content: 'Sunny', reasoning_content: null }),
      chunk({ content: '.', reasoning_content: null }),
      chunk({ content: '!', reasoning_content: null }),
      chunk({ content: '', reasoning_content: null }, 'stop'),
    ]),
    expected: {
      ...ID,
      usage: {},
      finishReasons: ['stop'],
      messages: [{ reasoning: 'Hm, Paris.', text: 'Sunny.!', partTypes: ['reasoning', 'text'] }],
    },
  },
  {
    name: 'reasoning under another name (OpenRouter), comment lines first',
    wire: {
      ...streamed([]),
      response: `: OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n${openAiEvents([
        chunk({ role: 'assistant', content: '', reasoning: 'Think' }),
        chunk({ content: 'Done' }),
        chunk({ content: '' }, 'stop'),
      ])}`,
    },
    expected: {
      ...ID,
      usage: {},
      finishReasons: ['stop'],
      messages: [{ reasoning: 'Think', text: 'Done' }],
    },
  },
  {
    name: 'content as a list of parts (Mistral’s reasoning models)',
    wire: streamed([
      chunk({
        role: 'assistant',
        content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'Well' }] }],
      }),
      chunk({ content: [{ type: 'text', text: 'Yes' }] }),
      chunk({ content: '.' }),
      chunk({}, 'stop'),
    ]),
    expected: {
      ...ID,
      usage: {},
      finishReasons: ['stop'],
      messages: [{ reasoning: 'Well', text: 'Yes.' }],
    },
  },
  {
    name: 'carriage returns, no space after the colon, no blank line at the end',
    wire: {
      ...streamed([]),
      response: [
        START,
        ...texts('a', 'b'),
        chunk({}, 'stop'),
        { ...HEAD, choices: [], usage: USAGE },
      ]
        .map((event) => `data:${JSON.stringify(event)}\r\n\r\n`)
        .join('')
        .slice(0, -4),
    },
    expected: { ...ID, usage: COUNTS, finishReasons: ['stop'], messages: [{ text: 'ab' }] },
  },
  {
    name: 'a stream without [DONE]',
    wire: {
      ...streamed([]),
      response: openAiEvents([START, ...texts('a'), chunk({}, 'stop')], false),
    },
    expected: { ...ID, usage: {}, finishReasons: ['stop'], messages: [{ text: 'a' }] },
  },
  {
    name: 'a stream that is over for the client at [DONE]',
    wire: {
      ...streamed([START, ...texts('a'), chunk({}, 'stop')]),
      isResponseComplete: false,
    },
    expected: { ...ID, usage: {}, finishReasons: ['stop'], messages: [{ text: 'a' }] },
  },
  {
    name: 'a stream that breaks off keeps what it had',
    wire: {
      ...streamed([]),
      response: openAiEvents(
        [
          START,
          ...texts('It is'),
          { ...HEAD, choices: [], usage: { prompt_tokens: 14, completion_tokens: 1 } },
          toolDelta({ index: 0, id: 'call_1', function: { name: 'look', arguments: '{"a' } }),
        ],
        false,
      ),
      isResponseComplete: false,
    },
    expected: {
      ...ID,
      usage: { inputTokens: 14, outputTokens: 1 },
      finishReasons: [],
      messages: [{ text: 'It is', finishReason: 'error' }],
      tornToolCalls: [{ id: 'call_1', name: 'look', argumentsText: '{"a' }],
      complete: false,
      damage: ['truncated'],
    },
  },
  {
    name: 'a stream that ends cleanly without having come to its end',
    wire: { ...streamed([]), response: openAiEvents([START, ...texts('It is')], false) },
    expected: {
      ...ID,
      usage: {},
      finishReasons: [],
      messages: [{ text: 'It is' }],
      complete: false,
      damage: ['truncated'],
    },
  },
  {
    name: 'a stream cut inside an event',
    wire: {
      ...streamed([]),
      response: openAiEvents([START, ...texts('It', 'is')], false).slice(0, -20),
      isResponseComplete: false,
    },
    expected: {
      ...ID,
      usage: {},
      finishReasons: [],
      messages: [{ text: 'It' }],
      complete: false,
      damage: ['truncated'],
    },
  },
  {
    name: 'an error object in a chunk (OpenRouter)',
    wire: streamed([
      START,
      ...texts('It'),
      {
        ...HEAD,
        error: { code: 502, message: 'Upstream failed' },
        choices: [{ index: 0, delta: { content: '' }, finish_reason: 'error' }],
      },
    ]),
    expected: {
      ...ID,
      usage: {},
      finishReasons: ['error'],
      messages: [{ text: 'It' }],
      error: { type: '502', message: 'Upstream failed' },
    },
  },
  {
    name: 'an error event (Groq), and nothing after it',
    wire: {
      ...streamed([]),
      response: `${openAiEvents([START, ...texts('It')], false)}event: error\ndata: {"error":{"message":"Over capacity","type":"internal_server_error","code":"over_capacity"}}\n\n`,
    },
    expected: {
      ...ID,
      usage: {},
      finishReasons: [],
      messages: [{ text: 'It' }],
      error: { type: 'over_capacity', message: 'Over capacity' },
      complete: false,
    },
  },
  {
    name: 'a whole answer',
    isForSdk: true,
    wire: whole({
      ...BODY_HEAD,
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Sunny "☀️".', refusal: null, annotations: [] },
          logprobs: { content: [{ token: 'Sunny', logprob: -0.1, bytes: [83], top_logprobs: [] }] },
          finish_reason: 'stop',
        },
      ],
      usage: USAGE,
      service_tier: 'priority',
      system_fingerprint: 'fp_1',
    }),
    expected: {
      ...ID,
      usage: COUNTS,
      finishReasons: ['stop'],
      messages: [{ text: 'Sunny "☀️".' }],
      serviceTier: 'priority',
      systemFingerprint: 'fp_1',
    },
  },
  {
    name: 'a whole answer with tool calls and without content',
    isForSdk: true,
    wire: whole({
      ...BODY_HEAD,
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: null,
            tool_calls: [
              {
                id: 'call_1',
                type: 'function',
                function: { name: 'sh', arguments: '{"command":"echo \\"hi\\""}' },
              },
            ],
          },
          finish_reason: 'tool_calls',
        },
      ],
      usage: USAGE,
    }),
    expected: {
      ...ID,
      usage: COUNTS,
      finishReasons: ['tool_calls'],
      messages: [{ partTypes: ['tool_call'] }],
      toolCalls: [{ id: 'call_1', name: 'sh', argumentsText: '{"command":"echo \\"hi\\""}' }],
    },
  },
  {
    name: 'a whole answer of several choices out of order',
    wire: whole({
      ...BODY_HEAD,
      choices: [
        { index: 1, message: { role: 'assistant', content: 'second' }, finish_reason: 'length' },
        { index: 0, message: { role: 'assistant', content: 'first' }, finish_reason: 'stop' },
      ],
    }),
    expected: {
      ...ID,
      usage: {},
      finishReasons: ['stop', 'length'],
      messages: [{ text: 'first' }, { text: 'second' }],
    },
  },
  {
    name: 'white space that keeps the connection alive before and after the answer',
    wire: {
      ...request(),
      response: `\n   \n\n   ${JSON.stringify({
        ...BODY_HEAD,
        choices: [{ message: { role: 'assistant', content: 'ok' }, finish_reason: 'stop' }],
      })}\n\n`,
    },
    expected: { ...ID, usage: {}, finishReasons: ['stop'], messages: [{ text: 'ok' }] },
  },
  {
    name: 'a stream that calls itself JSON',
    wire: {
      ...streamed([START, ...texts('a'), chunk({}, 'stop')]),
      contentType: 'application/json',
    },
    expected: { ...ID, usage: {}, finishReasons: ['stop'], messages: [{ text: 'a' }] },
  },
  {
    name: 'a JSON answer that calls itself a stream',
    wire: whole(
      {
        ...BODY_HEAD,
        choices: [{ message: { role: 'assistant', content: 'ok' }, finish_reason: 'stop' }],
        usage: USAGE,
      },
      { contentType: 'text/event-stream' },
    ),
    expected: { ...ID, usage: COUNTS, finishReasons: ['stop'], messages: [{ text: 'ok' }] },
  },
  {
    name: 'arguments as an object in a whole answer (Ollama), which signs itself',
    wire: whole(
      {
        ...BODY_HEAD,
        system_fingerprint: 'fp_ollama',
        choices: [
          {
            index: 0,
            message: {
              role: 'assistant',
              content: '',
              tool_calls: [{ function: { name: 'f', arguments: { a: [1, 2.5] } } }],
            },
            finish_reason: 'stop',
          },
        ],
      },
      { host: 'localhost:11434' },
    ),
    expected: {
      ...ID,
      provider: 'ollama',
      usage: {},
      finishReasons: ['stop'],
      messages: [{}],
      toolCalls: [{ name: 'f', argumentsText: '{"a":[1,2.5]}' }],
      systemFingerprint: 'fp_ollama',
    },
  },
  {
    name: 'a whole answer that is cut off',
    wire: {
      ...whole({
        ...BODY_HEAD,
        choices: [{ index: 0, message: { role: 'assistant', content: 'Sunny and warm' } }],
      }),
      response: `${JSON.stringify({ ...BODY_HEAD, usage: USAGE }).slice(0, -1)},"choices":[{"message":{"role":"assistant","content":"Sunny an`,
      isResponseComplete: false,
    },
    expected: {
      ...ID,
      usage: COUNTS,
      finishReasons: [],
      messages: [{ text: 'Sunny an' }],
      complete: false,
      damage: ['truncated'],
    },
  },
  {
    name: 'an error object inside status 200',
    wire: whole({ error: { message: 'Provider returned error', code: 429 }, user_id: 'u' }),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [],
      noResponse: true,
      error: { type: '429', message: 'Provider returned error' },
    },
  },
  {
    name: 'status 429 with the provider’s code',
    isForSdk: true,
    wire: whole(
      {
        error: {
          message: 'Rate limit reached',
          type: 'requests',
          param: null,
          code: 'rate_limit_exceeded',
        },
      },
      { status: 429 },
    ),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [],
      noResponse: true,
      error: { type: 'rate_limit_exceeded', message: 'Rate limit reached' },
    },
  },
  {
    name: 'status 401 with a type and no code',
    wire: whole(
      { error: { message: 'No key', type: 'invalid_request_error', param: null, code: null } },
      { status: 401 },
    ),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [],
      noResponse: true,
      error: { type: 'invalid_request_error', message: 'No key' },
    },
  },
  {
    name: 'status 400 in a list of one (Google)',
    wire: whole([{ error: { code: 400, message: 'Bad', status: 'INVALID_ARGUMENT' } }], {
      status: 400,
      host: 'generativelanguage.googleapis.com',
      target: '/v1beta/openai/chat/completions',
    }),
    expected: {
      provider: 'gcp.gemini',
      usage: {},
      finishReasons: [],
      messages: [],
      noResponse: true,
      error: { type: 'INVALID_ARGUMENT', message: 'Bad' },
    },
  },
  {
    name: 'status 403 with a sentence for an error (xAI)',
    wire: whole(
      { code: 'The caller does not have permission', error: 'Your team has no credits' },
      { status: 403, host: 'api.x.ai' },
    ),
    expected: {
      provider: 'x_ai',
      usage: {},
      finishReasons: [],
      messages: [],
      noResponse: true,
      error: { type: '403', message: 'Your team has no credits' },
    },
  },
  {
    name: 'status 422 without an error member (Mistral)',
    wire: whole(
      { object: 'error', message: 'Invalid model: x', type: 'invalid_model', code: 1500 },
      { status: 422, host: 'api.mistral.ai' },
    ),
    expected: {
      provider: 'mistral_ai',
      usage: {},
      finishReasons: [],
      messages: [],
      noResponse: true,
      error: { type: 'invalid_model', message: 'Invalid model: x' },
    },
  },
  {
    name: 'status 502 with a proxy’s page',
    wire: {
      ...request(),
      status: 502,
      contentType: 'text/html',
      response: '<html><body>Bad Gateway</body></html>',
    },
    expected: {
      usage: {},
      finishReasons: [],
      messages: [],
      noResponse: true,
      error: { type: '502' },
    },
  },
  {
    name: 'status 503 without a body',
    wire: { ...request(), status: 503, response: '' },
    expected: {
      usage: {},
      finishReasons: [],
      messages: [],
      noResponse: true,
      error: { type: '503' },
    },
  },
  {
    name: 'no response at all',
    wire: { ...request(), status: undefined },
    expected: {
      usage: {},
      finishReasons: [],
      messages: [],
      noResponse: true,
      complete: false,
      damage: ['truncated'],
    },
  },
];
