/** Connections that share a thread, large messages, and clients that exit at once. */
import assert from 'node:assert/strict';
import { runClient } from '../../support/clients/run-client.ts';
import { chatSpans } from '../../support/compare.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { assertExact, observe } from '../../support/observed-server.ts';

const CONTENT_ON = {
  OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'SPAN_ONLY',
  SIGHTLINE_MAX_CONTENT_BYTES: '16MiB',
  SIGHTLINE_LIMIT_LLM_CALL_CONTENT_BYTES: '64MiB',
};

describe('connections, captured in the kernel', function () {
  this.timeout(120_000);

  before(function () {
    requireKernel(this);
  });

  for (const program of ['node-https', 'httpx_async_client', 'aiohttp_client'] as const) {
    it(`does not mix connections interleaved on one thread (${program})`, async () => {
      const observation = await observe({ env: CONTENT_ON }, async (server) => {
        await runClient({
          program,
          url: server.url,
          caPath: server.caPath,
          count: 40,
          connections: 8,
          concurrency: 8,
          stream: true,
          includeUsage: true,
          scenario: { textBytes: 4000, deltas: 20, intervalMs: 2, writeBytes: 'random' },
        });
      });
      assertExact(observation, 40, { content: true });
      const connections = new Set(observation.truth.map((exchange) => exchange.connection));
      assert.ok(connections.size > 1, 'the client used one connection only');
    });
  }

  for (const program of ['node-fetch', 'requests_client', 'curl'] as const) {
    it(`captures a 1 MB request and a 5 MB response whole (${program})`, async () => {
      const observation = await observe({ env: CONTENT_ON }, async (server) => {
        await runClient({
          program,
          url: server.url,
          caPath: server.caPath,
          count: 1,
          bodyBytes: 1_000_000,
          scenario: { textBytes: 5_000_000 },
        });
      });
      assertExact(observation, 1, { content: true });
      const [exchange] = observation.truth;
      assert.ok(exchange && exchange.request.bodyBytes >= 1_000_000);
      assert.ok(exchange.response.decodedBytes >= 5_000_000);
      const [span] = chatSpans(observation.spans);
      const input = String(span?.attributes['gen_ai.input.messages']);
      assert.ok(input.length >= 1_000_000, 'the prompt is there to its end');
      assert.equal(span?.attributes['sightline.damage'], undefined);
    });
  }

  it('gives 23 complete spans of 23 curl processes that exit with their answer', async () => {
    const observation = await observe({ env: CONTENT_ON }, async (server) => {
      await runClient({
        program: 'curl',
        url: server.url,
        caPath: server.caPath,
        count: 23,
        concurrency: 4,
        connections: 4,
        stream: true,
        includeUsage: true,
      });
    });
    assertExact(observation, 23, { content: true });
    const pids = new Set(observation.spans.map((span) => span.resource['process.pid']));
    assert.equal(pids.size, 23);
    for (const span of observation.spans) {
      assert.equal(span.resource['service.name'], 'curl');
      assert.equal(span.resource['process.executable.name'], 'curl');
    }
  });
});
