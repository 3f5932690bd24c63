import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHostClock } from '../../../src/capture/host-clock.ts';
import { readHost } from '../../../src/capture/host-facts.ts';
import { listProcesses, readProcess, readStat } from '../../../src/capture/proc-process.ts';
import { parseProcStat } from '../../../src/capture/proc-stat.ts';
import { createProcessIdentities } from '../../../src/capture/process-identity.ts';
import { readSmallFile } from '../../../src/capture/small-file.ts';
import { createUserNames } from '../../../src/capture/user-names.ts';

const REST =
  'S 1 42 42 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 7 0 123456 1000 10 18446744073709551615 1 1 0';

describe('/proc/PID/stat', () => {
  for (const comm of ['bash', 'a b', ') S 1 (', 'x) R 99 (y', '(sd-pam)', 'line\nend', '']) {
    it(`with the name ${JSON.stringify(comm)}`, () => {
      const stat = parseProcStat(`42 (${comm}) ${REST}\n`);
      assert.deepEqual(stat, {
        pid: 42,
        comm,
        state: 'S',
        parentPid: 1,
        isKernelThread: false,
        startTicks: 123456n,
      });
    });
  }

  it('of a kernel thread', () => {
    const flags = 0x0020_0000 | 0x40;
    const stat = parseProcStat(`2 (kthreadd) S 0 0 0 0 -1 ${flags} 0 0 0 0 0 0 0 0 20 0 1 0 3 0`);
    assert.equal(stat?.isKernelThread, true);
  });

  for (const text of ['', '42', '42 (x', '42 (x) S', 'x (y) S 1', `42 x ${REST}`]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.equal(parseProcStat(text), undefined);
    });
  }
});

describe('a process read from /proc', () => {
  it('is this one', () => {
    const stat = readStat(process.pid);
    assert.equal(stat?.parentPid, process.ppid);
    assert.ok(listProcesses().some(({ pid }) => pid === process.pid));
    const found = readProcess(process.pid);
    assert.equal(found?.executable, process.execPath);
    assert.equal(found?.uid, process.getuid?.());
  });

  it('has its exact arguments and its own service name only', async () => {
    const child = spawn('sleep', ['60'], {
      argv0: 'odd name)',
      env: { XOTEL_SERVICE_NAME: 'wrong', A: 'OTEL_SERVICE_NAME=wrong', OTEL_SERVICE_NAME: 'mine' },
    });
    await new Promise((resolve) => child.once('spawn', resolve));
    const pid = child.pid ?? 0;
    // The child is forked before it is the program: wait for that.
    while (!readProcess(pid)?.executable.endsWith('sleep')) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const found = readProcess(pid);
    child.kill();
    await new Promise((resolve) => child.once('exit', resolve));
    assert.deepEqual(found?.argv, ['odd name)', '60']);
    assert.equal(found?.serviceName, 'mine');
    assert.equal(readProcess(pid), undefined);
    assert.equal(readStat(pid), undefined);
  });

  it('is nothing to read from when it is no plain file', () => {
    assert.equal(readSmallFile('/dev/zero', 10), undefined);
    assert.equal(readSmallFile('/proc', 10), undefined);
    assert.equal(readSmallFile('/proc/self/comm', 2)?.byteLength, 2);
  });
});

describe('process identities', () => {
  it('join what /proc and the kernel say of one process', () => {
    const identities = createProcessIdentities();
    const ref = identities.fromProc(10, 123n);
    assert.deepEqual(ref, { pid: 10, startNs: 1_230_000_000n });
    const kernel = { pid: 10, startNs: 1_234_567_890n };
    assert.equal(identities.resolve(kernel), ref);
    assert.equal(identities.isFromProc(kernel), true);
    assert.equal(identities.fromProc(10, 123n), ref);
    // Bound now: another start in the same tick is another process.
    const other = { pid: 10, startNs: 1_234_567_891n };
    assert.equal(identities.resolve(other), other);
    const connection = {
      process: kernel,
      stack: 'openssl' as const,
      object: 4096,
      generation: 5n,
    };
    const resolved = identities.resolveConnection(connection);
    assert.deepEqual(resolved, { ...connection, process: ref });
    assert.equal(identities.resolveConnection({ ...connection }), resolved);
    assert.notEqual(identities.resolveConnection({ ...connection, generation: 6n }), resolved);
  });

  it('keep apart what uses a pid one after the other', () => {
    const identities = createProcessIdentities();
    const old = identities.fromProc(10, 123n);
    const later = { pid: 10, startNs: 9_990_000_001n };
    assert.equal(identities.resolve(later), later);
    identities.fromKernel(later);
    identities.forget(old);
    assert.equal(identities.size, 1);
    assert.equal(identities.fromProc(10, 999n), later);
    assert.equal(identities.isFromProc(later), false);
    identities.forget(later);
    assert.equal(identities.size, 0);
  });
});

describe('the host', () => {
  it('tells its clock to the microsecond', () => {
    const clock = createHostClock();
    const before = BigInt(Date.now()) * 1_000_000n;
    const wallNs = clock.bootNs() + clock.measureOffsetNs();
    assert.ok(wallNs > before - 50_000_000n && wallNs < before + 500_000_000n);
    const offsets = [1, 2, 3].map(() => clock.measureOffsetNs()).sort((a, b) => (a < b ? -1 : 1));
    const spread = (offsets[2] ?? 0n) - (offsets[0] ?? 0n);
    assert.ok(spread < 200_000n, `offsets differ by ${spread} ns`);
  });

  it('is described', () => {
    const host = readHost(createHostClock());
    assert.match(host.bootId, /^[0-9a-f-]{36}$/);
    assert.ok(host.hostName && host.arch && host.osDescription);
  });

  it('has names for its users', () => {
    const users = createUserNames();
    assert.equal(users.nameOf(0), 'root');
    assert.equal(users.nameOf(4_000_000_001), undefined);
  });
});
