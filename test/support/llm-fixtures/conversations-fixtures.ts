/** Answers of Mistral's conversations: whole, streamed, refused, failed and cut off. */
import type { Fixture } from './fixture.ts';
import type { WireExchange } from './run-exchange.ts';

const MODEL = 'mistral-medium-2505';
const ID = 'conv_06835a34f58773bd8000f46c0d11e42c';
const REQUEST = { model: MODEL, inputs: 'What is the rate?', stream: false };
const USAGE = {
  prompt_tokens: 91,
  completion_tokens: 29,
  total_tokens: 120,
  connector_tokens: null,
  connectors: null,
};
const COUNTED = { inputTokens: 91, outputTokens: 29 };

type Event = { type: string; [member: string]: unknown };

function events(list: readonly Event[]): string {
  return list.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('');
}

function streamed(list: readonly Event[], extra: Partial<WireExchange> = {}): WireExchange {
  return {
    target: '/v1/conversations',
    host: 'api.mistral.ai',
    request: { ...REQUEST, stream: true },
    status: 200,
    contentType: 'text/event-stream; charset=utf-8',
    response: events(list),
    ...extra,
  };
}

function whole(body: unknown, extra: Partial<WireExchange> = {}): WireExchange {
  return {
    ...streamed([]),
    request: REQUEST,
    contentType: 'application/json',
    response: JSON.stringify(body),
    ...extra,
  };
}

const TIME = '2025-05-27T11:34:39.610632Z';

function entry(type: string, id: string, rest: object): object {
  return { ...rest, object: 'entry', type, created_at: TIME, completed_at: null, id };
}

function answered(outputs: readonly object[], usage: object = USAGE): object {
  return { conversation_id: ID, outputs, usage, object: 'conversation.response' };
}

const STARTED: Event = {
  type: 'conversation.response.started',
  created_at: TIME,
  conversation_id: ID,
};
const DONE: Event = { type: 'conversation.response.done', created_at: TIME, usage: USAGE };

function said(index: number, place: number, ...contents: unknown[]): Event[] {
  return contents.map((content, position) => ({
    type: 'message.output.delta',
    created_at: `2025-05-27T11:34:${40 + position}.1Z`,
    output_index: index,
    id: `msg_${index}`,
    content_index: place,
    model: MODEL,
    agent_id: 'ag_1',
    role: 'assistant',
    content,
  }));
}

function called(index: number, id: string, name: string, ...pieces: string[]): Event[] {
  return pieces.map((piece) => ({
    type: 'function.call.delta',
    output_index: index,
    id: `fc_${index}`,
    name,
    tool_call_id: id,
    arguments: piece,
    model: MODEL,
  }));
}

const SEARCH: Event[] = [
  {
    type: 'tool.execution.started',
    output_index: 0,
    id: 'te_1',
    name: 'web_search',
    arguments: '{"que',
  },
  {
    type: 'tool.execution.delta',
    output_index: 0,
    id: 'te_1',
    name: 'web_search',
    arguments: 'ry":"rate"}',
  },
  { type: 'tool.execution.done', output_index: 0, id: 'te_1', name: 'web_search', info: {} },
];
const HANDOFF: Event[] = [
  {
    type: 'agent.handoff.started',
    output_index: 1,
    id: 'ah_1',
    previous_agent_id: 'ag_1',
    previous_agent_name: 'first',
  },
  {
    type: 'agent.handoff.done',
    output_index: 1,
    id: 'ah_1',
    next_agent_id: 'ag_2',
    next_agent_name: 'second',
  },
];

const CALL = { id: '6TI17yZkV', name: 'get_rate', argumentsText: '{"date": "2024-06-06"}' };
const HEAD = { provider: 'mistral_ai', model: MODEL, usage: COUNTED, finishReasons: [] };

export const CONVERSATIONS_FIXTURES: readonly Fixture[] = [
  {
    name: 'a stream of text',
    wire: streamed([STARTED, ...said(0, 0, 'It', ' is', ' 2 % ☀️'), DONE]),
    expected: {
      ...HEAD,
      messages: [{ text: 'It is 2 % ☀️', finishReason: 'stop', partTypes: ['text'] }],
    },
  },
  {
    name: 'a stream of reasoning and of parts, with what they cite',
    wire: streamed([
      STARTED,
      ...said(
        0,
        0,
        { type: 'thinking', thinking: [{ type: 'text', text: 'Let me ' }] },
        { type: 'thinking', thinking: [{ type: 'text', text: 'see.' }] },
      ),
      ...said(0, 1, { type: 'text', text: 'It is ' }, { type: 'text', text: 'so' }),
      ...said(0, 2, { type: 'tool_reference', tool: 'web_search', title: 't', url: 'https://a.b' }),
      ...said(0, 3, '.'),
      ...said(0, 4, { type: 'tool_file', tool: 'image_generation', file_id: 'f1' }),
      DONE,
    ]),
    expected: {
      ...HEAD,
      messages: [
        {
          reasoning: 'Let me see.',
          text: 'It is so.',
          partTypes: ['reasoning', 'text', 'text', 'tool_file'],
        },
      ],
    },
  },
  {
    name: 'an answer in one text',
    wire: whole(
      answered([
        entry('message.output', 'msg_1', {
          content: [
            { type: 'text', text: 'It is ' },
            { type: 'tool_reference', tool: 'web_search', title: 't' },
            { type: 'text', text: '2 %.' },
          ],
          agent_id: 'ag_1',
          model: MODEL,
          role: 'assistant',
        }),
      ]),
    ),
    expected: {
      ...HEAD,
      messages: [{ text: 'It is 2 %.', finishReason: 'stop', partTypes: ['text', 'text'] }],
    },
  },
  {
    name: 'function calls in pieces behind a search of the provider’s own and another agent',
    wire: streamed([
      STARTED,
      ...SEARCH,
      ...HANDOFF,
      ...called(2, CALL.id, CALL.name, '{"date": ', '"2024-06-06"}'),
      ...called(3, 'b', 'now', '{}'),
      DONE,
    ]),
    expected: {
      ...HEAD,
      messages: [
        {
          finishReason: 'tool_call',
          partTypes: ['server_tool_call', 'agent.handoff', 'tool_call', 'tool_call'],
        },
      ],
      toolCalls: [CALL, { id: 'b', name: 'now', argumentsText: '{}' }],
    },
  },
  {
    name: 'function calls in one text, their arguments as a text and as an object, and tokens of tools',
    wire: whole('', {
      response: JSON.stringify(
        answered(
          [
            entry('tool.execution', 'te_1', {
              name: 'code_interpreter',
              arguments: '{"code":"1"}',
              info: { code_output: '1' },
            }),
            entry('function.call', 'fc_1', {
              tool_call_id: CALL.id,
              name: CALL.name,
              arguments: CALL.argumentsText,
              model: MODEL,
            }),
            entry('function.call', 'fc_2', { tool_call_id: 'b', name: 'n', arguments: 0 }),
          ],
          { prompt_tokens: 95, completion_tokens: 209, total_tokens: 399, connector_tokens: 95 },
        ),
      ).replace('"arguments":0', '"arguments":{"n":12345678901234567890}'),
    }),
    expected: {
      ...HEAD,
      usage: { inputTokens: 95, outputTokens: 209 },
      messages: [
        { finishReason: 'tool_call', partTypes: ['server_tool_call', 'tool_call', 'tool_call'] },
      ],
      toolCalls: [CALL, { id: 'b', name: 'n', argumentsText: '{"n":12345678901234567890}' }],
    },
  },
  {
    name: 'a request that is refused',
    wire: whole(
      {
        object: 'error',
        message: 'Service tier capacity exceeded.',
        type: 'service_tier_capacity_exceeded',
        param: null,
        code: '3505',
      },
      { status: 429 },
    ),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [],
      error: { type: '3505', message: 'Service tier capacity exceeded.' },
      noResponse: true,
    },
  },
  {
    name: 'an error in the middle of a stream',
    wire: streamed([
      STARTED,
      ...said(0, 0, 'It'),
      { type: 'conversation.response.error', message: 'Oh.', code: 3000 },
    ]),
    expected: {
      ...HEAD,
      usage: {},
      messages: [{ text: 'It', finishReason: 'error' }],
      error: { type: '3000', message: 'Oh.' },
      complete: false,
    },
  },
  {
    name: 'a stream that is cut off inside a function call',
    wire: streamed([STARTED, ...said(0, 0, 'I look.'), ...called(1, CALL.id, CALL.name, '{"da')], {
      isResponseComplete: false,
    }),
    expected: {
      ...HEAD,
      usage: {},
      messages: [{ text: 'I look.', finishReason: 'error', partTypes: ['text', 'tool_call'] }],
      tornToolCalls: [{ id: CALL.id, name: CALL.name, argumentsText: '{"da' }],
      complete: false,
      damage: ['truncated'],
    },
  },
  {
    name: 'a whole answer that is cut off inside a function call',
    wire: whole('', {
      response: `{"conversation_id":"${ID}","outputs":[{"type":"function.call","tool_call_id":"c","name":"f","arguments":"{\\"a`,
      isResponseComplete: false,
    }),
    expected: {
      provider: 'mistral_ai',
      usage: {},
      finishReasons: [],
      messages: [{ finishReason: 'error', partTypes: ['tool_call'] }],
      tornToolCalls: [{ id: 'c', name: 'f', argumentsText: '{"a' }],
      complete: false,
      damage: ['truncated'],
    },
  },
];
