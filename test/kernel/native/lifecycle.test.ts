/** Opening, closing, failing and dying: nothing stays in the kernel, and every failure says how to mend it. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { loadBinding, type NativeCaptureOptions } from '../../../src/capture/binding.ts';
import { programIdsOf, stillLoaded } from '../../support/bpf-programs.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import {
  attachTo,
  buildTlsCalls,
  closeSession,
  dataOf,
  openSession,
  removeTlsCalls,
  runTlsCalls,
} from './harness.ts';

const ADDON = fileURLToPath(new URL('../../../build/Release/sightline.node', import.meta.url));

/** Loads the addon, attaches to a file and says so; then waits until it is ended from outside. */
const HOLDER = `
const binding = require(process.argv[1]);
const path = process.argv[2];
const capture = binding.open({ ringBytes: 65536, watchAll: true, onSlab() {}, onLog() {} });
const { offsets } = binding.locateSymbols(path, ['SSL_write', 'SSL_free']);
capture.attach({ stack: 'openssl', path, offsets });
process.stdout.write('attached\\n');
if (process.argv[3] === 'exit') process.exit(3);
`;

async function startHolder(...more: string[]): Promise<{ child: ChildProcess; ids: number[] }> {
  const child = spawn(process.execPath, ['-e', HOLDER, ADDON, buildTlsCalls(), ...more], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  assert.ok(child.stdout);
  await once(child.stdout, 'data');
  return { child, ids: more.length === 0 ? programIdsOf(child.pid as number) : [] };
}

async function assertGone(ids: number[]): Promise<void> {
  assert.ok(ids.length >= 5, `only ${ids.length} programs were seen`);
  for (let i = 0; i < 100 && stillLoaded(ids).length > 0; i++) {
    await delay(50);
  }
  assert.deepEqual(stillLoaded(ids), []);
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof Error);
    assert.ok(!error.message.includes('\n'), error.message);
    return (error as Error & { code?: string }).code ?? `no code: ${error.message}`;
  }
  return 'did not throw';
}

describe('life of a capture', function () {
  this.timeout(120_000);
  const options: NativeCaptureOptions = {
    ringBytes: 65_536,
    watchAll: false,
    onSlab: () => undefined,
    onLog: () => undefined,
  };

  before(function () {
    requireKernel(this);
    buildTlsCalls();
  });
  after(removeTlsCalls);

  it('opens, captures and closes twenty times in one process', async () => {
    const descriptors = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 20; i++) {
      const session = openSession({ ringBytes: 1024 * 1024 });
      session.capture.attach({
        stack: 'openssl',
        path: buildTlsCalls(),
        offsets: loadBinding().locateSymbols(buildTlsCalls(), ['SSL_write']).offsets,
      });
      await runTlsCalls(session, [`write:1:${100 + i}`]);
      closeSession(session);
      assert.deepEqual(
        dataOf(session).map((event) => event.bytes.length),
        [100 + i],
      );
    }
    // Pipes of the children may have gone in the meantime; nothing may have come.
    assert.ok(readdirSync('/proc/self/fd').length <= descriptors);
    const threads = readdirSync('/proc/self/task').map((tid) =>
      readFileSync(`/proc/self/task/${tid}/comm`, 'utf8').trim(),
    );
    assert.equal(threads.includes('sightline-ring'), false);
  });

  it('runs two captures at once, each with its own events', async () => {
    const first = openSession();
    const second = openSession();
    attachTo(first, buildTlsCalls());
    attachTo(second, buildTlsCalls());
    await runTlsCalls(first, ['write:1:11']);
    await runTlsCalls(second, ['write:1:22']);
    closeSession(first);
    closeSession(second);
    assert.deepEqual(
      dataOf(first).map((event) => event.bytes.length),
      [11],
    );
    assert.deepEqual(
      dataOf(second).map((event) => event.bytes.length),
      [22],
    );
  });

  for (const probeLinks of ['auto', 'single'] as const) {
    it(`probes functions and their returns with links: ${probeLinks}`, async () => {
      const session = openSession({ probeLinks });
      const { probeLinks: used } = session.capture.counters();
      if (probeLinks === 'single') {
        assert.equal(used, 'single');
      }
      attachTo(session, buildTlsCalls());
      await runTlsCalls(session, ['write:1:100', 'read:1:50', 'read_ex:1:7', 'free:1']);
      const startMs = performance.now();
      closeSession(session);
      const closeMs = performance.now() - startMs;
      assert.deepEqual(
        dataOf(session).map((event) => [event.direction, event.position, event.bytes.length]),
        [
          ['write', 0, 100],
          ['read', 0, 50],
          ['read', 50, 7],
        ],
      );
      assert.equal(session.events.filter((event) => event.type === 'close').length, 1);
      // Nine links, each with a wait of its own, take 0.8 s.
      if (used === 'multi') {
        assert.ok(closeMs < 500, `closing took ${closeMs} ms`);
      }
    });
  }

  it('takes a function with two names once', async () => {
    const session = openSession();
    const path = buildTlsCalls();
    const { SSL_write_ex: offset = 0 } = loadBinding().locateSymbols(path, [
      'SSL_write_ex',
    ]).offsets;
    session.capture.attach({
      stack: 'openssl',
      path,
      offsets: { SSL_write_ex: offset, ssl_write_internal: offset },
    });
    await runTlsCalls(session, ['write_ex:1:11']);
    closeSession(session);
    assert.deepEqual(
      dataOf(session).map((event) => event.bytes.length),
      [11],
    );
  });

  it('sees nothing more of a file that was detached', async () => {
    const session = openSession();
    const id = attachTo(session, buildTlsCalls());
    await runTlsCalls(session, ['write:1:11']);
    session.capture.detach(id);
    await delay(2500);
    await runTlsCalls(session, ['write:1:22']);
    closeSession(session);
    assert.deepEqual(
      dataOf(session).map((event) => event.bytes.length),
      [11],
    );
  });

  it('hands over at the close what came just before it', async () => {
    const session = openSession();
    attachTo(session, buildTlsCalls());
    const child = spawn(buildTlsCalls(), ['repeat:500:1:1000'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    session.capture.setProcess(child.pid as number, 'watched');
    child.stdin.write('\n');
    // No turn of the event loop between the last call and the close.
    while (!/^State:\s+Z/m.test(readFileSync(`/proc/${child.pid}/status`, 'utf8'))) {
      spawnSync('true');
    }
    closeSession(session);
    assert.equal(dataOf(session).length, 500);
    await once(child, 'exit');
  });

  it('leaves nothing behind after kill -9, SIGTERM and exit', async () => {
    const killed = await startHolder();
    killed.child.kill('SIGKILL');
    await once(killed.child, 'exit');
    await assertGone(killed.ids);

    const terminated = await startHolder();
    terminated.child.kill('SIGTERM');
    await once(terminated.child, 'exit');
    await assertGone(terminated.ids);

    const leaving = await startHolder('exit');
    const [code] = await once(leaving.child, 'exit');
    assert.equal(code, 3);
  });

  it('survives a worker that ends with its capture open, and one that closes it', async () => {
    const script = `
      const { parentPort, workerData } = require('node:worker_threads');
      const binding = require(workerData.addon);
      const capture = binding.open({ ringBytes: 65536, watchAll: true, onSlab() {}, onLog() {} });
      if (workerData.closes) capture.close();
      parentPort.postMessage('open');
    `;
    for (const closes of [true, false, false]) {
      const worker = new Worker(script, { eval: true, workerData: { addon: ADDON, closes } });
      await once(worker, 'message');
      await worker.terminate();
    }
    // The main thread's own still works.
    closeSession(openSession());
  });

  it('passes what a handler throws on, and goes on', async () => {
    const script = `
      const { spawnSync } = require('node:child_process');
      const binding = require(process.argv[1]);
      let thrown = 0;
      const capture = binding.open({ ringBytes: 65536, watchAll: true, onLog() {}, onSlab() { throw new Error('mine'); } });
      process.on('uncaughtException', (error) => {
        console.log(error.message);
        thrown++;
        if (thrown === 1) { spawnSync('true'); return; }
        try { spawnSync('true'); capture.close(); } catch (last) { console.log('close: ' + last.message); }
      });
      spawnSync('true');
    `;
    const { stdout, status } = spawnSync(process.execPath, ['-e', script, ADDON], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    assert.equal(status, 0);
    assert.deepEqual(stdout.split('\n').slice(0, 2), ['mine', 'mine']);
    assert.match(stdout, /close: mine/);
  });

  it('does not close from within its handler', async () => {
    let code: string | undefined;
    const capture = loadBinding().open({
      ...options,
      watchAll: true,
      onSlab: () => {
        code ??= codeOf(() => capture.close());
      },
    });
    spawnSync('true');
    for (let i = 0; i < 100 && code === undefined; i++) {
      await delay(20);
    }
    capture.close();
    assert.equal(code, 'SL_CAPTURE_BUSY');
  });

  it('answers after the close', () => {
    const capture = loadBinding().open(options);
    capture.close();
    capture.close();
    assert.equal(capture.counters().ringBytes, 65_536);
    assert.equal(
      codeOf(() => capture.setProcess(1, 'watched')),
      'SL_CAPTURE_CLOSED',
    );
    assert.equal(
      codeOf(() => capture.detach(1)),
      'SL_CAPTURE_CLOSED',
    );
  });

  it('refuses wrong arguments and says what is right', () => {
    const { open } = loadBinding();
    for (const ringBytes of [0, 65_535, 65_537, 32_768, 3 * 65_536, 2 ** 31, Number.NaN, -1, 1.5]) {
      assert.equal(
        codeOf(() => open({ ...options, ringBytes })),
        'SL_RING_BYTES',
      );
    }
    const wrong = (value: unknown) => codeOf(() => open(value as NativeCaptureOptions));
    assert.equal(wrong(undefined), 'SL_ARGUMENT');
    assert.equal(wrong({ ...options, onSlab: 1 }), 'SL_ARGUMENT');
    assert.equal(wrong({ ...options, watchAll: 'yes' }), 'SL_ARGUMENT');
    assert.equal(wrong({ ...options, probeLinks: 'many' }), 'SL_ARGUMENT');
  });

  it('refuses what cannot be probed, with the reason, and attaches nothing of it', async () => {
    const session = openSession();
    const { capture } = session;
    const folder = mkdtempSync(join(tmpdir(), 'sightline-attach-'));
    try {
      const path = buildTlsCalls();
      const offsets = loadBinding().locateSymbols(path, ['SSL_write', 'SSL_read']).offsets;
      const text = join(folder, 'libssl.so');
      writeFileSync(text, 'this is no library\n'.repeat(100));
      const attach = (request: object) =>
        codeOf(() => capture.attach({ stack: 'openssl', path, offsets, ...request } as never));
      assert.equal(attach({ path: join(folder, 'none') }), 'SL_ATTACH_PATH');
      assert.equal(attach({ path: folder }), 'SL_ATTACH_PATH');
      assert.equal(attach({ path: '/dev/null' }), 'SL_ATTACH_PATH');
      assert.equal(attach({ stack: 'schannel' }), 'SL_ATTACH_STACK');
      assert.equal(attach({ offsets: {} }), 'SL_ATTACH_FUNCTION');
      assert.equal(attach({ offsets: { SSL_peek: 4096 } }), 'SL_ATTACH_FUNCTION');
      assert.equal(attach({ offsets: { SSL_read: 1e12 } }), 'SL_ATTACH_OFFSET');
      assert.equal(attach({ offsets: { SSL_read: -1 } }), 'SL_ARGUMENT');
      assert.equal(attach({ offsets: { SSL_read: 1.5 } }), 'SL_ARGUMENT');
      assert.equal(attach({ path: '' }), 'SL_ATTACH_PATH');
      // The second function is beyond the file: the first is not left attached.
      assert.equal(attach({ offsets: { ...offsets, SSL_free: 1e9 } }), 'SL_ATTACH_OFFSET');
      await runTlsCalls(session, ['write:1:10']);
      closeSession(session);
      assert.deepEqual(dataOf(session), []);
    } finally {
      capture.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('forgets the policy of a process that has gone, and refuses what is no process', () => {
    const capture = loadBinding().open(options);
    try {
      const gone = spawnSync('true');
      capture.setProcess(gone.pid, 'watched');
      for (const pid of [0, -1, 1.5, 2 ** 31, Number.NaN]) {
        assert.equal(
          codeOf(() => capture.setProcess(pid, 'watched')),
          'SL_ARGUMENT',
        );
      }
      assert.equal(
        codeOf(() => capture.setProcess(1, 'seen' as never)),
        'SL_ARGUMENT',
      );
      // Which of its programs is unwanted must be said.
      assert.equal(
        codeOf(() => capture.setProcess(1, 'unwanted')),
        'SL_ARGUMENT',
      );
    } finally {
      capture.close();
    }
  });

  it('says what is missing without privilege', () => {
    const script = `
      try {
        require(process.argv[1]).open({ ringBytes: 65536, watchAll: true, onSlab() {}, onLog() {} });
      } catch (error) { console.log(error.code + ' ' + error.message); }
    `;
    // The checkout may lie where nobody else can read.
    const folder = mkdtempSync(join(tmpdir(), 'sightline-nobody-'));
    const addon = join(folder, 'sightline.node');
    copyFileSync(ADDON, addon);
    chmodSync(folder, 0o755);
    const { stdout } = spawnSync(
      'setpriv',
      [
        '--reuid',
        '65534',
        '--regid',
        '65534',
        '--clear-groups',
        '--',
        process.execPath,
        '-e',
        script,
        addon,
      ],
      { encoding: 'utf8', cwd: '/' },
    );
    rmSync(folder, { recursive: true });
    assert.match(stdout, /^SL_BPF_PERMISSION .*CAP_BPF/);
    assert.equal(stdout.trim().split('\n').length, 1);
  });
});
