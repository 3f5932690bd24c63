/** What happens on an error that nothing expected: one line, and the stack only in the debug log. */
import type { Log } from '../self/log.ts';

/** The line for an unexpected error. */
export function internalErrorLine(error: unknown): string {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const line = message.split('\n', 1)[0] ?? '';
  return `internal error, please report it: ${line} (OTEL_LOG_LEVEL=debug shows where)`;
}

/**
 * While a command of the user's runs, a bug of ours must not end it early nor hide its exit code: it is logged,
 * and the command goes on. `release` restores what was before.
 */
export function keepGoingOnBugs(log: Log): { release(): void } {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map((event) => process.rawListeners(event) as ((error: unknown) => void)[]);
  const listener = (error: unknown): void => {
    log.warnSometimes('internal-error', internalErrorLine(error));
    log.trouble('internal error', error);
  };
  for (const event of events) {
    process.removeAllListeners(event);
    process.on(event, listener);
  }
  return {
    release: () => {
      events.forEach((event, index) => {
        process.off(event, listener);
        for (const each of before[index] ?? []) {
          process.on(event, each);
        }
      });
    },
  };
}
