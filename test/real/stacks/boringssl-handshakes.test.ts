/** Handshakes of programs that carry BoringSSL without symbols: completed, refused by either side, and why. */
import assert from 'node:assert/strict';
import { createServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { HandshakeEvent } from '../../../src/capture/events.ts';
import { handshakeErrorType } from '../../../src/transport/handshake-error.ts';
import { closeSession, ended, openSession } from '../../kernel/native/harness.ts';
import { attachLocated, startProgram } from '../../kernel/stacks/stack-run.ts';
import { requireKernel, skipWithout } from '../../support/kernel-guard.ts';
import { type Certificate, makeCertificate } from '../../support/model-server/certificate.ts';
import { BORINGSSL_SUBJECTS, fetchSubject } from '../npm-subjects.ts';

const FETCH = 'await (await fetch(process.argv[1])).text()';

interface Case {
  name: string;
  server?: ServerOptions;
  trusts?: boolean;
  /** Each event's outcome and reason. */
  expected: readonly string[];
}

const CASES: readonly Case[] = [
  { name: 'is completed', trusts: true, expected: ['completed'] },
  {
    name: 'has a certificate that is not trusted',
    expected: ['unverified unable_to_verify_leaf_signature', 'completed'],
  },
  {
    name: 'has no protocol in common',
    trusts: true,
    server: { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' },
    expected: ['failed alert_protocol_version'],
  },
];

for (const subject of BORINGSSL_SUBJECTS.filter(({ program }) => program === 'bun')) {
  describe(`handshakes of ${subject.program} ${subject.version}`, function () {
    this.timeout(120_000);
    let path: string;
    let certificate: Certificate;

    before(function () {
      requireKernel(this);
      path = fetchSubject(subject) ?? skipWithout(this, subject.specification);
      certificate = makeCertificate();
    });
    after(() => certificate?.remove());

    for (const { name, server: options, trusts, expected } of CASES) {
      it(`one that ${name}: ${expected.join(', ')}`, async () => {
        const { certificatePem: cert, keyPem: key } = certificate;
        const server = createServer({ cert, key, ...options }, (_request, response) =>
          response.end('an answer'),
        );
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        const session = openSession();
        try {
          const functions = attachLocated(session, path, 'boringssl');
          assert.ok(
            functions.some((one) => one.startsWith('ERR_put_error')),
            String(functions),
          );
          assert.ok(functions.some((one) => one.startsWith('X509_verify_cert+')));
          const { port } = server.address() as AddressInfo;
          const args = ['-e', FETCH, `https://localhost:${port}/`];
          const env = trusts ? { NODE_EXTRA_CA_CERTS: certificate.caPath } : {};
          const child = startProgram(
            session,
            '/bin/sh',
            [...['-c', 'exec "$@" 2> /dev/null', 'sh', path, ...args]],
            env,
          );
          assert.equal((await ended(child)) === 0, expected[0] === 'completed');
          closeSession(session);
          const seen = session.events.filter(
            (event): event is HandshakeEvent => event.type === 'handshake',
          );
          assert.deepEqual(
            seen.map((event) =>
              event.outcome === 'completed'
                ? event.outcome
                : `${event.outcome} ${handshakeErrorType(event)}`,
            ),
            expected,
          );
          assert.ok(seen.every(({ beginNs, timeNs }) => beginNs < timeNs));
        } finally {
          session.capture.close();
          server.closeAllConnections();
          server.close();
        }
      });
    }
  });
}
