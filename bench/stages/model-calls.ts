/** The readers of the wire APIs, from decoded bodies on: one event a read, texts with content off. */
import { EventStreamCodec } from '@smithy/eventstream-codec';
import type { Exchange } from '../../src/http/exchange.ts';
import type { ModelCall } from '../../src/llm/model-call.ts';
import { createRandom } from '../../test/support/model-server/random.ts';
import type { Build } from '../support/build.ts';
import { prose } from '../support/prose.ts';
import { everyOf, totalBytes, type Work } from './work.ts';

const DELTAS = 4000;
/** What a TLS record can hold, and so what one read of a large body mostly gives. */
const READ_BYTES = 16_384;

interface Stream {
  name: string;
  host: string;
  target: string;
  request: object;
  contentType: string;
  reads: Buffer[];
  /** Tokens of the answer, which the last event tells. */
  outputTokens: number;
}

/** Pieces of prose as tokens are, a few letters each. */
const TOKENS = prose(createRandom(5), DELTAS).match(/ ?[^ ]{1,5}/gs) as string[];
const tokens: readonly string[] = Array.from(
  { length: DELTAS },
  (_, index) => TOKENS[index % TOKENS.length] as string,
);

const line = (event: object): Buffer => Buffer.from(`${JSON.stringify(event)}\n`);
const sse = (event: object): Buffer => Buffer.from(`data: ${JSON.stringify(event)}\n\n`);
const named = (event: { type: string; [member: string]: unknown }): Buffer =>
  Buffer.from(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);

const SSE = 'text/event-stream';
const ASKED = [{ role: 'user', content: 'hi' }];

function chatCompletions(isToolCall: boolean): Stream {
  const head = {
    id: 'chatcmpl-BxVqnSWJ0a1c2e3g4i5k6m7o8',
    object: 'chat.completion.chunk',
    created: 1_763_700_000,
    model: 'gpt-4o-2024-08-06',
    service_tier: 'default',
    system_fingerprint: 'fp_50cad350e4',
  };
  const chunk = (delta: object, reason: string | null): Buffer =>
    sse({ ...head, choices: [{ index: 0, delta, logprobs: null, finish_reason: reason }] });
  const usage = { prompt_tokens: 7, completion_tokens: DELTAS };
  const call = { index: 0, id: 'call_1', type: 'function', function: { name: 'w', arguments: '' } };
  const said = isToolCall
    ? [
        chunk({ tool_calls: [call] }, null),
        ...tokens.map((text) =>
          chunk({ tool_calls: [{ index: 0, function: { arguments: text } }] }, null),
        ),
      ]
    : tokens.map((content) => chunk({ content }, null));
  return {
    name: `chat completions${isToolCall ? ', tool call' : ''}`,
    host: 'api.openai.com',
    target: '/v1/chat/completions',
    request: { model: 'gpt-4o', stream: true, messages: ASKED },
    contentType: SSE,
    reads: [
      ...said,
      chunk({}, isToolCall ? 'tool_calls' : 'stop'),
      sse({ ...head, choices: [], usage }),
      Buffer.from('data: [DONE]\n\n'),
    ],
    outputTokens: DELTAS,
  };
}

function responses(isToolCall: boolean): Stream {
  const response = { id: 'resp_1', object: 'response', model: 'gpt-5', status: 'in_progress' };
  const type = isToolCall ? 'function_call' : 'message';
  const item = isToolCall
    ? { id: 'fc_68af4030592c81938ec0a5fbab4a3e9f', type, name: 'w', call_id: 'c', arguments: '' }
    : { id: 'msg_68af4030592c81938ec0a5fbab4a3e9f', type, role: 'assistant', content: [] };
  const text = tokens.join('');
  const whole = isToolCall
    ? { ...item, arguments: text }
    : { ...item, content: [{ type: 'output_text', text, annotations: [] }] };
  const kind = isToolCall ? 'response.function_call_arguments' : 'response.output_text';
  const usage = { input_tokens: 7, output_tokens: DELTAS };
  let number = 0;
  const event = (name: string, more: object): Buffer => {
    number += 1;
    return named({ type: name, sequence_number: number, ...more });
  };
  return {
    name: `responses${isToolCall ? ', tool call' : ''}`,
    host: 'api.openai.com',
    target: '/v1/responses',
    request: { model: 'gpt-5', stream: true, input: 'hi' },
    contentType: SSE,
    reads: [
      event('response.created', { response }),
      event('response.output_item.added', { output_index: 0, item }),
      ...tokens.map((delta) =>
        event(`${kind}.delta`, {
          item_id: item.id,
          output_index: 0,
          ...(isToolCall ? {} : { content_index: 0 }),
          delta,
          ...(isToolCall ? {} : { logprobs: [] }),
          obfuscation: 'aZ9x3kQ',
        }),
      ),
      event('response.output_item.done', { output_index: 0, item: whole }),
      event('response.completed', { response: { ...response, status: 'completed', usage } }),
    ],
    outputTokens: DELTAS,
  };
}

function messages(isToolCall: boolean): Stream {
  const message = { id: 'msg_1', model: 'claude', role: 'assistant', usage: { input_tokens: 7 } };
  const block = isToolCall
    ? { type: 'tool_use', id: 'toolu_1', name: 'w', input: {} }
    : { type: 'text', text: '' };
  const delta = (text: string): object =>
    isToolCall ? { type: 'input_json_delta', partial_json: text } : { type: 'text_delta', text };
  return {
    name: `messages${isToolCall ? ', tool call' : ''}`,
    host: 'api.anthropic.com',
    target: '/v1/messages',
    request: { model: 'claude', max_tokens: 9, stream: true, messages: ASKED },
    contentType: SSE,
    reads: [
      named({ type: 'message_start', message }),
      named({ type: 'content_block_start', index: 0, content_block: block }),
      ...tokens.map((text) => named({ type: 'content_block_delta', index: 0, delta: delta(text) })),
      named({ type: 'content_block_stop', index: 0 }),
      named({
        type: 'message_delta',
        delta: { stop_reason: 'end_turn' },
        usage: { output_tokens: DELTAS },
      }),
      named({ type: 'message_stop' }),
    ],
    outputTokens: DELTAS,
  };
}

function gemini(): Stream {
  const chunk = (text: string, index: number): Buffer => {
    const isLast = index === tokens.length - 1;
    return Buffer.from(
      `data: ${JSON.stringify({
        candidates: [
          {
            content: { parts: [{ text }], role: 'model' },
            ...(isLast ? { finishReason: 'STOP' } : {}),
            index: 0,
          },
        ],
        usageMetadata: {
          promptTokenCount: 7,
          candidatesTokenCount: index + 1,
          totalTokenCount: index + 8,
        },
        modelVersion: 'gemini-2.5-flash',
        responseId: 'xV0gaYr',
      })}\r\n\r\n`,
    );
  };
  return {
    name: 'Gemini',
    host: 'generativelanguage.googleapis.com',
    target: '/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse',
    request: { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] },
    contentType: SSE,
    reads: tokens.map(chunk),
    outputTokens: DELTAS,
  };
}

function interactions(): Stream {
  const event = (type: string, members: object): Buffer =>
    Buffer.from(`event: ${type}\ndata: ${JSON.stringify({ ...members, event_type: type })}\n\n`);
  const interaction = { id: 'v1_a', model: 'gemini-3-flash-preview' };
  const usage = { total_input_tokens: 7, total_output_tokens: DELTAS };
  return {
    name: 'interactions',
    host: 'generativelanguage.googleapis.com',
    target: '/v1beta/interactions',
    request: { model: 'gemini-3-flash-preview', input: 'hi', stream: true },
    contentType: SSE,
    reads: [
      event('interaction.created', { interaction: { ...interaction, status: 'in_progress' } }),
      event('step.start', { index: 0, step: { type: 'model_output' } }),
      ...tokens.map((text) => event('step.delta', { index: 0, delta: { text, type: 'text' } })),
      event('step.stop', { index: 0 }),
      event('interaction.completed', {
        interaction: { ...interaction, status: 'completed', usage },
      }),
    ],
    outputTokens: DELTAS,
  };
}

function conversations(): Stream {
  const output = { output_index: 0, id: 'msg_1', content_index: 0, model: 'mistral-medium' };
  return {
    name: 'conversations',
    host: 'api.mistral.ai',
    target: '/v1/conversations',
    request: { model: 'mistral-medium', inputs: 'hi', stream: true },
    contentType: SSE,
    reads: [
      named({ type: 'conversation.response.started', conversation_id: 'conv_1' }),
      ...tokens.map((content) =>
        named({ type: 'message.output.delta', ...output, role: 'assistant', content }),
      ),
      named({
        type: 'conversation.response.done',
        usage: { prompt_tokens: 7, completion_tokens: DELTAS },
      }),
    ],
    outputTokens: DELTAS,
  };
}

function ollama(): Stream {
  const head = { model: 'llama3.2', created_at: '2025-11-21T10:00:00.123456789Z' };
  const empty = { role: 'assistant', content: '' };
  const end = { done: true, done_reason: 'stop', prompt_eval_count: 7, eval_count: DELTAS };
  return {
    name: 'Ollama',
    host: 'localhost:11434',
    target: '/api/chat',
    request: { model: 'llama3.2', messages: ASKED },
    contentType: 'application/x-ndjson',
    reads: [
      ...tokens.map((content) => line({ ...head, message: { ...empty, content }, done: false })),
      line({ ...head, message: empty, ...end }),
    ],
    outputTokens: DELTAS,
  };
}

function converse(): Stream {
  const codec = new EventStreamCodec(
    (bytes) => Buffer.from(bytes as Uint8Array).toString(),
    (text) => Buffer.from(text),
  );
  const event = (type: string, body: object): Buffer =>
    Buffer.from(
      codec.encode({
        headers: {
          ':event-type': { type: 'string', value: type },
          ':content-type': { type: 'string', value: 'application/json' },
          ':message-type': { type: 'string', value: 'event' },
        },
        body: Buffer.from(JSON.stringify(body)),
      }),
    );
  return {
    name: 'Bedrock Converse',
    host: 'bedrock-runtime.eu-west-1.amazonaws.com',
    target: '/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse-stream',
    request: { messages: [{ role: 'user', content: [{ text: 'hi' }] }] },
    contentType: 'application/vnd.amazon.eventstream',
    reads: [
      event('messageStart', { role: 'assistant' }),
      ...tokens.map((text) =>
        event('contentBlockDelta', { contentBlockIndex: 0, delta: { text }, p: 'abcdefgh' }),
      ),
      event('contentBlockStop', { contentBlockIndex: 0 }),
      event('messageStop', { stopReason: 'end_turn' }),
      event('metadata', { usage: { inputTokens: 7, outputTokens: DELTAS, totalTokens: 9 } }),
    ],
    outputTokens: DELTAS,
  };
}

/** Large bodies of one JSON text, in reads of 16 KiB: what is not streamed, and what every request repeats. */
function wholeBodies(build: Build): Work[] {
  const text = prose(createRandom(6), 900);
  const conversation = Array.from({ length: 200 }, (_, index) => ({
    role: index % 2 === 0 ? 'user' : 'assistant',
    content: `Message ${index}: ${text}`,
  }));
  const chat = { ...chatCompletions(false), contentType: 'application/json', outputTokens: 2 };
  const answer = (content: string): Buffer =>
    Buffer.from(
      JSON.stringify({
        choices: [{ message: { content }, finish_reason: 'stop' }],
        usage: { prompt_tokens: 1, completion_tokens: 2 },
      }),
    );
  const request = inReads(Buffer.from(JSON.stringify({ model: 'm', messages: conversation })));
  return [
    work(build, { ...chat, name: 'a request of 1 MB', reads: [answer('ok')] }, request),
    work(build, { ...chat, name: 'an answer of 5 MB', reads: inReads(answer(text.repeat(900))) }),
  ];
}

function inReads(bytes: Buffer): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / READ_BYTES) }, (_, index) =>
    bytes.subarray(index * READ_BYTES, (index + 1) * READ_BYTES),
  );
}

function work(
  build: Build,
  stream: Stream,
  request: readonly Buffer[] = [Buffer.from(JSON.stringify(stream.request))],
): Work {
  // Of the two bodies the larger one is measured.
  const events = Math.max(request.length, stream.reads.length);
  return {
    name: stream.name,
    bytes: totalBytes(request) + totalBytes(stream.reads),
    events,
    pass(look) {
      const { call, feed } = open(build, stream, request);
      let timeNs = 1_000_000_000_000n;
      everyOf(
        stream.reads,
        (read) => {
          timeNs += 1000n;
          feed.data(read, timeNs);
        },
        look,
      );
      feed.end(true, timeNs);
      const finished = call();
      const isExact =
        finished?.complete === true &&
        !finished.damage.any &&
        finished.response?.usage.outputTokens === stream.outputTokens;
      return isExact ? events : -1;
    },
  };
}

function open(
  { llmStage, exchange: { Headers }, damage }: Build,
  stream: Stream,
  request: readonly Buffer[],
) {
  let finished: ModelCall | undefined;
  const handler = llmStage.createLlmStage({
    observer: {
      started() {},
      finished(call) {
        finished = call;
      },
    },
    keepContent: false,
    maxContentBytes: 65_536,
  });
  const exchange: Exchange = {
    connection: { process: { pid: 1, startNs: 1n }, stack: 'openssl', object: 8, generation: 1n },
    role: 'client',
    version: '1.1',
    ordinal: 0,
    request: {
      startNs: 0n,
      endNs: 0n,
      headers: new Headers([['host', stream.host]]),
      bodyBytes: 0,
      complete: true,
      method: 'POST',
      target: stream.target,
    },
    damage: new damage.Damage(),
  };
  const observer = handler(exchange);
  for (const read of request) {
    observer?.requestBody?.data(read, 1n);
  }
  observer?.requestBody?.end(true, 1n);
  const feed = observer?.response?.({
    startNs: 2n,
    endNs: 2n,
    headers: new Headers([['content-type', stream.contentType]]),
    bodyBytes: 0,
    complete: false,
    status: 200,
  });
  if (feed === undefined) {
    throw new Error(`${stream.name}: no model call was recognised`);
  }
  return { feed, call: () => finished };
}

export function modelCallWorks(build: Build): Work[] {
  const streams = [
    chatCompletions(false),
    chatCompletions(true),
    responses(false),
    responses(true),
    messages(false),
    messages(true),
    gemini(),
    interactions(),
    conversations(),
    ollama(),
    converse(),
  ];
  return [...streams.map((stream) => work(build, stream)), ...wholeBodies(build)];
}
