/**
 * What observation costs a program whose socket calls have nothing to see, call by call.
 *
 *     npx tsx bench/socket-calls.ts [--pairs N] [--rounds N] [--capture plain,process]
 *
 * Needs root, eBPF, the built code and gcc. Runs with and without `sightline run` take turns, and which of the two
 * comes first does, too. Of the short rounds of each run the tenth part that took least CPU time decides: the others
 * are those that something else on the machine got in the way of.
 */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { kernelObstacle } from '../test/support/kernel-guard.ts';
import { startSightline } from '../test/support/sightline.ts';
import { spreadOf, spreadText } from './support/statistics.ts';

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '1500' },
    capture: { type: 'string', default: 'plain,process' },
  },
});
const pairs = Number(values.pairs);
const run = promisify(execFile);

/** CPU time in nanoseconds. */
interface Round {
  /** A receive that finds nothing. */
  empty: number;
  /** A send, and the receive of its bytes. */
  pair: number;
}

const obstacle = kernelObstacle();
if (obstacle !== undefined) {
  throw new Error(`this bench needs the real kernel: ${obstacle}`);
}
const folder = mkdtempSync(join(tmpdir(), 'sightline-socket-calls-'));
const program = join(folder, 'socket-calls');

async function measure(): Promise<Round> {
  const { stdout } = await run(program, [values.rounds]);
  const rounds = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Round);
  const least = (of: (round: Round) => number): number =>
    rounds.map(of).sort((a, b) => a - b)[Math.floor(rounds.length / 10)]!;
  return { empty: least((round) => round.empty), pair: least((round) => round.pair) };
}

async function measureObserved(): Promise<Round> {
  const sightline = await startSightline({ env: { SIGHTLINE_CAPTURE: values.capture } });
  try {
    const round = await measure();
    const finished = await sightline.stop();
    if (finished.code !== 0) {
      throw new Error(`sightline ended with ${finished.code}: ${finished.stderr}`);
    }
    return round;
  } finally {
    sightline.child.kill('SIGKILL');
    sightline.remove();
  }
}

try {
  const source = fileURLToPath(new URL('./clients/socket_calls.c', import.meta.url));
  execFileSync('gcc', ['-O2', '-Wall', '-Werror', '-o', program, source]);
  const off: Round[] = [];
  const on: Round[] = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    for (const isObserved of pair % 2 === 0 ? [false, true] : [true, false]) {
      (isObserved ? on : off).push(await (isObserved ? measureObserved() : measure()));
    }
    process.stderr.write(`pair ${pair + 1} of ${pairs} done\n`);
  }
  const loads = loadavg().map((value) => value.toFixed(1));
  console.log(`${pairs} pairs, capture ${values.capture}, load ${loads.join(' ')}`);
  for (const [name, what] of [
    ['empty', 'a receive that finds nothing'],
    ['pair', 'a send and its receive'],
  ] as const) {
    const [before, after] = [off.map((round) => round[name]), on.map((round) => round[name])];
    const added = after.map((value, index) => value - before[index]!);
    console.log(
      `${what}, ns of CPU: ${spreadText(spreadOf(before), 0)} → ${spreadText(spreadOf(after), 0)}   added ${spreadText(spreadOf(added), 0)}`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
