/**
 * The shapes that recorded traffic has beside the ordinary ones of the documentation, one test for each, with a body of
 * that shape. `wire-fixtures.test.ts` has more of the same APIs.
 */
import assert from 'node:assert/strict';
import type { CallResponse, ModelCall } from '../../../src/llm/model-call.ts';
import { awsEvent, awsException } from '../../support/aws-event-stream.ts';
import {
  anthropicEvents,
  type Observed,
  openAiEvents,
  runExchange,
  type WireExchange,
} from '../../support/llm-fixtures/run-exchange.ts';

const MESSAGES = [{ role: 'user', content: 'Hi' }];
const SSE = 'text/event-stream';
const USAGE = { prompt_tokens: 9, completion_tokens: 4 };
const COUNTED = { inputTokens: 9, outputTokens: 4 };

type Wire = Partial<WireExchange>;

/** The same whole and byte by byte: what is seen must not depend on it. */
function observe(wire: WireExchange): Observed {
  const whole = runExchange(wire);
  const pieces = runExchange(wire, { sizes: [1] });
  assert.deepEqual(pieces.call?.response, withTimesOf(whole, pieces));
  assert.deepEqual(pieces.call?.error, whole.call?.error);
  assert.deepEqual(whole.failures, []);
  return whole;
}

/** Pieces come later than the whole. */
function withTimesOf(whole: Observed, pieces: Observed): CallResponse | undefined {
  const response = whole.call?.response;
  return (
    response && {
      ...response,
      toolCalls: response.toolCalls.map((call, index) => ({
        ...call,
        timeNs: pieces.call!.response!.toolCalls[index]!.timeNs,
      })),
    }
  );
}

function callOf(wire: WireExchange): ModelCall {
  const { call } = observe(wire);
  assert.ok(call);
  return call;
}

function chat(response: string, wire: Wire = {}): ModelCall {
  return callOf({
    target: '/v1/chat/completions',
    request: { model: 'm', messages: MESSAGES, stream: true },
    status: 200,
    contentType: SSE,
    response,
    ...wire,
  });
}

function whole(body: unknown, wire: Wire = {}): ModelCall {
  const response = typeof body === 'string' ? body : JSON.stringify(body);
  return chat(response, { contentType: 'application/json', ...wire });
}

function data(chunks: readonly unknown[], done = true, newline = '\n'): string {
  const events = chunks
    .map((chunk) => `data: ${JSON.stringify(chunk)}${newline}${newline}`)
    .join('');
  return done ? `${events}data: [DONE]${newline}${newline}` : events;
}

function chunk(delta: object, finishReason: unknown = null, rest: object = {}): object {
  return {
    id: 'c1',
    model: 'm1',
    choices: [{ index: 0, delta, finish_reason: finishReason }],
    ...rest,
  };
}

function said(text: string, finishReason: string | null = 'stop', rest: object = {}): object {
  const message = { role: 'assistant', content: text };
  return {
    id: 'c1',
    model: 'm1',
    choices: [{ index: 0, message, finish_reason: finishReason }],
    ...rest,
  };
}

const TEXT = chunk({ role: 'assistant', content: 'Hello' });
const STOP = chunk({}, 'stop');

function usageOf(call: ModelCall) {
  return call.response?.usage;
}

function textOf(call: ModelCall): string {
  const parts = call.response?.messages.flatMap((message) => message.parts) ?? [];
  return parts.map((part) => (part.type === 'text' ? part.content : '')).join('');
}

function toolsOf(call: ModelCall) {
  return call.response?.toolCalls.map(({ id, name, argumentsText }) => [id, name, argumentsText]);
}

function anthropic(
  events: readonly { type: string; [member: string]: unknown }[],
  wire: Wire = {},
): ModelCall {
  return callOf({
    target: '/v1/messages',
    request: { model: 'claude', max_tokens: 9, stream: true, messages: MESSAGES },
    status: 200,
    contentType: SSE,
    response: anthropicEvents(events),
    ...wire,
  });
}

const messageStart = (usage: object) => ({
  type: 'message_start',
  message: { id: 'msg_1', model: 'claude-1', role: 'assistant', content: [], usage },
});
const messageDelta = (usage: object) => ({
  type: 'message_delta',
  delta: { stop_reason: 'end_turn' },
  usage,
});
const MESSAGE_STOP = { type: 'message_stop' };

function gemini(body: string, wire: Wire = {}): ModelCall {
  return callOf({
    target: '/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse',
    host: 'generativelanguage.googleapis.com',
    request: { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] },
    status: 200,
    contentType: SSE,
    response: body,
    ...wire,
  });
}

function candidate(parts: object[], rest: object = {}, usageMetadata?: object): object {
  return { candidates: [{ content: { role: 'model', parts }, index: 0, ...rest }], usageMetadata };
}

function ollama(lines: readonly object[], wire: Wire = {}): ModelCall {
  return callOf({
    target: '/api/chat',
    request: { model: 'llama3', messages: MESSAGES },
    status: 200,
    contentType: 'application/x-ndjson',
    response: lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
    ...wire,
  });
}

function bedrock(method: string, wire: Wire): ModelCall {
  return callOf({
    target: `/model/${encodeURIComponent('arn:aws:bedrock:eu-west-1:1:inference-profile/eu.m-v1:0')}/${method}`,
    request: { messages: [{ role: 'user', content: [{ text: 'Hi' }] }] },
    status: 200,
    ...wire,
  });
}

describe('where usage is in streams of chat completions', () => {
  const cases: [where: string, chunks: object[]][] = [
    ['a last chunk without choices', [TEXT, STOP, { ...TEXT, choices: [], usage: USAGE }]],
    ['the last chunk that has choices', [TEXT, chunk({}, 'stop', { usage: USAGE })]],
    [
      'every chunk, growing',
      [
        { ...TEXT, usage: { prompt_tokens: 9, completion_tokens: 1 } },
        { ...STOP, usage: USAGE },
      ],
    ],
    ['a chunk before the last', [TEXT, { ...TEXT, choices: [], usage: USAGE }, STOP]],
    ['a vendor’s own member', [TEXT, chunk({}, 'stop', { x_groq: { id: 'r', usage: USAGE } })]],
    [
      'two chunks that differ, of which the last counts',
      [
        { ...TEXT, usage: { prompt_tokens: 1, completion_tokens: 1 } },
        { ...STOP, usage: USAGE },
      ],
    ],
  ];
  for (const [where, chunks] of cases) {
    it(where, () => {
      assert.deepEqual(usageOf(chat(data(chunks))), COUNTED);
    });
  }

  it('nowhere, though the request asked for it: then there is none', () => {
    const request = {
      model: 'm',
      messages: MESSAGES,
      stream: true,
      stream_options: { include_usage: true },
    };
    assert.deepEqual(usageOf(chat(data([TEXT, STOP]), { request })), {});
  });

  it('only up to where the stream broke off, which is marked', () => {
    const chunks = data([{ ...TEXT, usage: USAGE }], false);
    const call = chat(chunks, { isResponseComplete: false });
    assert.deepEqual(usageOf(call), COUNTED);
    assert.equal(call.complete, false);
    assert.deepEqual([...call.damage.kinds], ['truncated']);
  });
});

describe('where usage is in Anthropic’s streams', () => {
  it('the input at the start, the output at the end', () => {
    const call = anthropic([
      messageStart({ input_tokens: 5, cache_read_input_tokens: 2, output_tokens: 1 }),
      messageDelta({ output_tokens: 7 }),
      MESSAGE_STOP,
    ]);
    assert.deepEqual(usageOf(call), { inputTokens: 7, outputTokens: 7, cacheReadInputTokens: 2 });
  });

  it('all of it again at the end, corrected: the last value of each field counts', () => {
    const call = anthropic([
      messageStart({ input_tokens: 5, cache_read_input_tokens: 2, output_tokens: 1 }),
      messageDelta({ input_tokens: 6, output_tokens: 7 }),
      MESSAGE_STOP,
    ]);
    assert.deepEqual(usageOf(call), { inputTokens: 8, outputTokens: 7, cacheReadInputTokens: 2 });
  });

  it('cache writes by lifetime, tokens of thought, and members that are no counts', () => {
    const call = anthropic([
      messageStart({
        input_tokens: 5,
        output_tokens: 1,
        cache_creation: { ephemeral_5m_input_tokens: 3, ephemeral_1h_input_tokens: 4 },
        server_tool_use: { web_search_requests: 2 },
        iterations: [{ input_tokens: 5, output_tokens: 1 }],
      }),
      messageDelta({ output_tokens: 9, output_tokens_details: { thinking_tokens: 6 } }),
      MESSAGE_STOP,
    ]);
    assert.deepEqual(usageOf(call), {
      inputTokens: 12,
      outputTokens: 9,
      cacheCreationInputTokens: 7,
      hourCacheCreationInputTokens: 4,
      reasoningOutputTokens: 6,
    });
  });
});

describe('where usage is in other APIs', () => {
  it('Gemini’s output is what was said and thought, its input what tools put into it, too', () => {
    const usageMetadata = {
      promptTokenCount: 10,
      candidatesTokenCount: 20,
      thoughtsTokenCount: 30,
      toolUsePromptTokenCount: 4,
      totalTokenCount: 64,
    };
    const call = gemini(
      data([candidate([{ text: 'Hi' }], { finishReason: 'STOP' }, usageMetadata)], false),
    );
    assert.deepEqual(usageOf(call), {
      inputTokens: 14,
      outputTokens: 50,
      reasoningOutputTokens: 30,
    });
  });

  it('Gemini’s thoughts without a count of what was said', () => {
    const usageMetadata = { promptTokenCount: 10, thoughtsTokenCount: 30, totalTokenCount: 40 };
    const call = gemini(
      data([candidate([], { finishReason: 'MAX_TOKENS' }, usageMetadata)], false),
    );
    assert.deepEqual(usageOf(call), {
      inputTokens: 10,
      outputTokens: 30,
      reasoningOutputTokens: 30,
    });
  });

  it('Gemini’s counts in each chunk, of which the last count', () => {
    const call = gemini(
      data(
        [
          candidate([{ text: 'H' }], {}, { promptTokenCount: 10, candidatesTokenCount: 1 }),
          candidate(
            [{ text: 'i' }],
            { finishReason: 'STOP' },
            { promptTokenCount: 10, candidatesTokenCount: 2 },
          ),
        ],
        false,
      ),
    );
    assert.deepEqual(usageOf(call), { inputTokens: 10, outputTokens: 2 });
  });

  it('Gemini’s counts by what the tokens stand for', () => {
    const usageMetadata = {
      promptTokenCount: 1300,
      candidatesTokenCount: 5,
      cachedContentTokenCount: 258,
      promptTokensDetails: [
        { modality: 'TEXT', tokenCount: 10 },
        { modality: 'IMAGE', tokenCount: 1032 },
        { modality: 'DOCUMENT', tokenCount: 258 },
      ],
      cacheTokensDetails: [{ modality: 'IMAGE', tokenCount: 258 }],
      candidatesTokensDetails: [{ modality: 'TEXT', tokenCount: 5 }],
      toolUsePromptTokensDetails: [{ modality: 'TEXT', tokenCount: 3 }],
    };
    const call = gemini(
      data([candidate([{ text: 'Hi' }], { finishReason: 'STOP' }, usageMetadata)], false),
    );
    assert.deepEqual(usageOf(call)?.byModality, {
      text: { inputTokens: 13, outputTokens: 5 },
      image: { inputTokens: 1032, cacheReadInputTokens: 258 },
    });
  });

  it('Converse counts what is cached on top of the input', () => {
    const usage = {
      inputTokens: 3,
      outputTokens: 4,
      cacheReadInputTokens: 50,
      cacheWriteInputTokens: 6,
      totalTokens: 63,
    };
    const output = { message: { role: 'assistant', content: [{ text: 'Hi' }] } };
    const response = JSON.stringify({ output, stopReason: 'end_turn', usage });
    assert.deepEqual(usageOf(bedrock('converse', { response })), {
      inputTokens: 59,
      outputTokens: 4,
      cacheReadInputTokens: 50,
      cacheCreationInputTokens: 6,
    });
  });

  it('InvokeModel counts in headers, for a model whose ARN is encoded in the path', () => {
    const call = bedrock('invoke', {
      request: { prompt: 'Hi', max_tokens: 9 },
      response: JSON.stringify({ outputs: [{ text: 'Hello', stop_reason: 'stop' }] }),
      responseHeaders: {
        'x-amzn-bedrock-input-token-count': '9',
        'x-amzn-bedrock-output-token-count': '4',
      },
    });
    assert.deepEqual(usageOf(call), COUNTED);
    assert.equal(call.request.model, 'arn:aws:bedrock:eu-west-1:1:inference-profile/eu.m-v1:0');
  });

  it('InvokeModel counts in the body, each family of models in its own way', () => {
    const response = JSON.stringify({
      generation: 'Hello',
      prompt_token_count: 9,
      generation_token_count: 4,
      stop_reason: 'stop',
    });
    assert.deepEqual(usageOf(bedrock('invoke', { request: { prompt: 'Hi' }, response })), COUNTED);
  });

  it('InvokeModel counts in the metrics of the last event', () => {
    const last = {
      outputs: [{ text: 'Hello', stop_reason: 'stop' }],
      'amazon-bedrock-invocationMetrics': { inputTokenCount: 9, outputTokenCount: 4 },
    };
    const bytes = Buffer.from(JSON.stringify(last)).toString('base64');
    const call = bedrock('invoke-with-response-stream', {
      request: { prompt: 'Hi', max_tokens: 9 },
      contentType: 'application/vnd.amazon.eventstream',
      response: awsEvent('chunk', { bytes }),
    });
    assert.deepEqual(usageOf(call), COUNTED);
  });

  it('Cohere bills other tokens than it reads', () => {
    const usage = {
      billed_units: { input_tokens: 9, output_tokens: 4 },
      tokens: { input_tokens: 200, output_tokens: 6 },
    };
    const message = { role: 'assistant', content: [{ type: 'text', text: 'Hi' }] };
    const call = callOf({
      target: '/v2/chat',
      request: { model: 'command', messages: MESSAGES },
      status: 200,
      response: JSON.stringify({ id: 'x', finish_reason: 'COMPLETE', message, usage }),
    });
    assert.deepEqual(usageOf(call), COUNTED);
  });

  it('Cohere’s older streams are lines, the newer ones events with [DONE]', () => {
    const old = [
      { is_finished: false, event_type: 'text-generation', text: 'Hello' },
      {
        is_finished: true,
        event_type: 'stream-end',
        finish_reason: 'COMPLETE',
        response: { meta: { billed_units: { input_tokens: 9, output_tokens: 4 } } },
      },
    ];
    const first = callOf({
      target: '/v1/chat',
      request: { model: 'command', message: 'Hi', stream: true },
      status: 200,
      contentType: 'application/stream+json',
      response: old.map((line) => `${JSON.stringify(line)}\n`).join(''),
    });
    const delta = {
      finish_reason: 'COMPLETE',
      usage: { billed_units: { input_tokens: 9, output_tokens: 4 } },
    };
    const second = callOf({
      target: '/v2/chat',
      request: { model: 'command', messages: MESSAGES, stream: true },
      status: 200,
      contentType: SSE,
      response: data([
        { type: 'message-start', id: 'x', delta: { message: { role: 'assistant' } } },
        { type: 'content-delta', index: 0, delta: { message: { content: { text: 'Hello' } } } },
        { type: 'message-end', delta },
      ]),
    });
    for (const call of [first, second]) {
      assert.deepEqual(usageOf(call), COUNTED);
      assert.equal(textOf(call), 'Hello');
      assert.equal(call.complete, true);
    }
  });

  it('Ollama does not count a prompt that was cached: absent, not zero', () => {
    const call = ollama([
      {
        model: 'llama3',
        message: { role: 'assistant', content: 'Hi' },
        done: true,
        done_reason: 'stop',
        eval_count: 4,
      },
    ]);
    assert.deepEqual(usageOf(call), { outputTokens: 4 });
  });

  it('gateways’ own counts are reported as they are, also where they contradict themselves', () => {
    const usage = {
      ...USAGE,
      prompt_tokens_details: { cached_tokens: 2, cache_write_tokens: 3 },
      reasoning_tokens: 60,
    };
    assert.deepEqual(usageOf(whole(said('Hi', 'stop', { usage }))), {
      ...COUNTED,
      cacheReadInputTokens: 2,
      cacheCreationInputTokens: 3,
      reasoningOutputTokens: 60,
    });
  });
});

describe('ids, models and finish reasons', () => {
  it('a first chunk without id and model (Azure): the first that are not empty count', () => {
    const first = { id: '', model: '', choices: [], prompt_filter_results: [{ prompt_index: 0 }] };
    const call = chat(data([first, TEXT, STOP]));
    assert.deepEqual([call.response?.id, call.response?.model], ['c1', 'm1']);
  });

  it('an id that changes from chunk to chunk', () => {
    const call = chat(data([TEXT, { ...STOP, id: 'c2' }]));
    assert.equal(call.response?.id, 'c1');
    assert.equal(call.complete, true);
  });

  it('the same id for two answers, which are two calls', () => {
    const calls = ['one', 'two'].map((text) => whole(said(text)));
    assert.deepEqual(calls.map(textOf), ['one', 'two']);
    assert.deepEqual(
      calls.map((call) => call.response?.id),
      ['c1', 'c1'],
    );
  });

  it('stop together with tool calls (OpenAI, Ollama, Gemini)', () => {
    const called = { name: 'f', arguments: '{}' };
    const calls = [
      chat(data([chunk({ tool_calls: [{ index: 0, id: 'a', function: called }] }), STOP])),
      ollama([
        {
          message: {
            role: 'assistant',
            content: '',
            tool_calls: [{ function: { name: 'f', arguments: {} } }],
          },
        },
        { done: true, done_reason: 'stop' },
      ]),
      gemini(
        data(
          [candidate([{ functionCall: { name: 'f', args: {} } }], { finishReason: 'STOP' })],
          false,
        ),
      ),
    ];
    for (const call of calls) {
      assert.equal(call.response?.finishReasons[0]?.toLowerCase(), 'stop');
      assert.equal(call.response?.toolCalls[0]?.name, 'f');
    }
  });

  it('a finish reason that is a number (Gemini)', () => {
    const call = gemini(data([candidate([{ text: 'Hi' }], { finishReason: 2 })], false));
    assert.deepEqual(call.response?.finishReasons, ['MAX_TOKENS']);
  });

  it('a finish reason that the last chunk empties, or sets to null', () => {
    for (const nothing of ['', null]) {
      const call = chat(data([TEXT, STOP, chunk({}, nothing)]));
      assert.deepEqual(call.response?.finishReasons, ['stop']);
    }
  });

  it('one finish reason a choice, in the order of the choices', () => {
    const at = (index: number, finish: string | null) => ({
      id: 'c1',
      choices: [{ index, delta: { content: 'x' }, finish_reason: finish }],
    });
    const call = chat(data([at(1, null), at(0, null), at(1, 'length'), at(0, 'stop')]));
    assert.deepEqual(call.response?.finishReasons, ['stop', 'length']);
  });
});

describe('tool calls', () => {
  const calling = (...calls: object[]) => chunk({ tool_calls: calls });
  const end = chunk({}, 'tool_calls');

  it('deltas without index (Mistral), several in one delta', () => {
    const call = chat(
      data([
        calling(
          { id: 'a', function: { name: 'f', arguments: '{"x":1}' } },
          { id: 'b', function: { name: 'g', arguments: '{}' } },
        ),
        end,
      ]),
    );
    assert.deepEqual(toolsOf(call), [
      ['a', 'f', '{"x":1}'],
      ['b', 'g', '{}'],
    ]);
  });

  it('deltas without an id, arguments as an object (Ollama)', () => {
    const call = chat(
      data([calling({ index: 0, function: { name: 'f', arguments: { x: 1 } } }), end]),
    );
    assert.deepEqual(toolsOf(call), [[undefined, 'f', '{"x":1}']]);
  });

  it('calls without an id (Gemini)', () => {
    const parts = [{ functionCall: { name: 'f', args: { x: 1 } } }];
    const call = gemini(data([candidate(parts, { finishReason: 'STOP' })], false));
    assert.deepEqual(toolsOf(call), [[undefined, 'f', '{"x":1}']]);
  });

  it('a name split over deltas', () => {
    const call = chat(
      data([
        calling({ index: 0, id: 'a', function: { name: 'get_', arguments: '' } }),
        calling({ index: 0, function: { name: 'weather', arguments: '{}' } }),
        end,
      ]),
    );
    assert.deepEqual(toolsOf(call), [['a', 'get_weather', '{}']]);
  });

  it('empty arguments', () => {
    const call = chat(
      data([calling({ index: 0, id: 'a', function: { name: 'now', arguments: '' } }), end]),
    );
    assert.deepEqual(toolsOf(call), [['a', 'now', '']]);
  });

  it('calls that the provider makes itself are parts, and nobody’s to answer (Anthropic, OpenAI)', () => {
    const block = { type: 'server_tool_use', id: 's1', name: 'web_search', input: {} };
    const first = anthropic([
      messageStart({ input_tokens: 1 }),
      { type: 'content_block_start', index: 0, content_block: block },
      {
        type: 'content_block_delta',
        index: 0,
        delta: { type: 'input_json_delta', partial_json: '{"q":"a"}' },
      },
      { type: 'content_block_stop', index: 0 },
      messageDelta({ output_tokens: 2 }),
      MESSAGE_STOP,
    ]);
    const item = {
      type: 'web_search_call',
      id: 'ws_1',
      status: 'completed',
      action: { type: 'search', query: 'a' },
    };
    const second = callOf({
      target: '/v1/responses',
      request: { model: 'gpt-5', input: 'Hi' },
      status: 200,
      response: JSON.stringify({
        id: 'r',
        object: 'response',
        status: 'completed',
        output: [item],
      }),
    });
    for (const call of [first, second]) {
      assert.deepEqual(toolsOf(call), []);
      const [part] = call.response!.messages[0]!.parts;
      assert.equal(part?.type, 'server_tool_call');
      assert.equal((part as { name?: string }).name, 'web_search');
    }
  });

  it('a search for tools at the provider’s is found again, though clients give it an id to call by', () => {
    const search = {
      id: 'tsc_1',
      type: 'tool_search_call',
      execution: 'server',
      call_id: null,
      status: 'completed',
      arguments: { paths: ['now'] },
    };
    const called = {
      type: 'function_call',
      id: 'fc_1',
      call_id: 'c1',
      name: 'now',
      arguments: '{}',
    };
    const answered = callOf({
      target: '/v1/responses',
      request: { model: 'gpt-5', input: 'Hi' },
      status: 200,
      response: JSON.stringify({ id: 'r', status: 'completed', output: [search, called] }),
    });
    assert.deepEqual(toolsOf(answered), [['c1', 'now', '{}']]);
    const next = callOf({
      target: '/v1/responses',
      request: {
        model: 'gpt-5',
        input: [
          { role: 'user', content: 'Hi' },
          { ...search, call_id: 'tsc_1' },
          called,
          { type: 'function_call_output', call_id: 'c1', output: 'noon' },
        ],
      },
      status: 200,
      response: JSON.stringify({ id: 'r2', status: 'completed', output: [] }),
    });
    assert.equal(next.request.fingerprints[1], answered.response?.fingerprints[0]);
  });
});

describe('framing', () => {
  it('events whose lines end with CRLF (Gemini, Perplexity)', () => {
    assert.equal(textOf(chat(data([TEXT, STOP], true, '\r\n'))), 'Hello');
  });

  it('comment lines first (OpenRouter)', () => {
    const call = chat(
      `: OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n${data([TEXT, STOP])}`,
    );
    assert.equal(textOf(call), 'Hello');
    assert.equal(call.damage.any, false);
  });

  it('no [DONE]', () => {
    assert.equal(chat(data([TEXT, STOP], false)).complete, true);
  });

  it('single lines above 100 kB', () => {
    const text = 'x'.repeat(150_000);
    const response = {
      id: 'r',
      object: 'response',
      status: 'completed',
      output: [{ type: 'message', role: 'assistant', content: [{ type: 'output_text', text }] }],
      usage: { input_tokens: 9, output_tokens: 4 },
    };
    const { call } = runExchange(
      {
        target: '/v1/responses',
        request: { model: 'gpt-5', input: 'Hi', stream: true },
        status: 200,
        contentType: SSE,
        response: data([{ type: 'response.completed', response }], false),
      },
      { sizes: [4096, 1] },
      { maxContentBytes: 1_000_000 },
    );
    assert.deepEqual(usageOf(call!), COUNTED);
    assert.equal(textOf(call!).length, text.length);
  });

  it('no blank line at the end', () => {
    const call = chat(data([TEXT, STOP]).trimEnd());
    assert.equal(call.complete, true);
    assert.deepEqual(call.response?.finishReasons, ['stop']);
  });

  it('a JSON body with white space and newlines before and after it (OpenRouter)', () => {
    const call = whole(`\n   \n\n${JSON.stringify(said('Hello'))}\n\n  `);
    assert.equal(textOf(call), 'Hello');
    assert.equal(call.damage.any, false);
  });

  it('a JSON array that comes element by element (Gemini without events)', () => {
    const list = [
      candidate([{ text: 'Hel' }]),
      candidate([{ text: 'lo' }], { finishReason: 'STOP' }),
    ];
    const call = gemini(`[${list.map((one) => JSON.stringify(one, null, 2)).join('\n,\r\n')}\n]`, {
      target: '/v1beta/models/gemini-2.5-pro:streamGenerateContent',
      contentType: 'application/json',
    });
    assert.equal(textOf(call), 'Hello');
    assert.equal(call.complete, true);
  });

  it('events that call themselves JSON, and JSON that calls itself events', () => {
    assert.equal(textOf(chat(data([TEXT, STOP]), { contentType: 'application/json' })), 'Hello');
    assert.equal(textOf(whole(said('Hello'), { contentType: SSE })), 'Hello');
  });
});

describe('errors inside status 200', () => {
  const error = { type: 'overloaded_error', message: 'Overloaded' };

  it('an event named error (Anthropic, Groq)', () => {
    const first = anthropic([
      messageStart({ input_tokens: 5, output_tokens: 1 }),
      { type: 'error', error },
    ]);
    const second = chat(
      `${data([TEXT], false)}event: error\ndata: ${JSON.stringify({ error })}\n\n`,
    );
    for (const call of [first, second]) {
      assert.deepEqual(call.error, error);
      assert.equal(call.httpStatus, 200);
    }
    // What was billed before stays.
    assert.deepEqual(usageOf(first), { inputTokens: 5, outputTokens: 1 });
  });

  it('an error object in a chunk, and in a body (OpenRouter)', () => {
    const broken = { error: { code: 502, message: 'Provider failed' } };
    assert.deepEqual(chat(data([TEXT, broken], false)).error, {
      type: '502',
      message: 'Provider failed',
    });
    assert.deepEqual(whole(broken).error, { type: '502', message: 'Provider failed' });
  });

  it('a content filter (Azure), in the answer and as a refusal', () => {
    const filtered = {
      message: 'The response was filtered.',
      type: null,
      param: 'prompt',
      code: 'content_filter',
      status: 400,
      innererror: { code: 'ResponsibleAIPolicyViolation', content_filter_result: {} },
    };
    const host = 'x.openai.azure.com';
    const target = '/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21';
    const refusal = whole(
      { error: filtered },
      { status: 400, host, target, request: { messages: MESSAGES } },
    );
    assert.equal(refusal.error?.type, 'content_filter');
    assert.equal(refusal.provider, 'azure.ai.openai');
    assert.equal(refusal.request.model, 'my-gpt');
    const inside = {
      id: 'c1',
      choices: [{ index: 0, finish_reason: 'content_filter', error: filtered }],
    };
    assert.equal(whole(inside, { host }).error?.type, 'content_filter');
    assert.deepEqual(whole(inside, { host }).response?.finishReasons, ['content_filter']);
  });

  it('the end of a message with the reason ERROR (Cohere)', () => {
    const call = callOf({
      target: '/v2/chat',
      request: { model: 'command', messages: MESSAGES, stream: true },
      status: 200,
      contentType: SSE,
      response: data([{ type: 'message-end', delta: { finish_reason: 'ERROR', error: 'Oh no' } }]),
    });
    assert.equal(call.error?.type, 'ERROR');
  });

  it('an exception among the messages of an event stream (Bedrock)', () => {
    const call = bedrock('converse-stream', {
      contentType: 'application/vnd.amazon.eventstream',
      response: Buffer.concat([
        awsEvent('messageStart', { role: 'assistant' }),
        awsException('throttlingException', 'Slow down'),
      ]),
    });
    assert.equal(call.error?.type, 'throttlingException');
  });
});

describe('whose call it is', () => {
  for (const prefix of [
    '/v1',
    '/api/v1',
    '/openai/deployments/X',
    '/compat',
    '/v1/projects/p/locations/l/endpoints/openapi',
    '/openai/v1',
  ]) {
    it(`chat completions below ${prefix}`, () => {
      const call = whole(said('Hello'), { target: `${prefix}/chat/completions` });
      assert.equal(call.api, 'openai.chat_completions');
      assert.equal(textOf(call), 'Hello');
    });
  }

  const others: [what: string, method: string, target: string, request: unknown][] = [
    ['a list of models', 'GET', '/v1/models', ''],
    ['an upload of a file', 'POST', '/v1/files', { purpose: 'batch' }],
    ['a count of tokens', 'POST', '/v1/messages/count_tokens', { model: 'm', messages: MESSAGES }],
    ['a stored response that is retrieved', 'GET', '/v1/responses/resp_1', ''],
    ['a stored completion that is retrieved', 'GET', '/v1/chat/completions/c1', ''],
    ['a batch that is made', 'POST', '/v1/messages/batches', { requests: [] }],
    ['the status of a batch', 'GET', '/v1/batches/batch_1', ''],
    ['telemetry', 'POST', '/api/event_logging/batch', { events: [] }],
  ];
  for (const [what, method, target, request] of others) {
    it(`not ${what}`, () => {
      const response = JSON.stringify({ id: 'resp_1', usage: USAGE, input_tokens: 5 });
      const observed = runExchange({ method, target, request, status: 200, response });
      assert.deepEqual(observed.order, []);
    });
  }
});

describe('sound, pictures and documents of a message', () => {
  const SPOKEN = { id: 'audio_1', expires_at: 1_763_700_000 };
  const PICTURE = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } };
  const BLOB = { type: 'blob', modality: 'image', mime_type: 'image/png', content: 'AAAA' };

  function whole(message: object): ModelCall {
    const choices = [
      { index: 0, message: { role: 'assistant', ...message }, finish_reason: 'stop' },
    ];
    const response = JSON.stringify({ id: 'c', model: 'm', choices, usage: USAGE });
    return chat(response, {
      contentType: 'application/json',
      request: { model: 'm', messages: MESSAGES },
    });
  }

  function streamed(deltas: readonly object[]): ModelCall {
    const chunks = deltas.map((delta) => ({ id: 'c', choices: [{ index: 0, delta }] }));
    const end = { id: 'c', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] };
    return chat(openAiEvents([...chunks, end]));
  }

  /** The answer of an assistant as the client sends it back, without what was said. */
  function repeated(message: object): string | undefined {
    const messages = [...MESSAGES, { role: 'assistant', ...message }];
    return chat('', { request: { model: 'm', messages }, status: undefined }).request
      .fingerprints[1];
  }

  it('have the transcript of what is spoken for a text', () => {
    const call = whole({
      content: null,
      audio: { ...SPOKEN, data: 'AAAA', transcript: 'Hey you' },
    });
    assert.deepEqual(call.response?.messages[0]?.parts, [{ type: 'text', content: 'Hey you' }]);
    assert.deepEqual(call.response?.fingerprints, [repeated({ audio: { id: 'audio_1' } })]);
  });

  it('have it in a stream, too, whose first piece is the first chunk', () => {
    const call = streamed([
      { role: 'assistant', content: null, audio: { id: 'audio_1' } },
      { audio: { transcript: 'Hey ' } },
      { audio: { data: 'AAAA' } },
      { audio: { transcript: 'you' } },
      { audio: { expires_at: 1_763_700_000 } },
    ]);
    assert.deepEqual(call.response?.messages[0]?.parts, [{ type: 'text', content: 'Hey you' }]);
    assert.deepEqual(call.response?.fingerprints, [repeated({ audio: { id: 'audio_1' } })]);
    assert.ok(call.firstChunkNs !== undefined);
    assert.equal(call.chunkGapsNs.length, 2);
  });

  it('have a first chunk that is sound alone', () => {
    assert.ok(streamed([{ audio: { id: 'a', data: 'AAAA' } }]).firstChunkNs !== undefined);
    assert.equal(streamed([{ audio: { id: 'a' } }]).firstChunkNs, undefined);
  });

  it('have the pictures that OpenRouter puts beside the text', () => {
    const call = whole({ content: 'Here.', images: [PICTURE] });
    assert.deepEqual(call.response?.messages[0]?.parts, [{ type: 'text', content: 'Here.' }, BLOB]);
    assert.deepEqual(call.response?.fingerprints, [repeated({ content: 'Here.' })]);
  });

  it('have them in a stream, too', () => {
    const call = streamed([{ content: 'Here.' }, { content: '', images: [PICTURE] }]);
    assert.deepEqual(call.response?.messages[0]?.parts, [{ type: 'text', content: 'Here.' }, BLOB]);
    assert.ok(streamed([{ images: [PICTURE] }]).firstChunkNs !== undefined);
  });

  it('have the text of a document of text, and the data of another', () => {
    const text = { type: 'text', media_type: 'text/plain', data: 'A document.' };
    const pdf = { type: 'base64', media_type: 'application/pdf', data: 'AAAA' };
    const content = [text, pdf].map((source) => ({ type: 'document', source }));
    const call = callOf({
      target: '/v1/messages',
      request: { model: 'm', max_tokens: 5, messages: [{ role: 'user', content }] },
      status: undefined,
    });
    const parts = [
      { type: 'text', content: 'A document.' },
      { type: 'blob', modality: 'document', mime_type: 'application/pdf', content: 'AAAA' },
    ];
    assert.deepEqual(call.request.messages[0]?.parts, parts);
    const documents = [
      { format: 'txt', name: 'a', source: { text: 'A document.' } },
      { format: 'pdf', name: 'b', source: { bytes: 'AAAA' } },
    ];
    const asked = bedrock('converse', {
      request: {
        messages: [{ role: 'user', content: documents.map((document) => ({ document })) }],
      },
      status: undefined,
    });
    assert.deepEqual(asked.request.messages[0]?.parts, parts);
  });
});
