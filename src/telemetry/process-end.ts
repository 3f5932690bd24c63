/** How a process ended, as `error.type`: its exit code, or the signal that ended it. */
import { constants } from 'node:os';
import type { Process } from '../process/process.ts';

const SIGNAL_NAMES = new Map<number, string>(
  Object.entries(constants.signals).map(([name, number]) => [number, name]),
);

// Numbers that have two names are known by the one that signal(7) lists first.
SIGNAL_NAMES.set(constants.signals.SIGABRT, 'SIGABRT');
SIGNAL_NAMES.set(constants.signals.SIGIO, 'SIGIO');

export interface ProcessEnd {
  /** Absent while it runs, and when a signal ended it: such a process has no exit code. */
  exitCode?: number;
  /** Absent for exit code 0 and while it runs: `3`, `SIGKILL`. */
  errorType?: string;
}

export function processEnd(process: Process): ProcessEnd {
  const { exit } = process;
  if (exit === undefined) {
    return {};
  }
  if (exit.exitCode !== undefined) {
    return exit.exitCode === 0
      ? { exitCode: 0 }
      : { exitCode: exit.exitCode, errorType: String(exit.exitCode) };
  }
  return exit.signal === undefined ? {} : { errorType: signalName(exit.signal) };
}

function signalName(signal: number): string {
  return SIGNAL_NAMES.get(signal) ?? `SIGNAL_${signal}`;
}
