/**
 * What developers' tools download over TLS is no model call: `git clone` (GnuTLS) and `npm install` (OpenSSL in Node) are
 * left out by the kernel once judged. A recording holds what was copied, and what was left out.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readRecording } from '../../../src/index.ts';
import { type HttpsServer, startHttpsServer } from '../../support/https-server.ts';
import { requireKernel, skipWithout } from '../../support/kernel-guard.ts';
import { startSightline } from '../../support/sightline.ts';

const MIB = 1024 * 1024;
const BYTES = 40 * MIB;
/** What may be copied before the verdict arrives: what is under way on a fast loopback of a busy machine. */
const COPIED_MAX = BYTES / 4;
const run = promisify(execFile);

describe('packages and repositories over TLS', function () {
  this.timeout(120_000);
  let folder: string;
  let server: HttpsServer;
  let base: string;

  before(async function () {
    requireKernel(this);
    if (!existsSync('/usr/bin/git')) {
      skipWithout(this, 'git');
    }
    folder = mkdtempSync(join(tmpdir(), 'sightline-packages-'));
    server = await startHttpsServer((request, response) => {
      const path = join(folder, 'served', decodeURIComponent((request.url ?? '').split('?')[0]!));
      if (!existsSync(path) || !statSync(path).isFile()) {
        response.writeHead(404).end();
        return;
      }
      const isJson = path.endsWith('package');
      response.writeHead(200, {
        'content-type': isJson ? 'application/json' : 'application/octet-stream',
        'content-length': statSync(path).size,
      });
      createReadStream(path).pipe(response);
    });
    base = `https://localhost:${server.port}`;
    await makeRepository();
    await makePackage();
  });

  after(async () => {
    await server?.stop();
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  /** Served as files: what git calls the dumb protocol. */
  async function makeRepository(): Promise<void> {
    const work = join(folder, 'work');
    const bare = join(folder, 'served', 'big.git');
    mkdirSync(work);
    writeFileSync(join(work, 'blob'), randomBytes(BYTES));
    const author = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.test'];
    await run('git', ['-C', work, 'init', '-q']);
    await run('git', ['-C', work, 'add', '.']);
    await run('git', ['-C', work, ...author, 'commit', '-q', '-m', 'A large file']);
    await run('git', ['clone', '-q', '--bare', work, bare]);
    await run('git', ['-C', bare, 'repack', '-q', '-a', '-d']);
    await run('git', ['-C', bare, 'update-server-info']);
  }

  async function makePackage(): Promise<void> {
    const work = join(folder, 'big-package');
    mkdirSync(work);
    writeFileSync(join(work, 'blob'), randomBytes(BYTES));
    const manifest = { name: 'big-package', version: '1.0.0' };
    writeFileSync(join(work, 'package.json'), JSON.stringify(manifest));
    await run('npm', ['pack', '--silent', '--pack-destination', join(folder, 'served')], {
      cwd: work,
    });
    const tarball = `${base}/big-package-1.0.0.tgz`;
    const versions = { '1.0.0': { ...manifest, dist: { tarball } } };
    writeFileSync(
      join(folder, 'served', 'big-package'),
      JSON.stringify({ name: 'big-package', 'dist-tags': { latest: '1.0.0' }, versions }),
    );
  }

  /** What was copied and left out of connections on which something was read while `work` ran. */
  async function recordWhile(work: () => Promise<unknown>) {
    const recording = join(folder, 'run.slrec');
    const sightline = await startSightline({ command: 'record', args: ['-o', recording] });
    try {
      await work();
      await sightline.stop();
    } finally {
      sightline.discard();
    }
    const sums = { copied: 0, skipped: 0, lost: 0 };
    await readRecording({
      path: recording,
      onEvent(event) {
        if (event.type === 'data' && event.direction === 'read') {
          sums.copied += event.bytes.length;
        } else if (event.type === 'skip' && event.direction === 'read') {
          sums.skipped += event.skippedBytes;
        } else if (event.type === 'loss') {
          sums.lost += event.lostBytes;
        }
      },
    });
    rmSync(recording);
    return sums;
  }

  function assertLeftOut(sums: Awaited<ReturnType<typeof recordWhile>>): void {
    assert.ok(sums.skipped > BYTES - COPIED_MAX, `${JSON.stringify(sums)} bytes`);
    assert.ok(sums.copied < COPIED_MAX, `${JSON.stringify(sums)} bytes`);
  }

  it('are left out of git clone', async () => {
    const target = join(folder, 'clone');
    const env = { ...process.env, GIT_SSL_CAINFO: server.caPath };
    const sums = await recordWhile(() =>
      run('git', ['clone', '-q', `${base}/big.git`, target], { env }),
    );
    assert.equal(statSync(join(target, 'blob')).size, BYTES);
    assertLeftOut(sums);
  });

  it('are left out of npm install', async () => {
    const target = join(folder, 'install');
    mkdirSync(target);
    const cache = join(folder, 'npm-cache');
    const flags = ['--registry', base, '--cafile', server.caPath, '--cache', cache];
    const sums = await recordWhile(() =>
      run('npm', ['install', '--silent', '--no-audit', ...flags, 'big-package'], { cwd: target }),
    );
    const installed = join(target, 'node_modules', 'big-package');
    assert.equal(readFileSync(join(installed, 'blob')).length, BYTES);
    assertLeftOut(sums);
  });
});
