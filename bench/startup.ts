/**
 * How long `sightline run` takes to be ready, and to end, and what the kernel takes to verify its programs.
 *
 *     npx tsx bench/startup.ts [ROUNDS]
 *
 * Needs root, eBPF and the built code (`npm run setup`). Ready is the line on stderr that says so: every probe is in
 * place. All programs are loaded when the thread that loads those that nothing has needed yet is gone. The end is the
 * process's, after SIGTERM and with everything exported. The host's processes are looked through at the start, so their
 * number belongs to the result. Two versions are compared by turns of this bench in the folder of each, by CPU time.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { verifiedInstructionsOf } from '../test/support/bpf-programs.ts';
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

const LOADER = 'sightline-load';
const LOADED_TRY_MS = 20;
const LOADED_TRIES = 3000;

function isLoading(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).some((thread) => {
    try {
      return readFileSync(`/proc/${pid}/task/${thread}/comm`, 'utf8').trim() === LOADER;
    } catch {
      return false;
    }
  });
}

async function untilLoaded(pid: number): Promise<void> {
  for (let i = 0; i < LOADED_TRIES && isLoading(pid); i += 1) {
    await delay(LOADED_TRY_MS);
  }
}

const readyMs: number[] = [];
const readyCpuMs: number[] = [];
const readyMb: number[] = [];
const loadedMs: number[] = [];
const loadedCpuMs: number[] = [];
const loadedCounts: number[] = [];
const loadedInstructions: number[] = [];
const stopMs: number[] = [];
for (let round = 0; round < ROUNDS; round += 1) {
  const startMs = performance.now();
  const sightline = await startSightline();
  try {
    readyMs.push(performance.now() - startMs);
    const pid = sightline.child.pid ?? 0;
    readyCpuMs.push(cpuSecondsOf(pid) * 1000);
    readyMb.push(peakMemoryBytesOf(pid) / 1e6);
    await untilLoaded(pid);
    loadedMs.push(performance.now() - startMs);
    loadedCpuMs.push(cpuSecondsOf(pid) * 1000);
    const counts = verifiedInstructionsOf(pid);
    loadedCounts.push(counts.length);
    loadedInstructions.push(counts.reduce((sum, count) => sum + count, 0));
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
const load = loadavg()[0]?.toFixed(1);
console.log(`${ROUNDS} rounds, ${processes} processes on the host, load ${load}; median (min–max)`);
console.log(`start to ready      ${spreadText(spreadOf(readyMs), 0)} ms`);
console.log(`  CPU until then    ${spreadText(spreadOf(readyCpuMs), 0)} ms`);
console.log(`  peak memory       ${spreadText(spreadOf(readyMb), 0)} MB`);
console.log(`all programs loaded ${spreadText(spreadOf(loadedMs), 0)} ms`);
console.log(`  CPU until then    ${spreadText(spreadOf(loadedCpuMs), 0)} ms`);
console.log(`  programs          ${spreadText(spreadOf(loadedCounts), 0)}`);
console.log(`  instructions      ${spreadText(spreadOf(loadedInstructions), 0)} verified`);
console.log(`SIGTERM to the end  ${spreadText(spreadOf(stopMs), 0)} ms`);
