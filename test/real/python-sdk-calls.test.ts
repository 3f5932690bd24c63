/** The Python SDKs of OpenAI and Anthropic on the real kernel: exactly one span a request, equal to the server's log. */
import assert from 'node:assert/strict';
import { runClient } from '../support/clients/run-client.ts';
import { requireKernel } from '../support/kernel-guard.ts';
import { assertExact, observe } from '../support/observed-server.ts';

const REQUESTS = 23;
const CONTENT_ON = { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'SPAN_ONLY' };
const PYTHON = process.env.SIGHTLINE_TEST_PYTHON ?? '';

describe('model calls of the Python SDKs, captured in the kernel', function () {
  this.timeout(120_000);

  before(function () {
    requireKernel(this);
    assert.notEqual(
      PYTHON,
      '',
      'SIGHTLINE_TEST_PYTHON names no interpreter: use "npm run test:real"',
    );
  });

  for (const program of ['openai_client', 'anthropic_client'] as const) {
    for (const stream of [true, false]) {
      it(`${program} (${stream ? 'streamed' : 'whole'}): ${REQUESTS} exact spans`, async () => {
        const observation = await observe({ env: CONTENT_ON }, async (server) => {
          const run = await runClient({
            program,
            pythonPath: PYTHON,
            url: server.url,
            caPath: server.caPath,
            count: REQUESTS,
            stream,
            includeUsage: true,
            scenario: [
              { textBytes: 3000, encoding: 'negotiate' },
              { toolCalls: [{ name: 'look', arguments: { at: 'größe' } }] },
              { text: 'Grüße, 世界', writeBytes: 'random' },
            ],
          });
          assert.equal(run.exitCode, 0, run.stderr);
        });
        assertExact(observation, REQUESTS, { content: true });
      });
    }
  }
});
