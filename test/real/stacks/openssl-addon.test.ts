/** SSL_write_ex2, which Node's program has and does not call: called by an addon, every byte once. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadBinding } from '../../../src/capture/binding.ts';
import { closeSession, openSession } from '../../kernel/native/harness.ts';
import { assertExact, truthOf } from '../../kernel/stacks/call-truth.ts';
import { attachLocated, capturedConversations, runProgram } from '../../kernel/stacks/stack-run.ts';
import { requireKernel, skipWithout } from '../../support/kernel-guard.ts';
import { type Certificate, makeCertificate } from '../../support/model-server/certificate.ts';
import { addStackRow, placementOf } from '../../support/stack-rows.ts';
import { fetchSubject, NODE_SUBJECTS } from '../npm-subjects.ts';

const SOURCE = fileURLToPath(new URL('./clients/openssl-addon.c', import.meta.url));
const HEADERS = fileURLToPath(new URL('../../kernel/stacks/calls', import.meta.url));
const MIB = 1024 * 1024;

describe('an addon on the OpenSSL in Node', function () {
  this.timeout(300_000);
  let folder: string;
  let certificate: Certificate;

  before(function () {
    requireKernel(this);
    if (!existsSync('/usr/include/openssl/ssl.h')) {
      skipWithout(this, 'the headers of OpenSSL');
    }
    folder = mkdtempSync(join(tmpdir(), 'sightline-addon-'));
    certificate = makeCertificate();
    writeFileSync(join(folder, 'certificate.pem'), certificate.certificatePem);
    writeFileSync(join(folder, 'key.pem'), certificate.keyPem, { mode: 0o600 });
    // Nothing of OpenSSL is linked to it: Node's program has it all.
    const flags = ['-O2', '-Wall', '-Werror', '-shared', '-fPIC', '-I', HEADERS];
    execFileSync('gcc', [...flags, '-o', join(folder, 'addon.node'), SOURCE]);
  });
  after(() => {
    certificate?.remove();
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  for (const subject of NODE_SUBJECTS.filter(({ version }) => Number.parseInt(version, 10) >= 22)) {
    it(`Node ${subject.version}: SSL_write_ex2, whole, refused and in parts`, async function () {
      const node = fetchSubject(subject);
      if (node === undefined) {
        skipWithout(this, `Node ${subject.version} from npm`);
      }
      const at = join(folder, `truth-${subject.version}`);
      mkdirSync(at);
      const session = openSession({ ringBytes: 32 * MIB });
      try {
        const probed = attachLocated(session, node, 'openssl');
        assert.ok(probed.includes('SSL_write_ex2'));
        const addon = JSON.stringify(join(folder, 'addon.node'));
        await runProgram(session, node, ['-e', `process.dlopen(module, ${addon})`], {
          TRUTH: at,
          CERTIFICATE: join(folder, 'certificate.pem'),
          KEY: join(folder, 'key.pem'),
        });
        closeSession(session);
        const truth = truthOf(at);
        assert.equal(truth.size, 6);
        assertExact(truth.values(), capturedConversations(session, 'openssl'), session);
        const located = loadBinding()
          .locateSync(node)
          .stacks.filter(({ stack }) => stack === 'openssl');
        const bytesOf = (key: 'received' | 'sent'): number =>
          [...truth.values()].reduce((sum, one) => sum + one[key].length, 0);
        addStackRow({
          stack: 'openssl',
          program: 'an addon of Node that calls SSL_write_ex2',
          version: subject.version,
          locatedBy: [...new Set(located.map(({ locatedBy }) => locatedBy))].join(', '),
          placement: placementOf(located, probed),
          connections: truth.size,
          writtenBytes: bytesOf('received'),
          readBytes: bytesOf('sent'),
          exact: 'every byte of every connection',
          notes: 'both sides of 3 connections, over memory; compared with its own record',
        });
      } finally {
        session.capture.close();
      }
    });
  }
});
