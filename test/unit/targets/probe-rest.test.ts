import assert from 'node:assert/strict';
import type { AttachPort, ProbeRest, TargetFile } from '../../../src/capture/target-tracker.ts';
import { createProbeRest, type RestableFile } from '../../../src/targets/probe-rest.ts';

const SECOND = 1_000_000_000n;

describe('probes that rest', () => {
  const library: TargetFile = {
    path: '/lib/libssl.so.3',
    device: 1n,
    inode: 11n,
    verdict: 'attached',
    reason: '',
  };
  const files: RestableFile[] = [{ file: library, ids: [5] }];
  let now: bigint;
  let users: number[][];
  let busy: Set<number>;
  let serving: Set<number>;
  let outbound: Set<number>;
  let lost: string[];
  /** What was asked of the kernel side, and told of it, in order. */
  let log: string[];
  let refusal: Error | undefined;
  let rest: ProbeRest;

  beforeEach(() => {
    now = 0n;
    users = [[7]];
    busy = new Set();
    serving = new Set();
    outbound = new Set();
    lost = [];
    log = [];
    refusal = undefined;
    const port: AttachPort = {
      attach: () => 0,
      detach: () => undefined,
      findUsers: async () => users,
      setRest(id, level) {
        if (refusal) {
          throw refusal;
        }
        log.push(`${id} ${level}`);
        return true;
      },
      setResting(pid, isResting) {
        const line = `${pid} ${isResting ? 'rests' : 'is free'}`;
        if (log.at(-1) !== line) {
          log.push(line);
        }
      },
      setFileKnown: (_, isKnown) => log.push(`file ${isKnown ? 'known' : 'unknown'}`),
    };
    rest = createProbeRest({
      port,
      filesOf: () => files,
      onLost: (file) => lost.push(file.path),
      onDefect: (error) => assert.fail(String(error)),
      bootNs: () => now,
      mayHaveOutboundSockets: (pid) => outbound.has(pid),
    });
    rest.follow({
      isQuiet: (pid) => !busy.has(pid),
      onlyServes: (pid) => serving.has(pid),
      onRest: (_, level, pids) => log.push(`told ${level} ${pids}`),
      beforeWake: (pids) => log.push(`before ${pids}`),
      onWake: (_, reason, pids, lateNs) => log.push(`back ${reason} ${pids} ${lateNs}`),
    });
  });

  async function begin(pid: number, level: 'reads' | 'everything'): Promise<string[]> {
    rest.begin(pid, level);
    await new Promise((resolve) => setImmediate(resolve));
    return log.splice(0);
  }

  it('are taken away from a download that has its file to itself', async () => {
    assert.deepEqual(await begin(7, 'reads'), ['7 rests', '5 reads', 'told reads 7']);
    assert.equal(rest.count, 1);
    now = 3n;
    rest.wake(7, 'connect', 1n);
    assert.deepEqual(log, ['before 7', '5 nothing', '7 is free', 'back connect 7 2']);
    assert.equal(rest.count, 0);
  });

  it('are marked before it is looked whether others use the file, and their use ends it', async () => {
    rest.fileKnown(11n, new Uint8Array([1]));
    rest.begin(7, 'reads');
    assert.deepEqual(log.splice(0), ['7 rests', 'file unknown']);
    assert.equal(rest.count, 1);
    assert.equal(rest.mapped(9, 11n, 0n), false);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(log, ['7 is free']);
  });

  it('stay where the process connects while it is looked', async () => {
    rest.begin(7, 'reads');
    rest.wake(7, 'connect', 0n);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(log, ['7 rests', '7 is free']);
  });

  it('stay where another process uses the file that may ask', async () => {
    users = [[7, 9]];
    assert.doesNotMatch((await begin(7, 'reads')).join(), /5 reads/);
    assert.equal(rest.count, 0);
    serving.add(9);
    outbound.add(9);
    now = 6n * SECOND;
    const looked = (await begin(7, 'reads')).join();
    assert.doesNotMatch(looked, /5 reads/);
    assert.match(looked, /9 rests.*9 is free/);
    outbound.clear();
    // Looking has its price: not again so soon.
    assert.deepEqual(await begin(7, 'reads'), []);
    now = 12n * SECOND;
    assert.deepEqual(await begin(7, 'reads'), ['7 rests', '9 rests', '5 reads', 'told reads 7,9']);
  });

  it('stay where the process is not quiet any more', async () => {
    busy.add(7);
    assert.deepEqual(await begin(7, 'reads'), ['7 rests', '7 is free']);
  });

  it('are taken away altogether from what only serves, and has asked nobody', async () => {
    serving.add(7);
    assert.deepEqual(await begin(7, 'everything'), [
      '7 rests',
      '5 everything',
      'told everything 7',
    ]);
    rest.exited(7, 0n);
    log.length = 0;
    now = 3n * SECOND;
    outbound.add(7);
    // What it asks of others stays visible.
    assert.deepEqual(await begin(7, 'everything'), ['7 rests', '5 reads', 'told reads 7']);
  });

  it('are back when another process runs the file, and when the last one has ended', async () => {
    await begin(7, 'reads');
    assert.equal(rest.mapped(7, 11n, 0n), true);
    assert.deepEqual(log, []);
    assert.equal(rest.mapped(9, 12n, 0n), false);
    assert.deepEqual(log, []);
    assert.equal(rest.mapped(9, 11n, 0n), false);
    assert.deepEqual(log.splice(0), ['before 7', '5 nothing', '7 is free', 'back user 7,9 0']);
    now = 10n * SECOND;
    await begin(7, 'reads');
    rest.exited(7, now);
    assert.match(log.join(), /5 nothing.*7 is free/);
  });

  it('are all back when the kernel had no room for something it had to say', async () => {
    await begin(7, 'reads');
    rest.wakeAll('lost', 0n);
    assert.deepEqual(log, ['before 7', '5 nothing', '7 is free', 'back lost 7 0']);
  });

  it('wait longer each time that a rest was short', async () => {
    const waits: bigint[] = [];
    for (let i = 0; i < 12; i += 1) {
      const from = now;
      while ((await begin(7, 'reads')).length === 0) {
        now += SECOND;
      }
      waits.push((now - from) / SECOND);
      rest.wake(7, 'connect', now);
      log.length = 0;
    }
    assert.deepEqual(waits, [0n, 1n, 2n, 4n, 8n, 16n, 32n, 64n, 128n, 256n, 300n, 300n]);
    now += 300n * SECOND;
    await begin(7, 'reads');
    now += 2n * SECOND;
    rest.wake(7, 'connect', now);
    log.length = 0;
    assert.equal((await begin(7, 'reads')).length, 3, 'a long rest makes up for them');
  });

  it('that cannot be put back are reported, so that the file is attached to anew', async () => {
    await begin(7, 'reads');
    refusal = new Error('the mount is gone');
    rest.wake(7, 'connect', 0n);
    assert.deepEqual(lost, ['/lib/libssl.so.3']);
    assert.equal(rest.count, 0);
  });

  it('change no more once the capture stops', async () => {
    rest.begin(7, 'reads');
    log.length = 0;
    rest.stop();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(log, []);
    assert.deepEqual(await begin(7, 'reads'), []);
  });
});
