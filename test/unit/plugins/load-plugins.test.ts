/** Which modules are taken for plugins, and what is said of the others. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadConfig } from '../../../src/config/load.ts';
import { type LoadOptions, loadPlugins } from '../../../src/plugins/load-plugins.ts';
import type { LoadedPlugin } from '../../../src/plugins/read-plugin.ts';
import { SightlineError } from '../../../src/util/errors.ts';

const OK = 'export default { call: () => undefined };';

describe('the modules of SIGHTLINE_PLUGINS', () => {
  let folder = '';
  const loaded: LoadedPlugin[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sightline-plugins-'));
  });

  afterEach(() => {
    for (const plugin of loaded.splice(0)) {
      plugin.end();
    }
    rmSync(folder, { recursive: true, force: true });
  });

  function put(name: string, text: string): string {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { mode: 0o644 });
    return path;
  }

  /** As somebody who is not root, so that a loose umask of the test's does not matter. */
  const load = (...names: string[]) => loadWith({ euid: 1000 }, ...names);

  async function loadWith(options: LoadOptions, ...names: string[]): Promise<LoadedPlugin[]> {
    const plugins = await loadPlugins(names, { directory: folder, ...options });
    loaded.push(...plugins);
    return plugins;
  }

  function refusal(pattern: RegExp) {
    return (error: unknown) => {
      assert.ok(error instanceof SightlineError);
      assert.equal(error.code, 'SL_PLUGIN');
      assert.equal(error.exitCode, 2);
      assert.match(error.message, pattern);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    };
  }

  it('are files by their path, with a default export or with named ones', async () => {
    put('one.mjs', OK);
    const two = put('sub/two.js', 'export const name = "second"; export function turn() {}');
    writeFileSync(join(folder, 'sub/package.json'), '{"type":"module"}');
    put('three.cjs', 'module.exports = { toolCall() {}, guardsContent: true };');
    const plugins = await load('./one.mjs', two, 'three.cjs');
    assert.deepEqual(
      plugins.map(({ name, guardsContent, hookNames }) => [name, guardsContent, [...hookNames]]),
      [
        ['one', false, ['call']],
        ['second', false, ['turn']],
        ['three', true, ['toolCall']],
      ],
    );
  });

  it('are packages by their name, also those that can only be imported, and their parts', async () => {
    const manifest = (exports: unknown) =>
      JSON.stringify({ name: 'x', type: 'module', main: 'main.js', exports });
    put('node_modules/with-main/package.json', manifest(undefined));
    put('node_modules/with-main/main.js', 'export default { name: "main", call() {} };');
    put(
      'node_modules/@own/importable/package.json',
      manifest({
        '.': { types: './no.d.ts', require: './no.cjs', import: { default: './a.js' } },
        './part': { import: './b.js' },
      }),
    );
    put('node_modules/@own/importable/a.js', 'export default { name: "a", call() {} };');
    put('node_modules/@own/importable/b.js', 'export default { name: "b", call() {} };');
    put('node_modules/@own/importable/no.cjs', 'module.exports = { name: "cjs", call() {} };');
    put('node_modules/only-import/package.json', manifest({ import: './a.js' }));
    put('node_modules/only-import/a.js', 'export default { name: "only", call() {} };');
    const names = ['with-main', '@own/importable/part', 'only-import'];
    const plugins = await load(...names);
    assert.deepEqual(
      plugins.map(({ name }) => name),
      ['main', 'b', 'only'],
    );
  });

  it('keep their `this`', async () => {
    const text =
      'export default { name: "n", call() { return { attributes: { own: this.name } }; } };';
    put('one.mjs', text);
    const [plugin] = await load('./one.mjs');
    const asked = plugin?.ask('call', {}, 10_000);
    assert.ok(asked?.kind === 'answered');
    assert.deepEqual(asked.answer.attributes, { own: 'n' });
  });

  const WRONG: [name: string, text: string | undefined, pattern: RegExp][] = [
    ['is not there', undefined, /has \.\/p\.mjs, but no readable file is there \(ENOENT\)/],
    [
      'is no JavaScript',
      'export default {',
      /cannot be loaded: Unexpected end of input \("node --check .*p\.mjs" shows where\)/,
    ],
    ['throws', 'throw new Error("at the start");', /cannot be loaded: at the start/],
    ['never settles', 'await new Promise(() => {});', /not loaded within 2000 ms/],
    ['never returns', 'while (true) {}', /not loaded within 2000 ms/],
    ['leaves', 'process.exit(7);', /its thread ended while it was loaded \(exit code 7\)/],
    [
      'has no hook',
      'export const helper = 1;',
      /no hook: export one of exchange, call, toolCall, turn/,
    ],
    ['exports no object', 'export default 7;', /default export has to be an object/],
    ['misspells a hook', 'export default { toolcall() {} };', /it has toolcall, which is none of/],
    ['has a hook that is none', 'export default { call: 1 };', /its call is no function/],
    ['has an async hook', 'export default { async call() {} };', /call is an async function/],
    ['has no text for a name', 'export default { name: 1, call() {} };', /its name has to be/],
    ['guards maybe', 'export default { guardsContent: 1, call() {} };', /guardsContent has to be/],
  ];
  /** Only for those that it is about: any other has to be loaded before, however busy the machine is. */
  const timeoutOf = (pattern: RegExp) =>
    pattern.source.includes('2000 ms') ? { timeoutMs: 2000 } : {};
  for (const [name, text, pattern] of WRONG) {
    it(`are refused when one ${name}`, async () => {
      if (text !== undefined) {
        put('p.mjs', text);
      }
      await assert.rejects(
        loadWith({ euid: 1000, ...timeoutOf(pattern) }, './p.mjs'),
        refusal(pattern),
      );
    });
  }

  it('are refused when a package is not installed, or two have one name', async () => {
    await assert.rejects(
      load('not-installed'),
      refusal(/no package of this name.*\.\/not-installed/),
    );
    put('a/same.mjs', OK);
    put('b/same.mjs', OK);
    await assert.rejects(load('./a/same.mjs', './b/same.mjs'), refusal(/is called same too/));
    await assert.rejects(load('./a'), refusal(/is no file/));
  });

  it('are refused to root when others can write them, or a folder above them', async function () {
    if (process.geteuid?.() !== 0) {
      this.skip();
    }
    const path = put('deep/p.mjs', OK);
    const asRoot = (...trustedUids: number[]) => loadWith({ euid: 0, trustedUids }, './deep/p.mjs');
    chmodSync(join(folder, 'deep'), 0o755);
    // The folder for temporary files is everybody's, but has the sticky bit.
    assert.equal((await asRoot()).length, 1);

    chmodSync(path, 0o664);
    await assert.rejects(asRoot(), refusal(/p\.mjs can be written by others.*chmod go-w/));
    chmodSync(path, 0o644);
    chmodSync(join(folder, 'deep'), 0o777);
    await assert.rejects(asRoot(), refusal(/deep can be written by others/));
    chmodSync(join(folder, 'deep'), 0o755);
    chownSync(path, 1234, 1234);
    await assert.rejects(asRoot(), refusal(/p\.mjs belongs to user 1234/));
    assert.equal((await asRoot(1234)).length, 1);
    // What a link points to is what is run.
    symlinkSync(path, join(folder, 'link.mjs'));
    await assert.rejects(loadWith({ euid: 0 }, './link.mjs'), refusal(/belongs to user 1234/));
  });

  it('begin at the folder of the configuration file, where one names them', () => {
    const configFile = put(
      'etc/sightline.yaml',
      'SIGHTLINE_PLUGINS: [./a.mjs, /b.mjs, pkg, c.js]\n',
    );
    assert.deepEqual(loadConfig({}, { configFile }).plugins.modules, [
      join(folder, 'etc/a.mjs'),
      '/b.mjs',
      'pkg',
      join(folder, 'etc/c.js'),
    ]);
    const env = { SIGHTLINE_PLUGINS: './a.mjs, pkg' };
    assert.deepEqual(loadConfig(env, { configFile }).plugins.modules, ['./a.mjs', 'pkg']);
  });
});
