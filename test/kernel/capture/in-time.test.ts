/**
 * Programs are attached to before their first request, however short they live and wherever their files are; a file
 * that nobody met before is attached to as it is met, and whoever was faster is counted.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireKernel } from '../../support/kernel-guard.ts';
import { runSightline } from '../../support/sightline.ts';
import { type Observation, observe, startServer, type TestServer } from './live-harness.ts';

const SOURCE = fileURLToPath(new URL('./tls_client.c', import.meta.url));

/** A prime number of runs, so that a count that only looks right shows. */
const RUNS = 23;

/** What a program of an unknown file gets to do before its first request, in ms; most do more. */
const START_MS = 250;

describe('attached in time', function () {
  this.timeout(90_000);
  let server: TestServer;
  let folder: string;
  let libraries: string;
  let program: string;

  before(async function () {
    requireKernel(this);
    server = await startServer();
    folder = mkdtempSync(join(tmpdir(), 'sightline-in-time-'));
    const listing = execFileSync('ldconfig', ['-p'], { encoding: 'utf8' });
    const library = /libssl\.so\.3 .*=> (\S+)/.exec(listing)?.[1];
    assert.ok(library, 'this test needs libssl.so.3');
    libraries = dirname(library);
    program = join(folder, 'client');
    const shared = ['-L', libraries, '-l:libssl.so.3', '-l:libcrypto.so.3'];
    execFileSync('gcc', ['-O1', '-Wall', '-Werror', '-o', program, SOURCE, ...shared]);
  });

  after(async () => {
    await server?.stop();
    rmSync(folder ?? '', { recursive: true, force: true });
  });

  interface Run {
    pid: number;
    code: number | null;
    output: string;
    path: string;
  }

  let runs = 0;

  /** `prefix`: what becomes the client, without another process in between. */
  async function ask(
    file: string,
    delayMs: number,
    { prefix = [], env = {} }: { prefix?: readonly string[]; env?: NodeJS.ProcessEnv } = {},
  ): Promise<Run> {
    runs += 1;
    const path = `/in-time-${runs}`;
    const [command = '', ...args] = [...prefix, file, `${server.port}`, path, `${delayMs}`];
    const child: ChildProcess = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout?.on('data', (bytes: Buffer) => {
      output += bytes.toString();
    });
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { pid: child.pid ?? 0, code, output, path };
  }

  async function seenAll(seen: Observation, all: readonly Run[]): Promise<void> {
    for (const { pid } of all) {
      await seen.until((event) => event.type === 'exit' && event.process.pid === pid);
    }
    await seen.source.stop();
    assert.deepEqual(seen.defects, []);
    for (const { code } of all) {
      assert.equal(code, 0);
    }
  }

  function isCaptured(seen: Observation, { pid, path }: Run): boolean {
    return (
      seen.text(pid, 'write') === `GET ${path} HTTP/1.0\r\n\r\n` &&
      seen.text(pid, 'read').startsWith('HTTP/1.0 200')
    );
  }

  function assertCaptured(seen: Observation, run: Run): void {
    assert.equal(seen.text(run.pid, 'write'), `GET ${run.path} HTTP/1.0\r\n\r\n`);
    assert.match(seen.text(run.pid, 'read'), /^HTTP\/1\.0 200/);
  }

  /** Of a file never met: unless the request came before the attach, which then is counted with its time. */
  function assertInTime(seen: Observation, run: Run, delayMs: number): void {
    const late = seen.late.find(({ pid }) => pid === run.pid);
    const lateMs = Number(late?.lateNs ?? 0n) / 1e6;
    if (late !== undefined && lateMs >= delayMs) {
      process.stderr.write(
        `      ${run.path}: attached after ${lateMs.toFixed(0)} ms on a busy machine, after the request\n`,
      );
      return;
    }
    assertCaptured(seen, run);
  }

  /** With the interpreter's own way of finding libraries, a copy of libssl alone. */
  function copyOfLibrary(name: string): string {
    const own = join(folder, name);
    mkdirSync(own);
    copyFileSync(join(libraries, 'libssl.so.3'), join(own, 'libssl.so.3'));
    return own;
  }

  it(`a program with a known library is captured every time, ${RUNS} of ${RUNS}, though it lives some ms`, async () => {
    const seen = await observe({ watchAll: true });
    const all: Run[] = [];
    for (let run = 0; run < RUNS; run += 1) {
      all.push(await ask(program, 0));
    }
    await seenAll(seen, all);
    assert.equal(all.filter((run) => isCaptured(seen, run)).length, RUNS);
    const livedMs = all.map(({ output }) => Number(output)).sort((a, b) => a - b);
    assert.ok((livedMs[RUNS >> 1] ?? 0) < 50, `half of them lived ${livedMs[RUNS >> 1]} ms`);
    assert.deepEqual(
      seen.late.filter(({ pid }) => all.some((run) => run.pid === pid)),
      [],
    );
  });

  it('a program with a library of its own, never met: captured, or counted as attached to too late', async () => {
    const seen = await observe({ watchAll: true });
    const all: Run[] = [];
    for (let run = 0; run < RUNS; run += 1) {
      const env = { LD_LIBRARY_PATH: copyOfLibrary(`new-${run}`) };
      all.push(await ask(program, run === 0 ? START_MS : 5 * (run % 5), { env }));
    }
    // What is looked for a last time 222 ms after it was mapped is given up then.
    await new Promise((resolve) => setTimeout(resolve, START_MS));
    await seenAll(seen, all);
    for (const run of all) {
      const late = seen.late.find(({ pid }) => pid === run.pid);
      if (late === undefined) {
        assert.ok(seen.missed.includes(run.pid), `${run.path}: nobody was told of its library`);
        assert.ok(!isCaptured(seen, run));
        continue;
      }
      assert.match(late.file.path, /\/new-\d+\/libssl\.so\.3$/);
      assert.ok(late.lateNs > 0n);
    }
    assertInTime(seen, all[0] as Run, START_MS);
    const capturedCount = all.filter((run) => isCaptured(seen, run)).length;
    const lateMs = seen.late
      .filter(({ pid }) => all.some((run) => run.pid === pid))
      .map(({ lateNs }) => Number(lateNs) / 1e6)
      .sort((a, b) => a - b);
    process.stderr.write(
      `      new libraries: ${capturedCount} of ${RUNS} captured; attached ${lateMs[0]?.toFixed(1)} to ${lateMs.at(-1)?.toFixed(1)} ms after the mapping\n`,
    );
  });

  it('a program with TLS linked into it, without symbols and never met', async () => {
    const unknown = join(folder, 'static-client');
    const linked = ['-L', libraries, '-l:libssl.a', '-l:libcrypto.a', '-ldl', '-lpthread'];
    execFileSync('gcc', ['-O1', '-s', '-o', unknown, SOURCE, ...linked]);
    const seen = await observe({ watchAll: true });
    const first = await ask(unknown, START_MS);
    const second = await ask(unknown, 0);
    await seenAll(seen, [first, second]);
    const late = seen.late.filter(({ pid }) => pid === first.pid);
    assert.equal(late.length, 1);
    assertInTime(seen, first, START_MS);
    assertInTime(seen, second, 0);
  });

  it('a native program of an npm package, started by its script under exec: its first request', async () => {
    const scope = join(folder, 'lib/node_modules/@some');
    const script = join(scope, 'agent/bin/agent.js');
    const native = join(scope, 'agent-this/bin/agent');
    mkdirSync(dirname(script), { recursive: true });
    mkdirSync(dirname(native), { recursive: true });
    const linked = ['-L', libraries, '-l:libssl.a', '-l:libcrypto.a', '-ldl', '-lpthread'];
    execFileSync('gcc', ['-O2', '-s', '-DNATIVE', '-o', native, SOURCE, ...linked]);
    writeFileSync(
      join(scope, 'agent/package.json'),
      JSON.stringify({ name: '@some/agent', optionalDependencies: { '@some/agent-this': '1' } }),
    );
    const start = `require('node:child_process').execFileSync(${JSON.stringify(native)}, process.argv.slice(2))`;
    writeFileSync(script, `#!/usr/bin/env node\n${start};\n`, { mode: 0o755 });
    const path = '/in-time-first';
    const { code, stdout, stderr } = await runSightline(
      ['exec', '--print', 'exchanges', '--', script, `${server.port}`, path, '0'],
      { OTEL_TRACES_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none' },
    );
    assert.equal(code, 0, stderr);
    assert.ok(stdout.includes(path), `the first request is not among: ${stdout} ${stderr}`);
  });

  it('a library in another mount namespace', async () => {
    const inside = join(folder, 'inside');
    mkdirSync(inside);
    const seen = await observe({ watchAll: true });
    const script = 'mount -t tmpfs tmpfs "$1" && cp "$2" "$1" && shift 2 && exec "$@"';
    const prefix = ['unshare', '--mount', 'sh', '-c', script, 'sh', inside];
    const run = await ask(program, START_MS, {
      prefix: [...prefix, join(libraries, 'libssl.so.3')],
      env: { LD_LIBRARY_PATH: inside },
    });
    await seenAll(seen, [run]);
    assertInTime(seen, run, START_MS);
    const late = seen.late.find(({ pid }) => pid === run.pid);
    assert.match(late?.file.path ?? '', /^\/proc\/\d+\/root\/.*\/inside\/libssl\.so\.3$/);
  });

  it('a program and its libraries below another root', async () => {
    const root = join(folder, 'root');
    const needed = execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(/(\/\S+)/g);
    for (const [, file = ''] of needed) {
      mkdirSync(join(root, dirname(file)), { recursive: true });
      copyFileSync(file, join(root, file));
    }
    copyFileSync(program, join(root, 'client'));
    const seen = await observe({ watchAll: true });
    const run = await ask('/client', START_MS, { prefix: ['chroot', root] });
    await seenAll(seen, [run]);
    assertInTime(seen, run, START_MS);
  });

  it('a program that was replaced while it runs, and the one in its place', async () => {
    const itself = join(folder, 'updating');
    const linked = ['-L', libraries, '-l:libssl.a', '-l:libcrypto.a', '-ldl', '-lpthread'];
    execFileSync('gcc', ['-O1', '-o', itself, SOURCE, ...linked]);
    const update = join(folder, 'update');
    execFileSync('gcc', ['-O2', '-DUPDATED', '-s', '-o', update, SOURCE, ...linked]);
    const seen = await observe({ watchAll: true });
    const running = ask(itself, 2 * START_MS);
    await new Promise((resolve) => setTimeout(resolve, START_MS / 2));
    renameSync(update, itself);
    const next = await ask(itself, START_MS);
    const old = await running;
    await seenAll(seen, [old, next]);
    assertInTime(seen, old, 2 * START_MS);
    assertInTime(seen, next, START_MS);
  });

  it('a program whose file is removed before anybody looks', async () => {
    const removed = join(folder, 'removed');
    const linked = ['-L', libraries, '-l:libssl.a', '-l:libcrypto.a', '-ldl', '-lpthread'];
    execFileSync('gcc', ['-O1', '-s', '-o', removed, SOURCE, ...linked]);
    const seen = await observe({ watchAll: true });
    const script = 'rm "$1"; exec 3<&-; exec /proc/self/fd/4 "$2" "$3" "$4"';
    const prefix = ['sh', '-c', `exec 4<"$1"; ${script}`, 'sh'];
    const run = await ask(removed, START_MS, { prefix });
    await seenAll(seen, [run]);
    assertInTime(seen, run, START_MS);
  });
});
