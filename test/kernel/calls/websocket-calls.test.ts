/**
 * Model calls over WebSockets on the real kernel, by OpenAI's SDK and by Python's libraries: exactly one span a
 * response, equal to the server's truth, however many share a socket.
 */
import assert from 'node:assert/strict';
import { deferToAfterEach } from '../../support/after-each.ts';
import { type ClientProgram, runClient } from '../../support/clients/run-client.ts';
import { chatSpans } from '../../support/compare.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import type { Scenario } from '../../support/model-server/scenario.ts';
import { startModelServer } from '../../support/model-server/server.ts';
import { assertExact, observe } from '../../support/observed-server.ts';
import { readOtlpFile } from '../../support/otlp-file.ts';
import { startSightline } from '../../support/sightline.ts';

/** A prime: a double or a loss cannot hide in a round number. */
const RESPONSES = 23;
const CONTENT_ON = { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'SPAN_ONLY' };

/** What the service may answer, taken in turn. */
const ANSWERS: readonly Scenario[] = [
  { text: 'A short answer.' },
  { textBytes: 3000 },
  {
    toolCalls: [
      { name: 'shell', arguments: { command: 'ls' } },
      { name: 'shell', arguments: { command: 'pwd' } },
    ],
  },
  { text: 'Grüße, 世界 🌍' },
  { textBytes: 20_000, deltas: 200 },
  { text: 'Cut', finishReason: 'max_output_tokens' },
  { textBytes: 500, tokens: { input: 1200, output: 80, cacheRead: 1024, reasoning: 32 } },
];
/** Refused in one message; with the Realtime API nothing says which of the client's it was. */
const REFUSED: Scenario = { status: 429 };

interface Case {
  program: ClientProgram;
  /** Absent: the conventions have no name for it. */
  apiType?: string;
  scenarios: readonly Scenario[];
  encodings: readonly ('identity' | 'deflate')[];
}

const CASES: readonly Case[] = [
  {
    program: 'openai-responses-socket',
    apiType: 'responses',
    scenarios: [...ANSWERS, REFUSED],
    encodings: ['identity', 'deflate'],
  },
  {
    program: 'openai-realtime',
    scenarios: [...ANSWERS, REFUSED],
    encodings: ['identity', 'deflate'],
  },
  {
    program: 'websockets_client',
    apiType: 'responses',
    scenarios: ANSWERS,
    encodings: ['deflate'],
  },
  {
    program: 'aiohttp_socket_client',
    apiType: 'responses',
    scenarios: ANSWERS,
    encodings: ['identity'],
  },
];

/** Both ends write down times of their own; on a busy machine a process waits for its turn in between. */
const TOLERANCE_MS = 500;

describe('model calls over WebSockets, captured in the kernel', function () {
  this.timeout(120_000);
  const defer = deferToAfterEach();

  before(function () {
    requireKernel(this);
  });

  for (const { program, apiType, scenarios, encodings } of CASES) {
    for (const encoding of encodings) {
      it(`${program}, ${encoding}: ${RESPONSES} responses on two sockets are ${RESPONSES} exact spans`, async () => {
        const observation = await observe({ env: CONTENT_ON }, async (server) => {
          const { results, stderr } = await runClient({
            program,
            url: server.url,
            caPath: server.caPath,
            count: RESPONSES,
            connections: 2,
            encoding,
            scenario: scenarios,
          });
          assert.equal(results.length, RESPONSES, stderr);
          const refused = results.filter(({ error }) => error !== undefined).length;
          assert.equal(refused, scenarios.includes(REFUSED) ? 2 : 0, JSON.stringify(results));
        });
        assertExact(observation, RESPONSES, { content: true, toleranceMs: TOLERANCE_MS });
        for (const span of chatSpans(observation.spans)) {
          assert.equal(span.attributes['openai.api.type'], apiType);
          assert.equal(span.attributes['gen_ai.request.stream'], true);
        }
        const connections = new Set(observation.truth.map(({ connection }) => connection));
        assert.equal(connections.size, 2);
      });
    }
  }

  it('a socket that was open before Sightline: what is under way is marked, the rest is exact', async () => {
    const server = await startModelServer();
    let client: Promise<unknown> | undefined;
    defer(async () => {
      await server.stop();
      await client;
    });
    // More than can be answered: the server ends it.
    client = runClient({
      program: 'openai-responses-socket',
      url: server.url,
      caPath: server.caPath,
      count: 10_000,
      scenario: { textBytes: 300, deltas: 10, intervalMs: 15 },
    });
    await server.settle(2);
    const sightline = await startSightline();
    defer(sightline.discard);
    const before = server.truth().length;
    await server.settle(before + RESPONSES, 60_000);
    await sightline.stop();
    const truth = server.truth();
    const ids = truth.map(({ answer }) => answer?.id);
    const seen = chatSpans(readOtlpFile(sightline.file).spans).filter((span) =>
      ids.includes(String(span.attributes['gen_ai.response.id'])),
    );
    const [first, ...rest] = seen.slice(0, RESPONSES);
    assert.ok(rest.length >= RESPONSES - 3, `${rest.length} spans`);
    const from = ids.indexOf(String(rest[0]?.attributes['gen_ai.response.id']));
    assert.ok(from <= before + 2, `the first whole one is ${from}, after ${before}`);
    assert.deepEqual(
      rest
        .slice(0, -1)
        .map(({ attributes }) => [
          attributes['gen_ai.response.id'],
          attributes['gen_ai.usage.output_tokens'],
          attributes['sightline.damage'],
        ]),
      truth
        .slice(from, from + rest.length - 1)
        .map(({ answer }) => [answer?.id, answer?.usage.outputTokens, undefined]),
    );
    const damage = first?.attributes['sightline.damage'];
    assert.ok(damage === undefined || JSON.stringify(damage) === '["joined-midway"]');
  });

  it('a server that goes away in the middle of a response: it is marked, with what was said', async () => {
    const scenario: Scenario = { textBytes: 500, fail: { afterEvents: 6, how: 'fin' } };
    const observation = await observe({}, async (server) => {
      await runClient({
        program: 'websockets_client',
        url: server.url,
        caPath: server.caPath,
        count: 1,
        scenario,
      });
    });
    const [span, ...rest] = chatSpans(observation.spans);
    assert.deepEqual(span?.attributes['sightline.damage'], ['truncated']);
    assert.equal(span?.attributes['gen_ai.response.id'], observation.truth[0]?.answer?.id);
    assert.deepEqual(rest, []);
  });
});
