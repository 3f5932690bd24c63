/** Models of other publishers on Vertex AI. */
import type { Fixture } from './fixture.ts';
import { anthropicEvents, openAiEvents } from './run-exchange.ts';

const BASE = '/v1/projects/p/locations/us-east5/publishers';
const HOST = 'us-east5-aiplatform.googleapis.com';
const ID = { id: 'msg_vrtx_01', model: 'claude-sonnet-4-5-20250929' };
const REQUEST = {
  anthropic_version: 'vertex-2023-10-16',
  max_tokens: 100,
  messages: [{ role: 'user', content: 'Hi' }],
};
const EXPECTED = {
  ...ID,
  provider: 'gcp.vertex_ai',
  usage: { inputTokens: 30, outputTokens: 12, cacheReadInputTokens: 20 },
  finishReasons: ['end_turn'],
  messages: [{ text: 'Hello.', finishReason: 'stop' }],
};
const USAGE = { input_tokens: 10, cache_read_input_tokens: 20 };

export const VERTEX_FIXTURES: readonly Fixture[] = [
  {
    name: 'Claude in one text',
    wire: {
      target: `${BASE}/anthropic/models/claude-sonnet-4-5@20250929:rawPredict`,
      host: HOST,
      request: REQUEST,
      status: 200,
      response: JSON.stringify({
        ...ID,
        role: 'assistant',
        content: [{ type: 'text', text: 'Hello.' }],
        stop_reason: 'end_turn',
        usage: { ...USAGE, output_tokens: 12 },
      }),
    },
    expected: EXPECTED,
  },
  {
    name: 'Claude in a stream, behind a gateway',
    wire: {
      target: `${BASE}/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict`,
      host: 'gateway.example.com',
      request: { ...REQUEST, stream: true },
      status: 200,
      contentType: 'text/event-stream; charset=utf-8',
      response: anthropicEvents([
        { type: 'message_start', message: { ...ID, role: 'assistant', usage: USAGE } },
        { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
        {
          type: 'content_block_delta',
          index: 0,
          delta: { type: 'text_delta', text: 'Hello.' },
        },
        { type: 'content_block_stop', index: 0 },
        {
          type: 'message_delta',
          delta: { stop_reason: 'end_turn' },
          usage: { output_tokens: 12 },
        },
        { type: 'message_stop' },
      ]),
    },
    expected: EXPECTED,
  },
  {
    name: 'Mistral in a stream',
    wire: {
      target: `${BASE}/mistralai/models/mistral-small-2503:streamRawPredict`,
      host: HOST,
      request: {
        model: 'mistral-small-2503',
        stream: true,
        messages: [{ role: 'user', content: 'Hi' }],
      },
      status: 200,
      contentType: 'text/event-stream',
      response: openAiEvents([
        { id: 'x', model: 'mistral-small-2503', choices: [{ index: 0, delta: { content: 'Hi' } }] },
        {
          id: 'x',
          model: 'mistral-small-2503',
          choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
          usage: { prompt_tokens: 5, completion_tokens: 2 },
        },
      ]),
    },
    expected: {
      id: 'x',
      model: 'mistral-small-2503',
      provider: 'gcp.vertex_ai',
      usage: { inputTokens: 5, outputTokens: 2 },
      finishReasons: ['stop'],
      messages: [{ text: 'Hi' }],
    },
  },
];
