/** Pictures, sound and moderation: what is counted of them, and that nothing else is kept. */
import type { Expected, Fixture } from './fixture.ts';
import { openAiEvents, type WireExchange } from './run-exchange.ts';

const NOTHING = { finishReasons: [], messages: [] };
const BOUNDARY = 'form-boundary-7d1';

/** A form as clients send it: the file first, and binary. */
export function formOf(fields: Readonly<Record<string, string>>, file: string): string {
  const parts = [
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${file}"; filename="a.bin"\r\n` +
      `Content-Type: application/octet-stream\r\n\r\n\0\r\n--${BOUNDARY.slice(0, -1)}{"model":"x"}\r\n`,
    ...Object.entries(fields).map(
      ([name, value]) =>
        `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
    ),
  ];
  return `${parts.join('')}--${BOUNDARY}--\r\n`;
}

export const FORM_HEADERS = { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}` };

function wire(target: string, request: object, response: unknown): WireExchange {
  const body = typeof response === 'string' ? response : JSON.stringify(response);
  return { target, host: 'api.openai.com', request, status: 200, response: body };
}

function events(list: readonly object[]): string {
  return openAiEvents(list, false);
}

const IMAGE_USAGE = {
  total_tokens: 4210,
  input_tokens: 50,
  output_tokens: 4160,
  input_tokens_details: { text_tokens: 10, image_tokens: 40 },
  output_tokens_details: { text_tokens: 0, image_tokens: 4160 },
};

const IMAGE_COUNTS: Expected['usage'] = {
  inputTokens: 50,
  outputTokens: 4160,
  byModality: {
    text: { inputTokens: 10, outputTokens: 0 },
    image: { inputTokens: 40, outputTokens: 4160 },
  },
};

const SOUND_USAGE = {
  type: 'tokens',
  input_tokens: 14,
  input_token_details: { text_tokens: 4, audio_tokens: 10 },
  output_tokens: 45,
  total_tokens: 59,
};

const SOUND_COUNTS: Expected['usage'] = {
  inputTokens: 14,
  outputTokens: 45,
  byModality: { text: { inputTokens: 4 }, audio: { inputTokens: 10 } },
};

export const IMAGES_FIXTURES: readonly Fixture[] = [
  {
    name: 'a picture and the tokens of text and picture',
    wire: wire(
      '/v1/images/generations',
      { model: 'gpt-image-1', prompt: 'a cat', n: 2 },
      {
        created: 1,
        data: [{ b64_json: 'aGVsbG8=' }, { b64_json: 'aGVsbG8=' }],
        usage: IMAGE_USAGE,
      },
    ),
    expected: { ...NOTHING, provider: 'openai', usage: IMAGE_COUNTS },
  },
  {
    name: 'a picture changed, of a form',
    wire: {
      ...wire('/v1/images/edits', {}, { created: 1, data: [{ b64_json: '' }], usage: IMAGE_USAGE }),
      request: formOf({ model: 'gpt-image-1', prompt: 'a dog' }, 'image[]'),
      requestHeaders: FORM_HEADERS,
    },
    expected: { ...NOTHING, usage: IMAGE_COUNTS },
  },
  {
    name: 'pictures that come in parts',
    wire: {
      ...wire(
        '/v1/images/generations',
        { model: 'gpt-image-1', prompt: 'a cat', stream: true, partial_images: 1 },
        events([
          { type: 'image_generation.partial_image', b64_json: 'AAAA', partial_image_index: 0 },
          { type: 'image_generation.completed', b64_json: 'AAAA', usage: IMAGE_USAGE },
        ]),
      ),
      contentType: 'text/event-stream',
    },
    expected: { ...NOTHING, usage: IMAGE_COUNTS },
  },
  {
    name: 'pictures without usage',
    wire: wire(
      '/v1/images/generations',
      { model: 'dall-e-3', prompt: 'a cat' },
      { created: 1, data: [{ url: 'https://x.example/a.png' }] },
    ),
    expected: { ...NOTHING, usage: {}, noResponse: true },
  },
  {
    name: 'a refused picture',
    wire: {
      ...wire(
        '/v1/images/generations',
        { model: 'gpt-image-1', prompt: 'a cat' },
        {
          error: {
            code: 'moderation_blocked',
            message: 'No.',
            type: 'image_generation_user_error',
          },
        },
      ),
      status: 400,
    },
    expected: {
      ...NOTHING,
      usage: {},
      noResponse: true,
      error: { type: 'moderation_blocked', message: 'No.' },
    },
  },
  {
    name: 'pictures cut off between their parts',
    wire: {
      ...wire(
        '/v1/images/generations',
        { model: 'gpt-image-1', prompt: 'a cat', stream: true },
        events([{ type: 'image_generation.partial_image', b64_json: 'AAAA' }]),
      ),
      contentType: 'text/event-stream',
      isResponseComplete: false,
    },
    expected: { ...NOTHING, usage: {}, noResponse: true, complete: false, damage: ['truncated'] },
  },
];

export const AUDIO_FIXTURES: readonly Fixture[] = [
  {
    name: 'a voice, which is no text',
    wire: {
      ...wire('/v1/audio/speech', { model: 'gpt-4o-mini-tts', input: 'Hello', voice: 'coral' }, ''),
      contentType: 'audio/mpeg',
      response: Buffer.from('{"not":"JSON, but sound\0\xff', 'latin1'),
    },
    expected: { ...NOTHING, usage: {}, noResponse: true },
  },
  {
    name: 'a voice in events, and its usage',
    wire: {
      ...wire(
        '/v1/audio/speech',
        { model: 'gpt-4o-mini-tts', input: 'Hello', voice: 'coral', stream_format: 'sse' },
        events([
          { type: 'speech.audio.delta', audio: 'AAAA' },
          {
            type: 'speech.audio.done',
            usage: { input_tokens: 14, output_tokens: 101, total_tokens: 115 },
          },
        ]),
      ),
      contentType: 'text/event-stream',
    },
    expected: { ...NOTHING, usage: { inputTokens: 14, outputTokens: 101 } },
  },
  {
    name: 'a transcription and the tokens of sound',
    wire: {
      ...wire('/v1/audio/transcriptions', {}, { text: 'Hello.', usage: SOUND_USAGE }),
      request: formOf({ model: 'gpt-4o-transcribe', temperature: '0.2' }, 'file'),
      requestHeaders: FORM_HEADERS,
    },
    expected: { ...NOTHING, usage: SOUND_COUNTS },
  },
  {
    name: 'a transcription in events',
    wire: {
      ...wire(
        '/v1/audio/transcriptions',
        {},
        events([
          { type: 'transcript.text.delta', delta: 'Hel' },
          { type: 'transcript.text.delta', delta: 'lo.' },
          { type: 'transcript.text.done', text: 'Hello.', usage: SOUND_USAGE },
        ]),
      ),
      request: formOf({ model: 'gpt-4o-transcribe', stream: 'true' }, 'file'),
      requestHeaders: FORM_HEADERS,
      contentType: 'text/event-stream',
    },
    expected: { ...NOTHING, usage: SOUND_COUNTS },
  },
  {
    name: 'a transcription that is counted in seconds',
    wire: {
      ...wire(
        '/v1/audio/transcriptions',
        {},
        { text: 'Hello.', usage: { type: 'duration', seconds: 3 } },
      ),
      request: formOf({ model: 'whisper-1' }, 'file'),
      requestHeaders: FORM_HEADERS,
    },
    expected: { ...NOTHING, usage: {}, noResponse: true },
  },
  {
    name: 'a translation as subtitles, which are no JSON',
    wire: {
      ...wire('/v1/audio/translations', {}, '1\n00:00:00,000 --> 00:00:01,000\nHello.\n'),
      request: formOf({ model: 'whisper-1', response_format: 'srt' }, 'file'),
      requestHeaders: FORM_HEADERS,
      contentType: 'text/plain; charset=utf-8',
    },
    expected: { ...NOTHING, usage: {}, noResponse: true },
  },
  {
    name: 'a voice that broke off',
    wire: {
      ...wire('/v1/audio/speech', { model: 'tts-1', input: 'Hello', voice: 'coral' }, 'ID3'),
      contentType: 'audio/mpeg',
      isResponseComplete: false,
    },
    expected: { ...NOTHING, usage: {}, noResponse: true, complete: false, damage: ['truncated'] },
  },
];

const JUDGEMENT = { id: 'modr-1', model: 'omni-moderation-latest', results: [{ flagged: false }] };

export const MODERATIONS_FIXTURES: readonly Fixture[] = [
  {
    name: 'a judgement',
    wire: wire(
      '/v1/moderations',
      { input: ['a', 'b'], model: 'omni-moderation-latest' },
      JUDGEMENT,
    ),
    expected: { ...NOTHING, usage: {}, id: 'modr-1', model: 'omni-moderation-latest' },
  },
  {
    name: 'a judgement of Mistral, of a conversation and with usage',
    wire: {
      ...wire(
        '/v1/chat/moderations',
        { input: [{ role: 'user', content: 'a' }], model: 'mistral-moderation-latest' },
        { ...JUDGEMENT, usage: { prompt_tokens: 5, completion_tokens: 0, total_tokens: 5 } },
      ),
      host: 'api.mistral.ai',
    },
    expected: {
      ...NOTHING,
      provider: 'mistral_ai',
      usage: { inputTokens: 5, outputTokens: 0 },
      id: 'modr-1',
      model: 'omni-moderation-latest',
    },
  },
];
