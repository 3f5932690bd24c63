/** Where the kernel does not tell its types, or somebody without privilege asks: one line, exit code 3 (125 for a command). */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireKernel } from '../../support/kernel-guard.ts';
import { sightlineArguments } from '../../support/sightline.ts';

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs `words` in front of the command, with no variable of ours set. */
async function sightlineUnder(words: readonly string[], args: readonly string[]): Promise<Outcome> {
  const [program = '', ...rest] = [...words, process.execPath, ...sightlineArguments(args)];
  const child = spawn(program, rest, {
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const outcome: Outcome = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    outcome.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    outcome.stderr += text;
  });
  outcome.code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return outcome;
}

describe('where capture is impossible', function () {
  this.timeout(60_000);
  let folder = '';

  before(function () {
    requireKernel(this);
    folder = mkdtempSync(join(tmpdir(), 'sightline-no-capture-'));
    mkdirSync(join(folder, 'nothing'));
    writeFileSync(join(folder, 'empty'), '');
    writeFileSync(join(folder, 'foreign'), Buffer.alloc(4096, 0x55));
  });
  after(() => {
    if (folder !== '') {
      rmSync(folder, { recursive: true });
    }
  });

  /** In a mount namespace of its own, `source` in place of what the kernel has there. */
  function covering(place: string, source: string): string[] {
    return ['unshare', '--mount', 'sh', '-c', `mount --bind ${source} ${place} && exec "$@"`, 'sh'];
  }

  const kernels: readonly (readonly [what: string, place: string, source: string])[] = [
    ['without BTF', '/sys/kernel/btf', 'nothing'],
    ['with empty BTF', '/sys/kernel/btf/vmlinux', 'empty'],
    ['with foreign BTF', '/sys/kernel/btf/vmlinux', 'foreign'],
  ];
  for (const [what, place, source] of kernels) {
    for (const [args, code] of [
      [['run'], 3],
      [['exec', '--', 'true'], 125],
    ] as const) {
      it(`${args[0]} on a kernel ${what} says so in one line, with exit code ${code}`, async () => {
        const words = covering(place, join(folder, source));
        const outcome = await sightlineUnder(words, args);
        assert.match(
          outcome.stderr,
          /^sightline: [^\n]+; "sightline check" says what is missing\n$/,
        );
        assert.doesNotMatch(outcome.stderr, /internal error/);
        assert.equal(outcome.stdout, '');
        assert.equal(outcome.code, code);
      });
    }

    it(`check on a kernel ${what} fails, and blames nothing else`, async () => {
      const words = covering(place, join(folder, source));
      const { code, stdout } = await sightlineUnder(words, ['check']);
      assert.match(
        stdout,
        /^fail {2}btf +\/sys\/kernel\/btf\/vmlinux is [^\n]+ — use a kernel built/m,
      );
      assert.match(stdout, /^fail {2}bpf +not tried — mend btf first$/m);
      assert.equal(stdout.match(/^fail/gm)?.length, 2);
      assert.equal(code, 1);
    });
  }

  it('somebody without privilege learns what is needed, and can still replay', async () => {
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'];
    const run = await sightlineUnder(nobody, ['run']);
    assert.match(run.stderr, /^sightline: capturing needs root, or at least CAP_BPF [^\n]+\n$/);
    assert.equal(run.code, 3);
    const check = await sightlineUnder(nobody, ['check']);
    assert.match(check.stdout, /^fail {2}bpf +not tried — mend CAP_BPF and CAP_PERFMON first$/m);
    assert.equal(check.code, 1);
    const replay = await sightlineUnder(nobody, ['replay', join(folder, 'none')]);
    assert.match(replay.stderr, /^sightline: the recording [^\n]+ cannot be read/);
    assert.equal(replay.code, 1);
  });
});
