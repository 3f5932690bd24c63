/**
 * The package as others get it: packed, installed in a folder of its own, and the examples of docs/api.md and
 * docs/plugins.md compiled against its types and run.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { agentEvents, CUSTOMER, SECRET, writeRecording } from '../../support/recorded-agent.ts';
import { PROJECT } from '../../support/source-imports.ts';

const TSC = join(PROJECT, 'node_modules/typescript/bin/tsc');

/** The blocks of a language in a page. */
function blocks(page: string, language: string): string[] {
  const text = readFileSync(join(PROJECT, 'docs', page), 'utf8');
  const fence = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm');
  return [...text.matchAll(fence)].map(([, block = '']) => block);
}

describe('the package', function () {
  this.timeout(120_000);
  let folder = '';
  let consumer = '';
  let packed: string[] = [];

  /** What is there to be packed: the source as it is now, compiled, beside the files that are in the tree. */
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sightline-package-'));
    const stage = join(folder, 'stage');
    mkdirSync(stage);
    for (const name of [
      'package.json',
      'LICENSE',
      'NOTICE',
      'README.md',
      'CHANGELOG.md',
      'docs',
      'examples',
    ]) {
      cpSync(join(PROJECT, name), join(stage, name), { recursive: true });
    }
    const outDir = join(stage, 'dist');
    execFileSync(process.execPath, [TSC, '-p', 'tsconfig.json', '--outDir', outDir], {
      cwd: PROJECT,
      stdio: 'inherit',
    });
    writeFileSync(join(outDir, '.stamp'), '');
    mkdirSync(join(stage, 'build/Release/obj.target'), { recursive: true });
    writeFileSync(join(stage, 'build/Release/sightline.node'), 'the addon');
    writeFileSync(join(stage, 'build/Release/obj.target/part.o'), 'an object');
    const words = ['pack', '--json', '--ignore-scripts', '--offline', '--pack-destination', folder];
    const [report] = JSON.parse(
      execFileSync('npm', words, {
        cwd: stage,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    ) as {
      filename: string;
      files: { path: string }[];
    }[];
    packed = report?.files.map(({ path }) => path) ?? [];

    consumer = join(folder, 'consumer');
    const installed = join(consumer, 'node_modules/sightline');
    mkdirSync(installed, { recursive: true });
    const archive = join(folder, report?.filename ?? '');
    execFileSync('tar', ['-xzf', archive, '-C', installed, '--strip-components=1']);
    linkDependencies();
    writeFileSync(join(consumer, 'package.json'), '{"type":"module"}');
    const pages = ['/repos/1', '/repos/2'];
    writeRecording(join(consumer, 'agent.slrec'), agentEvents(pages));
  });

  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** What the package declares that it needs at run time, and nothing else; types of Node for its user. */
  function linkDependencies(): void {
    const manifest = readFileSync(join(PROJECT, 'package.json'), 'utf8');
    const { dependencies } = JSON.parse(manifest) as { dependencies: Record<string, string> };
    for (const name of [...Object.keys(dependencies), '@types/node']) {
      const link = join(consumer, 'node_modules', name);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(join(PROJECT, 'node_modules', name), link);
    }
  }

  function run(file: string, ...args: string[]) {
    return spawnSync(process.execPath, [file, ...args], { cwd: consumer, encoding: 'utf8' });
  }

  it('holds what it needs to run, and nothing of how it is made', () => {
    for (const path of [
      'dist/index.js',
      'dist/index.d.ts',
      'dist/cli/main.js',
      'build/Release/sightline.node',
      'docs/api.md',
      'docs/plugins.md',
      'examples/plugins/customer-privacy.mjs',
      'LICENSE',
      'NOTICE',
      'README.md',
    ]) {
      assert.ok(packed.includes(path), path);
    }
    const strangers = packed.filter((path) =>
      /^(src|test|bench|bpf|native|scripts|deploy|demo)\/|\.map$|\.o$|stamp|(?<!\.d)\.ts$|tsconfig/.test(
        path,
      ),
    );
    assert.deepEqual(strangers, []);
  });

  it('has the examples of its documentation compile under strict rules, and run', () => {
    const files = blocks('api.md', 'ts').map((block, index) => {
      const name = `example-${index + 1}.ts`;
      writeFileSync(join(consumer, name), `${block}\nexport {};\n`);
      return name;
    });
    assert.equal(files.length, 5);
    const checked = blocks('plugins.md', 'js').map((block, index) => {
      const name = `plugin-${index + 1}.js`;
      writeFileSync(join(consumer, name), block);
      return name;
    });
    assert.equal(checked.length, 1);
    for (const name of ['team-from-path.mjs', 'customer-privacy.mjs']) {
      cpSync(join(consumer, 'node_modules/sightline/examples/plugins', name), join(consumer, name));
      checked.push(name);
    }
    // The types of the package itself are checked as well: no skipLibCheck.
    const options = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess'];
    const rest = ['--module', 'nodenext', '--target', 'es2022', '--lib', 'es2023'];
    const words = [
      TSC,
      ...options,
      ...rest,
      '--types',
      'node',
      '--outDir',
      'out',
      '--rootDir',
      '.',
    ];
    const compiled = run(words[0]!, ...words.slice(1), ...files);
    assert.equal(compiled.status, 0, compiled.stdout);
    const typed = run(
      TSC,
      ...options,
      ...rest,
      '--types',
      'node',
      '--noEmit',
      '--allowJs',
      '--checkJs',
      '--noImplicitAny',
      'false',
      ...checked,
    );
    assert.equal(typed.status, 0, typed.stdout);

    const outputs = files.map((name) => {
      const done = run(join('out', name.replace('.ts', '.js')), 'agent.slrec');
      assert.equal(done.status, 0, done.stderr);
      assert.ok(!(done.stdout + done.stderr).includes(SECRET));
      return done.stdout;
    });
    assert.match(
      outputs[0] ?? '',
      /agent: 2 calls, 1 tools, ended by answer\n\{ 'gpt-4o-mini': 28 \}/,
    );
    assert.equal(
      outputs[1],
      "agent POST model.test below a turn\nagent POST model.test below a turn\n{ 'model.test': 2 }\n",
    );
    assert.ok(
      outputs[2]?.includes(`lookup {"customer":"${CUSTOMER}"} ${CUSTOMER} has 2 orders wire`),
    );
    assert.match(outputs[3] ?? '', /10 POST \/v1\/chat\/completions 200 \[\]/);
    assert.match(outputs[3] ?? '', /exchanges: 6/);
    assert.equal(outputs[4], '');
  });

  it('shows nothing but its entry, and refuses a wrong use by its types', () => {
    writeFileSync(join(consumer, 'inside.js'), "import 'sightline/dist/pipeline.js';");
    assert.match(run('inside.js').stderr, /ERR_PACKAGE_PATH_NOT_EXPORTED/);
    const wrong = [
      "import { definePlugin } from 'sightline';",
      'definePlugin({ call: () => ({ attributes: { a: {} } }) });',
      'definePlugin({ call: async () => ({}) });',
      'definePlugin({ turn: (turn) => { turn.ids.traceId = "x"; } });',
    ];
    writeFileSync(join(consumer, 'wrong.ts'), wrong.join('\n'));
    const words = ['--strict', '--module', 'nodenext', '--target', 'es2022', '--skipLibCheck'];
    const { stdout } = run(TSC, ...words, '--types', 'node', '--noEmit', 'wrong.ts');
    const lines = [...stdout.matchAll(/^wrong\.ts\((\d),/gm)].map(([, line]) => Number(line));
    assert.deepEqual([...new Set(lines)], [2, 3, 4], stdout);
  });

  it('replays as a command without the addon, with a plugin that runs in a thread', () => {
    const main = 'node_modules/sightline/dist/cli/main.js';
    const plugin = join(consumer, 'marks.mjs');
    const text = 'export const turn = () => ({ attributes: { "seen.turn": true } });';
    writeFileSync(plugin, text, { mode: 0o644 });
    chmodSync(folder, 0o755);
    chmodSync(consumer, 0o755);
    const done = spawnSync(process.execPath, [main, 'replay', '--print', 'spans', 'agent.slrec'], {
      cwd: consumer,
      encoding: 'utf8',
      env: { ...process.env, SIGHTLINE_PLUGINS: plugin },
    });
    assert.equal(done.status, 0, done.stderr);
    assert.match(done.stdout, /invoke_agent agent[^\n]*"seen\.turn":true/);
  });
});
