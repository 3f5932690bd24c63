import assert from 'node:assert/strict';
import { createDeepSearch } from '../../../src/targets/deep-search.ts';
import type { LocatedFile } from '../../../src/targets/locators.ts';

const NOTHING: LocatedFile = { buildId: undefined, stacks: [], refusals: [], isCached: false };

/** Searches that end when they are told to. */
function manualLocator() {
  const running: { path: string; resolve(file: LocatedFile): void; reject(error: Error): void }[] =
    [];
  return {
    running,
    locate: (path: string) =>
      new Promise<LocatedFile>((resolve, reject) => {
        running.push({ path, resolve, reject });
      }),
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('the deep search', () => {
  it('searches one file at a time, in order, and goes on behind a failure', async () => {
    const locator = manualLocator();
    const search = createDeepSearch({ locator });
    const done: string[] = [];
    for (const path of ['a', 'b', 'c']) {
      search.add(path, (result) =>
        done.push(`${path} ${result instanceof Error ? result.message : 'ok'}`),
      );
    }
    await turn();
    assert.deepEqual(
      locator.running.map(({ path }) => path),
      ['a'],
    );
    locator.running[0]?.resolve(NOTHING);
    await turn();
    locator.running[1]?.reject(new Error('gone'));
    await turn();
    locator.running[2]?.resolve(NOTHING);
    await turn();
    assert.deepEqual(done, ['a ok', 'b gone', 'c ok']);
    assert.equal(
      search.add('d', () => done.push('d')),
      true,
    );
  });

  it('takes what throws at once for a failure', async () => {
    const search = createDeepSearch({
      locator: {
        locate: () => {
          throw new Error('no file');
        },
      },
    });
    const result = await new Promise((resolve) => search.add('a', resolve));
    assert.ok(result instanceof Error);
  });

  it('has a limit, and says nothing more after the stop', async () => {
    const locator = manualLocator();
    const search = createDeepSearch({ locator, maxWaiting: 2 });
    let calls = 0;
    const added = ['a', 'b', 'c', 'd'].map((path) =>
      search.add(path, () => {
        calls += 1;
      }),
    );
    assert.deepEqual(added, [true, true, true, false]);
    await turn();
    search.stop();
    locator.running[0]?.resolve(NOTHING);
    await turn();
    assert.equal(calls, 0);
    assert.equal(locator.running.length, 1);
    assert.equal(
      search.add('e', () => undefined),
      false,
    );
  });
});
