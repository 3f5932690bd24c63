/** Finds the executables and libraries with TLS in them and attaches to each once, by inode. */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  openSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { LRUCache } from 'lru-cache';
import type { TlsStack } from '../capture/events.ts';
import { createHostClock } from '../capture/host-clock.ts';
import { listProcesses } from '../capture/proc-process.ts';
import { rootPrefix } from '../capture/process-root.ts';
import { readLink } from '../capture/small-file.ts';
import type {
  AttachPort,
  ProbeRest,
  TargetFile,
  TargetTracker,
} from '../capture/target-tracker.ts';
import { messageOf } from '../util/errors.ts';
import { commandFiles } from './command-files.ts';
import { createFileSearches } from './file-searches.ts';
import { agentCommands, librariesBeside, runtimesOnPath, systemLibraries } from './known-files.ts';
import { createMappingWatch } from './mapping-watch.ts';
import { createProbeRest, type RestableFile } from './probe-rest.ts';
import { type FileMapping, readExecutableMappings } from './process-maps.ts';
import { createRelookSchedule, type RelookScheduleOptions } from './relook-schedule.ts';
import type { LocatedProbes, TlsLocation, TlsLocator } from './tls-location.ts';

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

/** Processes remembered to have run a file while it was searched. */
const MAX_USERS = 1024;

/** Stacks whose connections are followed again without harm after some of their calls were not seen. */
const RESTABLE_STACKS: ReadonlySet<TlsStack> = new Set(['openssl', 'boringssl', 'go']);

/** OVERLAYFS_SUPER_MAGIC of linux/magic.h. */
const OVERLAY_MAGIC = 0x794c7630;

/** A process ran code of a file before its probes were in place: what it sent until then is not seen. */
export interface LateAttach {
  pid: number;
  file: TargetFile;
  /** From the start of the program, or the mapping of the library, to the attaching. */
  lateNs: bigint;
}

export interface TargetFinderOptions {
  /** What is to be probed in a file. */
  locator: TlsLocator;
  /** Where files with TLS were in earlier runs. */
  knownPrograms?(): readonly string[];
  /** Told of every process that ran code of a new file, during the capture, before its probes were in place. */
  onLate?(attach: LateAttach): void;
  /** Told of a process that ran code of a new file and had ended before anybody could look at it. */
  onMissed?(pid: number): void;
  /** Nanoseconds of CLOCK_BOOTTIME, now. */
  bootNs?(): bigint;
  /** A defect of ours after a search. */
  onDefect?(error: unknown): void;
  /** Told of every file whose verdict is new and of interest: attached, refused or failed. */
  onVerdict?(file: TargetFile): void;
  /** The PATH to find runtimes on; default: our own. */
  searchPath?: string;
  maxRemembered?: number;
  maxAttached?: number;
  maxWaitingSearches?: number;
  relook?: Pick<RelookScheduleOptions, 'delaysMs' | 'maxWaiting'>;
  sweepIntervalMs?: number;
}

export interface TargetFinder extends TargetTracker {
  /** Every file with TLS that this process runs from or has mapped. Examines what is not known yet. */
  filesOf(pid: number): TargetFile[];
  /** The same with the files that have none, and the names of those that cannot be reached. */
  examinedFiles(pid: number): ExaminedFiles;
}

export interface ExaminedFiles {
  files: TargetFile[];
  unreachable: string[];
}

/** Who runs code of a file, and since when. */
type Users = Map<number, bigint>;

interface User {
  pid: number;
  sinceNs: bigint;
}

interface Searched {
  file: TargetFile;
  users: Users;
}

/** A file that is held open. */
interface Opened {
  /** Leads to it as long as it is open, whatever its names become. */
  path: string;
  stats: BigIntStats;
  /** Where it was met. */
  foundAt: string;
}

interface Attached {
  file: TargetFile;
  /** One a stack; empty when nothing captures: the finder was used for looking only. */
  ids: number[];
  /** Those of them whose probes may be taken away for a time. */
  restableIds: number[];
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
  const { locator } = options;
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
  /** As `remembered`, while they are searched. */
  const searched = new Map<string, Searched>();
  const searches = createFileSearches({
    locate: locator.locate,
    onDefect: (error) => options.onDefect?.(error),
    ...(options.maxWaitingSearches === undefined ? {} : { maxWaiting: options.maxWaitingSearches }),
  });
  const schedule = createRelookSchedule({ onDue: (pid) => void lookAt(pid), ...options.relook });
  const mappings = createMappingWatch({
    look: lookAt,
    onMissed: (pid) => options.onMissed?.(pid),
  });
  const bootNs = options.bootNs ?? createHostClock().bootNs;
  /** Files that any program may be using at the next moment. */
  const shared = new WeakSet<TargetFile>();
  let port: AttachPort | undefined;
  let rest: ProbeRest | undefined;
  let sweepTimer: NodeJS.Timeout | undefined;

  function begin(to: AttachPort): void {
    port = to;
    if (to.canRest) {
      rest = createProbeRest({
        port: to,
        filesOf: restableFilesOf,
        onLost: loseProbes,
        onDefect: (error) => options.onDefect?.(error),
        bootNs,
      });
    }
    sweepTimer = setInterval(sweep, options.sweepIntervalMs ?? DEFAULT_SWEEP_INTERVAL_MS);
    sweepTimer.unref();
    const searchPath = options.searchPath ?? process.env.PATH ?? '';
    const place = { directory: '/', env: { PATH: searchPath } };
    const agents = agentCommands(searchPath).flatMap((path) => commandFiles([path], place));
    const known = options.knownPrograms?.() ?? [];
    const runtimes = runtimesOnPath(searchPath);
    for (const path of new Set([...systemLibraries(), ...runtimes, ...agents])) {
      const file = examinePath(path);
      if (file !== undefined) {
        shared.add(file);
      }
    }
    for (const path of known) {
      examinePath(path);
    }
  }

  function examine(pid: number): void {
    // It began before the capture: its connections are joined midway anyway.
    filesOf(pid, undefined);
  }

  function executed(pid: number, timeNs: bigint): void {
    const stats = statOf(`/proc/${pid}/exe`);
    if (!stats) {
      // It has exited, or may not be looked at.
      return;
    }
    if (!isKnown(stats)) {
      const prefix = rootPrefix(pid);
      const executable = readLink(`/proc/${pid}/exe`) ?? '';
      examineMapped({ pid, sinceNs: timeNs }, stats, `${prefix}${executable}`);
      for (const library of prefix === '' ? librariesBeside(executable) : []) {
        examinePath(library);
      }
    }
    // A container's files are given up when it goes, and may come again without being reported again.
    if (port?.reportsMappings !== true || rootPrefix(pid) !== '') {
      schedule.add(pid);
    }
  }

  /** The inodes of all files that the process has mapped executable, each with whether its verdict is known by now. */
  function lookAt(pid: number, timeNs = bootNs()): Map<bigint, boolean> {
    const inodes = new Map<bigint, boolean>();
    filesOf(pid, { pid, sinceNs: timeNs }, inodes);
    return inodes;
  }

  function filesOf(
    pid: number,
    user: User | undefined,
    inodes?: Map<bigint, boolean>,
  ): TargetFile[] {
    const { files } = examineFiles(pid, user, inodes);
    return files.filter(({ verdict }) => verdict !== 'no-tls');
  }

  function examineFiles(pid: number, user?: User, inodes?: Map<bigint, boolean>): ExaminedFiles {
    const found = new Set<TargetFile>();
    const unreachable: string[] = [];
    const prefix = rootPrefix(pid);
    for (const mapping of readExecutableMappings(pid)) {
      const file = examineMapping(pid, prefix, mapping, user);
      if (file === 'unreachable') {
        unreachable.push(mapping.path);
        continue;
      }
      inodes?.set(mapping.inode, file?.verdict !== 'searching');
      if (file) {
        found.add(file);
      }
    }
    return { files: [...found], unreachable };
  }

  /** Takes the file by its name where that still leads to what is mapped, else through the mapping itself. */
  function examineMapping(
    pid: number,
    prefix: string,
    mapping: FileMapping,
    user: User | undefined,
  ): TargetFile | 'unreachable' | undefined {
    const named = `${prefix}${mapping.path}`;
    const stats = mapping.isDeleted ? undefined : statOf(named);
    // On some file systems the two disagree about the device, on none about the inode.
    if (stats && stats.ino === mapping.inode) {
      const file = examineStats(named, stats, named, user);
      if (file || !stats.isFile()) {
        return file;
      }
    }
    const mapped = `/proc/${pid}/map_files/${mapping.range}`;
    const mappedStats = statOf(mapped);
    return mappedStats ? examineStats(mapped, mappedStats, named, user) : 'unreachable';
  }

  /** The running executable: by its name when that is the same file, else through /proc. */
  function examineMapped(user: User, stats: BigIntStats, named: string): TargetFile | undefined {
    const byName = statOf(named);
    const isSame = byName?.ino === stats.ino && byName?.dev === stats.dev;
    return isSame
      ? examineStats(named, stats, named, user)
      : examineStats(`/proc/${user.pid}/exe`, stats, named.replace(/ \(deleted\)$/, ''), user);
  }

  function examinePath(path: string): TargetFile | undefined {
    const stats = statOf(path);
    return stats ? examineStats(path, stats) : undefined;
  }

  function isKnown(stats: BigIntStats): boolean {
    return attached.get(inodeKey(stats))?.stamp === stampOf(stats) || remembered.has(keyOf(stats));
  }

  /**
   * `path` opens the file now; `name` is what it is called, where that differs. Undefined for what is no file, and
   * for one whose place another has taken since `stats`.
   */
  function examineStats(
    path: string,
    stats: BigIntStats,
    name: string = path,
    user?: User,
    mustBeNow = false,
  ): TargetFile | undefined {
    if (!stats.isFile()) {
      return undefined;
    }
    const present = attached.get(inodeKey(stats));
    if (present?.stamp === stampOf(stats)) {
      return present.file;
    }
    const key = keyOf(stats);
    const known = remembered.get(key);
    if (known) {
      return known;
    }
    const users: Users = new Map(user && [[user.pid, user.sinceNs]]);
    const file: TargetFile = {
      path: name,
      device: stats.dev,
      inode: stats.ino,
      verdict: 'searching',
      reason: 'its search goes on',
    };
    return withOpened(path, (opened) => {
      if (opened instanceof Error) {
        return settle(key, file, { kind: 'failed', reason: opened.message });
      }
      return keyOf(opened.stats) === key
        ? examineOpened(opened, file, users, mustBeNow)
        : undefined;
    });
  }

  /** Who owns a name may make it another file's at any time: what is judged is what is searched and probed. */
  function examineOpened(
    opened: Opened,
    file: TargetFile,
    users: Users,
    mustBeNow: boolean,
  ): TargetFile {
    const isLookOnly = port === undefined;
    const location =
      mustBeNow || isLookOnly
        ? locator.locateNow(opened.path, file.path)
        : locator.locateIfQuick(opened.path, file.path);
    return location ? judge(opened, file, location, users) : search(opened, file, users);
  }

  /** A large file that nobody has searched before: the thread that events are handled on does not wait for it. */
  function search(found: Opened, file: TargetFile, users: Users): TargetFile {
    const { path, stats, foundAt } = found;
    const key = keyOf(stats);
    const under = searched.get(key);
    if (under) {
      for (const [pid, sinceNs] of users) {
        if (!under.users.has(pid) && under.users.size < MAX_USERS) {
          under.users.set(pid, sinceNs);
        }
      }
      return under.file;
    }
    const refusal = searches.add({
      path,
      name: file.path,
      isUrgent: users.size > 0,
      onDone(location, opened) {
        searched.delete(key);
        const now = statOf(opened);
        // What was written to meanwhile is another file, which is found when it is mapped.
        if (now && keyOf(now) === key) {
          judge({ path: opened, stats: now, foundAt }, file, location, users);
        }
      },
    });
    if (refusal !== undefined) {
      file.verdict = 'failed';
      file.reason = refusal;
      options.onVerdict?.(file);
      return file;
    }
    searched.set(key, { file, users });
    return file;
  }

  function judge(
    opened: Opened,
    file: TargetFile,
    location: TlsLocation,
    users: Users,
  ): TargetFile {
    const { path, stats } = opened;
    const key = keyOf(stats);
    const present = attached.get(inodeKey(stats));
    if (present) {
      if (location.kind === 'found' && hasSameProbes(present.probes, location.probes)) {
        // Written to in place, and the functions still are where they were.
        present.stamp = stampOf(stats);
        return present.file;
      }
      giveUp(present);
    }
    if (location.kind !== 'found') {
      const reason = location.reason.replaceAll(path, file.path);
      return settle(key, file, { ...location, reason });
    }
    describe(file, location.probes, location.buildId);
    const twin = present ? undefined : overlayTwin(path, stats);
    if (twin) {
      // Not remembered as an inode of its own: uprobes go to the file below, which has them already.
      remembered.set(key, twin.file);
      return twin.file;
    }
    attach(opened, file, location.probes);
    if (file.verdict === 'attached') {
      reportLate(file, users);
    }
    return file;
  }

  function reportLate(file: TargetFile, users: Users): void {
    for (const [pid, sinceNs] of users) {
      options.onLate?.({ pid, file, lateNs: bootNs() - sinceNs });
    }
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

  function attach(opened: Opened, file: TargetFile, probes: readonly LocatedProbes[]): TargetFile {
    const { path, stats, foundAt } = opened;
    const key = keyOf(stats);
    if (attached.size >= maxAttached) {
      return settle(key, file, { kind: 'refused', reason: limitReason });
    }
    const ids: number[] = [];
    const restableIds: number[] = [];
    const failures: string[] = [];
    for (const { request } of port ? probes : []) {
      try {
        const id = (port as AttachPort).attach({ ...request, path });
        ids.push(id);
        if (RESTABLE_STACKS.has(request.stack)) {
          restableIds.push(id);
        }
      } catch (error) {
        failures.push(messageOf(error).replaceAll(path, file.path));
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
      restableIds,
      stamp: stampOf(stats),
      probes,
      isOverlay: isOnOverlay(path),
      isForeign: foundAt.startsWith('/proc/'),
      isNameless: /^\/proc\/\d+\/(?:exe$|map_files\/)/.test(foundAt),
      isIdle: false,
    };
    attached.set(inodeKey(stats), entry);
    attachedByContent.set(contentKey(stats), entry);
    options.onVerdict?.(file);
    return file;
  }

  /**
   * The program itself, as long as it is none that others start all the time: whatever runs a shared library or a runtime
   * must be seen from its first request on.
   */
  function restableFilesOf(pid: number): RestableFile[] {
    const stats = statOf(`/proc/${pid}/exe`);
    const entry = stats && attached.get(inodeKey(stats));
    if (entry === undefined || entry.restableIds.length === 0 || shared.has(entry.file)) {
      return [];
    }
    return [{ file: entry.file, ids: entry.restableIds }];
  }

  /** What became of its probes is not known: the next look attaches to the file anew. */
  function loseProbes(file: TargetFile, error: unknown): void {
    options.onVerdict?.({ ...file, verdict: 'failed', reason: messageOf(error) });
    for (const entry of attached.values()) {
      if (entry.file === file) {
        giveUp(entry);
        examinePath(file.path);
        return;
      }
    }
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
        for (const file of filesOf(pid, undefined)) {
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
    mapped: (pid, inode, timeNs, onFound) => mappings.add(pid, inode, timeNs, onFound),
    examineFile(path) {
      const stats = statOf(path);
      return stats && examineStats(path, stats, path, undefined, true);
    },
    settled: searches.settled,
    get rest() {
      return rest;
    },
    filesOf: (pid) => filesOf(pid, undefined),
    examinedFiles: (pid) => examineFiles(pid),
    discoveries() {
      const others = [...remembered.values()].filter(({ verdict }) => verdict !== 'no-tls');
      return [...new Set([...[...attached.values()].map(({ file }) => file), ...others])];
    },
    stop() {
      schedule.stop();
      mappings.stop();
      searches.stop();
      rest?.stop();
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

function placesOf({
  request: { stack, offsets, returns, results, entries },
}: LocatedProbes): unknown {
  return [
    stack,
    ...[offsets, returns ?? {}, results ?? {}, entries ?? {}].map((one) =>
      Object.entries(one).sort(),
    ),
  ];
}

function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    // ESRCH, EACCES, ENOTDIR: not there for us.
    return undefined;
  }
}

/** Opens the file for the time of `use`, which gets the error when that fails. */
function withOpened<Result>(foundAt: string, use: (opened: Opened | Error) => Result): Result {
  let descriptor: number;
  try {
    // What took a file's place may be a pipe that nobody writes to.
    descriptor = openSync(foundAt, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    return use(error instanceof Error ? error : new Error(String(error)));
  }
  try {
    const stats = fstatSync(descriptor, { bigint: true });
    return use({ path: `/proc/self/fd/${descriptor}`, stats, foundAt });
  } finally {
    closeSync(descriptor);
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

/** One state of one file. */
function keyOf(stats: BigIntStats): string {
  return `${inodeKey(stats)}:${stampOf(stats)}`;
}

function contentKey(stats: BigIntStats): string {
  return `${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
}
