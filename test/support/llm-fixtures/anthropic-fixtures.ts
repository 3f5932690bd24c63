/** Answers of the messages API in the shapes that the service and gateways give them. */
import {
  blockDelta,
  blockStart,
  blockStop,
  type ClaudeEvent,
  MESSAGE_STOP,
  messageDelta,
  messageStart,
  PING,
  textBlock,
  toolBlock,
} from './claude-events.ts';
import type { Fixture } from './fixture.ts';
import { anthropicEvents, type WireExchange } from './run-exchange.ts';

const REQUEST = {
  model: 'claude-sonnet-4-5',
  max_tokens: 1024,
  messages: [{ role: 'user', content: 'What is the weather in Paris?' }],
};

function request(extra: object = {}): WireExchange {
  return {
    target: '/v1/messages?beta=true',
    host: 'api.anthropic.com',
    requestHeaders: { 'anthropic-version': '2023-06-01' },
    request: { ...REQUEST, ...extra },
    status: 200,
  };
}

function streamed(events: readonly ClaudeEvent[], extra: Partial<WireExchange> = {}): WireExchange {
  return {
    ...request({ stream: true }),
    contentType: 'text/event-stream; charset=utf-8',
    response: anthropicEvents(events),
    ...extra,
  };
}

function whole(body: unknown, extra: Partial<WireExchange> = {}): WireExchange {
  return { ...request(), response: JSON.stringify(body), ...extra };
}

const ID = { id: 'msg_013Zva', model: 'claude-sonnet-4-5-20250929' };

const START = messageStart(ID, {
  input_tokens: 10,
  cache_creation_input_tokens: 20,
  cache_read_input_tokens: 300,
  output_tokens: 1,
  service_tier: 'standard',
});

const CACHED = { cacheReadInputTokens: 300, cacheCreationInputTokens: 20 };

export const ANTHROPIC_FIXTURES: readonly Fixture[] = [
  {
    name: 'a stream of text, its usage in two halves',
    isForSdk: true,
    wire: streamed([
      START,
      PING,
      ...textBlock(0, 'It', ' is', ' "sunny"\n', '☀️', ' \ud83d\ude00', '.'),
      messageDelta('end_turn', { output_tokens: 12 }),
      MESSAGE_STOP,
    ]),
    expected: {
      ...ID,
      provider: 'anthropic',
      usage: { ...CACHED, inputTokens: 330, outputTokens: 12 },
      finishReasons: ['end_turn'],
      messages: [{ role: 'assistant', text: 'It is "sunny"\n☀️ 😀.', finishReason: 'stop' }],
      serviceTier: 'standard',
    },
  },
  {
    name: 'the last usage repeats and corrects the first',
    isForSdk: true,
    wire: streamed([
      START,
      ...textBlock(0, 'a'),
      messageDelta('end_turn', {
        input_tokens: 11,
        cache_creation_input_tokens: 20,
        cache_read_input_tokens: 300,
        output_tokens: 12,
      }),
      MESSAGE_STOP,
    ]),
    expected: {
      ...ID,
      usage: { ...CACHED, inputTokens: 331, outputTokens: 12 },
      finishReasons: ['end_turn'],
      messages: [{ text: 'a' }],
      serviceTier: 'standard',
    },
  },
  {
    name: 'a last usage with nulls keeps what was known',
    wire: streamed([
      START,
      ...textBlock(0, 'a'),
      messageDelta('end_turn', {
        input_tokens: null,
        cache_creation_input_tokens: null,
        cache_read_input_tokens: null,
        output_tokens: 12,
      }),
      MESSAGE_STOP,
    ]),
    expected: {
      ...ID,
      usage: { ...CACHED, inputTokens: 330, outputTokens: 12 },
      finishReasons: ['end_turn'],
      messages: [{ text: 'a' }],
      serviceTier: 'standard',
    },
  },
  {
    name: 'usage that comes at the end only, and zero before (gateways)',
    wire: streamed(
      [
        messageStart(ID, { input_tokens: 0, output_tokens: 0 }),
        ...textBlock(0, 'a'),
        messageDelta('end_turn', {
          input_tokens: 50,
          output_tokens: 12,
          cache_creation: { ephemeral_5m_input_tokens: 3, ephemeral_1h_input_tokens: 4 },
          output_tokens_details: { thinking_tokens: 5 },
        }),
        MESSAGE_STOP,
      ],
      { host: 'api.deepseek.com', target: '/anthropic/v1/messages' },
    ),
    expected: {
      ...ID,
      provider: 'deepseek',
      usage: {
        inputTokens: 57,
        outputTokens: 12,
        cacheCreationInputTokens: 7,
        hourCacheCreationInputTokens: 4,
        reasoningOutputTokens: 5,
      },
      finishReasons: ['end_turn'],
      messages: [{ text: 'a' }],
    },
  },
  {
    name: 'thinking, text and two tools',
    isForSdk: true,
    wire: streamed([
      START,
      blockStart(0, { type: 'thinking', thinking: '', signature: '' }),
      blockDelta(0, { type: 'thinking_delta', thinking: 'The user ' }),
      blockDelta(0, { type: 'thinking_delta', thinking: 'wants weather.' }),
      blockDelta(0, { type: 'signature_delta', signature: 'EqQBCgIYAg' }),
      blockStop(0),
      ...textBlock(1, 'Let me', ' look.'),
      ...toolBlock(2, 'toolu_1', 'get_weather', '', '{"city"', ': "Par', 'is"}'),
      ...toolBlock(3, 'toolu_2', 'now', ''),
      messageDelta('tool_use', { output_tokens: 40 }),
      MESSAGE_STOP,
    ]),
    expected: {
      ...ID,
      usage: { ...CACHED, inputTokens: 330, outputTokens: 40 },
      finishReasons: ['tool_use'],
      messages: [
        {
          reasoning: 'The user wants weather.',
          text: 'Let me look.',
          finishReason: 'tool_call',
          partTypes: ['reasoning', 'text', 'tool_call', 'tool_call'],
        },
      ],
      toolCalls: [
        { id: 'toolu_1', name: 'get_weather', argumentsText: '{"city": "Paris"}' },
        { id: 'toolu_2', name: 'now', argumentsText: '{}' },
      ],
      serviceTier: 'standard',
    },
  },
  {
    name: 'a tool whose whole input comes with its start',
    wire: streamed([
      START,
      blockStart(0, { type: 'tool_use', id: 'toolu_1', name: 'f', input: { a: [1, 'x'] } }),
      blockStop(0),
      messageDelta('tool_use', { output_tokens: 4 }),
      MESSAGE_STOP,
    ]),
    expected: {
      ...ID,
      usage: { ...CACHED, inputTokens: 330, outputTokens: 4 },
      finishReasons: ['tool_use'],
      messages: [{}],
      toolCalls: [{ id: 'toolu_1', name: 'f', argumentsText: '{"a":[1,"x"]}' }],
      serviceTier: 'standard',
    },
  },
  {
    name: 'redacted thinking, a tool of the provider and its result, a citation',
    wire: streamed([
      START,
      blockStart(0, { type: 'redacted_thinking', data: 'EmwKAhgBEgy' }),
      blockStop(0),
      blockStart(1, { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: {} }),
      blockDelta(1, { type: 'input_json_delta', partial_json: '{"query":' }),
      blockDelta(1, { type: 'input_json_delta', partial_json: '"x"}' }),
      blockStop(1),
      blockStart(2, {
        type: 'web_search_tool_result',
        tool_use_id: 'srvtoolu_1',
        content: [{ type: 'web_search_result', title: 'X', url: 'https://x.example/' }],
      }),
      blockStop(2),
      blockStart(3, { type: 'text', text: '' }),
      blockDelta(3, { type: 'text_delta', text: 'Found' }),
      blockDelta(3, { type: 'citations_delta', citation: { cited_text: 'X' } }),
      blockDelta(3, { type: 'text_delta', text: ' it.' }),
      blockStop(3),
      messageDelta('end_turn', { output_tokens: 4, server_tool_use: { web_search_requests: 1 } }),
      MESSAGE_STOP,
    ]),
    expected: {
      ...ID,
      usage: { ...CACHED, inputTokens: 330, outputTokens: 4 },
      finishReasons: ['end_turn'],
      messages: [
        {
          text: 'Found it.',
          partTypes: ['redacted_thinking', 'server_tool_call', 'server_tool_call_response', 'text'],
        },
      ],
      serviceTier: 'standard',
    },
  },
  {
    name: 'message_stop, and the client does not read on',
    wire: {
      ...streamed([
        START,
        ...textBlock(0, 'a'),
        messageDelta('max_tokens', { output_tokens: 2 }),
        MESSAGE_STOP,
      ]),
      isResponseComplete: false,
    },
    expected: {
      ...ID,
      usage: { ...CACHED, inputTokens: 330, outputTokens: 2 },
      finishReasons: ['max_tokens'],
      messages: [{ text: 'a', finishReason: 'length' }],
      serviceTier: 'standard',
    },
  },
  {
    name: 'an error event in the middle',
    wire: streamed([
      START,
      blockStart(0, { type: 'text', text: '' }),
      blockDelta(0, { type: 'text_delta', text: 'It' }),
      { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } },
    ]),
    expected: {
      ...ID,
      usage: { ...CACHED, inputTokens: 330, outputTokens: 1 },
      finishReasons: [],
      messages: [{ text: 'It', finishReason: 'error' }],
      error: { type: 'overloaded_error', message: 'Overloaded' },
      complete: false,
      serviceTier: 'standard',
    },
  },
  {
    name: 'a stream that breaks off inside a tool call',
    wire: {
      ...streamed([]),
      response: anthropicEvents([
        START,
        ...textBlock(0, 'Look:'),
        ...toolBlock(1, 'toolu_1', 'first', '{}'),
        ...toolBlock(2, 'toolu_2', 'second', '{"a', '":1}').slice(0, 2),
      ]),
      isResponseComplete: false,
    },
    expected: {
      ...ID,
      usage: { ...CACHED, inputTokens: 330, outputTokens: 1 },
      finishReasons: [],
      messages: [{ text: 'Look:' }],
      toolCalls: [{ id: 'toolu_1', name: 'first', argumentsText: '{}' }],
      tornToolCalls: [{ id: 'toolu_2', name: 'second', argumentsText: '{"a' }],
      complete: false,
      damage: ['truncated'],
      serviceTier: 'standard',
    },
  },
  {
    name: 'a whole answer',
    isForSdk: true,
    wire: whole({
      ...ID,
      type: 'message',
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'Hm.', signature: 'Eq' },
        { type: 'text', text: 'Sunny "☀️".', citations: null },
        { type: 'tool_use', id: 'toolu_1', name: 'sh', input: { command: 'echo "hi"', n: 1 } },
      ],
      stop_reason: 'tool_use',
      stop_sequence: null,
      usage: {
        input_tokens: 10,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
        output_tokens: 12,
        service_tier: 'batch',
      },
    }),
    expected: {
      ...ID,
      usage: {
        inputTokens: 10,
        outputTokens: 12,
        cacheReadInputTokens: 0,
        cacheCreationInputTokens: 0,
      },
      finishReasons: ['tool_use'],
      messages: [{ reasoning: 'Hm.', text: 'Sunny "☀️".' }],
      toolCalls: [
        { id: 'toolu_1', name: 'sh', argumentsText: '{"command":"echo \\"hi\\"","n":1}' },
      ],
      serviceTier: 'batch',
    },
  },
  {
    name: 'the input of a whole answer keeps the wire’s own spelling',
    wire: {
      ...whole({}),
      response: `{"id":"msg_013Zva","model":"${ID.model}","type":"message","role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input": {"big": 12345678901234567890, "f":1.0} }],"stop_reason":"tool_use"}`,
    },
    expected: {
      ...ID,
      usage: {},
      finishReasons: ['tool_use'],
      messages: [{}],
      toolCalls: [{ id: 't', name: 'f', argumentsText: '{"big": 12345678901234567890, "f":1.0}' }],
    },
  },
  {
    name: 'status 529',
    isForSdk: true,
    wire: whole(
      {
        type: 'error',
        error: { type: 'overloaded_error', message: 'Overloaded' },
        request_id: 'req_1',
      },
      { status: 529 },
    ),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [],
      noResponse: true,
      error: { type: 'overloaded_error', message: 'Overloaded' },
    },
  },
  {
    name: 'an error body inside status 200',
    wire: whole({ type: 'error', error: { type: 'api_error', message: 'Internal' } }),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [],
      noResponse: true,
      error: { type: 'api_error', message: 'Internal' },
    },
  },
  {
    name: 'a refusal',
    isForSdk: true,
    wire: streamed([
      START,
      ...textBlock(0, 'I cannot'),
      messageDelta('refusal', { output_tokens: 3 }),
      MESSAGE_STOP,
    ]),
    expected: {
      ...ID,
      usage: { ...CACHED, inputTokens: 330, outputTokens: 3 },
      finishReasons: ['refusal'],
      messages: [{ text: 'I cannot', finishReason: 'content_filter' }],
      serviceTier: 'standard',
    },
  },
];
