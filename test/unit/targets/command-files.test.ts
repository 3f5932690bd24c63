/** What a command runs from, as its own files tell it. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { commandFiles } from '../../../src/targets/command-files.ts';

describe('the files of a command', () => {
  let folder = '';

  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'sightline-command-')));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function put(name: string, content: string | Buffer, mode = 0o755): string {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { mode });
    return path;
  }

  /** As large as a program with TLS in it is at least. */
  function native(name: string): string {
    const bytes = Buffer.alloc(1024 * 1024);
    bytes.write('\x7fELF', 'latin1');
    return put(name, bytes);
  }

  function filesOf(...command: string[]): string[] {
    return commandFiles(command, { directory: folder, env: { PATH: `${folder}/bin` } }).sort();
  }

  it('are the program, found on the PATH by its real name', () => {
    const program = put('lib/program', 'ELF');
    mkdirSync(join(folder, 'bin'));
    symlinkSync(program, join(folder, 'bin/tool'));
    assert.deepEqual(filesOf('tool', '--flag'), [program]);
    assert.deepEqual(filesOf('./lib/program'), [program]);
    assert.deepEqual(filesOf('other'), []);
    assert.deepEqual(filesOf(''), []);
  });

  it('are the interpreters of a script as well, also behind env', () => {
    const node = put('bin/node', 'ELF');
    const plain = put('plain', `#!${node} --flag\n`);
    const found = put('found', '#!/usr/bin/env -S node --flag\nmore');
    assert.deepEqual(filesOf('./plain'), [node, plain]);
    assert.deepEqual(filesOf('./found'), [node, found]);
    assert.deepEqual(filesOf('node', '--import', 'x', 'found'), [node, found]);
  });

  it('end where scripts are interpreters of each other', () => {
    const [one, other] = [join(folder, 'one'), join(folder, 'other')];
    put('one', `#!${other}\n`);
    put('other', `#!${one}\n`);
    assert.deepEqual(filesOf('./one'), [one, other]);
  });

  it('are the native programs of an npm package and of its platform package', () => {
    const node = put('bin/node', 'ELF');
    const script = put('lib/node_modules/@some/agent/bin/agent.js', '#!/usr/bin/env node\n');
    const manifest = {
      optionalDependencies: { '@some/agent-this': '1.0.0', '@some/agent-that': '1.0.0' },
    };
    put('lib/node_modules/@some/agent/package.json', JSON.stringify(manifest));
    const own = native('lib/node_modules/@some/agent/vendor/helper');
    const beside = native('lib/node_modules/@some/agent-this/bin/agent');
    native('lib/node_modules/@some/another/bin/agent');
    put('lib/node_modules/@some/agent/vendor/small', '\x7fELF');
    symlinkSync(script, join(folder, 'bin/agent'));
    assert.deepEqual(filesOf('agent'), [node, script, own, beside].sort());
    assert.deepEqual(filesOf('node', script), [node, script, own, beside].sort());
  });

  it('are those that can be told where the manifest is none', () => {
    const script = put('node_modules/broken/cli.js', 'data');
    put('node_modules/broken/package.json', '{');
    assert.deepEqual(filesOf(script), [script]);
  });
});
