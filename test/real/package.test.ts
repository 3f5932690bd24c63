/** The package as npm installs it, with its dependencies from the registry: a TypeScript program on it compiles and runs. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { agentEvents, writeRecording } from '../support/recorded-agent.ts';
import { PROJECT } from '../support/source-imports.ts';

const PROGRAM = `
import { analyzeRecording, definePlugin, type HttpPiece, SightlineError } from 'sightline';

const told: string[] = [];
const paths = (piece: HttpPiece): string => piece.exchange.request?.target ?? '';
const { isTruncated } = await analyzeRecording('agent.slrec', {
  onHttp: (piece) => told.push(paths(piece)),
  onCall: ({ call }) => told.push(String(call.response?.usage.outputTokens)),
  onTurn: (turn) => told.push(turn.agentName),
  plugins: [definePlugin({ call: ({ isInTurn }) => ({ drop: !isInTurn }) })],
});
console.log(told.join(' '), isTruncated);
await analyzeRecording('package.json').catch((error: unknown) => {
  console.log(error instanceof SightlineError ? error.code : 'another error');
});
`;

describe('the package, installed by npm in an empty folder', function () {
  this.timeout(180_000);
  let folder = '';

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sightline-installed-'));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function run(command: string, args: readonly string[], cwd = folder) {
    return spawnSync(command, args, { cwd, encoding: 'utf8' });
  }

  it('compiles and runs with a program of TypeScript, and as a command', function () {
    const words = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
    const packed = run('npm', words, PROJECT);
    assert.equal(packed.status, 0, packed.stderr);
    const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }];
    writeFileSync(join(folder, 'package.json'), '{"type":"module","private":true}');
    const { devDependencies } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as {
      devDependencies: Record<string, string>;
    };
    const tools = ['typescript', '@types/node'].map((name) => `${name}@${devDependencies[name]}`);
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
    const installed = run('npm', ['install', ...quiet, `./${filename}`, ...tools]);
    if (installed.status !== 0) {
      process.stderr.write(`skipped: npm could not install the package: ${installed.stderr}\n`);
      this.skip();
    }
    writeRecording(join(folder, 'agent.slrec'), agentEvents(['/repos/1']));
    writeFileSync(join(folder, 'program.ts'), PROGRAM);
    const options = ['--strict', '--module', 'nodenext', '--target', 'es2022', '--types', 'node'];
    const compiled = run('npx', ['--no-install', 'tsc', ...options, 'program.ts']);
    assert.equal(compiled.status, 0, compiled.stdout);
    const done = run(process.execPath, ['program.js']);
    assert.equal(done.status, 0, done.stderr);
    assert.equal(done.stdout, '7 /repos/1 7 agent false\nSL_RECORDING_FOREIGN\n');

    const help = run('npx', ['--no-install', 'sightline', '--version']);
    assert.equal(help.status, 0, help.stderr);
    const replayed = run('npx', ['--no-install', 'sightline', 'replay', 'agent.slrec']);
    assert.match(replayed.stdout, /invoke_agent agent/, replayed.stderr);
  });
});
