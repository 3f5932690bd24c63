import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startHeld } from '../../../src/cli/held-process.ts';
import { SightlineError } from '../../../src/util/errors.ts';

const PATH = '/usr/bin:/bin';

describe('a held process', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sightline-held-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Both stubs: a name that is no shell name makes it Perl's. */
  const environments: readonly (readonly [string, Record<string, string>])[] = [
    ['shell', { PATH, NAME: "it's\n$HOME" }],
    ['Perl', { PATH, NAME: 'x', 'a.b//c': ' d=e\n', LC_ALL: 'xx_YY.UTF-8', IFS: 'q' }],
  ];
  for (const [stub, env] of environments) {
    describe(`by the ${stub} stub`, () => {
      it('does nothing before its release, keeps its pid, and gives its exit code', async () => {
        const file = join(folder, `${stub}.pid`);
        const script = 'echo $$ > "$0"; exit 42';
        const held = await startHeld({ command: ['sh', '-c', script, file], env, prefix: [] });
        assert.ok(!existsSync(file));
        held.release();
        assert.equal(await held.ended, 42);
        assert.equal(Number(readFileSync(file, 'utf8')), held.pid);
      });

      it('has the arguments and the environment it was given, and no descriptor of ours', async () => {
        const file = join(folder, `${stub}.env`);
        const script =
          'cat /proc/self/environ > "$0"; test "$1" = " a  b" || exit 9; test ! -S /proc/self/fd/3';
        const command = ['sh', '-c', script, file, ' a  b'];
        const held = await startHeld({ command, env, prefix: [] });
        held.release();
        assert.equal(await held.ended, 0);
        const seen = readFileSync(file, 'utf8')
          .split('\0')
          .filter((entry) => entry !== '');
        const given = Object.entries(env).map(([name, value]) => `${name}=${value}`);
        // The inner sh drops and sets some itself; what is no shell name is compared below.
        for (const entry of given.filter((each) => /^(PATH|NAME|LC_ALL)=/.test(each))) {
          assert.ok(seen.includes(entry), entry);
        }
        assert.ok(!seen.some((entry) => /^(SIGHTLINE_|PERL_)/.test(entry)));
      });

      it('never starts when we are gone before its release', async () => {
        const file = join(folder, `${stub}.never`);
        const held = await startHeld({ command: ['touch', file], env, prefix: [] });
        held.abandon();
        assert.equal(await held.ended, 125);
        assert.ok(!existsSync(file));
      });
    });
  }

  it('has variables that no shell passes on', async () => {
    const file = join(folder, 'odd.env');
    const env = { PATH, 'npm_config_//host/:key': '1', IFS: 'q' };
    // env(1) runs cp without a shell between, and /proc has its environment.
    const held = await startHeld({ command: ['cp', '/proc/self/environ', file], env, prefix: [] });
    held.release();
    assert.equal(await held.ended, 0);
    const seen = readFileSync(file, 'utf8')
      .split('\0')
      .filter((entry) => entry !== '');
    assert.deepEqual(
      seen.sort(),
      Object.entries(env)
        .map(([name, value]) => `${name}=${value}`)
        .sort(),
    );
  });

  it('that a signal ended gives 128 + N', async () => {
    const command = ['sh', '-c', 'kill -TERM $$'];
    const held = await startHeld({ command, env: { PATH }, prefix: [] });
    held.release();
    assert.equal(await held.ended, 143);
  });

  it('gets signals passed on', async () => {
    const script = 'trap "exit 7" USR1; while :; do sleep 0.05; done';
    const held = await startHeld({ command: ['sh', '-c', script], env: { PATH }, prefix: [] });
    held.release();
    const timer = setInterval(() => held.kill('SIGUSR1'), 200);
    assert.ok([7, 138].includes(await held.ended));
    clearInterval(timer);
  });

  it('that cannot be prepared is our failure: 125', async () => {
    for (const prefix of [['no-such-program'], ['false']]) {
      await assert.rejects(
        startHeld({ command: ['true'], env: { PATH }, prefix }),
        (error) => error instanceof SightlineError && error.exitCode === 125,
      );
    }
  });
});
