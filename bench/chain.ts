/**
 * How fast the analyzer chain takes streamed model calls apart, one core: capture events in, pieces of the story out.
 *
 *     npx tsx bench/chain.ts [ROUNDS] [SEED]
 *     npx tsx bench/chain.ts dist [ROUNDS] [SEED]     (the built code, after `npm run build`)
 *
 * The rows add one stage after the other; their rounds take turns, so that whatever else runs on the machine weighs
 * on all of them. Rates are by CPU time (of every thread, garbage collection and compiler included), which a busy
 * machine changes little; `wall` is what the median round took.
 */
import type { ConnectionRef } from '../src/capture/events.ts';
import type { ExchangeHandler } from '../src/http/exchange.ts';
import type { ModelCall } from '../src/llm/model-call.ts';
import { startAllocationMeter } from './support/allocation.ts';
import { spreadOf } from './support/statistics.ts';
import { makeStreamedCalls, type StreamedCalls } from './support/streamed-calls.ts';

const args = process.argv.slice(2);
const usesBuild = args[0] === 'dist';
if (usesBuild) {
  args.shift();
}
const ROUNDS = Number(args[0] ?? 9);
const SEED = Number(args[1] ?? 1);
if (!Number.isSafeInteger(ROUNDS) || ROUNDS < 1 || !Number.isSafeInteger(SEED)) {
  throw new Error('usage: npx tsx bench/chain.ts [dist] [ROUNDS] [SEED]');
}
/** A few hundred kilobytes of allocation lie between two looks. */
const EVENTS_A_LOOK = 500;
const LIMIT_BYTES = 65_536;

const { createPipeline } = await load<typeof import('../src/pipeline.ts')>('pipeline');
const { createTransport } =
  await load<typeof import('../src/transport/transport.ts')>('transport/transport');
const { createHttpStage } =
  await load<typeof import('../src/http/http-stage.ts')>('http/http-stage');
const { createSseDecoder } =
  await load<typeof import('../src/http/sse-decoder.ts')>('http/sse-decoder');
const { createLlmStage } = await load<typeof import('../src/llm/llm-stage.ts')>('llm/llm-stage');
const { createCounters } = await load<typeof import('../src/self/counters.ts')>('self/counters');

function load<Module>(path: string): Promise<Module> {
  const file = usesBuild ? `../dist/${path}.js` : `../src/${path}.ts`;
  return import(file) as Promise<Module>;
}

interface Chain {
  push(event: StreamedCalls['events'][number]): void;
  /** Throws when the chain did not find what the recording holds. */
  check(recording: StreamedCalls): void;
}

function expect(what: string, found: number, expected: number): void {
  if (found !== expected) {
    throw new Error(`${what}: ${found} were found, ${expected} are there`);
  }
}

function transportAlone(): Chain {
  let bytes = 0;
  const transport = createTransport({
    createParser: () => ({
      data: (_direction, data) => {
        bytes += data.length;
      },
      gap() {},
      end() {},
    }),
  });
  return { push: transport.push, check: (made) => expect('bytes', bytes, made.bytes) };
}

function withHttp(handler: ExchangeHandler, check: Chain['check']): Chain {
  let exchanges = 0;
  let damaged = 0;
  const transport = createTransport({
    createParser: createHttpStage({
      handler,
      onExchange: (exchange) => {
        exchanges += 1;
        damaged += exchange.damage.any ? 1 : 0;
      },
    }),
  });
  return {
    push: transport.push,
    check(made) {
      expect('exchanges', exchanges, made.calls.length);
      expect('damaged exchanges', damaged, 0);
      check(made);
    },
  };
}

function httpHeads(): Chain {
  return withHttp(
    () => undefined,
    () => {},
  );
}

function httpBodies(): Chain {
  let ends = 0;
  let bodyBytes = 0;
  const sink = {
    data: (bytes: Uint8Array) => {
      bodyBytes += bytes.length;
    },
    gap() {},
    end: () => {
      ends += 1;
    },
  };
  return withHttp(
    () => ({ requestBody: sink, response: () => sink }),
    (made) => {
      expect('body ends', ends, 2 * made.calls.length);
      if (bodyBytes < made.bytes / 2) {
        throw new Error(`bodies of only ${bodyBytes} bytes were found`);
      }
    },
  );
}

function sseEvents(): Chain {
  let events = 0;
  return withHttp(
    () => ({
      response: () =>
        createSseDecoder({
          onEvent: () => {
            events += 1;
          },
        }),
    }),
    (made) => expect('events', events, made.sseEvents),
  );
}

/** Counts what every call must have. */
function createTally(): { finished(call: ModelCall): void; check: Chain['check'] } {
  let calls = 0;
  let complete = 0;
  let tokens = 0;
  let toolCalls = 0;
  return {
    finished(call) {
      calls += 1;
      complete += call.complete && !call.damage.any ? 1 : 0;
      tokens += (call.response?.usage.inputTokens ?? 0) + (call.response?.usage.outputTokens ?? 0);
      toolCalls += call.response?.toolCalls.length ?? 0;
    },
    check(made) {
      const truths = made.calls.map((call) => call.truth);
      expect('calls', calls, truths.length);
      expect('complete calls', complete, truths.length);
      const sum = (truth: (typeof truths)[number]): number =>
        (truth.usage.inputTokens ?? 0) + (truth.usage.outputTokens ?? 0);
      expect(
        'tokens',
        tokens,
        truths.reduce((total, truth) => total + sum(truth), 0),
      );
      expect(
        'tool calls',
        toolCalls,
        truths.reduce((total, truth) => total + (truth.choices[0]?.toolCalls.length ?? 0), 0),
      );
    },
  };
}

function modelCalls(keepContent: boolean): Chain {
  const tally = createTally();
  const handler = createLlmStage({
    observer: { started() {}, finished: tally.finished },
    keepContent,
    maxContentBytes: LIMIT_BYTES,
  });
  return withHttp(handler, tally.check);
}

function wholeChain(keepContent: boolean, isRecorded: boolean): Chain {
  const tally = createTally();
  let pieces = 0;
  let secrets = 0;
  const pipeline = createPipeline(
    {
      streamTimeoutNs: 300_000_000_000n,
      turnTimeoutNs: 600_000_000_000n,
      keepContent,
      maxContentBytes: LIMIT_BYTES,
      limits: { transport: {}, http: {}, llm: {}, process: {}, session: {} },
    },
    {
      host() {},
      piece: () => {
        pieces += 1;
      },
      call: tally.finished,
      fault: (error) => {
        throw error;
      },
      ...(isRecorded
        ? {
            secret: (_connection: ConnectionRef) => {
              secrets += 1;
            },
            released() {},
          }
        : {}),
    },
    createCounters(),
  );
  return {
    push: pipeline.push,
    check(made) {
      tally.check(made);
      if (pieces < made.calls.length) {
        throw new Error(`${made.calls.length} calls gave only ${pieces} pieces`);
      }
      if (isRecorded) {
        expect('credentials', secrets, made.calls.length);
      }
    },
  };
}

const ROWS: readonly { name: string; create: () => Chain }[] = [
  { name: 'transport', create: transportAlone },
  { name: '+ http, bodies unwanted', create: httpHeads },
  { name: '+ http bodies', create: httpBodies },
  { name: '+ sse events', create: sseEvents },
  { name: '+ llm, content off', create: () => modelCalls(false) },
  { name: '+ llm, content on', create: () => modelCalls(true) },
  { name: 'whole chain, content off', create: () => wholeChain(false, false) },
  { name: 'whole chain, content on', create: () => wholeChain(true, false) },
  { name: 'whole chain, recording', create: () => wholeChain(false, true) },
];

interface Round {
  cpuSeconds: number;
  wallSeconds: number;
}

function run(create: () => Chain, recording: StreamedCalls): Round {
  const chain = create();
  const { push } = chain;
  const wallStart = performance.now();
  const cpuStart = process.cpuUsage();
  for (const event of recording.events) {
    push(event);
  }
  const cpu = process.cpuUsage(cpuStart);
  const wallSeconds = (performance.now() - wallStart) / 1000;
  chain.check(recording);
  return { cpuSeconds: (cpu.user + cpu.system) / 1e6, wallSeconds };
}

function allocatedBytes(create: () => Chain, recording: StreamedCalls): number {
  const chain = create();
  const meter = startAllocationMeter();
  recording.events.forEach((event, index) => {
    chain.push(event);
    if (index % EVENTS_A_LOOK === 0) {
      meter.look();
    }
  });
  meter.look();
  return meter.bytes();
}

const recording = makeStreamedCalls({
  seed: SEED,
  connections: 40,
  exchangesPerConnection: 8,
  deltas: 300,
  requestWords: 1500,
});
console.log(
  `${recording.calls.length} streamed calls over 40 connections, ${recording.dataEvents} events, ` +
    `${(recording.bytes / 1e6).toFixed(1)} MB; ${ROUNDS} interleaved rounds, ` +
    `${usesBuild ? 'dist' : 'src'}, Node ${process.version}`,
);
// The first rounds are the compiler's.
for (let warmUp = 0; warmUp < 3; warmUp += 1) {
  for (const row of ROWS) {
    run(row.create, recording);
  }
}
const rounds: Round[][] = ROWS.map(() => []);
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [index, row] of ROWS.entries()) {
    rounds[index]!.push(run(row.create, recording));
  }
}
console.log(
  `${'stages'.padEnd(28)}${'MB/s'.padStart(8)}${'k events/s'.padStart(12)}${'ns/event'.padStart(10)}` +
    `${'(min–max)'.padStart(14)}${'bytes/event'.padStart(13)}${'wall'.padStart(10)}`,
);
for (const [index, row] of ROWS.entries()) {
  const cpu = spreadOf(rounds[index]!.map((round) => round.cpuSeconds));
  const wall = spreadOf(rounds[index]!.map((round) => round.wallSeconds));
  const allocated = allocatedBytes(row.create, recording) / recording.dataEvents;
  const perEvent = (seconds: number): string => ((seconds / recording.dataEvents) * 1e9).toFixed(0);
  console.log(
    row.name.padEnd(28) +
      (recording.bytes / cpu.median / 1e6).toFixed(0).padStart(8) +
      (recording.dataEvents / cpu.median / 1e3).toFixed(0).padStart(12) +
      perEvent(cpu.median).padStart(10) +
      `(${perEvent(cpu.min)}–${perEvent(cpu.max)})`.padStart(14) +
      allocated.toFixed(0).padStart(13) +
      `${(wall.median * 1000).toFixed(0)} ms`.padStart(10),
  );
}
