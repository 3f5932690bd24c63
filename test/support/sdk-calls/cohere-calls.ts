/** Calls of Cohere's SDK, both versions of the API. https://docs.cohere.com/reference */
import { CohereClient, CohereClientV2 } from 'cohere-ai';
import {
  cut,
  json,
  lines,
  namedEvents,
  oneCall,
  type SdkAnswer,
  type SdkCase,
  type SdkRequest,
  type SdkResult,
} from './sdk-case.ts';

const MODEL = 'command-r-plus-08-2024';
const EMBEDDER = 'embed-v4.0';
const QUERY = 'search_query' as const;
const ONCE = { maxRetries: 0 };
const CHAT: SdkRequest = { operation: 'chat', provider: 'cohere', model: MODEL };
const STREAMED: SdkRequest = { ...CHAT, stream: true };
const EMBEDS: SdkRequest = { operation: 'embeddings', provider: 'cohere', model: EMBEDDER };

function first(url: string): CohereClient {
  return new CohereClient({ token: 'none', environment: url });
}

function second(url: string): CohereClientV2 {
  return new CohereClientV2({ token: 'none', environment: url });
}

const META = {
  api_version: { version: '1' },
  billed_units: { input_tokens: 6, output_tokens: 38 },
  tokens: { input_tokens: 70, output_tokens: 39 },
};
const SAID = {
  response_id: 'r-1',
  generation_id: 'g-1',
  text: 'Hello.',
  chat_history: [],
  finish_reason: 'COMPLETE',
  tool_calls: [{ name: 'shell', parameters: { command: 'ls' } }],
  meta: META,
};
const STREAM_V1 = [
  { is_finished: false, event_type: 'stream-start', generation_id: 'g-1' },
  { is_finished: false, event_type: 'text-generation', text: 'Hel' },
  { is_finished: false, event_type: 'text-generation', text: 'lo.' },
  {
    is_finished: false,
    event_type: 'tool-calls-generation',
    text: 'Hello.',
    tool_calls: SAID.tool_calls,
  },
  { is_finished: true, event_type: 'stream-end', response: SAID, finish_reason: 'COMPLETE' },
];
const LINES_V1: SdkAnswer = lines(STREAM_V1, 'application/stream+json');

type SaidV1 = Awaited<ReturnType<CohereClient['chat']>>;

function addV1(result: SdkResult, said: SaidV1): void {
  result.id = said.generationId;
  result.text = said.text;
  result.finishReasons = [said.finishReason!];
  result.toolCalls = said.toolCalls!.map(({ name, parameters }) => ({
    name,
    arguments: parameters,
  }));
  result.inputTokens = said.meta?.billedUnits?.inputTokens;
  result.outputTokens = said.meta?.billedUnits?.outputTokens;
}

async function askV1(url: string, result: SdkResult): Promise<void> {
  addV1(result, await first(url).chat({ model: MODEL, message: 'Hi' }, ONCE));
}

async function listenV1(url: string, result: SdkResult): Promise<void> {
  result.text = '';
  for await (const event of await first(url).chatStream({ model: MODEL, message: 'Hi' }, ONCE)) {
    if (event.eventType === 'stream-start') {
      result.id = event.generationId;
    } else if (event.eventType === 'text-generation') {
      result.text += event.text;
    } else if (event.eventType === 'stream-end') {
      addV1(result, event.response);
    }
  }
}

const REFUSED = json({ id: 'x', message: 'invalid api token' }, { status: 401 });
const STREAM_V2 = namedEvents([
  { type: 'message-start', id: 'm-1', delta: { message: { role: 'assistant', content: [] } } },
  {
    type: 'content-start',
    index: 0,
    delta: { message: { content: { type: 'text', text: '' } } },
  },
  { type: 'content-delta', index: 0, delta: { message: { content: { text: 'Hello.' } } } },
  { type: 'content-end', index: 0 },
  {
    type: 'message-end',
    delta: { finish_reason: 'COMPLETE', usage: { billed_units: META.billed_units } },
  },
]);

async function listenV2(url: string, result: SdkResult): Promise<void> {
  const messages = [{ role: 'user' as const, content: 'Hi' }];
  result.text = '';
  for await (const event of await second(url).chatStream({ model: MODEL, messages }, ONCE)) {
    if (event.type === 'message-start') {
      result.id = event.id;
    } else if (event.type === 'content-delta') {
      result.text += event.delta?.message?.content?.text ?? '';
    } else if (event.type === 'message-end') {
      result.finishReasons = [event.delta!.finishReason!];
      result.inputTokens = event.delta?.usage?.billedUnits?.inputTokens;
      result.outputTokens = event.delta?.usage?.billedUnits?.outputTokens;
    }
  }
}

const GENERATE: SdkRequest = { operation: 'text_completion', provider: 'cohere', model: 'command' };
const GENERATED = { id: 'n-1', generations: [{ id: 'n-2', text: 'Hello.' }], meta: META };
const GENERATED_TEXTS = ['Hel', 'lo.'].map((text) => ({
  event_type: 'text-generation',
  text,
  is_finished: false,
}));
const GENERATED_LINES = lines(
  [
    ...GENERATED_TEXTS,
    {
      event_type: 'stream-end',
      is_finished: true,
      finish_reason: 'COMPLETE',
      response: {
        id: 'n-1',
        generations: [{ id: 'n-2', text: 'Hello.', finish_reason: 'COMPLETE' }],
      },
    },
  ],
  'application/stream+json',
);
const PROMPT = { model: 'command', prompt: 'Hi' };

async function askGenerate(url: string, result: SdkResult): Promise<void> {
  const said = await first(url).generate(PROMPT, ONCE);
  result.id = said.id;
  result.text = said.generations[0]!.text;
  result.inputTokens = said.meta?.billedUnits?.inputTokens;
  result.outputTokens = said.meta?.billedUnits?.outputTokens;
}

async function listenGenerate(url: string, result: SdkResult): Promise<void> {
  result.text = '';
  for await (const event of await first(url).generateStream(PROMPT, ONCE)) {
    if (event.eventType === 'text-generation') {
      result.text += event.text;
    } else if (event.eventType === 'stream-error') {
      result.error = event.finishReason;
    } else {
      result.id = event.response.id;
      result.finishReasons = event.response.generations!.map((one) => one.finishReason);
    }
  }
}

export const COHERE_CASES: readonly SdkCase[] = [
  oneCall('cohere: chat, version 1', CHAT, json(SAID), askV1),
  oneCall('cohere: chat, version 1, streamed', STREAMED, LINES_V1, listenV1),
  oneCall('cohere: chat, version 1, cut off', STREAMED, cut(LINES_V1, 2), listenV1),
  oneCall('cohere: chat, version 1, refused', { ...CHAT, error: '401' }, REFUSED, askV1),
  oneCall('cohere: chat, version 2, streamed', STREAMED, STREAM_V2, listenV2),
  oneCall('cohere: chat, version 2, cut off', STREAMED, cut(STREAM_V2, 3), listenV2),
  oneCall('cohere: chat, version 2, refused', { ...STREAMED, error: '401' }, REFUSED, listenV2),
  oneCall(
    'cohere: embeddings, version 1',
    EMBEDS,
    json({
      id: 'e-1',
      texts: ['a'],
      embeddings: [[0.5, -1]],
      meta: { api_version: { version: '1' }, billed_units: { input_tokens: 2 } },
      response_type: 'embeddings_floats',
    }),
    async (url, result) => {
      const request = { model: EMBEDDER, texts: ['a'], inputType: QUERY };
      const said = await first(url).embed(request, ONCE);
      result.id = said.id;
      result.inputTokens = said.meta?.billedUnits?.inputTokens;
    },
  ),
  oneCall(
    'cohere: embeddings, version 2',
    EMBEDS,
    json({
      id: 'e-2',
      texts: ['a'],
      embeddings: { float: [[0.5, -1]] },
      meta: { api_version: { version: '2' }, billed_units: { input_tokens: 3 } },
      response_type: 'embeddings_by_type',
    }),
    async (url, result) => {
      const said = await second(url).embed(
        { model: EMBEDDER, texts: ['a'], inputType: QUERY, embeddingTypes: ['float'] },
        ONCE,
      );
      result.id = said.id;
      result.inputTokens = said.meta?.billedUnits?.inputTokens;
    },
  ),
  oneCall(
    'cohere: embeddings that are refused',
    { ...EMBEDS, error: '401' },
    REFUSED,
    async (url) => {
      const request = { model: EMBEDDER, texts: ['a'], inputType: QUERY };
      await first(url).embed(request, ONCE);
    },
  ),
  oneCall('cohere: a text generated', GENERATE, json(GENERATED), askGenerate),
  oneCall(
    'cohere: a text generated, streamed',
    { ...GENERATE, stream: true },
    GENERATED_LINES,
    listenGenerate,
  ),
  oneCall(
    'cohere: a text generated, cut off',
    { ...GENERATE, stream: true },
    cut(GENERATED_LINES, 2),
    listenGenerate,
  ),
  oneCall('cohere: a text not generated', { ...GENERATE, error: '401' }, REFUSED, askGenerate),
  oneCall(
    'cohere: a text blocked while it was generated',
    { ...GENERATE, stream: true, error: 'ERROR_TOXIC' },
    lines(
      [
        GENERATED_TEXTS[0],
        {
          event_type: 'stream-error',
          is_finished: true,
          finish_reason: 'ERROR_TOXIC',
          err: 'Blocked.',
        },
      ],
      'application/stream+json',
    ),
    listenGenerate,
  ),
  oneCall(
    'cohere: a summary',
    GENERATE,
    json({ id: 's-1', summary: 'Short.', meta: META }),
    async (url, result) => {
      const said = await first(url).summarize({ model: 'command', text: 'Long.' }, ONCE);
      result.id = said.id;
      result.inputTokens = said.meta?.billedUnits?.inputTokens;
      result.outputTokens = said.meta?.billedUnits?.outputTokens;
    },
  ),
  oneCall(
    'cohere: classes',
    { operation: 'classification', provider: 'cohere', model: EMBEDDER },
    json({
      id: 'c-1',
      classifications: [
        {
          id: 'c-2',
          input: 'a',
          prediction: 'b',
          predictions: ['b'],
          confidence: 0.9,
          confidences: [0.9],
          labels: { b: { confidence: 0.9 } },
          classification_type: 'single-label',
        },
      ],
      meta: { api_version: { version: '1' }, billed_units: { classifications: 1 } },
    }),
    async (url, result) => {
      const said = await first(url).classify({ model: EMBEDDER, inputs: ['a'] }, ONCE);
      result.id = said.id;
      result.inputTokens = said.meta?.billedUnits?.inputTokens;
    },
  ),
  {
    name: 'cohere: documents ranked and a text cut into tokens: no calls',
    answers: [
      json({ id: 'k-1', results: [{ index: 0, relevance_score: 0.9 }] }),
      json({ tokens: [1, 2], token_strings: ['a', 'b'] }),
    ],
    requests: [],
    async call(url) {
      const request = { model: 'rerank-v3.5', query: 'a', documents: ['a'] };
      await second(url).rerank(request, ONCE);
      await first(url).tokenize({ text: 'ab', model: MODEL }, ONCE);
    },
  },
];
