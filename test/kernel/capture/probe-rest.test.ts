/**
 * Probes of a program that only downloads, or only answers, are taken away; what it, or another one that runs the same
 * file, then asks of a model in a network is seen all the same, from its first byte.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { chatSpans, compareSpansWithTruth } from '../../support/compare.ts';
import { requireKernel, skipWithout } from '../../support/kernel-guard.ts';
import type { ModelServer } from '../../support/model-server/server.ts';
import { assertExact, observe } from '../../support/observed-server.ts';
import type { RunningSightline } from '../../support/sightline.ts';

const SOURCE = fileURLToPath(new URL('./resting-server', import.meta.url));
const DOWNLOAD_SERVER = fileURLToPath(
  new URL('../../../bench/clients/bulk_server.py', import.meta.url),
);
const DEBUG = { OTEL_LOG_LEVEL: 'debug' };
const WAIT_MS = 30_000;
/** Taken away for good, also on a busy machine. */
const ENDED_MS = 1000;
/** Several times as long as a download takes to lose its probes on a machine at rest. */
const STAY_MS = 2500;
/** One way: a model on another continent, seen from a busy machine, on which probes were once back after 184 ms. */
const NETWORK_MS = 250;
const ENDLESS_BYTES = 2 ** 40;
const run = promisify(execFile);

describe('probes that rest', function () {
  this.timeout(120_000);
  let folder: string;
  let program: string;
  const children: ChildProcess[] = [];
  const proxies: Server[] = [];

  before(function () {
    requireKernel(this);
    if (spawnSync('go', ['version']).status !== 0) {
      skipWithout(this, 'Go');
    }
    folder = mkdtempSync(join(tmpdir(), 'sightline-rest-'));
    program = join(folder, 'resting-server');
    execFileSync('go', ['build', '-o', program, '.'], {
      cwd: SOURCE,
      env: { ...process.env, CGO_ENABLED: '0' },
    });
  });
  afterEach(() => {
    for (const child of children.splice(0)) {
      child.kill('SIGKILL');
    }
    for (const proxy of proxies.splice(0)) {
      proxy.close();
    }
  });
  after(() => {
    rmSync(folder ?? '', { recursive: true, force: true });
  });

  async function start(command: string, args: readonly string[]): Promise<number> {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    return Number(line.toString());
  }

  /** Leads to a port of this host, every piece of data on its way for as long as in a network. */
  async function startNetwork(port: number): Promise<number> {
    const proxy = createServer((near) => {
      const far = connect(port, '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        from.on('data', (bytes: Buffer) => setTimeout(() => to.write(bytes), NETWORK_MS));
        from.on('end', () => setTimeout(() => to.end(), NETWORK_MS));
        from.on('error', () => to.destroy());
      }
    });
    proxies.push(proxy);
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    return (proxy.address() as AddressInfo).port;
  }

  interface Subject {
    get(path: string): Promise<void>;
    /** Asks for something that is no model's, as fast as it is answered. */
    load(): ChildProcess;
  }

  async function startDownloads(server: ModelServer): Promise<number> {
    const files = dirname(server.caPath);
    const pair = [join(files, 'leaf.pem'), join(files, 'leaf.key')];
    return start('python3', [DOWNLOAD_SERVER, ...pair]);
  }

  async function startSubject(server: ModelServer, modelPort: number): Promise<Subject> {
    const files = dirname(server.caPath);
    const downloadPort = await startDownloads(server);
    const port = await start(program, [
      join(files, 'leaf.pem'),
      join(files, 'leaf.key'),
      server.caPath,
      `https://localhost:${modelPort}/v1/chat/completions`,
      `localhost:${server.port}`,
      `https://localhost:${downloadPort}/${ENDLESS_BYTES}`,
    ]);
    return {
      async get(path) {
        const flags = ['-sS', '--fail', '--http1.1', '--cacert', server.caPath];
        await run('curl', [...flags, `https://localhost:${port}${path}`]);
      },
      load() {
        const script = [
          'import http.client,ssl',
          `tls=ssl.create_default_context(cafile=${JSON.stringify(server.caPath)})`,
          `c=http.client.HTTPSConnection("localhost",${port},context=tls)`,
          'while True:',
          '  c.request("GET","/")',
          '  c.getresponse().read()',
        ];
        const child = spawn('python3', ['-c', script.join('\n')], { stdio: 'ignore' });
        children.push(child);
        return child;
      },
    };
  }

  async function says(sightline: RunningSightline, line: RegExp): Promise<void> {
    for (let waited = 0; waited < WAIT_MS; waited += 50) {
      if (line.test(sightline.stderr())) {
        return;
      }
      await delay(50);
    }
    assert.fail(`${line} was not said: ${sightline.stderr()}`);
  }

  async function rests(sightline: RunningSightline, level: string): Promise<void> {
    await says(sightline, new RegExp(`${program}: .* probes rest \\(${level}\\)`));
    await delay(ENDED_MS);
  }

  it('of a download are back for what the program asks itself', async () => {
    let peerPort = 0;
    const observation = await observe({ env: DEBUG }, async (server, sightline) => {
      peerPort = await startNetwork(server.port);
      const subject = await startSubject(server, peerPort);
      await subject.get('/download');
      await rests(sightline, 'reads');
      await subject.get('/ask');
      await subject.get('/ask');
    });
    assertExact(observation, 2, { peerPort });
    assert.match(observation.finished.stderr, /resting-server: its probes are back/);
  });

  it('of a download are back for another process that runs the program', async () => {
    let peerPort = 0;
    const observation = await observe({ env: DEBUG }, async (server, sightline) => {
      peerPort = await startNetwork(server.port);
      const subject = await startSubject(server, peerPort);
      await subject.get('/download');
      await rests(sightline, 'reads');
      await (await startSubject(server, peerPort)).get('/ask');
    });
    assertExact(observation, 1, { peerPort });
    assert.match(observation.finished.stderr, /resting-server: its probes are back \(user\)/);
  });

  it('of a download: what a peer on this machine answers sooner than they are back is marked', async () => {
    const observation = await observe({ env: DEBUG }, async (server, sightline) => {
      const subject = await startSubject(server, server.port);
      await subject.get('/download');
      await rests(sightline, 'reads');
      await subject.get('/ask');
      await delay(ENDED_MS);
      await subject.get('/ask');
    });
    const spans = chatSpans(observation.spans);
    assert.equal(spans.length, 2, 'every request was seen');
    const differences = compareSpansWithTruth(observation.spans, observation.truth, {
      allowDamage: true,
    });
    assert.deepEqual(differences, []);
    const damage = spans[0]?.attributes['sightline.damage'] as string[] | undefined;
    assert.ok(damage === undefined || damage.includes('gap'), String(damage));
    // From the first one on the process is of interest.
    assert.equal(spans[1]?.attributes['sightline.damage'], undefined);
  });

  it('of a server are back for what it asks itself', async () => {
    let peerPort = 0;
    const observation = await observe({ env: DEBUG }, async (server, sightline) => {
      peerPort = await startNetwork(server.port);
      const subject = await startSubject(server, peerPort);
      const load = subject.load();
      await rests(sightline, 'everything');
      load.kill('SIGKILL');
      await subject.get('/ask');
    });
    assertExact(observation, 1, { peerPort });
    assert.match(observation.finished.stderr, /resting-server: its probes are back \(connect\)/);
  });

  it('stay in a shared library, which any program may be using at the next moment', async () => {
    const listing = execFileSync('ldconfig', ['-p'], { encoding: 'utf8' });
    const found = /libssl\.so\.3 .*=> (\S+)/.exec(listing)?.[1];
    assert.ok(found, 'this test needs libssl.so.3');
    copyFileSync(found, join(folder, 'libssl.so.3'));
    await observe({ env: DEBUG }, async (server, sightline) => {
      const port = await startDownloads(server);
      const flags = ['-s', '--http1.1', '--cacert', server.caPath, '--limit-rate', '60M'];
      const url = `https://localhost:${port}/${ENDLESS_BYTES}`;
      const download = spawn('curl', [...flags, '-o', '/dev/null', url], {
        stdio: 'ignore',
        env: { ...process.env, LD_LIBRARY_PATH: folder },
      });
      children.push(download);
      await delay(STAY_MS);
      assert.equal(download.exitCode, null);
      assert.match(sightline.stderr(), new RegExp(`${folder}/libssl.so.3: attached`));
      assert.doesNotMatch(sightline.stderr(), new RegExp(`${folder}/libssl.so.3: .* rest`));
    });
  });

  it('stay where that is wanted', async () => {
    const env = { ...DEBUG, SIGHTLINE_PROBE_REST: 'false' };
    await observe({ env }, async (server, sightline) => {
      const subject = await startSubject(server, server.port);
      await subject.get('/download');
      subject.load();
      await delay(STAY_MS);
      assert.doesNotMatch(sightline.stderr(), /probes rest/);
    });
  });
});
