/**
 * What observation costs a client that streams model answers over TLS, and what the observer itself uses.
 *
 *     npx tsx bench/slowdown.ts [--client node|python] [--streams N] [--seconds S] [--pairs N] [--flat-out]
 *
 * Needs root, eBPF and the built code (`npm run setup`). Rounds with and without `sightline run` take turns, and
 * which of the two comes first does, too; a ratio is of the two rounds of one pair. Paced (the default): each of N
 * streams gets 50 events a second. `--flat-out`: 200 exchanges of 50 events as fast as they go. Every round with
 * observation must find every exchange exactly, or the bench fails.
 *
 * Everything is on one machine: the server's side is observed, too, and what else uses TLS there meanwhile. So the
 * observer's CPU is an upper bound.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { chatSpans, compareSpansWithTruth } from '../test/support/compare.ts';
import { kernelObstacle } from '../test/support/kernel-guard.ts';
import type { Scenario } from '../test/support/model-server/scenario.ts';
import { type SpawnedModelServer, spawnModelServer } from '../test/support/model-server/spawn.ts';
import { readOtlpFile } from '../test/support/otlp-file.ts';
import { startSightline } from '../test/support/sightline.ts';
import { cpuSecondsOf, peakMemoryBytesOf } from './support/process-usage.ts';
import { ratiosOf, spreadOf, spreadText } from './support/statistics.ts';
import {
  CLIENT_KINDS,
  type ClientKind,
  runStreamingClient,
  type StreamReport,
} from './support/streaming-client.ts';

const EVENTS_PER_SECOND = 50;
const FLAT_OUT_EXCHANGES = 200;
const FLAT_OUT_EVENTS = 50;
/** For what the kernel handed over last to be read. */
const DRAIN_MS = 500;

const { values } = parseArgs({
  options: {
    client: { type: 'string', default: 'python' },
    streams: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '10' },
    pairs: { type: 'string', default: '5' },
    'flat-out': { type: 'boolean', default: false },
  },
});
const client = CLIENT_KINDS.find((kind) => kind === values.client) ?? wrong('client');
const streams = count('streams');
const seconds = count('seconds');
const pairs = count('pairs');
const isFlatOut = values['flat-out'];
const exchanges = isFlatOut ? FLAT_OUT_EXCHANGES : streams;

function wrong(name: string): never {
  throw new Error(`--${name} is not understood; see the first lines of bench/slowdown.ts`);
}

function count(name: 'streams' | 'seconds' | 'pairs'): number {
  const value = Number(values[name]);
  return Number.isSafeInteger(value) && value > 0 ? value : wrong(name);
}

interface ObserverUse {
  cpuSeconds: number;
  peakBytes: number;
}

interface Round extends StreamReport {
  serverCpuMs: number;
  observer: ObserverUse | undefined;
}

function scenario(): Scenario {
  const deltas = isFlatOut ? FLAT_OUT_EVENTS : seconds * EVENTS_PER_SECOND;
  const text = 'word '.repeat(deltas);
  return { text, deltas, ...(isFlatOut ? {} : { intervalMs: 1000 / EVENTS_PER_SECOND }) };
}

async function drive(server: SpawnedModelServer, kind: ClientKind): Promise<Round> {
  const serverStart = cpuSecondsOf(server.pid);
  const { url, caPath } = server;
  const report = await runStreamingClient({ kind, url, caPath, streams, exchanges });
  if (report.complete !== exchanges) {
    throw new Error(`the client completed ${report.complete} of ${exchanges} exchanges`);
  }
  const serverCpuMs = (cpuSecondsOf(server.pid) - serverStart) * 1000;
  return { ...report, serverCpuMs, observer: undefined };
}

async function driveObserved(server: SpawnedModelServer, kind: ClientKind): Promise<Round> {
  const sightline = await startSightline();
  try {
    const pid = sightline.child.pid ?? 0;
    const start = cpuSecondsOf(pid);
    const round = await drive(server, kind);
    await sleep(DRAIN_MS);
    const observer = { cpuSeconds: cpuSecondsOf(pid) - start, peakBytes: peakMemoryBytesOf(pid) };
    const finished = await sightline.stop();
    if (finished.code !== 0) {
      throw new Error(`sightline ended with ${finished.code}: ${finished.stderr}`);
    }
    await checkExactness(server, sightline.file, finished.stderr);
    return { ...round, observer };
  } finally {
    sightline.child.kill('SIGKILL');
    sightline.remove();
  }
}

/** A cheap observer that misses something is no observer. */
async function checkExactness(
  server: SpawnedModelServer,
  file: string,
  log: string,
): Promise<void> {
  const truth = await server.settle(exchanges);
  const spans = chatSpans(readOtlpFile(file).spans).filter(
    (span) => span.attributes['server.port'] === server.port,
  );
  const differences = compareSpansWithTruth(spans, truth);
  if (differences.length > 0) {
    throw new Error(
      `${spans.length} of ${exchanges} exchanges were exported, with ${differences.length} ` +
        `differences, such as ${JSON.stringify(differences[0])}; sightline said: ${log}`,
    );
  }
}

async function measure(): Promise<{ off: Round[]; on: Round[] }> {
  const off: Round[] = [];
  const on: Round[] = [];
  const server = await spawnModelServer({ defaultScenario: scenario() });
  try {
    // The first round is the server's warm-up.
    await drive(server, client);
    for (let pair = 0; pair < pairs; pair += 1) {
      const order = pair % 2 === 0 ? [false, true] : [true, false];
      for (const isObserved of order) {
        await server.reset();
        if (isObserved) {
          on.push(await driveObserved(server, client));
        } else {
          off.push(await drive(server, client));
        }
      }
      process.stderr.write(`pair ${pair + 1} of ${pairs} done\n`);
    }
  } finally {
    await server.stop();
  }
  return { off, on };
}

function print({ off, on }: { off: Round[]; on: Round[] }): void {
  const events = spreadOf(on.map((round) => round.events)).median;
  const what = isFlatOut
    ? `${exchanges} exchanges flat out, ${streams} at a time`
    : `${streams} streams × ${EVENTS_PER_SECOND} events/s × ${seconds} s`;
  console.log(`${what}, ${events} events a round, ${client} client, ${pairs} pairs of rounds`);
  console.log(
    `${''.padEnd(26)}${'without'.padStart(22)}${'with'.padStart(22)}   ratio, median (min–max)`,
  );
  const row = (name: string, digits: number, of: (round: Round) => number): void => {
    const before = off.map(of);
    const after = on.map(of);
    console.log(
      name.padEnd(26) +
        spreadText(spreadOf(before), digits).padStart(22) +
        spreadText(spreadOf(after), digits).padStart(22) +
        `   ${spreadText(ratiosOf(after, before), 3)}`,
    );
  };
  row('wall, ms', 0, (round) => round.wallMs);
  row('gap p50, ms', 2, (round) => round.gapP50Ms);
  row('gap p99, ms', 2, (round) => round.gapP99Ms);
  row('client CPU, ms', 0, (round) => round.userMs + round.systemMs);
  row('  user, ms', 0, (round) => round.userMs);
  row('  system, ms', 0, (round) => round.systemMs);
  row('server CPU, ms', 0, (round) => round.serverCpuMs);
  const used = on.map((round) => round.observer!);
  const perEvent = used.map((use, index) => (use.cpuSeconds / on[index]!.events) * 1e6);
  const peakMb = used.map((use) => use.peakBytes / 1e6);
  console.log(`observer CPU per event     ${spreadText(spreadOf(perEvent), 1)} µs`);
  console.log(`observer peak memory       ${spreadText(spreadOf(peakMb), 0)} MB`);
}

const obstacle = kernelObstacle();
if (obstacle !== undefined) {
  throw new Error(`this bench needs the real kernel: ${obstacle}`);
}
print(await measure());
