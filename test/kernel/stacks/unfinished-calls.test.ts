/** Real programs that are killed within a TLS call: what they were writing is marked, what they waited for is not. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import type { TlsStack } from '../../../src/capture/events.ts';
import { requireKernel, skipWithout } from '../../support/kernel-guard.ts';
import { type Certificate, makeCertificate } from '../../support/model-server/certificate.ts';
import { closeSession, dataOf, ended, lossesOf, openSession } from '../native/harness.ts';
import { attachLocated, startProgram } from './stack-run.ts';

const FOLDER = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
const LIBSSL = `/usr/lib/${FOLDER}/libssl.so.3`;
const GO_CLIENT = fileURLToPath(new URL('./go-client', import.meta.url));
/** What the clients write before the call that does not return. */
const GREETING_BYTES = 100;
const PYTHON_CLIENT = `
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
address = ("127.0.0.1", int(sys.argv[1].split(":")[1]))
connection = context.wrap_socket(socket.create_connection(address), server_hostname="localhost")
connection.sendall(b"a" * ${GREETING_BYTES})
if sys.argv[3] == "write":
    # More than sockets keep.
    connection.sendall(b"b" * (64 << 20))
else:
    connection.recv(1)
`;

interface Client {
  stack: TlsStack;
  prepare(): { command: string; args: string[]; file: string } | undefined;
}

describe('programs that are killed within a TLS call', function () {
  this.timeout(120_000);
  let folder: string;
  let certificate: Certificate;
  let server: Server;
  const sockets: TLSSocket[] = [];

  const clients: Client[] = [
    {
      stack: 'openssl',
      prepare: () =>
        existsSync('/usr/bin/python3') && existsSync(LIBSSL)
          ? { command: '/usr/bin/python3', args: ['-c', PYTHON_CLIENT], file: LIBSSL }
          : undefined,
    },
    {
      stack: 'go',
      prepare: () => {
        const command = join(folder, 'go-client');
        try {
          execFileSync('go', ['build', '-o', command, '.'], {
            cwd: GO_CLIENT,
            stdio: ['ignore', 'ignore', 'pipe'],
            env: { ...process.env, CGO_ENABLED: '0' },
          });
        } catch {
          return undefined;
        }
        return { command, args: ['last'], file: command };
      },
    },
  ];

  before(async function () {
    requireKernel(this);
    folder = mkdtempSync(join(tmpdir(), 'sightline-unfinished-'));
    certificate = makeCertificate();
    // Nothing is read: it becomes full.
    server = createServer(
      { cert: certificate.certificatePem, key: certificate.keyPem },
      (socket) => {
        socket.on('error', () => undefined).pause();
        sockets.push(socket);
      },
    );
    await new Promise<void>((done) => {
      server.listen(0, '127.0.0.1', done);
    });
  });
  after(() => {
    for (const socket of sockets) {
      socket.destroy();
    }
    server?.close();
    certificate?.remove();
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  for (const { stack, prepare } of clients) {
    for (const [call, lost] of [
      ['write', [GREETING_BYTES, 0, 'orphan', 'write']],
      ['read', undefined],
    ] as const) {
      it(`${stack}: a ${call} that has not returned is ${lost ? '' : 'not '}marked`, async function () {
        const client = prepare();
        if (client === undefined) {
          skipWithout(this, `a client on ${stack}`);
        }
        const session = openSession();
        try {
          attachLocated(session, client.file, stack);
          const address = `localhost:${(server.address() as AddressInfo).port}`;
          const args = [...client.args, address, certificate.caPath, call];
          const child = startProgram(session, client.command, args);
          while (dataOf(session).length === 0 && child.exitCode === null) {
            await delay(10);
          }
          // It has to be in its next call, and that to have no more room.
          await delay(500);
          assert.equal(child.exitCode, null);
          child.kill('SIGKILL');
          await ended(child);
          closeSession(session);
          assert.equal(
            dataOf(session).reduce((sum, { bytes }) => sum + bytes.length, 0),
            GREETING_BYTES,
          );
          assert.deepEqual(
            lossesOf(session).map(({ position, lostBytes, reason, direction }) => [
              position,
              lostBytes,
              reason,
              direction,
            ]),
            lost === undefined ? [] : [lost],
          );
          assert.equal(session.capture.counters().drops.orphan, lost === undefined ? 0 : 1);
          assert.equal(session.events.at(-1)?.type, 'exit');
        } finally {
          session.capture.close();
        }
      });
    }
  }
});
