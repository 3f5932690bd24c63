/**
 * What observation costs a bulk download over TLS that is no model call, and how much of it is copied.
 *
 *     npx tsx bench/bulk.ts [--client curl|python] [--mib N] [--pairs N] [--rate BYTES] [--capture tls,plain,process]
 *
 * Needs root, eBPF and the built code (`npm run setup`). Rounds with and without `sightline run` take turns, and
 * which of the two comes first does, too. The server is on the same machine and its side is observed, too, so the
 * cost is that of two observed programs. A last download is counted instead of timed: what was copied of it.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { loadBinding } from '../src/capture/binding.ts';
import { createLiveSource } from '../src/capture/live-source.ts';
import { createHttpStage } from '../src/http/http-stage.ts';
import { createTargetFinder } from '../src/targets/target-finder.ts';
import { createTlsLocator } from '../src/targets/tls-location.ts';
import { createTransport } from '../src/transport/transport.ts';
import { kernelObstacle } from '../test/support/kernel-guard.ts';
import { makeCertificate } from '../test/support/model-server/certificate.ts';
import { startSightline } from '../test/support/sightline.ts';
import { ratiosOf, spreadOf, spreadText } from './support/statistics.ts';

const MIB = 1024 * 1024;
const RING_BYTES = 16 * MIB;
/** For what the kernel handed over last to be read. */
const DRAIN_MS = 300;

const { values } = parseArgs({
  options: {
    client: { type: 'string', default: 'curl' },
    mib: { type: 'string', default: '256' },
    pairs: { type: 'string', default: '5' },
    // Bytes a second, with curl's suffixes: `125M` is a network of 1 Gbit/s.
    rate: { type: 'string', default: '' },
    // What costs how much: `plain,process` leaves the TLS probes out.
    capture: { type: 'string', default: 'tls,plain,process' },
  },
});
const bytes = Number(values.mib) * MIB;
const pairs = Number(values.pairs);
const run = promisify(execFile);

interface Round {
  wall: number;
  user: number;
  system: number;
}

function script(name: string): string {
  return fileURLToPath(new URL(`./clients/${name}`, import.meta.url));
}

async function download(url: string): Promise<Round> {
  const { stdout } = await run('python3', [
    script('bulk_client.py'),
    values.client,
    url,
    `${bytes}`,
    values.rate,
  ]);
  return JSON.parse(stdout) as Round;
}

async function downloadObserved(url: string): Promise<Round> {
  const sightline = await startSightline({ env: { SIGHTLINE_CAPTURE: values.capture } });
  try {
    const round = await download(url);
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

/** The capture side alone, with the verdicts of the http room: what comes out of the kernel. */
async function countCopied(url: string): Promise<string> {
  const binding = loadBinding();
  const port = Number(new URL(url).port);
  let copied = 0;
  let skipped = 0;
  const source = createLiveSource({
    binding,
    targets: createTargetFinder({ locator: createTlsLocator({ binding }) }),
    watchAll: true,
    ringBytes: RING_BYTES,
  });
  const complete: boolean[] = [];
  const transport = createTransport({
    createParser: createHttpStage({
      handler: () => undefined,
      onVerdict: source.setVerdict,
      onExchange: ({ request, response }) => {
        if (request?.headers.get('host')?.endsWith(`:${port}`)) {
          complete.push(response?.complete === true && response.bodyBytes === bytes);
        }
      },
    }),
  });
  await source.start((event) => {
    copied += event.type === 'data' ? event.bytes.length : 0;
    skipped += event.type === 'skip' ? event.skippedBytes : 0;
    transport.push(event);
  });
  await download(url);
  await new Promise((resolve) => setTimeout(resolve, DRAIN_MS));
  await source.stop();
  return (
    `copied ${copied} bytes, left out ${skipped} (both sides, and other programs); ` +
    `${complete.filter(Boolean).length} of ${complete.length} sides saw the response's exact end`
  );
}

const obstacle = kernelObstacle();
if (obstacle !== undefined) {
  throw new Error(`this bench needs the real kernel: ${obstacle}`);
}
const certificate = makeCertificate();
const folder = dirname(certificate.caPath);
const server = spawn(
  'python3',
  [script('bulk_server.py'), join(folder, 'leaf.pem'), join(folder, 'leaf.key')],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
try {
  const [first] = (await once(server.stdout, 'data')) as [Buffer];
  const url = `https://127.0.0.1:${first.toString().trim()}/${bytes}`;
  // The first round is the server's warm-up.
  await download(url);
  const off: Round[] = [];
  const on: Round[] = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    for (const isObserved of pair % 2 === 0 ? [false, true] : [true, false]) {
      (isObserved ? on : off).push(await (isObserved ? downloadObserved : download)(url));
    }
    process.stderr.write(`pair ${pair + 1} of ${pairs} done\n`);
  }
  const loads = loadavg().map((value) => value.toFixed(1));
  console.log(
    `${values.mib} MiB over TLS by ${values.client}${values.rate ? ` at ${values.rate}B/s` : ''}, ${pairs} pairs of rounds, load ${loads.join(' ')}`,
  );
  const row = (name: string, of: (round: Round) => number): void => {
    const [before, after] = [off.map(of), on.map(of)];
    const [left, right] = [spreadText(spreadOf(before), 3), spreadText(spreadOf(after), 3)];
    console.log(
      `${name.padEnd(18)} ${left.padStart(22)} ${right.padStart(22)}   ratio ${spreadText(ratiosOf(after, before), 3)}`,
    );
  };
  row('wall, s', (round) => round.wall);
  row('client CPU, s', (round) => round.user + round.system);
  row('  user, s', (round) => round.user);
  row('  system, s', (round) => round.system);
  console.log(await countCopied(url));
} finally {
  server.kill('SIGKILL');
  certificate.remove();
}
