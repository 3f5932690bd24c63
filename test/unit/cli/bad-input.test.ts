/**
 * What a user gets wrong at the command line, in variables and files: one line that says how to mend it, the
 * documented exit code, no stack trace. Nothing here needs privilege or the kernel. Each case starts a process.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const RECORDING_MAGIC = Buffer.from('\x89SLREC\r\n', 'latin1');

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs `sightline` from its source in an environment with nothing but these variables. */
function sightline(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...args], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const outcome: Outcome = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    outcome.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    outcome.stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ ...outcome, code }));
  });
}

function assertOneLine(outcome: Outcome, code: number, message: RegExp): void {
  assert.match(outcome.stderr, /^sightline: [^\n]+\n$/);
  assert.match(outcome.stderr, message);
  assert.doesNotMatch(outcome.stderr, /internal error|^\s+at |node:internal/m);
  assert.equal(outcome.stdout, '');
  assert.equal(outcome.code, code);
}

/** What stands before the frames of a recording, with the parts that a test bends. */
function preamble(version: number, headerBytes: number, header = '{}'): Buffer {
  const fields = Buffer.alloc(8);
  fields.writeUInt16LE(version, 0);
  fields.writeUInt32LE(headerBytes, 4);
  return Buffer.concat([RECORDING_MAGIC, fields, Buffer.from(header)]);
}

describe('bad input', function () {
  this.timeout(20_000);
  let folder = '';

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sightline-bad-input-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function file(name: string, content: string | Uint8Array): string {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  }

  describe('a file to write that cannot be', () => {
    const places: readonly (readonly [what: string, path: () => string, message: RegExp])[] = [
      ['in a folder that is none', () => '/none/x', /the directory \/none does not exist: create/],
      ['that is a folder', () => folder, /that is a directory: name a file in it/],
      [
        'below a file',
        () => join(file('plain', ''), 'x'),
        /the directory .*plain does not exist: create it first/,
      ],
      [
        'with a name that is too long',
        () => join(folder, 'a'.repeat(300)),
        /no file can be there \(ENAMETOOLONG\): choose another path/,
      ],
    ];
    for (const [what, path, message] of places) {
      it(`as SIGHTLINE_FILE: ${what}`, async () => {
        const outcome = await sightline(['replay', 'x'], { SIGHTLINE_FILE: path() });
        assertOneLine(outcome, 2, message);
        assert.match(outcome.stderr, /^sightline: SIGHTLINE_FILE is "/);
      });
    }

    it('as recording: with a name that is too long', async () => {
      const outcome = await sightline(['record', '-o', join(folder, 'a'.repeat(300))]);
      assertOneLine(outcome, 2, /no file can be there \(ENAMETOOLONG\): choose another path/);
    });
  });

  describe('a recording', () => {
    const recordings: readonly (readonly [what: string, make: () => string, message: RegExp])[] = [
      ['that is not there', () => join(folder, 'none'), /cannot be read: there is no such file/],
      ['that is a folder', () => folder, /cannot be read: it is no regular file/],
      [
        'that is a named pipe',
        () => {
          const path = join(folder, 'pipe');
          assert.equal(spawnSync('mkfifo', [path]).status, 0);
          return path;
        },
        /cannot be read: it is no regular file/,
      ],
      ['that is empty', () => file('empty', ''), /is no Sightline recording: give a file that/],
      [
        'of another program',
        () => file('foreign', '{"resourceSpans":[]}\n'),
        /is no Sightline recording/,
      ],
      [
        'of a newer version',
        () => file('newer', preamble(9, 2)),
        /has recording format 9, this Sightline reads up to \d+: use a newer Sightline/,
      ],
      [
        'whose header claims 4 GiB',
        () => file('huge', preamble(1, 0xffffffff)),
        /is damaged[^\n]* header/,
      ],
      ['whose header is no JSON', () => file('binary', preamble(1, 2, '\0\0')), /is damaged/],
      [
        'whose frames are no gzip stream',
        () => file('frames', Buffer.concat([preamble(1, 2), Buffer.alloc(64, 0x55)])),
        /is damaged/,
      ],
      [
        'that stops within its header',
        () => file('cut', preamble(1, 200)),
        /ends in the middle: it was analysed as far as it goes/,
      ],
    ];
    for (const [what, make, message] of recordings) {
      it(`${what} fails with exit code 1`, async () => {
        assertOneLine(await sightline(['replay', make()]), 1, message);
      });
    }
  });

  describe('a configuration file', () => {
    const files: readonly (readonly [what: string, content: string, message: RegExp])[] = [
      ['with an unknown key', 'captrue: {}\n', /it has the key captrue, which this version does/],
      ['that is no YAML', 'capture: [\n', /it is no YAML or JSON: /],
      ['with a wrong value', 'capture:\n  ringBytes: 3\n', /capture\.ringBytes in .* is "3", but/],
      ['with a loop', 'a: &a [*a]\n', /it is no YAML or JSON: Alias resolution is disabled/],
      ['that names a prototype', '__proto__:\n  x: 1\n', /it has the key __proto__/],
      ['that is a text', 'just text', /it must hold settings as key: value lines/],
    ];
    for (const [what, content, message] of files) {
      it(`${what} is refused with exit code 2`, async () => {
        const path = file('config.yaml', content);
        const outcome = await sightline(['run', '--config', path]);
        assertOneLine(outcome, 2, message);
        assert.match(outcome.stderr, /^sightline: [^\n]*config\.yaml/);
      });
    }

    it('that is a folder is refused with exit code 2', async () => {
      assertOneLine(
        await sightline(['run', '--config', folder]),
        2,
        /it cannot be read \(EISDIR\)/,
      );
    });
  });

  it('a command to execute that is an empty word is wrong usage', async () => {
    const outcome = await sightline(['exec', '--', '']);
    assertOneLine(outcome, 2, /the command after -- is empty/);
  });

  it('several wrong variables are named at once, on one line', async () => {
    const outcome = await sightline(['check'], {
      OTEL_TRACES_EXPORTER: 'jaeger',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    });
    assertOneLine(outcome, 2, /OTEL_TRACES_EXPORTER is "jaeger"/);
    assert.match(outcome.stderr, /OTEL_EXPORTER_OTLP_PROTOCOL is "http\/json"/);
  });
});
