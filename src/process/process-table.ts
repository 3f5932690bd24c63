/**
 * The process table: every process the source told of, with its programs, its parent and how it ended.
 *
 * A process is (pid, start time), so a reused pid is another process. Threads are no processes. A process that
 * several programs replaced one another in (exec without fork) stays one process. The recorded parent is the one
 * that forked: reparenting to init or a subreaper changes nothing.
 */
import type {
  CaptureEvent,
  DetailsEvent,
  ExecEvent,
  ExitEvent,
  ForkEvent,
  ProcessRef,
  SnapshotEvent,
} from '../capture/events.ts';
import { type Counters, createCounters } from '../self/counters.ts';
import type { Process, Program } from './process.ts';

/** Limits of the table; reaching one is counted (`sightline.limits`, by its name here). */
export interface ProcessTableLimits {
  /** Processes kept, running and exited together. */
  maxProcesses: number;
  /** Exited processes without children in the table that are kept for late references to them. */
  maxExited: number;
  /** Programs kept of one process: the first one and the latest. */
  maxPrograms: number;
  /** UTF-16 units of argv kept of one program. */
  maxArgvChars: number;
  /** UTF-16 units of argv kept in the whole table; beyond it only the start of argv[0] is kept. */
  maxTotalArgvChars: number;
}

export const DEFAULT_PROCESS_TABLE_LIMITS: ProcessTableLimits = {
  maxProcesses: 32_768,
  maxExited: 4_096,
  maxPrograms: 16,
  maxArgvChars: 128 * 1024,
  maxTotalArgvChars: 32 * 1024 * 1024,
};

/** What is kept of argv[0] once the table's argv budget is used up. */
const ARGV0_CHARS = 256;

/** Ancestors looked at before a chain is taken for endless; real chains are some dozen long. */
const MAX_ANCESTORS = 1_024;

export interface ProcessTableOptions {
  limits?: Partial<ProcessTableLimits>;
  /** Where reached limits and unseen exits are counted. */
  counters?: Counters;
  /** A program started in `process` (its last one is `program`). */
  onExec?(process: Process, program: Program): void;
  /** `process.exit` is now set; neither exit code nor signal in it means that the exit itself was not seen. */
  onExit?(process: Process): void;
}

export interface ProcessTable {
  /** Takes fork, exec, exit, snapshot and details events; every other event passes unnoticed. */
  push(event: CaptureEvent): void;
  get(ref: ProcessRef): Process | undefined;
  /** The process, made without knowledge of its program and parent when no event told of it. */
  ensure(ref: ProcessRef): Process;
  /** True when `ancestor` is a recorded parent, grandparent, … of `process`; a process is none of its own. */
  isDescendant(process: Process, ancestor: Process): boolean;
  /** Processes that have not exited, in the order they became known. */
  running(): Iterable<Process>;
  readonly size: number;
}

/** What the table keeps beside the public part of a process. */
interface Entry extends Process {
  /** Entries whose `parent` is this one. */
  childCount: number;
  argvChars: number;
  /** When /proc was read for the only program known, to recognise the exec event that tells of the same. */
  snapshotNs: bigint | undefined;
}

/** Makes an empty table. */
export function createProcessTable(options: ProcessTableOptions = {}): ProcessTable {
  const limits = { ...DEFAULT_PROCESS_TABLE_LIMITS, ...options.limits };
  const counters = options.counters ?? createCounters();
  const counted = {
    evictedRunning: counters.counter('sightline.limits', { limit: 'process.maxProcesses' }),
    evictedParents: counters.counter('sightline.limits', { limit: 'process.maxExited' }),
    droppedPrograms: counters.counter('sightline.limits', { limit: 'process.maxPrograms' }),
    cutArgv: counters.counter('sightline.limits', { limit: 'process.maxArgvChars' }),
    missedExits: counters.counter('sightline.drops', { place: 'process', reason: 'unseen-exit' }),
  };
  // The newest process of each pid, and the older ones still kept: pid first, so that no key is built per look-up.
  const newestByPid = new Map<number, Entry>();
  const olderByPid = new Map<number, Entry[]>();
  const runningEntries = new Set<Entry>();
  // Exited ones in order of exit; those with children move to `heldParents` instead of being forgotten.
  const exitedEntries = new Set<Entry>();
  const heldParents = new Set<Entry>();
  let size = 0;
  let totalArgvChars = 0;

  function find(ref: ProcessRef): Entry | undefined {
    const newest = newestByPid.get(ref.pid);
    if (newest === undefined || newest.ref.startNs === ref.startNs) {
      return newest;
    }
    return olderByPid.get(ref.pid)?.find((entry) => entry.ref.startNs === ref.startNs);
  }

  function create(ref: ProcessRef, timeNs: bigint): Entry {
    const entry: Entry = {
      ref: { pid: ref.pid, startNs: ref.startNs },
      key: `${ref.pid}@${ref.startNs}`,
      parent: undefined,
      parentRef: undefined,
      startNs: ref.startNs,
      programs: [],
      inherited: false,
      uid: undefined,
      gid: undefined,
      cgroupId: undefined,
      owner: undefined,
      containerId: undefined,
      podUid: undefined,
      packageName: undefined,
      packageVersion: undefined,
      serviceName: undefined,
      exit: undefined,
      childCount: 0,
      argvChars: 0,
      snapshotNs: undefined,
    };
    size += 1;
    runningEntries.add(entry);
    const rival = newestByPid.get(ref.pid);
    if (rival === undefined) {
      newestByPid.set(ref.pid, entry);
    } else {
      const isNewer = rival.ref.startNs < ref.startNs;
      const older = isNewer ? rival : entry;
      newestByPid.set(ref.pid, isNewer ? entry : rival);
      const list = olderByPid.get(ref.pid);
      if (list) {
        list.push(older);
      } else {
        olderByPid.set(ref.pid, [older]);
      }
      if (older.exit === undefined) {
        // Two running processes cannot share a pid: the end of the older one was lost.
        counted.missedExits.add();
        markExited(older, { timeNs: isNewer ? ref.startNs : timeNs });
      }
    }
    enforceLimits(entry);
    return entry;
  }

  function ensureEntry(ref: ProcessRef, timeNs: bigint): Entry {
    return find(ref) ?? create(ref, timeNs);
  }

  function setParent(entry: Entry, parentRef: ProcessRef, timeNs: bigint): void {
    if (entry.parentRef !== undefined) {
      return;
    }
    if (parentRef.pid <= 0) {
      return;
    }
    const parent = ensureEntry(parentRef, timeNs);
    if (parent === entry || isDescendant(parent, entry)) {
      return;
    }
    entry.parentRef = parent.ref;
    entry.parent = parent;
    parent.childCount += 1;
  }

  function fork(event: ForkEvent): void {
    if (event.process.pid === event.parent.pid && event.process.startNs === event.parent.startNs) {
      return;
    }
    const parent = ensureEntry(event.parent, event.timeNs);
    const known = find(event.process);
    const entry = known ?? create(event.process, event.timeNs);
    setParent(entry, event.parent, event.timeNs);
    if (entry.programs.length > 0) {
      // The exec was seen first (two processors, two orders): what it told is newer than the parent's.
      return;
    }
    entry.startNs = event.timeNs;
    inherit(entry, parent);
  }

  function exec(event: ExecEvent): void {
    const entry = ensureEntry(event.process, event.timeNs);
    setParent(entry, event.parent, event.timeNs);
    const program = keepProgram(entry, {
      startNs: event.timeNs,
      executable: event.executable,
      argv: event.argv,
      argvLostBytes: event.argvLostBytes,
      comm: event.comm,
    });
    const replacesSnapshot = entry.snapshotNs !== undefined && event.timeNs <= entry.snapshotNs;
    if (entry.inherited || replacesSnapshot) {
      entry.programs = [program];
    } else {
      entry.programs.push(program);
      if (entry.programs.length > limits.maxPrograms) {
        entry.programs.splice(1, 1);
        counted.droppedPrograms.add();
      }
    }
    entry.inherited = false;
    entry.snapshotNs = undefined;
    entry.uid = event.uid;
    entry.gid = event.gid;
    entry.cgroupId = event.cgroupId;
    // A new program has a new environment and belongs to another package, or to none.
    entry.serviceName = event.serviceName;
    if (!replacesSnapshot) {
      entry.packageName = undefined;
      entry.packageVersion = undefined;
    }
    options.onExec?.(entry, program);
  }

  function snapshot(event: SnapshotEvent): void {
    const entry = ensureEntry(event.process, event.timeNs);
    setParent(entry, event.parent, event.timeNs);
    if (entry.programs.length > 0) {
      return;
    }
    entry.programs = [
      keepProgram(entry, {
        startNs: event.process.startNs,
        executable: event.executable,
        argv: event.argv,
        argvLostBytes: 0,
        comm: event.comm,
      }),
    ];
    entry.snapshotNs = event.timeNs;
    entry.uid = event.uid;
    entry.gid = event.gid;
    entry.serviceName = event.serviceName;
  }

  function details(event: DetailsEvent): void {
    const entry = ensureEntry(event.process, event.timeNs);
    entry.owner = event.owner ?? entry.owner;
    entry.containerId = event.containerId ?? entry.containerId;
    entry.podUid = event.podUid ?? entry.podUid;
    entry.packageName = event.packageName ?? entry.packageName;
    entry.packageVersion = event.packageVersion ?? entry.packageVersion;
  }

  function exit(event: ExitEvent): void {
    const entry = ensureEntry(event.process, event.timeNs);
    if (entry.exit !== undefined) {
      return;
    }
    const end: NonNullable<Process['exit']> = { timeNs: event.timeNs };
    if (event.exitCode !== undefined) {
      end.exitCode = event.exitCode;
    }
    if (event.signal !== undefined) {
      end.signal = event.signal;
    }
    markExited(entry, end);
  }

  function markExited(entry: Entry, end: NonNullable<Process['exit']>): void {
    entry.exit = end;
    runningEntries.delete(entry);
    exitedEntries.add(entry);
    options.onExit?.(entry);
    enforceLimits(entry);
  }

  /** Copies what a program's record holds into the table, cut to the argv limits. */
  function keepProgram(entry: Entry, program: Program): Program {
    const budget = Math.min(
      limits.maxArgvChars,
      Math.max(limits.maxTotalArgvChars - totalArgvChars, ARGV0_CHARS),
    );
    const kept: string[] = [];
    let chars = 0;
    let lostBytes = 0;
    for (const argument of program.argv) {
      const room = budget - chars;
      if (argument.length <= room) {
        kept.push(argument);
        chars += argument.length;
        continue;
      }
      const part = argument.slice(0, Math.max(room, 0));
      if (part.length > 0) {
        kept.push(part);
        chars += part.length;
      }
      lostBytes += Buffer.byteLength(argument) - Buffer.byteLength(part);
    }
    if (lostBytes > 0) {
      counted.cutArgv.add();
    }
    entry.argvChars += chars;
    totalArgvChars += chars;
    return { ...program, argv: kept, argvLostBytes: program.argvLostBytes + lostBytes };
  }

  /** Forgets what is beyond the limits, never `spared`, which the caller is working on. */
  function enforceLimits(spared: Entry): void {
    while (exitedEntries.size > limits.maxExited) {
      const oldest = firstOtherThan(exitedEntries, spared);
      if (oldest === undefined) {
        break;
      }
      if (oldest.childCount > 0) {
        exitedEntries.delete(oldest);
        heldParents.add(oldest);
      } else {
        forget(oldest);
      }
    }
    while (size > limits.maxProcesses) {
      const leaf = firstOtherThan(exitedEntries, spared);
      const held = firstOtherThan(heldParents, spared);
      const running = firstOtherThan(runningEntries, spared);
      if (leaf !== undefined && (leaf.childCount === 0 || held === undefined)) {
        counted.evictedParents.add(leaf.childCount > 0 ? 1 : 0);
        forget(leaf);
      } else if (held !== undefined) {
        counted.evictedParents.add();
        forget(held);
      } else if (running !== undefined) {
        counted.evictedRunning.add();
        forget(running);
      } else {
        break;
      }
    }
  }

  function forget(entry: Entry): void {
    size -= 1;
    runningEntries.delete(entry);
    exitedEntries.delete(entry);
    heldParents.delete(entry);
    totalArgvChars -= entry.argvChars;
    const { pid } = entry.ref;
    const older = olderByPid.get(pid);
    if (newestByPid.get(pid) === entry) {
      newestByPid.delete(pid);
      // The rest of this pid's list is older: the newest of it takes the place.
      const next = older?.reduce((a, b) => (a.ref.startNs > b.ref.startNs ? a : b));
      if (older !== undefined && next !== undefined) {
        newestByPid.set(pid, next);
        removeOlder(pid, older, next);
      }
    } else if (older !== undefined) {
      removeOlder(pid, older, entry);
    }
    const parent = entry.parent as Entry | undefined;
    // Children may still point here; cutting the chain behind it keeps a row of daemons from growing for ever.
    entry.parent = undefined;
    if (parent !== undefined) {
      parent.childCount -= 1;
      if (parent.childCount === 0 && heldParents.has(parent)) {
        forget(parent);
      }
    }
  }

  function removeOlder(pid: number, older: Entry[], entry: Entry): void {
    const at = older.indexOf(entry);
    if (at >= 0) {
      older.splice(at, 1);
    }
    if (older.length === 0) {
      olderByPid.delete(pid);
    }
  }

  return {
    push(event) {
      switch (event.type) {
        case 'fork':
          fork(event);
          break;
        case 'exec':
          exec(event);
          break;
        case 'exit':
          exit(event);
          break;
        case 'snapshot':
          snapshot(event);
          break;
        case 'details':
          details(event);
          break;
        default:
          break;
      }
    },
    get: find,
    ensure(ref) {
      return ensureEntry(ref, ref.startNs);
    },
    isDescendant,
    running: () => runningEntries.values(),
    get size() {
      return size;
    },
  };
}

/** A child starts as its parent's copy. */
function inherit(entry: Entry, parent: Entry): void {
  const program = parent.programs.at(-1);
  if (program !== undefined) {
    entry.programs = [program];
    entry.inherited = true;
  }
  entry.uid ??= parent.uid;
  entry.gid ??= parent.gid;
  entry.cgroupId ??= parent.cgroupId;
  entry.owner ??= parent.owner;
  entry.containerId ??= parent.containerId;
  entry.podUid ??= parent.podUid;
  entry.packageName ??= parent.packageName;
  entry.packageVersion ??= parent.packageVersion;
  entry.serviceName ??= parent.serviceName;
}

function isDescendant(process: Process, ancestor: Process): boolean {
  let current = process.parent;
  for (let depth = 0; current !== undefined && depth < MAX_ANCESTORS; depth += 1) {
    if (current === ancestor) {
      return true;
    }
    current = current.parent;
  }
  return false;
}

function firstOtherThan(entries: Set<Entry>, spared: Entry): Entry | undefined {
  for (const entry of entries) {
    if (entry !== spared) {
      return entry;
    }
  }
  return undefined;
}
