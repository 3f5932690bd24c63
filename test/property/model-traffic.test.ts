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
import { conversation, ocr } from '../support/model-traffic/conversations-traffic.ts';
import { interaction } from '../support/model-traffic/interactions-traffic.ts';
import * as openai from '../support/model-traffic/openai-traffic.ts';
import * as other from '../support/model-traffic/other-traffic.ts';
import { assertSocketCall, converse, drawSocket } from '../support/model-traffic/socket-traffic.ts';
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
/** WebSockets among them. */
const SOCKETS = 5;

const KINDS: readonly ((random: Random) => PlannedExchange)[] = [
  openai.chatCompletions,
  openai.chatCompletions,
  openai.responses,
  openai.responses,
  openai.completions,
  openai.embeddings,
  openai.moderations,
  openai.images,
  openai.speech,
  openai.transcription,
  openai.compaction,
  openai.noCall,
  other.anthropicMessages,
  other.anthropicMessages,
  other.claudeOnVertex,
  other.gemini,
  other.gemini,
  other.geminiEmbeddings,
  interaction,
  other.ollama,
  other.ollama,
  other.ollamaEmbeddings,
  other.cohere,
  other.cohereV1,
  other.cohereGenerate,
  other.cohereSummaries,
  other.cohereClassifications,
  other.cohereEmbeddings,
  conversation,
  ocr,
  other.bedrockConverse,
  other.bedrockInvoke,
  other.bedrockText,
  other.bedrockEmbeddings,
];

function draw(random: Random): PlannedExchange {
  const planned = pick(random, ...KINDS)(random);
  const isOpenAi = planned.api?.startsWith('openai.') === true && planned.next === undefined;
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
    const socketCalls = new Map<string | undefined, ModelCall>();
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
          if (call.socketOrdinal !== undefined) {
            socketCalls.set(call.response?.id, call);
            return;
          }
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
    function count(...names: string[]): void {
      for (const name of names) {
        seen.set(name, (seen.get(name) ?? 0) + 1);
      }
    }
    /** What is asked in the next batch, and which exchange it follows. */
    let following = new Map<PlannedExchange, SentExchange>();
    for (let from = 0; from < EXCHANGES; ) {
      const fresh = Math.min(BATCH, EXCHANGES - from) - following.size;
      const planned = [
        ...following.keys(),
        ...Array.from({ length: Math.max(0, fresh) }, () => draw(random)),
      ];
      const sockets = Array.from({ length: SOCKETS }, () => converse(drawSocket(random)));
      const besides = sockets.map((socket) => socket.calls);
      const { sent, events } = putOnWire(planned, random, from, besides);
      from += planned.length;
      calls.clear();
      socketCalls.clear();
      for (const event of events) {
        pipeline.push(event);
      }
      const truths = sockets.flatMap((socket) => socket.truths);
      assert.equal(socketCalls.size, truths.length);
      for (const truth of truths) {
        const call = socketCalls.get(truth.id);
        assert.ok(call && !call.damage.any, `response ${truth.id} of a socket of seed ${SEED}`);
        assertSocketCall(call, truth);
        count(`${call.api} over a WebSocket`);
      }
      const before = following;
      following = new Map();
      for (const one of sent) {
        if (one.planned.next !== undefined) {
          following.set(one.planned.next, one);
        }
        const call = calls.get(one.number);
        const what = `exchange ${one.number} of seed ${SEED}: ${one.planned.api} over HTTP/${one.version}`;
        const first = before.get(one.planned);
        // HTTP/2 names another host here, where nothing was begun.
        const isElsewhere = first !== undefined && first.version !== one.version;
        if (one.planned.api === undefined || isElsewhere) {
          assert.equal(call, undefined, `${what} is a call`);
          continue;
        }
        assert.ok(call, `${what} was not seen`);
        assert.deepEqual(observed(call), expected(one), what);
        const state = one.isBrokenOff ? 'broken off' : one.truth.errorCode ? 'failed' : 'whole';
        count(one.planned.api, one.version, state);
      }
    }
    // Of everything there was some: 26 APIs, two of them over WebSockets, two protocols, three ends.
    assert.equal(seen.size, 26 + 2 + 2 + 3, [...seen].join('; '));
  });
});
