/** Knows the control groups of processes by path (cgroups(7)), of those that have exited, too, where it can. */
import { type Dirent, readdirSync, statSync } from 'node:fs';
import { LRUCache } from 'lru-cache';
import { readSmallText } from './small-file.ts';

const MAX_CGROUP_BYTES = 64 * 1024;
const MAX_MOUNTS_BYTES = 1024 * 1024;

/** Control groups that are remembered. */
const MAX_CGROUPS = 4096;

/** Directories that a search for one group looks into. */
const MAX_SEARCHED = 8192;

export interface CgroupPaths {
  /**
   * The paths of a process's groups, one of each hierarchy, without the root ones' `/`. `cgroupId`: as the kernel gave
   * it at exec, by which the group is found when the process has exited. Undefined when it cannot be told.
   */
  of(pid: number, cgroupId?: bigint): readonly string[] | undefined;
}

export function createCgroupPaths(): CgroupPaths {
  const known = new LRUCache<bigint, readonly string[]>({ max: MAX_CGROUPS });
  let root: string | undefined;

  function find(cgroupId: bigint): readonly string[] | undefined {
    root ??= unifiedRoot();
    const path = root === '' ? undefined : searchDirectory(root, cgroupId);
    return path === undefined ? undefined : pathsOf([path.slice(root.length)]);
  }

  return {
    of(pid, cgroupId) {
      const cached = cgroupId === undefined ? undefined : known.get(cgroupId);
      if (cached) {
        return cached;
      }
      const text = readSmallText(`/proc/${pid}/cgroup`, MAX_CGROUP_BYTES);
      // An id names a group of the unified hierarchy alone; the older ones differ among its processes.
      const isNamed = text === undefined || isUnifiedOnly(text);
      const paths = text !== undefined ? parseCgroups(text) : cgroupId && find(cgroupId);
      if (paths && isNamed && cgroupId !== undefined) {
        known.set(cgroupId, paths);
      }
      return paths || undefined;
    },
  };
}

/** Takes the content of /proc/PID/cgroup. */
export function parseCgroups(text: string): readonly string[] {
  return pathsOf(text.split('\n').map(pathIn));
}

/** hierarchy:controllers:path; controllers and path can hold colons, a controller's name none. */
function pathIn(line: string): string {
  return line.split(':').slice(2).join(':');
}

function pathsOf(paths: readonly string[]): readonly string[] {
  return [...new Set(paths.filter((path) => path !== '' && path !== '/'))];
}

function isUnifiedOnly(text: string): boolean {
  return text
    .split('\n')
    .every((line) => line === '' || line.startsWith('0::') || pathIn(line) === '/');
}

/** Where the unified hierarchy is mounted; empty when it is not. */
function unifiedRoot(): string {
  const mounts = readSmallText('/proc/self/mounts', MAX_MOUNTS_BYTES) ?? '';
  return /^\S+ (\S+) cgroup2 /m.exec(mounts)?.[1] ?? '';
}

/** The directory whose inode has the number; a group's id is that. Wide before deep: containers are near the root. */
function searchDirectory(root: string, inode: bigint): string | undefined {
  const waiting = [root];
  for (let at = 0; at < waiting.length && at < MAX_SEARCHED; at += 1) {
    const path = waiting[at] ?? '';
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (stats?.ino === inode) {
      return path;
    }
    for (const entry of list(path)) {
      if (entry.isDirectory()) {
        waiting.push(`${path}/${entry.name}`);
      }
    }
  }
  return undefined;
}

function list(path: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
}
