/** Go programs with their own TLS: goroutines on changing threads and moving stacks, every byte once. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadBinding } from '../../../src/capture/binding.ts';
import { requireKernel, skipWithout } from '../../support/kernel-guard.ts';
import { closeSession, dataOf, lossesOf, openSession } from '../native/harness.ts';
import { assertSame, attachLocated, runProgram } from './stack-run.ts';
import { startTappedServer, type TappedServer } from './tapped-server.ts';

const SOURCE = fileURLToPath(new URL('./go-client', import.meta.url));
const FUNCTIONS = [
  'crypto/tls.(*Conn).Close',
  'crypto/tls.(*Conn).Read',
  'crypto/tls.(*Conn).Write',
  'crypto/tls.(*Conn).clientHandshake',
  'crypto/tls.(*Conn).sendAlert',
  'crypto/tls.hostnameInSNI',
];
/** Newer linkers leave it out of a program that is only a client. */
const SERVER_SIDE = 'crypto/tls.(*Conn).serverHandshake';
/** A prime: a double or a loss cannot hide in a round number. */
const REQUESTS = 23;
const MIB = 1024 * 1024;

describe('Go', function () {
  this.timeout(120_000);
  let folder: string;
  let server: TappedServer;

  before(function () {
    requireKernel(this);
    if (spawnSync('go', ['version']).status !== 0) {
      skipWithout(this, 'Go');
    }
    folder = mkdtempSync(join(tmpdir(), 'sightline-go-'));
    build('with-symbols');
    build('stripped', '-ldflags', '-s -w');
    build('movable', '-buildmode=pie', '-ldflags', '-s -w');
  });
  beforeEach(async () => {
    server = await startTappedServer({ answerBytes: 30_000 });
  });
  afterEach(() => server?.stop());
  after(() => {
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  /** Read and Write hand over before their returns, which would be single-stepped. */
  function hasEarlyResults(path: string): boolean {
    const functions = loadBinding().locateSync(path).stacks[0]?.functions ?? [];
    return (
      process.arch !== 'x64' ||
      functions.slice(0, 2).every(({ results }) => results.some(({ covers }) => covers.length > 0))
    );
  }

  function build(name: string, ...flags: string[]): void {
    execFileSync('go', ['build', ...flags, '-o', join(folder, name), '.'], {
      cwd: SOURCE,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, CGO_ENABLED: '0' },
    });
  }

  for (const name of ['with-symbols', 'stripped', 'movable']) {
    for (const parallel of [1, REQUESTS]) {
      it(`${name}: ${REQUESTS} requests, ${parallel} at once`, async () => {
        const session = openSession({ ringBytes: 16 * MIB });
        try {
          const path = join(folder, name);
          const attached = attachLocated(session, path, 'go');
          assert.ok(hasEarlyResults(path), 'results are probed at return instructions alone');
          assert.deepEqual(
            attached.filter((one) => one !== SERVER_SIDE),
            FUNCTIONS,
          );
          const url = `https://localhost:${server.port}/v1/messages`;
          const more = [server.certificate.caPath, String(REQUESTS), String(parallel), '40001'];
          await runProgram(session, path, ['http', url, ...more], { GOMAXPROCS: '8' });
          closeSession(session);
          assert.equal(server.requests(), REQUESTS);
          assertSame(session, server, 'go');
          // Some are opened for a request that another one, which became free, has taken.
          const closes = session.events.filter(
            (event) => event.type === 'close' && event.writePosition > 0,
          );
          assert.equal(closes.length, server.conversations().length);
          const names = session.events.filter((event) => event.type === 'server-name');
          assert.ok(names.length >= closes.length);
          assert.ok(names.every(({ name: server }) => server === 'localhost'));
          assert.equal(new Set(names.map((event) => event.connection.object)).size, names.length);
          if (parallel > 1) {
            // Otherwise this proves nothing of goroutines that go on elsewhere.
            assert.ok(new Set(dataOf(session).map(({ tid }) => tid)).size > 1);
          }
        } finally {
          session.capture.close();
        }
      });
    }
  }

  it('many goroutines, thousands of calls', async () => {
    const session = openSession({ ringBytes: 64 * MIB });
    try {
      const path = join(folder, 'stripped');
      attachLocated(session, path, 'go');
      const url = `https://localhost:${server.port}/v1/messages`;
      const more = [server.certificate.caPath, '307', '61', '9001'];
      await runProgram(session, path, ['http', url, ...more], { GOMAXPROCS: '8' });
      closeSession(session);
      assert.equal(server.requests(), 307);
      assertSame(session, server, 'go');
    } finally {
      session.capture.close();
    }
  });

  it('a buffer on a stack that moves while it is read into', async () => {
    const session = openSession();
    try {
      const path = join(folder, 'with-symbols');
      attachLocated(session, path, 'go');
      const address = `localhost:${server.port}`;
      for (let i = 0; i < 5; i++) {
        await runProgram(session, path, ['stack', address, server.certificate.caPath]);
      }
      closeSession(session);
      assertSame(session, server, 'go');
    } finally {
      session.capture.close();
    }
  });

  it('a write within a read of the same connection', async () => {
    const session = openSession();
    try {
      const path = join(folder, 'with-symbols');
      attachLocated(session, path, 'go');
      const address = `localhost:${server.port}`;
      await runProgram(session, path, ['answer', address, server.certificate.caPath]);
      closeSession(session);
      assertSame(session, server, 'go');
    } finally {
      session.capture.close();
    }
  });

  it('a read that gave way to others: what it carried is named as lost, in its place', async () => {
    const session = openSession({ ringBytes: 64 * MIB });
    try {
      const path = join(folder, 'with-symbols');
      attachLocated(session, path, 'go');
      const address = `localhost:${server.port}`;
      await runProgram(session, path, ['crowd', address, server.certificate.caPath]);
      closeSession(session);
      const [loss, ...more] = lossesOf(session);
      assert.ok(loss);
      assert.deepEqual(more, []);
      assert.equal(loss.direction, 'read');
      assert.equal(loss.reason, 'orphan');
      assert.equal(loss.position, 0);
      assert.ok(loss.lostBytes > 0 && loss.lostBytes <= 700);
      const read = dataOf(session).filter(({ direction }) => direction === 'read');
      assert.deepEqual(read[0]?.connection, loss.connection);
      assert.equal(read[0]?.position, loss.lostBytes);
      const sent = server.conversations()[0]?.sent ?? Buffer.alloc(0);
      assert.deepEqual(
        Buffer.concat(read.map(({ bytes }) => Buffer.from(bytes))),
        sent.subarray(loss.lostBytes),
      );
    } finally {
      session.capture.close();
    }
  });

  it('arguments on the stack, as before Go 1.17', async () => {
    const session = openSession();
    try {
      const path = join(folder, 'with-symbols');
      session.capture.attach({
        stack: 'go',
        convention: 'go-stack',
        path,
        ...placesOf(path, { Read: 'stackRead', Write: 'stackWrite', Close: 'stackClose' }),
      });
      await runProgram(session, path, ['words', String(REQUESTS)]);
      closeSession(session);
      const expected = Array.from({ length: REQUESTS }, (_, i) => [
        ['write', String.fromCharCode(65 + ((i + 1) % 26)).repeat((i + 1) * 10)],
        ['read', String.fromCharCode(97 + ((i + 1) % 26)).repeat((i + 1) * 7)],
      ]).flat();
      assert.deepEqual(
        dataOf(session).map(({ direction, bytes }) => [
          direction,
          Buffer.from(bytes).toString('latin1'),
        ]),
        expected,
      );
      assert.equal(session.events.filter(({ type }) => type === 'close').length, 1);
    } finally {
      session.capture.close();
    }
  });

  it('refuses to probe returns that are not named', () => {
    const session = openSession();
    try {
      const path = join(folder, 'with-symbols');
      const attach = (convention?: 'go-register'): void => {
        session.capture.attach({
          stack: 'go',
          path,
          offsets: { 'crypto/tls.(*Conn).Read': 4096 },
          ...(convention && { convention }),
        });
      };
      assert.throws(() => attach('go-register'), { code: 'SL_ATTACH_FUNCTION' });
      assert.throws(() => attach(), { code: 'SL_ATTACH_FUNCTION' });
    } finally {
      session.capture.close();
    }
  });
});

/** Offsets of assembly functions and their returns, under the names of the functions that they stand for. */
function placesOf(
  path: string,
  names: Record<string, string>,
): { offsets: Record<string, number>; returns: Record<string, number[]> } {
  const offsets: Record<string, number> = {};
  const returns: Record<string, number[]> = {};
  for (const [method, name] of Object.entries(names)) {
    const symbol = `main.${name}.abi0`;
    const start = loadBinding().locateSymbols(path, [symbol]).offsets[symbol];
    assert.ok(start !== undefined, symbol);
    const code = execFileSync('objdump', ['-d', `--disassemble=${symbol}`, path], {
      encoding: 'utf8',
    });
    const lines = [...code.matchAll(/^\s*([0-9a-f]+):.*\t(\w+)/gm)];
    const first = Number.parseInt(lines[0]?.[1] ?? '', 16);
    offsets[`crypto/tls.(*Conn).${method}`] = start;
    returns[`crypto/tls.(*Conn).${method}`] = lines
      .filter(([, , instruction]) => instruction === 'ret')
      .map(([, at]) => start + Number.parseInt(at ?? '', 16) - first);
  }
  return { offsets, returns };
}
