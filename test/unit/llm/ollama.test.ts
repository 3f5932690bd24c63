/** Requests to Ollama's own API: which are model calls, and what they ask for. */
import assert from 'node:assert/strict';
import { runExchange, type WireExchange } from '../../support/llm-fixtures/run-exchange.ts';

const MESSAGES = [{ role: 'user', content: 'Hi' }];

function call(target: string, request: unknown, extra: Partial<WireExchange> = {}) {
  return runExchange({ target, request, status: undefined, ...extra }).call;
}

describe('a request to Ollama', () => {
  it('is a model call only when it runs a model', () => {
    for (const [target, request] of [
      ['/api/chat', { model: 'm', messages: [] }],
      ['/api/chat', { messages: MESSAGES }],
      ['/api/chat', { model: 'm', id: 'a web page', messages: MESSAGES }],
      ['/api/generate', { model: 'm' }],
      ['/api/generate', { model: 'm', keep_alive: 0 }],
      ['/api/embed', { model: 'm' }],
      ['/api/show', { model: 'm' }],
      ['/api/pull', { model: 'm' }],
    ] as const) {
      assert.equal(call(target, request), undefined, `${target} ${JSON.stringify(request)}`);
    }
    assert.equal(call('/proxy/api/chat', { model: 'm', messages: MESSAGES })?.api, 'ollama.chat');
    assert.equal(call('/api/embed', { model: 'm', input: 'a' })?.operation, 'embeddings');
  });

  it('says what it asks for, and streams unless it says otherwise', () => {
    const request = call('/api/chat', {
      model: 'm',
      messages: MESSAGES,
      format: { type: 'object' },
      tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }],
      options: {
        num_predict: 10,
        temperature: 0.5,
        top_p: 0.9,
        top_k: 40,
        seed: 7,
        stop: ['END'],
        frequency_penalty: 0.1,
        presence_penalty: 0.2,
      },
    })!.request;
    const { systemInstructions: _, fingerprints, toolResults, ...rest } = request;
    assert.deepEqual(rest, {
      model: 'm',
      stream: true,
      maxTokens: 10,
      temperature: 0.5,
      topP: 0.9,
      topK: 40,
      frequencyPenalty: 0.1,
      presencePenalty: 0.2,
      seed: 7,
      stopSequences: ['END'],
      outputType: 'json',
      messages: [{ role: 'user', parts: [{ type: 'text', content: 'Hi' }] }],
      toolDefinitions: [{ type: 'function', name: 'f', parameters: { type: 'object' } }],
    });
    assert.equal(fingerprints.length, 1);
    assert.deepEqual(toolResults, []);
    const whole = call('/api/chat', { model: 'm', messages: MESSAGES, stream: false });
    assert.equal(whole!.request.stream, false);
  });

  it('has the prompt as a message, with its images', () => {
    const { request, operation } = call('/api/generate', {
      model: 'm',
      prompt: 'What is it?',
      system: 'Be brief.',
      images: ['iVBORw0='],
    })!;
    assert.equal(operation, 'text_completion');
    assert.deepEqual(request.systemInstructions, [{ type: 'text', content: 'Be brief.' }]);
    assert.deepEqual(request.messages, [
      {
        role: 'user',
        parts: [
          { type: 'text', content: 'What is it?' },
          { type: 'blob', modality: 'image', content: 'iVBORw0=' },
        ],
      },
    ]);
  });

  it('brings back results of tools, and its answer is found again', () => {
    const toolCalls = [{ function: { name: 'weather', arguments: { city: 'Paris' } } }];
    const message = { role: 'assistant', content: 'Hm', thinking: 'x', tool_calls: toolCalls };
    const answered = runExchange({
      target: '/api/chat',
      request: { model: 'm', messages: MESSAGES },
      status: 200,
      contentType: 'application/x-ndjson',
      response: `${JSON.stringify({ model: 'm', message, done: true, done_reason: 'stop' })}\n`,
    }).call!;
    const next = call('/api/chat', {
      model: 'm',
      messages: [...MESSAGES, message, { role: 'tool', tool_name: 'weather', content: 'Sunny' }],
    })!.request;
    assert.equal(next.fingerprints[1], answered.response!.fingerprints[0]);
    assert.deepEqual(next.toolResults, [{ text: 'Sunny' }]);
  });
});
