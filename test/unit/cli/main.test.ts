/** The command as a user calls it. Each test starts a process, so there are few. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

interface CallOptions {
  env?: Record<string, string>;
  /** Words in front, such as `setpriv …`. */
  prefix?: readonly string[];
}

/** Runs `sightline` from its source in an environment without any setting. */
function sightline(args: readonly string[], options: CallOptions = {}): Promise<Outcome> {
  const words = [
    ...(options.prefix ?? []),
    process.execPath,
    '--import',
    'tsx',
    'src/cli/main.ts',
    ...args,
  ];
  const child = spawn(words[0] ?? '', words.slice(1), {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

function assertOneLineError(outcome: Outcome, code: number, message: RegExp): void {
  assert.equal(outcome.stdout, '');
  assert.match(outcome.stderr, /^sightline: [^\n]+\n$/);
  assert.match(outcome.stderr, message);
  assert.doesNotMatch(outcome.stderr, /\n\s+at /);
  assert.equal(outcome.code, code);
}

describe('the sightline command', () => {
  it('prints its version', async () => {
    const { version } = JSON.parse(readFileSync(`${ROOT}/package.json`, 'utf8')) as {
      version: string;
    };
    const outcome = await sightline(['--version']);
    assert.deepEqual(outcome, { code: 0, stdout: `sightline ${version}\n`, stderr: '' });
  });

  it('explains a command even where the configuration is wrong', async () => {
    const outcome = await sightline(['exec', '--help'], { env: { OTEL_LOG_LEVEL: 'loud' } });
    assert.equal(outcome.code, 0);
    assert.match(outcome.stdout, /sightline exec .*-- CMD/);
    assert.equal(outcome.stderr, '');
  });

  const wrong: readonly (readonly [what: string, args: readonly string[], message: RegExp])[] = [
    ['an unknown command', ['fly'], /no command "fly": the commands are run, exec, record/],
    ['an unknown option', ['--fast'], /unknown option '--fast'/],
    ['exec without a command', ['exec', 'true'], /put -- before the command: exec -- true/],
    [
      'a stage that is none',
      ['replay', '--print', 'bytes', 'x'],
      /--print is "bytes", but allowed/,
    ],
    ['a missing configuration file', ['run', '--config', '/none.yaml'], /\/none\.yaml: it cannot/],
  ];
  for (const [what, args, message] of wrong) {
    it(`refuses ${what} in one line with exit code 2`, async () => {
      assertOneLineError(await sightline(args), 2, message);
    });
  }

  it('refuses a wrong value in one line with exit code 2, and shows no secret', async () => {
    const outcome = await sightline(['run'], {
      env: { SIGHTLINE_RING_BYTES: '3MB', OTEL_EXPORTER_OTLP_HEADERS: 'sk-secret' },
    });
    assertOneLineError(outcome, 2, /SIGHTLINE_RING_BYTES is "3MB", but allowed is/);
    assert.ok(!outcome.stderr.includes('sk-secret'));
  });

  it('says without privilege that it needs it, with exit code 3, or 125 for a command', async function () {
    const isRoot = process.geteuid?.() === 0;
    // No capability is left after this, whoever runs the tests; the files stay readable by their owner.
    const prefix = isRoot
      ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all', '--']
      : [];
    if (process.platform !== 'linux') {
      this.skip();
    }
    const file = '/tmp/never.slrec';
    for (const [code, args] of [
      [3, ['run']],
      [3, ['record', '-o', file]],
      [125, ['exec', '--', 'true']],
      [125, ['record', '-o', file, '--', 'true']],
    ] as const) {
      const outcome = await sightline([...args], { prefix });
      assertOneLineError(outcome, code, /needs root, or at least CAP_BPF and CAP_PERFMON/);
    }
  });

  it('ends quietly when nobody reads its stdout any more', async () => {
    const words = `${process.execPath} --import tsx src/cli/main.ts run --help | head -c 1`;
    const child = spawn('bash', ['-c', `set -o pipefail; ${words}`], {
      cwd: ROOT,
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    assert.equal(stderr, '');
    assert.equal(code, 0);
  });
});
