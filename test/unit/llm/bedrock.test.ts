/** Requests to Amazon Bedrock and to other publishers' models on Vertex AI: which are calls, what they ask for. */
import assert from 'node:assert/strict';
import { runExchange, type WireExchange } from '../../support/llm-fixtures/run-exchange.ts';

function call(target: string, request: unknown, extra: Partial<WireExchange> = {}) {
  return runExchange({ target, request, status: undefined, ...extra }).call;
}

const ARN = 'arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.meta.llama3-3-70b';
const MESSAGES = [{ role: 'user', content: [{ text: 'Hi' }] }];
const CONFIG = { maxTokens: 9, temperature: 0.5, topP: 0.9, stopSequences: ['END'] };
const READ = { maxTokens: 9, temperature: 0.5, topP: 0.9, stopSequences: ['END'] };

describe('a request to Bedrock', () => {
  it('names its model in the path, percent-encoded, ARNs too', () => {
    for (const [target, model, api, stream] of [
      ['/model/a.b-v1%3A0/converse', 'a.b-v1:0', 'bedrock.converse', undefined],
      [`/model/${encodeURIComponent(ARN)}/converse-stream`, ARN, 'bedrock.converse', true],
      ['/aws/model/a.b-v1:0/invoke', 'a.b-v1:0', 'bedrock.invoke_model', undefined],
      [`/model/${ARN}/invoke-with-response-stream`, ARN, 'bedrock.invoke_model', true],
    ] as const) {
      const seen = call(target, { messages: MESSAGES });
      assert.deepEqual(
        [seen?.request.model, seen?.api, seen?.request.stream, seen?.provider],
        [model, api, stream, 'aws.bedrock'],
        target,
      );
    }
  });

  it('is a model call only when it runs a model that answers in text or vectors', () => {
    for (const target of [
      '/model/a.b/count-tokens',
      '/model/a.b/async-invoke',
      '/guardrail/g/version/1/apply',
      '/model/amazon.titan-image-generator-v2%3A0/invoke',
      '/model/stability.sd3-5-large-v1%3A0/invoke',
      '/foundation-models',
    ]) {
      assert.equal(call(target, { messages: MESSAGES }), undefined, target);
    }
    assert.equal(call('/model/a.b/invoke', { image: 'x' }), undefined);
  });

  it('of Converse says what it asks for, and brings back results of tools', () => {
    const { fingerprints, ...rest } = call('/model/m/converse', {
      messages: [
        ...MESSAGES,
        {
          role: 'assistant',
          content: [{ toolUse: { toolUseId: 't1', name: 'f', input: { a: 1 } } }],
        },
        {
          role: 'user',
          content: [
            {
              toolResult: {
                toolUseId: 't1',
                content: [{ json: { sky: 'blue' } }],
                status: 'error',
              },
            },
            { image: { format: 'png', source: { bytes: 'iVBORw0=' } } },
            { document: { format: 'pdf', name: 'd', source: { s3Location: { uri: 's3://b/d' } } } },
            { cachePoint: { type: 'default' } },
          ],
        },
      ],
      system: [{ text: 'Be brief.' }],
      inferenceConfig: CONFIG,
      additionalModelRequestFields: { top_k: 40 },
      guardrailConfig: { guardrailIdentifier: 'gr-1', guardrailVersion: '1' },
      serviceTier: { type: 'flex' },
      toolConfig: {
        tools: [
          { toolSpec: { name: 'f', description: 'd', inputSchema: { json: { type: 'object' } } } },
          { cachePoint: { type: 'default' } },
        ],
      },
    })!.request;
    assert.equal(fingerprints.length, 3);
    assert.deepEqual(rest, {
      ...READ,
      model: 'm',
      topK: 40,
      serviceTier: 'flex',
      guardrailId: 'gr-1',
      systemInstructions: [{ type: 'text', content: 'Be brief.' }],
      messages: [
        { role: 'user', parts: [{ type: 'text', content: 'Hi' }] },
        {
          role: 'assistant',
          parts: [{ type: 'tool_call', name: 'f', id: 't1', arguments: { a: 1 } }],
        },
        {
          role: 'user',
          parts: [
            { type: 'tool_call_response', id: 't1', response: '{"sky":"blue"}' },
            { type: 'blob', modality: 'image', content: 'iVBORw0=', mime_type: 'image/png' },
            { type: 'uri', modality: 'document', uri: 's3://b/d', mime_type: 'application/pdf' },
          ],
        },
      ],
      toolResults: [{ id: 't1', isError: true, text: '{"sky":"blue"}' }],
      toolDefinitions: [
        { type: 'function', name: 'f', description: 'd', parameters: { type: 'object' } },
      ],
    });
  });

  it('of InvokeModel is read in the model’s own shape', () => {
    for (const [request, operation, wanted] of [
      [{ anthropic_version: 'b', max_tokens: 9, messages: [] }, 'chat', { maxTokens: 9 }],
      [{ messages: MESSAGES, inferenceConfig: CONFIG }, 'chat', READ],
      [
        { message: 'Hi', max_tokens: 9, p: 0.9, k: 5 },
        'chat',
        { maxTokens: 9, topP: 0.9, topK: 5 },
      ],
      [{ prompt: 'Hi', max_gen_len: 9 }, 'text_completion', { maxTokens: 9 }],
      [
        { inputText: 'Hi', textGenerationConfig: { maxTokenCount: 9, topP: 0.9 } },
        'text_completion',
        { maxTokens: 9, topP: 0.9 },
      ],
      [{ texts: ['a'], embedding_types: ['int8'] }, 'embeddings', { encodingFormats: ['int8'] }],
      [{ inputText: 'a', dimensions: 256 }, 'embeddings', { dimensionCount: 256 }],
    ] as const) {
      const seen = call('/model/m/invoke', request)!;
      const shown = JSON.stringify(request);
      assert.equal(seen.operation, operation, shown);
      for (const [name, value] of Object.entries(wanted)) {
        assert.deepEqual(seen.request[name as keyof typeof seen.request], value, shown);
      }
    }
  });

  it('of InvokeModel has messages, tools and the system’s text of every shape', () => {
    const claude = call('/model/m/invoke', {
      anthropic_version: 'bedrock-2023-05-31',
      max_tokens: 9,
      system: 'Be brief.',
      tools: [{ name: 'f', input_schema: { type: 'object' } }],
      messages: [
        { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'f', input: { a: 1 } }] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: 'blue' }] },
      ],
    })!.request;
    assert.deepEqual(claude.systemInstructions, [{ type: 'text', content: 'Be brief.' }]);
    assert.deepEqual(claude.toolDefinitions, [
      { type: 'function', name: 'f', parameters: { type: 'object' } },
    ]);
    assert.deepEqual(claude.toolResults, [{ id: 't', text: 'blue' }]);
    const mistral = call('/model/m/invoke', {
      tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }],
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', tool_calls: [{ id: 't', function: { name: 'f', arguments: '{}' } }] },
        { role: 'tool', tool_call_id: 't', content: 'blue' },
      ],
    })!.request;
    assert.deepEqual(mistral.toolDefinitions, claude.toolDefinitions);
    assert.deepEqual(mistral.toolResults, claude.toolResults);
    const command = call('/model/m/invoke', {
      message: 'And now?',
      chat_history: [
        { role: 'USER', message: 'Hi' },
        { role: 'CHATBOT', message: 'Hello' },
      ],
    })!.request;
    assert.deepEqual(
      command.messages.map(({ role }) => role),
      ['user', 'assistant', 'user'],
    );
  });

  it('keeps the counts of the headers when the body is lost', () => {
    const { call: seen } = runExchange(
      {
        target: '/model/mistral.m/invoke',
        request: { prompt: 'Hi' },
        status: 200,
        responseHeaders: { 'x-amzn-bedrock-input-token-count': '7' },
        response: '{"outputs":[{"text":"Hello."}]}',
      },
      { sizes: [8], gapAt: 0, lost: 8 },
    );
    assert.deepEqual(seen!.response!.usage, { inputTokens: 7 });
    assert.ok(seen!.damage.kinds.has('gap'));
  });
});

describe('a request to another publisher’s model on Vertex AI', () => {
  const models = '/v1/projects/p/locations/l/publishers/anthropic/models';

  it('has the path’s model, and is no call when it only counts tokens', () => {
    const request = { anthropic_version: 'vertex-2023-10-16', max_tokens: 9, messages: [] };
    const seen = call(`${models}/claude-sonnet-4@20250514:streamRawPredict`, request)!;
    assert.deepEqual(
      [seen.api, seen.provider, seen.request.model, seen.request.stream],
      ['anthropic.messages', 'gcp.vertex_ai', 'claude-sonnet-4@20250514', true],
    );
    assert.equal(call(`${models}/count-tokens:rawPredict`, request), undefined);
  });
});
