/** Lists the executable file mappings of a process (proc_pid_maps(5)). */
import { readSmallText } from '../capture/small-file.ts';

/** A browser has some thousand mappings of about 100 bytes each; more than this is not looked at. */
const MAX_MAPS_BYTES = 8 * 1024 * 1024;

export interface FileMapping {
  /** Path as the process's mount namespace names it. */
  path: string;
  inode: bigint;
  /** The file has no name any more: it was replaced or removed since. */
  isDeleted: boolean;
  /** Name of the link in /proc/PID/map_files that leads to the very file. */
  range: string;
}

/** Each mapped file once. Empty when the process has exited or may not be looked at. */
export function readExecutableMappings(pid: number): FileMapping[] {
  return parseExecutableMappings(readSmallText(`/proc/${pid}/maps`, MAX_MAPS_BYTES) ?? '');
}

export function parseExecutableMappings(maps: string): FileMapping[] {
  const seen = new Set<string>();
  const found: FileMapping[] = [];
  for (const line of maps.split('\n')) {
    // address perms offset device inode path; only the path can hold spaces.
    const match = /^([0-9a-f]+)-([0-9a-f]+) (..)(.). [0-9a-f]+ (\S+) (\d+) +(\/.*)$/.exec(line);
    if (match?.[4] !== 'x' || match[6] === '0') {
      continue;
    }
    const [, start = '', end = '', , , device, inode = '0', name = ''] = match;
    const key = `${device} ${inode} ${name}`;
    if (seen.has(key)) {
      continue;
    }
    seen.add(key);
    const isDeleted = name.endsWith(' (deleted)');
    // The kernel writes a line end in a name as \012 and leaves everything else.
    const path = (isDeleted ? name.slice(0, -' (deleted)'.length) : name).replaceAll('\\012', '\n');
    found.push({
      path,
      inode: BigInt(inode),
      isDeleted,
      // map_files has the addresses without leading zeros.
      range: `${start.replace(/^0+(?=.)/, '')}-${end.replace(/^0+(?=.)/, '')}`,
    });
  }
  return found;
}
