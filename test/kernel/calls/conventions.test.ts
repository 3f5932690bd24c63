/**
 * A turn, its calls, tools and processes, a model server and every place for content, held against both generations of the
 * semantic conventions. (Whatever else is observed in these tests is held against the first.)
 */
import assert from 'node:assert/strict';
import { runAgent } from '../../support/agents/run-agent.ts';
import { runClient } from '../../support/clients/run-client.ts';
import { chatSpans } from '../../support/compare.ts';
import type { Only } from '../../support/conventions/model.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import type { Scenario } from '../../support/model-server/scenario.ts';
import { type Observation, observe } from '../../support/observed-server.ts';

const ANSWERS: readonly Scenario[] = [
  { textBytes: 300, tokens: { input: 1200, output: 80, cacheRead: 1000, cacheCreation: 100 } },
  { toolCalls: [{ name: 'shell', arguments: { command: 'ls' } }] },
  { status: 429, error: { message: 'Too many at once.' } },
];

async function run(generation: Only): Promise<Observation> {
  return observe(
    {
      env: {
        SIGHTLINE_SEMCONV: generation,
        SIGHTLINE_CAPTURE: 'tls,plain,server,process',
        OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'SPAN_AND_EVENT',
      },
    },
    async (server) => {
      const { url, caPath } = server;
      const agent = await runAgent({
        program: 'anthropic-agent',
        url,
        caPath,
        prompts: ['Run `exit 3`, please.'],
        stream: true,
      });
      assert.equal(agent.exitCode, 0, agent.stderr);
      for (const api of ['openai', 'anthropic'] as const) {
        await runClient({
          program: 'node-fetch',
          url,
          caPath,
          api,
          stream: true,
          includeUsage: true,
          count: ANSWERS.length,
          scenario: ANSWERS,
        });
      }
    },
  );
}

const METRICS: Readonly<Record<Only, readonly string[]>> = {
  '1.41': ['gen_ai.client.operation.duration', 'gen_ai.client.token.usage'],
  latest: [
    'gen_ai.client.inference.duration',
    'gen_ai.client.inference.operation.output_tokens',
    'gen_ai.client.inference.usage.cache_write.input_tokens',
    'gen_ai.client.inference.usage.input_tokens',
  ],
};

describe('what is exported', function () {
  this.timeout(60_000);

  before(function () {
    requireKernel(this);
  });

  for (const generation of ['1.41', 'latest'] as const) {
    it(`is as the conventions ${generation} have it`, async () => {
      const { spans, logs, points } = await run(generation);
      // The check itself is part of every observation; this is that there was something to check.
      const operations = new Set(spans.map((span) => span.attributes['gen_ai.operation.name']));
      assert.deepEqual([...operations].sort(), ['chat', 'execute_tool', 'invoke_agent', undefined]);
      const written = generation === 'latest' ? 'cache_write' : 'cache_creation';
      const name = `gen_ai.usage.${written}.input_tokens`;
      assert.ok(chatSpans(spans).some((span) => Number(span.attributes[name]) === 100));
      assert.ok(logs.some((log) => 'gen_ai.output.messages' in log.attributes));
      const metrics = new Set(points.map((point) => point.metric));
      for (const metric of METRICS[generation]) {
        assert.ok(metrics.has(metric), metric);
      }
      assert.ok(metrics.has('gen_ai.server.request.duration'));
      assert.ok(metrics.has('gen_ai.invoke_agent.duration'));
      assert.ok(metrics.has('gen_ai.execute_tool.duration'));
    });
  }
});
