/**
 * Calls of AWS's SDK for Bedrock with every family of models whose own bodies InvokeModel carries. The SDK gives their
 * bytes back; what they mean is in each family's own documentation.
 * https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
 */
import {
  BedrockRuntimeClient,
  ConverseStreamCommand,
  InvokeModelCommand,
  InvokeModelWithResponseStreamCommand,
} from '@aws-sdk/client-bedrock-runtime';
import { awsEvent, awsException } from '../aws-event-stream.ts';
import {
  COMMAND_R_CHUNKS,
  COUNT_HEADERS,
  LLAMA_CHUNKS,
  LLAMA_WHOLE,
  METRICS,
  MISTRAL_CHUNKS,
  MISTRAL_WHOLE,
  NOVA_CHUNKS,
  NOVA_WHOLE,
  TITAN_CHUNKS,
} from '../llm-fixtures/bedrock-bodies.ts';
import {
  awsChunks,
  cut,
  json,
  oneCall,
  type SdkAnswer,
  type SdkCase,
  type SdkRequest,
  type SdkResult,
} from './sdk-case.ts';

function clientAt(url: string): BedrockRuntimeClient {
  return new BedrockRuntimeClient({
    region: 'us-east-1',
    endpoint: url,
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'none' },
    maxAttempts: 1,
  });
}

const BY_HEADERS = { headers: COUNT_HEADERS };
const MESSAGES = [{ role: 'user', content: 'Hi' }];
const LLAMA = 'us.meta.llama3-3-70b-instruct-v1:0';

/** A model's own body, whose shape its family knows. */
// biome-ignore lint/suspicious/noExplicitAny: as the SDK gives it.
type Json = Record<string, any>;

interface Family {
  model: string;
  operation?: string;
  request: object;
  whole: SdkAnswer;
  stream?: SdkAnswer;
  /** What a body, or one chunk of a stream, says of text, end, tool calls and counts. */
  read(body: Json, result: SdkResult): void;
}

function say(result: SdkResult, text: unknown, reason?: unknown): void {
  if (typeof text === 'string') {
    result.text = (result.text ?? '') + text;
  }
  if (typeof reason === 'string') {
    result.finishReasons = [reason];
  }
}

function count(result: SdkResult, input: unknown, output: unknown): void {
  if (typeof input === 'number') {
    result.inputTokens = input;
  }
  if (typeof output === 'number') {
    result.outputTokens = output;
  }
}

function openAiLike(model: string, endName: string): Family {
  return {
    model,
    request: { messages: MESSAGES, max_tokens: 100 },
    whole: json(
      {
        id: 'c-1',
        model,
        choices: [
          {
            index: 0,
            message: {
              role: 'assistant',
              content: 'Hello.',
              tool_calls: [
                {
                  id: 't-1',
                  type: 'function',
                  function: { name: 'shell', arguments: '{"command":"ls"}' },
                },
              ],
            },
            [endName]: 'tool_calls',
          },
        ],
        usage: { prompt_tokens: 30, completion_tokens: 12, total_tokens: 42 },
      },
      BY_HEADERS,
    ),
    stream: awsChunks([
      { id: 'c-1', model, choices: [{ index: 0, delta: { role: 'assistant', content: 'Hel' } }] },
      { id: 'c-1', model, choices: [{ index: 0, delta: { content: 'lo.' }, [endName]: 'stop' }] },
      {
        id: 'c-1',
        model,
        choices: [],
        usage: { prompt_tokens: 30, completion_tokens: 12 },
        ...METRICS,
      },
    ]),
    read(body, result) {
      result.id = body.id;
      result.model = body.model;
      const choice = body.choices[0];
      const part = choice?.delta ?? choice?.message;
      say(result, part?.content, choice?.[endName]);
      for (const call of part?.tool_calls ?? []) {
        const given = JSON.parse(call.function.arguments) as unknown;
        result.toolCalls = [{ id: call.id, name: call.function.name, arguments: given }];
      }
      count(result, body.usage?.prompt_tokens, body.usage?.completion_tokens);
    },
  };
}

const FAMILIES: Readonly<Record<string, Family>> = {
  'Titan’s text': {
    model: 'amazon.titan-text-express-v1',
    operation: 'text_completion',
    request: { inputText: 'Hi', textGenerationConfig: { maxTokenCount: 100 } },
    whole: json({
      inputTextTokenCount: 30,
      results: [{ tokenCount: 12, outputText: 'Hello.', completionReason: 'FINISH' }],
    }),
    stream: awsChunks(TITAN_CHUNKS),
    read(body, result) {
      const said = body.results?.[0] ?? body;
      say(result, said.outputText, said.completionReason);
      count(result, body.inputTextTokenCount, said.tokenCount ?? body.totalOutputTextTokenCount);
    },
  },
  Llama: {
    model: LLAMA,
    operation: 'text_completion',
    request: { prompt: 'Hi', max_gen_len: 100 },
    whole: json(LLAMA_WHOLE),
    stream: awsChunks(LLAMA_CHUNKS),
    read(body, result) {
      say(result, body.generation, body.stop_reason);
      count(result, body.prompt_token_count, body.generation_token_count);
    },
  },
  'Mistral’s prompts': {
    model: 'mistral.mistral-7b-instruct-v0:2',
    operation: 'text_completion',
    request: { prompt: '<s>[INST] Hi [/INST]', max_tokens: 100 },
    whole: json(MISTRAL_WHOLE, BY_HEADERS),
    stream: awsChunks(MISTRAL_CHUNKS),
    read(body, result) {
      say(result, body.outputs[0].text, body.outputs[0].stop_reason);
      count(result, 30, 12);
    },
  },
  'Mistral’s chat': openAiLike('mistral.mistral-large-2407-v1:0', 'stop_reason'),
  'AI21’s Jamba': openAiLike('ai21.jamba-1-5-large-v1:0', 'finish_reason'),
  'OpenAI’s open models': openAiLike('openai.gpt-oss-120b-1:0', 'finish_reason'),
  'AI21’s Jurassic': {
    model: 'ai21.j2-ultra-v1',
    operation: 'text_completion',
    request: { prompt: 'Hi', maxTokens: 100 },
    whole: json(
      {
        id: 1234,
        prompt: { text: 'Hi', tokens: [] },
        completions: [
          { data: { text: 'Hello.', tokens: [] }, finishReason: { reason: 'endoftext' } },
        ],
      },
      BY_HEADERS,
    ),
    read(body, result) {
      const [said] = body.completions;
      say(result, said.data.text, said.finishReason.reason);
      count(result, 30, 12);
    },
  },
  DeepSeek: {
    model: 'us.deepseek.r1-v1:0',
    operation: 'text_completion',
    request: { prompt: 'Hi', max_tokens: 100 },
    whole: json({ choices: [{ text: 'Hello.', stop_reason: 'stop' }] }, BY_HEADERS),
    stream: awsChunks([
      { choices: [{ text: 'Hel', stop_reason: null }] },
      { choices: [{ text: 'lo.', stop_reason: 'stop' }], ...METRICS },
    ]),
    read(body, result) {
      say(result, body.choices[0].text, body.choices[0].stop_reason);
      count(result, 30, 12);
    },
  },
  'Cohere’s prompts': {
    model: 'cohere.command-text-v14',
    operation: 'text_completion',
    request: { prompt: 'Hi', max_tokens: 100, stream: true },
    whole: json(
      {
        id: 'c-2',
        prompt: 'Hi',
        generations: [{ id: 'g-2', text: 'Hello.', finish_reason: 'COMPLETE' }],
      },
      BY_HEADERS,
    ),
    read(body, result) {
      result.id = body.id;
      say(result, body.generations[0].text, body.generations[0].finish_reason);
      count(result, 30, 12);
    },
  },
  'Cohere’s Command R': {
    model: 'cohere.command-r-plus-v1:0',
    request: { message: 'Hi', chat_history: [{ role: 'USER', message: 'Oh' }] },
    whole: json(
      { response_id: 'r-1', generation_id: 'g-1', text: 'Hello.', finish_reason: 'COMPLETE' },
      BY_HEADERS,
    ),
    stream: awsChunks(COMMAND_R_CHUNKS),
    read(body, result) {
      const isEnd = body.event_type === 'stream-end';
      result.id = body.response?.generation_id ?? body.generation_id;
      say(result, isEnd ? undefined : body.text, body.finish_reason);
      count(result, 30, 12);
    },
  },
  'Amazon’s Nova': {
    model: 'us.amazon.nova-pro-v1:0',
    request: {
      schemaVersion: 'messages-v1',
      messages: [{ role: 'user', content: [{ text: 'Hi' }] }],
      inferenceConfig: { maxTokens: 100 },
    },
    whole: json(NOVA_WHOLE),
    stream: awsChunks(NOVA_CHUNKS),
    read(body, result) {
      const text = body.output?.message.content[0].text ?? body.contentBlockDelta?.delta.text;
      say(result, text, body.stopReason ?? body.messageStop?.stopReason);
      const usage = body.usage ?? body.metadata?.usage;
      count(result, usage?.inputTokens, usage?.outputTokens);
    },
  },
  'Titan’s embeddings': {
    model: 'amazon.titan-embed-text-v2:0',
    operation: 'embeddings',
    request: { inputText: 'a', dimensions: 256, normalize: true },
    whole: json({ embedding: [0.5, -1], inputTextTokenCount: 3 }),
    read: (body, result) => count(result, body.inputTextTokenCount, undefined),
  },
  'Cohere’s embeddings': {
    model: 'cohere.embed-english-v3',
    operation: 'embeddings',
    request: { texts: ['a'], input_type: 'search_query' },
    whole: json(
      { id: 'e-1', embeddings: [[0.5, -1]], texts: ['a'], response_type: 'embeddings_floats' },
      { headers: { 'x-amzn-bedrock-input-token-count': '4' } },
    ),
    read(body, result) {
      result.id = body.id;
      count(result, 4, undefined);
    },
  },
};

function inputOf({ model, request }: Family): {
  modelId: string;
  body: string;
  contentType: string;
} {
  return { modelId: model, body: JSON.stringify(request), contentType: 'application/json' };
}

async function invoke(family: Family, url: string, result: SdkResult): Promise<void> {
  const client = clientAt(url);
  try {
    const { body } = await client.send(new InvokeModelCommand(inputOf(family)));
    family.read(JSON.parse(body.transformToString()) as Json, result);
  } finally {
    client.destroy();
  }
}

async function listen(family: Family, url: string, result: SdkResult): Promise<void> {
  const client = clientAt(url);
  try {
    const command = new InvokeModelWithResponseStreamCommand(inputOf(family));
    const { body = [] } = await client.send(command);
    for await (const { chunk } of body) {
      family.read(JSON.parse(Buffer.from(chunk!.bytes!).toString('utf8')) as Json, result);
    }
  } finally {
    client.destroy();
  }
}

function casesOf([name, family]: [string, Family]): SdkCase[] {
  const { model, operation = 'chat', whole, stream } = family;
  const request: SdkRequest = { operation, provider: 'aws.bedrock', model };
  const cases = [
    oneCall(`bedrock: ${name}, whole`, request, whole, (url, result) =>
      invoke(family, url, result),
    ),
  ];
  if (stream !== undefined) {
    cases.push(
      oneCall(`bedrock: ${name}, streamed`, { ...request, stream: true }, stream, (url, result) =>
        listen(family, url, result),
      ),
    );
  }
  return cases;
}

const LLAMA_STREAM: SdkRequest = {
  operation: 'text_completion',
  provider: 'aws.bedrock',
  model: LLAMA,
  stream: true,
};
const CONVERSE_MODEL = 'us.amazon.nova-lite-v1:0';
const CONVERSE: SdkRequest = {
  operation: 'chat',
  provider: 'aws.bedrock',
  model: CONVERSE_MODEL,
  stream: true,
};
const CONVERSE_STREAM: SdkAnswer = {
  contentType: 'application/vnd.amazon.eventstream',
  pieces: [
    awsEvent('messageStart', { role: 'assistant' }),
    awsEvent('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'Hello.' } }),
    awsEvent('contentBlockStop', { contentBlockIndex: 0 }),
  ],
};

async function converse(url: string, result: SdkResult): Promise<void> {
  const client = clientAt(url);
  const messages = [{ role: 'user' as const, content: [{ text: 'Hi' }] }];
  result.text = '';
  try {
    const command = new ConverseStreamCommand({ modelId: CONVERSE_MODEL, messages });
    const { stream = [] } = await client.send(command);
    for await (const event of stream) {
      result.text += event.contentBlockDelta?.delta?.text ?? '';
    }
  } finally {
    client.destroy();
  }
}

export const BEDROCK_CASES: readonly SdkCase[] = [
  ...Object.entries(FAMILIES).flatMap(casesOf),
  oneCall(
    'bedrock: a stream that fails',
    { ...LLAMA_STREAM, error: 'modelStreamErrorException' },
    {
      ...FAMILIES.Llama!.stream!,
      pieces: [
        FAMILIES.Llama!.stream!.pieces[0]!,
        awsException('modelStreamErrorException', 'The model failed.'),
      ],
    },
    (url, result) => listen(FAMILIES.Llama!, url, result),
  ),
  oneCall(
    'bedrock: a stream that is cut off',
    LLAMA_STREAM,
    cut(FAMILIES.Llama!.stream!, 2),
    (url, result) => listen(FAMILIES.Llama!, url, result),
  ),
  oneCall(
    'bedrock: a refused stream',
    { ...LLAMA_STREAM, error: 'ThrottlingException' },
    json(
      { message: 'Too many requests.' },
      { status: 429, headers: { 'x-amzn-errortype': 'ThrottlingException' } },
    ),
    (url, result) => listen(FAMILIES.Llama!, url, result),
  ),
  oneCall('bedrock: Converse, cut off', CONVERSE, { ...CONVERSE_STREAM, isCut: true }, converse),
];
