/** Answers on disk: equal to those of a search, never another file's, never in the way. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileIdentity, LocatedStack } from '../../../src/capture/binding.ts';
import { cacheFolder, createLocatorCache } from '../../../src/targets/locator-cache.ts';
import { createLocator } from '../../../src/targets/locators.ts';

const IDENTITY: FileIdentity = {
  locatorsRevision: 1,
  buildId: 'abcdef',
  sizeBytes: 4096,
  layoutDigest: 77n,
  owner: 0,
  device: 1n,
  inode: 2n,
  modifiedNs: 3n,
};

const STACK: LocatedStack = {
  stack: 'boringssl',
  version: undefined,
  locatedBy: 'error-calls',
  convention: 'sysv',
  evidence: 'a test says so',
  functions: [
    {
      name: 'SSL_read',
      signature: 'SSL_read',
      covers: [],
      functionOffset: 100,
      offset: 104,
      chosen: 'after-endbr64',
      why: 'a test says so',
      instruction: 'push rbx',
      isEmulated: true,
      canReturnProbe: true,
      returns: [],
      results: [],
      entries: [],
    },
  ],
};

describe('locator cache', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sightline-cache-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const entries = (): string[] => readdirSync(join(folder, 'locators'));

  it('gives back what was put in, also to another process', () => {
    createLocatorCache({ folder }).put(IDENTITY, { stacks: [STACK], refusals: [] });
    const found = createLocatorCache({ folder }).get(IDENTITY);
    // `undefined` is not kept, and reads the same.
    const { version: _, ...stack } = STACK;
    assert.deepEqual(found, { stacks: [stack], refusals: [] });
  });

  const OTHERS: Partial<FileIdentity>[] = [
    { buildId: 'abcdee' },
    { sizeBytes: 4097 },
    { layoutDigest: 78n },
    // Its build id may be forged.
    { owner: 1000 },
    { device: 2n },
    { locatorsRevision: 2 },
  ];
  for (const other of OTHERS) {
    it(`knows nothing of a file with another ${Object.keys(other)[0]}`, () => {
      const cache = createLocatorCache({ folder });
      cache.put(IDENTITY, { stacks: [STACK], refusals: [] });
      assert.equal(cache.get({ ...IDENTITY, ...other }), undefined);
    });
  }

  it('takes a file without build id for the same only while it is untouched', () => {
    const cache = createLocatorCache({ folder });
    const identity = { ...IDENTITY, buildId: undefined };
    cache.put(identity, { stacks: [STACK], refusals: [] });
    assert.ok(cache.get(identity));
    for (const other of [{ modifiedNs: 4n }, { inode: 3n }, { device: 2n }]) {
      assert.equal(cache.get({ ...identity, ...other }), undefined);
    }
  });

  it('ignores an entry that is damaged or names a place outside of the file', () => {
    const cache = createLocatorCache({ folder });
    cache.put(IDENTITY, { stacks: [STACK], refusals: [] });
    const path = join(folder, 'locators', entries()[0] ?? '');
    const whole = readFileSync(path, 'utf8');
    for (const text of [
      '',
      'null',
      '[]',
      whole.slice(0, -9),
      whole.replace('"offset":104', '"offset":4096'),
      whole.replace('"offset":104', '"offset":-1'),
      whole.replace('"offset":104', '"offset":"104"'),
      whole.replace('abcdef', 'abcdee'),
      `${whole.slice(0, -1)},"more":"${'x'.repeat(300_000)}"}`,
    ]) {
      writeFileSync(path, text);
      assert.equal(cache.get(IDENTITY), undefined, text.slice(0, 80));
    }
    writeFileSync(path, whole);
    assert.ok(cache.get(IDENTITY));
  });

  it('names the programs of earlier runs, whatever has become of other entries', () => {
    const cache = createLocatorCache({ folder });
    const put = (buildId: string, path: string, stacks = [STACK]): void =>
      cache.put({ ...IDENTITY, buildId }, { stacks, refusals: [] }, path);
    put('a', '/usr/bin/agent');
    put('b', '/usr/bin/agent');
    put('c', '/opt/other');
    put('d', '/usr/bin/true', []);
    put('e', 'not/absolute');
    const damaged = `${'0'.repeat(64)}.json`;
    writeFileSync(join(folder, 'locators', damaged), '{"stacks":[');
    assert.deepEqual(cache.programs().sort(), ['/opt/other', '/usr/bin/agent']);
  });

  it('keeps no more entries than it may', () => {
    const cache = createLocatorCache({ folder, maxEntries: 4 });
    for (let i = 0; i < 9; i++) {
      cache.put({ ...IDENTITY, buildId: `${i}` }, { stacks: [], refusals: [] });
    }
    assert.equal(entries().length, 4);
    assert.ok(cache.get({ ...IDENTITY, buildId: '8' }));
  });

  it('uses no folder that others may write to', () => {
    createLocatorCache({ folder }).put(IDENTITY, { stacks: [STACK], refusals: [] });
    chmodSync(join(folder, 'locators'), 0o777);
    assert.equal(createLocatorCache({ folder }).get(IDENTITY), undefined);
  });

  it('does without a folder that cannot be made', () => {
    const cache = createLocatorCache({ folder: '/proc/sightline' });
    cache.put(IDENTITY, { stacks: [], refusals: [] });
    assert.equal(cache.get(IDENTITY), undefined);
  });

  it('lies where caches lie', () => {
    assert.equal(cacheFolder({}, 0), '/var/cache/sightline');
    assert.equal(cacheFolder({ XDG_CACHE_HOME: '/c' }, 1000), '/c/sightline');
    assert.match(cacheFolder({ XDG_CACHE_HOME: 'c' }, 1000), /\/\.cache\/sightline$/);
  });

  it('spares the second search, but not one that was not finished', async () => {
    let searches = 0;
    let isComplete = false;
    const search = () => {
      searches++;
      return { identity: IDENTITY, stacks: [STACK], refusals: [], isComplete };
    };
    const locator = createLocator({
      binding: {
        identify: () => IDENTITY,
        locate: async () => search(),
        locateSync: search,
      },
      cache: createLocatorCache({ folder }),
    });
    assert.equal(locator.locateSync('/file').isCached, false);
    isComplete = true;
    assert.equal((await locator.locate('/file')).isCached, false);
    assert.equal((await locator.locate('/file')).isCached, true);
    assert.equal(locator.locateSync('/file').isCached, true);
    assert.equal(searches, 2);
  });
});
