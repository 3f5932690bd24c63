/** A process and the programs it ran, as the process table keeps them. */
import type { ProcessRef } from '../capture/events.ts';

export interface Program {
  startNs: bigint;
  executable: string;
  argv: string[];
  argvLostBytes: number;
  comm: string;
}

export interface Process {
  ref: ProcessRef;
  /** `pid@startNs`: the key of the table. */
  key: string;
  parent: Process | undefined;
  parentRef: ProcessRef | undefined;
  /** Fork, where it was seen; else the process's start time. */
  startNs: bigint;
  /** Execs in order; a process that only forked has its parent's program at the time, marked `inherited`. */
  programs: Program[];
  /** True until the process itself execs: `programs` holds its parent's. */
  inherited: boolean;
  uid: number | undefined;
  gid: number | undefined;
  cgroupId: bigint | undefined;
  owner: string | undefined;
  containerId: string | undefined;
  podUid: string | undefined;
  packageName: string | undefined;
  packageVersion: string | undefined;
  serviceName: string | undefined;
  exit: { timeNs: bigint; exitCode?: number; signal?: number } | undefined;
}
