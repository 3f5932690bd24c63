/** A program on rustls, without symbols: connections told apart and put together, every byte once. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadBinding } from '../../../src/capture/binding.ts';
import { closeSession, openSession } from '../../kernel/native/harness.ts';
import { assertSame, attachLocated, runProgram } from '../../kernel/stacks/stack-run.ts';
import { startTappedServer, type TappedServer } from '../../kernel/stacks/tapped-server.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { addStackRow, placementOf } from '../../support/stack-rows.ts';

const SOURCE = fileURLToPath(new URL('./rustls-client', import.meta.url));
const MIB = 1024 * 1024;

function lockedVersion(name: string): string {
  const lock = readFileSync(join(SOURCE, 'Cargo.lock'), 'utf8');
  return new RegExp(`name = "${name}"\\nversion = "([^"]+)"`).exec(lock)?.[1] ?? '';
}

describe('rustls', function () {
  this.timeout(600_000);
  let folder: string;
  let program: string;
  let server: TappedServer;

  before(function () {
    requireKernel(this);
    if (spawnSync('cargo', ['--version']).status !== 0) {
      this.skip();
    }
    folder = mkdtempSync(join(tmpdir(), 'sightline-rustls-'));
    const target = process.env.SIGHTLINE_TEST_CARGO_TARGET ?? folder;
    if (spawnSync('cargo', ['fetch', '--locked'], { cwd: SOURCE }).status !== 0) {
      process.stderr.write('*** rustls is left out: crates.io did not give it ***\n');
      this.skip();
    }
    execFileSync('cargo', ['build', '--release', '--locked', '--offline', '--target-dir', target], {
      cwd: SOURCE,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    program = join(folder, 'stripped');
    execFileSync('strip', ['-o', program, join(target, 'release', 'rustls-client')]);
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

  for (const version of ['1.3', '1.2']) {
    for (const [rounds, connections] of [
      [1, 1],
      [23, 1],
      [3, 7],
    ] as const) {
      it(`TLS ${version}: ${rounds} times ${connections} connections on one thread`, async () => {
        const session = openSession({ ringBytes: 32 * MIB });
        try {
          const probed = attachLocated(session, program, 'rustls');
          assert.ok(probed.includes('CommonState::send_appdata_encrypt'));
          await runProgram(session, program, [
            `localhost:${server.port}`,
            server.certificate.caPath,
            String(rounds),
            String(connections),
            '100003',
            version,
          ]);
          closeSession(session);
          assert.equal(server.requests(), rounds * connections);
          assertSame(session, server, 'rustls');
          assert.equal(
            session.events.filter(({ type }) => type === 'close').length,
            rounds * connections,
          );
          const conversations = server.conversations();
          const stacks = loadBinding()
            .locateSync(program)
            .stacks.filter(({ stack }) => stack === 'rustls');
          addStackRow({
            stack: 'rustls',
            program: `a Rust program, TLS ${version}, ${connections} at once`,
            version: lockedVersion('rustls'),
            locatedBy: stacks[0]?.locatedBy ?? '',
            placement: placementOf(stacks, probed),
            connections: conversations.length,
            writtenBytes: conversations.reduce((sum, { received }) => sum + received.length, 0),
            readBytes: conversations.reduce((sum, { sent }) => sum + sent.length, 0),
            exact: 'every byte of every connection',
            notes: '',
          });
        } finally {
          session.capture.close();
        }
      });
    }
  }
});
