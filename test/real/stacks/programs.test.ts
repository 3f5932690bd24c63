/** Real programs on every TLS stack: each byte of both directions, once, and connections told apart. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LocatedStack, loadBinding } from '../../../src/capture/binding.ts';
import type { TlsStack } from '../../../src/capture/events.ts';
import { closeSession, dataOf, openSession } from '../../kernel/native/harness.ts';
import { assertSame, attachLocated, runProgram } from '../../kernel/stacks/stack-run.ts';
import { startTappedServer, type TappedServer } from '../../kernel/stacks/tapped-server.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { addStackRow, placementOf, type StackRow } from '../../support/stack-rows.ts';
import {
  BORINGSSL_SUBJECTS,
  fetchSubject,
  NODE_SUBJECTS,
  type NpmSubject,
  OLD_NODE_SUBJECTS,
  RUSTLS_SUBJECTS,
} from '../npm-subjects.ts';

const FOLDER = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
const CLIENTS = fileURLToPath(new URL('./clients', import.meta.url));
const STACKS = fileURLToPath(new URL('../../kernel/stacks', import.meta.url));
/** A prime: a double or a loss cannot hide in a round number. */
const REQUESTS = 23;
const MIB = 1024 * 1024;

/** What a row counts. */
const NOTHING = { connections: 0, writtenBytes: 0, readBytes: 0 };
/** The first one's OpenSSL is in a module of its own. */
const WHEEL_FILE = `try:
  import cryptography.hazmat.bindings._openssl as module
except ImportError:
  import cryptography.hazmat.bindings._rust as module
print(module.__file__)`;
const WHEELS = [
  { openssl: '1.1.1', packages: ['cryptography==36.0.2', 'pyOpenSSL==22.0.0'] },
  // Writes through the function that SSL_write_ex2 is made of.
  { openssl: '4.0', packages: ['cryptography==50.0.2', 'pyOpenSSL==26.4.0'] },
];

const library = (name: string): string => `/usr/lib/${FOLDER}/${name}`;
const script = (name: string): string => join(CLIENTS, name);

interface Subject {
  command: string;
  args: string[];
  version: string;
  /** Files that hold the stack. */
  files: string[];
  env?: NodeJS.ProcessEnv;
}

interface Way {
  atOnce: number;
  connections: 'keep' | 'fresh';
}

interface Case {
  stack: TlsStack;
  program: string;
  ways: readonly Way[];
  /** How to run it; undefined, said loudly, where that is not possible. */
  prepare(server: TappedServer, way: Way): Subject | undefined;
}

const ONE: Way = { atOnce: 1, connections: 'keep' };
const FOUR: Way = { atOnce: 4, connections: 'keep' };
const FRESH: Way = { atOnce: 1, connections: 'fresh' };
const FRESH_AT_ONCE: Way = { atOnce: 4, connections: 'fresh' };

function first(command: string, ...args: string[]): string {
  const { stdout } = spawnSync(command, args, { encoding: 'utf8' });
  return (stdout ?? '').split('\n', 1)[0]?.trim() ?? '';
}

describe('programs on real TLS stacks', function () {
  this.timeout(300_000);
  let folder: string;

  before(function () {
    requireKernel(this);
    folder = mkdtempSync(join(tmpdir(), 'sightline-programs-'));
  });
  after(() => {
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  /** Made once by `make`; undefined, with a loud line, when that fails. */
  function built(name: string, make: (path: string) => void): string | undefined {
    const path = join(folder, name);
    try {
      if (!existsSync(path)) {
        make(path);
      }
      return path;
    } catch (error) {
      process.stderr.write(
        `*** SKIPPED: ${name} cannot be built (${String(error).split('\n')[0]})\n`,
      );
      return undefined;
    }
  }

  const url = ({ port }: TappedServer): string => `https://localhost:${port}/v1/messages`;
  const common = (server: TappedServer, { atOnce, connections }: Way): string[] => [
    url(server),
    server.certificate.caPath,
    String(REQUESTS),
    String(atOnce),
    connections,
  ];

  function curlCommand(server: TappedServer): Subject | undefined {
    const body = built('body', (path) => {
      execFileSync('sh', ['-c', 'head -c 70001 /dev/urandom > "$1"', 'sh', path]);
    });
    const requests = Array.from({ length: REQUESTS }, () => [
      url(server),
      '-o',
      '/dev/null',
    ]).flat();
    return {
      command: '/usr/bin/curl',
      args: [
        '-s',
        '--http1.1',
        '--cacert',
        server.certificate.caPath,
        '--data-binary',
        `@${body}`,
        ...requests,
      ],
      version: first('curl', '--version').split(' ')[1] ?? '',
      files: [library('libssl.so.3')],
    };
  }

  /** The same client on one of libcurl's other stacks. */
  function libcurl(name: string, files: string[]): Case['prepare'] {
    return (server) => {
      const program = built(`client-${name}`, (path) => {
        const flags = ['-O2', '-o', path, join(STACKS, 'curl-client.c'), library(name)];
        execFileSync('gcc', flags, { stdio: ['ignore', 'ignore', 'pipe'] });
      });
      return program === undefined
        ? undefined
        : {
            command: program,
            args: [url(server), server.certificate.caPath, String(REQUESTS), '70001'],
            version: basename(realpathSync(library(name))).replace(/^.*\.so\./, ''),
            files: files.map(library),
          };
    };
  }

  function python(name: string): Case['prepare'] {
    return (server, way) => ({
      command: '/usr/bin/python3',
      args: [script(name), ...common(server, way)],
      version: first('/usr/bin/python3', '--version').replace('Python ', ''),
      files: [library('libssl.so.3')],
    });
  }

  function wheel(packages: string[], isStripped: boolean): Case['prepare'] {
    const name = `wheels-${packages[0]}`;
    return (server, way) => {
      const whole = built(name, (path) => {
        execFileSync('/usr/bin/python3', ['-m', 'venv', path], { stdio: 'pipe' });
        execFileSync(join(path, 'bin/pip'), ['-q', 'install', ...packages], { stdio: 'pipe' });
      });
      const fileOf = (environment: string): string =>
        first(join(environment, 'bin/python3'), '-c', WHEEL_FILE);
      const environment =
        whole === undefined || !isStripped
          ? whole
          : built(`${name}-stripped`, (path) => {
              cpSync(whole, path, { recursive: true, verbatimSymlinks: true });
              execFileSync('strip', [fileOf(path)], { stdio: 'pipe' });
            });
      return environment === undefined
        ? undefined
        : {
            command: join(environment, 'bin/python3'),
            args: [script('pyopenssl_client.py'), ...common(server, way)],
            version: packages[0]?.replace('==', ' ') ?? '',
            files: [fileOf(environment)],
          };
    };
  }

  function staticOpenssl(server: TappedServer, { connections }: Way): Subject | undefined {
    const program = built('static-openssl', (path) => {
      const libraries = ['-l:libssl.a', '-l:libcrypto.a', '-ldl', '-lpthread'];
      const flags = ['-O2', '-s', '-o', path, script('openssl-client.c'), ...libraries];
      execFileSync('gcc', flags, { stdio: ['ignore', 'ignore', 'pipe'] });
    });
    return program === undefined
      ? undefined
      : {
          command: program,
          args: [String(server.port), String(REQUESTS), connections],
          version: first('openssl', 'version').split(' ')[1] ?? '',
          files: [program],
        };
  }

  function go(name: string, ...flags: string[]): Case['prepare'] {
    return (server, { atOnce }) => {
      const program = built(name, (path) => {
        execFileSync('go', ['build', ...flags, '-o', path, '.'], {
          cwd: join(STACKS, 'go-client'),
          stdio: ['ignore', 'ignore', 'pipe'],
          env: { ...process.env, CGO_ENABLED: '0' },
        });
      });
      const more = [server.certificate.caPath, String(REQUESTS), String(atOnce), '40001'];
      return program === undefined
        ? undefined
        : {
            command: program,
            args: ['http', url(server), ...more],
            version: first('go', 'env', 'GOVERSION'),
            files: [program],
          };
    };
  }

  function fromNpm(
    subject: NpmSubject,
    client: string,
    flags: (server: TappedServer) => string[] = () => [],
  ): Case['prepare'] {
    return (server, way) => {
      const path = fetchSubject(subject);
      return path === undefined
        ? undefined
        : {
            command: path,
            args: [...flags(server), script(client), ...common(server, way)],
            version: subject.version,
            files: [path],
            env: { DENO_DIR: join(folder, 'deno'), DENO_NO_UPDATE_CHECK: '1' },
          };
    };
  }

  const cases: Case[] = [
    { stack: 'openssl', program: 'curl', ways: [ONE], prepare: curlCommand },
    {
      stack: 'gnutls',
      program: 'libcurl-gnutls',
      ways: [ONE],
      prepare: libcurl('libcurl-gnutls.so.4', ['libgnutls.so.30']),
    },
    {
      stack: 'nss',
      program: 'libcurl-nss',
      ways: [ONE],
      prepare: libcurl('libcurl-nss.so.4', ['libnspr4.so', 'libssl3.so']),
    },
    {
      stack: 'gnutls',
      program: 'wget',
      ways: [ONE],
      prepare: (server) => ({
        command: '/usr/bin/wget',
        args: [
          '-q',
          `--ca-certificate=${server.certificate.caPath}`,
          '--post-data=question',
          '-O',
          '/dev/null',
          ...Array.from({ length: REQUESTS }, () => url(server)),
        ],
        version: first('wget', '--version').split(' ')[2] ?? '',
        files: [library('libgnutls.so.30')],
      }),
    },
    {
      stack: 'openssl',
      program: 'Python, http.client',
      ways: [ONE, FRESH],
      prepare: python('urllib_client.py'),
    },
    {
      stack: 'openssl',
      program: 'Python, asyncio',
      ways: [FOUR, FRESH_AT_ONCE],
      prepare: python('asyncio_client.py'),
    },
    ...WHEELS.flatMap(({ openssl, packages }) =>
      [false, true].map(
        (isStripped): Case => ({
          stack: 'openssl',
          program: `Python, pyOpenSSL, OpenSSL ${openssl} in a wheel${isStripped ? ' without symbols' : ''}`,
          ways: [ONE, FRESH],
          prepare: wheel(packages, isStripped),
        }),
      ),
    ),
    {
      stack: 'openssl',
      program: 'a C program, static without symbols',
      ways: [ONE, FRESH],
      prepare: staticOpenssl,
    },
    ...[...OLD_NODE_SUBJECTS, ...NODE_SUBJECTS].map(
      (subject): Case => ({
        stack: 'openssl',
        program: 'Node',
        ways: [FOUR, FRESH_AT_ONCE],
        prepare: fromNpm(subject, 'https-client.mjs'),
      }),
    ),
    ...BORINGSSL_SUBJECTS.filter(({ program }) => program === 'bun').map(
      (subject): Case => ({
        stack: 'boringssl',
        program: 'Bun',
        ways: [ONE, FOUR, FRESH],
        prepare: fromNpm(subject, 'fetch-client.mjs'),
      }),
    ),
    ...RUSTLS_SUBJECTS.filter(({ program }) => program === 'deno').map(
      (subject): Case => ({
        stack: 'rustls',
        program: 'Deno',
        ways: [ONE, FOUR],
        prepare: fromNpm(subject, 'fetch-client.mjs', ({ certificate }) => [
          'run',
          '--quiet',
          '--allow-all',
          '--cert',
          certificate.caPath,
        ]),
      }),
    ),
    { stack: 'go', program: 'Go, with symbols', ways: [ONE, FOUR], prepare: go('go-symbols') },
    {
      stack: 'go',
      program: 'Go, without symbols',
      ways: [ONE, FOUR],
      prepare: go('go-stripped', '-ldflags=-s -w'),
    },
  ];

  /** One program in all its ways; what it takes for a row, unless it cannot be run here. */
  async function exercise(one: Case): Promise<boolean> {
    const binding = loadBinding();
    let row: (StackRow & typeof NOTHING) | undefined;
    for (const way of one.ways) {
      const server = await startTappedServer({ answerBytes: 30_000 });
      const session = openSession({ ringBytes: 32 * MIB });
      try {
        const subject = one.prepare(server, way);
        if (subject === undefined || ![subject.command, ...subject.files].every(existsSync)) {
          process.stderr.write(`*** SKIPPED: ${one.program} is not here\n`);
          return false;
        }
        const probed = subject.files.flatMap((path) => attachLocated(session, path, one.stack));
        await runProgram(session, subject.command, subject.args, subject.env);
        closeSession(session);
        assert.equal(server.requests(), REQUESTS);
        const conversations = server.conversations();
        assertSame(session, server, one.stack);
        if (way.connections === 'fresh') {
          assert.equal(conversations.length, REQUESTS);
        }
        const located = subject.files.flatMap((path): LocatedStack[] =>
          binding.locateSync(path).stacks.filter(({ stack }) => stack === one.stack),
        );
        const objects = new Set(dataOf(session).map(({ connection }) => connection.object)).size;
        row ??= {
          // OpenSSL's is a whole line, with its name and date.
          stack: [one.stack, located[0]?.version?.replace(/^OpenSSL (\S+).*/, '$1')]
            .filter(Boolean)
            .join(' '),
          program: one.program,
          version: subject.version,
          locatedBy: [...new Set(located.map(({ locatedBy }) => locatedBy))].join(', '),
          placement: placementOf(located, probed),
          ...NOTHING,
          exact: 'every byte of every connection',
          notes: '',
        };
        row.connections += conversations.length;
        for (const { received, sent } of conversations) {
          row.writtenBytes += received.length;
          row.readBytes += sent.length;
        }
        if (objects < conversations.length) {
          row.notes = `${conversations.length} connections on ${objects} objects, none mixed`;
        }
      } finally {
        session.capture.close();
        await server.stop();
      }
    }
    if (row !== undefined) {
      addStackRow(row);
    }
    return true;
  }

  for (const one of cases) {
    it(`${one.program} on ${one.stack}`, async function () {
      if (!(await exercise(one))) {
        this.skip();
      }
    });
  }
});
