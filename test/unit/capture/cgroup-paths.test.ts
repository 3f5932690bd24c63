/** Paths of control groups, of running processes and of those that have exited. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { createCgroupPaths, parseCgroups } from '../../../src/capture/cgroup-paths.ts';

describe('the control groups of a process', () => {
  it('are one path for each hierarchy, once, without the root', () => {
    const text = '12:pids:/a\n9:cpu,cpuacct:/a\n8:name=systemd:/b:c/d\n1:cpuset:/\n0::/e\n';
    assert.deepEqual(parseCgroups(text), ['/a', '/b:c/d', '/e']);
    assert.deepEqual(parseCgroups(''), []);
    assert.deepEqual(parseCgroups('nonsense\n0::\n::'), []);
  });

  it('are not known of a process that there is not', () => {
    assert.equal(createCgroupPaths().of(2 ** 22 + 1), undefined);
    assert.equal(createCgroupPaths().of(2 ** 22 + 1, 2n ** 60n), undefined);
    assert.ok(createCgroupPaths().of(process.pid));
  });

  it('are found by number when the process has exited', async function () {
    const mounts = readFileSync('/proc/self/mounts', 'utf8');
    const root = /^\S+ (\S+) cgroup2 /m.exec(mounts)?.[1];
    const group = `${root}/sightline-unit-${process.pid}`;
    try {
      mkdirSync(group);
    } catch {
      this.skip();
    }
    try {
      const child = spawn('bash', ['-c', `echo $$ > ${group}/cgroup.procs`]);
      await once(child, 'exit');
      const id = statSync(group, { bigint: true }).ino;
      const paths = createCgroupPaths();
      assert.deepEqual(paths.of(child.pid as number, id), [group.slice(root?.length)]);
      rmdirSync(group);
      // Remembered: whoever asks next may come after the group.
      assert.deepEqual(paths.of(child.pid as number, id), [group.slice(root?.length)]);
    } finally {
      spawnSync('rmdir', [group], { stdio: 'ignore' });
    }
  });
});
