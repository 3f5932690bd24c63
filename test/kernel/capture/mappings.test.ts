/** Libraries that are loaded late are covered because the kernel tells of their mapping. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireKernel } from '../../support/kernel-guard.ts';
import { observe, run, startServer, type TestServer } from './live-harness.ts';

/** Longer than anybody looks again for what a program has loaded. */
const LATE_SECONDS = 6;

describe('executable mappings', function () {
  this.timeout(60_000);
  let server: TestServer;
  let folder: string;

  before(async function () {
    requireKernel(this);
    server = await startServer();
    folder = mkdtempSync(join(tmpdir(), 'sightline-late-'));
  });

  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function copyOfLibssl(name: string): string {
    const listing = execFileSync('ldconfig', ['-p'], { encoding: 'utf8' });
    const original = /libssl\.so\.3 .*=> (\S+)/.exec(listing)?.[1];
    assert.ok(original, 'this test needs libssl.so.3');
    const copy = join(folder, name);
    copyFileSync(original, copy);
    return copy;
  }

  const script = fileURLToPath(new URL('./late_library.py', import.meta.url));

  it('a library of dlopen(3), long after the program began, is attached before its first request', async () => {
    const library = copyOfLibssl('libssl-late.so');
    const seen = await observe({ watchAll: true });
    const args = [script, library, `${server.port}`, `${LATE_SECONDS}`];
    const { pid, code } = await run('python3', args);
    await seen.until((event) => event.type === 'exit' && event.process.pid === pid);
    await seen.source.stop();
    assert.equal(code, 0);
    assert.deepEqual(seen.defects, []);
    const verdict = seen.verdicts.find(({ path }) => path === library);
    assert.equal(verdict?.verdict, 'attached');
    assert.match(seen.text(pid, 'write'), /^GET \/late HTTP\/1\.0/);
    assert.match(seen.text(pid, 'read'), /^HTTP\/1\.0 200/);
  });

  it('a library whose first user was gone before anybody looked is found with the next one', async () => {
    const library = copyOfLibssl('libssl-brief.so');
    const seen = await observe({ watchAll: true });
    const brief = `import ctypes, os; ctypes.CDLL(${JSON.stringify(library)}); os._exit(0)`;
    await Promise.all(Array.from({ length: 5 }, () => run('python3', ['-c', brief])));
    const { pid, code } = await run('python3', [script, library, `${server.port}`, '0']);
    await seen.until((event) => event.type === 'exit' && event.process.pid === pid);
    await seen.source.stop();
    assert.equal(code, 0);
    assert.match(seen.text(pid, 'write'), /^GET \/late HTTP\/1\.0/);
  });
});
