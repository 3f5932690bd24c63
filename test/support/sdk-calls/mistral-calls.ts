/** Calls of Mistral's SDK beside chat. https://docs.mistral.ai/api */
import { Mistral } from '@mistralai/mistralai';
import type { CompletionEvent } from '@mistralai/mistralai/models/components';
import {
  cut,
  events,
  json,
  oneCall,
  type SdkCase,
  type SdkRequest,
  type SdkResult,
} from './sdk-case.ts';

function clientAt(url: string): Mistral {
  return new Mistral({ apiKey: 'none', serverURL: url, retryConfig: { strategy: 'none' } });
}

/** The host is not Mistral's, so that only the API is known. */
function requestOf(operation: string, model: string): SdkRequest {
  return { operation, provider: 'openai', model };
}

const CHAT: SdkRequest = { ...requestOf('chat', 'mistral-small-latest'), stream: true };
const CHUNK = {
  id: '0b0c4a2d',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'mistral-small-latest',
};
const STREAM = events(
  [
    {
      ...CHUNK,
      choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }],
    },
    { ...CHUNK, choices: [{ index: 0, delta: { content: 'Hello.' }, finish_reason: null }] },
    {
      ...CHUNK,
      choices: [{ index: 0, delta: { content: '' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 4, completion_tokens: 9, total_tokens: 13 },
    },
  ],
  '[DONE]',
);

async function listen(url: string, result: SdkResult): Promise<void> {
  const messages = [{ role: 'user' as const, content: 'Hi' }];
  const request = { model: 'mistral-small-latest', messages };
  await addAll(result, await clientAt(url).chat.stream(request));
}

async function addAll(result: SdkResult, stream: AsyncIterable<CompletionEvent>): Promise<void> {
  result.text = '';
  for await (const { data } of stream) {
    result.id = data.id;
    result.model = data.model;
    const [choice] = data.choices;
    result.text += typeof choice?.delta.content === 'string' ? choice.delta.content : '';
    if (choice?.finishReason) {
      result.finishReasons = [choice.finishReason];
    }
    result.inputTokens = data.usage?.promptTokens;
    result.outputTokens = data.usage?.completionTokens;
  }
}

const AGENT: SdkRequest = { operation: 'chat', provider: 'openai', model: undefined };
const FILLED: SdkRequest = requestOf('text_completion', 'codestral-latest');
const HOLE = { model: 'codestral-latest', prompt: 'def f(', suffix: 'return a' };
const WHOLE = {
  id: '0b0c4a2d',
  object: 'chat.completion',
  created: 1,
  model: 'mistral-small-latest',
  choices: [
    {
      index: 0,
      message: {
        role: 'assistant',
        content: 'Hello.',
        tool_calls: [{ id: 'c1', function: { name: 'shell', arguments: '{"a":1}' } }],
      },
      finish_reason: 'tool_calls',
    },
  ],
  usage: { prompt_tokens: 4, completion_tokens: 9, total_tokens: 13 },
};

const FILLED_WHOLE = {
  ...WHOLE,
  choices: [{ index: 0, message: { role: 'assistant', content: 'a):' }, finish_reason: 'stop' }],
};

interface Completion {
  id: string;
  model: string;
  choices: { message?: unknown; finishReason: string | null }[];
  usage: { promptTokens?: number | undefined; completionTokens?: number | undefined };
}

function addWhole(result: SdkResult, said: Completion): void {
  const [choice] = said.choices;
  const message = choice!.message as {
    content: string;
    toolCalls?: { id: string; function: { name: string; arguments: string } }[];
  };
  result.id = said.id;
  result.model = said.model;
  result.text = message.content;
  result.finishReasons = [choice!.finishReason!];
  result.toolCalls = (message.toolCalls ?? []).map(({ id, function: called }) => ({
    id,
    name: called.name,
    arguments: JSON.parse(called.arguments),
  }));
  result.inputTokens = said.usage.promptTokens;
  result.outputTokens = said.usage.completionTokens;
}

export const MISTRAL_CASES: readonly SdkCase[] = [
  oneCall('mistral: a chat, streamed', CHAT, STREAM, listen),
  oneCall('mistral: a chat that is cut off', CHAT, cut(STREAM, 2), listen),
  oneCall(
    'mistral: a chat that is refused',
    { ...CHAT, error: '3505' },
    json(
      {
        object: 'error',
        message: 'Service tier capacity exceeded.',
        type: 'service_tier_capacity_exceeded',
        param: null,
        code: '3505',
      },
      { status: 429 },
    ),
    listen,
  ),
  oneCall(
    'mistral: embeddings',
    requestOf('embeddings', 'mistral-embed'),
    json({
      id: '393b1f',
      object: 'list',
      data: [{ object: 'embedding', embedding: [0.5, -1], index: 0 }],
      model: 'mistral-embed',
      usage: {
        prompt_tokens: 15,
        total_tokens: 15,
        completion_tokens: 0,
        prompt_audio_seconds: null,
      },
    }),
    async (url, result) => {
      const request = { model: 'mistral-embed', inputs: ['a', 'b'] };
      const said = await clientAt(url).embeddings.create(request);
      result.id = said.id;
      result.model = said.model;
      result.inputTokens = said.usage.promptTokens;
    },
  ),
  oneCall(
    'mistral: a moderation',
    requestOf('moderation', 'mistral-moderation-latest'),
    json({
      id: '4d71ae',
      model: 'mistral-moderation-latest',
      results: [{ categories: { pii: false }, category_scores: { pii: 0.01 } }],
    }),
    async (url, result) => {
      const request = { model: 'mistral-moderation-latest', inputs: 'Hi' };
      const said = await clientAt(url).classifiers.moderate(request);
      result.id = said.id;
      result.model = said.model;
    },
  ),
  oneCall(
    'mistral: a document that is read',
    { ...requestOf('generate_content', 'mistral-ocr-latest'), provider: 'mistral_ai' },
    json({
      pages: [
        { index: 0, markdown: 'Hi', images: [], dimensions: { dpi: 200, height: 9, width: 9 } },
      ],
      model: 'mistral-ocr-2505',
      usage_info: { pages_processed: 1, doc_size_bytes: 9 },
    }),
    async (url, result) => {
      const document = { type: 'document_url', documentUrl: 'https://files.test/a.pdf' } as const;
      const said = await clientAt(url).ocr.process({ model: 'mistral-ocr-latest', document });
      result.model = said.model;
    },
  ),
  oneCall(
    'mistral: a document that is refused',
    {
      ...requestOf('generate_content', 'mistral-ocr-latest'),
      provider: 'mistral_ai',
      error: '3730',
    },
    json(
      { object: 'error', message: 'No.', type: 'too_many_pages', code: '3730' },
      { status: 422 },
    ),
    async (url) => {
      const document = { type: 'document_url', documentUrl: 'https://files.test/a.pdf' } as const;
      await clientAt(url).ocr.process({ model: 'mistral-ocr-latest', document });
    },
  ),
  oneCall('mistral: an agent’s answer', AGENT, json(WHOLE), async (url, result) => {
    const messages = [{ role: 'user' as const, content: 'Hi' }];
    addWhole(result, await clientAt(url).agents.complete({ agentId: 'ag_1', messages }));
  }),
  oneCall(
    'mistral: an agent’s answer, streamed',
    { ...AGENT, stream: true },
    STREAM,
    async (url, result) => {
      const messages = [{ role: 'user' as const, content: 'Hi' }];
      await addAll(result, await clientAt(url).agents.stream({ agentId: 'ag_1', messages }));
    },
  ),
  oneCall('mistral: a hole that is filled', FILLED, json(FILLED_WHOLE), async (url, result) => {
    addWhole(result, await clientAt(url).fim.complete(HOLE));
  }),
  oneCall(
    'mistral: a hole that is filled, streamed',
    { ...FILLED, stream: true },
    STREAM,
    async (url, result) => {
      await addAll(result, await clientAt(url).fim.stream(HOLE));
    },
  ),
];
