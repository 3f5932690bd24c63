/** Processes in the real kernel: forks, programs with their arguments, and how each ended. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecEvent, ExitEvent, ForkEvent } from '../../../src/capture/events.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { closeSession, ended, openSession, type Session, startWatched } from './harness.ts';

/** A shell that waits until it is watched, and then runs `script`. */
function startShell(session: Session, script: string, args: string[] = []) {
  return startWatched(session, 'bash', ['-c', `read -r _; ${script}`, 'shell', ...args]);
}

function execsOf(session: Session): ExecEvent[] {
  return session.events.filter((event) => event.type === 'exec');
}

function exitsOf(session: Session): ExitEvent[] {
  return session.events.filter((event) => event.type === 'exit');
}

function forksOf(session: Session): ForkEvent[] {
  return session.events.filter((event) => event.type === 'fork');
}

describe('processes in the kernel', function () {
  this.timeout(60_000);
  let session: Session;
  let folder: string;

  before(function () {
    requireKernel(this);
  });

  beforeEach(() => {
    session = openSession();
    folder = mkdtempSync(join(tmpdir(), 'sightline-exec-'));
  });

  afterEach(() => {
    session?.capture.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('links fork, program and exit of a watched shell’s children', async () => {
    const child = startShell(session, '/bin/true; /bin/false; exit 7');
    assert.equal(await ended(child), 7);
    closeSession(session);
    assert.deepEqual(
      execsOf(session).map((event) => event.argv),
      [['/bin/true'], ['/bin/false']],
    );
    assert.deepEqual(
      exitsOf(session).map((event) => event.exitCode),
      [0, 1, 7],
    );
    for (const [index, fork] of forksOf(session).entries()) {
      const exec = execsOf(session)[index];
      assert.equal(fork.parent.pid, child.pid);
      assert.deepEqual(exec?.process, fork.process);
      assert.deepEqual(exec?.parent, fork.parent);
      assert.deepEqual(exitsOf(session)[index]?.process, fork.process);
      assert.ok(fork.timeNs < (exec?.timeNs ?? 0n));
    }
    const exec = execsOf(session)[0];
    assert.equal(exec?.executable, '/usr/bin/true');
    assert.equal(exec?.comm, 'true');
    assert.equal(exec?.uid, 0);
    assert.equal(exec?.argvLostBytes, 0);
    assert.equal(exec?.serviceName, undefined);
    assert.deepEqual(exitsOf(session)[2]?.process, forksOf(session)[0]?.parent);
  });

  it('reports the signal that ended a process, and the code of exit_group with many threads', async () => {
    const program =
      'import threading,os,time;[threading.Thread(target=time.sleep,args=(9,),daemon=True).start() for _ in range(8)];os._exit(42)';
    const child = startShell(
      session,
      `(kill -9 $BASHPID); (kill -TERM $BASHPID); /usr/bin/python3 -c '${program}'; exit 42`,
    );
    await ended(child);
    closeSession(session);
    const ends = exitsOf(session).map((event) => event.signal ?? -(event.exitCode ?? 0));
    assert.deepEqual(ends, [9, 15, -42, -42]);
    // Threads are no processes.
    assert.equal(forksOf(session).length, 3);
    assert.ok(exitsOf(session).every((event) => !('exitCode' in event && 'signal' in event)));
  });

  it('shows a shell that is replaced by its command as two programs of one process', async () => {
    const child = startShell(session, 'bash -c "exec /bin/echo replaced"');
    await ended(child);
    closeSession(session);
    const execs = execsOf(session);
    assert.deepEqual(
      execs.map((event) => event.argv.slice(0, 2)),
      [
        ['bash', '-c'],
        ['/bin/echo', 'replaced'],
      ],
    );
    assert.deepEqual(execs[0]?.process, execs[1]?.process);
  });

  it('carries arguments of 200 KB whole, empty and odd ones too', async () => {
    const long = Array.from({ length: 4 }, (_, i) => String(i).repeat(50_000));
    const odd = ['', 'a b', 'naïve ☕', '\n', '--x=', ''];
    const child = startShell(session, '/bin/true "$@"', [...long, ...odd]);
    await ended(child);
    closeSession(session);
    const exec = execsOf(session)[0];
    assert.equal(exec?.argvLostBytes, 0);
    assert.deepEqual(exec?.argv, ['/bin/true', ...long, ...odd]);
  });

  it('says how much of larger arguments is missing, and keeps the beginning', async () => {
    const child = startShell(
      session,
      'a=$(printf %0100000d 0); /bin/true "$a" "$a" "$a" "$a" "$a" "$a" end',
    );
    await ended(child);
    closeSession(session);
    const exec = execsOf(session).at(-1);
    const total = '/bin/true'.length + 1 + 6 * 100_001 + 'end'.length + 1;
    assert.equal(exec?.argvLostBytes, total - 512 * 1024);
    assert.equal(exec?.argv[0], '/bin/true');
    assert.equal(exec?.argv[1], '0'.repeat(100_000));
    assert.equal(session.capture.counters().drops.argv, 1);
  });

  it('says nothing of a program that could not be started', async () => {
    writeFileSync(join(folder, 'not-a-program'), '\x7fELF nonsense', { mode: 0o755 });
    const child = startShell(session, `exec 2>/dev/null; ${folder}/not-a-program; ${folder}/none`);
    await ended(child);
    closeSession(session);
    assert.deepEqual(execsOf(session), []);
  });

  it('names the file that runs, through symbolic links, mounts and deep folders', async () => {
    const deep = join(folder, ...Array.from({ length: 40 }, (_, i) => `folder-${i}`));
    mkdirSync(deep, { recursive: true });
    mkdirSync(join(folder, 'mount'));
    symlinkSync('/bin/true', join(folder, 'link'));
    const child = startShell(
      session,
      `cp /bin/true ${deep}/program; ${deep}/program; ${folder}/link;
       unshare -m bash -c 'mount -t tmpfs none ${folder}/mount && cp /bin/true ${folder}/mount/inside && ${folder}/mount/inside; exit 0'`,
    );
    await ended(child);
    closeSession(session);
    const paths = execsOf(session).map((event) => event.executable);
    assert.ok(paths.includes(`${deep}/program`), paths.join('\n'));
    assert.ok(paths.includes('/usr/bin/true'), paths.join('\n'));
    assert.ok(paths.includes(`${folder}/mount/inside`), paths.join('\n'));
  });

  it('marks a path that is deeper than is walked', async () => {
    const child = startShell(
      session,
      `cd ${folder}; for i in {1..120}; do mkdir d; cd d; done; cp /bin/true program; ./program`,
    );
    await ended(child);
    closeSession(session);
    const paths = execsOf(session).map((event) => event.executable);
    assert.ok(
      paths.some((path) => path.startsWith('…/d/d/') && path.endsWith('/d/program')),
      paths.join('\n'),
    );
  });

  it('finds the service name among many variables, and only the variable of that name', async () => {
    const child = startShell(
      session,
      `env -i A=${'x'.repeat(255)} B=${'y'.repeat(254)} C=${'z'.repeat(5000)} XOTEL_SERVICE_NAME=no OTEL_SERVICE_NAMES=no OTEL_SERVICE_NAME='the name' D=1 /bin/true;
       env -i OTEL_SERVICE_NAME= /bin/true;
       env -i LONG=${'q'.repeat(237)}OTEL_SERVICE_NAME=no /bin/true;
       env -i OTEL_SERVICE_NAME=first /bin/true`,
    );
    await ended(child);
    closeSession(session);
    assert.deepEqual(
      execsOf(session)
        .filter((event) => event.executable === '/usr/bin/true')
        .map((event) => event.serviceName),
      ['the name', undefined, undefined, 'first'],
    );
  });

  it('reads user and group as they are after the exec', async () => {
    const child = startShell(session, 'setpriv --reuid 1234 --regid 5678 --clear-groups /bin/true');
    await ended(child);
    closeSession(session);
    const exec = execsOf(session).at(-1);
    assert.deepEqual([exec?.uid, exec?.gid], [1234, 5678]);
  });

  it('inherits being watched but not being excluded, and forgets both at the exit', async () => {
    session.capture.close();
    const all = openSession({ watchAll: true });
    try {
      const child = startWatched(all, 'bash', ['-c', 'read -r _; read -r _; /bin/true; exit 0']);
      all.capture.setProcess(child.pid as number, 'excluded');
      child.stdin?.write('\n');
      await ended(child);
      all.capture.close();
      const own = all.events.filter(
        (event) => 'process' in event && event.process.pid === child.pid && event.type !== 'exec',
      );
      assert.deepEqual(
        own.map((event) => event.type),
        own.length > 0 ? ['fork'] : [],
        'an excluded process has no exit',
      );
      const forks = all.events.filter(
        (event) => event.type === 'fork' && event.parent.pid === child.pid,
      );
      assert.equal(forks.length, 1);
    } finally {
      all.capture.close();
    }
  });

  it('keeps up with a storm of short processes, each complete', async () => {
    const child = startShell(session, 'for i in {1..300}; do /bin/true $i & done; wait');
    await ended(child);
    closeSession(session);
    assert.deepEqual(
      execsOf(session)
        .map((event) => Number(event.argv[1]))
        .sort((a, b) => a - b),
      Array.from({ length: 300 }, (_, i) => i + 1),
    );
    assert.equal(forksOf(session).length, 300);
    assert.equal(exitsOf(session).length, 301);
  });
});
