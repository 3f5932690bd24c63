/** What is remembered of the processes that were judged, as the kernel tells of them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createCgroupPaths } from '../../../src/capture/cgroup-paths.ts';
import type { ExecEvent, ProcessRef } from '../../../src/capture/events.ts';
import { readStat } from '../../../src/capture/proc-process.ts';
import { TICK_NS } from '../../../src/capture/proc-stat.ts';
import {
  createProcessSelection,
  type ProcessPatterns,
} from '../../../src/capture/process-selection.ts';
import {
  createSelectedProcesses,
  judgeRunning,
  type SelectedProcesses,
} from '../../../src/capture/selected-processes.ts';

const NONE: ProcessPatterns = { pids: [], comms: [], executables: [], uids: [], cgroups: [] };

/** Above every pid that a kernel hands out, so that /proc has none of them. */
const FIRST_PID = 2 ** 22 + 1;

function processOf(number: number, startNs = 10n ** 12n + BigInt(number)): ProcessRef {
  return { pid: FIRST_PID + number, startNs };
}

function execOf(process: ProcessRef, parent: ProcessRef, comm: string): ExecEvent {
  return {
    type: 'exec',
    timeNs: 1n,
    process,
    parent,
    executable: `/usr/bin/${comm}`,
    argv: [comm],
    argvLostBytes: 0,
    uid: 0,
    gid: 0,
    cgroupId: 1n,
    comm,
  };
}

function selectedBy(
  targets: Partial<ProcessPatterns>,
  exclude: Partial<ProcessPatterns> = {},
): SelectedProcesses {
  const selection = createProcessSelection({
    targets: { ...NONE, ...targets },
    exclude: { ...NONE, ...exclude },
  });
  assert.ok(selection);
  return createSelectedProcesses(selection, createCgroupPaths());
}

describe('selected processes', () => {
  const [shell, agent, tool, below] = [0, 1, 2, 3].map((number) => processOf(number)) as [
    ProcessRef,
    ProcessRef,
    ProcessRef,
    ProcessRef,
  ];

  it('are judged by each program, and a child has what its parent has', () => {
    const selected = selectedBy({ comms: ['agent'] }, { comms: ['git'] });
    assert.equal(selected.started(execOf(agent, shell, 'sh'), 5n).kind, 'unwanted');
    assert.equal(selected.forked(tool, agent).kind, 'unwanted');
    assert.equal(selected.execIdOf(tool), 5n, 'the program that it was judged by is its parent’s');
    assert.equal(selected.started(execOf(agent, shell, 'agent'), 6n).kind, 'wanted');
    assert.equal(selected.execIdOf(agent), 6n);
    assert.equal(selected.of(tool).kind, 'unwanted', 'it was made before');
    assert.equal(selected.forked(below, agent).kind, 'wanted');
    assert.equal(selected.started(execOf(below, agent, 'git'), 7n).kind, 'excluded');
    assert.equal(selected.started(execOf(below, agent, 'agent'), 8n).kind, 'excluded');
    assert.equal(selected.started(execOf(agent, shell, 'cat'), 9n).kind, 'wanted', 'for life');
  });

  it('are not mixed up with what had their pid before', () => {
    const selected = selectedBy({ comms: ['agent'] });
    selected.started(execOf(agent, shell, 'agent'), 1n);
    const later = { pid: agent.pid, startNs: agent.startNs + 5n * TICK_NS };
    assert.equal(selected.of(later).kind, 'unwanted');
    assert.equal(selected.started(execOf(tool, later, 'cat'), 1n).kind, 'unwanted');
    // What /proc tells is the same process: it knows ticks of 10 ms.
    const again = selectedBy({ comms: ['agent'] });
    again.started(execOf(agent, shell, 'agent'), 1n);
    const ticks = { pid: agent.pid, startNs: (agent.startNs / TICK_NS) * TICK_NS };
    assert.equal(again.of(ticks).kind, 'wanted');
  });

  it('that have gone before anybody knew them are no targets, but not excluded either', () => {
    assert.equal(selectedBy({ comms: ['agent'] }).of(agent).kind, 'unwanted');
    assert.equal(selectedBy({}, { comms: ['agent'] }).of(agent).kind, 'wanted');
    assert.equal(selectedBy({}, { comms: ['agent'] }).forked(tool, agent).kind, 'wanted');
  });

  it('are forgotten when they have gone, with or without a word', () => {
    const selected = selectedBy({ comms: ['agent'] });
    for (const process of [agent, tool]) {
      selected.started(execOf(process, shell, 'agent'), 1n);
    }
    selected.forget(agent);
    assert.equal(selected.of(agent).kind, 'unwanted');
    selected.sweep();
    assert.equal(selected.of(tool).kind, 'unwanted');
  });

  it('are looked up in /proc when the kernel’s word on them was lost', () => {
    const stat = readStat(process.pid);
    assert.ok(stat);
    const self = { pid: process.pid, startNs: stat.startTicks * TICK_NS + 123n };
    assert.equal(selectedBy({ comms: [stat.comm] }).of(self).kind, 'wanted');
    assert.equal(selectedBy({ comms: ['something-else'] }).of(self).kind, 'unwanted');
  });

  it('are found running with their descendants, and by a name they take later', () => {
    const child = spawn('bash', ['-c', 'read -r _'], { stdio: ['pipe', 'ignore', 'ignore'] });
    try {
      const pid = child.pid as number;
      const selected = selectedBy({ comms: ['newname'] });
      const kinds = new Map<number, string>();
      judgeRunning(selected, (stat, { kind }) => kinds.set(stat.pid, kind));
      assert.equal(kinds.get(pid), 'unwanted');
      const stat = readStat(pid);
      assert.ok(stat);
      const ref = { pid, startNs: stat.startTicks * TICK_NS + 123n };
      const other = selected.renamed({ process: ref, comm: 'other', execId: 1n });
      assert.deepEqual([other?.before?.kind, other?.after.kind], ['unwanted', 'unwanted']);
      const named = selected.renamed({ process: ref, comm: 'newname', execId: 1n });
      assert.deepEqual([named?.before?.kind, named?.after.kind], ['unwanted', 'wanted']);
      assert.equal(named?.stat.comm, 'newname');
      assert.equal(selected.execIdOf(ref), 1n);
      const gone = { pid, startNs: ref.startNs - 7n * TICK_NS };
      assert.equal(selected.renamed({ process: gone, comm: 'newname', execId: 1n }), undefined);
      const byPid = selectedBy({ pids: [process.pid] });
      judgeRunning(byPid, (found, { kind }) => kinds.set(found.pid, kind));
      assert.equal(kinds.get(process.pid), 'wanted');
      assert.equal(kinds.get(pid), 'wanted');
      assert.equal(kinds.get(process.ppid), 'unwanted');
    } finally {
      child.kill();
    }
  });
});
