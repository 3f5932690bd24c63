/**
 * Reads CLOCK_BOOTTIME, the clock of every event, and measures how far the wall clock is ahead of it. Node offers
 * neither directly; this is the one place of the capture that reads clocks at all.
 */
import { readSmallText } from './small-file.ts';

/**
 * /proc/uptime counts in hundredths: against the monotonic clock it lags by up to 10 ms when the machine never
 * slept. A sleep is longer than the slack allowed here.
 */
const UPTIME_STEP_NS = 10_000_000n;
const UPTIME_SLACK_NS = 20_000_000n;

const EDGE_SAMPLES = 5;

/** An edge is due every 1 ms (wall clock) or 10 ms (uptime); past this the sample is given up. */
const EDGE_TIMEOUT_NS = 100_000_000n;

export interface HostClock {
  /** Nanoseconds of CLOCK_BOOTTIME, now. */
  bootNs(): bigint;
  /** Nanoseconds of CLOCK_REALTIME minus CLOCK_BOOTTIME, measured now; takes some milliseconds. */
  measureOffsetNs(): bigint;
  /** Notices that the machine slept: CLOCK_BOOTTIME went on, CLOCK_MONOTONIC did not. */
  resync(): void;
}

export function createHostClock(): HostClock {
  let sleptNs = measureSleptNs();

  return {
    bootNs() {
      return process.hrtime.bigint() + sleptNs;
    },
    measureOffsetNs() {
      const monotonicNs = edgeOfCounter(() => BigInt(Date.now()) * 1_000_000n);
      return (monotonicNs ?? wallClockOffsetNs()) - sleptNs;
    },
    resync() {
      const uptimeNs = readUptimeNs();
      if (uptimeNs === undefined) {
        return;
      }
      const lagNs = process.hrtime.bigint() + sleptNs - uptimeNs;
      if (lagNs < -UPTIME_STEP_NS || lagNs > UPTIME_SLACK_NS * 5n) {
        sleptNs = measureSleptNs();
      }
    },
  };
}

function wallClockOffsetNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();
}

/** Total time the machine has slept since boot: CLOCK_BOOTTIME minus CLOCK_MONOTONIC. */
function measureSleptNs(): bigint {
  const uptimeNs = readUptimeNs();
  if (uptimeNs === undefined) {
    return 0n;
  }
  const aheadNs = uptimeNs - process.hrtime.bigint();
  if (aheadNs > -UPTIME_SLACK_NS && aheadNs < UPTIME_SLACK_NS) {
    // Never slept: the two clocks are then equal to the nanosecond.
    return 0n;
  }
  return edgeOfCounter(() => readUptimeNs() ?? 0n) ?? aheadNs;
}

/**
 * A counter of coarse steps minus the monotonic clock, precisely: waits for the counter to step, which happens
 * between two readings of the monotonic clock, and takes the sample where those are closest.
 */
function edgeOfCounter(read: () => bigint): bigint | undefined {
  let best: { widthNs: bigint; offsetNs: bigint } | undefined;
  for (let sample = 0; sample < EDGE_SAMPLES; sample += 1) {
    const startNs = process.hrtime.bigint();
    const first = read();
    for (;;) {
      const beforeNs = process.hrtime.bigint();
      const value = read();
      const afterNs = process.hrtime.bigint();
      if (value !== first) {
        const widthNs = afterNs - beforeNs;
        if (!best || widthNs < best.widthNs) {
          best = { widthNs, offsetNs: value - (beforeNs + afterNs) / 2n };
        }
        break;
      }
      if (afterNs - startNs > EDGE_TIMEOUT_NS) {
        break;
      }
    }
  }
  return best?.offsetNs;
}

function readUptimeNs(): bigint | undefined {
  const match = /^(\d+)\.(\d\d) /.exec(readSmallText('/proc/uptime', 128) ?? '');
  return match ? BigInt(`${match[1]}${match[2]}`) * UPTIME_STEP_NS : undefined;
}
