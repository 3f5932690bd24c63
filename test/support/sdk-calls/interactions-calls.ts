/** Interactions of Google's SDK, with models and agents. https://ai.google.dev/api/interactions-api */
import type { Interactions } from '@google/genai';
import { geminiAt, vertexAt } from './google-clients.ts';
import {
  cut,
  events,
  json,
  oneCall,
  type SdkAnswer,
  type SdkCase,
  type SdkRequest,
  type SdkResult,
} from './sdk-case.ts';

const MODEL = 'gemini-3-flash-preview';
const ONCE = { maxRetries: 0 };

type Event = Interactions.InteractionSSEEvent;

const USAGE = {
  total_input_tokens: 102,
  total_output_tokens: 20,
  total_thought_tokens: 75,
  total_cached_tokens: 8,
  total_tool_use_tokens: 3,
  total_tokens: 200,
};
const CALLED = { type: 'function_call', id: 'fc1', name: 'shell', arguments: { a: [1, {}] } };
const STEPS = [
  { type: 'thought', signature: 'c2ln', summary: [{ type: 'text', text: 'Let me see.' }] },
  { type: 'google_search_call', id: 's1', arguments: { queries: ['x'] } },
  { type: 'google_search_result', call_id: 's1', result: [] },
  { type: 'model_output', content: [{ type: 'text', text: 'I look.' }] },
  CALLED,
];

function interaction(id: string, status: string, more: object = {}): object {
  return { id, model: MODEL, object: 'interaction', status, ...more };
}

const WHOLE = interaction('v1_a', 'requires_action', { steps: STEPS, usage: USAGE });

function begun(id: string): object {
  return { event_type: 'interaction.created', interaction: interaction(id, 'in_progress') };
}

function over(id: string, status: string, more: object = { usage: USAGE }): object {
  return { event_type: 'interaction.completed', interaction: interaction(id, status, more) };
}

function start(index: number, step: object): object {
  return { event_type: 'step.start', index, step };
}

function delta(index: number, value: object): object {
  return { event_type: 'step.delta', index, delta: value };
}

function stop(index: number): object {
  return { event_type: 'step.stop', index };
}

function saying(...texts: string[]): object[] {
  const pieces = texts.map((text) => delta(0, { type: 'text', text }));
  return [start(0, { type: 'model_output' }), ...pieces, stop(0)];
}

const STREAM = events(
  [
    begun('v1_b'),
    start(0, { type: 'thought' }),
    delta(0, { type: 'thought_summary', content: { type: 'text', text: 'Let me ' } }),
    delta(0, { type: 'thought_summary', content: { type: 'text', text: 'see.' } }),
    delta(0, { type: 'thought_signature', signature: 'c2ln' }),
    stop(0),
    start(1, { type: 'model_output' }),
    delta(1, { type: 'text', text: 'I ' }),
    delta(1, { type: 'text', text: 'look.' }),
    stop(1),
    start(2, { ...CALLED, arguments: {} }),
    delta(2, { type: 'arguments_delta', arguments: '{"a":' }),
    delta(2, { type: 'arguments_delta', arguments: '[1,{}]}' }),
    stop(2),
    over('v1_b', 'requires_action'),
  ],
  '[DONE]',
);

const EXHAUSTED = 'resource_exhausted';
const REFUSED = json({ error: { code: EXHAUSTED, message: 'Quota exceeded.' } }, { status: 429 });

function addHead(
  result: SdkResult,
  { id, model, status, usage }: Partial<Interactions.Interaction>,
) {
  result.id = id;
  result.model = model;
  if (status !== 'in_progress' && status !== undefined) {
    result.finishReasons = [status];
  }
  if (usage !== undefined) {
    result.inputTokens = (usage.total_input_tokens ?? 0) + (usage.total_tool_use_tokens ?? 0);
    result.outputTokens = (usage.total_output_tokens ?? 0) + (usage.total_thought_tokens ?? 0);
    result.cacheReadTokens = usage.total_cached_tokens;
    result.reasoningTokens = usage.total_thought_tokens;
  }
}

function addWhole(result: SdkResult, answer: Interactions.Interaction): void {
  addHead(result, answer);
  for (const step of answer.steps ?? []) {
    if (step.type === 'thought') {
      const texts = (step.summary ?? []).map((part) => (part.type === 'text' ? part.text : ''));
      result.reasoning = texts.join('');
    } else if (step.type === 'function_call') {
      result.toolCalls = [{ id: step.id, name: step.name, arguments: step.arguments }];
    }
  }
  result.text = answer.output_text ?? '';
}

/** Puts the events of one interaction together; `pieces` are those of its function call. */
function addEvent(result: SdkResult, event: Event, pieces: string[]): void {
  switch (event.event_type) {
    case 'interaction.created':
    case 'interaction.completed':
      addHead(result, event.interaction as Interactions.Interaction);
      return;
    case 'step.start':
      if (event.step.type === 'function_call') {
        const { id, name } = event.step;
        result.toolCalls = [{ id, name, arguments: {} }];
      }
      return;
    case 'step.delta':
      if (event.delta.type === 'text') {
        result.text = (result.text ?? '') + event.delta.text;
      } else if (event.delta.type === 'thought_summary' && event.delta.content?.type === 'text') {
        result.reasoning = (result.reasoning ?? '') + event.delta.content.text;
      } else if (event.delta.type === 'arguments_delta') {
        pieces.push(event.delta.arguments ?? '');
        result.toolCalls!.at(-1)!.arguments = pieces.join('');
      }
      return;
    case 'step.stop':
      if (pieces.length > 0) {
        result.toolCalls!.at(-1)!.arguments = JSON.parse(pieces.splice(0).join(''));
      }
      return;
    case 'error':
      result.error = event.error?.code ?? 'unknown';
      return;
    default:
  }
}

const REQUEST: SdkRequest = {
  operation: 'generate_content',
  provider: 'gcp.gemini',
  model: MODEL,
};
const STREAMED: SdkRequest = { ...REQUEST, stream: true };
const FETCH: SdkRequest = {
  operation: 'fetch_response',
  provider: 'gcp.gemini',
  model: undefined,
};

async function ask(url: string, result: SdkResult, client = geminiAt(url)): Promise<void> {
  addWhole(result, await client.interactions.create({ model: MODEL, input: 'Hi' }, ONCE));
}

async function listen(url: string, result: SdkResult): Promise<void> {
  const { interactions } = geminiAt(url);
  const pieces: string[] = [];
  const request = { model: MODEL, input: 'Hi', stream: true } as const;
  for await (const event of await interactions.create(request, ONCE)) {
    addEvent(result, event, pieces);
  }
}

const BROKEN: SdkAnswer = events([
  begun('v1_c'),
  ...saying('It').slice(0, 2),
  { event_type: 'error', error: { code: 'gateway_timeout', message: 'Too late.' } },
]);

export const INTERACTIONS_CASES: readonly SdkCase[] = [
  oneCall('genai interactions: whole', REQUEST, json(WHOLE), ask),
  oneCall('genai interactions: streamed', STREAMED, STREAM, listen),
  oneCall('genai interactions: cut off', STREAMED, cut(STREAM, 8), listen),
  oneCall('genai interactions: cut off in a function call', STREAMED, cut(STREAM, 12), listen),
  oneCall('genai interactions: refused', { ...REQUEST, error: EXHAUSTED }, REFUSED, ask),
  oneCall(
    'genai interactions: a stream refused',
    { ...STREAMED, error: EXHAUSTED },
    REFUSED,
    listen,
  ),
  oneCall(
    'genai interactions: an error within the stream',
    { ...STREAMED, error: 'gateway_timeout' },
    BROKEN,
    listen,
  ),
  oneCall(
    'genai interactions at Vertex AI: whole',
    { ...REQUEST, provider: 'gcp.vertex_ai' },
    json(WHOLE),
    (url, result) => ask(url, result, vertexAt(url)),
  ),
  {
    name: 'genai interactions: in the background, and fetched three times',
    answers: [
      json(interaction('v1_d', 'in_progress')),
      json(interaction('v1_d', 'in_progress')),
      json(interaction('v1_d', 'completed', { steps: [STEPS[3]], usage: USAGE })),
      json(interaction('v1_d', 'completed', { steps: [STEPS[3]], usage: USAGE })),
    ],
    requests: [REQUEST, FETCH, FETCH],
    async call(url, results) {
      const { interactions } = geminiAt(url);
      const request = { model: MODEL, input: 'Hi', background: true };
      results.push({}, {}, {});
      addWhole(results[0]!, await interactions.create(request, ONCE));
      addWhole(results[1]!, await interactions.get('v1_d', {}, ONCE));
      addWhole(results[2]!, await interactions.get('v1_d', {}, ONCE));
      // What is known already is counted no second time.
      await interactions.get('v1_d', {}, ONCE);
    },
  },
  {
    name: 'genai interactions: an agent in the background, whose rest is streamed',
    answers: [
      json(interaction('v1_e', 'queued', { model: undefined, agent: 'deep-research' })),
      events(
        [...saying('Found', ' it.'), over('v1_e', 'completed', { model: undefined, usage: USAGE })],
        '[DONE]',
      ),
    ],
    requests: [
      { ...REQUEST, model: undefined },
      { ...FETCH, stream: true },
    ],
    async call(url, results) {
      const { interactions } = geminiAt(url);
      const request = { agent: 'deep-research', input: 'Look', background: true } as const;
      results.push({}, {});
      const queued = await interactions.create(request, ONCE);
      results[0]!.id = queued.id;
      const resumed = { stream: true, last_event_id: 'ev 4' } as const;
      for await (const event of await interactions.get('v1_e', resumed, ONCE)) {
        addEvent(results[1]!, event, []);
      }
    },
  },
  {
    name: 'genai interactions: a stream that the SDK goes on with by itself',
    answers: [
      events(
        [
          begun('v1_f'),
          ...saying('One,'),
          over('v1_f', 'requires_continuation', { usage: USAGE, continuation_token: 't1' }),
        ],
        '[DONE]',
      ),
      events([begun('v1_g'), ...saying(' two.'), over('v1_g', 'completed')], '[DONE]'),
    ],
    requests: [STREAMED, STREAMED],
    async call(url, results) {
      const { interactions } = geminiAt(url);
      const request = { model: MODEL, input: 'Count', stream: true } as const;
      for await (const event of await interactions.create(request, ONCE)) {
        if (event.event_type === 'interaction.created') {
          results.push({});
        }
        addEvent(results.at(-1)!, event, []);
      }
    },
  },
  {
    name: 'genai interactions: fetched, cancelled and deleted, without one in the background: no calls',
    answers: [json(WHOLE), json(interaction('v1_a', 'cancelled')), json({})],
    requests: [],
    async call(url) {
      const { interactions } = geminiAt(url);
      await interactions.get('v1_a', {}, ONCE);
      await interactions.cancel('v1_a', {}, ONCE);
      await interactions.delete('v1_a', {}, ONCE);
    },
  },
];
