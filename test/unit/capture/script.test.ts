import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { resolveInRoot } from '../../../src/capture/process-root.ts';
import { scriptOf } from '../../../src/capture/script-argument.ts';
import { createPackageFinder } from '../../../src/capture/script-package.ts';

describe('the script among the arguments of', () => {
  const cases: [string, string, string | undefined][] = [
    ['/usr/bin/node', 'node app.js --port 1', 'app.js'],
    ['/usr/bin/node', 'node -r ./hook.js --import=tsx --no-warnings src/a.ts x', 'src/a.ts'],
    ['/usr/bin/node', 'node -e console.log(1) x.js', undefined],
    ['/usr/bin/node', 'node', undefined],
    ['/usr/bin/node', 'node -- -odd.js', '-odd.js'],
    ['/usr/bin/node', 'node inspect app.js', 'app.js'],
    ['/usr/bin/node20', 'node app.js', 'app.js'],
    ['/usr/bin/python3.11', 'python3 -u -W ignore agent.py -m x', 'agent.py'],
    ['/usr/bin/python3.11', 'python3 -c pass agent.py', undefined],
    ['/usr/bin/python3.11', 'python3 -Im http.server 80', 'http.server'],
    ['/usr/bin/python3.11', 'python3 -X dev -m aider', 'aider'],
    ['/usr/bin/python3.11', 'python3 -', undefined],
    ['/home/u/.bun/bin/bun', 'bun run --cwd /x start.ts', 'start.ts'],
    ['/usr/bin/deno', 'deno run --allow-net -c deno.json main.ts', 'main.ts'],
    ['/bin/bash', 'bash -c ls', undefined],
    ['/bin/bash', 'bash -x run.sh', 'run.sh'],
    ['/usr/bin/curl', 'curl x.js', undefined],
  ];
  for (const [executable, line, wanted] of cases) {
    it(line, () => {
      assert.equal(scriptOf(executable, line.split(' '))?.name, wanted);
    });
  }
});

describe('the package of a script', () => {
  let folder = '';
  const put = (path: string, text = ''): string => {
    const whole = join(folder, path);
    mkdirSync(dirname(whole), { recursive: true });
    writeFileSync(whole, text);
    return whole;
  };

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sightline-package-'));
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  // The files are looked up as this process sees them.
  const find = (executable: string, ...argv: string[]) =>
    createPackageFinder().find(process.pid, executable, argv);

  it('is the nearest package.json that has a name', () => {
    const script = put('node_modules/@x/agent/dist/cli.js');
    put('node_modules/@x/agent/dist/package.json', '{"type":"module"}');
    put('node_modules/@x/agent/package.json', '{"name":"@x/agent","version":"1.2.3"}');
    const wanted = { packageName: '@x/agent', packageVersion: '1.2.3' };
    assert.deepEqual(find('/usr/bin/node', 'node', script), wanted);
    mkdirSync(join(folder, 'node_modules/.bin'));
    symlinkSync('../@x/agent/dist/cli.js', join(folder, 'node_modules/.bin/agent'));
    const link = join(folder, 'node_modules/.bin/agent');
    assert.deepEqual(find('/usr/bin/node', 'node', link), wanted);
    assert.deepEqual(find('/usr/bin/node', 'node', script.replace(/\.js$/, '')), wanted);
    const native = put('node_modules/@x/agent/vendor/agent');
    assert.deepEqual(find(native, native), wanted);
  });

  it('is nothing for a broken manifest, code on the command line, or a process that is gone', () => {
    const script = put('broken/a.js');
    put('broken/package.json', '{"name":');
    assert.notEqual(find('/usr/bin/node', 'node', script)?.packageName, '');
    assert.equal(find('/usr/bin/node', 'node', '-e', '1'), undefined);
    assert.equal(find('/bin/ls', 'ls'), undefined);
    assert.equal(
      createPackageFinder().find(0x7fff_fff0, '/usr/bin/node', ['node', script]),
      undefined,
    );
  });

  it('is the distribution of a Python command, module or file', () => {
    const python = put('venv/bin/python');
    const site = 'venv/lib/python3.11/site-packages';
    put(
      `${site}/aider_chat-0.86.1.dist-info/entry_points.txt`,
      '[console_scripts]\naider = aider.main:main\n',
    );
    put(`${site}/aider_chat-0.86.1.dist-info/RECORD`, 'aider/__init__.py,sha256=x,1\n');
    put(`${site}/other-1.dist-info/entry_points.txt`, '[console_scripts]\naiderx = other:main\n');
    const file = put(`${site}/aider/__main__.py`);
    const command = put('venv/bin/aider');
    const wanted = { packageName: 'aider-chat', packageVersion: '0.86.1' };
    assert.deepEqual(find('/usr/bin/python3.11', python, command), wanted);
    assert.deepEqual(find('/usr/bin/python3.11', python, '-m', 'aider.main'), wanted);
    assert.deepEqual(find('/usr/bin/python3.11', python, file), wanted);
    assert.equal(find('/usr/bin/python3.11', python, '-m', 'nothing_of_that_name'), undefined);
  });

  it('is looked up below the root of a container, whose links lead nowhere else', () => {
    put('root/opt/app/index.js');
    mkdirSync(join(folder, 'root/srv'));
    symlinkSync('/opt/app', join(folder, 'root/srv/app'));
    symlinkSync('/../../../../opt/app/index.js', join(folder, 'root/srv/up.js'));
    symlinkSync('loop', join(folder, 'root/srv/loop'));
    const root = join(folder, 'root');
    assert.equal(resolveInRoot(root, '/srv/app/index.js'), '/opt/app/index.js');
    assert.equal(resolveInRoot(root, '/srv/up.js'), '/opt/app/index.js');
    assert.equal(resolveInRoot(root, '/srv/loop'), undefined);
    assert.equal(resolveInRoot(root, '/srv/none'), undefined);
  });
});
