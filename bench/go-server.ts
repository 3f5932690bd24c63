/**
 * What observation costs a Go server under load in which there is nothing to see.
 *
 *     npx tsx bench/go-server.ts [--requests N] [--connections N] [--pairs N] [--capture tls,plain,process] [--rest BOOLEAN]
 *
 * Needs root, eBPF, the built code, Go and h2load (Debian: nghttp2-client). One server answers throughout; rounds
 * with and without `sightline run` take turns, and which of the two comes first does, too. What counts is the
 * server's own CPU time a request, user and system. Its client is left out, with a TLS library of its own, as if it was on
 * another machine: slowed down itself, it would keep the server waiting. Each round has two parts of as many requests: in the
 * first one the server is new to the observer, in the second one its probes rest.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { kernelObstacle } from '../test/support/kernel-guard.ts';
import { makeCertificate } from '../test/support/model-server/certificate.ts';
import { startSightline } from '../test/support/sightline.ts';
import { ratiosOf, spreadOf, spreadText } from './support/statistics.ts';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '20000' },
    connections: { type: 'string', default: '8' },
    pairs: { type: 'string', default: '5' },
    // What costs how much: `plain,process` leaves the TLS probes out.
    capture: { type: 'string', default: 'tls,plain,process' },
    rest: { type: 'string', default: 'true' },
  },
});
const requests = Number(values.requests);
const pairs = Number(values.pairs);

interface Round {
  /** A request, in microseconds. */
  wall: number;
  cpu: number;
}

interface Parts {
  first: Round;
  second: Round;
}

const obstacle = kernelObstacle();
if (obstacle !== undefined) {
  throw new Error(`this bench needs the real kernel: ${obstacle}`);
}
const folder = mkdtempSync(join(tmpdir(), 'sightline-go-server-'));
const listing = execFileSync('ldconfig', ['-p'], { encoding: 'utf8' });
for (const name of ['libssl.so.3', 'libcrypto.so.3']) {
  const found = listing.split('\n').find((line) => line.trim().startsWith(`${name} `));
  copyFileSync(found?.split('=> ')[1] ?? name, join(folder, name));
}
/** Runs the client, and is left out with whatever it runs. */
const shell = spawn('sh', {
  stdio: ['pipe', 'pipe', 'inherit'],
  env: { ...process.env, LD_LIBRARY_PATH: folder },
});
const certificate = makeCertificate();
const program = join(folder, 'go-server');
execFileSync('go', ['build', '-o', program, '.'], {
  cwd: fileURLToPath(new URL('./clients/go-server', import.meta.url)),
});
const files = dirname(certificate.caPath);
const server = spawn(program, [join(files, 'leaf.pem'), join(files, 'leaf.key')], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

function serverCpuUs(): number {
  const fields = readFileSync(`/proc/${server.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return ((Number(fields[11]) + Number(fields[12])) / TICKS) * 1e6;
}

async function loadOnce(url: string): Promise<Round> {
  const before = serverCpuUs();
  const start = process.hrtime.bigint();
  const report = join(folder, 'report');
  const more = ['--h1', '-n', values.requests, '-c', values.connections, url];
  shell.stdin.write(`h2load ${more.join(' ')} > ${report}; echo done\n`);
  await once(shell.stdout, 'data');
  const stdout = readFileSync(report, 'utf8');
  const wall = Number(process.hrtime.bigint() - start) / 1000;
  if (!stdout.includes(` ${requests} succeeded`)) {
    throw new Error(`not every request succeeded: ${stdout}`);
  }
  return { wall: wall / requests, cpu: (serverCpuUs() - before) / requests };
}

async function load(url: string): Promise<Parts> {
  return { first: await loadOnce(url), second: await loadOnce(url) };
}

async function loadObserved(url: string): Promise<Parts> {
  const sightline = await startSightline({
    env: {
      SIGHTLINE_CAPTURE: values.capture,
      SIGHTLINE_EXCLUDE_PID: `${shell.pid}`,
      SIGHTLINE_PROBE_REST: values.rest,
    },
  });
  try {
    const parts = await load(url);
    const finished = await sightline.stop();
    if (finished.code !== 0 || /lost in the kernel/.test(finished.stderr)) {
      throw new Error(`sightline ended with ${finished.code}: ${finished.stderr}`);
    }
    return parts;
  } finally {
    sightline.child.kill('SIGKILL');
    sightline.remove();
  }
}

try {
  const [port] = (await once(server.stdout, 'data')) as [Buffer];
  const url = `https://127.0.0.1:${port.toString().trim()}/healthz`;
  await load(url);
  const off: Parts[] = [];
  const on: Parts[] = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    for (const isObserved of pair % 2 === 0 ? [false, true] : [true, false]) {
      (isObserved ? on : off).push(await (isObserved ? loadObserved : load)(url));
    }
    process.stderr.write(`pair ${pair + 1} of ${pairs} done\n`);
  }
  const loads = loadavg().map((value) => value.toFixed(1));
  console.log(
    `${requests} requests of h2load over ${values.connections} connections, ${pairs} pairs, load ${loads.join(' ')}`,
  );
  for (const part of ['first', 'second'] as const) {
    for (const name of ['cpu', 'wall'] as const) {
      const [before, after] = [off, on].map((rounds) => rounds.map((round) => round[part][name]));
      const spreads = [before, after].map((spread) => spreadText(spreadOf(spread ?? []), 1));
      const ratio = spreadText(ratiosOf(after ?? [], before ?? []), 3);
      console.log(`${part} part, ${name}, µs a request: ${spreads.join(' → ')}   ratio ${ratio}`);
    }
  }
} finally {
  shell.kill('SIGKILL');
  server.kill('SIGKILL');
  certificate.remove();
  rmSync(folder, { recursive: true, force: true });
}
