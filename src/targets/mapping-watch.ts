/**
 * Looks at files as processes map them. The kernel tells of a mapping just before it is made, so the first look
 * may come too early; a process may be gone before any. Only who was truly found is not reported again.
 */

/** Looks after the first one, which comes at once. */
const RETRY_DELAYS_MS: readonly number[] = [2, 20, 200];

/** Mappings waiting to be found. One more is left to be reported again. */
export const DEFAULT_MAX_WAITING_MAPPINGS = 4096;

export interface MappingWatchOptions {
  /**
   * Examines what the process has mapped since `timeNs`: the inodes, each with whether its verdict is known by now.
   * One that is still searched is reported again when it is mapped next.
   */
  look(pid: number, timeNs: bigint): ReadonlyMap<bigint, boolean>;
  /** The file of a mapping was never found: its process ended, or has unmapped it. */
  onMissed?(pid: number): void;
  maxWaiting?: number;
}

export interface MappingWatch {
  add(pid: number, inode: bigint, timeNs: bigint, onFound: () => void): void;
  stop(): void;
}

interface Waiting {
  pid: number;
  inode: bigint;
  timeNs: bigint;
  onFound: () => void;
  looks: number;
}

export function createMappingWatch(options: MappingWatchOptions): MappingWatch {
  const maxWaiting = options.maxWaiting ?? DEFAULT_MAX_WAITING_MAPPINGS;
  const timers = new Set<NodeJS.Timeout>();
  let fresh: Waiting[] = [];
  let immediate: NodeJS.Immediate | undefined;
  let waitingCount = 0;

  /** One look a process, however many of its mappings wait. */
  function lookFor(waiting: readonly Waiting[]): void {
    const seen = new Map<number, ReadonlyMap<bigint, boolean>>();
    const missed: Waiting[] = [];
    for (const one of waiting) {
      let inodes = seen.get(one.pid);
      if (inodes === undefined) {
        inodes = options.look(one.pid, one.timeNs);
        seen.set(one.pid, inodes);
      }
      const isSettled = inodes.get(one.inode);
      if (isSettled !== undefined) {
        waitingCount -= 1;
        if (isSettled) {
          one.onFound();
        }
      } else {
        missed.push(one);
      }
    }
    retry(missed);
  }

  function retry(missed: Waiting[]): void {
    if (missed.length === 0) {
      return;
    }
    const looks = missed[0]?.looks ?? 0;
    const delayMs = RETRY_DELAYS_MS[looks];
    if (delayMs === undefined) {
      waitingCount -= missed.length;
      for (const { pid } of missed) {
        options.onMissed?.(pid);
      }
      return;
    }
    for (const one of missed) {
      one.looks += 1;
    }
    const timer = setTimeout(() => {
      timers.delete(timer);
      lookFor(missed);
    }, delayMs);
    timer.unref();
    timers.add(timer);
  }

  return {
    add(pid, inode, timeNs, onFound) {
      if (waitingCount >= maxWaiting) {
        return;
      }
      waitingCount += 1;
      fresh.push({ pid, inode, timeNs, onFound, looks: 0 });
      immediate ??= setImmediate(() => {
        const due = fresh;
        fresh = [];
        immediate = undefined;
        lookFor(due);
      });
    },
    stop() {
      clearImmediate(immediate);
      for (const timer of timers) {
        clearTimeout(timer);
      }
      timers.clear();
      fresh = [];
    },
  };
}
