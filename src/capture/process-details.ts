/** Looks up what files tell about a process beside what the kernel said: owner, container, package. */
import { type CgroupPaths, createCgroupPaths } from './cgroup-paths.ts';
import { containerOf } from './container-identity.ts';
import type { DetailsEvent, ProcessRef } from './events.ts';
import { createPackageFinder } from './script-package.ts';
import { createUserNames } from './user-names.ts';

export interface DetailsSubject {
  process: ProcessRef;
  executable: string;
  argv: readonly string[];
  uid: number;
  /** As the kernel gave it at exec; the processes of one group are looked up once. */
  cgroupId?: bigint;
}

export interface ProcessDetails {
  /** Undefined when there is nothing to tell. A process that has exited is described as far as that goes. */
  describe(subject: DetailsSubject, timeNs: bigint): DetailsEvent | undefined;
  /** Looks whether the user database changed. */
  refresh(): void;
}

export function createProcessDetails(cgroups: CgroupPaths = createCgroupPaths()): ProcessDetails {
  const users = createUserNames();
  const packages = createPackageFinder();
  return {
    describe(subject, timeNs) {
      const owner = users.nameOf(subject.uid);
      const details = {
        ...(owner === undefined ? {} : { owner }),
        ...containerOf(cgroups.of(subject.process.pid, subject.cgroupId) ?? []),
        ...packages.find(subject.process.pid, subject.executable, subject.argv),
      };
      if (Object.keys(details).length === 0) {
        return undefined;
      }
      return { type: 'details', timeNs, process: subject.process, ...details };
    },
    refresh: users.refresh,
  };
}
