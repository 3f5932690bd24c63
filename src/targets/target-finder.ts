/** Finds the executables and libraries with TLS in them and attaches to each once, by inode. */
import { type BigIntStats, statfsSync, statSync } from 'node:fs';
import { LRUCache } from 'lru-cache';
import { listProcesses } from '../capture/proc-process.ts';
import { rootPrefix } from '../capture/process-root.ts';
import { readLink } from '../capture/small-file.ts';
import type { AttachPort, TargetFile, TargetTracker } from '../capture/target-tracker.ts';
import { messageOf } from '../util/errors.ts';
import { librariesBeside, runtimesOnPath, systemLibraries } from './known-files.ts';
import { createMappingWatch } from './mapping-watch.ts';
import { type FileMapping, readExecutableMappings } from './process-maps.ts';
import { createRelookSchedule, type RelookScheduleOptions } from './relook-schedule.ts';
import type { LocatedProbes, TlsLocation } from './tls-location.ts';

/** Files remembered that have nothing to attach to. A host runs from some hundred to some thousand files. */
export const DEFAULT_MAX_REMEMBERED = 8192;

/** Each attached file costs kernel memory and a file descriptor per probe. */
export const DEFAULT_MAX_ATTACHED = 512;

/**
 * A probe keeps the mount of its file busy. Those on files of other mount namespaces, and on files that were replaced
 * or removed, are given up when two looks this far apart found nobody using them, so that a container's file system
 * can go when the container does.
 */
export const DEFAULT_SWEEP_INTERVAL_MS = 30_000;

/** OVERLAYFS_SUPER_MAGIC of linux/magic.h. */
const OVERLAY_MAGIC = 0x794c7630;

export interface TargetFinderOptions {
  /** What is to be probed in a file; see `createTlsLocator`. */
  locate(path: string): TlsLocation;
  /** Told of every file whose verdict is new and of interest: attached, refused or failed. */
  onVerdict?(file: TargetFile): void;
  /** The PATH to find runtimes on; default: our own. */
  searchPath?: string;
  maxRemembered?: number;
  maxAttached?: number;
  relook?: Pick<RelookScheduleOptions, 'delaysMs' | 'maxWaiting'>;
  sweepIntervalMs?: number;
}

export interface TargetFinder extends TargetTracker {
  /** Every file with TLS that this process runs from or has mapped. Examines what is not known yet. */
  filesOf(pid: number): TargetFile[];
}

interface Attached {
  file: TargetFile;
  /** One a stack; empty when nothing captures: the finder was used for looking only. */
  ids: number[];
  stamp: string;
  probes: readonly LocatedProbes[];
  isOverlay: boolean;
  /** Attached through another mount namespace, or without a name in ours: kept only while used. */
  isForeign: boolean;
  /** Attached through a process of whatever namespace, because it has no name any more. */
  isNameless: boolean;
  /** The last sweep found nobody using it. */
  isIdle: boolean;
}

export function createTargetFinder(options: TargetFinderOptions): TargetFinder {
  const { locate } = options;
  const maxAttached = options.maxAttached ?? DEFAULT_MAX_ATTACHED;
  const limitReason = `${maxAttached} files are attached already, which is the limit`;
  /** By device and inode. */
  const attached = new Map<string, Attached>();
  /** Same file seen through another overlay mount: by what stays the same, see `overlayTwin`. */
  const attachedByContent = new Map<string, Attached>();
  /** By device, inode, size and change time: an executable that was written anew is another one. */
  const remembered = new LRUCache<string, TargetFile>({
    max: options.maxRemembered ?? DEFAULT_MAX_REMEMBERED,
  });
  const schedule = createRelookSchedule({ onDue: examine, ...options.relook });
  const mappings = createMappingWatch({ look: lookAt });
  let port: AttachPort | undefined;
  let sweepTimer: NodeJS.Timeout | undefined;

  function begin(to: AttachPort): void {
    port = to;
    sweepTimer = setInterval(sweep, options.sweepIntervalMs ?? DEFAULT_SWEEP_INTERVAL_MS);
    sweepTimer.unref();
    const runtimes = runtimesOnPath(options.searchPath ?? process.env.PATH ?? '');
    for (const path of [...systemLibraries(), ...runtimes]) {
      examinePath(path);
    }
  }

  function examine(pid: number): void {
    filesOf(pid);
  }

  function executed(pid: number): void {
    const stats = statOf(`/proc/${pid}/exe`);
    if (!stats) {
      // It has exited, or may not be looked at.
      return;
    }
    if (!isKnown(stats)) {
      const prefix = rootPrefix(pid);
      const executable = readLink(`/proc/${pid}/exe`) ?? '';
      examineMapped(pid, stats, `${prefix}${executable}`);
      for (const library of prefix === '' ? librariesBeside(executable) : []) {
        examinePath(library);
      }
    }
    // A container's files are given up when it goes, and may come again without being reported again.
    if (port?.reportsMappings !== true || rootPrefix(pid) !== '') {
      schedule.add(pid);
    }
  }

  /** The inodes of all files that the process has mapped executable, each of which is examined by now. */
  function lookAt(pid: number): Set<bigint> {
    const inodes = new Set<bigint>();
    filesOf(pid, inodes);
    return inodes;
  }

  function filesOf(pid: number, inodes?: Set<bigint>): TargetFile[] {
    const found = new Set<TargetFile>();
    const prefix = rootPrefix(pid);
    for (const mapping of readExecutableMappings(pid)) {
      inodes?.add(mapping.inode);
      const file = examineMapping(pid, prefix, mapping);
      if (file && file.verdict !== 'no-tls') {
        found.add(file);
      }
    }
    return [...found];
  }

  /** Takes the file by its name where that still leads to what is mapped, else through the mapping itself. */
  function examineMapping(
    pid: number,
    prefix: string,
    mapping: FileMapping,
  ): TargetFile | undefined {
    const named = `${prefix}${mapping.path}`;
    const stats = mapping.isDeleted ? undefined : statOf(named);
    // On some file systems the two disagree about the device, on none about the inode.
    if (stats && stats.ino === mapping.inode) {
      return examineStats(named, stats);
    }
    const mapped = `/proc/${pid}/map_files/${mapping.range}`;
    const mappedStats = statOf(mapped);
    return mappedStats ? examineStats(mapped, mappedStats, named) : undefined;
  }

  /** The running executable: by its name when that is the same file, else through /proc. */
  function examineMapped(pid: number, stats: BigIntStats, named: string): TargetFile | undefined {
    const byName = statOf(named);
    const isSame = byName?.ino === stats.ino && byName?.dev === stats.dev;
    return isSame
      ? examineStats(named, stats)
      : examineStats(`/proc/${pid}/exe`, stats, named.replace(/ \(deleted\)$/, ''));
  }

  function examinePath(path: string): TargetFile | undefined {
    const stats = statOf(path);
    return stats ? examineStats(path, stats) : undefined;
  }

  function isKnown(stats: BigIntStats): boolean {
    return (
      attached.get(inodeKey(stats))?.stamp === stampOf(stats) ||
      remembered.has(`${inodeKey(stats)}:${stampOf(stats)}`)
    );
  }

  /** `path` opens the file now; `name` is what it is called, where that differs. */
  function examineStats(
    path: string,
    stats: BigIntStats,
    name: string = path,
  ): TargetFile | undefined {
    if (!stats.isFile()) {
      return undefined;
    }
    const stamp = stampOf(stats);
    const present = attached.get(inodeKey(stats));
    if (present?.stamp === stamp) {
      return present.file;
    }
    const key = `${inodeKey(stats)}:${stamp}`;
    const known = remembered.get(key);
    if (known) {
      return known;
    }
    const file: TargetFile = {
      path: name,
      device: stats.dev,
      inode: stats.ino,
      verdict: 'no-tls',
      reason: '',
    };
    const location = locate(path);
    if (present) {
      return renew(present, path, stats, location, file);
    }
    if (location.kind !== 'found') {
      return settle(key, file, location);
    }
    describe(file, location.probes, location.buildId);
    const twin = overlayTwin(path, stats);
    if (twin) {
      // Not remembered as an inode of its own: uprobes go to the file below, which has them already.
      remembered.set(key, twin.file);
      return twin.file;
    }
    return attach(path, stats, file, location.probes);
  }

  /** A file without anything to attach to. */
  function settle(
    key: string,
    file: TargetFile,
    location: { kind: 'none' | 'refused' | 'failed'; reason: string; buildId?: string | undefined },
  ): TargetFile {
    file.verdict = location.kind === 'none' ? 'no-tls' : location.kind;
    file.reason = location.reason;
    if (location.buildId) {
      file.buildId = location.buildId;
    }
    const isTransient = location.kind === 'failed' && file.path.startsWith('/proc/');
    if (!isTransient) {
      remembered.set(key, file);
    }
    if (file.verdict !== 'no-tls') {
      options.onVerdict?.(file);
    }
    return file;
  }

  function attach(
    path: string,
    stats: BigIntStats,
    file: TargetFile,
    probes: readonly LocatedProbes[],
  ): TargetFile {
    const key = `${inodeKey(stats)}:${stampOf(stats)}`;
    if (attached.size >= maxAttached) {
      return settle(key, file, { kind: 'refused', reason: limitReason });
    }
    const ids: number[] = [];
    const failures: string[] = [];
    for (const { request } of port ? probes : []) {
      try {
        ids.push((port as AttachPort).attach({ ...request, path }));
      } catch (error) {
        failures.push(messageOf(error));
      }
    }
    if (port && ids.length === 0) {
      return settle(key, file, { kind: 'failed', reason: failures.join('; ') });
    }
    file.verdict = port ? 'attached' : 'attachable';
    file.reason = [...probes.map(summaryOf), ...failures].join('; ');
    const entry: Attached = {
      file,
      ids,
      stamp: stampOf(stats),
      probes,
      isOverlay: isOnOverlay(path),
      isForeign: path.startsWith('/proc/'),
      isNameless: /^\/proc\/\d+\/(?:exe$|map_files\/)/.test(path),
      isIdle: false,
    };
    attached.set(inodeKey(stats), entry);
    attachedByContent.set(contentKey(stats), entry);
    options.onVerdict?.(file);
    return file;
  }

  /** An attached inode was written to: keep the probes only where the functions still are. */
  function renew(
    present: Attached,
    path: string,
    stats: BigIntStats,
    location: TlsLocation,
    file: TargetFile,
  ): TargetFile {
    if (location.kind === 'found' && hasSameProbes(present.probes, location.probes)) {
      present.stamp = stampOf(stats);
      return present.file;
    }
    giveUp(present);
    if (location.kind !== 'found') {
      return settle(`${inodeKey(stats)}:${stampOf(stats)}`, file, location);
    }
    describe(file, location.probes, location.buildId);
    return attach(path, stats, file, location.probes);
  }

  function giveUp(entry: Attached): void {
    for (const id of entry.ids) {
      try {
        port?.detach(id);
      } catch (error) {
        options.onVerdict?.({ ...entry.file, verdict: 'failed', reason: messageOf(error) });
      }
    }
    for (const files of [attached, attachedByContent]) {
      for (const [key, other] of files) {
        if (other === entry) {
          files.delete(key);
        }
      }
    }
    // Its twins under other mounts were remembered as this file; and there is room again for one refused before.
    for (const [key, file] of remembered.entries()) {
      if (file === entry.file || file.reason === limitReason) {
        remembered.delete(key);
      }
    }
  }

  function sweep(): void {
    const foreign = [...attached.values()].filter(({ isForeign }) => isForeign);
    if (foreign.length === 0) {
      return;
    }
    // Named files of other namespaces can be used there alone, which spares a look at most of the host.
    const isAnywhere = foreign.some(({ isNameless }) => isNameless);
    const used = new Set<TargetFile>();
    for (const { pid } of listProcesses()) {
      if (isAnywhere || rootPrefix(pid) !== '') {
        for (const file of filesOf(pid)) {
          used.add(file);
        }
      }
    }
    for (const entry of foreign) {
      if (used.has(entry.file)) {
        entry.isIdle = false;
      } else if (entry.isIdle) {
        giveUp(entry);
      } else {
        entry.isIdle = true;
      }
    }
  }

  /**
   * Two containers of one image show one file of the lower layer under two devices. Uprobes go to that file, so
   * attaching through both would capture every byte twice. Overlay mounts pass inode number, size and times of
   * the file below on; equal change times to the nanosecond make two different files out of the question, but
   * only where an overlay is involved: two mounts of one read-only image are truly two.
   */
  function overlayTwin(path: string, stats: BigIntStats): Attached | undefined {
    const candidate = attachedByContent.get(contentKey(stats));
    return candidate && (candidate.isOverlay || isOnOverlay(path)) ? candidate : undefined;
  }

  return {
    begin,
    examine,
    executed,
    mapped: (pid, inode, onFound) => mappings.add(pid, inode, onFound),
    examineFile: examinePath,
    filesOf: (pid) => filesOf(pid),
    discoveries() {
      const others = [...remembered.values()].filter(({ verdict }) => verdict !== 'no-tls');
      return [...new Set([...[...attached.values()].map(({ file }) => file), ...others])];
    },
    stop() {
      schedule.stop();
      mappings.stop();
      clearInterval(sweepTimer);
      port = undefined;
    },
  };
}

function describe(
  file: TargetFile,
  probes: readonly LocatedProbes[],
  buildId: string | undefined,
): void {
  file.located = probes.map(({ located }) => located);
  file.stacks = file.located.map(({ stack }) => stack);
  file.locatedBy = [...new Set(file.located.map(({ locatedBy }) => locatedBy))];
  file.functions = probes.flatMap(({ request }) => Object.keys(request.offsets)).sort();
  if (buildId) {
    file.buildId = buildId;
  }
}

function summaryOf({ request, located }: LocatedProbes): string {
  return `${Object.keys(request.offsets).length} functions of ${located.stack} by ${located.locatedBy}`;
}

function hasSameProbes(left: readonly LocatedProbes[], right: readonly LocatedProbes[]): boolean {
  return JSON.stringify(left.map(placesOf)) === JSON.stringify(right.map(placesOf));
}

function placesOf({ request: { stack, offsets, returns } }: LocatedProbes): unknown {
  return [stack, Object.entries(offsets).sort(), Object.entries(returns ?? {}).sort()];
}

function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    // ESRCH, EACCES, ENOTDIR: not there for us.
    return undefined;
  }
}

function isOnOverlay(path: string): boolean {
  try {
    return statfsSync(path).type === OVERLAY_MAGIC;
  } catch {
    return false;
  }
}

function inodeKey(stats: BigIntStats): string {
  return `${stats.dev}:${stats.ino}`;
}

function stampOf(stats: BigIntStats): string {
  return `${stats.size}:${stats.mtimeNs}`;
}

function contentKey(stats: BigIntStats): string {
  return `${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
}
