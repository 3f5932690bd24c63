/**
 * What the kernel has to look at before it takes the programs. It looks at each path through each of them, so a branch
 * in a loop can make it look ten times as long, and Sightline is ready that much later.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { loadBinding } from '../../../src/capture/binding.ts';
import { verifiedInstructionsOf } from '../../support/bpf-programs.ts';
import { requireKernel } from '../../support/kernel-guard.ts';

/** A million instructions take the kernel about a second and a half of CPU, and it takes no program with more. */
const PROGRAM_MAX = 60_000;
const ALL_MAX = 500_000;
/** Of the thread that loads what is needed later. */
const LOADER = 'sightline-load';
const LOAD_TRIES = 600;
const LOAD_TRY_MS = 100;

function threadNames(): string[] {
  return readdirSync('/proc/self/task').flatMap((thread) => {
    try {
      return [readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trim()];
    } catch {
      return [];
    }
  });
}

describe('what the kernel verifies', function () {
  this.timeout(90_000);

  before(function () {
    requireKernel(this);
  });

  it('is little, for each program and for all of them', async function () {
    const capture = loadBinding().open({
      ringBytes: 65536,
      watchAll: false,
      mappings: true,
      plain: true,
      judgesNames: true,
      loadAhead: true,
      onSlab: () => {},
      onLog: () => {},
    });
    try {
      for (let i = 0; i < LOAD_TRIES && threadNames().includes(LOADER); i += 1) {
        await delay(LOAD_TRY_MS);
      }
      assert.ok(!threadNames().includes(LOADER), 'the programs are still being loaded');
      const counts = verifiedInstructionsOf(process.pid);
      if (counts.length === 0) {
        this.skip(); // Before Linux 5.16 the kernel does not say.
      }
      assert.ok(counts.length > 60, `only ${counts.length} programs are there`);
      assert.ok(Math.max(...counts) <= PROGRAM_MAX, `the largest takes ${Math.max(...counts)}`);
      const sum = counts.reduce((total, count) => total + count, 0);
      assert.ok(sum <= ALL_MAX, `together they take ${sum}`);
    } finally {
      capture.close();
    }
  });
});
