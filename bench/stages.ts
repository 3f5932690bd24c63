/**
 * How fast each stage takes its bytes apart, one core, and what it allocates.
 *
 *     npx tsx bench/stages.ts [dist] [--rounds 5] [--only WORD] [--against FOLDER]
 *
 * Rounds of all rows take turns, so that whatever else runs on the machine weighs on all of them. Rates are by CPU time
 * (of every thread, garbage collection and compiler included), which a busy machine changes less than wall time.
 * `--against` runs another built version (its `dist` folder) in turn with this one, and shows time here / time there.
 */
import { parseArgs } from 'node:util';
import { bodyWorks } from './stages/bodies.ts';
import { connectionWorks } from './stages/connections.ts';
import { modelCallWorks } from './stages/model-calls.ts';
import { wholeChain } from './stages/whole-chain.ts';
import type { Work } from './stages/work.ts';
import { startAllocationMeter } from './support/allocation.ts';
import { type Build, loadBuild } from './support/build.ts';
import { ratiosOf, spreadOf } from './support/statistics.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    against: { type: 'string' },
  },
});
const ROUNDS = Number(values.rounds);
const folder = positionals[0] ?? 'src';
if (!Number.isSafeInteger(ROUNDS) || ROUNDS < 1 || positionals.length > 1) {
  throw new Error(
    'usage: npx tsx bench/stages.ts [dist] [--rounds N] [--only WORD] [--against FOLDER]',
  );
}
const MIN_ROUND_CPU_MS = 100;
/** Twice over all rows, so that the compiler has seen what every row does to the code that they share. */
const WARM_UPS = 2;

interface Row {
  work: Work;
  /** Nanoseconds of CPU an event, a number a round. */
  times: number[];
  other: { work: Work; times: number[] } | undefined;
}

async function worksOf(build: Build): Promise<Work[]> {
  const works = [
    ...connectionWorks(build),
    ...(await bodyWorks(build)),
    ...modelCallWorks(build),
    wholeChain(build),
  ];
  return works.filter(({ name }) => name.includes(values.only));
}

/** Nanoseconds of CPU an event, over as many passes as fill the time. */
function measure(work: Work, minCpuMs: number): number {
  // What the row before has left behind, in caches and as garbage, is not this one's.
  work.pass();
  work.pass();
  let passes = 0;
  let cpuUs = 0;
  const start = process.cpuUsage();
  while (cpuUs < minCpuMs * 1000) {
    const seen = work.pass();
    if (seen !== work.events) {
      throw new Error(`${work.name}: ${seen} events instead of ${work.events}`);
    }
    passes += 1;
    const { user, system } = process.cpuUsage(start);
    cpuUs = user + system;
  }
  return (cpuUs * 1000) / (passes * work.events);
}

function allocatedBytes(work: Work): number {
  const meter = startAllocationMeter();
  work.pass(meter.look);
  meter.look();
  return meter.bytes() / work.events;
}

const works = await worksOf(await loadBuild(folder));
const others = values.against === undefined ? [] : await worksOf(await loadBuild(values.against));
const rows: Row[] = works.map((work) => {
  const twin = others.find(({ name }) => name === work.name);
  return { work, times: [], other: twin && { work: twin, times: [] } };
});
for (let warmUp = 0; warmUp < WARM_UPS; warmUp += 1) {
  for (const { work, other } of rows) {
    measure(work, MIN_ROUND_CPU_MS);
    if (other) {
      measure(other.work, MIN_ROUND_CPU_MS);
    }
  }
}
for (let round = 0; round < ROUNDS; round += 1) {
  for (const { work, times, other } of rows) {
    const isFirst = round % 2 === 0;
    if (other && !isFirst) {
      other.times.push(measure(other.work, MIN_ROUND_CPU_MS));
    }
    times.push(measure(work, MIN_ROUND_CPU_MS));
    if (other && isFirst) {
      other.times.push(measure(other.work, MIN_ROUND_CPU_MS));
    }
  }
}

const against = values.against === undefined ? '' : ', against another version';
console.log(`${folder}${against}, ${ROUNDS} rounds in turn, Node ${process.version}`);
console.log(
  `${'stage'.padEnd(38)}${'MB/s'.padStart(8)}${'k events/s'.padStart(12)}${'ns/event'.padStart(10)}` +
    `${'(min–max)'.padStart(16)}${'bytes/event'.padStart(13)}` +
    `${values.against === undefined ? '' : 'here/there'.padStart(22)}`,
);
for (const { work, times, other } of rows) {
  const { median, min, max } = spreadOf(times);
  const ratio = other && ratiosOf(times, other.times);
  console.log(
    work.name.padEnd(38) +
      ((work.bytes / work.events / median) * 1000).toFixed(0).padStart(8) +
      (1e6 / median).toFixed(0).padStart(12) +
      median.toFixed(0).padStart(10) +
      `(${min.toFixed(0)}–${max.toFixed(0)})`.padStart(16) +
      allocatedBytes(work).toFixed(0).padStart(13) +
      (ratio
        ? `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)})`.padStart(
            22,
          )
        : ''),
  );
}
