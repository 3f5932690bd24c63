/** Adds up how long somebody else's code takes, and says when that is more than it may. */

/** `single`: one call took too long by itself. `average`: calls do on average. */
export type Overrun = 'single' | 'average';

export interface TimeBudget {
  /** One more call took so long, nanoseconds. What was exceeded by then is in `overrun`. */
  take(tookNs: number): void;
  /** What was exceeded, by the calls until now; stays so. */
  readonly overrun: Overrun | undefined;
  /** Of the calls that the average is over, nanoseconds. */
  readonly averageNs: number;
  /** The longest call, nanoseconds. */
  readonly longestNs: number;
}

export interface TimeBudgetOptions {
  maxAverageNs: number;
  maxSingleNs: number;
}

/**
 * Calls that the average is over. Until there were so many there is none: the first calls of a function run before it
 * is compiled.
 */
export const AVERAGED_CALLS = 64;

export function createTimeBudget(options: TimeBudgetOptions): TimeBudget {
  const { maxAverageNs, maxSingleNs } = options;
  let calls = 0;
  let averageNs = 0;
  let longestNs = 0;
  let overrun: Overrun | undefined;

  function take(tookNs: number): void {
    calls += 1;
    // A plain mean at first; then each call moves it by its share, and old calls fade.
    averageNs += (tookNs - averageNs) / Math.min(calls, AVERAGED_CALLS);
    longestNs = Math.max(longestNs, tookNs);
    if (tookNs > maxSingleNs) {
      overrun ??= 'single';
    } else if (calls >= AVERAGED_CALLS && averageNs > maxAverageNs) {
      overrun ??= 'average';
    }
  }

  return {
    take,
    get overrun() {
      return overrun;
    },
    get averageNs() {
      return averageNs;
    },
    get longestNs() {
      return longestNs;
    },
  };
}
