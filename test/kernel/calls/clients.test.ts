/** Real client programs on the real kernel: exactly one span a request, each equal to the server's own log. */

import assert from 'node:assert/strict';
import {
  type ClientOptions,
  NODE_CLIENTS,
  PYTHON_CLIENTS,
  runClient,
} from '../../support/clients/run-client.ts';
import { chatSpans } from '../../support/compare.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import type { Scenario } from '../../support/model-server/scenario.ts';
import { assertExact, observe } from '../../support/observed-server.ts';

/** A prime: a double or a loss cannot hide in a round number. */
const REQUESTS = 23;
const CONTENT_ON = { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'SPAN_ONLY' };

/** What a service may answer, taken in turn. */
const ANSWERS: readonly Scenario[] = [
  { text: 'A short answer.' },
  { textBytes: 3000, encoding: 'negotiate' },
  { toolCalls: [{ name: 'shell', arguments: { command: 'ls' } }] },
  { text: 'Grüße, 世界 🌍', asciiJson: true, usageAt: 'auto' },
  { textBytes: 20_000, writeBytes: 'random', chunkBytes: 'random' },
  { text: '', finishReason: 'length' },
  { textBytes: 500, tokens: { input: 1200, output: 80, cacheRead: 1024, reasoning: 32 } },
  { status: 429, error: { message: 'Too many at once.' } },
  { textBytes: 900, deltas: 9, fail: { afterEvents: 3, how: 'error-event' } },
];

function optionsFor(program: ClientOptions['program']): Partial<ClientOptions>[] {
  if (program === 'anthropic-sdk') {
    return [
      { api: 'anthropic', stream: true },
      { api: 'anthropic', stream: false },
    ];
  }
  if (program === 'openai-sdk') {
    return [
      { api: 'openai', stream: true, includeUsage: true },
      { api: 'openai', stream: false },
    ];
  }
  return [
    { api: 'openai', stream: true, includeUsage: true, encoding: 'gzip' },
    { api: 'anthropic', stream: true },
  ];
}

describe('model calls of real clients, captured in the kernel', function () {
  this.timeout(120_000);

  before(function () {
    requireKernel(this);
  });

  for (const program of [...NODE_CLIENTS, ...PYTHON_CLIENTS]) {
    for (const variant of optionsFor(program)) {
      const how = `${variant.api}, ${variant.stream ? 'streamed' : 'whole'}`;
      it(`${program} (${how}): ${REQUESTS} requests are ${REQUESTS} exact spans`, async () => {
        const observation = await observe({ env: CONTENT_ON }, async (server) => {
          await runClient({
            program,
            url: server.url,
            caPath: server.caPath,
            count: REQUESTS,
            scenario: ANSWERS,
            ...variant,
          });
        });
        assertExact(observation, REQUESTS, { content: true });
        const peers = chatSpans(observation.spans).map(
          ({ attributes }) => attributes['network.peer.address'],
        );
        assert.deepEqual(new Set(peers), new Set(['127.0.0.1']));
      });
    }
  }

  it('keeps content to itself unless it is asked for', async () => {
    const observation = await observe({}, async (server) => {
      await runClient({
        program: 'node-fetch',
        url: server.url,
        caPath: server.caPath,
        count: 3,
        stream: true,
      });
    });
    assertExact(observation, 3, { content: false });
  });
});
