/** Which processes are observed on the real kernel: targets and exclusions, descendants, first instants, threads. */
import assert from 'node:assert/strict';
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import {
  createProcessSelection,
  type ProcessPatterns,
} from '../../../src/capture/process-selection.ts';
import { requireKernel, skipWithout } from '../../support/kernel-guard.ts';
import {
  type Observation,
  observe,
  startServer,
  type TestServer,
} from '../capture/live-harness.ts';

const NONE: ProcessPatterns = { pids: [], comms: [], executables: [], uids: [], cgroups: [] };

/** A shell under a name of its own, so that nothing else on the host matches. */
const AGENT = `slagent${process.pid % 10_000}`;

describe('observed processes', function () {
  this.timeout(60_000);
  let folder: string;
  let agent: string;
  let server: TestServer;
  let seen: Observation | undefined;
  const children: ChildProcess[] = [];

  before(async function () {
    requireKernel(this);
    folder = mkdtempSync(join(tmpdir(), 'sightline-targets-'));
    agent = join(folder, AGENT);
    copyFileSync('/bin/bash', agent);
    server = await startServer();
  });

  afterEach(async () => {
    await seen?.source.stop();
    seen = undefined;
    for (const child of children.splice(0)) {
      child.kill('SIGKILL');
    }
  });

  after(async () => {
    await server?.stop();
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  async function begin(
    targets: Partial<ProcessPatterns>,
    exclude: Partial<ProcessPatterns> = {},
  ): Promise<Observation> {
    seen = await observe({
      watchAll: true,
      selection: createProcessSelection({
        targets: { ...NONE, ...targets },
        exclude: { ...NONE, ...exclude },
      }),
    });
    return seen;
  }

  function get(path: string): string {
    return `curl -sk -o /dev/null ${server.url}${path}`;
  }

  /** Runs a script in a shell to its end. */
  async function run(shell: string, script: string, options: SpawnOptions = {}): Promise<number> {
    const child = spawn(shell, ['-c', script], { stdio: 'ignore', ...options });
    const [code] = await once(child, 'exit');
    assert.equal(code, 0, script);
    return child.pid as number;
  }

  /** A shell that waits for a line before it does anything. */
  function waiting(shell: string, script: string): ChildProcess {
    const child = spawn(shell, ['-c', `read -r _; ${script}`], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    children.push(child);
    return child;
  }

  async function release(child: ChildProcess): Promise<void> {
    child.stdin?.end('\n');
    await once(child, 'exit');
  }

  /** The paths of all requests that were captured, whole and each once, once capture has ended. */
  async function requests(): Promise<string[]> {
    assert.ok(seen);
    await seen.source.stop();
    assert.deepEqual(seen.defects, []);
    const paths: string[] = [];
    for (const event of seen.ofType('data')) {
      if (event.direction === 'write') {
        assert.equal(event.position, 0);
        const path = /^GET \/(\S+) HTTP/.exec(Buffer.from(event.bytes).toString('latin1'))?.[1];
        paths.push(path ?? 'something else');
      }
    }
    return paths.sort();
  }

  it('takes targets by name that run and that start, with their descendants, and nothing else', async () => {
    const running = waiting(agent, `${get('running')}; ${get('running-again')}`);
    const other = waiting('bash', get('other-running'));
    const observed = await begin({ comms: [AGENT] });
    await Promise.all([release(running), release(other)]);
    const pid = await run(agent, `(bash -c "${get('grandchild')}; true"); ${get('child')}; true`);
    await run('bash', `${get('other')}; true`);
    await run('bash', `${agent} -c "${get('below-other')}; true"; ${get('beside')}; true`);
    const started = await requests();
    assert.deepEqual(started, ['below-other', 'child', 'grandchild', 'running', 'running-again']);
    assert.ok(observed.ofType('exec').some((event) => event.process.pid === pid));
    const known = new Set(observed.ofType('exec').map((event) => event.argv.join(' ')));
    assert.ok(![...known].some((line) => line.includes('/other')));
    assert.ok(observed.leftOut.length > 0, 'what the kernel had seen of others is counted');
  });

  it('takes a target that lives for one request, and what it starts without a moment’s rest', async () => {
    await begin({ executables: [agent] });
    for (let i = 0; i < 7; i += 1) {
      await run(agent, `exec ${get(`at-once-${i}`)}`);
      await run('bash', `exec ${get(`other-${i}`)}`);
      // Programs one after the other in one process, before anybody can have judged the first.
      await run('sh', `exec bash -c 'exec ${agent} -c "exec ${get(`chain-${i}`)}"'`);
      await run(agent, `${get(`child-${i}`)} & ${get(`beside-${i}`)} & wait`);
    }
    const expected = [0, 1, 2, 3, 4, 5, 6].flatMap((i) => [
      `at-once-${i}`,
      `child-${i}`,
      `beside-${i}`,
      `chain-${i}`,
    ]);
    assert.deepEqual(await requests(), expected.sort());
  });

  it('takes descendants that a running target has already', async () => {
    const root = spawn(agent, ['-c', `bash -c 'read -r _; ${get('grandchild')}; true'; true`], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    children.push(root);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await begin({ executables: [AGENT] });
    await release(root);
    assert.deepEqual(await requests(), ['grandchild']);
  });

  it('takes processes by pid, those that run', async () => {
    const wanted = waiting('bash', `${get('wanted')}; true`);
    const other = waiting('bash', `${get('other')}; true`);
    await begin({ pids: [wanted.pid as number] });
    await Promise.all([release(wanted), release(other)]);
    assert.deepEqual(await requests(), ['wanted']);
  });

  it('takes processes by user', async () => {
    await begin({ uids: [54_321] });
    await run('bash', `${get('wanted')}; true`, { uid: 54_321, gid: 54_321, cwd: '/' });
    await run('bash', `${get('other')}; true`, { uid: 54_322, gid: 54_322, cwd: '/' });
    assert.deepEqual(await requests(), ['wanted']);
  });

  it('takes processes by control group', async function () {
    const root = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/self/mounts', 'utf8'))?.[1];
    const name = `sightline-test-${process.pid}.slice`;
    const group = `${root}/${name}/inner`;
    try {
      mkdirSync(group, { recursive: true });
    } catch {
      skipWithout(this, 'control groups');
    }
    try {
      await begin({ cgroups: [name] });
      await run('bash', `echo $$ > ${group}/cgroup.procs; exec ${get('exec')}`);
      await run('bash', `(echo $BASHPID > ${group}/cgroup.procs; ${get('child')}; true)`);
      await run('bash', `${get('other')}; true`);
      assert.deepEqual(await requests(), ['child', 'exec']);
    } finally {
      rmdirSync(group);
      rmdirSync(`${root}/${name}`);
    }
  });

  it('9. does not take a process for the name of one of its threads', async () => {
    const script = [
      'import ctypes, ssl, sys, threading, urllib.request',
      'def work():',
      `    ctypes.CDLL(None).prctl(15, b"${AGENT}", 0, 0, 0)`,
      '    sys.stdin.readline()',
      '    context = ssl._create_unverified_context()',
      `    urllib.request.urlopen("${server.url}thread", context=context).read()`,
      'threads = [threading.Thread(target=work) for _ in range(2)]',
      '[thread.start() for thread in threads]',
      '[thread.join() for thread in threads]',
    ].join('\n');
    const python = spawn('/usr/bin/python3', ['-c', script], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    children.push(python);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const names = `/proc/${python.pid}/task`;
    await begin({ comms: [AGENT] });
    assert.ok(readFileSync(`${names}/${python.pid}/comm`, 'utf8').startsWith('python3'));
    python.stdin?.end('\n\n');
    await once(python, 'exit');
    await run(agent, `${get('process')}; true`);
    assert.deepEqual(await requests(), ['process']);
  });

  it('takes a program by the name that it gives itself', async () => {
    await begin({ comms: [AGENT] });
    const script = `process.title = '${AGENT}'; setTimeout(() => { require('child_process').execSync('${get('named')}'); }, 500)`;
    const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
    await once(child, 'exit');
    assert.deepEqual(await requests(), ['named']);
  });

  /** Waits for a line, takes the name, requests `path`; in a thread when asked to. */
  function renaming(path: string, where: 'process' | 'thread'): ChildProcess {
    const script = [
      'import ctypes, ssl, sys, threading, urllib.request',
      'context = ssl._create_unverified_context()',
      `address = "${server.url}${path}"`,
      'def work():',
      `    ctypes.CDLL(None).prctl(15, b"${AGENT}", 0, 0, 0)`,
      '    urllib.request.urlopen(address, context=context).read()',
      'sys.stdin.readline()',
      where === 'process' ? 'work()' : 'thread = threading.Thread(target=work)',
      where === 'process' ? 'sys.stdin.readline()' : 'thread.start(); thread.join()',
    ].join('\n');
    const child = spawn('/usr/bin/python3', ['-c', script], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    children.push(child);
    return child;
  }

  it('takes a program from the moment on at which it names itself, however late, and no thread’s name', async () => {
    const early = renaming('early', 'process');
    const thread = renaming('thread', 'thread');
    await new Promise((resolve) => setTimeout(resolve, 500));
    await begin({ comms: [AGENT] });
    const late = renaming('late', 'process');
    await new Promise((resolve) => setTimeout(resolve, 500));
    await Promise.all([early, thread, late].map(release));
    const [named] = seen?.ofType('snapshot').filter(({ comm }) => comm === AGENT) ?? [];
    assert.ok(named, 'what it is comes with it');
    assert.deepEqual(await requests(), ['early', 'late']);
  });

  it('takes what a program has started before it names itself', async () => {
    const below = `bash -c 'read -r _ <&3; ${get('below')}; true'`;
    const script = `${below} & read -r _; printf ${AGENT} > /proc/$$/comm; wait`;
    const root = spawn('bash', ['-c', script], { stdio: ['pipe', 'ignore', 'inherit', 'pipe'] });
    children.push(root);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const observed = await begin({ comms: [AGENT] });
    root.stdin?.write('\n');
    await observed.until((event) => event.type === 'snapshot' && event.comm === AGENT);
    (root.stdio[3] as Writable).end('\n');
    await release(root);
    assert.deepEqual(await requests(), ['below']);
  });

  it('leaves a program out from the moment on at which it takes a name that is excluded', async () => {
    const running = renaming('excluded', 'process');
    await new Promise((resolve) => setTimeout(resolve, 300));
    const observed = await begin({}, { comms: [AGENT] });
    await release(running);
    await run('bash', `${get('kept')}; true`);
    await observed.source.stop();
    const text = observed
      .ofType('data')
      .filter(({ direction }) => direction === 'write')
      .map(({ bytes }) => Buffer.from(bytes).toString('latin1'))
      .join('');
    assert.ok(text.includes('GET /kept '));
    assert.ok(!text.includes('GET /excluded '));
  });

  it('leaves out what is excluded with its descendants, and keeps the rest', async () => {
    const running = waiting(agent, `${get('excluded-running')}; true`);
    const observed = await begin({}, { comms: [AGENT] });
    await release(running);
    await run(agent, `bash -c "${get('excluded-below')}; true"; ${get('excluded-child')}; true`);
    await run(agent, `exec ${get('excluded-exec')}`);
    await run('bash', `${get('kept')}; true`);
    await observed.source.stop();
    const text = observed
      .ofType('data')
      // The server, which is observed as well, reads what all send.
      .filter(({ direction }) => direction === 'write')
      .map(({ bytes }) => Buffer.from(bytes).toString('latin1'))
      .join('');
    assert.ok(text.includes('GET /kept '));
    assert.ok(!text.includes('GET /excluded'));
    const lines = observed.ofType('exec').map(({ argv }) => argv.join(' '));
    assert.ok(lines.some((line) => line.includes('/kept')));
    assert.ok(!lines.some((line) => line.includes('excluded') || line.includes(AGENT)));
  });

  it('lets exclusion win over a target, and takes the rest of its descendants', async () => {
    await begin({ comms: [AGENT] }, { comms: ['curl'] });
    const python = `import ssl, urllib.request as r; r.urlopen("${server.url}python", context=ssl._create_unverified_context()).read()`;
    await run(agent, `${get('curl')}; /usr/bin/python3 -c '${python}'; true`);
    assert.deepEqual(await requests(), ['python']);
  });

  it('leaves out part of a tree that is watched', async () => {
    const root = waiting('bash', `${get('curl')}; ${agent} -c "${get('agent')}; true"; true`);
    seen = await observe({
      watchAll: false,
      roots: [root.pid as number],
      selection: createProcessSelection({ exclude: { ...NONE, comms: [AGENT] } }),
    });
    await release(root);
    assert.deepEqual(await requests(), ['curl']);
  });
});
