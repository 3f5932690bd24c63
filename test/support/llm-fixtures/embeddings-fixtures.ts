/** Answers of the embeddings API. */
import type { Fixture } from './fixture.ts';
import type { WireExchange } from './run-exchange.ts';

function wire(body: unknown, extra: Partial<WireExchange> = {}): WireExchange {
  return {
    target: '/v1/embeddings',
    host: 'api.openai.com',
    request: {
      model: 'text-embedding-3-small',
      input: ['a text', 'another'],
      encoding_format: 'base64',
      dimensions: 256,
    },
    status: 200,
    response: JSON.stringify(body),
    ...extra,
  };
}

const LIST = {
  object: 'list',
  data: [
    { object: 'embedding', index: 0, embedding: [0.1, -0.25, 1e-9] },
    { object: 'embedding', index: 1, embedding: 'AACAPwAAAEA=' },
  ],
  model: 'text-embedding-3-small',
};
const NOTHING = { finishReasons: [], messages: [] };

export const EMBEDDINGS_FIXTURES: readonly Fixture[] = [
  {
    name: 'vectors and their usage',
    wire: wire({ ...LIST, usage: { prompt_tokens: 8, total_tokens: 8 } }),
    expected: { ...NOTHING, provider: 'openai', model: LIST.model, usage: { inputTokens: 8 } },
  },
  {
    name: 'an answer of Mistral, with an id and no completion tokens',
    wire: wire(
      { id: 'e1', ...LIST, usage: { prompt_tokens: 8, completion_tokens: 0, total_tokens: 8 } },
      { host: 'api.mistral.ai' },
    ),
    expected: {
      ...NOTHING,
      provider: 'mistral_ai',
      id: 'e1',
      model: LIST.model,
      usage: { inputTokens: 8 },
    },
  },
  {
    name: 'an answer without usage',
    wire: wire(LIST),
    expected: { ...NOTHING, model: LIST.model, usage: {} },
  },
  {
    name: 'a refused request',
    wire: wire(
      { error: { message: 'No such model.', type: 'invalid_request_error', code: 'no_model' } },
      { status: 404 },
    ),
    expected: {
      ...NOTHING,
      usage: {},
      error: { type: 'no_model', message: 'No such model.' },
      noResponse: true,
    },
  },
  {
    name: 'an answer that is cut off',
    wire: {
      ...wire(LIST),
      response: JSON.stringify(LIST).slice(0, 90),
      isResponseComplete: false,
    },
    expected: {
      ...NOTHING,
      usage: {},
      complete: false,
      damage: ['truncated'],
      noResponse: true,
    },
  },
];
