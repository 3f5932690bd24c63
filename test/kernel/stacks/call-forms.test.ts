/** Every call that carries plaintext, and objects that must not be mixed: exact to the byte, by connection. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TlsStack } from '../../../src/capture/events.ts';
import { requireKernel, skipWithout } from '../../support/kernel-guard.ts';
import { type Certificate, makeCertificate } from '../../support/model-server/certificate.ts';
import { closeSession, openSession, type Session } from '../native/harness.ts';
import { assertExact, truthOf } from './call-truth.ts';
import { attachLocated, capturedConversations, runProgram } from './stack-run.ts';
import { type Conversation, startTappedServer } from './tapped-server.ts';

const FOLDER = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
const SOURCES = fileURLToPath(new URL('./calls', import.meta.url));
const MIB = 1024 * 1024;

const library = (name: string): string => `/usr/lib/${FOLDER}/${name}`;

interface Program {
  stack: TlsStack;
  source: string;
  header: string;
  flags: string[];
  files: string[];
}

const OPENSSL: Program = {
  stack: 'openssl',
  source: 'openssl-calls',
  header: '/usr/include/openssl/ssl.h',
  flags: ['-lssl', '-lcrypto'],
  files: [library('libssl.so.3')],
};
const GNUTLS: Program = {
  stack: 'gnutls',
  source: 'gnutls-calls',
  header: '/usr/include/gnutls/gnutls.h',
  flags: ['-lgnutls'],
  files: [library('libgnutls.so.30')],
};
const NSS: Program = {
  stack: 'nss',
  source: 'nss-calls',
  header: '/usr/include/nss/ssl.h',
  flags: ['-I/usr/include/nspr', '-I/usr/include/nss', '-lnss3', '-lssl3', '-lnspr4'],
  files: [library('libnspr4.so'), library('libssl3.so')],
};

describe('calls of TLS libraries', function () {
  this.timeout(60_000);
  let folder: string;
  let certificate: Certificate;

  before(function () {
    requireKernel(this);
    folder = mkdtempSync(join(tmpdir(), 'sightline-calls-'));
    certificate = makeCertificate();
    writeFileSync(join(folder, 'certificate.pem'), certificate.certificatePem);
    writeFileSync(join(folder, 'key.pem'), certificate.keyPem, { mode: 0o600 });
  });
  after(() => {
    certificate?.remove();
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  function build({ source, header, flags }: Program): string | undefined {
    if (!existsSync(header)) {
      return undefined;
    }
    const program = join(folder, source);
    if (!existsSync(program)) {
      const more = ['-O2', '-Wall', '-Werror', '-o', program, join(SOURCES, `${source}.c`)];
      execFileSync('gcc', [...more, ...flags]);
    }
    return program;
  }

  /** What the program says that it wrote and read, and what was seen of it, both in one order. */
  async function run(
    context: Mocha.Context,
    program: Program,
    args: (at: string) => string[],
  ): Promise<{ truth: Map<string, Conversation>; seen: Conversation[]; session: Session }> {
    const command = build(program);
    if (command === undefined || !program.files.every((path) => existsSync(path))) {
      skipWithout(context, `a C compiler, ${program.files.join(', ')} and their headers`);
    }
    const at = join(folder, `truth-${Date.now()}`);
    mkdirSync(at);
    const session = openSession({ ringBytes: 64 * MIB });
    try {
      for (const path of program.files) {
        attachLocated(session, path, program.stack);
      }
      await runProgram(session, command, args(at));
      closeSession(session);
      return { truth: truthOf(at), seen: capturedConversations(session, program.stack), session };
    } finally {
      session.capture.close();
      rmSync(at, { recursive: true, force: true });
    }
  }

  const cases: [Program, string, string][] = [
    [OPENSSL, 'forms', 'plain and _ex forms, and what is only peeked at'],
    [OPENSSL, 'early', 'early data of both sides'],
    [OPENSSL, 'mixed', 'four connections, eight objects on one thread'],
    [OPENSSL, 'reused', 'objects that are freed and come again at the same address'],
    [OPENSSL, 'cleared', 'objects that are cleared for another connection'],
    [OPENSSL, 'callbacks', 'writes within reading the same object, and reads within writing it'],
    [GNUTLS, 'forms', 'send2, send_range, recv_seq and recv_packet'],
    [GNUTLS, 'corked', 'corked sends, once'],
    [GNUTLS, 'early', 'early data'],
    [GNUTLS, 'mixed', 'four connections, eight objects on one thread'],
    [GNUTLS, 'reused', 'objects that are freed and come again at the same address'],
    [GNUTLS, 'nested', 'a connection within another'],
    [GNUTLS, 'callbacks', 'writes within reading the same object, and reads within writing it'],
  ];
  for (const [program, what, title] of cases) {
    it(`${program.stack}: ${title}`, async function () {
      const { truth, seen, session } = await run(this, program, (at) => [
        at,
        join(folder, 'certificate.pem'),
        join(folder, 'key.pem'),
        what,
      ]);
      assertExact(truth.values(), seen, session);
    });
  }

  it('openssl: a connection within another', async function () {
    const { truth, seen, session } = await run(this, OPENSSL, (at) => [
      at,
      join(folder, 'certificate.pem'),
      join(folder, 'key.pem'),
      'nested',
    ]);
    const inner = [...truth].filter(([name]) => name.startsWith('inner'));
    const isInner = (one: Conversation): boolean =>
      inner.some(([, { received }]) => received.equals(one.received));
    assertExact(
      inner.map(([, conversation]) => conversation),
      seen.filter(isInner),
      session,
    );
    // The records of the inner connection follow what the program itself sent through the outer one.
    const outer = seen.filter((one) => !isInner(one));
    assert.equal(outer.length, 2);
    assert.ok(outer[0]?.received.equals(outer[1]?.sent ?? Buffer.alloc(0)));
    assert.ok(outer[0]?.sent.equals(outer[1]?.received ?? Buffer.alloc(0)));
    for (const [, { received, sent }] of [...truth].filter(([name]) => !name.startsWith('inner'))) {
      const found = outer.find((one) => one.received.subarray(0, received.length).equals(received));
      assert.ok(found?.sent.subarray(0, sent.length).equals(sent));
      assert.equal(found?.received[received.length], 0x16);
    }
  });

  it('nss: every call, four connections on one thread, descriptors used again, and none of plain ones', async function () {
    const server = await startTappedServer({ answerBytes: 20_000 });
    try {
      const { truth, seen, session } = await run(this, NSS, (at) => [at, String(server.port), '4']);
      assert.equal(truth.size, 8);
      assertExact(truth.values(), seen, session);
      assert.equal(session.events.filter(({ type }) => type === 'close').length, 8);
    } finally {
      await server.stop();
    }
  });
});
