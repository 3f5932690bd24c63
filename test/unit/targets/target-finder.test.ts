import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttachRequest, LocatedStack, LocatedSymbols } from '../../../src/capture/binding.ts';
import type { AttachPort, TargetFile } from '../../../src/capture/target-tracker.ts';
import {
  createTargetFinder,
  type TargetFinderOptions,
} from '../../../src/targets/target-finder.ts';
import type { TlsLocation, TlsLocator } from '../../../src/targets/tls-location.ts';

/** Symbols by the file's own words, so that a test writes the libraries it needs. */
function locateSymbols(path: string, names: readonly string[]): LocatedSymbols {
  const text = readFileSync(path, 'latin1');
  if (text.startsWith('!')) {
    throw Object.assign(new Error(`${path} is damaged\nmore`), { code: 'SL_ELF_TRUNCATED' });
  }
  const [first = '', ...words] = text.split(/\s+/);
  if (first !== 'ELF') {
    throw Object.assign(new Error(`${path} is no ELF file`), { code: 'SL_ELF_FOREIGN' });
  }
  const offsets: Record<string, number> = {};
  words.forEach((word, at) => {
    if (names.includes(word)) {
      offsets[word] = 4096 + at;
    }
  });
  return { buildId: words.at(-1), offsets };
}

/** Finds the functions in this one file, whatever its name. */
function onlyIn(inode: bigint): TlsLocator {
  return byNames((examined) => {
    const isProgram = statSync(examined, { bigint: true }).ino === inode;
    const offsets: Record<string, number> = isProgram ? { SSL_read: 8, SSL_write: 16 } : {};
    return { buildId: undefined, offsets };
  });
}

const NAMES: readonly string[] = ['SSL_read', 'SSL_write', 'SSL_free'];

/** A locator as the finder wants it: both directions are needed, and what is no ELF file is of no interest. */
function byNames(
  locate: (path: string, names: readonly string[], name: string) => LocatedSymbols,
): TlsLocator {
  return locatorOf((path, name): TlsLocation => {
    try {
      const { offsets, buildId } = locate(path, NAMES, name);
      const missing = ['SSL_read', 'SSL_write'].filter((name) => !(name in offsets));
      if (missing.length === 0) {
        const probes = [
          { request: { stack: 'openssl' as const, offsets }, located: locatedByName(offsets) },
        ];
        return { kind: 'found', probes, buildId };
      }
      return Object.keys(offsets).length === 0
        ? { kind: 'none', reason: 'defines no function of OpenSSL' }
        : { kind: 'refused', reason: `lacks ${missing.join(' and ')}`, buildId };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return { kind: code?.startsWith('SL_ELF_') ? 'none' : 'failed', reason: message };
    }
  });
}

function locatorOf(judge: (path: string, name: string) => TlsLocation): TlsLocator {
  const locate = (path: string, name = path) => judge(path, name);
  return {
    locateNow: locate,
    locateIfQuick: locate,
    locate: (path, name) => Promise.resolve(locate(path, name)),
  };
}

function locatedByName(offsets: Readonly<Record<string, number>>): LocatedStack {
  return {
    stack: 'openssl',
    version: undefined,
    locatedBy: 'symbol',
    convention: 'sysv',
    evidence: 'by name',
    functions: Object.entries(offsets).map(([name, offset]) => ({
      name,
      signature: name,
      covers: [],
      functionOffset: offset,
      offset,
      chosen: 'entry',
      why: 'its first instruction is emulated',
      instruction: undefined,
      isEmulated: true,
      canReturnProbe: true,
      returns: [],
      results: [],
      entries: [],
    })),
  };
}

function inodeOf(path: string): bigint {
  return statSync(path, { bigint: true }).ino;
}

const LIBRARY = 'ELF SSL_read SSL_write SSL_free cafe';

describe('the target finder', () => {
  let folder = '';
  /** With the file that each path led to at the time. */
  let attached: (AttachRequest & { inode: bigint })[] = [];
  let detached: number[] = [];
  let located: string[] = [];
  let verdicts: TargetFile[] = [];
  let attachError: Error | undefined;

  const port: AttachPort = {
    attach(request) {
      if (attachError) {
        throw attachError;
      }
      attached.push({ ...request, inode: inodeOf(request.path) });
      return attached.length;
    },
    detach(id) {
      detached.push(id);
    },
    findUsers: async () => [],
    setRest: () => false,
    setResting() {},
    setFileKnown() {},
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sightline-targets-'));
    attached = [];
    detached = [];
    located = [];
    verdicts = [];
    attachError = undefined;
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  function finder(options: Partial<TargetFinderOptions> = {}) {
    const created = createTargetFinder({
      locator: byNames((path, names, name) => {
        located.push(name);
        // The system's own libraries are not this test's.
        return name.startsWith(folder) || name.startsWith('/proc/')
          ? locateSymbols(path, names)
          : { buildId: undefined, offsets: {} };
      }),
      onVerdict: (file) => verdicts.push(file),
      searchPath: '',
      ...options,
    });
    created.begin(port);
    located = [];
    return created;
  }

  function put(name: string, text: string): string {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  }

  it('attaches a file once, whatever its names', () => {
    const path = put('libssl.so.3', LIBRARY);
    const hard = join(folder, 'other');
    linkSync(path, hard);
    const soft = join(folder, 'link');
    symlinkSync(path, soft);
    const targets = finder();
    const results = [path, hard, soft, path].map(targets.examineFile);
    assert.equal(new Set(results).size, 1);
    assert.deepEqual(
      attached.map(({ stack, offsets, inode }) => ({ stack, offsets, inode })),
      [
        {
          stack: 'openssl',
          offsets: { SSL_read: 4096, SSL_write: 4097, SSL_free: 4098 },
          inode: inodeOf(path),
        },
      ],
    );
    assert.equal(results[0]?.path, path);
    assert.equal(results[0]?.verdict, 'attached');
    assert.deepEqual(results[0]?.functions, ['SSL_free', 'SSL_read', 'SSL_write']);
    assert.equal(results[0]?.buildId, 'cafe');
    assert.equal(located.length, 1);
    assert.deepEqual(targets.discoveries(), [results[0]]);
  });

  it('probes the file that was searched, also when its name leads to another one by then', () => {
    const original = put('libssl.so.3', LIBRARY);
    const path = put('mine.so', LIBRARY);
    const judged = inodeOf(path);
    let seen = 0n;
    const targets = finder({
      locator: byNames((examined, names, name) => {
        const found = name === path;
        if (found) {
          rmSync(path);
          symlinkSync(original, path);
          seen = inodeOf(examined);
        }
        return found ? locateSymbols(examined, names) : { buildId: undefined, offsets: {} };
      }),
    });
    assert.equal(targets.examineFile(path)?.verdict, 'attached');
    assert.equal(seen, judged);
    assert.deepEqual(
      attached.map(({ inode }) => inode),
      [judged],
    );
  });

  it('names the file, and no descriptor, in what it says of it', () => {
    const path = put('libssl.so', LIBRARY);
    const targets = createTargetFinder({
      locator: byNames((examined, names, name) => {
        if (name === path) {
          return locateSymbols(examined, names);
        }
        throw new Error(`cannot read ${examined}`);
      }),
      searchPath: '',
    });
    targets.begin({
      attach(request) {
        throw new Error(`cannot probe ${request.path}`);
      },
      detach() {},
      findUsers: async () => [],
      setRest: () => false,
      setResting() {},
      setFileKnown() {},
    });
    assert.equal(targets.examineFile(path)?.reason, `cannot probe ${path}`);
    const other = put('other.so', 'ELF');
    assert.equal(targets.examineFile(other)?.reason, `cannot read ${other}`);
    targets.stop();
  });

  it('refuses with a reason what has only one direction', () => {
    const targets = finder();
    const file = targets.examineFile(put('half', 'ELF SSL_read SSL_free beef'));
    assert.equal(file?.verdict, 'refused');
    assert.equal(file?.reason, 'lacks SSL_write');
    assert.deepEqual(targets.discoveries(), [file]);
    assert.deepEqual(verdicts, [file]);
    assert.deepEqual(attached, []);
  });

  it('remembers what has nothing, until it is written anew', () => {
    const targets = finder();
    const path = put('program', 'ELF main');
    assert.equal(targets.examineFile(path)?.verdict, 'no-tls');
    targets.examineFile(path);
    assert.equal(located.length, 1);
    assert.deepEqual(targets.discoveries(), []);
    writeFileSync(path, LIBRARY);
    assert.equal(targets.examineFile(path)?.verdict, 'attached');
  });

  it('takes damaged and foreign files for what they are', () => {
    const targets = finder();
    for (const text of ['#!/bin/sh', '!', '']) {
      assert.equal(targets.examineFile(put('x', text))?.verdict, 'no-tls');
    }
    assert.equal(targets.examineFile(join(folder, 'none')), undefined);
    assert.equal(targets.examineFile(folder), undefined);
    assert.deepEqual(verdicts, []);
  });

  it('tells of a failure to attach, goes on, and does not try for ever', () => {
    const targets = finder();
    attachError = Object.assign(new Error('no probes here\nlibbpf: …'), { code: 'SL_ATTACH' });
    const path = put('libssl.so', LIBRARY);
    const file = targets.examineFile(path);
    assert.equal(file?.verdict, 'failed');
    assert.equal(file?.reason, 'no probes here');
    targets.examineFile(path);
    assert.equal(verdicts.length, 1);
    attachError = undefined;
    assert.equal(targets.examineFile(put('libssl.so.1', `${LIBRARY} 2`))?.verdict, 'attached');
  });

  it('attaches anew only where a file written in place has its functions elsewhere', () => {
    const targets = finder();
    const path = put('libssl.so', LIBRARY);
    targets.examineFile(path);
    utimesSync(path, 1, 1);
    assert.equal(targets.examineFile(path)?.verdict, 'attached');
    assert.equal(attached.length, 1);
    assert.deepEqual(detached, []);
    writeFileSync(path, 'ELF moved SSL_read SSL_write cafe');
    assert.equal(targets.examineFile(path)?.verdict, 'attached');
    assert.deepEqual(detached, [1]);
    assert.equal(attached.length, 2);
    writeFileSync(path, 'ELF nothing');
    assert.equal(targets.examineFile(path)?.verdict, 'no-tls');
    assert.deepEqual(detached, [1, 2]);
    assert.deepEqual(targets.discoveries(), []);
  });

  it('has a limit of attached and of remembered files', () => {
    const targets = finder({ maxAttached: 2, maxRemembered: 3 });
    const results = [1, 2, 3].map((number) =>
      targets.examineFile(put(`libssl${number}.so`, `${LIBRARY} ${number}`)),
    );
    assert.deepEqual(
      results.map((file) => file?.verdict),
      ['attached', 'attached', 'refused'],
    );
    assert.match(results[2]?.reason ?? '', /limit/);
    for (let number = 0; number < 10; number += 1) {
      targets.examineFile(put(`p${number}`, `ELF ${number}`));
    }
    assert.equal(targets.discoveries().length, 2);
  });

  it('attaches what was beyond the limit once there is room again', () => {
    const targets = finder({ maxAttached: 1 });
    const first = put('libssl1.so', `${LIBRARY} 1`);
    const second = put('libssl2.so', `${LIBRARY} 2`);
    targets.examineFile(first);
    assert.equal(targets.examineFile(second)?.verdict, 'refused');
    writeFileSync(first, 'ELF nothing');
    targets.examineFile(first);
    assert.equal(targets.examineFile(second)?.verdict, 'attached');
  });

  it('says attachable when nothing captures', () => {
    const targets = createTargetFinder({ locator: byNames(locateSymbols) });
    assert.equal(targets.examineFile(put('libssl.so', LIBRARY))?.verdict, 'attachable');
  });

  it('finds the file that a process runs, also when another took its name', async () => {
    const path = join(folder, 'program');
    copyFileSync('/bin/sleep', path);
    const child = spawn(path, ['30'], { stdio: 'ignore' });
    await new Promise((resolve) => child.once('spawn', resolve));
    try {
      const inode = statSync(path, { bigint: true }).ino;
      renameSync(put('new', 'ELF SSL_read'), path);
      const seen: string[] = [];
      const targets = finder({
        locator: byNames((examined) => {
          seen.push(examined);
          const isProgram = statSync(examined, { bigint: true }).ino === inode;
          const offsets: Record<string, number> = isProgram ? { SSL_read: 8, SSL_write: 16 } : {};
          return { buildId: undefined, offsets };
        }),
      });
      targets.executed(child.pid ?? 0, 0n);
      const [file] = targets.discoveries();
      assert.equal(file?.inode, inode);
      assert.equal(file?.path, path);
      assert.equal(attached[0]?.inode, inode);
      assert.deepEqual(targets.filesOf(child.pid ?? 0), [file]);
      targets.stop();
    } finally {
      child.kill();
    }
  });

  it('keeps a file without a name while it runs, and gives it up then', async () => {
    const path = join(folder, 'program');
    copyFileSync('/bin/sleep', path);
    const inode = statSync(path, { bigint: true }).ino;
    const child = spawn(path, ['30'], { stdio: 'ignore' });
    await new Promise((resolve) => child.once('spawn', resolve));
    rmSync(path);
    const targets = finder({
      locator: onlyIn(inode),
      sweepIntervalMs: 30,
    });
    try {
      targets.executed(child.pid ?? 0, 0n);
      assert.equal(attached[0]?.inode, inode);
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.deepEqual(detached, []);
      child.kill();
      await new Promise((resolve) => child.once('exit', resolve));
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.deepEqual(detached, [1]);
    } finally {
      child.kill();
      targets.stop();
    }
  });

  it('gives up a file of another mount namespace when nobody uses it any more', async function () {
    if (process.getuid?.() !== 0) {
      this.skip();
    }
    const path = join(folder, 'program');
    copyFileSync('/bin/sleep', path);
    const inode = statSync(path, { bigint: true }).ino;
    const child = spawn('unshare', ['-m', path, '30'], { stdio: 'ignore' });
    await new Promise((resolve) => child.once('spawn', resolve));
    const targets = finder({
      locator: onlyIn(inode),
      sweepIntervalMs: 50,
    });
    try {
      while (attached.length === 0) {
        targets.executed(child.pid ?? 0, 0n);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      assert.equal(attached[0]?.inode, inode);
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.deepEqual(detached, []);
      child.kill();
      await new Promise((resolve) => child.once('exit', resolve));
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.deepEqual(detached, [1]);
      assert.deepEqual(targets.discoveries(), []);
    } finally {
      child.kill();
      targets.stop();
    }
  });

  it('looks at a process again for what it maps later, and not for ever', async () => {
    const child = spawn('sleep', ['30'], { stdio: 'ignore' });
    await new Promise((resolve) => child.once('spawn', resolve));
    const targets = finder({ relook: { delaysMs: [1, 30] } });
    targets.executed(child.pid ?? 0, 0n);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const afterLooks = located.length;
    assert.ok(located.some((path) => /libc\.so|libc-/.test(path)));
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.equal(located.length, afterLooks);
    child.kill();
    await new Promise((resolve) => child.once('exit', resolve));
    targets.executed(child.pid ?? 0, 0n);
    targets.examine(child.pid ?? 0);
    targets.stop();
  });

  it('takes a file seen through two overlay mounts for one', function () {
    if (process.getuid?.() !== 0) {
      this.skip();
    }
    const parts = ['lower', 'a', 'b', 'up-a', 'up-b', 'work-a', 'work-b'];
    for (const name of parts) {
      mkdirSync(join(folder, name));
    }
    put('lower/libssl.so', LIBRARY);
    const mounted: string[] = [];
    try {
      for (const name of ['a', 'b']) {
        const at = join(folder, name);
        const layers = `lowerdir=${folder}/lower,upperdir=${folder}/up-${name},workdir=${folder}/work-${name}`;
        try {
          execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', layers, at], {
            stdio: 'ignore',
          });
        } catch {
          this.skip();
        }
        mounted.push(at);
      }
      const targets = finder();
      const files = ['a', 'b', 'lower'].map((name) =>
        targets.examineFile(join(folder, name, 'libssl.so')),
      );
      assert.equal(attached.length, 1);
      assert.equal(new Set(files).size, 1);
      // A copy in a container's own layer is another file.
      writeFileSync(join(folder, 'b/libssl.so'), LIBRARY);
      targets.examineFile(join(folder, 'b/libssl.so'));
      assert.equal(attached.length, 2);
    } finally {
      for (const at of mounted) {
        execFileSync('umount', [at]);
      }
    }
  });
});
