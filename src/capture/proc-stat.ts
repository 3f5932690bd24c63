/** Parses /proc/PID/stat (proc_pid_stat(5)). */

/** Nanoseconds of one clock tick of /proc: USER_HZ is 100 on every architecture we build for. */
export const TICK_NS = 10_000_000n;

/** PF_KTHREAD of include/linux/sched.h. */
const KERNEL_THREAD_FLAG = 0x0020_0000;

export interface ProcStat {
  pid: number;
  /** At most 15 bytes; may hold spaces, parentheses and line ends. */
  comm: string;
  /** One letter; Z and X are processes that have exited. */
  state: string;
  parentPid: number;
  isKernelThread: boolean;
  /** Start since boot in clock ticks: the kernel's start_boottime divided by 10 ms, rounded down. */
  startTicks: bigint;
}

/** Returns undefined for anything that is not a whole line of that file. */
export function parseProcStat(text: string): ProcStat | undefined {
  const open = text.indexOf(' (');
  // The last one: a program can call itself "x) S 1 (".
  const close = text.lastIndexOf(') ');
  if (open < 0 || close < open) {
    return undefined;
  }
  const pid = Number(text.slice(0, open));
  // Field 3 of the manual page is the first here.
  const fields = text.slice(close + 2).split(' ');
  const state = fields[0];
  const parentPid = Number(fields[1]);
  const flags = Number(fields[6]);
  const startTicks = fields[19];
  if (
    !Number.isInteger(pid) ||
    !state ||
    !Number.isInteger(parentPid) ||
    !Number.isInteger(flags) ||
    startTicks === undefined ||
    !/^\d+$/.test(startTicks)
  ) {
    return undefined;
  }
  return {
    pid,
    comm: text.slice(open + 2, close),
    state,
    parentPid,
    isKernelThread: Math.floor(flags / KERNEL_THREAD_FLAG) % 2 === 1,
    startTicks: BigInt(startTicks),
  };
}
