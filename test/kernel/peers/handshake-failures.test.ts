/** Handshakes that fail, each told as a log record, a point of the metric and a line, with the library's reason. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { requireKernel, skipWithout } from '../../support/kernel-guard.ts';
import { type Certificate, makeCertificate } from '../../support/model-server/certificate.ts';
import { type FlatLog, type OtlpContent, readOtlpFile } from '../../support/otlp-file.ts';
import { type FinishedSightline, startSightline } from '../../support/sightline.ts';
import { run } from '../capture/live-harness.ts';

const PYTHON = 'import ssl, sys, urllib.request\nurllib.request.urlopen(sys.argv[1])';
const NODE =
  "require('node:https').get(process.argv[1], (r) => r.resume()).on('error', () => process.exit(1))";
const CIPHER = 'ECDHE-ECDSA-AES256-GCM-SHA384';
const OTHER_CIPHER = 'ECDHE-ECDSA-AES128-GCM-SHA256';

interface Failure {
  name: string;
  command: string;
  args: string[];
  server: ServerOptions;
  /** Of the client; what the stack is called. */
  reason: string;
  stack: string;
}

const curl = (...args: string[]) => ({ command: '/usr/bin/curl', args: ['-s', ...args] });
const FAILURES: readonly Failure[] = [
  {
    name: 'curl refuses a certificate',
    ...curl(),
    server: {},
    reason: 'unable_to_get_issuer_cert_locally',
    stack: 'openssl',
  },
  {
    name: 'Python refuses a certificate',
    command: '/usr/bin/python3',
    args: ['-c', PYTHON],
    server: {},
    reason: 'unable_to_get_issuer_cert_locally',
    stack: 'openssl',
  },
  {
    name: 'Node refuses a certificate',
    command: process.execPath,
    args: ['-e', NODE],
    server: {},
    reason: 'unable_to_verify_leaf_signature',
    stack: 'openssl',
  },
  {
    name: 'wget refuses a certificate',
    command: '/usr/bin/wget',
    args: ['-q', '-O', '/dev/null'],
    server: {},
    reason: 'signer_not_found',
    stack: 'gnutls',
  },
  {
    name: 'no protocol in common',
    ...curl('-k', '--tls-max', '1.2'),
    server: { minVersion: 'TLSv1.3' },
    reason: 'alert_protocol_version',
    stack: 'openssl',
  },
  {
    name: 'no cipher in common',
    ...curl('-k', '--tls-max', '1.2', '--ciphers', OTHER_CIPHER),
    server: { maxVersion: 'TLSv1.2', ciphers: CIPHER },
    reason: 'alert_handshake_failure',
    stack: 'openssl',
  },
];

describe('failed handshakes', function () {
  this.timeout(120_000);
  let certificate: Certificate;
  let finished: FinishedSightline;
  let content: OtlpContent;
  const ports = new Map<string, number>();
  const pids = new Map<string, number>();

  before(async function () {
    requireKernel(this);
    certificate = makeCertificate();
    const sightline = await startSightline({ env: { OTEL_TRACES_EXPORTER: 'console' } });
    try {
      for (const { name, command, args, server: options } of FAILURES) {
        if (!existsSync(command)) {
          continue;
        }
        const { certificatePem: cert, keyPem: key } = certificate;
        const server = createServer({ cert, key, ...options }, (_request, response) =>
          response.end('never'),
        );
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        const { port } = server.address() as AddressInfo;
        const { pid, code } = await run(command, [...args, `https://localhost:${port}/`]);
        assert.notEqual(code, 0, name);
        ports.set(name, port);
        pids.set(name, pid);
        server.close();
      }
      finished = await sightline.stop();
      content = readOtlpFile(sightline.file);
    } finally {
      sightline.discard();
    }
  });
  after(() => certificate?.remove());

  function logOf(name: string): FlatLog {
    const found = content.logs.filter(
      ({ eventName, attributes }) =>
        eventName === 'sightline.tls.handshake.failed' &&
        attributes['process.pid'] === pids.get(name),
    );
    assert.equal(found.length, 1, `${found.length} records`);
    return found[0] as FlatLog;
  }

  for (const { name, reason, stack } of FAILURES) {
    it(`${name}: ${reason}`, function () {
      const port = ports.get(name);
      if (port === undefined) {
        skipWithout(this, `a client on ${stack}`);
      }
      const { attributes, severityNumber } = logOf(name);
      assert.equal(severityNumber, 17);
      assert.equal(attributes['error.type'], reason);
      assert.equal(attributes['sightline.tls.stack'], stack);
      assert.equal(attributes['sightline.tls.side'], 'client');
      assert.equal(attributes['server.address'], 'localhost');
      const seconds = Number(attributes['sightline.tls.handshake.duration']);
      assert.ok(seconds > 0 && seconds < 10, `${seconds} s`);
      if (attributes['network.peer.port'] !== undefined) {
        assert.equal(attributes['network.peer.port'], port);
        assert.equal(attributes['network.peer.address'], '127.0.0.1');
      }
      const points = content.points.filter(
        (point) =>
          point.metric === 'sightline.tls.handshake.duration' &&
          point.attributes['error.type'] === reason &&
          point.attributes['sightline.tls.stack'] === stack,
      );
      assert.ok(points.some(({ histogram }) => (histogram?.count ?? 0) > 0));
      assert.match(finished.stdout + finished.stderr, new RegExp(`failed: ${reason}`));
    });
  }
});
