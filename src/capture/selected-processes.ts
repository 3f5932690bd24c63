/** Remembers what was judged of each process: which are observed, and which are left out. */
import type { CgroupPaths } from './cgroup-paths.ts';
import type { ExecEvent, ProcessRef } from './events.ts';
import type { RenamedProcess } from './kernel-record.ts';
import { listProcesses, readProcess, readStat } from './proc-process.ts';
import { type ProcStat, TICK_NS } from './proc-stat.ts';
import type { Judgement, ProcessSelection, ProcessSubject } from './process-selection.ts';

/** How often /proc is read anew for the children that processes had before they were judged. */
const MAX_ROUNDS = 16;

export interface Rejudged {
  stat: ProcStat;
  /** Undefined when nothing was. */
  before: Judgement | undefined;
  after: Judgement;
}

interface Judged {
  startNs: bigint;
  judgement: Judgement;
  /** The kernel's number of the program that was judged, where it told of one. */
  execId: bigint | undefined;
}

export interface SelectedProcesses {
  readonly selection: ProcessSelection;
  /** A process starts a program. */
  started(event: ExecEvent, execId: bigint): Judgement;
  /** A process that the kernel tells of was made by another one. */
  forked(process: ProcessRef, parent: ProcessRef): Judgement;
  /** What was judged of a process that the kernel tells of; looked up in /proc when nothing was. */
  of(process: ProcessRef): Judgement;
  execIdOf(process: ProcessRef): bigint | undefined;
  /** A running process as /proc has it, judged by what it runs and what its parent was judged to be. */
  running(stat: ProcStat): Judgement;
  /** A process that runs has taken another name; undefined when it has gone meanwhile. */
  renamed(renamed: RenamedProcess): Rejudged | undefined;
  forget(process: ProcessRef): void;
  /** Forgets processes that have gone without a word, as those do that are not seen. */
  sweep(): void;
}

/** `selection.judge` is asked for each process once a program, beginning with the parents. */
export function createSelectedProcesses(
  selection: ProcessSelection,
  cgroups: CgroupPaths,
): SelectedProcesses {
  const judged = new Map<number, Judged>();

  function find({ pid, startNs }: ProcessRef): Judged | undefined {
    const found = judged.get(pid);
    if (found === undefined || found.startNs === startNs) {
      return found;
    }
    // One of the two may be from /proc, which knows ticks only.
    return found.startNs / TICK_NS === startNs / TICK_NS ? found : undefined;
  }

  function keep({ pid, startNs }: ProcessRef, judgement: Judgement, execId?: bigint): Judgement {
    judged.set(pid, { startNs, judgement, execId });
    return judgement;
  }

  function judgeStat(stat: ProcStat, before: Judged | undefined): Judgement {
    const parent = stat.parentPid > 0 ? readStat(stat.parentPid) : undefined;
    const from = [before?.judgement, parent && find(refOf(parent))?.judgement];
    return selection.judge(runningSubject(stat, cgroups), from);
  }

  function running(stat: ProcStat): Judgement {
    const ref = refOf(stat);
    const before = find(ref);
    const startNs = before ? before.startNs : ref.startNs;
    return keep({ pid: ref.pid, startNs }, judgeStat(stat, before), before?.execId);
  }

  /** The kernel's word on it was lost; so /proc is asked. */
  function lookUp(process: ProcessRef): Judgement {
    const stat = readStat(process.pid);
    if (stat && refOf(stat).startNs / TICK_NS === process.startNs / TICK_NS) {
      return running(stat);
    }
    const kind = selection.hasTargets ? 'unwanted' : 'wanted';
    return keep(process, { kind, reason: 'had exited before it could be judged' });
  }

  return {
    selection,
    started(event, execId) {
      const from = [find(event.process)?.judgement, find(event.parent)?.judgement];
      const subject = {
        comm: event.comm,
        executable: event.executable,
        uid: event.uid,
        cgroups: () => cgroups.of(event.process.pid, event.cgroupId),
      };
      return keep(event.process, selection.judge(subject, from), execId);
    },
    forked(process, parent) {
      const above = find(parent);
      if (above === undefined) {
        return lookUp(process);
      }
      return keep(process, above.judgement, above.execId);
    },
    of: (process) => find(process)?.judgement ?? lookUp(process),
    execIdOf: (process) => find(process)?.execId,
    running,
    renamed({ process, comm, execId }) {
      const stat = readStat(process.pid);
      if (!stat || stat.startTicks !== process.startNs / TICK_NS) {
        return undefined;
      }
      const known = find(process);
      const renamed = { ...stat, comm };
      const after = keep(process, judgeStat(renamed, known), execId);
      return { stat: renamed, before: known?.judgement, after };
    },
    forget(process) {
      if (find(process)) {
        judged.delete(process.pid);
      }
    },
    sweep() {
      for (const [pid, { startNs }] of judged) {
        const stat = readStat(pid);
        if (!stat || refOf(stat).startNs / TICK_NS !== startNs / TICK_NS) {
          judged.delete(pid);
        }
      }
    },
  };
}

/**
 * Goes through all running processes, parents first, and again until no new one is found that matters: one may be
 * made between the reading of /proc and `onJudged`, which takes note of it in the kernel.
 */
export function judgeRunning(
  selected: Pick<SelectedProcesses, 'running'>,
  onJudged: (stat: ProcStat, judgement: Judgement) => void,
): void {
  const seen = new Map<number, bigint>();
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    let hasNews = false;
    for (const stat of listProcesses().sort(byStart)) {
      if (seen.get(stat.pid) === stat.startTicks) {
        continue;
      }
      seen.set(stat.pid, stat.startTicks);
      const judgement = selected.running(stat);
      hasNews ||= judgement.kind !== 'unwanted';
      onJudged(stat, judgement);
    }
    if (!hasNews) {
      return;
    }
  }
}

/** Parents before their children: a child never starts before its parent. */
export function byStart(left: ProcStat, right: ProcStat): number {
  const difference = left.startTicks - right.startTicks;
  return difference === 0n ? left.pid - right.pid : difference < 0n ? -1 : 1;
}

export function refOf({ pid, startTicks }: ProcStat): ProcessRef {
  return { pid, startNs: startTicks * TICK_NS };
}

/** Of a process that has exited meanwhile nothing matches. */
function runningSubject(stat: ProcStat, cgroups: CgroupPaths): ProcessSubject {
  const found = readProcess(stat.pid);
  return {
    pid: stat.pid,
    comm: stat.comm,
    executable: found?.executable ?? '',
    uid: found?.uid ?? -1,
    cgroups: () => cgroups.of(stat.pid),
  };
}
