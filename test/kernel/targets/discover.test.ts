/** `discover` against programs that really run: each with its stack, or the reason why not. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireKernel, skipWithout } from '../../support/kernel-guard.ts';
import { runSightline, sightlineArguments } from '../../support/sightline.ts';

interface FoundStack {
  stack: string;
  version?: string;
  locatedBy: string;
  functions: { name: string; probe: Record<string, unknown> }[];
}

interface Found {
  pid: number;
  workload: string;
  agent?: string;
  executable: string;
  state: string;
  reason: string;
  files: { path: string; verdict: string; reason: string; stacks: FoundStack[] }[];
}

describe('discover', function () {
  this.timeout(120_000);
  const children = new Map<string, ChildProcess>();
  let folder: string;

  function start(name: string, command: string, args: string[]): void {
    children.set(name, spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'], cwd: folder }));
  }

  before(async function () {
    requireKernel(this);
    folder = mkdtempSync(join(tmpdir(), 'sightline-discover-'));
    const python = '/usr/bin/python3';
    start('python', python, ['-c', 'import ssl, sys; print("up", flush=True); sys.stdin.read()']);
    start('node', process.execPath, ['-e', 'console.log("up"); process.stdin.resume()']);
    // curl reads its configuration from stdin, with its libraries loaded.
    start('curl', 'curl', ['--config', '-']);
    start('none', 'sleep', ['100']);
    const agent = join(folder, 'claude');
    copyFileSync('/bin/sleep', agent);
    start('agent', agent, ['101']);
    copyFileSync(python, join(folder, 'sl-excluded'));
    start('excluded', join(folder, 'sl-excluded'), [
      '-c',
      'import ssl, sys; print("up", flush=True); sys.stdin.read()',
    ]);
    writeFileSync(join(folder, 'libssl.so'), `this is no library\n${'SSL_read\0'.repeat(2000)}`);
    const script =
      'import mmap, sys; f = open("libssl.so", "rb"); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ | mmap.PROT_EXEC, flags=mmap.MAP_PRIVATE); print("up", flush=True); sys.stdin.read()';
    start('hostile', python, ['-c', script]);
    const go = execFileSync('bash', ['-c', 'command -v go || true'], { encoding: 'utf8' }).trim();
    if (go !== '' && existsSync(go)) {
      const source = join(folder, 'main.go');
      writeFileSync(
        source,
        'package main\nimport ("fmt"; "net/http"; "os")\nfunc main() { fmt.Println("up"); if len(os.Args) > 1 { http.Get(os.Args[1]) }; os.Stdin.Read(make([]byte, 1)) }\n',
      );
      execFileSync(go, ['build', '-o', join(folder, 'go-program'), source], {
        env: { ...process.env, CGO_ENABLED: '0' },
      });
      start('go', join(folder, 'go-program'), []);
    }
    const talking = ['python', 'node', 'excluded', 'hostile', 'go'];
    for (const name of talking) {
      const child = children.get(name);
      if (child) {
        await new Promise((resolve) => child.stdout?.once('data', resolve));
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  });

  after(() => {
    for (const child of children.values()) {
      child.kill('SIGKILL');
    }
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  async function discover(env: Record<string, string> = {}): Promise<(name: string) => Found> {
    const { code, stdout, stderr } = await runSightline(['discover', '--json'], env);
    assert.equal(code, 0, stderr);
    const { version, states, processes } = JSON.parse(stdout) as {
      version: number;
      states: Record<string, number>;
      processes: Found[];
    };
    assert.equal(version, 1);
    assert.equal(
      Object.values(states).reduce((sum, count) => sum + count, 0),
      processes.length,
    );
    return (name) => {
      const found = processes.find(({ pid }) => pid === children.get(name)?.pid);
      assert.ok(found, `${name} is listed`);
      return found;
    };
  }

  it('says of each program what it has and how that was located', async () => {
    const of = await discover({ SIGHTLINE_EXCLUDE_COMM: 'sl-excluded' });
    for (const [name, file] of [
      ['python', /libssl\.so\.3$/],
      ['curl', /libssl\.so\.3$/],
      ['node', /node$/],
    ] as const) {
      const found = of(name);
      assert.equal(found.state, 'attachable', `${name}: ${found.reason}`);
      const tls = found.files.find(({ path }) => file.test(path));
      const stack = tls?.stacks.find((one) => one.stack === 'openssl');
      assert.match(stack?.version ?? '', /^3\.\d+\.\d+/, name);
      assert.equal(stack?.locatedBy, 'symbol');
      for (const { name: called, probe } of stack?.functions ?? []) {
        assert.match(String(probe.chosen), /^(?:entry|after-endbr64|past-start|internal)$/, called);
        assert.ok(String(probe.why).length > 10, called);
        if (process.arch === 'x64') {
          assert.match(String(probe.instruction), /^[a-z0-9]+/, called);
        }
      }
      assert.ok((stack?.functions.length ?? 0) >= 2, name);
    }
    assert.equal(of('none').state, 'no-tls');
    assert.match(of('none').reason, /^no known TLS stack in the \d+ files it runs from$/);
    assert.equal(of('agent').agent, 'claude-code');
    assert.equal(of('excluded').state, 'left-out');
    assert.equal(of('excluded').reason, 'SIGHTLINE_EXCLUDE_COMM=sl-excluded');
    assert.ok(of('excluded').files.length > 0, 'what it has is told all the same');
  });

  it('says why a text file that is called libssl.so is not one', async () => {
    const of = await discover();
    const found = of('hostile');
    const file = found.files.find(({ path }) => path.endsWith('/libssl.so'));
    assert.equal(file?.verdict, 'no-tls');
    assert.match(file?.reason ?? '', /ELF/);
    assert.deepEqual(file?.stacks, []);
  });

  it('names the version of Go and its own table of functions', async function () {
    if (!children.has('go')) {
      skipWithout(this, 'Go');
    }
    const of = await discover();
    const [stack] = of('go').files[0]?.stacks ?? [];
    assert.equal(stack?.stack, 'go');
    assert.equal(stack?.locatedBy, 'pclntab');
    assert.match(stack?.version ?? '', /^go1\.\d+/);
  });

  it('says which processes are no targets', async () => {
    const of = await discover({ SIGHTLINE_TARGET_EXE: 'sl-excluded' });
    assert.equal(of('excluded').state, 'attachable');
    assert.equal(of('node').state, 'left-out');
    assert.equal(of('node').reason, 'matches no SIGHTLINE_TARGET_ variable');
  });

  it('fits the table into 110 columns, alike processes in one row', async () => {
    const { stdout, code } = await runSightline(['discover'], {
      SIGHTLINE_EXCLUDE_COMM: 'sl-excluded',
    });
    assert.equal(code, 0);
    const lines = stdout.split('\n');
    assert.match(
      lines[0] ?? '',
      /^PID +KIND +WORKLOAD +EXECUTABLE +TLS +LOCATED BY +PROBES +STATE$/,
    );
    assert.ok(
      lines.every((line) => line.length <= 110 || !line.includes('  ')),
      stdout,
    );
    assert.match(stdout, /^\d+\S* .*agent +claude-code .* no-tls$/m);
    assert.match(stdout, /openssl 3\.\d+\.\d+ +symbol +\d+\/\d+ emulated +attachable$/m);
    // Behind the rows of its further files.
    assert.match(stdout, /left-out\n(?: {20,}\S.*\n)* +SIGHTLINE_EXCLUDE_COMM=sl-excluded$/m);
    assert.match(stdout, /No TLS in \d+ other processes.*sleep/s);
  });

  it('works without root, and says what it could not read', async function () {
    const [main, ...rest] = sightlineArguments(['discover']);
    const nobody = spawn(process.execPath, [main ?? '', ...rest], {
      uid: 65_534,
      gid: 65_534,
      cwd: '/',
      env: { PATH: process.env.PATH, HOME: '/nonexistent' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    nobody.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    nobody.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const code = await new Promise((resolve) => nobody.once('close', resolve));
    if (/EACCES|Cannot find module/.test(stderr)) {
      skipWithout(this, 'a checkout that other users may read');
    }
    assert.equal(code, 0, stderr);
    assert.match(stderr, /could not look into \d+ of \d+ processes: sudo sightline discover can/);
    assert.match(stdout, /unreadable\n +what it runs from cannot be read \(EACCES\): root may$/m);
  });

  it('masks what SIGHTLINE_REDACT names in the command lines it shows', async () => {
    const { code, stdout, stderr } = await runSightline(['discover', '--json'], {
      SIGHTLINE_REDACT: '/import ssl/',
    });
    assert.equal(code, 0, stderr);
    const { processes } = JSON.parse(stdout) as { processes: { pid: number; argv: string[] }[] };
    const python = processes.find(({ pid }) => pid === children.get('python')?.pid);
    assert.match(python?.argv[2] ?? '', /^\*{10}, sys;/);
    assert.ok(!stdout.includes('import ssl'));
  });
});
