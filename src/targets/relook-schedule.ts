/**
 * Looks at a process again a few times after it started a program. The kernel tells of the start, but libraries
 * are mapped after it, or loaded much later by the program itself.
 */

/**
 * The dynamic linker is done within some ms; an interpreter imports its TLS module in tens or hundreds; 5 s
 * covers what loads it on first use.
 */
export const DEFAULT_DELAYS_MS: readonly number[] = [5, 50, 500, 5000];

/** Processes waiting for one delay at once. A build starts thousands a second, which have exited by then. */
export const DEFAULT_MAX_WAITING = 8192;

export interface RelookScheduleOptions {
  onDue(pid: number): void;
  delaysMs?: readonly number[];
  maxWaiting?: number;
}

export interface RelookSchedule {
  add(pid: number): void;
  /** Looks that did not take place because too many waited. */
  readonly dropped: number;
  stop(): void;
}

interface Waiting {
  pid: number;
  dueMs: number;
}

/** Each delay has a queue of its own, which is in order of due time by itself: one timer serves each. */
export function createRelookSchedule(options: RelookScheduleOptions): RelookSchedule {
  const maxWaiting = options.maxWaiting ?? DEFAULT_MAX_WAITING;
  let dropped = 0;
  let isStopped = false;
  const lanes = (options.delaysMs ?? DEFAULT_DELAYS_MS).map((delayMs) => ({
    delayMs,
    waiting: [] as Waiting[],
    timer: undefined as NodeJS.Timeout | undefined,
  }));

  /** Monotonic; decides only when to look, never what an event says. */
  function nowMs(): number {
    return Number(process.hrtime.bigint() / 1_000_000n);
  }

  function arm(lane: (typeof lanes)[number]): void {
    const first = lane.waiting[0];
    if (!first || lane.timer || isStopped) {
      return;
    }
    lane.timer = setTimeout(
      () => {
        lane.timer = undefined;
        runDue(lane);
        arm(lane);
      },
      Math.max(first.dueMs - nowMs(), 1),
    );
    // Waiting for a look is no reason to keep the program alive.
    lane.timer.unref();
  }

  function runDue(lane: (typeof lanes)[number]): void {
    const now = nowMs();
    const firstLater = lane.waiting.findIndex(({ dueMs }) => dueMs > now);
    const due = lane.waiting.splice(0, firstLater < 0 ? lane.waiting.length : firstLater);
    // A process that started two programs meanwhile needs one look.
    for (const pid of new Set(due.map((entry) => entry.pid))) {
      if (!isStopped) {
        options.onDue(pid);
      }
    }
  }

  return {
    add(pid) {
      const now = nowMs();
      for (const lane of lanes) {
        if (lane.waiting.length >= maxWaiting) {
          dropped += 1;
        } else {
          lane.waiting.push({ pid, dueMs: now + lane.delayMs });
          arm(lane);
        }
      }
    },
    get dropped() {
      return dropped;
    },
    stop() {
      isStopped = true;
      for (const lane of lanes) {
        clearTimeout(lane.timer);
        lane.waiting = [];
      }
    },
  };
}
