/**
 * What observation costs a Go server under load in which there is nothing to see.
 *
 *     npx tsx bench/go-server.ts [--requests N] [--connections N] [--pairs N] [--capture tls,plain,process]
 *
 * Needs root, eBPF, the built code, Go and h2load (Debian: nghttp2-client). One server answers throughout; rounds
 * with and without `sightline run` take turns, and which of the two comes first does, too. What counts is the
 * server's own CPU time a request, user and system; its client is on the same machine and observed as well.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
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
  },
});
const requests = Number(values.requests);
const pairs = Number(values.pairs);
const run = promisify(execFile);

interface Round {
  /** A request, in microseconds. */
  wall: number;
  cpu: number;
}

const obstacle = kernelObstacle();
if (obstacle !== undefined) {
  throw new Error(`this bench needs the real kernel: ${obstacle}`);
}
const folder = mkdtempSync(join(tmpdir(), 'sightline-go-server-'));
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

async function load(url: string): Promise<Round> {
  const before = serverCpuUs();
  const start = process.hrtime.bigint();
  const more = ['--h1', '-n', values.requests, '-c', values.connections, url];
  const { stdout } = await run('h2load', more);
  const wall = Number(process.hrtime.bigint() - start) / 1000;
  if (!stdout.includes(` ${requests} succeeded`)) {
    throw new Error(`not every request succeeded: ${stdout}`);
  }
  return { wall: wall / requests, cpu: (serverCpuUs() - before) / requests };
}

async function loadObserved(url: string): Promise<Round> {
  const sightline = await startSightline({ env: { SIGHTLINE_CAPTURE: values.capture } });
  try {
    const round = await load(url);
    const finished = await sightline.stop();
    if (finished.code !== 0 || /lost in the kernel/.test(finished.stderr)) {
      throw new Error(`sightline ended with ${finished.code}: ${finished.stderr}`);
    }
    return round;
  } finally {
    sightline.child.kill('SIGKILL');
    sightline.remove();
  }
}

try {
  const [port] = (await once(server.stdout, 'data')) as [Buffer];
  const url = `https://127.0.0.1:${port.toString().trim()}/healthz`;
  await load(url);
  const off: Round[] = [];
  const on: Round[] = [];
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
  for (const name of ['cpu', 'wall'] as const) {
    const [before, after] = [off.map((round) => round[name]), on.map((round) => round[name])];
    console.log(
      `${name}, µs a request: ${spreadText(spreadOf(before), 1)} → ${spreadText(spreadOf(after), 1)}   ratio ${spreadText(ratiosOf(after, before), 3)}`,
    );
  }
} finally {
  server.kill('SIGKILL');
  certificate.remove();
  rmSync(folder, { recursive: true, force: true });
}
