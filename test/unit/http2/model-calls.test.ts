/** Model calls over HTTP/2, through the whole chain: 100 streamed answers on one connection are 100 exact calls. */
import assert from 'node:assert/strict';
import type { ModelCall } from '../../../src/llm/model-call.ts';
import { createPipeline } from '../../../src/pipeline.ts';
import { createCounters } from '../../../src/self/counters.ts';
import { type Call, captureEvents, splitEveryByte } from '../../support/http-generator.ts';
import { createHttp2Answers } from '../../support/http2-model-server.ts';
import { ask, connectPeers } from '../../support/http2-peers.ts';
import type { ExchangeTruth } from '../../support/model-server/exchange-truth.ts';
import { finishReasonsOf } from '../../support/model-server/exchange-truth.ts';

const STREAMS = 100;

interface Conversation {
  calls: Call[];
  truth: ExchangeTruth[];
}

async function converse(api: 'openai' | 'anthropic'): Promise<Conversation> {
  const answers = createHttp2Answers(false);
  const peers = connectPeers(answers.answer, {
    server: { settings: { maxConcurrentStreams: 1000 } },
  });
  await Promise.all(
    Array.from({ length: STREAMS }, (_, index) => {
      const scenario = [
        { textBytes: 50 + index * 13, intervalMs: index % 3 },
        { textBytes: 2000, encoding: 'gzip', intervalMs: 1 },
        { toolCalls: [{ name: 'shell', arguments: { command: `ls ${index}` } }] },
        { text: 'Grüße, 世界 🌍', intervalMs: 1 },
      ][index % 4];
      const content = `Prompt ${index} [[scenario ${JSON.stringify(scenario)}]]`;
      const body = {
        model: `model-${index}`,
        stream: true,
        messages: [{ role: 'user', content }],
        ...(api === 'openai' ? { stream_options: { include_usage: true } } : { max_tokens: 100 }),
      };
      return ask(
        peers.client,
        {
          ':method': 'POST',
          ':path': api === 'openai' ? '/v1/chat/completions' : '/v1/messages',
          'content-type': 'application/json',
          authorization: 'Bearer sk-0123456789abcdefghij',
        },
        Buffer.from(JSON.stringify(body)),
      );
    }),
  );
  await peers.close();
  return { calls: peers.calls, truth: answers.truth() };
}

function callsOf(calls: readonly Call[]): ModelCall[] {
  const seen: ModelCall[] = [];
  const pipeline = createPipeline(
    {
      streamTimeoutNs: 300_000_000_000n,
      turnTimeoutNs: 600_000_000_000n,
      keepContent: true,
      maxContentBytes: 65_536,
      limits: { transport: {}, http: {}, llm: {}, process: {}, session: {} },
    },
    {
      host: () => {},
      piece: () => {},
      call: (call) => seen.push(call),
      fault: (error) => {
        throw error;
      },
    },
    createCounters(),
  );
  for (const event of captureEvents(calls)) {
    pipeline.push(event);
  }
  return seen;
}

function textOf(call: ModelCall): string {
  const parts = call.response?.messages?.[0]?.parts ?? [];
  return parts.map((part) => (part.type === 'text' ? part.content : '')).join('');
}

describe('http2 model calls', function () {
  this.timeout(60_000);

  for (const api of ['openai', 'anthropic'] as const) {
    it(`${api}: ${STREAMS} concurrent streamed answers on one connection are ${STREAMS} exact calls`, async () => {
      const { calls, truth } = await converse(api);
      assert.equal(truth.length, STREAMS);
      for (const wire of [calls, splitEveryByte(calls)]) {
        const seen = callsOf(wire);
        assert.equal(seen.length, STREAMS);
        const byId = new Map(seen.map((call) => [call.response?.id, call]));
        assert.equal(byId.size, STREAMS);
        for (const { request, answer } of truth) {
          const call = byId.get(answer?.id);
          assert.ok(call && answer);
          assert.deepEqual([...call.damage.kinds], []);
          assert.ok(call.complete);
          assert.equal(call.request.model, request.model);
          assert.equal(call.serverAddress, 'h.example');
          assert.equal(call.exchange.version, '2');
          assert.equal(textOf(call), answer.choices[0]?.text);
          assert.equal(call.response?.usage.inputTokens, answer.usage.inputTokens);
          assert.equal(call.response?.usage.outputTokens, answer.usage.outputTokens);
          assert.deepEqual(call.response?.finishReasons, finishReasonsOf(answer));
          assert.deepEqual(
            call.response?.toolCalls.map(({ name, argumentsText }) => [name, argumentsText]),
            answer.choices[0]?.toolCalls.map(({ name, argumentsText }) => [name, argumentsText]),
          );
        }
      }
    });
  }
});
