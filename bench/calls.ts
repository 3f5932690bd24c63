/**
 * What one captured TLS call costs the program that makes it, with probes at the functions' beginnings and at the
 * instructions that the locators choose.
 *
 *     npx tsx bench/calls.ts [--count N] [--bytes N] [--rounds N]
 *
 * Needs root, eBPF, the built code, gcc with the headers of OpenSSL and GnuTLS, and Go; what is missing is left out.
 * Server and client are one process, so a message is one write and one read. Rounds without probes, with plain and
 * with chosen places take turns in the same process; CPU time counts, user and system.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type AttachRequest, loadBinding } from '../src/capture/binding.ts';
import type { TlsStack } from '../src/capture/events.ts';
import { attachRequest } from '../src/targets/locators.ts';
import { makeCertificate } from '../test/support/model-server/certificate.ts';
import { spreadOf, spreadText } from './support/statistics.ts';

const RING_BYTES = 64 * 1024 * 1024;

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '5000' },
    bytes: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '7' },
  },
});

const clients = fileURLToPath(new URL('./clients', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sightline-calls-'));
const binding = loadBinding();

interface Subject {
  stack: TlsStack;
  program: string;
  /** The file that holds the functions. */
  file: string;
  /** The documented functions that the program calls. */
  functions: string[];
}

function buildC(name: string, library: string): { program: string; file: string } {
  const program = join(folder, name);
  execFileSync('gcc', ['-O2', '-o', program, join(clients, `${name}.c`), ...library.split(' ')]);
  const first = library.split(' ')[0]?.replace('-l', 'lib');
  const listing = execFileSync('ldd', [program], { encoding: 'utf8' });
  const file = new RegExp(`${first}\\.so[^ ]* => (\\S+)`).exec(listing)?.[1];
  if (file === undefined) {
    throw new Error(`${program} does not load ${first}`);
  }
  return { program, file };
}

function buildGo(): { program: string; file: string } {
  const program = join(folder, 'go-pair');
  execFileSync('go', ['build', '-o', program, '.'], { cwd: join(clients, 'go-pair') });
  return { program, file: program };
}

function subjects(): Subject[] {
  const found: Subject[] = [];
  const add = (stack: TlsStack, functions: string[], build: () => object): void => {
    try {
      found.push({ stack, functions, ...(build() as { program: string; file: string }) });
    } catch (error) {
      process.stderr.write(`${stack} is left out: ${String(error).split('\n', 1)[0]}\n`);
    }
  };
  add('openssl', ['SSL_read', 'SSL_write'], () => buildC('openssl_pair', '-lssl -lcrypto'));
  add('gnutls', ['gnutls_record_recv', 'gnutls_record_send'], () =>
    buildC('gnutls_pair', '-lgnutls'),
  );
  add('go', ['crypto/tls.(*Conn).Read', 'crypto/tls.(*Conn).Write'], buildGo);
  return found;
}

/** The same functions at their first instructions. */
function plainRequest({ stack, file, functions }: Subject, chosen: AttachRequest): AttachRequest {
  const located = binding.locateSync(file).stacks.find((found) => found.stack === stack);
  const { offsets: named } = binding.locateSymbols(file, functions);
  const offsets = Object.fromEntries(
    functions.map((name) => {
      const found = located?.functions.find((one) => one.name === name);
      return [name, found?.functionOffset ?? named[name] ?? 0];
    }),
  );
  return { ...chosen, offsets };
}

async function measure(subject: Subject, certificate: string, key: string): Promise<void> {
  const located = binding
    .locateSync(subject.file)
    .stacks.find(({ stack }) => stack === subject.stack);
  if (located === undefined) {
    throw new Error(`${subject.file} has no ${subject.stack} that can be located`);
  }
  const chosen = attachRequest(
    subject.file,
    located,
    binding.probedFunctions()[subject.stack] ?? [],
  );
  const child = spawn(subject.program, [certificate, key, values.count, values.bytes], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const round = async (request?: AttachRequest): Promise<number> => {
    const capture = binding.open({
      ringBytes: RING_BYTES,
      watchAll: false,
      onSlab: () => undefined,
      onLog: () => undefined,
    });
    capture.setProcess(child.pid as number, 'watched');
    if (request) {
      capture.attach(request);
    }
    child.stdin.write('\n');
    const { value } = await lines.next();
    const { records, drops } = capture.counters();
    capture.close();
    const lost = Object.values(drops).reduce((sum, count) => sum + count, 0);
    if (request && (records < 2 * Number(values.count) || lost > 0)) {
      throw new Error(`${records} records came of ${values.count} messages, ${lost} were dropped`);
    }
    return Number(value);
  };
  const variants = [undefined, plainRequest(subject, chosen), chosen];
  const results: number[][] = [[], [], []];
  await round();
  for (let i = 0; i < Number(values.rounds); i++) {
    for (const [index, request] of variants.entries()) {
      results[index]?.push(await round(request));
    }
  }
  child.stdin.end();
  const [without = [], plain = [], placed = []] = results;
  const added = (rounds: readonly number[]): string =>
    spreadText(spreadOf(rounds.map((ns, index) => (ns - (without[index] ?? 0)) / 2)), 0);
  process.stdout.write(
    `| ${subject.stack} | ${spreadText(spreadOf(without), 0)} | ${added(plain)} | ${added(placed)} |\n`,
  );
}

const authority = makeCertificate();
try {
  const certificate = join(folder, 'certificate.pem');
  const key = join(folder, 'key.pem');
  writeFileSync(certificate, authority.certificatePem);
  writeFileSync(key, authority.keyPem, { mode: 0o600 });
  process.stdout.write(
    `${values.bytes} bytes a call, ${values.count} messages a round, ${values.rounds} rounds, ${
      /^model name\s*: (.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? process.arch
    }\n`,
  );
  process.stdout.write(
    '| stack | a message without probes, ns | added by a captured call, ns: at the beginning | at the chosen place |\n|---|---|---|---|\n',
  );
  for (const subject of subjects()) {
    await measure(subject, certificate, key);
  }
} finally {
  authority.remove();
  rmSync(folder, { recursive: true, force: true });
}
