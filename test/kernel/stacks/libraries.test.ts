/** Programs on OpenSSL, GnuTLS and NSS as Debian installs them: every byte of both directions, once. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TlsStack } from '../../../src/capture/events.ts';
import { requireKernel, skipWithout } from '../../support/kernel-guard.ts';
import { attachTo, closeSession, openSession } from '../native/harness.ts';
import { assertSame, attachLocated, runProgram } from './stack-run.ts';
import { startTappedServer, type TappedServer } from './tapped-server.ts';

const FOLDER = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
const library = (name: string): string => `/usr/lib/${FOLDER}/${name}`;

interface Case {
  stack: TlsStack;
  /** What the client is linked with. */
  curl: string;
  /** Where the functions are, each with some that must be probed there. */
  files: Record<string, string[]>;
}

const CASES: readonly Case[] = [
  {
    stack: 'openssl',
    curl: library('libcurl.so.4'),
    files: { [library('libssl.so.3')]: ['SSL_free'] },
  },
  {
    stack: 'gnutls',
    curl: library('libcurl-gnutls.so.4'),
    files: {
      [library('libgnutls.so.30')]: ['gnutls_deinit', 'gnutls_record_recv', 'gnutls_record_send'],
    },
  },
  {
    stack: 'nss',
    curl: library('libcurl-nss.so.4'),
    files: {
      [library('libnspr4.so')]: ['PR_Close', 'PR_Recv', 'PR_Send'],
      [library('libssl3.so')]: ['SSL_ImportFD'],
    },
  },
];

/** Arguments: port, file of the authority, requests over one connection. */
const PYTHON_CLIENT = `
import http.client, ssl, sys
port, ca, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
connection = http.client.HTTPSConnection('localhost', port, context=ssl.create_default_context(cafile=ca))
for number in range(count):
    connection.request('POST', '/v1/messages', b'abc' * 20000)
    connection.getresponse().read()
connection.close()
`;

/** A prime: a double or a loss cannot hide in a round number. */
const REQUESTS = 23;

describe('TLS libraries', function () {
  this.timeout(60_000);
  let folder: string;
  let server: TappedServer;

  before(function () {
    requireKernel(this);
    folder = mkdtempSync(join(tmpdir(), 'sightline-stacks-'));
  });
  beforeEach(async () => {
    server = await startTappedServer({ answerBytes: 40_000 });
  });
  afterEach(() => server?.stop());
  after(() => {
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  function build(curl: string): string {
    const source = fileURLToPath(new URL('./curl-client.c', import.meta.url));
    const program = join(folder, 'curl-client');
    execFileSync('gcc', ['-O2', '-Wall', '-Werror', '-o', program, source, curl]);
    return program;
  }

  for (const { stack, curl, files } of CASES) {
    for (const probeLinks of ['auto', 'single'] as const) {
      it(`${stack}: ${REQUESTS} requests of libcurl, links: ${probeLinks}`, async function () {
        if (![curl, ...Object.keys(files)].every((path) => existsSync(path))) {
          skipWithout(this, [curl, ...Object.keys(files)].join(', '));
        }
        const session = openSession({ ringBytes: 16 * 1024 * 1024, probeLinks });
        try {
          for (const [path, expected] of Object.entries(files)) {
            const probed = attachLocated(session, path, stack);
            assert.deepEqual(
              expected.filter((name) => !probed.includes(name)),
              [],
            );
          }
          const url = `https://localhost:${server.port}/v1/messages`;
          const ca = server.certificate.caPath;
          await runProgram(session, build(curl), [url, ca, String(REQUESTS), '70001']);
          closeSession(session);
          assert.equal(server.requests(), REQUESTS);
          assertSame(session, server, stack);
          assert.equal(session.events.filter(({ type }) => type === 'close').length, 1);
        } finally {
          session.capture.close();
        }
      });
    }
  }

  for (const how of ['located', 'plain'] as const) {
    it(`openssl: ${REQUESTS} requests of Python, probes: ${how}`, async function () {
      if (!existsSync('/usr/bin/python3') || !existsSync(library('libssl.so.3'))) {
        skipWithout(this, 'python3 and libssl3');
      }
      const session = openSession({ ringBytes: 16 * 1024 * 1024 });
      try {
        if (how === 'located') {
          attachLocated(session, library('libssl.so.3'), 'openssl');
        } else {
          attachTo(session, library('libssl.so.3'));
        }
        const { caPath } = server.certificate;
        await runProgram(session, '/usr/bin/python3', [
          '-c',
          PYTHON_CLIENT,
          String(server.port),
          caPath,
          String(REQUESTS),
        ]);
        closeSession(session);
        assert.equal(server.requests(), REQUESTS);
        assertSame(session, server, 'openssl');
      } finally {
        session.capture.close();
      }
    });
  }

  it('gnutls: wget', async function () {
    if (!existsSync('/usr/bin/wget') || !existsSync(library('libgnutls.so.30'))) {
      skipWithout(this, 'wget and GnuTLS');
    }
    const session = openSession();
    try {
      attachLocated(session, library('libgnutls.so.30'), 'gnutls');
      await runProgram(session, '/usr/bin/wget', [
        '-q',
        `--ca-certificate=${server.certificate.caPath}`,
        '--post-data=question',
        '-O',
        '/dev/null',
        `https://localhost:${server.port}/`,
      ]);
      closeSession(session);
      assertSame(session, server, 'gnutls');
    } finally {
      session.capture.close();
    }
  });
});
