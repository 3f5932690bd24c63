/** Calls of Ollama's client. https://docs.ollama.com/api */
import { Ollama } from 'ollama';
import {
  cut,
  json,
  lines,
  oneCall,
  type SdkCase,
  type SdkRequest,
  type SdkResult,
} from './sdk-case.ts';

const MODEL = 'llama3.2:3b';
const EMBEDDER = 'nomic-embed-text';

function requestOf(operation: string, model: string): SdkRequest {
  return { operation, provider: 'ollama', model };
}

const GENERATE = requestOf('text_completion', MODEL);
const STREAMED: SdkRequest = { ...GENERATE, stream: true };
const CHAT: SdkRequest = { ...requestOf('chat', MODEL), stream: true };
const HEAD = { model: MODEL, created_at: '2025-01-01T00:00:00.000000Z' };
const END = {
  done: true,
  done_reason: 'stop',
  context: [1, 2, 3],
  total_duration: 4935886791,
  load_duration: 534986708,
  prompt_eval_count: 26,
  prompt_eval_duration: 107345000,
  eval_count: 237,
  eval_duration: 4289432000,
};
const JSON_LINES = 'application/x-ndjson';
const STREAM = lines(
  [
    { ...HEAD, response: '', thinking: 'Let me see.', done: false },
    { ...HEAD, response: 'Hel', done: false },
    { ...HEAD, response: 'lo.', done: false },
    { ...HEAD, response: '', ...END },
  ],
  JSON_LINES,
);
const CHAT_STREAM = lines(
  [
    { ...HEAD, message: { role: 'assistant', content: 'Hel' }, done: false },
    { ...HEAD, message: { role: 'assistant', content: 'lo.' }, done: false },
    { ...HEAD, message: { role: 'assistant', content: '' }, ...END },
  ],
  JSON_LINES,
);
const NOT_FOUND = json({ error: `model '${MODEL}' not found` }, { status: 404 });

interface Said {
  model: string;
  text: string;
  thinking?: string | undefined;
  done: boolean;
  done_reason?: string | undefined;
  prompt_eval_count: number;
  eval_count: number;
}

function add(result: SdkResult, said: Said): void {
  result.model = said.model;
  result.text = (result.text ?? '') + said.text;
  result.reasoning = (result.reasoning ?? '') + (said.thinking ?? '');
  if (said.done) {
    result.finishReasons = [said.done_reason ?? ''];
    result.inputTokens = said.prompt_eval_count;
    result.outputTokens = said.eval_count;
  }
}

async function ask(url: string, result: SdkResult): Promise<void> {
  const request = { model: MODEL, prompt: 'Hi', stream: false } as const;
  const said = await new Ollama({ host: url }).generate(request);
  add(result, { ...said, text: said.response ?? '' });
}

async function listen(url: string, result: SdkResult): Promise<void> {
  const request = { model: MODEL, prompt: 'Hi', stream: true } as const;
  for await (const said of await new Ollama({ host: url }).generate(request)) {
    add(result, { ...said, text: said.response ?? '' });
  }
}

async function chat(url: string, result: SdkResult): Promise<void> {
  const messages = [{ role: 'user', content: 'Hi' }];
  const client = new Ollama({ host: url });
  for await (const said of await client.chat({ model: MODEL, messages, stream: true })) {
    add(result, { ...said, text: said.message.content, thinking: said.message.thinking });
  }
}

export const OLLAMA_CASES: readonly SdkCase[] = [
  oneCall('ollama: generate', GENERATE, json({ ...HEAD, response: 'Hello.', ...END }), ask),
  oneCall('ollama: generate, streamed', STREAMED, STREAM, listen),
  oneCall('ollama: generate, cut off', STREAMED, cut(STREAM, 2), listen),
  oneCall('ollama: generate, refused', { ...GENERATE, error: '404' }, NOT_FOUND, ask),
  oneCall('ollama: a chat that is cut off', CHAT, cut(CHAT_STREAM, 2), chat),
  oneCall('ollama: a chat that is refused', { ...CHAT, error: '404' }, NOT_FOUND, chat),
  oneCall(
    'ollama: embeddings',
    requestOf('embeddings', EMBEDDER),
    json({
      model: EMBEDDER,
      embeddings: [[0.5, -1]],
      total_duration: 14143917,
      load_duration: 1019500,
      prompt_eval_count: 8,
    }),
    async (url, result) => {
      const request = { model: EMBEDDER, input: ['a', 'b'] };
      const said = await new Ollama({ host: url }).embed(request);
      result.model = said.model;
      result.inputTokens = said.prompt_eval_count;
    },
  ),
  oneCall(
    'ollama: embeddings, the older method, which counts nothing',
    requestOf('embeddings', EMBEDDER),
    json({ embedding: [0.5, -1] }),
    async (url) => {
      await new Ollama({ host: url }).embeddings({ model: EMBEDDER, prompt: 'a' });
    },
  ),
  {
    name: 'ollama: models listed and shown: no calls',
    answers: [json({ models: [] }), json({ modelfile: '', details: {}, model_info: {} })],
    requests: [],
    async call(url) {
      const client = new Ollama({ host: url });
      await client.list();
      await client.show({ model: MODEL });
    },
  },
];
