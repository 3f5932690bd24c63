import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
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

  it('leaves out another Sightline, which has the capabilities and the name', async function () {
    if (process.geteuid?.() !== 0) {
      this.skip();
    }
    const title = "process.title = 'sightline'; console.log(''); setTimeout(() => {}, 30000)";
    const other = spawn(process.execPath, ['-e', title], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      await once(other.stdout, 'data');
      const file: TargetFile = {
        path: process.execPath,
        device: 1n,
        inode: 2n,
        verdict: 'attachable',
        reason: '5 functions by symbol',
      };
      const found = discoverProcesses({ filesOf: (pid) => (pid === other.pid ? [file] : []) });
      assert.ok(!found.some(({ pid }) => pid === other.pid));
    } finally {
      other.kill();
    }
  });
});
