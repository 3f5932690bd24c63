/** Bun, whose BoringSSL is within the executable and has no symbols: every byte of both directions, once. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closeSession, openSession } from '../../kernel/native/harness.ts';
import { assertSame, attachLocated, runProgram } from '../../kernel/stacks/stack-run.ts';
import { startTappedServer, type TappedServer } from '../../kernel/stacks/tapped-server.ts';
import { requireKernel } from '../../support/kernel-guard.ts';

const PACKAGE = process.arch === 'arm64' ? '@oven/bun-linux-aarch64' : '@oven/bun-linux-x64';
const VERSION = '1.3.14';
const MIB = 1024 * 1024;

/** Arguments: URL, file of the authority, requests, at once. */
const CLIENT = `
const [url, ca, count, atOnce] = process.argv.slice(2);
const tls = { ca: await Bun.file(ca).text() };
const body = 'abc'.repeat(30_000);
let left = Number(count);
async function work() {
  while (left-- > 0) {
    const response = await fetch(url, { method: 'POST', body, tls });
    await response.arrayBuffer();
  }
}
await Promise.all(Array.from({ length: Number(atOnce) }, work));
process.exit(0);
`;

describe('Bun', function () {
  this.timeout(300_000);
  let folder: string;
  let bun: string;
  let server: TappedServer;

  before(function () {
    requireKernel(this);
    folder = mkdtempSync(join(tmpdir(), 'sightline-bun-'));
    const installed = process.env.SIGHTLINE_TEST_BUN;
    if (installed === undefined) {
      const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder];
      execFileSync('npm', ['install', ...flags, `${PACKAGE}@${VERSION}`], { stdio: 'ignore' });
    }
    bun = installed ?? join(folder, 'node_modules', PACKAGE, 'bin', 'bun');
    writeFileSync(join(folder, 'client.mjs'), CLIENT);
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

  for (const atOnce of [1, 7]) {
    it(`23 requests, ${atOnce} at once on one thread`, async () => {
      const session = openSession({ ringBytes: 32 * MIB });
      try {
        const probed = attachLocated(session, bun, 'boringssl');
        assert.ok(probed.includes('SSL_read') && probed.includes('SSL_write'));
        const url = `https://localhost:${server.port}/v1/messages`;
        const client = join(folder, 'client.mjs');
        const more = [url, server.certificate.caPath, '23', String(atOnce)];
        await runProgram(session, bun, [client, ...more]);
        closeSession(session);
        assert.equal(server.requests(), 23);
        assertSame(session, server, 'boringssl');
      } finally {
        session.capture.close();
      }
    });
  }
});
