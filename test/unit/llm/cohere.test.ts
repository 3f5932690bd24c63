/** Requests to Cohere: which are model calls, and what they ask for. */
import assert from 'node:assert/strict';
import { runExchange } from '../../support/llm-fixtures/run-exchange.ts';

function call(target: string, request: unknown) {
  return runExchange({ target, request, status: undefined }).call;
}

const PARAMETERS = {
  model: 'command-a',
  stream: true,
  max_tokens: 100,
  temperature: 0.3,
  p: 0.75,
  k: 10,
  frequency_penalty: 0.1,
  presence_penalty: 0.2,
  seed: 7,
  stop_sequences: ['END'],
  response_format: { type: 'json_object', schema: {} },
};
const READ = {
  model: 'command-a',
  stream: true,
  maxTokens: 100,
  temperature: 0.3,
  topP: 0.75,
  topK: 10,
  frequencyPenalty: 0.1,
  presencePenalty: 0.2,
  seed: 7,
  stopSequences: ['END'],
  outputType: 'json',
};

describe('a request to Cohere', () => {
  it('of version 1 has the same roles in whatever letters', () => {
    const history = [
      { role: 'System', message: 'Be brief.' },
      { role: 'User', message: 'Hi' },
      { role: 'Chatbot', message: 'Hello.' },
    ];
    const loud = history.map(({ role, message }) => ({ role: role.toUpperCase(), message }));
    for (const target of ['/v1/chat', '/model/cohere.command-r-v1%3A0/invoke']) {
      const [first, second] = [history, loud].map(
        (chat_history) => call(target, { message: 'Go on', chat_history })!.request,
      );
      const roles = first!.messages.map(({ role }) => role);
      assert.deepEqual(roles, ['system', 'user', 'assistant', 'user']);
      assert.deepEqual(first!.fingerprints, second!.fingerprints);
    }
  });

  it('is a model call only when it runs a model', () => {
    for (const [target, request] of [
      ['/v2/chat', { messages: [] }],
      ['/v1/chat', { model: 'm', messages: [] }],
      ['/v2/embed', { model: 'm' }],
      ['/v1/generate', { model: 'm' }],
      ['/v1/summarize', { model: 'm' }],
      ['/v1/summarize', { text: 'Long.' }],
      ['/v1/classify', { model: 'm' }],
      ['/v1/classify', { inputs: ['a'] }],
      ['/v1/generate', { prompt: 'Hi', max_context_length: 9 }],
      ['/v2/rerank', { model: 'm', query: 'q', documents: [] }],
      ['/v1/tokenize', { model: 'm', text: 't' }],
      ['/v1/embed-jobs', { model: 'm' }],
    ] as const) {
      assert.equal(call(target, request), undefined, target);
    }
  });

  it('of version 2 says what it asks for, and brings back results of tools', () => {
    const called = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } };
    const {
      systemInstructions: _,
      fingerprints,
      ...rest
    } = call('/v2/chat', {
      ...PARAMETERS,
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
        { role: 'assistant', tool_plan: 'I look.', tool_calls: [called] },
        {
          role: 'tool',
          tool_call_id: 'c1',
          content: [{ type: 'document', document: { data: '{"sky":"blue"}' } }],
        },
      ],
      tools: [{ type: 'function', function: { name: 'f', description: 'd', parameters: {} } }],
    })!.request;
    assert.equal(fingerprints.length, 4);
    assert.deepEqual(rest, {
      ...READ,
      messages: [
        { role: 'system', parts: [{ type: 'text', content: 'Be brief.' }] },
        { role: 'user', parts: [{ type: 'text', content: 'Hi' }] },
        {
          role: 'assistant',
          parts: [
            { type: 'reasoning', content: 'I look.' },
            { type: 'tool_call', name: 'f', id: 'c1', arguments: {} },
          ],
        },
        {
          role: 'tool',
          parts: [{ type: 'tool_call_response', response: '{"sky":"blue"}', id: 'c1' }],
        },
      ],
      toolResults: [{ id: 'c1', text: '{"sky":"blue"}' }],
      toolDefinitions: [{ type: 'function', name: 'f', description: 'd', parameters: {} }],
    });
  });

  it('of version 1 has its message behind the history, wherever the body has it', () => {
    const { fingerprints, ...rest } = call('/v1/chat', {
      message: 'And now?',
      ...PARAMETERS,
      preamble: 'Be brief.',
      conversation_id: 'conv-1',
      chat_history: [
        { role: 'USER', message: 'Hi' },
        { role: 'CHATBOT', message: 'Hello', tool_calls: [{ name: 'f', parameters: { a: 1 } }] },
      ],
      tools: [{ name: 'f', description: 'd', parameter_definitions: { a: { type: 'int' } } }],
      tool_results: [{ call: { name: 'f', parameters: { a: 1 } }, outputs: [{ b: 2 }] }],
    })!.request;
    assert.equal(fingerprints.length, 4);
    assert.deepEqual(rest, {
      ...READ,
      conversationId: 'conv-1',
      systemInstructions: [{ type: 'text', content: 'Be brief.' }],
      messages: [
        { role: 'user', parts: [{ type: 'text', content: 'Hi' }] },
        {
          role: 'assistant',
          parts: [
            { type: 'text', content: 'Hello' },
            { type: 'tool_call', name: 'f', arguments: { a: 1 } },
          ],
        },
        { role: 'user', parts: [{ type: 'text', content: 'And now?' }] },
        { role: 'tool', parts: [{ type: 'tool_call_response', response: '[{"b":2}]' }] },
      ],
      toolResults: [{ text: '[{"b":2}]' }],
      toolDefinitions: [
        { type: 'function', name: 'f', description: 'd', parameters: { a: { type: 'int' } } },
      ],
    });
  });

  it('to generate says what it asks for, and is told from others by its host or its model', () => {
    const { operation, request } = call('/v1/generate', {
      ...PARAMETERS,
      num_generations: 2,
      end_sequences: ['.'],
      prompt: 'Once upon',
    })!;
    assert.equal(operation, 'text_completion');
    const { systemInstructions: _, toolResults: __, toolDefinitions: ___, ...rest } = request;
    assert.equal(rest.fingerprints.length, 1);
    assert.deepEqual(rest, {
      ...READ,
      choiceCount: 2,
      stopSequences: ['END', '.'],
      messages: [{ role: 'user', parts: [{ type: 'text', content: 'Once upon' }] }],
      fingerprints: rest.fingerprints,
    });
    const host = 'api.cohere.com';
    const target = '/v1/generate';
    assert.ok(runExchange({ target, host, request: { prompt: 'Hi' }, status: undefined }).call);
  });

  it('for embeddings says formats and dimensions', () => {
    const { request, operation } = call('/v2/embed', {
      model: 'embed-v4.0',
      inputs: [{ content: [{ type: 'text', text: 'a' }] }],
      input_type: 'search_query',
      embedding_types: ['float', 'int8'],
      output_dimension: 512,
    })!;
    assert.equal(operation, 'embeddings');
    assert.deepEqual(
      [request.model, request.encodingFormats, request.dimensionCount],
      ['embed-v4.0', ['float', 'int8'], 512],
    );
  });
});
