/** OpenAI's SDK speaking the responses API, on the real kernel: exactly one span a request, equal to all sides. */
import assert from 'node:assert/strict';
import { RESPONSES_CLIENT, runClient } from '../../support/clients/run-client.ts';
import { chatSpans } from '../../support/compare.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import type { Scenario } from '../../support/model-server/scenario.ts';
import { assertExact, observe } from '../../support/observed-server.ts';

/** A prime: a double or a loss cannot hide in a round number. */
const REQUESTS = 23;
const CONTENT_ON = { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'SPAN_ONLY' };

/** What the service may answer, taken in turn. */
const ANSWERS: readonly Scenario[] = [
  { text: 'A short answer.' },
  { textBytes: 3000, reasoning: 'Let me think about that for a while.' },
  {
    toolCalls: [
      { name: 'shell', arguments: { command: 'ls' } },
      { name: 'shell', arguments: { command: 'pwd' } },
    ],
  },
  { text: 'Grüße, 世界 🌍', asciiJson: true },
  { textBytes: 20_000, writeBytes: 'random', chunkBytes: 'random' },
  { text: 'Cut', finishReason: 'max_output_tokens' },
  { textBytes: 500, tokens: { input: 1200, output: 80, cacheRead: 1024, reasoning: 32 } },
  { status: 429 },
];

describe('the responses API, captured in the kernel', function () {
  this.timeout(120_000);

  before(function () {
    requireKernel(this);
  });

  for (const stream of [true, false]) {
    it(`${stream ? 'streamed' : 'whole'}: ${REQUESTS} requests are ${REQUESTS} exact spans`, async () => {
      const observation = await observe({ env: CONTENT_ON }, async (server) => {
        const { results } = await runClient({
          program: RESPONSES_CLIENT,
          url: server.url,
          caPath: server.caPath,
          count: REQUESTS,
          scenario: ANSWERS,
          stream,
        });
        assert.equal(results.length, REQUESTS);
        assert.equal(results.filter((result) => result.error !== undefined).length, 2);
      });
      assertExact(observation, REQUESTS, { content: true });
      for (const span of chatSpans(observation.spans)) {
        assert.equal(span.attributes['openai.api.type'], 'responses');
        assert.equal(span.attributes['gen_ai.request.stream'], stream ? true : undefined);
      }
    });
  }
});
