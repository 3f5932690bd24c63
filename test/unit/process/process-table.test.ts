/** The process table: parents, programs, exits, what is missing, and its limits. */
import assert from 'node:assert/strict';
import type { CaptureEvent, ExecEvent, ProcessRef } from '../../../src/capture/events.ts';
import type { Process } from '../../../src/process/process.ts';
import {
  createProcessTable,
  type ProcessTableOptions,
} from '../../../src/process/process-table.ts';
import { createCounters } from '../../../src/self/counters.ts';

const ref = (pid: number, startNs = BigInt(pid) * 10n): ProcessRef => ({ pid, startNs });

function fork(parent: ProcessRef, process: ProcessRef, timeNs = process.startNs): CaptureEvent {
  return { type: 'fork', timeNs, process, parent };
}

function exec(process: ProcessRef, argv: string[], more: Partial<ExecEvent> = {}): ExecEvent {
  return {
    type: 'exec',
    timeNs: process.startNs + 5n,
    process,
    parent: ref(1),
    executable: `/bin/${argv[0]}`,
    argv,
    argvLostBytes: 0,
    uid: 7,
    gid: 8,
    cgroupId: 9n,
    comm: argv[0] ?? '',
    ...more,
  };
}

function exit(process: ProcessRef, exitCode = 0): CaptureEvent {
  return { type: 'exit', timeNs: process.startNs + 9n, process, exitCode };
}

function snapshot(process: ProcessRef, argv: string[], parent = ref(1)): CaptureEvent {
  return {
    type: 'snapshot',
    timeNs: 1_000_000n,
    process,
    parent,
    executable: `/bin/${argv[0]}`,
    argv,
    uid: 7,
    gid: 8,
    comm: argv[0] ?? '',
  };
}

function tableOf(events: CaptureEvent[], options: ProcessTableOptions = {}) {
  const table = createProcessTable(options);
  for (const event of events) {
    table.push(event);
  }
  const get = (process: ProcessRef): Process => {
    const found = table.get(process);
    assert.ok(found, `process ${process.pid}`);
    return found;
  };
  return { table, get };
}

const argvOf = (process: Process): string[][] => process.programs.map((program) => program.argv);

describe('process table', () => {
  it('knows parents, whatever they are called when they exit', () => {
    const { table, get } = tableOf([
      fork(ref(1), ref(2)),
      fork(ref(2), ref(3)),
      fork(ref(3), ref(4)),
      exit(ref(3)),
      // The kernel has given it a new parent by now.
      exec(ref(4), ['daemon'], { parent: ref(1) }),
    ]);
    assert.equal(get(ref(4)).parent, get(ref(3)));
    assert.deepEqual(get(ref(4)).parentRef, ref(3));
    assert.ok(table.isDescendant(get(ref(4)), get(ref(2))));
    assert.ok(!table.isDescendant(get(ref(2)), get(ref(4))));
    assert.ok(!table.isDescendant(get(ref(2)), get(ref(2))));
  });

  it('gives a process that only forked its parent’s program, marked', () => {
    const { get } = tableOf([exec(ref(2), ['bash']), fork(ref(2), ref(3), 77n)]);
    assert.deepEqual(argvOf(get(ref(3))), [['bash']]);
    assert.equal(get(ref(3)).inherited, true);
    assert.equal(get(ref(3)).uid, 7);
    assert.equal(get(ref(3)).startNs, 77n);
  });

  it('keeps one process for several execs', () => {
    const { get } = tableOf([
      exec(ref(2), ['bash']),
      fork(ref(2), ref(3)),
      exec(ref(3), ['env', 'ls']),
      exec(ref(3), ['ls'], { uid: 99, serviceName: 'lister' }),
    ]);
    assert.deepEqual(argvOf(get(ref(3))), [['env', 'ls'], ['ls']]);
    assert.equal(get(ref(3)).inherited, false);
    assert.equal(get(ref(3)).uid, 99);
    assert.equal(get(ref(3)).serviceName, 'lister');
  });

  it('makes a process of an exec whose fork was not seen, and takes a late fork', () => {
    const { get } = tableOf([exec(ref(5), ['ls'], { parent: ref(4) }), fork(ref(4), ref(5), 51n)]);
    assert.deepEqual(argvOf(get(ref(5))), [['ls']]);
    assert.equal(get(ref(5)).inherited, false);
    assert.equal(get(ref(5)).parent, get(ref(4)));
  });

  it('tells a reused pid from the process before it, and notes the end it missed', () => {
    const ended: Process[] = [];
    const counters = createCounters();
    const { get } = tableOf([exec(ref(5, 50n), ['old']), exec(ref(5, 90n), ['new'])], {
      counters,
      onExit: (process) => ended.push(process),
    });
    assert.deepEqual(argvOf(get(ref(5, 50n))), [['old']]);
    assert.deepEqual(argvOf(get(ref(5, 90n))), [['new']]);
    assert.deepEqual(get(ref(5, 50n)).exit, { timeNs: 90n });
    assert.deepEqual(ended, [get(ref(5, 50n))]);
    const missed = { place: 'process', reason: 'unseen-exit' };
    assert.equal(counters.counter('sightline.drops', missed).value, 1);
  });

  it('keeps exit code and signal, and reports an exit once', () => {
    let exits = 0;
    const { get } = tableOf(
      [
        exec(ref(2), ['a']),
        exit(ref(2), 3),
        exit(ref(2), 4),
        { type: 'exit', timeNs: 99n, process: ref(3), signal: 9 },
      ],
      { onExit: () => (exits += 1) },
    );
    assert.deepEqual(get(ref(2)).exit, { timeNs: 29n, exitCode: 3 });
    assert.deepEqual(get(ref(3)).exit, { timeNs: 99n, signal: 9 });
    assert.equal(exits, 2);
  });

  it('takes snapshots for what was not seen, not for what was', () => {
    const { get } = tableOf([
      snapshot(ref(2), ['agent']),
      exec(ref(3), ['seen']),
      snapshot(ref(3), ['late']),
      snapshot(ref(4), ['twice']),
      // The same exec that the snapshot had read already.
      exec(ref(4), ['twice', 'whole']),
      snapshot(ref(5), ['before']),
      exec(ref(5), ['after'], { timeNs: 2_000_000n }),
    ]);
    assert.deepEqual(argvOf(get(ref(2))), [['agent']]);
    assert.deepEqual(argvOf(get(ref(3))), [['seen']]);
    assert.deepEqual(argvOf(get(ref(4))), [['twice', 'whole']]);
    assert.deepEqual(argvOf(get(ref(5))), [['before'], ['after']]);
  });

  it('keeps details, and forgets the package at the next exec', () => {
    const { get } = tableOf([
      exec(ref(2), ['node', 'a.js']),
      {
        type: 'details',
        timeNs: 30n,
        process: ref(2),
        owner: 'ann',
        containerId: 'c0',
        packageName: 'an-agent',
        packageVersion: '1.2.3',
      },
      fork(ref(2), ref(3)),
      exec(ref(3), ['git']),
    ]);
    assert.equal(get(ref(2)).packageName, 'an-agent');
    assert.equal(get(ref(3)).packageName, undefined);
    assert.equal(get(ref(3)).owner, 'ann');
    assert.equal(get(ref(3)).containerId, 'c0');
  });

  it('does not take a thread or a circle for a child', () => {
    const { table, get } = tableOf([
      fork(ref(2), ref(2)),
      fork(ref(3), ref(4)),
      fork(ref(4), ref(3)),
    ]);
    assert.equal(get(ref(4)).parent, get(ref(3)));
    assert.equal(get(ref(3)).parent, undefined);
    assert.equal(table.get(ref(2)), undefined);
  });

  it('forgets the oldest exited, but not the parents of those that live', () => {
    const counters = createCounters();
    const events: CaptureEvent[] = [fork(ref(1), ref(2)), fork(ref(2), ref(3)), exit(ref(2))];
    for (let pid = 10; pid < 20; pid += 1) {
      events.push(fork(ref(3), ref(pid)), exit(ref(pid)));
    }
    const { table, get } = tableOf(events, { counters, limits: { maxExited: 4 } });
    assert.equal(table.get(ref(10)), undefined);
    assert.ok(table.get(ref(19)));
    assert.equal(get(ref(3)).parent, get(ref(2)));
    assert.equal(table.size, 3 + 4);
    table.push(exit(ref(3)));
    for (let pid = 20; pid < 40; pid += 1) {
      table.push(fork(ref(1), ref(pid)));
      table.push(exit(ref(pid)));
    }
    assert.equal(table.get(ref(2)), undefined, 'its last child is gone');
    assert.equal(table.size, 1 + 4);
  });

  it('stays below its size, and counts what it forgets', () => {
    const counters = createCounters();
    const { table } = tableOf([], { counters, limits: { maxProcesses: 10 } });
    // A row of daemons: each forks the next and exits.
    for (let pid = 2; pid < 100; pid += 1) {
      table.push(fork(ref(pid - 1), ref(pid)));
      table.push(exit(ref(pid - 1)));
    }
    assert.equal(table.size, 10);
    let depth = 0;
    for (let at = table.get(ref(99)); at !== undefined; at = at.parent) {
      depth += 1;
    }
    assert.ok(depth <= 11, `chain of ${depth}`);
    for (let pid = 200; pid < 300; pid += 1) {
      table.push(exec(ref(pid), ['x'], { parent: ref(0) }));
    }
    assert.equal(table.size, 10);
    const counted = (limit: string) => counters.counter('sightline.limits', { limit }).value;
    assert.ok(counted('process.maxExited') > 0);
    assert.equal(counted('process.maxProcesses'), 91);
  });

  it('cuts argv and programs at their limits, and says how much', () => {
    const { get } = tableOf(
      [
        exec(ref(2), ['a', 'bcd', 'é€']),
        exec(ref(3), ['one']),
        exec(ref(3), ['two']),
        exec(ref(3), ['three']),
      ],
      { limits: { maxArgvChars: 3, maxPrograms: 2 } },
    );
    assert.deepEqual(argvOf(get(ref(2))), [['a', 'bc']]);
    assert.equal(get(ref(2)).programs[0]?.argvLostBytes, 1 + 5);
    assert.deepEqual(argvOf(get(ref(3))), [['one'], ['thr']]);
  });

  it('keeps the start of argv[0] when the argv budget of the table is used up', () => {
    const { table, get } = tableOf(
      [exec(ref(2), ['x'.repeat(600)]), exec(ref(3), ['y'.repeat(600)])],
      {
        limits: { maxTotalArgvChars: 600, maxExited: 0 },
      },
    );
    assert.equal(get(ref(2)).programs[0]?.argv[0]?.length, 600);
    assert.equal(get(ref(3)).programs[0]?.argv[0]?.length, 256);
    assert.equal(get(ref(3)).programs[0]?.argvLostBytes, 344);
    for (const pid of [2, 3, 4]) {
      table.push(exit(ref(pid)));
    }
    table.push(exec(ref(5), ['z'.repeat(500)]));
    assert.equal(get(ref(5)).programs[0]?.argv[0]?.length, 500);
  });
});
