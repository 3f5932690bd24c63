/** `run` and `check` on the real kernel: ready, stopping, lost readers, a missing addon. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireKernel } from '../../support/kernel-guard.ts';
import { runSightline, sightlineArguments, startSightline } from '../../support/sightline.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

describe('run on the real kernel', function () {
  this.timeout(60_000);

  before(function () {
    requireKernel(this);
  });

  it('says that it is ready, what it watches and what to try, and stops cleanly', async () => {
    const sightline = await startSightline();
    try {
      const { code, stdout, stderr } = await sightline.stop();
      assert.match(stderr, /^sightline ready: observing this host \(tls, plain, process\)/m);
      assert.match(stderr, /^ {2}watching \/.*\(openssl\)$/m);
      assert.match(stderr, /^ {2}nothing seen yet: start an agent/m);
      assert.equal(stdout, '');
      assert.equal(code, 0);
    } finally {
      sightline.remove();
    }
  });

  it('ends when nobody reads what it prints any more', async () => {
    const main = sightlineArguments(['run', '--print', 'events']).join(' ');
    const child = spawn(
      'bash',
      ['-c', `${process.execPath} ${main} | head -n 1; echo \${PIPESTATUS[0]}`],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    await new Promise((resolve) => child.once('close', resolve));
    const [line, code] = stdout.trim().split('\n');
    assert.equal((JSON.parse(line ?? '') as { type: string }).type, 'host');
    assert.equal(code, '0');
  });

  it('says in one line that the addon is missing, with exit code 3, or 125 for a command', async () => {
    // The same program in a checkout whose addon was never built.
    const folder = mkdtempSync(join(tmpdir(), 'sightline-unbuilt-'));
    try {
      cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
      cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
      symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
      for (const [expected, args] of [
        [3, ['run']],
        [125, ['exec', '--', 'true']],
      ] as const) {
        const child = spawn(process.execPath, [join(folder, 'dist/cli/main.js'), ...args], {
          stdio: ['ignore', 'ignore', 'pipe'],
        });
        let stderr = '';
        child.stderr.setEncoding('utf8').on('data', (text: string) => {
          stderr += text;
        });
        const code = await new Promise((resolve) => child.once('close', resolve));
        assert.match(
          stderr,
          /^sightline: the native addon cannot be loaded[^\n]+npm run setup[^\n]+\n$/,
        );
        assert.equal(code, expected);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('checks that capture works, in lines and as JSON', async () => {
    const lines = await runSightline(['check']);
    assert.equal(lines.code, 0, lines.stdout);
    assert.match(lines.stdout, /^pass {2}probe +attached to /m);
    const json = await runSightline(['check', '--json']);
    const report = JSON.parse(json.stdout) as {
      ok: boolean;
      checks: { name: string; status: string }[];
    };
    assert.equal(report.ok, true);
    const statuses = new Map(report.checks.map(({ name, status }) => [name, status]));
    for (const name of ['kernel', 'btf', 'uprobes', 'CAP_BPF', 'addon', 'bpf', 'probe', 'tls']) {
      assert.equal(statuses.get(name), 'pass', name);
    }
  });

  it('fails a check when an endpoint that was set refuses', async () => {
    const { code, stdout } = await runSightline(['check'], {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    });
    assert.match(stdout, /^fail {2}otlp traces +http:\/\/127\.0\.0\.1:9 \(grpc\): .+ — start the/m);
    assert.equal(code, 1);
  });
});
