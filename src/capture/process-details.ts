/** Looks up what files tell about a process beside what the kernel said: owner, container, package. */
import { LRUCache } from 'lru-cache';
import { type ContainerIdentity, parseContainer } from './container-identity.ts';
import type { DetailsEvent, ProcessRef } from './events.ts';
import { createPackageFinder } from './script-package.ts';
import { readSmallText } from './small-file.ts';
import { createUserNames } from './user-names.ts';

const MAX_CGROUP_BYTES = 64 * 1024;

/** Control groups whose container is remembered. */
const MAX_CGROUPS = 4096;

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

export function createProcessDetails(): ProcessDetails {
  const users = createUserNames();
  const packages = createPackageFinder();
  const containers = new LRUCache<bigint, ContainerIdentity>({ max: MAX_CGROUPS });

  function containerOf(subject: DetailsSubject): ContainerIdentity {
    const cached = subject.cgroupId === undefined ? undefined : containers.get(subject.cgroupId);
    if (cached) {
      return cached;
    }
    const text = readSmallText(`/proc/${subject.process.pid}/cgroup`, MAX_CGROUP_BYTES);
    if (text === undefined) {
      return {};
    }
    const container = parseContainer(text);
    if (subject.cgroupId !== undefined) {
      containers.set(subject.cgroupId, container);
    }
    return container;
  }

  return {
    describe(subject, timeNs) {
      const owner = users.nameOf(subject.uid);
      const details = {
        ...(owner === undefined ? {} : { owner }),
        ...containerOf(subject),
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
