/** Mappings are looked for again where the first look came too early, and given up where nobody is there. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { createMappingWatch } from '../../../src/targets/mapping-watch.ts';

describe('the watch for mappings', () => {
  it('looks once a process, however many of its mappings were told of', async () => {
    const looks: number[] = [];
    const found: bigint[] = [];
    const watch = createMappingWatch({
      look(pid) {
        looks.push(pid);
        return new Set([1n, 2n, 3n]);
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
    const watch = createMappingWatch({
      look() {
        looks += 1;
        return new Set(looks >= 3 ? [1n] : []);
      },
    });
    watch.add(7, 1n, 0n, () => found.push('late'));
    watch.add(7, 2n, 0n, () => found.push('never'));
    await delay(400);
    watch.stop();
    assert.deepEqual(found, ['late']);
    assert.equal(looks, 4);
  });

  it('holds no more than its limit, and has room again once they were found', async () => {
    const found: bigint[] = [];
    const watch = createMappingWatch({ look: () => new Set([1n, 2n, 3n]), maxWaiting: 2 });
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
