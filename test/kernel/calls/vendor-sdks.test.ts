/**
 * The SDKs of Google, Ollama, Cohere, AWS and Mistral on the real kernel: exactly one span a request, equal to the server's
 * log and to what the SDK itself made of the answer. One Sightline observes them all.
 */
import assert from 'node:assert/strict';
import { assertSameAsSdk } from '../../support/clients/compare-results.ts';
import {
  type ClientOptions,
  type ClientResult,
  runClient,
} from '../../support/clients/run-client.ts';
import { chatSpans, compareSpansWithTruth } from '../../support/compare.ts';
import { startHttp2ModelServer } from '../../support/http2-model-server.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import type { ExchangeTruth } from '../../support/model-server/exchange-truth.ts';
import type { Scenario } from '../../support/model-server/scenario.ts';
import { startModelServer } from '../../support/model-server/server.ts';
import { type FlatSpan, readOtlpFile } from '../../support/otlp-file.ts';
import { startSightline } from '../../support/sightline.ts';

/** A prime: a double or a loss cannot hide in a round number. */
const REQUESTS = 17;
const CONTENT_ON = { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'SPAN_ONLY' };

/** What a service may answer, taken in turn. Cohere's SDK ends a stream at a text that has `[DONE]` in it. */
const ANSWERS: readonly Scenario[] = [
  { text: 'A short answer.' },
  { text: 'All work and no play. '.repeat(100), reasoning: 'Let me think about that for a while.' },
  {
    text: 'I look.',
    toolCalls: [
      { name: 'shell', arguments: { command: 'ls' } },
      { name: 'shell', arguments: { command: 'pwd', depth: [1, { a: 'b' }] } },
    ],
  },
  { text: 'Grüße, 世界 🌍' },
  { text: 'Cached.', tokens: { input: 1200, output: 80, cacheRead: 1024, reasoning: 32 } },
  { status: 429, error: { message: 'Too many at once.' } },
  { text: 'It breaks off here.', deltas: 8, fail: { afterEvents: 3, how: 'error-event' } },
];
/**
 * As Mistral shapes them, whose SDK takes no others: usage beside the last choice, tool calls whole and without a number,
 * and no reasoning under a name that its schemas do not have.
 */
function asOfMistral({ reasoning: _, ...answer }: Scenario): Scenario {
  return {
    ...answer,
    usageAt: 'last-choice',
    toolShape: ['no-index'],
  };
}

/** Requests that fail: every turn ends with two of them. */
const FAILING = Array.from({ length: REQUESTS }, (_, index) => index).filter(
  (index) => index % ANSWERS.length >= 5,
).length;

type Client = Pick<ClientOptions, 'program' | 'model' | 'api'>;

const CLAUDE = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0';
const CLIENTS: readonly Client[] = [
  { program: 'genai-sdk', model: 'gemini-2.5-flash' },
  { program: 'genai-interactions-sdk', model: 'gemini-3-flash-preview' },
  { program: 'ollama-sdk', model: 'llama3.2:3b' },
  { program: 'cohere-sdk', model: 'command-a-03-2025' },
  { program: 'bedrock-sdk', model: CLAUDE },
  { program: 'bedrock-sdk', model: CLAUDE, api: 'invoke' },
  { program: 'mistral-sdk', model: 'mistral-large-latest' },
  { program: 'mistral-conversations-sdk', model: 'mistral-medium-latest' },
];

interface Driven {
  name: string;
  stream: boolean;
  port: number;
  truth: ExchangeTruth[];
  results: ClientResult[];
}

function nameOf({ program, api }: Client, stream: boolean): string {
  return `${program}${api === undefined ? '' : `, ${api}`} (${stream ? 'streamed' : 'whole'})`;
}

/** AWS's SDK speaks HTTP/2, the others HTTP/1.1. Each run has a server of its own, to be told apart by its port. */
async function drive(client: Client, stream: boolean): Promise<Driven> {
  const isHttp2 = client.program === 'bedrock-sdk';
  const server = isHttp2 ? await startHttp2ModelServer() : await startModelServer();
  try {
    const { results } = await runClient({
      ...client,
      url: server.url,
      caPath: server.caPath,
      count: REQUESTS,
      scenario: client.program === 'mistral-sdk' ? ANSWERS.map(asOfMistral) : ANSWERS,
      stream,
    });
    if ('settle' in server) {
      await server.settle();
    }
    const truth = server.truth();
    return { name: nameOf(client, stream), stream, port: server.port, truth, results };
  } finally {
    await server.stop();
  }
}

describe('the vendors’ own SDKs, captured in the kernel', function () {
  this.timeout(240_000);
  const driven: Driven[] = [];
  let spans: readonly FlatSpan[] = [];

  before(async function () {
    requireKernel(this);
    const sightline = await startSightline({ env: CONTENT_ON });
    try {
      for (const client of CLIENTS) {
        driven.push(await drive(client, true), await drive(client, false));
      }
      await sightline.stop();
      spans = readOtlpFile(sightline.file).spans;
    } finally {
      sightline.discard();
    }
  });

  for (const client of CLIENTS) {
    for (const stream of [true, false]) {
      it(`${nameOf(client, stream)}: ${REQUESTS} requests are ${REQUESTS} exact spans`, () => {
        const run = driven.find(({ name }) => name === nameOf(client, stream))!;
        const own = spans.filter((span) => span.attributes['server.port'] === run.port);
        assert.equal(run.truth.length, REQUESTS);
        assert.equal(run.results.filter(({ error }) => error !== undefined).length, FAILING);
        assert.deepEqual(compareSpansWithTruth(own, run.truth, { content: true }), []);
        assertSameAsSdk(run.results, own);
        for (const span of chatSpans(own)) {
          assert.equal(span.attributes['gen_ai.request.stream'], stream ? true : undefined);
        }
      });
    }
  }
});
