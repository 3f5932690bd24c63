/** Calls of Google's SDK, at the Gemini API and at Vertex AI. https://ai.google.dev/api/generate-content */
import type { GenerateContentResponse, GoogleGenAI } from '@google/genai';
import { geminiAt, vertexAt } from './google-clients.ts';
import {
  cut,
  events,
  json,
  oneCall,
  type SdkCase,
  type SdkRequest,
  type SdkResult,
} from './sdk-case.ts';

const MODEL = 'gemini-2.5-flash';
const EMBEDDER = 'gemini-embedding-001';
const VERTEX_EMBEDDER = 'text-embedding-005';

type ClientOf = (url: string) => GoogleGenAI;

const USAGE = {
  promptTokenCount: 15,
  candidatesTokenCount: 24,
  thoughtsTokenCount: 33,
  cachedContentTokenCount: 4,
  totalTokenCount: 72,
};
const HEAD = { modelVersion: MODEL, responseId: 'resp-g1' };

function chunk(parts: object[], more: object = {}): Record<string, unknown> {
  return { candidates: [{ content: { parts, role: 'model' }, index: 0, ...more }], ...HEAD };
}

const CALLED = { functionCall: { name: 'shell', args: { command: 'ls', deep: [1, {}] } } };
const WHOLE = {
  ...chunk([{ text: 'Let me see.', thought: true }, { text: 'I look.' }, CALLED], {
    finishReason: 'STOP',
  }),
  usageMetadata: USAGE,
};
const STREAM = events([
  { ...chunk([{ text: 'Let me see.', thought: true }]), usageMetadata: { promptTokenCount: 15 } },
  { ...chunk([{ text: 'I ' }]), usageMetadata: { promptTokenCount: 15 } },
  { ...chunk([{ text: 'look.' }]), usageMetadata: { promptTokenCount: 15 } },
  { ...chunk([CALLED], { finishReason: 'STOP' }), usageMetadata: USAGE },
]);
const EXHAUSTED = 'RESOURCE_EXHAUSTED';
const REFUSED = { error: { code: 429, message: 'Quota exceeded.', status: EXHAUSTED } };

function add(result: SdkResult, response: GenerateContentResponse): void {
  result.id = response.responseId;
  result.model = response.modelVersion;
  result.text ??= '';
  result.reasoning ??= '';
  result.toolCalls ??= [];
  const [candidate] = response.candidates ?? [];
  for (const part of candidate?.content?.parts ?? []) {
    result[part.thought ? 'reasoning' : 'text'] += part.text ?? '';
  }
  for (const { name, args } of response.functionCalls ?? []) {
    result.toolCalls.push({ name: name!, arguments: args });
  }
  if (candidate?.finishReason) {
    result.finishReasons = [candidate.finishReason];
  }
  const usage = response.usageMetadata;
  result.inputTokens = usage?.promptTokenCount;
  const outputs = [usage?.candidatesTokenCount, usage?.thoughtsTokenCount];
  if (outputs.some((count) => count !== undefined)) {
    result.outputTokens = outputs.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  }
  result.cacheReadTokens = usage?.cachedContentTokenCount;
  result.reasoningTokens = usage?.thoughtsTokenCount;
}

function generating(where: string, clientOf: ClientOf, provider: string): SdkCase[] {
  const request: SdkRequest = { operation: 'generate_content', provider, model: MODEL };
  const streamed: SdkRequest = { ...request, stream: true };
  async function ask(url: string, result: SdkResult): Promise<void> {
    add(result, await clientOf(url).models.generateContent({ model: MODEL, contents: 'Hi' }));
  }
  async function listen(url: string, result: SdkResult): Promise<void> {
    const { models } = clientOf(url);
    for await (const part of await models.generateContentStream({ model: MODEL, contents: 'Hi' })) {
      add(result, part);
    }
  }
  return [
    oneCall(`${where}: whole`, request, json(WHOLE), ask),
    oneCall(`${where}: streamed`, streamed, STREAM, listen),
    oneCall(`${where}: cut off`, streamed, cut(STREAM, 2), listen),
    oneCall(
      `${where}: refused`,
      { ...request, error: EXHAUSTED },
      json(REFUSED, { status: 429 }),
      ask,
    ),
    oneCall(
      `${where}: a stream refused`,
      { ...streamed, error: EXHAUSTED },
      json(REFUSED, { status: 429 }),
      listen,
    ),
    {
      name: `${where}: tokens counted, and the list of models: no calls`,
      answers: [json({ totalTokens: 3 }), json({ models: [], publisherModels: [] })],
      requests: [],
      async call(url) {
        const { models } = clientOf(url);
        await models.countTokens({ model: MODEL, contents: 'Hi' });
        await models.list();
      },
    },
  ];
}

export const GOOGLE_CASES: readonly SdkCase[] = [
  ...generating('genai', geminiAt, 'gcp.gemini'),
  ...generating('genai at Vertex AI', vertexAt, 'gcp.vertex_ai'),
  oneCall(
    'genai: embeddings',
    { operation: 'embeddings', provider: 'gcp.gemini', model: EMBEDDER },
    json({ embeddings: [{ values: [0.5, -1] }, { values: [1, 2] }] }),
    async (url) => {
      const { models } = geminiAt(url);
      const said = await models.embedContent({ model: EMBEDDER, contents: ['a', 'b'] });
      if (said.embeddings?.[0]?.values?.[1] !== -1) {
        throw new Error('the SDK could not read the vectors');
      }
    },
  ),
  oneCall(
    'genai at Vertex AI: embeddings, each with its own count',
    { operation: 'embeddings', provider: 'gcp.vertex_ai', model: VERTEX_EMBEDDER },
    json({
      predictions: [3, 5].map((count) => ({
        embeddings: { values: [0.5, -1], statistics: { token_count: count, truncated: false } },
      })),
      metadata: { billableCharacterCount: 7 },
    }),
    async (url, result) => {
      const { models } = vertexAt(url);
      const said = await models.embedContent({ model: VERTEX_EMBEDDER, contents: ['a', 'b'] });
      const counts = said.embeddings?.map(({ statistics }) => statistics?.tokenCount ?? 0) ?? [];
      result.inputTokens = counts.reduce((sum, count) => sum + count, 0);
    },
  ),
  oneCall(
    'genai: embeddings that are refused',
    { operation: 'embeddings', provider: 'gcp.gemini', model: EMBEDDER, error: EXHAUSTED },
    json(REFUSED, { status: 429 }),
    async (url) => {
      await geminiAt(url).models.embedContent({ model: EMBEDDER, contents: 'a' });
    },
  ),
];
