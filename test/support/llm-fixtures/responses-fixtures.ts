/** Answers of the responses API in the shapes that OpenAI, Codex's back end and local servers give them. */
import type { Fixture } from './fixture.ts';
import { anthropicEvents, type WireExchange } from './run-exchange.ts';

const ID = 'resp_68af4030592c81938ec0a5fbab4a3e9f';
const MODEL = 'gpt-5-2025-08-07';

function request(extra: object = {}): WireExchange {
  return {
    target: '/v1/responses',
    host: 'api.openai.com',
    request: { model: 'gpt-5', input: 'What is the weather in Paris?', ...extra },
    status: 200,
  };
}

const USAGE = {
  input_tokens: 37,
  input_tokens_details: { cached_tokens: 8 },
  output_tokens: 21,
  output_tokens_details: { reasoning_tokens: 12 },
  total_tokens: 58,
};
const COUNTS = {
  inputTokens: 37,
  outputTokens: 21,
  cacheReadInputTokens: 8,
  reasoningOutputTokens: 12,
};

function response(status: string, output: readonly object[] = [], extra: object = {}): object {
  return {
    id: ID,
    object: 'response',
    created_at: 1_763_700_000,
    status,
    background: false,
    error: null,
    incomplete_details: null,
    instructions: null,
    max_output_tokens: null,
    model: MODEL,
    output,
    previous_response_id: null,
    reasoning: { effort: 'medium', summary: null },
    service_tier: status === 'completed' ? 'default' : 'auto',
    text: { format: { type: 'text' } },
    usage: status === 'completed' || status === 'incomplete' ? USAGE : null,
    user: null,
    metadata: {},
    ...extra,
  };
}

function message(text: string, id = 'msg_01'): object {
  return {
    id,
    type: 'message',
    status: 'completed',
    role: 'assistant',
    content: [{ type: 'output_text', annotations: [], logprobs: [], text }],
  };
}

function reasoning(...texts: string[]): object {
  return {
    id: 'rs_01',
    type: 'reasoning',
    summary: texts.map((text) => ({ type: 'summary_text', text })),
    encrypted_content: 'gAAAAABo',
  };
}

function call(id: string, name: string, argumentsText: string, extra: object = {}): object {
  return {
    id: `fc_${id}`,
    type: 'function_call',
    status: 'completed',
    arguments: argumentsText,
    call_id: id,
    name,
    ...extra,
  };
}

type Event = { type: string };

function numbered(events: readonly Event[]): Event[] {
  return events.map((event, index) => ({ ...event, sequence_number: index }));
}

function streamed(events: readonly Event[], extra: Partial<WireExchange> = {}): WireExchange {
  return {
    ...request({ stream: true }),
    contentType: 'text/event-stream; charset=utf-8',
    response: anthropicEvents(numbered(events)),
    ...extra,
  };
}

const CREATED = [
  { type: 'response.created', response: response('in_progress') },
  { type: 'response.in_progress', response: response('in_progress') },
];

function event(type: string, extra: object): Event {
  return { type: `response.${type}`, ...extra };
}

function textEvents(index: number, pieces: readonly string[], id = 'msg_01'): Event[] {
  const at = { item_id: id, output_index: index, content_index: 0 };
  const text = pieces.join('');
  return [
    event('output_item.added', {
      output_index: index,
      item: { id, type: 'message', status: 'in_progress', content: [], role: 'assistant' },
    }),
    event('content_part.added', {
      ...at,
      part: { type: 'output_text', annotations: [], text: '' },
    }),
    ...pieces.map((delta) =>
      event('output_text.delta', { ...at, delta, logprobs: [], obfuscation: 'xY1' }),
    ),
    event('output_text.done', { ...at, text, logprobs: [] }),
    event('content_part.done', { ...at, part: { type: 'output_text', annotations: [], text } }),
    event('output_item.done', { output_index: index, item: message(text, id) }),
  ];
}

function callEvents(index: number, item: object, pieces: readonly string[]): Event[] {
  const at = { item_id: (item as { id: string }).id, output_index: index };
  return [
    event('output_item.added', {
      output_index: index,
      item: { ...item, status: 'in_progress', arguments: '' },
    }),
    ...pieces.map((delta) => event('function_call_arguments.delta', { ...at, delta })),
    event('function_call_arguments.done', { ...at, arguments: pieces.join('') }),
    event('output_item.done', { output_index: index, item }),
  ];
}

function ended(status: string, output: readonly object[], extra: object = {}): Event {
  return event(status, { response: response(status, output, extra) });
}

const WEATHER = call('call_1', 'get_weather', '{"city":"Paris"}');
const TIME = call('call_2', 'get_time', '{"zone":"CET"}');
const CALLS = [
  { id: 'call_1', name: 'get_weather', argumentsText: '{"city":"Paris"}' },
  { id: 'call_2', name: 'get_time', argumentsText: '{"zone":"CET"}' },
];
const SHARED = { id: ID, model: MODEL };
const DONE = { ...SHARED, usage: COUNTS, finishReasons: ['completed'], serviceTier: 'default' };

/** A shell in a container of the provider's, which runs there. */
const HOSTED_SHELL = {
  id: 'sh_1',
  type: 'shell_call',
  status: 'completed',
  action: { commands: ['uname'], max_output_length: null, timeout_ms: null },
  call_id: 'call_9',
  environment: { type: 'container_reference', container_id: 'cntr_1' },
};
const SHELL_OUTPUT = {
  id: 'sho_1',
  type: 'shell_call_output',
  status: 'completed',
  call_id: 'call_9',
  max_output_length: null,
  output: [{ outcome: { type: 'exit', exit_code: 0 }, stderr: '', stdout: 'Linux\n' }],
};

export const RESPONSES_FIXTURES: readonly Fixture[] = [
  {
    name: 'a shell in a container of the provider’s: nothing that the client is to run',
    wire: {
      ...request(),
      response: JSON.stringify(
        response('completed', [HOSTED_SHELL, SHELL_OUTPUT, message('Linux.')]),
      ),
    },
    expected: { ...DONE, messages: [{ text: 'Linux.', finishReason: 'stop' }] },
  },
  {
    name: 'a search for tools at the provider’s',
    wire: {
      ...request(),
      response: JSON.stringify(
        response('completed', [
          {
            id: 'tsc_1',
            type: 'tool_search_call',
            status: 'completed',
            arguments: { paths: ['get_weather'] },
            call_id: null,
            execution: 'server',
          },
          message('Found.'),
        ]),
      ),
    },
    expected: { ...DONE, messages: [{ text: 'Found.', finishReason: 'stop' }] },
  },
  {
    name: 'a stream with a shell in a container of the provider’s',
    wire: streamed([
      ...CREATED,
      event('output_item.added', {
        output_index: 0,
        item: { ...HOSTED_SHELL, status: 'in_progress', action: { commands: [] } },
      }),
      event('shell_call_command.delta', { output_index: 0, command_index: 0, delta: 'uname' }),
      event('output_item.done', { output_index: 0, item: HOSTED_SHELL }),
      event('output_item.added', { output_index: 1, item: { ...SHELL_OUTPUT, output: [] } }),
      event('output_item.done', { output_index: 1, item: SHELL_OUTPUT }),
      ...textEvents(2, ['Lin', 'ux.']),
      ended('completed', [HOSTED_SHELL, SHELL_OUTPUT, message('Linux.')]),
    ]),
    expected: { ...DONE, messages: [{ text: 'Linux.', finishReason: 'stop' }] },
  },
  {
    name: 'a text',
    isForSdk: true,
    wire: { ...request(), response: JSON.stringify(response('completed', [message('Sunny. ☀️')])) },
    expected: {
      ...DONE,
      provider: 'openai',
      messages: [{ text: 'Sunny. ☀️', finishReason: 'stop' }],
    },
  },
  {
    name: 'reasoning and tool calls',
    isForSdk: true,
    wire: {
      ...request(),
      response: JSON.stringify(
        response('completed', [reasoning('I think', 'so'), message('Wait.'), WEATHER, TIME]),
        null,
        2,
      ),
    },
    expected: {
      ...DONE,
      messages: [{ text: 'Wait.', reasoning: 'I thinkso', finishReason: 'tool_call' }],
      toolCalls: CALLS,
    },
  },
  {
    name: 'a stream of text',
    isForSdk: true,
    wire: streamed([
      ...CREATED,
      ...textEvents(0, ['It', ' is', ' "sunny"\n', '😀', '.']),
      ended('completed', [message('It is "sunny"\n😀.')]),
    ]),
    expected: { ...DONE, messages: [{ text: 'It is "sunny"\n😀.', finishReason: 'stop' }] },
  },
  {
    name: 'a stream of reasoning, text and tool calls',
    isForSdk: true,
    wire: streamed([
      ...CREATED,
      event('output_item.added', { output_index: 0, item: { ...reasoning(), summary: [] } }),
      ...['I ', 'think'].map((delta) =>
        event('reasoning_summary_text.delta', {
          item_id: 'rs_01',
          output_index: 0,
          summary_index: 0,
          delta,
        }),
      ),
      event('output_item.done', { output_index: 0, item: reasoning('I think') }),
      ...textEvents(1, ['Wait', '.']),
      ...callEvents(2, WEATHER, ['{"city":', '"Paris"}']),
      ...callEvents(3, TIME, ['{"zone":"CET"}']),
      ended('completed', [reasoning('I think'), message('Wait.'), WEATHER, TIME]),
    ]),
    expected: {
      ...DONE,
      messages: [
        {
          text: 'Wait.',
          reasoning: 'I think',
          finishReason: 'tool_call',
          partTypes: ['reasoning', 'text', 'tool_call', 'tool_call'],
        },
      ],
      toolCalls: CALLS,
    },
  },
  {
    name: "Codex's back end: the last event has no output, tools of MCP servers have a namespace",
    wire: streamed(
      [
        ...CREATED,
        ...callEvents(0, call('call_9', 'find', '{}', { namespace: 'mcp__files__' }), ['{}']),
        ended('completed', []),
      ],
      { target: '/backend-api/codex/responses', host: 'chatgpt.com', version: '2' },
    ),
    expected: {
      ...DONE,
      provider: 'openai',
      messages: [{ finishReason: 'tool_call' }],
      toolCalls: [{ id: 'call_9', name: 'mcp__files__find', argumentsText: '{}' }],
    },
  },
  {
    name: 'a custom tool, a shell call, and a search that the provider makes itself',
    wire: streamed([
      ...CREATED,
      event('output_item.added', {
        output_index: 0,
        item: { id: 'ws_1', type: 'web_search_call', status: 'in_progress' },
      }),
      event('web_search_call.searching', { item_id: 'ws_1', output_index: 0 }),
      event('output_item.done', {
        output_index: 0,
        item: {
          id: 'ws_1',
          type: 'web_search_call',
          status: 'completed',
          action: { type: 'search', query: 'weather' },
        },
      }),
      event('output_item.added', {
        output_index: 1,
        item: {
          id: 'ctc_1',
          type: 'custom_tool_call',
          call_id: 'call_3',
          name: 'patch',
          input: '',
        },
      }),
      event('custom_tool_call_input.delta', { output_index: 1, delta: '*** Begin' }),
      event('custom_tool_call_input.delta', { output_index: 1, delta: ' Patch' }),
      event('output_item.done', {
        output_index: 1,
        item: {
          id: 'ctc_1',
          type: 'custom_tool_call',
          call_id: 'call_3',
          name: 'patch',
          input: '*** Begin Patch',
        },
      }),
      event('output_item.added', {
        output_index: 2,
        item: { id: 'lsh_1', type: 'local_shell_call', call_id: 'call_4', status: 'in_progress' },
      }),
      event('output_item.done', {
        output_index: 2,
        item: {
          id: 'lsh_1',
          type: 'local_shell_call',
          call_id: 'call_4',
          status: 'completed',
          action: { type: 'exec', command: ['ls'] },
        },
      }),
      ended('completed', []),
    ]),
    expected: {
      ...DONE,
      messages: [{ partTypes: ['server_tool_call', 'tool_call', 'tool_call'] }],
      toolCalls: [
        { id: 'call_3', name: 'patch', argumentsText: '*** Begin Patch' },
        {
          id: 'call_4',
          name: 'local_shell',
          argumentsText: '{"type":"exec","command":["ls"]}',
        },
      ],
    },
  },
  {
    name: 'a refusal in a stream',
    isForSdk: true,
    wire: streamed([
      ...CREATED,
      event('output_item.added', {
        output_index: 0,
        item: { ...message(''), content: [], status: 'in_progress' },
      }),
      event('content_part.added', {
        item_id: 'msg_01',
        output_index: 0,
        content_index: 0,
        part: { type: 'refusal', refusal: '' },
      }),
      event('refusal.delta', {
        item_id: 'msg_01',
        output_index: 0,
        content_index: 0,
        delta: 'I cannot.',
      }),
      event('output_item.done', {
        output_index: 0,
        item: { ...message(''), content: [{ type: 'refusal', refusal: 'I cannot.' }] },
      }),
      ended('completed', [
        { ...message(''), content: [{ type: 'refusal', refusal: 'I cannot.' }] },
      ]),
    ]),
    expected: { ...DONE, messages: [{ refusal: 'I cannot.', finishReason: 'stop' }] },
  },
  {
    name: 'an answer that reached its limit',
    isForSdk: true,
    wire: streamed([
      ...CREATED,
      ...textEvents(0, ['It is']),
      ended('incomplete', [message('It is')], {
        incomplete_details: { reason: 'max_output_tokens' },
      }),
    ]),
    expected: {
      ...SHARED,
      usage: COUNTS,
      finishReasons: ['max_output_tokens'],
      serviceTier: 'auto',
      messages: [{ text: 'It is', finishReason: 'length' }],
    },
  },
  {
    name: 'nothing but the last event',
    wire: streamed([ended('completed', [message('All at once.')])]),
    expected: { ...DONE, messages: [{ text: 'All at once.' }] },
  },
  {
    name: 'a last event of more than 100 kB',
    wire: streamed([
      ...CREATED,
      ...textEvents(0, ['x'.repeat(30_000), 'y'.repeat(20_000)]),
      ended('completed', [message('x'.repeat(30_000) + 'y'.repeat(20_000))], {
        instructions: 'i'.repeat(60_000),
      }),
    ]),
    expected: { ...DONE, messages: [{ text: 'x'.repeat(30_000) + 'y'.repeat(20_000) }] },
  },
  {
    name: 'a job in the background',
    wire: {
      ...request({ background: true }),
      response: JSON.stringify(response('queued', [], { background: true, output: [] })),
    },
    expected: {
      ...SHARED,
      usage: {},
      finishReasons: [],
      serviceTier: 'auto',
      messages: [{ finishReason: 'error' }],
    },
  },
  {
    name: 'a failure in the middle of a stream',
    wire: streamed([
      ...CREATED,
      ...textEvents(0, ['It']).slice(0, 3),
      ended('failed', [], {
        error: { code: 'server_error', message: 'The model failed.' },
      }),
    ]),
    expected: {
      ...SHARED,
      usage: {},
      finishReasons: [],
      serviceTier: 'auto',
      messages: [{ text: 'It', finishReason: 'error' }],
      error: { type: 'server_error', message: 'The model failed.' },
    },
  },
  {
    name: 'a failed answer that is one body',
    wire: {
      ...request(),
      response: JSON.stringify(
        response('failed', [], { error: { code: 'rate_limit_exceeded', message: 'Too many.' } }),
      ),
    },
    expected: {
      ...SHARED,
      usage: {},
      finishReasons: [],
      serviceTier: 'auto',
      messages: [{ finishReason: 'error' }],
      error: { type: 'rate_limit_exceeded', message: 'Too many.' },
    },
  },
  {
    name: 'an error event',
    wire: streamed([
      ...CREATED,
      { type: 'error', code: 'server_error', message: 'Oh no.', param: null } as Event,
    ]),
    expected: {
      ...SHARED,
      usage: {},
      finishReasons: [],
      messages: [],
      error: { type: 'server_error', message: 'Oh no.' },
      complete: false,
    },
  },
  {
    name: 'a refused request',
    isForSdk: true,
    wire: {
      ...request(),
      status: 400,
      response: JSON.stringify({
        error: {
          message: "Previous response with id 'resp_x' not found.",
          type: 'invalid_request_error',
          param: 'previous_response_id',
          code: 'previous_response_not_found',
        },
      }),
    },
    expected: {
      usage: {},
      finishReasons: [],
      messages: [],
      error: {
        type: 'previous_response_not_found',
        message: "Previous response with id 'resp_x' not found.",
      },
      noResponse: true,
    },
  },
  {
    name: 'a stream that is cut off within the arguments of a call',
    wire: streamed([...CREATED, ...callEvents(0, WEATHER, ['{"city":', '"Paris"}']).slice(0, 2)], {
      isResponseComplete: false,
    }),
    expected: {
      ...SHARED,
      usage: {},
      finishReasons: [],
      messages: [{ finishReason: 'error' }],
      tornToolCalls: [{ id: 'call_1', name: 'get_weather', argumentsText: '{"city":' }],
      complete: false,
      damage: ['truncated'],
    },
  },
  {
    name: 'a body that is cut off',
    wire: {
      ...request(),
      isResponseComplete: false,
      response: JSON.stringify(response('completed', [message('Sunny.')])).slice(0, -300),
    },
    expected: {
      ...SHARED,
      usage: {},
      finishReasons: ['completed'],
      messages: [{ text: 'Sunny.' }],
      complete: false,
      damage: ['truncated'],
    },
  },
];

const SHORTENED = {
  id: 'resp_c1',
  object: 'response.compaction',
  created_at: 1_700_000_000,
  output: [
    {
      id: 'msg_1',
      type: 'message',
      status: 'completed',
      content: [{ type: 'input_text', text: 'Hi' }],
      role: 'user',
    },
    { id: 'cmp_1', type: 'compaction', encrypted_content: 'AAAA' },
  ],
  usage: {
    input_tokens: 156,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 190,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 346,
  },
};
const COMPACT: WireExchange = {
  target: '/v1/responses/compact',
  host: 'api.openai.com',
  request: { model: MODEL, input: [{ role: 'user', content: 'Hi' }], instructions: 'Be short.' },
  status: 200,
  response: JSON.stringify(SHORTENED),
};
const NOTHING = { finishReasons: [], messages: [] };

export const COMPACTIONS_FIXTURES: readonly Fixture[] = [
  {
    name: 'a conversation made shorter, whose repeated messages are no answer',
    wire: COMPACT,
    expected: {
      ...NOTHING,
      provider: 'openai',
      id: 'resp_c1',
      usage: {
        inputTokens: 156,
        outputTokens: 190,
        cacheReadInputTokens: 0,
        reasoningOutputTokens: 0,
      },
    },
  },
  {
    name: 'a refused request',
    wire: {
      ...COMPACT,
      status: 400,
      response: JSON.stringify({
        error: { message: 'No.', type: 'invalid_request_error', param: 'input', code: null },
      }),
    },
    expected: {
      ...NOTHING,
      usage: {},
      error: { type: 'invalid_request_error', message: 'No.' },
      noResponse: true,
    },
  },
  {
    name: 'an answer that breaks off',
    wire: {
      ...COMPACT,
      response: JSON.stringify(SHORTENED).slice(0, 160),
      isResponseComplete: false,
    },
    expected: { ...NOTHING, id: 'resp_c1', usage: {}, complete: false, damage: ['truncated'] },
  },
];
