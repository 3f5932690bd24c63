/** Answers of generateContent and of the embedding methods, in the shapes that Google's services give them. */
import type { Fixture } from './fixture.ts';
import type { WireExchange } from './run-exchange.ts';

const MODEL = 'gemini-2.5-flash';
const BASE = `/v1beta/models/${MODEL}`;
const HOST = 'generativelanguage.googleapis.com';
const REQUEST = {
  contents: [{ role: 'user', parts: [{ text: 'What is the weather in Paris?' }] }],
};
const ID = { id: 'xV0gaYr', model: 'gemini-2.5-flash-001' };
const HEAD = { modelVersion: ID.model, responseId: ID.id };
const SSE = 'text/event-stream';

function whole(body: unknown, extra: Partial<WireExchange> = {}): WireExchange {
  return {
    target: `${BASE}:generateContent`,
    host: HOST,
    request: REQUEST,
    status: 200,
    contentType: 'application/json; charset=UTF-8',
    response: JSON.stringify(body, null, 2),
    ...extra,
  };
}

/** Google ends lines with CRLF. */
function events(chunks: readonly unknown[]): string {
  return chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\r\n\r\n`).join('');
}

function streamed(chunks: readonly unknown[], extra: Partial<WireExchange> = {}): WireExchange {
  return {
    ...whole(undefined),
    target: `${BASE}:streamGenerateContent?alt=sse`,
    contentType: SSE,
    response: events(chunks),
    ...extra,
  };
}

/** Without `alt=sse` a stream is one JSON array whose elements come one by one. */
function listed(chunks: readonly unknown[], extra: Partial<WireExchange> = {}): WireExchange {
  return {
    ...whole(undefined),
    target: `${BASE}:streamGenerateContent`,
    response: `[${chunks.map((chunk) => JSON.stringify(chunk, null, 2)).join('\n,\r\n')}\n]\n`,
    ...extra,
  };
}

function parts(...list: object[]): object {
  return { role: 'model', parts: list };
}

function chunk(content: object, rest: object = {}, usage?: object): object {
  return {
    candidates: [{ content, index: 0, ...rest }],
    ...(usage === undefined ? {} : { usageMetadata: usage }),
    ...HEAD,
  };
}

const PROMPT = { promptTokenCount: 8, totalTokenCount: 8 };
const USAGE = { promptTokenCount: 8, candidatesTokenCount: 12, totalTokenCount: 20 };
const TEXT_CHUNKS = [
  chunk(parts({ text: 'It' }), {}, PROMPT),
  chunk(parts({ text: ' is "sunny"\n' }), {}, { ...PROMPT, candidatesTokenCount: 3 }),
  chunk(parts({ text: '☀️ 😀.' }), { finishReason: 'STOP' }, USAGE),
];
const TEXT_EXPECTED = {
  ...ID,
  provider: 'gcp.gemini',
  usage: { inputTokens: 8, outputTokens: 12 },
  finishReasons: ['STOP'],
  messages: [{ text: 'It is "sunny"\n☀️ 😀.', finishReason: 'stop', partTypes: ['text'] }],
};
/** With a number that no float holds. */
const CALLS_TEXT = `[{"functionCall":{"name":"weather","args":{"city":"Paris","big":12345678901234567890}}},{"functionCall":{"id":"fc-2","name":"time"},"thoughtSignature":"Cs8BAdHtim8"}]`;
const TOOL_CALLS = [
  { name: 'weather', argumentsText: '{"city":"Paris","big":12345678901234567890}' },
  { id: 'fc-2', name: 'time', argumentsText: '' },
];

function withCalls(chunkText: string): string {
  return chunkText.replace('"CALLS"', CALLS_TEXT);
}

const CALL_CHUNK = withCalls(
  JSON.stringify({
    candidates: [{ content: { parts: 'CALLS', role: 'model' }, finishReason: 'STOP', index: 0 }],
    usageMetadata: USAGE,
    ...HEAD,
  }),
);
const CALLS_EXPECTED = {
  ...ID,
  usage: { inputTokens: 8, outputTokens: 12 },
  finishReasons: ['STOP'],
  messages: [{ finishReason: 'tool_call', partTypes: ['tool_call', 'tool_call'] }],
  toolCalls: TOOL_CALLS,
};

export const GEMINI_FIXTURES: readonly Fixture[] = [
  {
    name: 'a stream with CRLF, its usage repeated and growing: the last one counts',
    wire: streamed(TEXT_CHUNKS),
    expected: TEXT_EXPECTED,
  },
  {
    name: 'a stream as a JSON array',
    wire: listed(TEXT_CHUNKS),
    expected: TEXT_EXPECTED,
  },
  {
    name: 'an answer in one text',
    wire: whole(chunk(parts({ text: 'It is "sunny"\n☀️ 😀.' }), { finishReason: 'STOP' }, USAGE)),
    expected: TEXT_EXPECTED,
  },
  {
    name: "thoughts, which are output, and what the provider's own tools put into the prompt, which is input",
    wire: streamed([
      chunk(parts({ text: '**Thinking**', thought: true }), {}, PROMPT),
      chunk(parts({ text: ' on.', thought: true }), {}, PROMPT),
      chunk(parts({ text: 'Sunny' }), {}, PROMPT),
      chunk(
        parts({ text: '.' }),
        { finishReason: 'STOP' },
        {
          promptTokenCount: 1000,
          cachedContentTokenCount: 900,
          toolUsePromptTokenCount: 50,
          candidatesTokenCount: 5,
          thoughtsTokenCount: 200,
          totalTokenCount: 1255,
        },
      ),
    ]),
    expected: {
      ...ID,
      usage: {
        inputTokens: 1050,
        outputTokens: 205,
        cacheReadInputTokens: 900,
        reasoningOutputTokens: 200,
      },
      finishReasons: ['STOP'],
      messages: [
        { reasoning: '**Thinking** on.', text: 'Sunny.', partTypes: ['reasoning', 'text'] },
      ],
    },
  },
  {
    name: 'thoughts without a count of candidates, when the limit was spent on thinking',
    wire: whole({
      candidates: [{ content: { role: 'model' }, finishReason: 'MAX_TOKENS', index: 0 }],
      usageMetadata: { promptTokenCount: 8, thoughtsTokenCount: 98, totalTokenCount: 106 },
      ...HEAD,
    }),
    expected: {
      ...ID,
      usage: { inputTokens: 8, outputTokens: 98, reasoningOutputTokens: 98 },
      finishReasons: ['MAX_TOKENS'],
      messages: [{ finishReason: 'length' }],
    },
  },
  {
    name: 'function calls in one text, with STOP, an id for one of them and no arguments for it',
    wire: whole(undefined, { response: CALL_CHUNK }),
    expected: CALLS_EXPECTED,
  },
  {
    name: 'function calls in a stream',
    wire: streamed([], { response: `data: ${CALL_CHUNK}\r\n\r\n` }),
    expected: CALLS_EXPECTED,
  },
  {
    name: 'function calls in a stream that is an array',
    wire: listed([], { response: `[${CALL_CHUNK}\n]` }),
    expected: CALLS_EXPECTED,
  },
  {
    name: 'a text between function calls',
    wire: streamed([
      chunk(parts({ text: 'First' })),
      chunk(parts({ functionCall: { name: 'a', args: {} } })),
      chunk(parts({ text: 'then' }, { functionCall: { name: 'b', args: { x: 1 } } })),
      chunk(parts({ text: '' }), { finishReason: 'STOP' }, USAGE),
    ]),
    expected: {
      ...ID,
      usage: { inputTokens: 8, outputTokens: 12 },
      finishReasons: ['STOP'],
      messages: [{ text: 'Firstthen', partTypes: ['text', 'tool_call', 'text', 'tool_call'] }],
      toolCalls: [
        { name: 'a', argumentsText: '{}' },
        { name: 'b', argumentsText: '{"x":1}' },
      ],
    },
  },
  {
    name: 'arguments that come in pieces',
    wire: streamed([
      chunk(parts({ functionCall: { name: 'move', willContinue: true } })),
      chunk(
        parts({
          functionCall: {
            partialArgs: [{ jsonPath: '$.to.city', stringValue: 'New ', willContinue: true }],
            willContinue: true,
          },
        }),
      ),
      chunk(
        parts({
          functionCall: {
            partialArgs: [
              { jsonPath: '$.to.city', stringValue: 'York' },
              { jsonPath: '$.stops[0]', numberValue: 3 },
              { jsonPath: "$['a b']", boolValue: true },
              { jsonPath: '$.none', nullValue: null },
            ],
            willContinue: true,
          },
        }),
      ),
      chunk(parts({ functionCall: {} }), { finishReason: 'STOP' }, USAGE),
    ]),
    expected: {
      ...ID,
      usage: { inputTokens: 8, outputTokens: 12 },
      finishReasons: ['STOP'],
      messages: [{ partTypes: ['tool_call'] }],
      toolCalls: [
        {
          name: 'move',
          argumentsText: '{"to":{"city":"New York"},"stops":[3],"a b":true,"none":null}',
        },
      ],
    },
  },
  {
    name: 'a finish reason that is a number, and one that is 0',
    wire: streamed([
      chunk(parts({ text: 'a' }), { finishReason: 0 }),
      chunk(parts({ text: 'b' }), { finishReason: 2 }, USAGE),
    ]),
    expected: {
      ...ID,
      usage: { inputTokens: 8, outputTokens: 12 },
      finishReasons: ['MAX_TOKENS'],
      messages: [{ text: 'ab', finishReason: 'length' }],
    },
  },
  {
    name: 'two candidates, the second one stopped for safety',
    wire: whole({
      candidates: [
        { content: parts({ text: 'a' }), finishReason: 'STOP' },
        { index: 1, finishReason: 'SAFETY', safetyRatings: [{ blocked: true }] },
      ],
      usageMetadata: USAGE,
      ...HEAD,
    }),
    expected: {
      ...ID,
      usage: { inputTokens: 8, outputTokens: 12 },
      finishReasons: ['STOP', 'SAFETY'],
      messages: [{ text: 'a' }, { text: '', finishReason: 'content_filter' }],
    },
  },
  {
    name: 'a prompt that is blocked, though the status is 200',
    wire: whole({
      promptFeedback: { blockReason: 'PROHIBITED_CONTENT' },
      usageMetadata: PROMPT,
      modelVersion: ID.model,
      responseId: ID.id,
    }),
    expected: {
      ...ID,
      usage: { inputTokens: 8 },
      finishReasons: [],
      messages: [],
      error: { type: 'PROHIBITED_CONTENT' },
    },
  },
  {
    name: 'images, code and its result among the parts',
    wire: whole(
      chunk(
        parts(
          { inlineData: { mimeType: 'image/png', data: 'iVBORw0KGgo=' } },
          { fileData: { mimeType: 'application/pdf', fileUri: 'https://example.com/a.pdf' } },
          { executableCode: { language: 'PYTHON', code: 'print(1)' } },
          { codeExecutionResult: { outcome: 'OUTCOME_OK', output: '1\n' } },
          { text: 'done' },
        ),
        { finishReason: 'STOP' },
        USAGE,
      ),
    ),
    expected: {
      ...ID,
      usage: { inputTokens: 8, outputTokens: 12 },
      finishReasons: ['STOP'],
      messages: [
        {
          text: 'done',
          partTypes: ['blob', 'uri', 'server_tool_call', 'server_tool_call_response', 'text'],
        },
      ],
    },
  },
  {
    name: 'Vertex AI, whose path names project, location and publisher',
    wire: streamed(TEXT_CHUNKS, {
      target: `/v1/projects/p-1/locations/europe-west4/publishers/google/models/${MODEL}:streamGenerateContent?alt=sse`,
      host: 'europe-west4-aiplatform.googleapis.com',
    }),
    expected: { ...TEXT_EXPECTED, provider: 'gcp.vertex_ai' },
  },
  {
    name: 'Vertex AI behind a gateway of its own name',
    wire: streamed(TEXT_CHUNKS, {
      target: `/vertex/v1/projects/p-1/locations/global/publishers/google/models/${MODEL}:streamGenerateContent?alt=sse`,
      host: 'gateway.example.com',
    }),
    expected: { ...TEXT_EXPECTED, provider: 'gcp.vertex_ai' },
  },
  {
    name: 'the API behind the command line client, which wraps request and chunks',
    wire: {
      ...streamed(TEXT_CHUNKS.map((response) => ({ response, traceId: 't' }))),
      target: '/v1internal:streamGenerateContent?alt=sse',
      host: 'cloudcode-pa.googleapis.com',
      request: { model: MODEL, project: 'p-1', request: REQUEST },
    },
    expected: { ...TEXT_EXPECTED, provider: 'gcp.gen_ai' },
  },
  {
    name: 'a refused request, as a list of one',
    wire: listed([], {
      status: 429,
      response: JSON.stringify([
        {
          error: {
            code: 429,
            message: 'Quota exceeded.',
            status: 'RESOURCE_EXHAUSTED',
            details: [{ '@type': 'type.googleapis.com/google.rpc.QuotaFailure' }],
          },
        },
      ]),
    }),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [],
      error: { type: 'RESOURCE_EXHAUSTED', message: 'Quota exceeded.' },
      noResponse: true,
    },
  },
  {
    name: 'an error in the middle of a stream: what was reported so far stays',
    wire: streamed([
      TEXT_CHUNKS[0],
      TEXT_CHUNKS[1],
      { error: { code: 503, message: 'The model is overloaded.', status: 'UNAVAILABLE' } },
    ]),
    expected: {
      ...ID,
      usage: { inputTokens: 8, outputTokens: 3 },
      finishReasons: [],
      messages: [{ text: 'It is "sunny"\n', finishReason: 'error' }],
      error: { type: 'UNAVAILABLE', message: 'The model is overloaded.' },
      complete: false,
    },
  },
  {
    name: 'a stream that breaks off within an event',
    wire: streamed([], {
      response: events(TEXT_CHUNKS.slice(0, 2)) + events(TEXT_CHUNKS.slice(2)).slice(0, 60),
      isResponseComplete: false,
    }),
    expected: {
      ...ID,
      usage: { inputTokens: 8, outputTokens: 3 },
      finishReasons: [],
      messages: [{ text: 'It is "sunny"\n', finishReason: 'error' }],
      complete: false,
      damage: ['truncated'],
    },
  },
  {
    name: 'an array that ends without its last element',
    wire: listed(TEXT_CHUNKS, {
      response: `[${JSON.stringify(TEXT_CHUNKS[0])},${JSON.stringify(TEXT_CHUNKS[1])}`,
    }),
    expected: {
      ...ID,
      usage: { inputTokens: 8, outputTokens: 3 },
      finishReasons: [],
      messages: [{ text: 'It is "sunny"\n', finishReason: 'error' }],
      complete: false,
      damage: ['truncated'],
    },
  },
  {
    name: 'a body that breaks off in the arguments of a function call',
    wire: whole(undefined, {
      response: CALL_CHUNK.slice(0, CALL_CHUNK.indexOf(',"big"')),
      isResponseComplete: false,
    }),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [{ partTypes: ['tool_call'] }],
      tornToolCalls: [{ name: 'weather', argumentsText: '{"city":"Paris"' }],
      complete: false,
      damage: ['truncated'],
    },
  },
];

const NOTHING = { finishReasons: [], messages: [] };

function embedded(target: string, request: unknown, body: unknown, host = HOST): WireExchange {
  return { target, host, request, status: 200, response: JSON.stringify(body) };
}

export const GEMINI_EMBEDDINGS_FIXTURES: readonly Fixture[] = [
  {
    name: 'vectors without any usage, which the Gemini API mostly gives none of',
    wire: embedded(
      '/v1beta/models/gemini-embedding-001:batchEmbedContents',
      { requests: [{ content: parts({ text: 'a' }), outputDimensionality: 256 }] },
      { embeddings: [{ values: [0.1, -0.2] }] },
    ),
    expected: { ...NOTHING, provider: 'gcp.gemini', usage: {}, noResponse: true },
  },
  {
    name: 'a vector with its usage',
    wire: embedded(
      '/v1beta/models/gemini-embedding-2:embedContent',
      { content: parts({ text: 'a' }) },
      { embedding: { values: [0.1] }, usageMetadata: { promptTokenCount: 7 } },
    ),
    expected: { ...NOTHING, usage: { inputTokens: 7 } },
  },
  {
    name: 'predictions of Vertex AI, whose tokens are counted for each text',
    wire: embedded(
      '/v1/projects/p/locations/us-central1/publishers/google/models/text-embedding-005:predict',
      { instances: [{ content: 'a' }, { content: 'b' }], parameters: { outputDimensionality: 8 } },
      {
        predictions: [
          { embeddings: { values: [1], statistics: { truncated: false, token_count: 3 } } },
          { embeddings: { values: [2], statistics: { truncated: false, token_count: 4 } } },
        ],
        metadata: { billableCharacterCount: 2 },
      },
      'us-central1-aiplatform.googleapis.com',
    ),
    expected: { ...NOTHING, provider: 'gcp.vertex_ai', usage: { inputTokens: 7 } },
  },
];
