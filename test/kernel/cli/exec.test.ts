/** `exec` and `record -- CMD` on the real kernel: exit codes, signals, users, and the first instruction. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clientCommand } from '../../support/clients/run-client.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { startModelServer } from '../../support/model-server/server.ts';
import { assertExact } from '../../support/observed-server.ts';
import { readOtlpFile } from '../../support/otlp-file.ts';
import { runSightline, sightlineArguments } from '../../support/sightline.ts';

const QUIET = {
  OTEL_TRACES_EXPORTER: 'none',
  OTEL_METRICS_EXPORTER: 'none',
  OTEL_LOGS_EXPORTER: 'none',
};

describe('exec on the real kernel', function () {
  this.timeout(60_000);
  let folder = '';

  before(function () {
    requireKernel(this);
    folder = mkdtempSync(join(tmpdir(), 'sightline-exec-'));
    chmodSync(folder, 0o777);
  });
  after(() => {
    if (folder !== '') {
      rmSync(folder, { recursive: true });
    }
  });

  it("ends with the command's exit code and leaves its stdout alone", async () => {
    const { code, stdout } = await runSightline(
      ['exec', '--', 'sh', '-c', 'echo out; exit 42'],
      QUIET,
    );
    assert.equal(stdout, 'out\n');
    assert.equal(code, 42);
  });

  it('ends with 128 + N when signal N ended the command', async () => {
    const { code } = await runSightline(['exec', '--', 'sh', '-c', 'kill -KILL $$'], QUIET);
    assert.equal(code, 137);
  });

  it('ends with 127 and 126 for what is not there and what cannot be executed', async () => {
    const missing = await runSightline(['exec', '--', 'sightline-no-such-command'], QUIET);
    assert.match(missing.stderr, /^sightline: sightline-no-such-command was not found [^\n]+\n$/);
    assert.equal(missing.code, 127);
    const data = join(folder, 'data');
    writeFileSync(data, 'x', { mode: 0o644 });
    const refused = await runSightline(['exec', '--', data], QUIET);
    assert.match(refused.stderr, /^sightline: [^\n]+ cannot be executed[^\n]+\n$/);
    assert.equal(refused.code, 126);
  });

  it('passes SIGTERM on, waits for the command and returns its code', async () => {
    const script = 'trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done';
    const child = spawn(process.execPath, sightlineArguments(['exec', '--', 'sh', '-c', script]), {
      env: { ...process.env, ...QUIET },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    child.stdout.once('data', () => child.kill('SIGTERM'));
    assert.equal(await new Promise((resolve) => child.once('close', resolve)), 9);
  });

  it('starts the command as the user behind sudo, with groups, home and environment', async () => {
    const script = 'id -u; id -g; echo $HOME $USER $LOGNAME; env | grep -c ^SUDO_';
    const { stdout, code } = await runSightline(['exec', '--', 'sh', '-c', script], {
      ...QUIET,
      SUDO_UID: '1',
      SUDO_GID: '1',
      SUDO_USER: 'daemon',
      SUDO_COMMAND: 'x',
    });
    assert.equal(stdout, '1\n1\n/usr/sbin daemon daemon\n0\n');
    assert.equal(code, 1, 'grep found nothing');
  });

  it('observes a command that makes its only call at once, and records it', async () => {
    const server = await startModelServer();
    try {
      const command = clientCommand({
        program: 'curl',
        url: server.url,
        caPath: server.caPath,
        count: 1,
      });
      const recording = join(folder, 'one.slrec');
      const live = join(folder, 'live.jsonl');
      const finished = await runSightline(['record', '-o', recording, '--', ...command], {
        ...QUIET,
        SIGHTLINE_FILE: live,
      });
      assert.match(finished.stderr, /^sightline ready: observing /m);
      assert.equal(finished.code, 0);
      await server.settle();
      assertExact({ ...readOtlpFile(live), truth: server.truth(), finished }, 1);
      assert.equal(statSync(recording).mode & 0o777, 0o600);

      const replayed = join(folder, 'replayed.jsonl');
      const again = await runSightline(['replay', recording], {
        ...QUIET,
        SIGHTLINE_FILE: replayed,
      });
      assert.equal(again.code, 0, again.stderr);
      assertExact({ ...readOtlpFile(replayed), truth: server.truth(), finished: again }, 1);

      const cut = join(folder, 'cut.slrec');
      writeFileSync(cut, readFileSync(recording).subarray(0, 400));
      const truncated = await runSightline(['replay', cut], QUIET);
      assert.match(truncated.stderr, /^sightline: [^\n]+ ends in the middle[^\n]+$/m);
      assert.equal(truncated.code, 1);
    } finally {
      await server.stop();
    }
  });

  it('leaves a recording of that name as it is where the configuration cannot be used', async () => {
    const kept = join(folder, 'kept.slrec');
    writeFileSync(kept, 'of an earlier run', { mode: 0o600 });
    const prices = join(folder, 'prices.json');
    writeFileSync(prices, 'no JSON');
    const { code, stderr } = await runSightline(['record', '-o', kept, '--', 'true'], {
      ...QUIET,
      SIGHTLINE_PRICES: prices,
    });
    assert.match(stderr, /^sightline: [^\n]*prices\.json[^\n]*it is no JSON[^\n]*\n$/);
    assert.equal(code, 2);
    assert.equal(readFileSync(kept, 'utf8'), 'of an earlier run');
  });

  it('says that a recording ends in the middle where its file could not grow', async () => {
    const recording = join(folder, 'small.slrec');
    const programs = 'i=0; while [ $i -lt 60 ]; do /bin/true $i; i=$((i+1)); done';
    const words = ['record', '-o', recording, '--', 'sh', '-c', programs];
    // In units of 1 KiB.
    const { status, stderr } = spawnSync(
      'bash',
      ['-c', 'ulimit -f 1; exec "$@"', 'bash', process.execPath, ...sightlineArguments(words)],
      { env: { ...process.env, ...QUIET }, encoding: 'utf8' },
    );
    assert.equal(status, 0, stderr);
    assert.match(stderr, /warning: writing the recording [^\n]*small\.slrec failed: /);
    assert.match(
      stderr,
      /warning: the recording [^\n]*small\.slrec ends in the middle, after \d+ bytes$/m,
    );
    assert.doesNotMatch(stderr, /recorded \d+ events/);
    const replayed = await runSightline(['replay', recording], QUIET);
    assert.match(replayed.stderr, /small\.slrec ends in the middle/);
    assert.equal(replayed.code, 1);
  });

  it('says that the place of a recording is mounted read-only', () => {
    const script = 'mount -t tmpfs -o ro tmpfs "$1" && shift && exec "$@"';
    const place = join(folder, 'read-only');
    mkdirSync(place);
    const words = sightlineArguments(['record', '-o', join(place, 'x'), '--', 'true']);
    const { status, stderr } = spawnSync(
      'unshare',
      ['--mount', 'sh', '-c', script, 'sh', place, process.execPath, ...words],
      { env: { ...process.env, ...QUIET }, encoding: 'utf8' },
    );
    assert.match(
      stderr,
      /^sightline: [^\n]*read-only is on a file system that is mounted read-only: /,
    );
    assert.equal(status, 2);
  });
});
