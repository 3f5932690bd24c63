/** Whom each connection of a real program is with, as its server knows it, on every stack and both IP versions. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  ConnectionRef,
  HandshakeEvent,
  PeerEvent,
  ServerNameEvent,
} from '../../../src/capture/events.ts';
import { deferToAfterEach } from '../../support/after-each.ts';
import { requireKernel, skipWithout } from '../../support/kernel-guard.ts';
import { closeSession, dataOf, openSession, type Session } from '../native/harness.ts';
import { runProgram } from '../stacks/stack-run.ts';
import { startTappedServer } from '../stacks/tapped-server.ts';
import { attachCase, CLIENT_CASES } from './clients.ts';

/** A prime: a double or a loss cannot hide in a round number. */
const CONNECTIONS = 7;

function keyOf({ process, object, generation }: ConnectionRef): string {
  return `${process.pid} ${object} ${generation}`;
}

/** Every connection with data has one peer, which comes with or before its last bytes. */
function peersByConnection(session: Session): Map<string, PeerEvent> {
  const withData = new Set(dataOf(session).map(({ connection }) => keyOf(connection)));
  const peers = new Map<string, PeerEvent>();
  for (const event of session.events) {
    if (event.type === 'peer' && withData.has(keyOf(event.connection))) {
      assert.ok(!peers.has(keyOf(event.connection)), 'two peers of one connection');
      peers.set(keyOf(event.connection), event);
    }
  }
  assert.deepEqual([...peers.keys()].sort(), [...withData].sort());
  return peers;
}

function completedOf({ events }: Session): HandshakeEvent[] {
  return events.filter(
    (event): event is HandshakeEvent => event.type === 'handshake' && event.outcome === 'completed',
  );
}

/** One completed handshake of each connection, not longer than the program ran. */
function assertHandshakes(session: Session, connections: number, wallMs: number): void {
  const completed = completedOf(session);
  assert.equal(completed.length, connections);
  assert.equal(new Set(completed.map(({ connection }) => keyOf(connection))).size, connections);
  for (const { beginNs, timeNs } of completed) {
    const ms = Number(timeNs - beginNs) / 1e6;
    assert.ok(ms > 0 && ms <= wallMs, `${ms} of ${wallMs} ms`);
  }
  const withData = new Set(dataOf(session).map(({ connection }) => keyOf(connection)));
  assert.deepEqual(
    session.events.filter(
      (event) =>
        event.type === 'handshake' &&
        event.outcome !== 'completed' &&
        withData.has(keyOf(event.connection)),
    ),
    [],
  );
}

describe('peers of connections', function () {
  this.timeout(120_000);
  const defer = deferToAfterEach();
  let folder: string;

  before(function () {
    requireKernel(this);
    folder = mkdtempSync(join(tmpdir(), 'sightline-peers-'));
  });
  after(() => {
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  for (const subject of CLIENT_CASES) {
    for (const host of ['127.0.0.1', '::1']) {
      it(`${subject.name} to ${host}`, async function () {
        const server = await startTappedServer({ host });
        defer(() => server.stop());
        const { caPath } = server.certificate;
        const at = { host, port: server.port, caPath };
        const command = subject.command(folder, at, CONNECTIONS);
        if (command === undefined) {
          skipWithout(this, `a client on ${subject.stack}`);
        }
        const session = openSession({ ringBytes: 16 * 1024 * 1024 });
        defer(() => session.capture.close());
        attachCase(session, folder, subject);
        const beginMs = performance.now();
        await runProgram(session, command[0] ?? '', command.slice(1));
        const wallMs = performance.now() - beginMs;
        closeSession(session);
        assert.equal(server.requests(), CONNECTIONS);
        const peers = [...peersByConnection(session).values()];
        for (const peer of peers) {
          assert.equal(peer.address, host);
          assert.equal(peer.port, server.port);
          assert.equal(peer.localAddress, host);
          assert.equal(peer.isInferred, subject.isInferred);
          assert.equal(peer.connection.stack, subject.stack);
        }
        // Go opens connections that it may exit before using.
        const connections =
          subject.stack === 'go' ? completedOf(session).length : server.clientPorts().length;
        assert.ok(connections >= peers.length);
        assertHandshakes(session, connections, wallMs);
        // The server's own knowledge tells the connections apart.
        const locals = peers.map(({ localPort }) => localPort);
        assert.equal(new Set(locals).size, locals.length);
        const unknown = locals.filter((port) => !server.clientPorts().includes(port));
        assert.deepEqual(unknown, []);
        if (subject.stack !== 'go') {
          assert.equal(peers.length, subject.connections(CONNECTIONS));
        }
      });
    }
  }

  for (const subject of CLIENT_CASES.filter(({ stack }) => stack !== 'go')) {
    it(`${subject.name}: the name of the server that it wants`, async function () {
      const server = await startTappedServer();
      defer(() => server.stop());
      const at = { host: 'localhost', port: server.port, caPath: server.certificate.caPath };
      const command = subject.command(folder, at, CONNECTIONS);
      if (command === undefined) {
        skipWithout(this, `a client on ${subject.stack}`);
      }
      const session = openSession({ ringBytes: 16 * 1024 * 1024 });
      defer(() => session.capture.close());
      attachCase(session, folder, subject);
      await runProgram(session, command[0] ?? '', command.slice(1));
      closeSession(session);
      assert.equal(server.requests(), CONNECTIONS);
      const withData = new Set(dataOf(session).map(({ connection }) => keyOf(connection)));
      const names = session.events.filter(
        (event): event is ServerNameEvent =>
          event.type === 'server-name' && withData.has(keyOf(event.connection)),
      );
      assert.equal(withData.size, subject.connections(CONNECTIONS));
      assert.deepEqual(new Set(names.map(({ connection }) => keyOf(connection))), withData);
      assert.deepEqual([...new Set(names.map(({ name }) => name))], ['localhost']);
    });
  }
});
