/**
 * HTTP/2 software that nobody here wrote, seen through the kernel: each client against Node's server, and nghttp2's
 * proxy between two of them. Every head and body is what the server had, at both ends of each connection.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Exchange } from '../../../src/http/exchange.ts';
import type { Seen } from '../../support/http-generator.ts';
import {
  assertServed,
  startTruthServer,
  type TruthServer,
} from '../../support/http2-truth-server.ts';
import { requireKernel, skipWithout } from '../../support/kernel-guard.ts';
import { type LiveExchanges, observeExchanges } from '../../support/live-exchanges.ts';
import { type Certificate, makeCertificate } from '../../support/model-server/certificate.ts';
import { freePort, untilListening } from '../../support/ports.ts';

const PYTHON = process.env.SIGHTLINE_TEST_HTTP2_PYTHON ?? '/usr/bin/python3';
const PYTHON_CLIENT = support('http2-python-client.py');
const NODE_CLIENT = support('http2-varied-client.mjs');
const GO_CLIENT = fileURLToPath(new URL('../stacks/go-client', import.meta.url));
/** A prime: a double or a loss cannot hide in a round number. */
const REQUESTS = 103;

function support(name: string): string {
  return fileURLToPath(new URL(`../../support/${name}`, import.meta.url));
}

function isThere(program: string, ...args: string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}

describe('HTTP/2 software of others, captured in the kernel', function () {
  this.timeout(90_000);
  let certificate: Certificate;
  let server: TruthServer;
  let live: LiveExchanges | undefined;

  before(function () {
    requireKernel(this);
    certificate = makeCertificate();
  });
  beforeEach(async () => {
    const { keyPem: key, certificatePem: cert } = certificate;
    server = await startTruthServer({ key, cert });
  });
  afterEach(async () => {
    await live?.stop();
    live = undefined;
    await server.stop();
  });
  after(() => certificate?.remove());

  /** Runs a program to its end and gives its pid. */
  async function run(program: string, args: readonly string[]): Promise<number> {
    const { NODE_OPTIONS: _loader, ...env } = process.env;
    const child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        ...env,
        NODE_EXTRA_CA_CERTS: certificate.caPath,
        SSL_CERT_FILE: certificate.caPath,
      },
    });
    const [code] = await once(child, 'exit');
    assert.equal(code, 0);
    return child.pid ?? 0;
  }

  /** Exchanges of one role, as soon as all are over. */
  async function exchangesOf(role: 'client' | 'server', ofPid: (pid: number) => boolean) {
    const seen = (): Seen[] =>
      (live?.seen ?? []).filter(
        ({ exchange }) => exchange.role === role && ofPid(exchange.connection.process.pid),
      );
    const isDone = (): boolean =>
      seen().length >= server.truth.length && seen().every(({ isEnded }) => isEnded);
    await live?.until(isDone);
    return seen();
  }

  async function drive(program: string, args: readonly string[], count: number): Promise<void> {
    const pid = await run(program, args);
    assert.equal(server.truth.length, count);
    assertServed(await exchangesOf('client', (one) => one === pid), server.truth);
  }

  function isOn(port: number): (exchange: Exchange) => boolean {
    return ({ request }) => request?.headers.get('host')?.endsWith(`:${port}`) === true;
  }

  it("Node's client", async () => {
    live = await observeExchanges(isOn(server.port));
    const url = `https://localhost:${server.port}`;
    await drive(process.execPath, [NODE_CLIENT, url, `${REQUESTS}`], REQUESTS);
  });

  it('curl: transfers of its own at once on one connection', async () => {
    live = await observeExchanges(isOn(server.port));
    const targets = Array.from({ length: 23 }, (_, index) => [
      '--output',
      '/dev/null',
      `https://localhost:${server.port}/curl/${index}?word=v`,
    ]).flat();
    await drive(
      'curl',
      [
        ...['--no-progress-meter', '--http2', '--cacert', certificate.caPath],
        ...['--parallel', '--parallel-max', '10', '--data', 'x'.repeat(30_011), ...targets],
      ],
      23,
    );
  });

  it('httpx: all at once on one connection', async function () {
    if (!isThere(PYTHON, '-c', 'import httpx, h2')) {
      skipWithout(this, 'python3-httpx and python3-h2');
    }
    live = await observeExchanges(isOn(server.port));
    const url = `https://localhost:${server.port}`;
    await drive(PYTHON, [PYTHON_CLIENT, url, `${REQUESTS}`], REQUESTS);
  });

  it("Go's net/http: 17 goroutines on one connection", async function () {
    if (!isThere('go', 'version')) {
      skipWithout(this, 'Go');
    }
    const folder = mkdtempSync(join(tmpdir(), 'sightline-go-'));
    try {
      const client = join(folder, 'client');
      execFileSync('go', ['build', '-o', client, '.'], {
        cwd: GO_CLIENT,
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, CGO_ENABLED: '0' },
      });
      live = await observeExchanges(isOn(server.port));
      const url = `https://localhost:${server.port}/go`;
      // A program that nobody has run yet is attached to while it runs: this is about its next run.
      const first = await run(client, ['http2', url, certificate.caPath, '1', '1', '1']);
      await live.until(() => live?.seen.some(isOfProcess(first)) === true);
      server.truth.length = 0;
      const more = [certificate.caPath, `${REQUESTS}`, '17', '20011'];
      await drive(client, ['http2', url, ...more], REQUESTS);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("h2load through nghttp2's proxy: both ends of both connections", async () => {
    const port = await freePort();
    const keys = dirname(certificate.caPath);
    const proxy = spawn(
      'nghttpx',
      [
        ...['--conf=/dev/null', '--workers=1', '--insecure', '--no-ocsp', '--log-level=FATAL'],
        `--frontend=127.0.0.1,${port}`,
        `--backend=127.0.0.1,${server.port};;proto=h2;tls`,
        join(keys, 'leaf.key'),
        join(keys, 'leaf.pem'),
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    try {
      await untilListening(port);
      live = await observeExchanges(isOn(port));
      const pid = await run('h2load', [
        ...['-n', '400', '-c', '2', '-m', '50', `https://127.0.0.1:${port}/load?a=b`],
      ]);
      assert.equal(server.truth.length, 400);
      const behind = await exchangesOf('client', (one) => one !== pid);
      assertServed(behind, server.truth);
      const near = await exchangesOf('client', (one) => one === pid);
      const far = await exchangesOf('server', () => true);
      assert.equal(near.length, 400);
      assert.deepEqual(heads(near), heads(far));
      for (const { exchange, responseBody } of near) {
        const number = Number(exchange.response?.headers.get('x-answer'));
        assert.ok(responseBody.equals(server.truth[number]?.answer as Buffer));
      }
    } finally {
      const gone = once(proxy, 'exit');
      proxy.kill('SIGTERM');
      await gone;
    }
  });
});

function isOfProcess(pid: number): (seen: Seen) => boolean {
  return ({ exchange }) => exchange.connection.process.pid === pid;
}

/** Everything of an exchange that both of its ends must agree on, in the order of the answers' numbers. */
function heads(seen: readonly Seen[]): unknown[] {
  return seen
    .map(({ exchange: { request, response, damage }, requestBody, responseBody }) => ({
      number: Number(response?.headers.get('x-answer')),
      request: [request?.method, request?.target, request?.headers.fields],
      response: [response?.status, response?.headers.fields, response?.complete],
      bodies: [requestBody.toString('latin1'), responseBody.toString('latin1')],
      damage: [...damage.kinds],
    }))
    .sort((one, other) => one.number - other.number);
}
