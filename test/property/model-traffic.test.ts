/**
 * Random exchanges with every model API, on many connections at a time, cut and interleaved at random: what comes out
 * of the whole chain is what the server knows it sent, each count, id, finish reason and tool call. Ordinarily 1,000
 * exchanges; SIGHTLINE_TEST_EXCHANGES says how many, SIGHTLINE_TEST_SEED which.
 */
import assert from 'node:assert/strict';
import type { ModelCall } from '../../src/llm/model-call.ts';
import { createPipeline } from '../../src/pipeline.ts';
import { createCounters } from '../../src/self/counters.ts';
import { contentOf } from '../support/llm-fixtures/check-call.ts';
import { createRandom, type Random } from '../support/model-server/random.ts';
import * as openai from '../support/model-traffic/openai-traffic.ts';
import * as other from '../support/model-traffic/other-traffic.ts';
import {
  isOneIn,
  type PlannedExchange,
  pick,
  toolsOf,
} from '../support/model-traffic/traffic-plan.ts';
import {
  NUMBER_FIELD,
  putOnWire,
  type SentExchange,
} from '../support/model-traffic/traffic-wire.ts';

const EXCHANGES = Number(process.env.SIGHTLINE_TEST_EXCHANGES ?? 1000);
const SEED = Number(process.env.SIGHTLINE_TEST_SEED ?? 20_261_121);
/** Exchanges whose connections are open at the same time. */
const BATCH = 250;

const KINDS: readonly ((random: Random) => PlannedExchange)[] = [
  openai.chatCompletions,
  openai.chatCompletions,
  openai.responses,
  openai.responses,
  openai.completions,
  openai.embeddings,
  openai.moderations,
  openai.images,
  openai.transcription,
  openai.noCall,
  other.anthropicMessages,
  other.anthropicMessages,
  other.gemini,
  other.gemini,
  other.geminiEmbeddings,
  other.ollama,
  other.ollama,
  other.ollamaEmbeddings,
  other.cohere,
  other.cohereV1,
  other.cohereEmbeddings,
  other.bedrockConverse,
  other.bedrockInvoke,
];

function draw(random: Random): PlannedExchange {
  const planned = pick(random, ...KINDS)(random);
  const isOpenAi = planned.api?.startsWith('openai.') === true;
  return isOpenAi && isOneIn(random, 15) ? openai.refused(planned, random) : planned;
}

/** What both sides say of one exchange. */
function expected({ planned, truth, version, isBrokenOff }: SentExchange): unknown {
  return {
    api: planned.api,
    version,
    requestModel: planned.requestModel,
    status: planned.status,
    id: truth.id,
    model: truth.model,
    usage: truth.usage,
    finishReasons: truth.choices.flatMap(({ finishReason }) => finishReason ?? []),
    toolCalls: toolsOf(truth).map(({ id, name, argumentsText }) => ({ id, name, argumentsText })),
    text: truth.choices.map(({ text }) => text).join(''),
    error: truth.errorCode,
    isComplete: truth.errorCode === undefined ? truth.isComplete : undefined,
    isDamaged: isBrokenOff && !truth.isComplete && truth.errorCode === undefined,
    ...(version === '1.1' ? { provider: planned.provider } : {}),
  };
}

function observed(call: ModelCall): unknown {
  const { response } = call;
  const { version } = call.exchange;
  return {
    api: call.api,
    version,
    requestModel: call.request.model,
    status: call.httpStatus,
    id: response?.id,
    model: response?.model,
    usage: response?.usage ?? {},
    finishReasons: response?.finishReasons ?? [],
    toolCalls: (response?.toolCalls ?? []).map(({ id, name, argumentsText }) => ({
      id,
      name,
      argumentsText,
    })),
    text: (response?.messages ?? []).map((message) => contentOf(message, 'text')).join(''),
    error: call.error?.type,
    isComplete: call.error === undefined ? call.complete : undefined,
    isDamaged: call.damage.any,
    ...(version === '1.1' ? { provider: call.provider } : {}),
  };
}

describe('random exchanges with every model API', function () {
  this.timeout(600_000);

  it(`are read as their server knows it sent them (${EXCHANGES} of them)`, () => {
    const random = createRandom(SEED);
    const calls = new Map<number, ModelCall>();
    const pipeline = createPipeline(
      {
        streamTimeoutNs: 300_000_000_000n,
        turnTimeoutNs: 600_000_000_000n,
        keepContent: true,
        maxContentBytes: 1_000_000,
        limits: { transport: {}, http: {}, llm: {}, process: {}, session: {} },
      },
      {
        host: () => {},
        piece: () => {},
        call(call) {
          const number = Number(call.exchange.request?.headers.get(NUMBER_FIELD));
          assert.ok(!calls.has(number), `exchange ${number} is two calls`);
          calls.set(number, call);
        },
        fault: (error) => {
          throw error;
        },
      },
      createCounters(),
    );
    const seen = new Map<string, number>();
    for (let from = 0; from < EXCHANGES; from += BATCH) {
      const planned = Array.from({ length: Math.min(BATCH, EXCHANGES - from) }, () => draw(random));
      const { sent, events } = putOnWire(planned, random, from);
      calls.clear();
      for (const event of events) {
        pipeline.push(event);
      }
      for (const one of sent) {
        const call = calls.get(one.number);
        const what = `exchange ${one.number} of seed ${SEED}: ${one.planned.api} over HTTP/${one.version}`;
        if (one.planned.api === undefined) {
          assert.equal(call, undefined, `${what} is a call`);
          continue;
        }
        assert.ok(call, `${what} was not seen`);
        assert.deepEqual(observed(call), expected(one), what);
        const state = one.isBrokenOff ? 'broken off' : one.truth.errorCode ? 'failed' : 'whole';
        for (const name of [one.planned.api, one.version, state]) {
          seen.set(name, (seen.get(name) ?? 0) + 1);
        }
      }
    }
    // Of everything there was some: 18 APIs, two protocols, three ends.
    assert.equal(seen.size, 18 + 2 + 3, [...seen].join('; '));
  });
});
