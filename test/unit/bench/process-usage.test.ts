import assert from 'node:assert/strict';
import { cpuSecondsOf, peakMemoryBytesOf } from '../../../bench/support/process-usage.ts';

describe('what a process has used, from /proc', () => {
  it('agrees with what the process knows of itself', () => {
    const deadlineMs = performance.now() + 60;
    while (performance.now() < deadlineMs) {
      Math.sqrt(deadlineMs);
    }
    const own = process.cpuUsage();
    const seconds = cpuSecondsOf(process.pid);
    assert.ok(Math.abs(seconds - (own.user + own.system) / 1e6) < 0.1, `${seconds} s`);
    const peakBytes = peakMemoryBytesOf(process.pid);
    assert.ok(Math.abs(peakBytes / (process.resourceUsage().maxRSS * 1024) - 1) < 0.05);
  });

  it('fails for a process that is not there', () => {
    assert.throws(() => cpuSecondsOf(0x7fff_ffff), /ENOENT/);
  });
});
