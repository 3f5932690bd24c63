/** Which exchanges are model calls, whose they are, and what is read of their requests. */
import assert from 'node:assert/strict';
import type { CallRequest, ModelCall } from '../../../src/llm/model-call.ts';
import {
  anthropicEvents,
  MILLISECOND,
  openAiEvents,
  runExchange,
  type StageSettings,
  type WireExchange,
} from '../../support/llm-fixtures/run-exchange.ts';

const CHAT = { model: 'm', messages: [{ role: 'user', content: 'hi' }] };
const MESSAGE = { ...CHAT, max_tokens: 5 };

function callOf(wire: Partial<WireExchange> & { target: string }, settings?: StageSettings) {
  return runExchange({ request: CHAT, ...wire }, undefined, settings).call;
}

function requestOf(
  target: string,
  request: unknown,
  settings?: StageSettings,
): { request: CallRequest; call: ModelCall } {
  const call = callOf({ target, request }, settings);
  assert.ok(call);
  return { request: call.request, call };
}

const openAiRequest = (body: object, settings?: StageSettings) =>
  requestOf('/v1/chat/completions', { ...CHAT, ...body }, settings).request;
const anthropicRequest = (body: object, settings?: StageSettings) =>
  requestOf('/v1/messages', { ...MESSAGE, ...body }, settings).request;

describe('a model call is recognised', () => {
  const calls: [string, string][] = [
    ['/v1/chat/completions', 'openai.chat_completions'],
    ['/chat/completions', 'openai.chat_completions'],
    ['/api/v1/chat/completions', 'openai.chat_completions'],
    ['/openai/deployments/X/chat/completions?api-version=1', 'openai.chat_completions'],
    ['/compat/chat/completions', 'openai.chat_completions'],
    ['/v1/projects/p/locations/l/endpoints/openapi/chat/completions', 'openai.chat_completions'],
    ['http://localhost:4000/v1/chat/completions', 'openai.chat_completions'],
    ['/v1/chat/completions/', 'openai.chat_completions'],
    ['/v1/messages', 'anthropic.messages'],
    ['/v1/messages?beta=true', 'anthropic.messages'],
    ['/anthropic/v1/messages', 'anthropic.messages'],
  ];
  for (const [target, api] of calls) {
    it(`at ${target}`, () => {
      assert.equal(callOf({ target, request: MESSAGE })?.api, api);
    });
  }

  const PROMPT = { model: 'm', prompt: 'def f(', suffix: 'return' };
  const INPUT = { model: 'm', input: 'x' };
  const OTHER_PATHS: [string, string, object, string][] = [
    ['api.deepseek.com', '/beta/completions', PROMPT, 'openai.completions'],
    ['api.mistral.ai', '/v1/fim/completions', PROMPT, 'openai.completions'],
    ['localhost:1234', '/api/v0/completions', PROMPT, 'openai.completions'],
    ['localhost:4000', '/completions', PROMPT, 'openai.completions'],
    ['localhost:4000', '/embeddings', INPUT, 'openai.embeddings'],
    ['localhost:1234', '/api/v0/embeddings', INPUT, 'openai.embeddings'],
    [
      'api.mistral.ai',
      '/v1/agents/completions',
      { agent_id: 'ag:1', messages: CHAT.messages },
      'openai.chat_completions',
    ],
  ];
  for (const [host, target, request, api] of OTHER_PATHS) {
    it(`at ${host}${target}`, () => {
      assert.equal(callOf({ host, target, request })?.api, api);
    });
  }

  const others: [string, Partial<WireExchange> & { target: string }][] = [
    ['a list of models', { target: '/v1/models', method: 'GET' }],
    ['a stored answer', { target: '/v1/chat/completions/chatcmpl-1', method: 'GET' }],
    ['a list of stored answers', { target: '/v1/chat/completions', method: 'GET' }],
    ['a change of a stored answer', { target: '/v1/chat/completions/chatcmpl-1' }],
    ['a job', { target: '/async/chat/completions' }],
    ['a job of Perplexity', { target: '/async/chat/completions', host: 'api.perplexity.ai' }],
    ['completions of something else', { target: '/courses/completions', request: { model: 'm' } }],
    ['a prompt without a model', { target: '/completions', request: { prompt: 'x' } }],
    [
      'half a request at the path of anything',
      { target: '/completions', request: '{"model":"m","prompt":"x', isRequestComplete: false },
    ],
    ['embeddings of something else', { target: '/embeddings', request: { input: 'x' } }],
    ['agents of something else', { target: '/v1/agents/completions', request: { agent: 'x' } }],
    ['token counting', { target: '/v1/messages/count_tokens', request: MESSAGE }],
    ['a batch', { target: '/v1/messages/batches', request: { requests: [] } }],
    ['a batch’s results', { target: '/v1/messages/batches/b/results', method: 'GET' }],
    ['files', { target: '/v1/files' }],
    ['an upload', { target: '/v1/uploads/upload_1/parts' }],
    ['a list of models of Gemini', { target: '/v1beta/models', method: 'GET' }],
    ['a model of Ollama that is shown', { target: '/api/show', request: { model: 'llama3' } }],
    ['models of Ollama', { target: '/api/tags', method: 'GET' }],
    ['a model of Ollama that is pulled', { target: '/api/pull', request: { model: 'llama3' } }],
    [
      'token counting of Gemini',
      { target: '/v1beta/models/g:countTokens', request: { contents: [] } },
    ],
    [
      'a batch of Gemini',
      { target: '/v1beta/models/g:batchGenerateContent', request: { batch: {} } },
    ],
    ['token counting of Cohere', { target: '/v1/tokenize', request: { text: 'a', model: 'c' } }],
    ['token counting of Bedrock', { target: '/model/m/count-tokens', request: { input: {} } }],
    [
      'a batch of OpenAI',
      { target: '/v1/batches', request: { input_file_id: 'f', endpoint: '/v1/responses' } },
    ],
    ['a batch of Mistral', { target: '/v1/batch/jobs', request: { model: 'm', input_files: [] } }],
    [
      'fine-tuning',
      { target: '/v1/fine_tuning/jobs', request: { model: 'm', training_file: 'f' } },
    ],
    ['an assistant', { target: '/v1/assistants', request: { model: 'm', instructions: 'x' } }],
    ['a voice that is listed', { target: '/v1/audio/voices', method: 'GET' }],
    [
      'a model of vLLM that tokenizes',
      { target: '/tokenize', request: { model: 'm', prompt: 'a' } },
    ],
    ['interactions of nobody', { target: '/v1beta/interactions', request: { input: 'x' } }],
    ['conversations of nobody', { target: '/v1/conversations', request: { inputs: 'x' } }],
    ['documents that others read', { target: '/v1/ocr', request: { document: {} } }],
    ['texts of KoboldAI', { target: '/api/v1/generate', request: { prompt: 'x' } }],
    // What docs/model-apis.md says is not read.
    ['the chat of Writer', { target: '/v1/chat', host: 'api.writer.com' }],
    ['texts of Anthropic', { target: '/v1/complete', request: { model: 'm', prompt: 'x' } }],
    ['a ranking', { target: '/v2/rerank', request: { model: 'm', query: 'x', documents: [] } }],
    ['a run of an assistant', { target: '/v1/threads/t/runs', request: { assistant_id: 'a' } }],
    ['a video', { target: '/v1/videos', request: { model: 'm', prompt: 'x' } }],
    ['telemetry', { target: '/api/event_logging/batch', host: 'api.anthropic.com' }],
    ['the server’s side', { target: '/v1/chat/completions', role: 'server' }],
    ['another service’s messages', { target: '/v1/messages', request: { to: 'a', text: 'b' } }],
    ['an unrelated JSON body', { target: '/v1/chat/completions', request: { query: 1 } }],
    ['a body that is no object', { target: '/v1/chat/completions', request: [1] }],
  ];
  for (const [what, wire] of others) {
    it(`but not in ${what}`, () => {
      const observed = runExchange({ request: CHAT, status: 200, response: '{}', ...wire });
      assert.deepEqual(observed.order, []);
      assert.deepEqual(observed.failures, []);
    });
  }

  it('by its path alone when its body is torn', () => {
    const observed = runExchange({
      target: '/v1/chat/completions',
      request: '{"model":"gpt-4o","messages":[{"role":"user","content":"hi"},{"role":"us',
      isRequestComplete: false,
      status: undefined,
    });
    assert.equal(observed.call?.request.model, 'gpt-4o');
    assert.equal(observed.call?.request.fingerprints.length, 1);
    assert.ok(observed.call?.damage.kinds.has('truncated'));
    assert.deepEqual(observed.failures, []);
  });

  it('with a failure counted when its body is no JSON', () => {
    const observed = runExchange({
      target: '/v1/chat/completions',
      request: 'model=gpt-4o',
      status: 400,
      response: '{"error":{"message":"bad","type":"invalid_request_error"}}',
    });
    assert.deepEqual(observed.failures, ['llm.request openai.chat_completions']);
    assert.ok(observed.call?.damage.kinds.has('decode-error'));
    assert.equal(observed.call?.error?.type, 'invalid_request_error');
  });
});

describe('the provider and the server of a call', () => {
  const target = '/v1/chat/completions';
  const hosts: [string, string, string, number][] = [
    ['api.openai.com', 'openai', 'api.openai.com', 443],
    ['EU.API.OPENAI.COM', 'openai', 'eu.api.openai.com', 443],
    ['x.openai.azure.com:443', 'azure.ai.openai', 'x.openai.azure.com', 443],
    ['api.anthropic.com', 'anthropic', 'api.anthropic.com', 443],
    ['api.mistral.ai', 'mistral_ai', 'api.mistral.ai', 443],
    ['api.deepseek.com', 'deepseek', 'api.deepseek.com', 443],
    ['api.groq.com', 'groq', 'api.groq.com', 443],
    ['api.x.ai', 'x_ai', 'api.x.ai', 443],
    ['api.perplexity.ai', 'perplexity', 'api.perplexity.ai', 443],
    ['api.cohere.ai', 'cohere', 'api.cohere.ai', 443],
    [
      'us-central1-aiplatform.googleapis.com',
      'gcp.vertex_ai',
      'us-central1-aiplatform.googleapis.com',
      443,
    ],
    [
      'bedrock-runtime.us-east-1.amazonaws.com',
      'aws.bedrock',
      'bedrock-runtime.us-east-1.amazonaws.com',
      443,
    ],
    ['openrouter.ai', 'openrouter', 'openrouter.ai', 443],
    ['api.together.xyz', 'together_ai', 'api.together.xyz', 443],
    ['api.fireworks.ai', 'fireworks_ai', 'api.fireworks.ai', 443],
    ['router.huggingface.co', 'hugging_face', 'router.huggingface.co', 443],
    ['models.github.ai', 'github_models', 'models.github.ai', 443],
    ['integrate.api.nvidia.com', 'nvidia', 'integrate.api.nvidia.com', 443],
    ['api.cerebras.ai', 'cerebras', 'api.cerebras.ai', 443],
    ['api.moonshot.cn', 'moonshot_ai', 'api.moonshot.cn', 443],
    ['x.services.ai.azure.com', 'azure.ai.inference', 'x.services.ai.azure.com', 443],
    ['models.inference.ai.azure.com', 'azure.ai.inference', 'models.inference.ai.azure.com', 443],
    ['evilapi.openai.com.example', 'openai', 'evilapi.openai.com.example', 443],
    ['notapi.mistral.ai.example:1', 'openai', 'notapi.mistral.ai.example', 1],
    ['127.0.0.1:8443', 'openai', '127.0.0.1', 8443],
    ['[::1]:8443', 'openai', '::1', 8443],
  ];
  for (const [host, provider, address, port] of hosts) {
    it(`at ${host}`, () => {
      const call = callOf({ target, host });
      assert.equal(call?.provider, provider);
      assert.equal(call?.serverAddress, address);
      assert.equal(call?.serverPort, port);
    });
  }

  it('are what it speaks, and nothing, where the host is not a host', () => {
    const call = callOf({ target: '/v1/messages', request: MESSAGE, host: 'a b:99999' });
    assert.equal(call?.provider, 'anthropic');
    assert.equal(call?.serverAddress, undefined);
    assert.equal(call?.serverPort, undefined);
  });

  it('come from the target when it is absolute', () => {
    const call = callOf({
      target: 'https://api.groq.com:444/openai/v1/chat/completions',
      host: 'p',
    });
    assert.equal(call?.provider, 'groq');
    assert.equal(call?.serverPort, 444);
  });

  it('are Azure OpenAI below its path at a host that serves both of its APIs', () => {
    const host = 'x.services.ai.azure.com';
    const at = (path: string) => callOf({ target: `${path}/chat/completions`, host })?.provider;
    assert.equal(at('/openai/v1'), 'azure.ai.openai');
    assert.equal(at('/openai/deployments/d'), 'azure.ai.openai');
    assert.equal(at('/models'), 'azure.ai.inference');
  });

  it('are told by a path that only one provider has, at any host that is not known', () => {
    const deployed = '/openai/deployments/d/chat/completions?api-version=2024-10-21';
    const vertex = '/v1/projects/p/locations/eu/endpoints/openapi/chat/completions';
    const at = (path: string, host: string, responseHeaders = {}) =>
      callOf({ target: path, host, status: 200, response: '{}', responseHeaders })?.provider;
    assert.equal(at(deployed, 'contoso.azure-api.net'), 'azure.ai.openai');
    assert.equal(at(`/team${deployed}`, 'gateway.example'), 'azure.ai.openai');
    assert.equal(at(deployed, 'api.groq.com'), 'groq');
    assert.equal(at(deployed, 'localhost:4000', { 'x-litellm-version': '1' }), 'litellm');
    assert.equal(at(vertex, 'gateway.example'), 'gcp.vertex_ai');
    // Others have deployments, too: what Azure writes into every answer tells.
    const azure = { 'x-ms-region': 'East US 2' };
    for (const method of ['chat/completions', 'completions', 'embeddings']) {
      const short = `/team/deployments/d/${method}?api-version=2024-10-21`;
      const request = { model: 'm', prompt: 'x', input: 'x', messages: [] };
      const told = (target: string, host: string, responseHeaders = {}) =>
        callOf({ target, host, request, status: 200, response: '{}', responseHeaders })?.provider;
      assert.equal(told(short, 'gateway.example'), 'openai');
      assert.equal(told(short, 'gateway.example', azure), 'azure.ai.openai');
      assert.equal(told(`/v1/${method}`, 'gateway.example', azure), 'openai');
      assert.equal(told(short, 'api.groq.com', azure), 'groq');
    }
  });

  it('are Amazon Bedrock at its hosts, and not at those whose names begin like them', () => {
    const at = (host: string) =>
      callOf({ target: '/openai/v1/chat/completions', host, status: 200, response: '{}' })
        ?.provider;
    assert.equal(at('bedrock-runtime.us-east-1.amazonaws.com'), 'aws.bedrock');
    assert.equal(at('bedrock-runtime.cn-north-1.amazonaws.com.cn'), 'aws.bedrock');
    assert.equal(at('bedrock-mantle.us-east-1.api.aws'), 'aws.bedrock');
    assert.equal(at('bedrock-runtime.us-east-1.amazonaws.com.example'), 'openai');
  });

  it('are Vertex AI at the hosts of its multi-regions', () => {
    const host = 'aiplatform.eu.rep.googleapis.com';
    const native = '/v1/projects/p/locations/eu/publishers/google/models/g:generateContent';
    const at = (path: string, of = host) =>
      callOf({ target: path, host: of, request: { ...CHAT, contents: [] } })?.provider;
    assert.equal(at(native), 'gcp.vertex_ai');
    assert.equal(at('/v1/publishers/google/models/g:generateContent'), 'gcp.vertex_ai');
    assert.equal(at(target), 'gcp.vertex_ai');
    assert.equal(at(target, 'storage.eu.rep.googleapis.com'), 'openai');
  });

  for (const [provider, answer, responseHeaders] of [
    ['litellm', {}, { 'x-litellm-call-id': '7' }],
    ['vllm', { prompt_logprobs: null, kv_transfer_params: null }, {}],
    ['lm_studio', { model: 'qwen', stats: {}, system_fingerprint: 'qwen' }, {}],
    ['llama_cpp', { timings: { predicted_per_second: 12.5 } }, {}],
    ['llama_cpp', {}, { server: 'llama.cpp' }],
    ['ollama', { system_fingerprint: 'fp_ollama' }, {}],
    ['openai', { system_fingerprint: 'fp_44709d6fcb', usage: { prompt_tokens: 1 } }, {}],
    ['openai', {}, { server: 'uvicorn' }],
    // A whole answer of TensorRT-LLM has it, too.
    ['openai', { prompt_token_ids: null }, {}],
  ] as const) {
    const told = JSON.stringify({ ...answer, ...responseHeaders });
    it(`are told by what only ${provider} answers, unless the host is known: ${told}`, () => {
      const response = JSON.stringify({ id: 'x', choices: [], ...answer });
      for (const api of ['chat/completions', 'completions']) {
        const at = (host: string) =>
          callOf({
            target: `/v1/${api}`,
            host,
            request: { model: 'm', messages: [], prompt: 'x' },
            status: 200,
            response,
            responseHeaders,
          })?.provider;
        assert.equal(at('localhost:4000'), provider, api);
        assert.equal(at('api.groq.com'), 'groq', api);
      }
    });
  }

  it('are told by the first chunk of vLLM, and by the head of llama.cpp’s vectors', () => {
    const chunk = { id: 'x', object: 'chat.completion.chunk', choices: [], prompt_token_ids: null };
    const streamed = callOf({
      target,
      status: 200,
      contentType: 'text/event-stream',
      response: `data: ${JSON.stringify(chunk)}\n\n`,
    });
    assert.equal(streamed?.provider, 'vllm');
    const vectors = callOf({
      target: '/v1/embeddings',
      request: { model: 'm', input: 'x' },
      status: 200,
      response: '{}',
      responseHeaders: { Server: 'llama.cpp' },
    });
    assert.equal(vectors?.provider, 'llama_cpp');
  });

  it('have a traceparent only when it is a valid one', () => {
    const valid = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const at = (traceparent: string) => callOf({ target, requestHeaders: { traceparent } });
    assert.equal(at(valid)?.traceparent, valid);
    for (const wrong of [
      valid.toUpperCase(),
      valid.replace(/^00/, 'ff'),
      `${valid}-extra`,
      '00-00000000000000000000000000000000-b7ad6b7169203331-01',
      '00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01',
      `${valid}, ${valid}`,
    ]) {
      assert.equal(at(wrong)?.traceparent, undefined, wrong);
    }
  });
});

describe('the request of a call', () => {
  it('has all parameters of chat completions', () => {
    const request = openAiRequest({
      model: 'gpt-4o',
      stream: true,
      max_tokens: 5,
      max_completion_tokens: 6,
      temperature: 0.5,
      top_p: 0.25,
      top_k: 3,
      frequency_penalty: -1,
      presence_penalty: 1.5,
      stop: ['a', 'b'],
      seed: 42,
      n: 2,
      response_format: { type: 'json_schema', json_schema: { name: 'x', schema: {} } },
      service_tier: 'flex',
    });
    const { systemInstructions, messages, fingerprints, toolResults, toolDefinitions, ...rest } =
      request;
    assert.deepEqual(rest, {
      model: 'gpt-4o',
      stream: true,
      maxTokens: 6,
      temperature: 0.5,
      topP: 0.25,
      topK: 3,
      frequencyPenalty: -1,
      presencePenalty: 1.5,
      stopSequences: ['a', 'b'],
      seed: 42,
      choiceCount: 2,
      outputType: 'json',
      serviceTier: 'flex',
    });
    assert.deepEqual(openAiRequest({ stop: 'x' }).stopSequences, ['x']);
    assert.equal(openAiRequest({ response_format: { type: 'text' } }).outputType, 'text');
    assert.equal(openAiRequest({ stop: null, n: null, seed: null }).stopSequences, undefined);
  });

  it('has all parameters of messages', () => {
    const request = anthropicRequest({
      stream: false,
      temperature: 1,
      top_p: 0.5,
      top_k: 40,
      stop_sequences: ['END'],
      service_tier: 'auto',
      output_config: { format: { type: 'json_schema', schema: {} } },
    });
    const { systemInstructions, messages, fingerprints, toolResults, toolDefinitions, ...rest } =
      request;
    assert.deepEqual(rest, {
      model: 'm',
      stream: false,
      maxTokens: 5,
      temperature: 1,
      topP: 0.5,
      topK: 40,
      stopSequences: ['END'],
      serviceTier: 'auto',
      outputType: 'json',
    });
  });

  it('takes the model from an Azure path when the body has none', () => {
    const { request } = requestOf('/openai/deployments/my%20gpt/chat/completions', {
      messages: [],
    });
    assert.equal(request.model, 'my gpt');
  });

  it('has the parts of messages of chat completions', () => {
    const { messages } = openAiRequest({
      messages: [
        { role: 'system', content: 'Be kind' },
        {
          role: 'user',
          name: 'ann',
          content: [
            { type: 'text', text: 'look' },
            { type: 'image_url', image_url: { url: 'https://x.example/a.png' } },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0K' } },
            { type: 'input_audio', input_audio: { data: 'UklGR', format: 'wav' } },
            { type: 'file', file: { file_id: 'file-1' } },
            { type: 'novelty', thing: { deep: 'x' } },
          ],
        },
        {
          role: 'assistant',
          content: null,
          tool_calls: [
            { id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a": 1}' } },
            { id: 'c2', type: 'custom', custom: { name: 'g', input: 'plain text' } },
          ],
        },
        { role: 'tool', tool_call_id: 'c1', content: [{ type: 'text', text: 'one' }] },
      ],
    });
    assert.deepEqual(messages, [
      { role: 'system', parts: [{ type: 'text', content: 'Be kind' }] },
      {
        role: 'user',
        name: 'ann',
        parts: [
          { type: 'text', content: 'look' },
          { type: 'uri', modality: 'image', uri: 'https://x.example/a.png' },
          { type: 'blob', modality: 'image', mime_type: 'image/png', content: 'iVBORw0K' },
          { type: 'blob', modality: 'audio', mime_type: 'audio/wav', content: 'UklGR' },
          { type: 'file', modality: 'document', file_id: 'file-1' },
          { type: 'novelty', thing: { deep: 'x' } },
        ],
      },
      {
        role: 'assistant',
        parts: [
          { type: 'tool_call', id: 'c1', name: 'f', arguments: { a: 1 } },
          { type: 'tool_call', id: 'c2', name: 'g', arguments: 'plain text' },
        ],
      },
      { role: 'tool', parts: [{ type: 'tool_call_response', id: 'c1', response: 'one' }] },
    ]);
  });

  it('has the parts of messages and the system of messages', () => {
    const request = anthropicRequest({
      system: [
        { type: 'text', text: 'Be kind', cache_control: { type: 'ephemeral' } },
        { type: 'text', text: 'Be brief' },
      ],
      messages: [
        {
          role: 'user',
          content: [
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBO' } },
            { type: 'image', source: { type: 'url', url: 'https://x.example/a.png' } },
            { type: 'document', source: { type: 'file', file_id: 'file_1' } },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'hm', signature: 's' },
            { type: 'text', text: 'ok' },
            { type: 'tool_use', id: 't1', name: 'f', input: { a: 1 } },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 't1', content: [{ type: 'text', text: 'one' }] },
          ],
        },
      ],
    });
    assert.deepEqual(request.systemInstructions, [
      { type: 'text', content: 'Be kind' },
      { type: 'text', content: 'Be brief' },
    ]);
    assert.deepEqual(
      request.messages.map((message) => message.parts),
      [
        [
          { type: 'blob', modality: 'image', mime_type: 'image/png', content: 'iVBO' },
          { type: 'uri', modality: 'image', uri: 'https://x.example/a.png' },
          { type: 'file', modality: 'document', file_id: 'file_1' },
        ],
        [
          { type: 'reasoning', content: 'hm' },
          { type: 'text', content: 'ok' },
          { type: 'tool_call', id: 't1', name: 'f', arguments: { a: 1 } },
        ],
        [{ type: 'tool_call_response', id: 't1', response: 'one' }],
      ],
    );
    assert.deepEqual(anthropicRequest({ system: 'Plain' }).systemInstructions, [
      { type: 'text', content: 'Plain' },
    ]);
  });

  it('has the tools it offers, their schemas only with content', () => {
    const parameters = { type: 'object', properties: { a: { type: 'string' } } };
    const tools = [
      { type: 'function', function: { name: 'f', description: 'does f', parameters } },
      { type: 'custom', custom: { name: 'g', description: 'does g' } },
    ];
    assert.deepEqual(openAiRequest({ tools }).toolDefinitions, [
      { type: 'function', name: 'f', description: 'does f', parameters },
      { type: 'custom', name: 'g', description: 'does g' },
    ]);
    assert.deepEqual(openAiRequest({ tools }, { keepContent: false }).toolDefinitions, [
      { type: 'function', name: 'f' },
      { type: 'custom', name: 'g' },
    ]);
    const anthropicTools = [
      { name: 'f', description: 'does f', input_schema: parameters },
      { type: 'web_search_20250305', name: 'web_search', max_uses: 5 },
    ];
    assert.deepEqual(anthropicRequest({ tools: anthropicTools }).toolDefinitions, [
      { type: 'function', name: 'f', description: 'does f', parameters },
      { type: 'web_search_20250305', name: 'web_search' },
    ]);
  });

  it('brings back the results after the last answer', () => {
    const messages = [
      { role: 'user', content: 'a' },
      { role: 'assistant', tool_calls: [{ id: 'old', function: { name: 'f', arguments: '' } }] },
      { role: 'tool', tool_call_id: 'old', content: 'old' },
      { role: 'assistant', tool_calls: [{ id: 'c1', function: { name: 'f', arguments: '' } }] },
      { role: 'tool', tool_call_id: 'c1', content: 'one' },
      { role: 'tool', tool_call_id: 'c2', content: [{ type: 'text', text: 'two' }] },
    ];
    assert.deepEqual(openAiRequest({ messages }).toolResults, [
      { id: 'c1', text: 'one' },
      { id: 'c2', text: 'two' },
    ]);
    const blocks = [
      { role: 'assistant', content: [{ type: 'tool_use', id: 't1', name: 'f', input: {} }] },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 't1', content: 'bad', is_error: true },
          {
            type: 'tool_result',
            tool_use_id: 't2',
            content: [
              { type: 'text', text: 'x' },
              { type: 'text', text: 'y' },
            ],
          },
          { type: 'text', text: 'go on' },
        ],
      },
    ];
    assert.deepEqual(anthropicRequest({ messages: blocks }).toolResults, [
      { id: 't1', text: 'bad', isError: true },
      { id: 't2', text: 'x\ny' },
    ]);
    assert.deepEqual(anthropicRequest({ messages: blocks }, { keepContent: false }).toolResults, [
      { id: 't1', text: '', isError: true },
      { id: 't2', text: '' },
    ]);
  });

  it('keeps roles and fingerprints, and no content, when content is off', () => {
    const secret = 'do not keep this';
    const { call } = requestOf(
      '/v1/messages',
      {
        ...MESSAGE,
        system: secret,
        messages: [{ role: 'user', content: [{ type: 'text', text: secret }] }],
        tools: [{ name: 'f', description: secret, input_schema: { title: secret } }],
      },
      { keepContent: false },
    );
    const { exchange: _, startNs: _s, endNs: _e, ...kept } = call;
    assert.equal(JSON.stringify(kept).includes(secret), false);
    assert.deepEqual(call.request.messages, [{ role: 'user', parts: [] }]);
    assert.equal(call.request.fingerprints.length, 1);
  });
});

describe('the fingerprint of a message', () => {
  const print = (message: object) => openAiRequest({ messages: [message] }).fingerprints[0];
  const block = (message: object) => anthropicRequest({ messages: [message] }).fingerprints[0];

  it('does not depend on how clients write it', () => {
    const call = (text: unknown) => ({
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: text } }],
    });
    assert.equal(print(call('{"a":1,"b":"é"}')), print(call('{ "b": "\\u00e9", "a": 1.0 }')));
    assert.equal(print(call('')), print(call('{}')));
    assert.equal(print(call('{"a":1}')), print(call({ a: 1 })));
    assert.equal(
      print({ role: 'assistant', content: 'x' }),
      print({ role: 'assistant', content: [{ type: 'text', text: 'x' }] }),
    );
    const { content: _, ...without } = call('{}');
    assert.equal(print(call('{}')), print(without));
    assert.equal(print(call('{}')), print({ ...without, content: '' }));
    assert.equal(
      block({ role: 'user', content: 'x' }),
      block({
        role: 'user',
        content: [{ type: 'text', text: 'x', cache_control: { type: 'ephemeral' } }],
      }),
    );
    assert.equal(
      block({
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'hm', signature: 's' },
          { type: 'text', text: 'x' },
        ],
      }),
      block({ role: 'assistant', content: 'x' }),
    );
  });

  it('does not depend on whether content is kept or cut', () => {
    const content = 'long text '.repeat(100);
    const message = {
      role: 'user',
      content: [
        { type: 'text', text: content },
        { type: 'image_url', image_url: { url: `data:image/png;base64,${content}` } },
      ],
    };
    const all = (settings: StageSettings) =>
      openAiRequest({ messages: [message] }, settings).fingerprints;
    assert.deepEqual(all({ keepContent: false }), all({}));
    assert.deepEqual(all({ maxContentBytes: 10 }), all({}));
  });

  it('tells different messages apart', () => {
    const user = (content: unknown) => ({ role: 'user', content });
    const image = (data: string) =>
      user([{ type: 'image', source: { type: 'base64', media_type: 'image/png', data } }]);
    const result = (id: string, content: string) =>
      user([{ type: 'tool_result', tool_use_id: id, content }]);
    const tool = (name: string, input: object) => ({
      role: 'assistant',
      content: [{ type: 'tool_use', id: 't', name, input }],
    });
    const messages = [
      user('a'),
      user('b'),
      { role: 'assistant', content: 'a' },
      image('a'),
      image('b'),
      result('1', 'a'),
      result('2', 'a'),
      result('1', 'b'),
      tool('f', {}),
      tool('g', {}),
      tool('f', { a: '1' }),
      tool('f', { a: 1 }),
      tool('f', { a: [1] }),
      tool('f', { b: 1 }),
    ];
    for (const keepContent of [true, false]) {
      const prints = anthropicRequest({ messages }, { keepContent }).fingerprints;
      assert.equal(new Set(prints).size, messages.length);
    }
  });
});

describe('the times of a call', () => {
  const chunk = (delta: object) => ({
    choices: [{ index: 0, delta, finish_reason: null }],
  });

  it('begin with the first piece of the answer itself', () => {
    const events = [
      chunk({ role: 'assistant', content: '' }),
      chunk({ content: 'a' }),
      chunk({ content: 'b' }),
      { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
    ].map((event) => openAiEvents([event], false));
    const sizes = [...events.map((event) => event.length), 1000];
    const { call } = runExchange(
      {
        target: '/v1/chat/completions',
        request: CHAT,
        status: 200,
        contentType: 'text/event-stream',
        response: `${events.join('')}data: [DONE]\n\n`,
      },
      { sizes },
    );
    // The request came in one piece and took the first size; the response's pieces begin with it again.
    assert.equal(call?.startNs, 0n);
    assert.equal(call?.firstChunkNs, 11n * MILLISECOND);
    assert.deepEqual(call?.chunkGapsNs, [1_000_000]);
    assert.equal(call?.endNs, 14n * MILLISECOND);
  });

  it('count a tool’s name and arguments, but no preambles and pings', () => {
    const events = [
      { type: 'message_start', message: { id: 'm', usage: { input_tokens: 1 } } },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'ping' },
      {
        type: 'content_block_start',
        index: 1,
        content_block: { type: 'tool_use', id: 't', name: 'f', input: {} },
      },
      {
        type: 'content_block_delta',
        index: 1,
        delta: { type: 'input_json_delta', partial_json: '{}' },
      },
      { type: 'message_stop' },
    ].map((event) => anthropicEvents([event]));
    const { call } = runExchange(
      {
        target: '/v1/messages',
        request: MESSAGE,
        status: 200,
        contentType: 'text/event-stream',
        response: events.join(''),
      },
      { sizes: events.map((event) => event.length) },
    );
    assert.equal(call?.firstChunkNs, 13n * MILLISECOND);
    assert.deepEqual(call?.chunkGapsNs, [1_000_000]);
    assert.equal(call?.endNs, 15n * MILLISECOND);
  });

  it('have no first chunk when the answer is not streamed', () => {
    const { call } = runExchange({
      target: '/v1/chat/completions',
      request: CHAT,
      status: 200,
      response: JSON.stringify({ choices: [{ message: { content: 'a' }, finish_reason: 'stop' }] }),
    });
    assert.equal(call?.firstChunkNs, undefined);
    assert.equal(call?.endNs, 10n * MILLISECOND);
  });
});

describe('the limits of a call', () => {
  const answer = (content: string, calls: object[] = []) =>
    JSON.stringify({
      id: 'x',
      choices: [
        { message: { role: 'assistant', content, tool_calls: calls }, finish_reason: 'stop' },
      ],
      usage: { prompt_tokens: 1, completion_tokens: 2 },
    });
  const run = (response: string, settings: StageSettings, request: unknown = CHAT) => {
    const { call } = runExchange(
      { target: '/v1/chat/completions', request, status: 200, response },
      { sizes: [1000] },
      settings,
    );
    return call!;
  };

  it('cut content and say so', () => {
    const call = run(answer('é'.repeat(100)), { maxContentBytes: 11 });
    assert.deepEqual(call.response?.messages[0]?.parts, [
      { type: 'text', content: 'ééééé', truncated: true },
    ]);
    assert.deepEqual([...call.damage.kinds], ['limit']);
    assert.equal(call.response?.usage.outputTokens, 2);
  });

  it('say so of each part that they cut, and of no other', () => {
    const long = 'x'.repeat(30);
    const calls = [{ id: 'c', function: { name: 'f', arguments: JSON.stringify({ long }) } }];
    const call = run(
      answer('short', calls),
      { maxContentBytes: 20 },
      {
        model: 'm',
        messages: [
          { role: 'system', content: long },
          {
            role: 'user',
            content: [
              { type: 'text', text: 'short' },
              { type: 'text', text: long },
            ],
          },
          { role: 'user', content: [{ type: 'image_url', image_url: { url: `https://${long}` } }] },
          { role: 'tool', tool_call_id: 'c', content: long },
        ],
      },
    );
    const marks = [...call.request.messages, ...call.response!.messages].map(({ parts }) =>
      parts.map((part) => (part as { truncated?: boolean }).truncated),
    );
    assert.deepEqual(marks, [[true], [undefined, true], [true], [true], [undefined, true]]);
  });

  it('say so of a text that came in pieces', () => {
    const deltas = ['abcdef', 'ghijkl'].map((content) => ({
      choices: [{ index: 0, delta: { content } }],
    }));
    const { call } = runExchange(
      {
        target: '/v1/chat/completions',
        request: CHAT,
        status: 200,
        contentType: 'text/event-stream',
        response: openAiEvents(deltas),
      },
      undefined,
      { maxContentBytes: 8 },
    );
    assert.deepEqual(call?.response?.messages[0]?.parts, [
      { type: 'text', content: 'abcdefgh', truncated: true },
    ]);
  });

  it('are not met by content that is off', () => {
    const call = run(answer('x'.repeat(100_000)), { keepContent: false, maxContentBytes: 10 });
    assert.equal(call.damage.any, false);
    assert.equal(call.response?.usage.outputTokens, 2);
  });

  it('hold for all content together', () => {
    const call = run(answer('x'.repeat(60)), { limits: { maxCallContentBytes: 50 } });
    const [part] = call.response!.messages[0]!.parts as { content: string }[];
    assert.ok(part!.content.length < 50);
    assert.ok(call.damage.kinds.has('limit'));
  });

  it('keep arguments that content’s limit would cut, and cut them at their own', () => {
    const toolCall = (text: string) => [{ id: 'c', function: { name: 'f', arguments: text } }];
    const long = JSON.stringify({ command: 'x'.repeat(200) });
    const off = run(answer('', toolCall(long)), { keepContent: false, maxContentBytes: 10 });
    assert.equal(off.response?.toolCalls[0]?.argumentsText, long);
    assert.equal(off.damage.any, false);
    const cut = run(answer('', toolCall(long)), { limits: { maxArgumentBytes: 50 } });
    assert.equal(cut.response?.toolCalls[0]?.argumentsText.length, 50);
    assert.ok(cut.damage.kinds.has('limit'));
  });

  it('bound messages, choices, parts and chunks', () => {
    const messages = Array.from({ length: 10 }, () => ({ role: 'user', content: 'a' }));
    const many = run(answer('a'), { limits: { maxMessages: 4 } }, { model: 'm', messages });
    assert.equal(many.request.fingerprints.length, 4);
    assert.ok(many.damage.kinds.has('limit'));

    const chunks = Array.from({ length: 20 }, (_, index) => ({
      choices: [{ index, delta: { content: 'a' }, finish_reason: null }],
    }));
    const { call } = runExchange(
      {
        target: '/v1/chat/completions',
        request: CHAT,
        status: 200,
        contentType: 'text/event-stream',
        response: openAiEvents(chunks),
      },
      undefined,
      { limits: { maxChoices: 3, maxChunkGaps: 1 } },
    );
    assert.equal(call?.response?.messages.length, 3);
    assert.equal(call?.chunkGapsNs.length, 1);
    assert.ok(call?.damage.kinds.has('limit'));
  });

  it('skip an event that is too large and go on', () => {
    const big = { choices: [{ index: 0, delta: { content: 'x'.repeat(5000) } }] };
    const end = {
      choices: [{ index: 0, delta: { content: 'y' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 2 },
    };
    const { call } = runExchange(
      {
        target: '/v1/chat/completions',
        request: CHAT,
        status: 200,
        contentType: 'text/event-stream',
        response: openAiEvents([big, end]),
      },
      { sizes: [100] },
      { limits: { maxEventBytes: 1000 } },
    );
    assert.deepEqual([...call!.damage.kinds], ['limit']);
    assert.equal(call?.complete, true);
    assert.equal(call?.response?.usage.outputTokens, 2);
  });

  it('let a 1 MB request and a 5 MB answer through, fast', function () {
    this.timeout(5000);
    const content = 'All work and no play makes Jack a dull boy.\n'.repeat(24_000);
    const messages = [{ role: 'user', content }];
    const call = run(answer(content.repeat(5)), { keepContent: true }, { model: 'm', messages });
    assert.equal(call.complete, true);
    assert.equal(call.response?.usage.inputTokens, 1);
    assert.equal(
      (call.request.messages[0]!.parts[0] as { content: string }).content.length,
      65_536,
    );
  });

  it('survive arguments nested too deep for any tool', () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    const call = run(answer('', [{ id: 'c', function: { name: 'f', arguments: deep } }]), {
      maxContentBytes: 1_000_000,
    });
    assert.equal(call.response?.toolCalls[0]?.argumentsText, deep);
    assert.doesNotThrow(() => JSON.stringify(call.response?.messages));
    const nested = run(`{"choices":${deep},"usage":{}}`, {});
    assert.ok(nested.damage.kinds.has('limit'));
  });
});
