/** Ends of every kind, of Sightline and of what it observes: nothing stays behind, and what is cut is marked. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { deferToAfterEach } from '../../support/after-each.ts';
import { programIdsOf, stillLoaded } from '../../support/bpf-programs.ts';
import {
  type ClientOptions,
  clientCommand,
  clientEnvironment,
  runClient,
} from '../../support/clients/run-client.ts';
import { chatSpans } from '../../support/compare.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { type ModelServer, startModelServer } from '../../support/model-server/server.ts';
import { observe } from '../../support/observed-server.ts';
import type { FlatSpan } from '../../support/otlp-file.ts';
import { runSightline, sightlineArguments, startSightline } from '../../support/sightline.ts';

function exitOf(child: ChildProcess): Promise<number | NodeJS.Signals | null> {
  return new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)));
}

function startClient(options: ClientOptions): ChildProcess {
  const [program = '', ...args] = clientCommand(options);
  return spawn(program, args, { env: clientEnvironment(options), stdio: 'ignore' });
}

/** Resolves once `isTrue` is; fails loudly after ten seconds. */
async function until(what: string, isTrue: () => boolean): Promise<void> {
  for (let waitedMs = 0; !isTrue(); waitedMs += 20) {
    assert.ok(waitedMs < 10_000, `waited in vain: ${what}`);
    await delay(20);
  }
}

/** A client is connected to the port, and has had the time to send its request and get the first events. */
async function connected(port: number): Promise<void> {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, '0')} 01 `;
  await until('a connection', () => readFileSync('/proc/net/tcp', 'utf8').includes(remote));
  await delay(1000);
}

function only(spans: readonly FlatSpan[]): FlatSpan {
  const calls = chatSpans(spans);
  assert.equal(
    calls.length,
    1,
    JSON.stringify(
      calls.map(({ attributes }) => attributes),
      bigints,
    ),
  );
  return calls[0] as FlatSpan;
}

function bigints(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

describe('the end of what is observed', function () {
  this.timeout(60_000);
  const defer = deferToAfterEach();

  before(function () {
    requireKernel(this);
  });

  it('kill -9 in the middle of a stream gives one span, marked as truncated', async () => {
    const scenario = { text: 'word '.repeat(400), deltas: 400, intervalMs: 50 };
    const { spans } = await observe({}, async (server) => {
      const target = startClient({
        program: 'node-https',
        url: server.url,
        caPath: server.caPath,
        count: 1,
        stream: true,
        scenario,
      });
      const ended = exitOf(target);
      await connected(server.port);
      target.kill('SIGKILL');
      assert.equal(await ended, 'SIGKILL');
    });
    const span = only(spans);
    const damage = span.attributes['sightline.damage'];
    assert.ok(Array.isArray(damage) && damage.includes('truncated'), String(damage));
    assert.equal(span.attributes['gen_ai.usage.output_tokens'], undefined, 'never guessed');
    assert.ok(span.endNs > span.startNs);
  });

  it('kill -9 while the answer is waited for gives one span, marked as truncated', async () => {
    const scenario = { text: 'late', delayMs: 4000 };
    const { spans } = await observe({}, async (server) => {
      const target = startClient({
        program: 'node-https',
        url: server.url,
        caPath: server.caPath,
        count: 1,
        scenario,
      });
      const ended = exitOf(target);
      await connected(server.port);
      target.kill('SIGKILL');
      await ended;
    });
    const damage = only(spans).attributes['sightline.damage'];
    assert.ok(Array.isArray(damage) && damage.includes('truncated'), String(damage));
  });

  it('a server that drops the connection in the middle of a stream gives one marked span', async () => {
    for (const how of ['fin', 'reset'] as const) {
      const { spans } = await observe({}, async (server) => {
        await runClient({
          program: 'node-https',
          url: server.url,
          caPath: server.caPath,
          count: 1,
          stream: true,
          scenario: {
            text: 'word '.repeat(40),
            deltas: 40,
            fail: { afterEvents: 5, how, midEvent: true },
          },
        });
      });
      const damage = only(spans).attributes['sightline.damage'];
      assert.ok(Array.isArray(damage) && damage.includes('truncated'), `${how}: ${String(damage)}`);
    }
  });

  it('the end of Sightline in the middle of a stream gives one marked span, and leaves the target alone', async () => {
    const server = await startModelServer();
    defer(() => server.stop());
    const sightline = await startSightline();
    defer(sightline.discard);
    const running = runClient({
      program: 'node-https',
      url: server.url,
      caPath: server.caPath,
      count: 1,
      stream: true,
      scenario: { text: 'word '.repeat(60), deltas: 60, intervalMs: 100 },
    });
    await connected(server.port);
    const finished = await sightline.stop();
    assert.equal(finished.code, 0, finished.stderr);
    const client = await running;
    assert.equal(client.exitCode, 0, client.stderr);
    assert.equal(client.results[0]?.status, 200);
    const text = readFileSync(sightline.file, 'utf8');
    assert.match(text, /"truncated"/);
  });
});

describe('the end of Sightline', function () {
  this.timeout(120_000);
  const defer = deferToAfterEach();
  let server: ModelServer;

  before(async function () {
    requireKernel(this);
    server = await startModelServer();
  });
  after(async () => {
    await server?.stop();
  });

  it('a second signal ends it at once', async () => {
    const sightline = await startSightline();
    try {
      const ended = exitOf(sightline.child);
      sightline.child.kill('SIGINT');
      await until('the first signal', () => /is stopping/.test(sightline.stderr()));
      const startMs = performance.now();
      sightline.child.kill('SIGINT');
      const code = await ended;
      // The clean end may have been quicker than the second signal.
      assert.ok(code === 130 || code === 0, String(code));
      assert.ok(performance.now() - startMs < 10_000);
      assert.doesNotMatch(sightline.stderr(), /^\s+at |internal error/m);
    } finally {
      sightline.remove();
    }
  });

  it('kill -9 takes its probes along, and the observed go on', async () => {
    const sightline = await startSightline();
    const programs = programIdsOf(sightline.child.pid ?? 0);
    assert.ok(programs.length >= 5, `only ${programs.length} programs were seen`);
    const running = runClient({
      program: 'node-https',
      url: server.url,
      caPath: server.caPath,
      count: 1,
      stream: true,
      scenario: { text: 'word '.repeat(60), deltas: 60, intervalMs: 50 },
    });
    await connected(server.port);
    const ended = exitOf(sightline.child);
    sightline.child.kill('SIGKILL');
    assert.equal(await ended, 'SIGKILL');
    sightline.remove();
    const client = await running;
    assert.equal(client.exitCode, 0, client.stderr);
    assert.equal(client.results[0]?.status, 200);
    // The kernel frees them in its own time.
    for (let round = 0; round < 100 && stillLoaded(programs).length > 0; round++) {
      await delay(50);
    }
    assert.deepEqual(stillLoaded(programs), []);
  });

  it('a full disk costs a warning and no exit code', async () => {
    const { exitCode, stderr } = await runClient({
      program: 'curl',
      url: server.url,
      caPath: server.caPath,
      count: 1,
      prefix: [process.execPath, ...sightlineArguments(['exec', '--'])],
      env: {
        SIGHTLINE_FILE: '/dev/full',
        OTEL_TRACES_EXPORTER: 'none',
        OTEL_METRICS_EXPORTER: 'none',
        OTEL_LOGS_EXPORTER: 'none',
      },
    });
    const warnings = stderr.match(/^.*warning: .*$/gm) ?? [];
    assert.equal(warnings.length, 1, stderr);
    assert.match(warnings[0] ?? '', /cannot write \/dev\/full: ENOSPC/);
    assert.equal(exitCode, 0);
  });

  it('a full disk under stdout is told in one line', async () => {
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, sightlineArguments(['run', '--print', 'events']), {
      env: { PATH: process.env.PATH },
      stdio: ['ignore', full, 'pipe'],
    });
    closeSync(full);
    let stderr = '';
    let toldMs = 0;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      toldMs = performance.now();
    });
    const ended = exitOf(child);
    // Something to print: on a quiet host nothing may start for long.
    const events = setInterval(() => spawnSync('true'), 100);
    defer(() => clearInterval(events));
    assert.equal(await ended, 1);
    // Probes that nobody ends keep the kernel busy for longer.
    assert.ok(performance.now() - toldMs < 10_000);
    assert.match(
      stderr,
      /^sightline: stdout cannot be written \(ENOSPC[^\n]+: make room, or send it elsewhere$/m,
    );
    assert.doesNotMatch(stderr, /internal error|^\s+at /m);
  });

  it('what exec starts inherits no descriptor of ours', async () => {
    const { stdout } = await runSightline(['exec', '--', 'ls', '/proc/self/fd'], {
      OTEL_TRACES_EXPORTER: 'none',
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_LOGS_EXPORTER: 'none',
    });
    // What the tests themselves were started with is inherited either way.
    const { stdout: unobserved } = spawnSync('ls', ['/proc/self/fd'], { encoding: 'utf8' });
    assert.equal(stdout, unobserved);
  });
});
