/**
 * What one captured TLS call costs the program that makes it, with probes at the functions' beginnings and at the
 * instructions that the locators choose.
 *
 *     npx tsx bench/calls.ts [--count N] [--bytes N] [--rounds N] [--only WORD]
 *
 * Needs root, eBPF, the built code, gcc with the headers of OpenSSL, GnuTLS and NSS, Go, and npm for Node, Bun and
 * Deno; what is missing is left out. Server and client are one process, so a message is one write and one read (NSS: one write, to a
 * server elsewhere). Rounds without probes, with plain and with chosen places take turns in the same process; CPU time
 * counts, user and system, and what is added is shared out among the captured calls.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createServer } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type AttachRequest, loadBinding } from '../src/capture/binding.ts';
import type { TlsStack } from '../src/capture/events.ts';
import { attachRequest } from '../src/targets/locators.ts';
import {
  BORINGSSL_SUBJECTS,
  fetchSubject,
  NODE_SUBJECTS,
  RUSTLS_SUBJECTS,
} from '../test/real/npm-subjects.ts';
import { makeCertificate } from '../test/support/model-server/certificate.ts';
import { spreadOf, spreadText } from './support/statistics.ts';

const RING_BYTES = 64 * 1024 * 1024;

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '5000' },
    bytes: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '7' },
    only: { type: 'string', default: '' },
  },
});

const clients = fileURLToPath(new URL('./clients', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sightline-calls-'));
const binding = loadBinding();
const authority = makeCertificate();
const credentials = [join(folder, 'certificate.pem'), join(folder, 'key.pem')];
const sink = createServer({ cert: authority.certificatePem, key: authority.keyPem }, (socket) =>
  socket.on('error', () => undefined).resume(),
);

interface Built {
  program: string;
  /** Before the number and the size of messages. */
  args: string[];
  /** The files that hold the functions. */
  files: string[];
}

interface Subject extends Built {
  name: string;
  stack: TlsStack;
  /** The documented functions that the program calls; none where there are none: those that are located. */
  functions: string[];
}

function buildC(name: string, library: string, args: string[] = credentials): Built {
  const program = join(folder, name);
  execFileSync('gcc', ['-O2', '-o', program, join(clients, `${name}.c`), ...library.split(' ')]);
  const listing = execFileSync('ldd', [program], { encoding: 'utf8' });
  const files = library.match(/(?<=-l)(ssl|gnutls|nspr4|ssl3)\b/g)?.map((name) => {
    const file = new RegExp(`lib${name}\\.so[^ ]* => (\\S+)`).exec(listing)?.[1];
    if (file === undefined) {
      throw new Error(`${program} does not load lib${name}`);
    }
    return file;
  });
  return { program, args, files: files ?? [] };
}

function buildScripted(path: string | undefined, ...before: string[]): Built {
  if (path === undefined) {
    throw new Error('npm does not give it');
  }
  return {
    program: path,
    args: [...before, join(clients, 'js_pair.mjs'), ...credentials],
    files: [path],
  };
}

function buildGo(): Built {
  const program = join(folder, 'go-pair');
  execFileSync('go', ['build', '-o', program, '.'], { cwd: join(clients, 'go-pair') });
  return { program, args: credentials, files: [program] };
}

function subjects(): Subject[] {
  const found: Subject[] = [];
  const add = (name: string, stack: TlsStack, functions: string[], build: () => Built): void => {
    if (!name.includes(values.only)) {
      return;
    }
    try {
      found.push({ name, stack, functions, ...build() });
    } catch (error) {
      process.stderr.write(`${name} is left out: ${String(error).split('\n', 1)[0]}\n`);
    }
  };
  const openssl = ['SSL_read', 'SSL_write'];
  add('OpenSSL', 'openssl', openssl, () => buildC('openssl_pair', '-lssl -lcrypto'));
  const [node] = NODE_SUBJECTS;
  add(`OpenSSL in Node ${node?.version}`, 'openssl', openssl, () =>
    buildScripted(node && fetchSubject(node)),
  );
  const bun = BORINGSSL_SUBJECTS.find(({ program }) => program === 'bun');
  add(`BoringSSL in Bun ${bun?.version}`, 'boringssl', openssl, () =>
    buildScripted(bun && fetchSubject(bun)),
  );
  const deno = RUSTLS_SUBJECTS.findLast(({ program }) => program === 'deno');
  add(`rustls in Deno ${deno?.version}`, 'rustls', [], () =>
    buildScripted(deno && fetchSubject(deno), 'run', '-A'),
  );
  add('NSS', 'nss', ['PR_Write', 'SSL_ImportFD'], () =>
    buildC('nss_sender', '-lnspr4 -lssl3 -lnss3 -I/usr/include/nspr -I/usr/include/nss', [
      String((sink.address() as AddressInfo).port),
      'unused',
    ]),
  );
  add('GnuTLS', 'gnutls', ['gnutls_record_recv', 'gnutls_record_send'], () =>
    buildC('gnutls_pair', '-lgnutls'),
  );
  add('Go', 'go', ['crypto/tls.(*Conn).Read', 'crypto/tls.(*Conn).Write'], buildGo);
  return found;
}

interface Attachments {
  /** Undefined where the chosen places are the functions' first instructions. */
  plain: AttachRequest[] | undefined;
  chosen: AttachRequest[];
}

/** The chosen places of a program's files, and the same functions at their first instructions. */
function attachmentsOf({ stack, files, functions }: Subject): Attachments {
  const plainOnes: AttachRequest[] = [];
  const found: Attachments = { plain: undefined, chosen: [] };
  for (const file of files) {
    const located = binding.locateSync(file).stacks.find((one) => one.stack === stack);
    if (located === undefined) {
      throw new Error(`${file} has no ${stack} that can be located`);
    }
    const chosen = attachRequest(file, located, binding.probedFunctions()[stack] ?? []);
    const { offsets: named } = binding.locateSymbols(file, functions);
    const offsets: Record<string, number> = {};
    const wanted = functions.length > 0 ? functions : Object.keys(chosen.offsets);
    for (const name of wanted) {
      const one = located.functions.find((candidate) => candidate.name === name);
      const offset = one?.functionOffset ?? named[name];
      if (offset !== undefined) {
        offsets[name] = offset;
      }
    }
    found.chosen.push(chosen);
    const { results, entries, ...plain } = chosen;
    plainOnes.push({ ...plain, offsets });
    const isElsewhere =
      results !== undefined ||
      entries !== undefined ||
      Object.entries(offsets).some(([name, offset]) => chosen.offsets[name] !== offset);
    if (isElsewhere) {
      found.plain = plainOnes;
    }
  }
  return found;
}

async function measure(subject: Subject): Promise<void> {
  const attachments = attachmentsOf(subject);
  const child = spawn(subject.program, [...subject.args, values.count, values.bytes], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const round = async (requests: AttachRequest[]): Promise<[number, number]> => {
    const capture = binding.open({
      ringBytes: RING_BYTES,
      watchAll: false,
      onSlab: () => undefined,
      onLog: () => undefined,
    });
    capture.setProcess(child.pid as number, 'watched');
    for (const request of requests) {
      capture.attach(request);
    }
    child.stdin.write('\n');
    const { value } = await lines.next();
    const { records, drops } = capture.counters();
    capture.close();
    const lost = Object.values(drops).reduce((sum, count) => sum + count, 0);
    if (requests.length > 0 && (records < Number(values.count) || lost > 0)) {
      throw new Error(`${records} records came of ${values.count} messages, ${lost} were dropped`);
    }
    return [Number(value), records / Number(values.count)];
  };
  const variants = [[], attachments.chosen, ...(attachments.plain ? [attachments.plain] : [])];
  const results: [number, number][][] = variants.map(() => []);
  await round([]);
  for (let i = 0; i < Number(values.rounds); i++) {
    for (const [index, requests] of variants.entries()) {
      results[index]?.push(await round(requests));
    }
  }
  child.stdin.end();
  const [without = [], placed = [], plain] = results;
  const added = (rounds: readonly [number, number][]): string =>
    spreadText(
      spreadOf(rounds.map(([ns, calls], index) => (ns - (without[index]?.[0] ?? 0)) / calls)),
      0,
    );
  process.stdout.write(
    `| ${subject.name} | ${spreadText(spreadOf(without.map(([ns]) => ns)), 0)} | ${plain ? added(plain) : 'the same place'} | ${added(placed)} |\n`,
  );
}

try {
  const [certificate = '', key = ''] = credentials;
  writeFileSync(certificate, authority.certificatePem);
  writeFileSync(key, authority.keyPem, { mode: 0o600 });
  sink.listen(0, '127.0.0.1');
  await once(sink, 'listening');
  process.stdout.write(
    `${values.bytes} bytes a call, ${values.count} messages a round, ${values.rounds} rounds, load ${loadavg()[0]?.toFixed(1)}, ${
      /^model name\s*: (.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? process.arch
    }\n`,
  );
  process.stdout.write(
    '| stack | a message without probes, ns | added by a captured call, ns: at the beginning | at the chosen place |\n|---|---|---|---|\n',
  );
  for (const subject of subjects()) {
    await measure(subject);
  }
} finally {
  sink.close();
  authority.remove();
  rmSync(folder, { recursive: true, force: true });
}
