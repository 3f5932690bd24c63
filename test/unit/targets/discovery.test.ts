import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TargetFile } from '../../../src/capture/target-tracker.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { createRedaction } from '../../../src/redaction.ts';
import { discoverProcesses } from '../../../src/targets/discovery.ts';

describe('the discovery of processes', () => {
  it('names those with TLS, known agents without and the rest, and says which is itself', async () => {
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
        finder: {
          examinedFiles: (pid) => ({
            files: pid === withTls || pid === process.pid ? [file] : [],
            unreachable: [],
          }),
        },
      });
      const own = found.filter(({ parentPid }) => parentPid === process.pid);
      assert.deepEqual(
        own
          .filter(({ pid }) => [withTls, without, agentPid].includes(pid))
          .map(({ pid, workload, agent: name, files, state }) => [
            pid,
            workload,
            name,
            files,
            state,
          ]),
        [
          [withTls, 'sleep', undefined, [file], 'attachable'],
          [without, 'sleep', undefined, [], 'no-tls'],
          [agentPid, 'claude-code', 'claude-code', [], 'no-tls'],
        ],
      );
      assert.equal(found.find(({ pid }) => pid === process.pid)?.state, 'ours');
    } finally {
      for (const child of children) {
        child.kill();
      }
      rmSync(folder, { recursive: true });
    }
  });

  it('shows command lines as it is told to mask them', async () => {
    const child = spawn('sleep', ['30.5'], { stdio: 'ignore' });
    try {
      await new Promise((resolve) => setTimeout(resolve, 100));
      const { argv } = createRedaction(loadConfig({ SIGHTLINE_REDACT: '/30\\.5/' }));
      const found = discoverProcesses({
        finder: { examinedFiles: () => ({ files: [], unreachable: [] }) },
        maskArguments: argv,
      });
      assert.deepEqual(found.find(({ pid }) => pid === child.pid)?.argv, ['sleep', '****']);
    } finally {
      child.kill();
    }
  });

  it('recognises another Sightline, which has the capabilities and the name', async function () {
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
      const found = discoverProcesses({
        finder: {
          examinedFiles: (pid) => ({ files: pid === other.pid ? [file] : [], unreachable: [] }),
        },
      });
      assert.equal(found.find(({ pid }) => pid === other.pid)?.state, 'ours');
    } finally {
      other.kill();
    }
  });
});
