import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { TargetFile } from '../../../src/capture/target-tracker.ts';
import { discoverProcesses } from '../../../src/targets/discovery.ts';

describe('the discovery of processes', () => {
  it('names those with TLS and known agents without, and leaves out itself and the rest', async () => {
    const file: TargetFile = {
      path: '/usr/lib/libssl.so.3',
      device: 1n,
      inode: 2n,
      verdict: 'attachable',
      reason: '5 functions by symbol',
    };
    const children = [
      spawn('sleep', ['30'], { stdio: 'ignore' }),
      spawn('sleep', ['31'], { stdio: 'ignore' }),
      // A shell called by an agent's script path, which is all that tells it.
      spawn('bash', ['-c', 'exec -a node sleep 32'], { stdio: 'ignore' }),
      spawn(process.execPath, ['-e', 'setTimeout(() => {}, 30000)', '--', '/usr/bin/claude']),
      spawn('sh', ['-s', '/usr/bin/claude'], { stdio: ['pipe', 'ignore', 'ignore'] }),
    ];
    try {
      await new Promise((resolve) => setTimeout(resolve, 200));
      const [withTls, without] = children.map(({ pid }) => pid ?? 0);
      const found = discoverProcesses({
        filesOf: (pid) => (pid === withTls || pid === process.pid ? [file] : []),
      });
      const own = found.filter(({ parentPid }) => parentPid === process.pid);
      assert.deepEqual(
        own.map(({ pid, workload, files }) => ({ pid, workload, files })),
        [{ pid: withTls, workload: 'sleep', files: [file] }],
      );
      assert.ok(!found.some(({ pid }) => pid === process.pid || pid === without));
    } finally {
      for (const child of children) {
        child.kill();
      }
    }
  });
});
