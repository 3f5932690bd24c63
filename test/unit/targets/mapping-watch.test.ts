/** Mappings are looked for again where the first look came too early, and given up where nobody is there. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { createMappingWatch } from '../../../src/targets/mapping-watch.ts';

function settled(...inodes: bigint[]): Map<bigint, boolean> {
  return new Map(inodes.map((inode) => [inode, true]));
}

describe('the watch for mappings', () => {
  it('looks once a process, however many of its mappings were told of', async () => {
    const looks: number[] = [];
    const found: bigint[] = [];
    const watch = createMappingWatch({
      look(pid) {
        looks.push(pid);
        return settled(1n, 2n, 3n);
      },
    });
    for (const inode of [1n, 2n, 3n]) {
      watch.add(7, inode, 0n, () => found.push(inode));
    }
    await delay(10);
    watch.stop();
    assert.deepEqual(looks, [7]);
    assert.deepEqual(found, [1n, 2n, 3n]);
  });

  it('looks again for what is not there yet, and says nothing of what never is', async () => {
    let looks = 0;
    const found: string[] = [];
    const missed: number[] = [];
    const watch = createMappingWatch({
      look() {
        looks += 1;
        return looks >= 3 ? settled(1n) : settled();
      },
      onMissed: (pid) => missed.push(pid),
    });
    watch.add(7, 1n, 0n, () => found.push('late'));
    watch.add(7, 2n, 0n, () => found.push('never'));
    await delay(400);
    watch.stop();
    assert.deepEqual(found, ['late']);
    assert.deepEqual(missed, [7]);
    assert.equal(looks, 4);
  });

  it('leaves a file that is still searched to be reported again', async () => {
    const found: bigint[] = [];
    let looks = 0;
    const watch = createMappingWatch({
      look() {
        looks += 1;
        return new Map([[1n, false]]);
      },
      onMissed: () => assert.fail('it was found'),
    });
    watch.add(7, 1n, 0n, () => found.push(1n));
    await delay(300);
    watch.stop();
    assert.deepEqual(found, []);
    assert.equal(looks, 1);
  });

  it('holds no more than its limit, and has room again once they were found', async () => {
    const found: bigint[] = [];
    const watch = createMappingWatch({ look: () => settled(1n, 2n, 3n), maxWaiting: 2 });
    for (const inode of [1n, 2n, 3n]) {
      watch.add(7, inode, 0n, () => found.push(inode));
    }
    await delay(10);
    assert.deepEqual(found, [1n, 2n]);
    watch.add(7, 3n, 0n, () => found.push(3n));
    await delay(10);
    watch.stop();
    assert.deepEqual(found, [1n, 2n, 3n]);
  });
});
