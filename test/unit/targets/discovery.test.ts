import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
    const folder = mkdtempSync(join(tmpdir(), 'sightline-discovery-'));
    const agent = join(folder, 'claude');
    copyFileSync('/bin/sleep', agent);
    const children = [
      spawn('sleep', ['30'], { stdio: 'ignore' }),
      spawn('sleep', ['31'], { stdio: 'ignore' }),
      spawn(agent, ['32'], { stdio: 'ignore' }),
    ];
    try {
      await new Promise((resolve) => setTimeout(resolve, 200));
      const [withTls, without, agentPid] = children.map(({ pid }) => pid ?? 0);
      const found = discoverProcesses({
        filesOf: (pid) => (pid === withTls || pid === process.pid ? [file] : []),
      });
      const own = found.filter(({ parentPid }) => parentPid === process.pid);
      assert.deepEqual(
        own.map(({ pid, workload, agent: name, files }) => ({ pid, workload, name, files })),
        [
          { pid: withTls, workload: 'sleep', name: undefined, files: [file] },
          { pid: agentPid, workload: 'claude-code', name: 'claude-code', files: [] },
        ],
      );
      assert.ok(!found.some(({ pid }) => pid === process.pid || pid === without));
    } finally {
      for (const child of children) {
        child.kill();
      }
      rmSync(folder, { recursive: true });
    }
  });
});
