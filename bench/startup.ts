/**
 * How long `sightline run` takes to be ready, and to end.
 *
 *     npx tsx bench/startup.ts [ROUNDS]
 *
 * Needs root, eBPF and the built code (`npm run setup`). Ready is the line on stderr that says so: every probe is in
 * place. The end is the process's, after SIGTERM and with everything exported. The host's processes are looked
 * through at the start, so their number belongs to the result.
 */
import { readdirSync } from 'node:fs';
import { kernelObstacle } from '../test/support/kernel-guard.ts';
import { startSightline } from '../test/support/sightline.ts';
import { cpuSecondsOf, peakMemoryBytesOf } from './support/process-usage.ts';
import { spreadOf, spreadText } from './support/statistics.ts';

const ROUNDS = Number(process.argv[2] ?? 7);
if (!Number.isSafeInteger(ROUNDS) || ROUNDS < 1) {
  throw new Error('usage: npx tsx bench/startup.ts [ROUNDS]');
}
const obstacle = kernelObstacle();
if (obstacle !== undefined) {
  throw new Error(`this bench needs the real kernel: ${obstacle}`);
}

const readyMs: number[] = [];
const readyCpuMs: number[] = [];
const readyMb: number[] = [];
const stopMs: number[] = [];
for (let round = 0; round < ROUNDS; round += 1) {
  const startMs = performance.now();
  const sightline = await startSightline();
  try {
    readyMs.push(performance.now() - startMs);
    const pid = sightline.child.pid ?? 0;
    readyCpuMs.push(cpuSecondsOf(pid) * 1000);
    readyMb.push(peakMemoryBytesOf(pid) / 1e6);
    const signalMs = performance.now();
    const finished = await sightline.stop();
    stopMs.push(performance.now() - signalMs);
    if (finished.code !== 0) {
      throw new Error(`sightline ended with ${finished.code}: ${finished.stderr}`);
    }
  } finally {
    sightline.child.kill('SIGKILL');
    sightline.remove();
  }
}

const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length;
console.log(`${ROUNDS} rounds, ${processes} processes on the host; median (min–max)`);
console.log(`start to ready      ${spreadText(spreadOf(readyMs), 0)} ms`);
console.log(`  CPU until then    ${spreadText(spreadOf(readyCpuMs), 0)} ms`);
console.log(`  peak memory       ${spreadText(spreadOf(readyMb), 0)} MB`);
console.log(`SIGTERM to the end  ${spreadText(spreadOf(stopMs), 0)} ms`);
