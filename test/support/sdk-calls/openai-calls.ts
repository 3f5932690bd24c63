/** Calls of OpenAI's SDK: every API of it that runs a model, whole and streamed. https://platform.openai.com/docs/api-reference */
import OpenAI, { AzureOpenAI, toFile } from 'openai';
import {
  cut,
  events,
  json,
  namedEvents,
  oneCall,
  type SdkCase,
  type SdkRequest,
  type SdkResult,
} from './sdk-case.ts';

function clientAt(url: string): OpenAI {
  return new OpenAI({ apiKey: 'sk-none', baseURL: `${url}/v1`, maxRetries: 0 });
}

function requestOf(operation: string, model: string): SdkRequest {
  return { operation, provider: 'openai', model };
}

const CHAT = { ...requestOf('chat', 'gpt-4o'), stream: true } as const;
/** Told by its path, at whatever host. */
const AZURE_CHAT = { ...CHAT, provider: 'azure.ai.openai' } as const;
const MESSAGES = [{ role: 'user' as const, content: 'Hi' }];
const CHUNK = {
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'gpt-4o-2024-08-06',
};
const CHAT_STREAM = events(
  [
    { ...CHUNK, choices: [{ index: 0, delta: { role: 'assistant', content: '' } }] },
    { ...CHUNK, choices: [{ index: 0, delta: { content: 'Hel' } }] },
    { ...CHUNK, choices: [{ index: 0, delta: { content: 'lo.' } }] },
    { ...CHUNK, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
    {
      ...CHUNK,
      choices: [],
      usage: {
        prompt_tokens: 11,
        completion_tokens: 7,
        total_tokens: 18,
        prompt_tokens_details: { cached_tokens: 4 },
        completion_tokens_details: { reasoning_tokens: 5 },
      },
    },
  ],
  '[DONE]',
);

async function streamChat(client: OpenAI, result: SdkResult): Promise<void> {
  const stream = await client.chat.completions.create({
    model: 'gpt-4o',
    messages: MESSAGES,
    stream: true,
    stream_options: { include_usage: true },
  });
  result.text = '';
  for await (const chunk of stream) {
    result.id = chunk.id;
    result.model = chunk.model;
    const [choice] = chunk.choices;
    result.text += choice?.delta.content ?? '';
    if (choice?.finish_reason) {
      result.finishReasons = [choice.finish_reason];
    }
    if (chunk.usage) {
      result.inputTokens = chunk.usage.prompt_tokens;
      result.outputTokens = chunk.usage.completion_tokens;
      result.cacheReadTokens = chunk.usage.prompt_tokens_details?.cached_tokens;
      result.reasoningTokens = chunk.usage.completion_tokens_details?.reasoning_tokens;
    }
  }
}

const COMPLETION = { id: 'cmpl-1', object: 'text_completion', created: 1 };
const INSTRUCT = 'gpt-3.5-turbo-instruct';
const IMAGE_USAGE = {
  total_tokens: 310,
  input_tokens: 38,
  output_tokens: 272,
  input_tokens_details: { text_tokens: 10, image_tokens: 28 },
};
const PICTURE = Buffer.from('a picture').toString('base64');
const IMAGE = requestOf('generate_content', 'gpt-image-1');
const AUDIO = requestOf('generate_content', 'gpt-4o-transcribe');
const AUDIO_USAGE = {
  type: 'tokens' as const,
  input_tokens: 14,
  input_token_details: { text_tokens: 0, audio_tokens: 14 },
  output_tokens: 45,
  total_tokens: 59,
};

function addCounts(
  result: SdkResult,
  usage: { input_tokens?: number; output_tokens?: number } | undefined,
): void {
  result.inputTokens = usage?.input_tokens;
  result.outputTokens = usage?.output_tokens;
}

const RESPONSES = requestOf('chat', 'gpt-5');
const RESPONSE_USAGE = {
  input_tokens: 36,
  input_tokens_details: { cached_tokens: 8 },
  output_tokens: 87,
  output_tokens_details: { reasoning_tokens: 64 },
  total_tokens: 123,
};

function responseOf(id: string, status: string, text?: string): Record<string, unknown> {
  const content = [{ type: 'output_text', text, annotations: [] }];
  return {
    id,
    object: 'response',
    created_at: 1,
    status,
    background: true,
    error: null,
    incomplete_details: null,
    model: 'gpt-5-2025-08-07',
    output:
      text === undefined
        ? []
        : [
            { id: 'rs_1', type: 'reasoning', summary: [] },
            { id: 'msg_1', type: 'message', status, role: 'assistant', content },
            {
              id: 'fc_1',
              type: 'function_call',
              status,
              call_id: 'call_1',
              name: 'shell',
              arguments: '{"command":"ls"}',
            },
          ],
    usage: text === undefined ? null : RESPONSE_USAGE,
  };
}

function addResponse(results: SdkResult[], response: OpenAI.Responses.Response): void {
  const { usage } = response;
  results.push({
    id: response.id,
    model: response.model,
    ...(response.status === 'completed' && { finishReasons: ['completed'] }),
    text: response.output_text,
    toolCalls: response.output.flatMap((item) =>
      item.type === 'function_call'
        ? [{ id: item.call_id, name: item.name, arguments: JSON.parse(item.arguments) as unknown }]
        : [],
    ),
    inputTokens: usage?.input_tokens,
    outputTokens: usage?.output_tokens,
    cacheReadTokens: usage?.input_tokens_details.cached_tokens,
    reasoningTokens: usage?.output_tokens_details.reasoning_tokens,
  });
}

const RESPONSE_STREAM = namedEvents([
  { type: 'response.created', sequence_number: 0, response: responseOf('resp_3', 'in_progress') },
  {
    type: 'response.output_item.added',
    sequence_number: 1,
    output_index: 0,
    item: { id: 'msg_1', type: 'message', status: 'in_progress', role: 'assistant', content: [] },
  },
  {
    type: 'response.content_part.added',
    sequence_number: 2,
    item_id: 'msg_1',
    output_index: 0,
    content_index: 0,
    part: { type: 'output_text', text: '', annotations: [] },
  },
  {
    type: 'response.output_text.delta',
    sequence_number: 3,
    item_id: 'msg_1',
    output_index: 0,
    content_index: 0,
    delta: 'Hello.',
  },
]);

async function streamResponse(url: string, result: SdkResult): Promise<void> {
  const stream = await clientAt(url).responses.create({
    model: 'gpt-5',
    input: 'Hi',
    stream: true,
  });
  result.text = '';
  for await (const event of stream) {
    if (event.type === 'response.created') {
      result.id = event.response.id;
      result.model = event.response.model;
    } else if (event.type === 'response.output_text.delta') {
      result.text += event.delta;
    }
  }
}

export const OPENAI_CASES: readonly SdkCase[] = [
  oneCall('openai: chat, streamed', CHAT, CHAT_STREAM, (url, result) =>
    streamChat(clientAt(url), result),
  ),
  oneCall('openai: a chat that is cut off', CHAT, cut(CHAT_STREAM, 3), (url, result) =>
    streamChat(clientAt(url), result),
  ),
  oneCall(
    'openai: a chat that is refused',
    { ...CHAT, error: 'rate_limit_exceeded' },
    json(
      {
        error: {
          message: 'Slow down.',
          type: 'requests',
          param: null,
          code: 'rate_limit_exceeded',
        },
      },
      { status: 429 },
    ),
    (url, result) => streamChat(clientAt(url), result),
  ),
  oneCall('openai: a deployment at Azure', AZURE_CHAT, CHAT_STREAM, (url, result) =>
    streamChat(
      new AzureOpenAI({
        endpoint: url,
        apiKey: 'none',
        apiVersion: '2024-10-21',
        deployment: 'gpt-4o',
        maxRetries: 0,
      }),
      result,
    ),
  ),
  oneCall(
    'openai: completions, two of them',
    requestOf('text_completion', INSTRUCT),
    json({
      ...COMPLETION,
      model: INSTRUCT,
      choices: [
        { text: 'One.', index: 0, logprobs: null, finish_reason: 'stop' },
        { text: 'Two', index: 1, logprobs: null, finish_reason: 'length' },
      ],
      usage: { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 },
    }),
    async (url, result) => {
      const request = { model: INSTRUCT, prompt: 'Count:', n: 2 };
      const said = await clientAt(url).completions.create(request);
      result.id = said.id;
      result.model = said.model;
      result.finishReasons = said.choices.map((choice) => choice.finish_reason);
      result.text = said.choices.map(({ text }) => text).join('');
      result.inputTokens = said.usage?.prompt_tokens;
      result.outputTokens = said.usage?.completion_tokens;
    },
  ),
  oneCall(
    'openai: completions, streamed',
    { ...requestOf('text_completion', INSTRUCT), stream: true },
    events(
      [
        {
          ...COMPLETION,
          model: INSTRUCT,
          choices: [{ text: 'Hel', index: 0, logprobs: null, finish_reason: null }],
        },
        {
          ...COMPLETION,
          model: INSTRUCT,
          choices: [{ text: 'lo.', index: 0, logprobs: null, finish_reason: 'stop' }],
        },
      ],
      '[DONE]',
    ),
    async (url, result) => {
      const request = { model: INSTRUCT, prompt: 'Say:', stream: true } as const;
      result.text = '';
      for await (const chunk of await clientAt(url).completions.create(request)) {
        result.id = chunk.id;
        result.model = chunk.model;
        result.text += chunk.choices[0]!.text;
        result.finishReasons = [chunk.choices[0]!.finish_reason];
      }
    },
  ),
  ...(['float', undefined] as const).map((format) =>
    oneCall(
      `openai: embeddings, ${format ?? 'in the SDK’s own encoding'}`,
      requestOf('embeddings', 'text-embedding-3-small'),
      json({
        object: 'list',
        data: [
          {
            object: 'embedding',
            index: 0,
            embedding:
              format === undefined
                ? Buffer.from(new Float32Array([0.5, -1]).buffer).toString('base64')
                : [0.5, -1],
          },
        ],
        model: 'text-embedding-3-small',
        usage: { prompt_tokens: 8, total_tokens: 8 },
      }),
      async (url, result) => {
        const said = await clientAt(url).embeddings.create({
          model: 'text-embedding-3-small',
          input: ['a', 'b'],
          ...(format && { encoding_format: format }),
        });
        if (said.data[0]?.embedding[1] !== -1) {
          throw new Error('the SDK could not read the vector');
        }
        result.model = said.model;
        result.inputTokens = said.usage.prompt_tokens;
      },
    ),
  ),
  oneCall(
    'openai: embeddings that are refused',
    { ...requestOf('embeddings', 'text-embedding-9'), error: 'model_not_found' },
    json(
      {
        error: {
          message: 'No such model.',
          type: 'invalid_request_error',
          param: null,
          code: 'model_not_found',
        },
      },
      { status: 404 },
    ),
    async (url) => {
      await clientAt(url).embeddings.create({ model: 'text-embedding-9', input: 'a' });
    },
  ),
  oneCall(
    'openai: a picture',
    IMAGE,
    json({ created: 1, data: [{ b64_json: PICTURE }], usage: IMAGE_USAGE }),
    async (url, result) => {
      const request = { model: 'gpt-image-1', prompt: 'A cat.' };
      addCounts(result, (await clientAt(url).images.generate(request)).usage);
    },
  ),
  oneCall(
    'openai: a picture that is changed, as a form',
    IMAGE,
    json({ created: 1, data: [{ b64_json: PICTURE }], usage: IMAGE_USAGE }),
    async (url, result) => {
      const image = await toFile(Buffer.alloc(4096, 7), 'cat.png', { type: 'image/png' });
      const request = { model: 'gpt-image-1', image, prompt: 'A dog.' };
      addCounts(result, (await clientAt(url).images.edit(request)).usage);
    },
  ),
  oneCall(
    'openai: a picture, streamed',
    { ...IMAGE, stream: true },
    namedEvents([
      { type: 'image_generation.partial_image', b64_json: PICTURE, partial_image_index: 0 },
      { type: 'image_generation.completed', b64_json: PICTURE, usage: IMAGE_USAGE },
    ]),
    async (url, result) => {
      const stream = await clientAt(url).images.generate({
        model: 'gpt-image-1',
        prompt: 'A cat.',
        stream: true,
        partial_images: 1,
      });
      for await (const event of stream) {
        if (event.type === 'image_generation.completed') {
          addCounts(result, event.usage);
        }
      }
    },
  ),
  oneCall(
    'openai: a picture that is refused',
    { ...IMAGE, error: 'moderation_blocked' },
    json(
      {
        error: {
          message: 'Not this.',
          type: 'image_generation_user_error',
          param: null,
          code: 'moderation_blocked',
        },
      },
      { status: 400 },
    ),
    async (url) => {
      await clientAt(url).images.generate({ model: 'gpt-image-1', prompt: 'A cat.' });
    },
  ),
  oneCall(
    'openai: speech',
    requestOf('generate_content', 'gpt-4o-mini-tts'),
    { contentType: 'audio/mpeg', pieces: [Buffer.alloc(3000, 0xff), Buffer.alloc(3000, 0xfb)] },
    async (url) => {
      const request = { model: 'gpt-4o-mini-tts', voice: 'alloy', input: 'Hello.' } as const;
      const said = await clientAt(url).audio.speech.create(request);
      if ((await said.arrayBuffer()).byteLength !== 6000) {
        throw new Error('the SDK did not get the sound');
      }
    },
  ),
  oneCall(
    'openai: a transcription',
    AUDIO,
    json({ text: 'Hello.', usage: AUDIO_USAGE }),
    async (url, result) => {
      const said = await clientAt(url).audio.transcriptions.create({
        model: 'gpt-4o-transcribe',
        file: await toFile(Buffer.alloc(5000, 1), 'a.wav'),
      });
      addCounts(result, said.usage?.type === 'tokens' ? said.usage : undefined);
    },
  ),
  oneCall(
    'openai: a transcription, streamed',
    { ...AUDIO, stream: true },
    namedEvents([
      { type: 'transcript.text.delta', delta: 'Hello.' },
      { type: 'transcript.text.done', text: 'Hello.', usage: AUDIO_USAGE },
    ]),
    async (url, result) => {
      const stream = await clientAt(url).audio.transcriptions.create({
        model: 'gpt-4o-transcribe',
        file: await toFile(Buffer.alloc(5000, 1), 'a.wav'),
        stream: true,
      });
      for await (const event of stream) {
        if (event.type === 'transcript.text.done') {
          addCounts(result, event.usage);
        }
      }
    },
  ),
  oneCall(
    'openai: a translation',
    requestOf('generate_content', 'whisper-1'),
    json({ text: 'Hello.' }),
    async (url) => {
      const file = await toFile(Buffer.alloc(5000, 1), 'a.wav');
      await clientAt(url).audio.translations.create({ model: 'whisper-1', file });
    },
  ),
  oneCall(
    'openai: a moderation',
    requestOf('moderation', 'omni-moderation-latest'),
    json({
      id: 'modr-1',
      model: 'omni-moderation-2024-09-26',
      results: [{ flagged: false, categories: {}, category_scores: {} }],
    }),
    async (url, result) => {
      const request = { model: 'omni-moderation-latest', input: 'Hi' };
      const said = await clientAt(url).moderations.create(request);
      result.id = said.id;
      result.model = said.model;
    },
  ),
  {
    name: 'openai: a response in the background, fetched until it is done',
    answers: [
      json(responseOf('resp_1', 'queued')),
      json(responseOf('resp_1', 'in_progress')),
      json(responseOf('resp_1', 'completed', 'Hello.')),
    ],
    requests: [
      RESPONSES,
      { operation: 'fetch_response', provider: 'openai', model: undefined },
      { operation: 'fetch_response', provider: 'openai', model: undefined },
    ],
    async call(url, results) {
      const client = clientAt(url);
      const request = { model: 'gpt-5', input: 'Hi', background: true };
      let response = await client.responses.create(request);
      addResponse(results, response);
      while (response.status === 'queued' || response.status === 'in_progress') {
        response = await client.responses.retrieve(response.id);
        addResponse(results, response);
      }
    },
  },
  {
    name: 'openai: a response, whole, that is fetched and counted again: no call',
    answers: [
      json(responseOf('resp_2', 'completed', 'Hello.')),
      json(responseOf('resp_2', 'completed', 'Hello.')),
      json({ object: 'response.input_tokens', input_tokens: 9 }),
    ],
    requests: [RESPONSES],
    async call(url, results) {
      const client = clientAt(url);
      addResponse(results, await client.responses.create({ model: 'gpt-5', input: 'Hi' }));
      await client.responses.retrieve('resp_2');
      await client.responses.inputTokens.count({ model: 'gpt-5', input: 'Hi' });
    },
  },
  oneCall(
    'openai: a conversation made shorter',
    RESPONSES,
    json({
      id: 'resp_4',
      object: 'response.compaction',
      created_at: 1,
      output: [{ id: 'cmp_1', type: 'compaction', encrypted_content: 'AAAA' }],
      usage: RESPONSE_USAGE,
    }),
    async (url, result) => {
      const said = await clientAt(url).responses.compact({ model: 'gpt-5', input: 'Hi' });
      result.id = said.id;
      addCounts(result, said.usage);
      result.cacheReadTokens = said.usage.input_tokens_details.cached_tokens;
      result.reasoningTokens = said.usage.output_tokens_details.reasoning_tokens;
    },
  ),
  oneCall(
    'openai: a response that is cut off',
    { ...RESPONSES, stream: true },
    { ...RESPONSE_STREAM, isCut: true },
    streamResponse,
  ),
  oneCall(
    'openai: a response that is refused',
    { ...RESPONSES, stream: true, error: 'server_overload' },
    json(
      {
        error: {
          message: 'Overloaded.',
          type: 'server_error',
          param: null,
          code: 'server_overload',
        },
      },
      { status: 503 },
    ),
    streamResponse,
  ),
];
