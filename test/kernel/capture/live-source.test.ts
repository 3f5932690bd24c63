/** What the live source delivers of real programs on the real kernel. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CaptureEvent } from '../../../src/capture/events.ts';
import { createRecordingWriter } from '../../../src/capture/recording.ts';
import { createReplaySource } from '../../../src/capture/replay-source.ts';
import { requireKernel, skipWithout } from '../../support/kernel-guard.ts';
import {
  ended,
  type Observation,
  observe,
  pidOf,
  run,
  startServer,
  type TestServer,
} from './live-harness.ts';

/** Debian's own: the one on the PATH may carry another OpenSSL, or none. */
const PYTHON = '/usr/bin/python3';

const PYTHON_CLIENT = `
import ssl, sys, urllib.request
context = ssl._create_unverified_context()
print("ready", flush=True)
for line in sys.stdin:
    urllib.request.urlopen(sys.argv[1] + line.strip(), context=context).read()
    print("done", flush=True)
`;

const NODE_CLIENT = `
const https = require('node:https');
process.stdin.on('data', (name) => {
  https.get(process.argv[1] + String(name).trim(), { rejectUnauthorized: false }, (response) => {
    response.resume();
    response.on('end', () => console.log('done'));
  });
});
console.log('ready');
`;

/** A program that waits for a name on its standard input, fetches it and says so. */
function client(kind: 'python' | 'node', url: string): ChildProcess {
  return kind === 'python'
    ? spawn(PYTHON, ['-c', PYTHON_CLIENT, url], { stdio: ['pipe', 'pipe', 'inherit'] })
    : spawn(process.execPath, ['-e', NODE_CLIENT, url], { stdio: ['pipe', 'pipe', 'inherit'] });
}

/** Waits until the program has said the word. */
function says(child: ChildProcess, word: string): Promise<void> {
  return new Promise((resolve) => {
    let text = '';
    const listen = (chunk: unknown): void => {
      text += String(chunk);
      if (text.includes(word)) {
        child.stdout?.off('data', listen);
        resolve();
      }
    };
    child.stdout?.on('data', listen);
  });
}

async function fetchOnce(child: ChildProcess, name: string): Promise<void> {
  const done = says(child, 'done');
  child.stdin?.write(`${name}\n`);
  await done;
}

describe('the live source, on the whole host', function () {
  this.timeout(60_000);
  let server: TestServer;
  let seen: Observation;
  const running = new Map<'python' | 'node', ChildProcess>();
  const runningStartTicks = new Map<number, bigint>();

  before(async function () {
    requireKernel(this);
    server = await startServer();
    for (const kind of ['python', 'node'] as const) {
      const child = client(kind, server.url);
      await says(child, 'ready');
      running.set(kind, child);
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
      const startTicks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
      runningStartTicks.set(child.pid ?? 0, BigInt(startTicks ?? ''));
    }
    seen = await observe({ watchAll: true });
  });

  after(async () => {
    for (const child of running.values()) {
      child.kill();
    }
    await seen?.source.stop();
    await server?.stop();
  });

  it('begins with the host, then what runs already', () => {
    assert.equal(seen.events[0]?.type, 'host');
    const pids = seen.ofType('snapshot').map(({ process: ref }) => ref.pid);
    assert.equal(new Set(pids).size, pids.length);
    assert.ok(pids.includes(running.get('node')?.pid ?? 0));
    assert.ok(!pids.includes(process.pid), 'it observes itself');
    const node = seen.ofType('snapshot', running.get('node')?.pid)[0];
    assert.equal(node?.executable, process.execPath);
    assert.deepEqual(node?.argv, [process.execPath, '-e', NODE_CLIENT, server.url]);
    assert.equal(seen.ofType('details', running.get('node')?.pid)[0]?.owner, 'root');
  });

  it('attached to the system libssl and to Node, each once', () => {
    const attached = seen.verdicts.filter(({ verdict }) => verdict === 'attached');
    const inodes = attached.map(({ device, inode }) => `${device}:${inode}`);
    assert.equal(new Set(inodes).size, inodes.length);
    assert.ok(attached.some(({ path }) => /libssl\.so\.3$/.test(path)));
    assert.ok(attached.some(({ path }) => path === process.execPath));
    assert.deepEqual(
      seen.verdicts.filter(({ verdict }) => verdict === 'failed'),
      [],
    );
  });

  it('shows nobody a credential in arguments, of what runs already or starts now', async () => {
    const script = ['-c', 'import sys; sys.stdin.read(1)', '--token'];
    const child = spawn(PYTHON, [...script, 'open-sesame'], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    const started = (event: CaptureEvent) => event.type === 'exec' && pidOf(event) === child.pid;
    await seen.until(started);
    const later = await observe({ watchAll: true });
    child.stdin?.end();
    await seen.until((event) => event.type === 'exit' && pidOf(event) === child.pid);
    await later.source.stop();
    const masked = [PYTHON, ...script, '***********'];
    assert.deepEqual(seen.ofType('exec', child.pid).at(-1)?.argv, masked);
    assert.deepEqual(later.ofType('snapshot', child.pid).at(-1)?.argv, masked);
  });

  it('captures a curl that ends at once: start, both directions, close, exit, in this order', async () => {
    const { pid, code } = await run('curl', ['-sk', `${server.url}from-curl`]);
    assert.equal(code, 0);
    await seen.until((event) => event.type === 'exit' && pidOf(event) === pid);
    assert.ok(seen.text(pid, 'write').startsWith('GET /from-curl HTTP/1.1\r\n'));
    assert.ok(seen.text(pid, 'read').startsWith('HTTP/1.0 200 ok\r\n'));
    const types = seen.events
      .filter((event) => pidOf(event) === pid && event.type !== 'details')
      .map(({ type }) => type);
    assert.deepEqual(
      [...new Set(types)],
      ['fork', 'exec', 'server-name', 'peer', 'handshake', 'data', 'close', 'exit'],
    );
    assert.equal(seen.ofType('server-name', pid)[0]?.name, 'localhost');
    const [exec] = seen.ofType('exec', pid);
    assert.deepEqual(exec?.argv, ['curl', '-sk', `${server.url}from-curl`]);
    assert.equal(exec?.parent.pid, process.pid);
    const [close] = seen.ofType('close', pid);
    assert.equal(close?.writePosition, seen.text(pid, 'write').length);
    assert.equal(close?.readPosition, seen.text(pid, 'read').length);
    assert.equal(seen.ofType('exit', pid)[0]?.exitCode, 0);
  });

  it('captures each of 23 such processes whole', async () => {
    const runs = [];
    for (let number = 0; number < 23; number += 1) {
      runs.push(run('curl', ['-sk', `${server.url}number-${number}`]));
    }
    const results = await Promise.all(runs);
    for (const [number, { pid, code }] of results.entries()) {
      assert.equal(code, 0);
      await seen.until((event) => event.type === 'exit' && pidOf(event) === pid);
      assert.ok(seen.text(pid, 'write').startsWith(`GET /number-${number} HTTP/1.1\r\n`));
      assert.match(seen.text(pid, 'read'), /<\/BODY><\/HTML>\s*$/i);
    }
  });

  for (const kind of ['python', 'node'] as const) {
    it(`captures a ${kind} process that ran before, under the identity of its snapshot`, async () => {
      const child = running.get(kind);
      const pid = child?.pid ?? 0;
      await fetchOnce(child as ChildProcess, `old-${kind}`);
      await seen.until((event) => event.type === 'data' && pidOf(event) === pid);
      const [snapshot] = seen.ofType('snapshot', pid);
      assert.ok(snapshot);
      assert.equal(snapshot.process.startNs / 10_000_000n, runningStartTicks.get(pid));
      child?.stdin?.end();
      await ended(child as ChildProcess, () => child?.kill());
      await seen.until((event) => event.type === 'exit' && pidOf(event) === pid);
      assert.ok(seen.text(pid, 'write').startsWith(`GET /old-${kind} HTTP/1.1\r\n`));
      for (const event of seen.events) {
        if (pidOf(event) === pid) {
          const ref =
            'process' in event ? event.process : 'connection' in event && event.connection.process;
          assert.deepEqual(ref, snapshot.process, event.type);
        }
      }
    });

    it(`captures a ${kind} process that starts later`, async () => {
      const child = client(kind, server.url);
      const pid = child.pid ?? 0;
      await says(child, 'ready');
      await fetchOnce(child, `new-${kind}`);
      await ended(child, () => child.kill());
      await seen.until((event) => event.type === 'exit' && pidOf(event) === pid);
      assert.ok(seen.text(pid, 'write').startsWith(`GET /new-${kind} HTTP/1.1\r\n`));
      assert.equal(seen.ofType('fork', pid).length, 1);
      assert.equal(seen.ofType('snapshot', pid).length, 0);
    });
  }

  it('leaves out its own traffic', async () => {
    await new Promise<void>((resolve, reject) => {
      const call = request(`${server.url}own`, { rejectUnauthorized: false }, (response) => {
        response.resume();
        response.on('end', resolve);
      });
      call.on('error', reject);
      call.end();
    });
    const { pid } = await run('curl', ['-sk', `${server.url}after-own`]);
    await seen.until((event) => event.type === 'exit' && pidOf(event) === pid);
    assert.deepEqual(
      seen.events.filter((event) => pidOf(event) === process.pid),
      [],
    );
  });

  it('leaves out the traffic of another instance that starts later', async () => {
    const child = spawn(
      process.execPath,
      ['-e', `process.title = 'sightline';${NODE_CLIENT}`, server.url],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const pid = child.pid ?? 0;
    await says(child, 'ready');
    // It is recognised within a tenth of a second, by a timer of this process.
    await new Promise((resolve) => setTimeout(resolve, 500));
    await fetchOnce(child, 'other-instance');
    await ended(child, () => child.kill());
    const { pid: later } = await run('curl', ['-sk', server.url]);
    await seen.until((event) => event.type === 'exit' && pidOf(event) === later);
    assert.equal(seen.text(pid, 'write'), '');
    assert.equal(seen.ofType('data', pid).length, 0);
  });

  it('captures once what runs from one library under two overlay mounts', async function () {
    const folder = mkdtempSync(join(tmpdir(), 'sightline-overlay-'));
    const library = seen.verdicts.find(({ path }) => path.endsWith('/libssl.so.3'))?.path ?? '';
    const mounted: string[] = [];
    try {
      for (const name of ['lower', 'a', 'b', 'up-a', 'up-b', 'work-a', 'work-b']) {
        mkdirSync(join(folder, name));
      }
      copyFileSync(library, join(folder, 'lower/libssl.so.3'));
      for (const name of ['a', 'b']) {
        const layers = `lowerdir=${folder}/lower,upperdir=${folder}/up-${name},workdir=${folder}/work-${name}`;
        try {
          execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', layers, join(folder, name)], {
            stdio: 'ignore',
          });
        } catch {
          skipWithout(this, 'overlay mounts');
        }
        mounted.push(join(folder, name));
      }
      for (const name of ['a', 'b', 'a']) {
        // A library of its own is found when it is mapped, some ms after the start: the first may be too early.
        const env = { ...process.env, LD_LIBRARY_PATH: join(folder, name) };
        const child = spawn(PYTHON, ['-c', PYTHON_CLIENT, server.url], {
          stdio: ['pipe', 'pipe', 'inherit'],
          env,
        });
        await says(child, 'ready');
        await new Promise((resolve) => setTimeout(resolve, 600));
        await fetchOnce(child, `overlay-${name}`);
        await ended(child, () => child.kill());
        const pid = child.pid ?? 0;
        await seen.until((event) => event.type === 'exit' && pidOf(event) === pid);
        const written = seen.text(pid, 'write');
        assert.equal(written.split('GET /overlay-').length - 1, 1, written);
      }
    } finally {
      for (const path of mounted) {
        // Lazily: the probes hold the mount until the capture ends.
        execFileSync('umount', ['-l', path]);
      }
      rmSync(folder, { recursive: true });
    }
  });

  it('ends with what the kernel still held, in order, and replays the same', async () => {
    const { pid } = await run('curl', ['-sk', `${server.url}last`]);
    await seen.source.stop();
    assert.ok(seen.text(pid, 'write').startsWith('GET /last HTTP/1.1\r\n'));
    assert.equal(seen.ofType('exit', pid).length, 1);
    assert.equal(seen.events.at(-1)?.type, 'end');
    assert.deepEqual(seen.defects, []);
    // The host's other programs may overrun the ring; what this test started must be whole.
    const own = new Set(
      seen
        .ofType('exec')
        .filter(({ parent }) => parent.pid === process.pid)
        .map(({ process: ref }) => ref.pid),
    );
    assert.ok(own.size >= 23 + 3);
    assert.deepEqual(
      seen.ofType('loss').filter((event) => own.has(pidOf(event) ?? 0)),
      [],
    );

    const firstKernelEvent = seen.events.findIndex(
      ({ type }) => type === 'fork' || type === 'exec',
    );
    const lastSnapshot = seen.events.findLastIndex(({ type }) => type === 'snapshot');
    assert.ok(lastSnapshot < firstKernelEvent);
    const ticks = seen.ofType('tick').map(({ timeNs }) => timeNs);
    assert.ok(ticks.length > 1);
    assert.ok(ticks.every((timeNs, at) => at === 0 || timeNs > (ticks[at - 1] ?? 0n)));
    const positions = new Map<string, number>();
    for (const event of seen.ofType('data')) {
      const { process: ref, object, generation } = event.connection;
      if (!own.has(ref.pid)) {
        continue;
      }
      const key = [ref.pid, object, generation, event.direction].join();
      assert.equal(event.position, positions.get(key) ?? 0);
      positions.set(key, event.position + event.bytes.byteLength);
      assert.ok(event.enterNs <= event.timeNs);
    }

    const folder = mkdtempSync(join(tmpdir(), 'sightline-live-'));
    const path = join(folder, 'run.rec');
    const writer = createRecordingWriter({ path });
    seen.events.forEach(writer.write);
    assert.equal(writer.close().skippedEvents, 0);
    const replayed: CaptureEvent[] = [];
    await createReplaySource({ paths: [path] }).start((event) => {
      if (event.type !== 'data') {
        replayed.push(event);
        return;
      }
      // A recording says of every call what of it was decoded: here nothing.
      const { decoded, ...asCaptured } = event;
      assert.deepEqual(decoded, []);
      replayed.push({ ...asCaptured, bytes: Uint8Array.from(event.bytes) });
    });
    rmSync(folder, { recursive: true });
    assert.deepEqual(replayed, seen.events);
  });
});

describe('the live source, on chosen processes', function () {
  this.timeout(60_000);
  let server: TestServer;

  before(async function () {
    requireKernel(this);
    server = await startServer();
  });

  after(async () => {
    await server?.stop();
  });

  it('observes a process, its present and its later descendants, and nothing else', async () => {
    // A shell whose child is there already, and which starts another when told.
    const shell = spawn(
      'sh',
      [
        '-c',
        `exec 3<&0
         sh -c 'read go <&3; curl -sk ${server.url}present; exec sleep 30' &
         read go; curl -sk ${server.url}later; exec sleep 30`,
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const root = shell.pid ?? 0;
    await new Promise((resolve) => setTimeout(resolve, 200));
    const seen = await observe({ watchAll: false, roots: [root] });
    try {
      const stranger = await run('curl', ['-sk', `${server.url}stranger`]);
      shell.stdin?.write('go\ngo\n');
      await seen.until(() => seen.ofType('exit').length === 2);
      assert.deepEqual(
        seen.events.filter((event) => pidOf(event) === stranger.pid),
        [],
      );
      const snapshots = seen.ofType('snapshot').map(({ process: ref }) => ref.pid);
      assert.equal(snapshots[0], root);
      assert.equal(snapshots.length, 2);
      const written = seen
        .ofType('data')
        .filter(({ direction }) => direction === 'write')
        .map(({ bytes }) => Buffer.from(bytes).toString('latin1').split(' ')[1]);
      assert.deepEqual(written.sort(), ['/later', '/present']);
      assert.ok(seen.ofType('exit').every(({ exitCode }) => exitCode === 0));
    } finally {
      for (const { process: ref } of seen.ofType('snapshot').reverse()) {
        process.kill(ref.pid);
      }
      await seen.source.stop();
    }
  });

  it('takes a process that is gone for no error', async () => {
    const { pid } = await run('true', []);
    const seen = await observe({ watchAll: false, roots: [pid] });
    seen.source.watch(pid);
    await seen.source.stop();
    assert.deepEqual(
      seen.events.map(({ type }) => type),
      ['host', 'end'],
    );
    assert.deepEqual(seen.defects, []);
  });
});
