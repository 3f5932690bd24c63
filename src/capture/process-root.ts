/** Opens files as a process sees them: through its root directory, which in a container is another than ours. */
import { lstatSync, readlinkSync } from 'node:fs';
import { posix } from 'node:path';
import { readLink } from './small-file.ts';

/** Symbolic links followed at most, as the kernel's own limit. */
const MAX_LINKS = 40;

/** Prefix of a path for this process's view: empty when it shares our mounts and root. */
export function rootPrefix(pid: number): string {
  const root = readLink(`/proc/${pid}/root`);
  const mounts = readLink(`/proc/${pid}/ns/mnt`);
  const isOurs = root === '/' && mounts !== undefined && mounts === readLink('/proc/self/ns/mnt');
  return isOurs ? '' : `/proc/${pid}/root`;
}

/**
 * Follows the symbolic links of an absolute path below `prefix`, reading absolute ones as relative to it, as the
 * process itself would: a link in a container must not lead to a file of the host. Returns the path without
 * `prefix`, or undefined when it leads nowhere.
 */
export function resolveInRoot(prefix: string, path: string): string | undefined {
  let links = 0;
  let resolved = '/';
  const todo = path.split('/').reverse();
  while (todo.length > 0) {
    const part = todo.pop();
    if (!part || part === '.') {
      continue;
    }
    if (part === '..') {
      resolved = posix.dirname(resolved);
      continue;
    }
    const next = posix.join(resolved, part);
    const target = linkTarget(`${prefix}${next}`);
    if (target === 'missing') {
      return undefined;
    }
    if (target === undefined) {
      resolved = next;
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) {
      return undefined;
    }
    if (target.path.startsWith('/')) {
      resolved = '/';
    }
    todo.push(...target.path.split('/').reverse());
  }
  return resolved;
}

function linkTarget(path: string): { path: string } | 'missing' | undefined {
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (!stats) {
      return 'missing';
    }
    return stats.isSymbolicLink() ? { path: readlinkSync(path) } : undefined;
  } catch {
    return 'missing';
  }
}
