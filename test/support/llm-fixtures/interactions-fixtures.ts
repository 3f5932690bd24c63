/** Answers of Gemini's interactions: whole, streamed, refused, failed and cut off. */
import type { Fixture } from './fixture.ts';
import type { WireExchange } from './run-exchange.ts';

const MODEL = 'gemini-3-flash-preview';
const ID = 'v1_ChdKQ2xhYXV1Mkw1Rm';
const REQUEST = { model: MODEL, input: 'What is the weather in Paris?' };

const USAGE = {
  total_tokens: 299,
  total_input_tokens: 138,
  input_tokens_by_modality: [{ modality: 'text', tokens: 138 }],
  total_cached_tokens: 64,
  total_output_tokens: 20,
  total_tool_use_tokens: 7,
  total_thought_tokens: 134,
};
/** Of the tool's results and of the thoughts, too: as many as the wire's total. */
const COUNTED = {
  inputTokens: 145,
  outputTokens: 154,
  cacheReadInputTokens: 64,
  reasoningOutputTokens: 134,
  byModality: { text: { inputTokens: 138 } },
};

type Event = { event_type: string; [member: string]: unknown };

function events(list: readonly Event[], isDone = true): string {
  const text = list
    .map((event) => `event: ${event.event_type}\ndata: ${JSON.stringify(event)}\n\n`)
    .join('');
  return isDone ? `${text}event: done\ndata: [DONE]\n\n` : text;
}

function streamed(list: readonly Event[], extra: Partial<WireExchange> = {}): WireExchange {
  return {
    target: '/v1beta/interactions?alt=sse',
    host: 'generativelanguage.googleapis.com',
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
    target: '/v1beta/interactions',
    request: REQUEST,
    contentType: 'application/json',
    response: JSON.stringify(body),
    ...extra,
  };
}

function interaction(status: string, extra: object = {}): object {
  return {
    id: ID,
    model: MODEL,
    object: 'interaction',
    status,
    created: '2026-05-12T17:24:26Z',
    updated: '2026-05-12T17:24:26Z',
    ...extra,
  };
}

const BEGUN = { id: ID, status: 'in_progress', object: 'interaction', model: MODEL };
const START: Event[] = [
  { interaction: BEGUN, event_type: 'interaction.created' },
  { interaction_id: ID, status: 'in_progress', event_type: 'interaction.status_update' },
];

function completed(status: string, extra: object = { usage: USAGE }): Event {
  return {
    interaction: interaction(status, { service_tier: 'standard', ...extra }),
    event_type: 'interaction.completed',
  };
}

function step(index: number, start: object, ...deltas: object[]): Event[] {
  return [
    { index, step: start, event_type: 'step.start' },
    ...deltas.map((delta) => ({ index, delta, event_type: 'step.delta' })),
    { index, event_type: 'step.stop' },
  ];
}

function thought(index: number, ...texts: string[]): Event[] {
  const summaries = texts.map((text) => ({
    type: 'thought_summary',
    content: { type: 'text', text },
  }));
  return step(index, { type: 'thought' }, ...summaries, {
    signature: 'EuYBCuMBARFNMg',
    type: 'thought_signature',
  });
}

function said(index: number, ...texts: string[]): Event[] {
  return step(index, { type: 'model_output' }, ...texts.map((text) => ({ text, type: 'text' })));
}

function called(index: number, id: string, name: string, ...pieces: string[]): Event[] {
  const start = { id, type: 'function_call', name, arguments: {} };
  return step(
    index,
    start,
    ...pieces.map((text) => ({ arguments: text, type: 'arguments_delta' })),
  );
}

const CALL = { id: 'ktr5aysg', name: 'get_weather', argumentsText: '{"city": "Paris, ☀️"}' };
const CALL_STEP = `{"arguments":${CALL.argumentsText},"id":"ktr5aysg","name":"get_weather","type":"function_call"}`;
const SEARCHED = [
  ...step(
    1,
    { id: 'mkutnkgn', signature: '', type: 'google_search_call' },
    { signature: '...', type: 'google_search_call', arguments: { queries: ['weather'] } },
  ),
  ...step(
    2,
    { call_id: 'mkutnkgn', signature: '', type: 'google_search_result' },
    { signature: '...', type: 'google_search_result', is_error: false },
  ),
];
const SERVER_PARTS = ['server_tool_call', 'server_tool_call_response'];

const HEAD = {
  provider: 'gcp.gemini',
  id: ID,
  model: MODEL,
  usage: COUNTED,
};
const TIERED = { ...HEAD, serviceTier: 'standard' };

const REFUSED = { error: { message: 'Quota exceeded.', code: 'resource_exhausted' } };
const EXPIRED = {
  message: 'Deadline expired before operation could complete.',
  code: 'gateway_timeout',
};

export const INTERACTIONS_FIXTURES: readonly Fixture[] = [
  {
    name: 'a stream of thoughts and text',
    wire: streamed([
      ...START,
      ...thought(0, 'I must ', 'look.'),
      ...said(1, 'It is', ' ☀️', ' there.'),
      completed('completed'),
    ]),
    expected: {
      ...TIERED,
      finishReasons: ['completed'],
      messages: [
        {
          reasoning: 'I must look.',
          text: 'It is ☀️ there.',
          finishReason: 'stop',
          partTypes: ['reasoning', 'text'],
        },
      ],
    },
  },
  {
    name: 'an answer in one text, with more in it than the documentation has',
    wire: whole(
      interaction('completed', {
        service_tier: 'standard',
        steps: [
          { signature: 'EuYB', type: 'thought', summary: [{ type: 'text', text: 'Hm.' }] },
          {
            type: 'model_output',
            content: [{ type: 'text', text: 'It is ☀️.', annotations: [{ type: 'url_citation' }] }],
          },
        ],
        usage: { ...USAGE, raw_prompt_token: 33 },
      }),
    ),
    expected: {
      ...TIERED,
      finishReasons: ['completed'],
      messages: [{ reasoning: 'Hm.', text: 'It is ☀️.', partTypes: ['reasoning', 'text'] }],
    },
  },
  {
    name: 'a streamed function call behind a search of the provider’s own',
    wire: streamed([
      ...START,
      ...thought(0),
      ...SEARCHED,
      ...called(3, CALL.id, CALL.name, '{"city": "Pa', 'ris, ☀️"}'),
      completed('requires_action'),
    ]),
    expected: {
      ...TIERED,
      finishReasons: ['requires_action'],
      messages: [{ finishReason: 'tool_call', partTypes: [...SERVER_PARTS, 'tool_call'] }],
      toolCalls: [CALL],
    },
  },
  {
    name: 'function calls in one text, with their arguments as they are',
    wire: whole('', {
      response: JSON.stringify(
        interaction('requires_action', {
          steps: [{ type: 'model_output', content: [{ type: 'text', text: 'I look.' }] }, 0],
          usage: USAGE,
        }),
      ).replace(
        ',0]',
        `,${CALL_STEP},{"type":"function_call","id":"b2","name":"f","arguments":{"n":12345678901234567890}}]`,
      ),
    }),
    expected: {
      ...HEAD,
      finishReasons: ['requires_action'],
      messages: [
        {
          text: 'I look.',
          finishReason: 'tool_call',
          partTypes: ['text', 'tool_call', 'tool_call'],
        },
      ],
      toolCalls: [CALL, { id: 'b2', name: 'f', argumentsText: '{"n":12345678901234567890}' }],
    },
  },
  {
    name: 'a streamed call without pieces, whose arguments come with its beginning',
    wire: streamed([], {
      response: events([...START, ...step(0, {}), completed('requires_action')]).replace(
        '"step":{}',
        `"step":${CALL_STEP}`,
      ),
    }),
    expected: {
      ...TIERED,
      finishReasons: ['requires_action'],
      messages: [{ partTypes: ['tool_call'] }],
      toolCalls: [CALL],
    },
  },
  {
    name: 'texts that begin with their steps, a picture between them, and two steps at a time',
    wire: streamed([
      ...START,
      {
        index: 0,
        step: { type: 'model_output', content: [{ type: 'text', text: 'Once upon' }] },
        event_type: 'step.start',
      },
      ...called(1, 'c1', 'f', '{}').slice(0, 2),
      { index: 0, delta: { type: 'text', text: ' a time' }, event_type: 'step.delta' },
      {
        index: 0,
        delta: { type: 'image', mime_type: 'image/png', data: 'iVBORw0K' },
        event_type: 'step.delta',
      },
      { index: 0, delta: { type: 'text', text: 'there was' }, event_type: 'step.delta' },
      { index: 1, event_type: 'step.stop' },
      { index: 0, event_type: 'step.stop' },
      completed('requires_action'),
    ]),
    expected: {
      ...TIERED,
      finishReasons: ['requires_action'],
      messages: [
        { text: 'Once upon a timethere was', partTypes: ['text', 'tool_call', 'blob', 'text'] },
      ],
      toolCalls: [{ id: 'c1', name: 'f', argumentsText: '{}' }],
    },
  },
  {
    name: 'an answer that stopped at the limit of one request, to be gone on with',
    wire: streamed([...START, ...said(0, 'a'), completed('requires_continuation')]),
    expected: {
      ...TIERED,
      finishReasons: ['requires_continuation'],
      messages: [{ text: 'a', finishReason: 'length' }],
    },
  },
  {
    name: 'contents without steps, as models of music answer',
    wire: whole(
      interaction('completed', {
        outputs: [
          { type: 'text', text: 'La la' },
          { type: 'audio', mime_type: 'audio/mp3', data: 'SUQz' },
        ],
      }),
    ),
    expected: {
      ...HEAD,
      usage: {},
      finishReasons: ['completed'],
      messages: [{ text: 'La la', partTypes: ['text', 'blob'] }],
    },
  },
  {
    name: 'a request that is refused',
    wire: whole(REFUSED, { status: 429 }),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [],
      error: { type: 'resource_exhausted', message: 'Quota exceeded.' },
      noResponse: true,
    },
  },
  {
    name: 'an error in the middle of a stream',
    wire: streamed([], {
      response: events(
        [...START, ...said(0, 'It'), { error: EXPIRED, event_type: 'error' }],
        false,
      ),
    }),
    expected: {
      ...HEAD,
      usage: {},
      finishReasons: [],
      messages: [{ text: 'It', finishReason: 'error' }],
      error: { type: 'gateway_timeout', message: EXPIRED.message },
      complete: false,
    },
  },
  {
    name: 'an interaction that failed, and says so at its end',
    wire: whole(
      interaction('failed', {
        steps: [{ type: 'model_output', error: { code: 13, message: 'Internal.' } }],
        usage: USAGE,
      }),
    ),
    expected: {
      ...HEAD,
      finishReasons: [],
      messages: [],
      error: { type: '13', message: 'Internal.' },
    },
  },
  {
    name: 'an agent’s interaction that failed, which lists its faults',
    wire: whole(
      {
        id: ID,
        agent: 'deep-research-preview-04-2026',
        status: 'failed',
        errors: [{ code: 'internal', message: 'Oh.' }],
      },
      { request: { agent: 'deep-research-preview-04-2026', input: 'Look into it.' } },
    ),
    expected: {
      id: ID,
      usage: {},
      finishReasons: [],
      messages: [],
      error: { type: 'internal', message: 'Oh.' },
    },
  },
  {
    name: 'a stream that is cut off inside a function call, with what was used so far',
    wire: streamed([], {
      response: events(
        [
          ...START,
          ...said(0, 'I look.').slice(0, 2),
          {
            index: 0,
            usage: { total_input_tokens: 138, total_output_tokens: 3 },
            event_type: 'step.stop',
          },
          ...called(1, CALL.id, CALL.name, '{"city": ').slice(0, 2),
        ],
        false,
      ),
      isResponseComplete: false,
    }),
    expected: {
      ...HEAD,
      usage: { inputTokens: 138, outputTokens: 3 },
      finishReasons: [],
      messages: [{ text: 'I look.', finishReason: 'error', partTypes: ['text', 'tool_call'] }],
      tornToolCalls: [{ id: CALL.id, name: CALL.name, argumentsText: '{"city": ' }],
      complete: false,
      damage: ['truncated'],
    },
  },
  {
    name: 'a whole answer that is cut off inside a function call',
    wire: whole('', {
      response: `{"id":"${ID}","steps":[{"type":"function_call","id":"c","name":"f","arguments":{"a":`,
      isResponseComplete: false,
    }),
    expected: {
      id: ID,
      usage: {},
      finishReasons: [],
      messages: [{ partTypes: ['tool_call'] }],
      tornToolCalls: [{ id: 'c', name: 'f', argumentsText: '{"a":' }],
      complete: false,
      damage: ['truncated'],
    },
  },
];
