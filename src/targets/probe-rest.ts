/**
 * Takes the probes of a file away while there is nothing to see in any process that uses it, and puts them back before
 * there may be: a verdict on a connection spares copying, but each call still costs the probe.
 */
import { mayHaveOutboundSockets } from '../capture/outbound-sockets.ts';
import type {
  AttachPort,
  ProbeRest,
  RestOptions,
  TargetFile,
  WakeReason,
} from '../capture/target-tracker.ts';
import type { RestLevel } from '../capture/traffic-watch.ts';

/** Where more processes than this use a file, its probes stay. */
const MAX_USERS = 8;

/** A rest that ended sooner was not worth it: the next one is waited for, twice as long each time. */
const SHORT_REST_NS = 2_000_000_000n;
const FIRST_DELAY_NS = 1_000_000_000n;
const MAX_DELAY_NS = 300_000_000_000n;

/** A process of many is not quiet: when that is looked at again. */
const RETRY_NS = 5_000_000_000n;

const MAX_REFUSALS = 1024;

/** Files whose mappings are no longer reported, as far as they are remembered: programs that start are seen anyway. */
const MAX_FILE_KEYS = 4096;

/** One attached file, and the probes of it that can be taken away. */
export interface RestableFile {
  file: TargetFile;
  ids: readonly number[];
}

export interface ProbeRestOptions {
  port: AttachPort;
  /** Attached files that the process runs from. */
  filesOf(pid: number): RestableFile[];
  /** The probes of a file could not be put back. */
  onLost(file: TargetFile, error: unknown): void;
  /** A defect of ours. */
  onDefect(error: unknown): void;
  bootNs(): bigint;
  mayHaveOutboundSockets?(pid: number): boolean;
}

interface Resting extends RestableFile {
  level: RestLevel;
  users: Set<number>;
  sinceNs: bigint;
}

/** Files of which it is being found out who else uses them. */
interface Asked {
  pid: number;
  level: RestLevel;
  files: RestableFile[];
  /** Of these files, those that a process began to use meanwhile. */
  usedMeanwhile: Set<bigint>;
  isOver: boolean;
}

interface Delay {
  untilNs: bigint;
  delayNs: bigint;
}

export function createProbeRest(options: ProbeRestOptions): ProbeRest {
  const { port } = options;
  const hasOutbound = options.mayHaveOutboundSockets ?? mayHaveOutboundSockets;
  const resting = new Map<TargetFile, Resting>();
  const byPid = new Map<number, Set<Resting>>();
  const delays = new WeakMap<TargetFile, Delay>();
  /** By inode; containers of one image have a file each of the same inode. */
  const fileKeys = new Map<bigint, Uint8Array[]>();
  let fileKeyCount = 0;
  /** Processes of which not all was quiet, until when. */
  const refusals = new Map<number, bigint>();
  let hooks: RestOptions | undefined;
  let asked: Asked | undefined;

  function begin(pid: number, level: RestLevel): void {
    const now = options.bootNs();
    if (hooks === undefined || asked !== undefined || byPid.has(pid)) {
      return;
    }
    if (now < (refusals.get(pid) ?? 0n)) {
      return;
    }
    const files = options
      .filesOf(pid)
      .filter(({ file }) => now >= (delays.get(file)?.untilNs ?? 0n) && !resting.has(file));
    if (files.length > 0) {
      ask({ pid, level, files, usedMeanwhile: new Set(), isOver: false });
    }
  }

  function ask(question: Asked): void {
    const { pid } = question;
    // A connection or a child of that moment, too, is news.
    port.setResting(pid, true);
    asked = question;
    const inodes = question.files.map(({ file }) => file.inode);
    // From here on whoever begins to use them is told.
    for (const inode of inodes) {
      for (const key of fileKeys.get(inode) ?? []) {
        port.setFileKnown(key, false);
      }
    }
    port
      .findUsers(inodes)
      .then((users) => {
        question.files.forEach((one, at) => {
          consider(question, one, new Set(users[at]));
        });
      })
      .catch((error: unknown) => options.onDefect(error))
      .finally(() => {
        asked = undefined;
        if (hooks !== undefined && !byPid.has(pid)) {
          release(pid);
        }
      });
  }

  function consider(question: Asked, one: RestableFile, users: Set<number>): void {
    const { pid, usedMeanwhile, isOver } = question;
    const now = options.bootNs();
    if (hooks === undefined || isOver || !users.has(pid) || usedMeanwhile.has(one.file.inode)) {
      return;
    }
    if (users.size > MAX_USERS || !hooks.isQuiet(pid, now)) {
      refuse(pid, now);
      return;
    }
    rest(question, one, users);
  }

  /** Where others than the process itself use the file, they must be known to. */
  function asksNobody(pid: number, now: bigint): boolean {
    return hooks?.onlyServes(pid, now) === true && !hasOutbound(pid);
  }

  /** Each look at the processes of the host has its price. */
  function refuse(pid: number, now: bigint): void {
    if (refusals.size >= MAX_REFUSALS) {
      refusals.clear();
    }
    refusals.set(pid, now + RETRY_NS);
  }

  function rest({ pid, level }: Asked, one: RestableFile, users: Set<number>): void {
    const now = options.bootNs();
    const entry: Resting = { ...one, level: 'reads', users, sinceNs: now };
    mark(entry);
    // Looked at only now, when a connection that is opened behind the look wakes it.
    if (![...users].every((user) => user === pid || asksNobody(user, now))) {
      unmark(entry).forEach(release);
      refuse(pid, now);
      return;
    }
    if (level === 'everything' && asksNobody(pid, now)) {
      entry.level = 'everything';
    }
    try {
      if (!one.ids.map((id) => port.setRest(id, entry.level)).some(Boolean)) {
        // None of its functions reads: there is nothing to take away.
        unmark(entry).forEach(release);
        return;
      }
      hooks?.onRest(one.file, entry.level, [...users]);
    } catch (error) {
      options.onLost(one.file, error);
      wakeFile(entry, 'failed', now);
    }
  }

  function mark(entry: Resting): void {
    resting.set(entry.file, entry);
    for (const pid of entry.users) {
      let files = byPid.get(pid);
      if (files === undefined) {
        files = new Set();
        byPid.set(pid, files);
        port.setResting(pid, true);
      }
      files.add(entry);
    }
  }

  /** Which processes have no resting file any more. */
  function unmark(entry: Resting): number[] {
    resting.delete(entry.file);
    const free: number[] = [];
    for (const pid of entry.users) {
      const files = byPid.get(pid);
      files?.delete(entry);
      if (files?.size === 0) {
        byPid.delete(pid);
        free.push(pid);
      }
    }
    return free;
  }

  function release(pid: number): void {
    port.setResting(pid, false);
  }

  /** `newcomer`: a process that has begun to use the file, and may have been faster. */
  function wakeFile(entry: Resting, reason: WakeReason, timeNs: bigint, newcomer?: number): void {
    const users = [...entry.users];
    hooks?.beforeWake(users, entry.level);
    if (newcomer !== undefined) {
      users.push(newcomer);
    }
    const free = unmark(entry);
    try {
      for (const id of entry.ids) {
        port.setRest(id, 'nothing');
      }
    } catch (error) {
      options.onLost(entry.file, error);
    }
    free.forEach(release);
    delay(entry);
    hooks?.onWake(entry.file, reason, users, options.bootNs() - timeNs);
  }

  function delay({ file, sinceNs }: Resting): void {
    const before = delays.get(file)?.delayNs ?? 0n;
    const now = options.bootNs();
    const longer = before === 0n ? FIRST_DELAY_NS : before * 2n;
    const delayNs = longer < MAX_DELAY_NS ? longer : MAX_DELAY_NS;
    const isShort = now - sinceNs < SHORT_REST_NS;
    delays.set(file, isShort ? { untilNs: now + delayNs, delayNs } : { untilNs: now, delayNs: 0n });
  }

  function wake(pid: number, reason: WakeReason, timeNs: bigint): void {
    if (asked?.pid === pid) {
      asked.isOver = true;
    }
    for (const entry of [...(byPid.get(pid) ?? [])]) {
      wakeFile(entry, reason, timeNs);
    }
  }

  function wakeAll(reason: WakeReason, timeNs: bigint): void {
    for (const entry of [...resting.values()]) {
      wakeFile(entry, reason, timeNs);
    }
  }

  function mapped(pid: number, inode: bigint, timeNs: bigint): boolean {
    if (asked !== undefined && asked.pid !== pid) {
      asked.usedMeanwhile.add(inode);
    }
    let isKnownUser = false;
    for (const entry of [...resting.values()]) {
      if (entry.file.inode !== inode) {
        continue;
      }
      if (entry.users.has(pid)) {
        isKnownUser = true;
      } else {
        wakeFile(entry, 'user', timeNs, pid);
      }
    }
    return isKnownUser;
  }

  return {
    follow(given) {
      hooks = given;
    },
    stop() {
      hooks = undefined;
    },
    begin,
    wake,
    wakeAll,
    mapped,
    exited(pid, timeNs) {
      refusals.delete(pid);
      if (asked?.pid === pid) {
        asked.isOver = true;
      }
      for (const entry of [...(byPid.get(pid) ?? [])]) {
        entry.users.delete(pid);
        if (entry.users.size === 0) {
          wakeFile(entry, 'exit', timeNs);
        }
      }
      if (byPid.delete(pid)) {
        release(pid);
      }
    },
    fileKnown(inode, key) {
      const keys = fileKeys.get(inode) ?? [];
      const isNew = !keys.some((other) => Buffer.compare(other, key) === 0);
      if (isNew && fileKeyCount < MAX_FILE_KEYS) {
        keys.push(key);
        fileKeys.set(inode, keys);
        fileKeyCount += 1;
      }
    },
    get count() {
      return resting.size + (asked?.files.length ?? 0);
    },
  };
}
