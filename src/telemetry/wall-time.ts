/** Turns boot-clock nanoseconds of events into the SDK's `[seconds, nanoseconds]`, exact to the nanosecond. */
import type { HrTime } from '@opentelemetry/api';

const NS_PER_SECOND = 1_000_000_000n;

/**
 * Wall-clock time of an event. Float milliseconds would lose what is below a microsecond, so HrTime it is.
 * `clockOffsetNs` is CLOCK_REALTIME minus CLOCK_BOOTTIME, as the host event says.
 */
export function wallTime(bootNs: bigint, clockOffsetNs: bigint): HrTime {
  const wallNs = bootNs + clockOffsetNs;
  if (wallNs <= 0n) {
    return [0, 0];
  }
  return [Number(wallNs / NS_PER_SECOND), Number(wallNs % NS_PER_SECOND)];
}

/** Seconds between two boot times, never below 0. */
export function secondsBetween(startNs: bigint, endNs: bigint): number {
  return endNs > startNs ? Number(endNs - startNs) / 1e9 : 0;
}
