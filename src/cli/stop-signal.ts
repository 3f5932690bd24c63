/** SIGINT and SIGTERM: the first asks for a clean end, the second ends at once. */
import { constants } from 'node:os';

export interface StopSignal {
  /** Resolves with the first signal. */
  readonly requested: Promise<NodeJS.Signals>;
  readonly isRequested: boolean;
  /** Gives the signals their usual effect back. */
  release(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Begins to listen. `onFirst` may tell the user that the end is under way. */
export function listenForStop(onFirst: (signal: NodeJS.Signals) => void): StopSignal {
  let first: NodeJS.Signals | undefined;
  let resolveRequested: (signal: NodeJS.Signals) => void = () => {};
  const requested = new Promise<NodeJS.Signals>((resolve) => {
    resolveRequested = resolve;
  });
  const listener = (signal: NodeJS.Signals): void => {
    if (first !== undefined) {
      process.exit(signalExitCode(signal));
    }
    first = signal;
    onFirst(signal);
    resolveRequested(signal);
  };
  for (const signal of SIGNALS) {
    process.on(signal, listener);
  }
  return {
    requested,
    get isRequested() {
      return first !== undefined;
    },
    release: () => {
      for (const signal of SIGNALS) {
        process.off(signal, listener);
      }
    },
  };
}

/** What a shell reports for a process that the signal ended. */
export function signalExitCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
