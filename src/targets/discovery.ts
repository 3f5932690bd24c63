/** Lists the running processes that could be observed, for `sightline discover`. */
import { listProcesses, readProcess } from '../capture/proc-process.ts';
import { TICK_NS } from '../capture/proc-stat.ts';
import { createProcessDetails } from '../capture/process-details.ts';
import { isSightlineInstance } from '../capture/sightline-instance.ts';
import type { TargetFile } from '../capture/target-tracker.ts';
import { maskArguments } from '../util/argument-secrets.ts';
import type { TargetFinder } from './target-finder.ts';
import { knownAgent, workloadName } from './workload-name.ts';

export interface DiscoveredProcess {
  pid: number;
  parentPid: number;
  executable: string;
  argv: string[];
  owner?: string;
  containerId?: string;
  /** The `service.name` its spans would have. */
  workload: string;
  /** Set when it is a known agent. */
  agent?: string;
  /** The files with TLS it runs from, with verdict and reason. */
  files: TargetFile[];
}

/** Processes that have TLS mapped, and known agents even without, by pid. Every Sightline is left out. */
export function discoverProcesses(finder: Pick<TargetFinder, 'filesOf'>): DiscoveredProcess[] {
  const details = createProcessDetails();
  const found: DiscoveredProcess[] = [];
  for (const stat of listProcesses()) {
    const isOurs = stat.pid === process.pid || isSightlineInstance(stat.pid);
    const described = isOurs ? undefined : readProcess(stat.pid);
    if (!described) {
      continue;
    }
    const { executable, uid, serviceName } = described;
    const argv = maskArguments(described.argv);
    const ref = { pid: stat.pid, startNs: stat.startTicks * TICK_NS };
    const more = details.describe({ process: ref, executable, argv: described.argv, uid }, 0n);
    const subject = {
      executable,
      argv,
      comm: stat.comm,
      serviceName,
      packageName: more?.packageName,
    };
    const agent = knownAgent(subject);
    const files = finder.filesOf(stat.pid);
    if (files.length === 0 && agent === undefined) {
      continue;
    }
    found.push({
      pid: stat.pid,
      parentPid: stat.parentPid,
      executable,
      argv,
      workload: workloadName(subject),
      files,
      ...(agent === undefined ? {} : { agent }),
      ...(more?.owner === undefined ? {} : { owner: more.owner }),
      ...(more?.containerId === undefined ? {} : { containerId: more.containerId }),
    });
  }
  return found.sort((left, right) => left.pid - right.pid);
}
