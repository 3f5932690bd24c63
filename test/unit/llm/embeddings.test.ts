/** Requests of the embeddings API: which are calls, and what is known of them. */
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { callAttributes } from '../../../src/telemetry/call-attributes.ts';
import { CONVENTIONS } from '../../../src/telemetry/semconv.ts';
import { runExchange } from '../../support/llm-fixtures/run-exchange.ts';

function ask(target: string, request: unknown) {
  const wire = { target, host: 'api.openai.com', request, status: 200, response: '{}' };
  return runExchange(wire).call;
}

describe('a request of embeddings', () => {
  it('says model, format and dimensions, as the SDK wrote them', async () => {
    let body = '';
    const client = new OpenAI({
      apiKey: 'none',
      maxRetries: 0,
      fetch: async (_url, init) => {
        body = String(init?.body);
        return new Response('{"data":[]}', { headers: { 'content-type': 'application/json' } });
      },
    });
    await client.embeddings.create({ model: 'm', input: 'secret text', dimensions: 256 });
    const call = ask('/v1/embeddings', body);
    assert.ok(call);
    assert.equal(call.operation, 'embeddings');
    const attributes = callAttributes(call, CONVENTIONS['1.41']);
    assert.equal(attributes['gen_ai.operation.name'], 'embeddings');
    assert.equal(attributes['gen_ai.request.model'], 'm');
    assert.deepEqual(attributes['gen_ai.request.encoding_formats'], ['base64']);
    assert.equal(attributes['gen_ai.embeddings.dimension.count'], 256);
    assert.equal(attributes['openai.api.type'], undefined);
    assert.ok(!JSON.stringify(call.request).includes('secret'));
  });

  it('has the deployment for its model at Azure', () => {
    const path = '/openai/deployments/my-embedder/embeddings?api-version=2024-10-21';
    assert.equal(ask(path, { input: ['x'] })?.request.model, 'my-embedder');
  });

  it('is no call without an input, or at another path', () => {
    assert.equal(ask('/v1/embeddings', { model: 'm' }), undefined);
    assert.equal(ask('/v1/embeddings/jobs', { model: 'm', input: 'x' }), undefined);
  });
});
