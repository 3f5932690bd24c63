/**
 * How long it takes to find the TLS functions of large programs: the first time, and when the answer is remembered.
 *
 *     npx tsx bench/locate.ts [ROUNDS] [FILE...]
 *
 * Needs the built addon and, without files, npm for the programs. Three ways take turns: the file's pages dropped from
 * memory and nothing remembered, its pages in memory, and the answer on disk, found by build id (each time read anew).
 * CPU time is this process's, of all threads, user and system; on a busy machine it tells more than the time that passed.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { loadBinding } from '../src/capture/binding.ts';
import { createLocatorCache } from '../src/targets/locator-cache.ts';
import { createLocator } from '../src/targets/locators.ts';
import {
  BORINGSSL_SUBJECTS,
  fetchSubject,
  NODE_SUBJECTS,
  RUSTLS_SUBJECTS,
} from '../test/real/npm-subjects.ts';
import { spreadOf, spreadText } from './support/statistics.ts';

const ROUNDS = Number(process.argv[2] ?? 7);
if (!Number.isSafeInteger(ROUNDS) || ROUNDS < 1) {
  throw new Error('usage: npx tsx bench/locate.ts [ROUNDS] [FILE...]');
}
const given = process.argv.slice(3);
const paths =
  given.length > 0
    ? given
    : [...BORINGSSL_SUBJECTS, ...RUSTLS_SUBJECTS, ...NODE_SUBJECTS].flatMap((subject) => {
        const path = fetchSubject(subject);
        return path === undefined ? [] : [path];
      });

const WAYS = ['dropped', 'in memory', 'remembered'] as const;
type Way = (typeof WAYS)[number];

interface Cost {
  wallMs: number[];
  cpuMs: number[];
}

const binding = loadBinding();
const folder = mkdtempSync(join(tmpdir(), 'sightline-locate-'));

/** What was found; empty where nothing was. */
function locate(path: string, way: Way): { stacks: string; isCached: boolean } {
  // A new one each time: what is on disk is read, not what an earlier round has left in memory.
  const cache = way === 'remembered' ? { cache: createLocatorCache({ folder }) } : {};
  const { stacks, isCached } = createLocator({ binding, ...cache }).locateSync(path);
  return { stacks: stacks.map(({ stack }) => stack).join(', '), isCached };
}

/** Clean pages alone are dropped, and these programs are only read. */
function dropPages(path: string): void {
  execFileSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'of=/dev/null'], {
    stdio: 'ignore',
  });
}

function measure(path: string, way: Way, cost: Cost): void {
  if (way === 'dropped') {
    dropPages(path);
  }
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const { isCached } = locate(path, way);
  cost.wallMs.push(performance.now() - startMs);
  const { user, system } = process.cpuUsage(cpu);
  cost.cpuMs.push((user + system) / 1000);
  if (isCached !== (way === 'remembered')) {
    throw new Error(`${path}: ${isCached ? 'was' : 'was not'} remembered`);
  }
}

function textOf({ wallMs, cpuMs }: Cost): string {
  return `${spreadText(spreadOf(wallMs), 1)}; ${spreadText(spreadOf(cpuMs), 1)}`;
}

try {
  console.log(`${ROUNDS} rounds, load ${loadavg()[0]?.toFixed(1)} at the start`);
  console.log(
    `| program | MB | stacks | ${WAYS.map((way) => `${way}, ms wall; CPU`).join(' | ')} |`,
  );
  console.log(`|---|---|---|${WAYS.map(() => '---|').join('')}`);
  for (const path of paths) {
    const costs = Object.fromEntries(
      WAYS.map((way): [Way, Cost] => [way, { wallMs: [], cpuMs: [] }]),
    ) as Record<Way, Cost>;
    // Remembers it, and reads the addon's own code into memory.
    const { stacks } = locate(path, 'remembered');
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const way of WAYS) {
        measure(path, way, costs[way]);
      }
    }
    const megabytes = (statSync(path).size / 1e6).toFixed(0);
    const cells = WAYS.map((way) => textOf(costs[way]));
    console.log(
      `| ${basename(path)} | ${megabytes} | ${stacks || 'none'} | ${cells.join(' | ')} |`,
    );
  }
  console.log(`load ${loadavg()[0]?.toFixed(1)} at the end`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
