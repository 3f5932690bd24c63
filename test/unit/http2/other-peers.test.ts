/**
 * HTTP/2 software of others, listened to by a proxy on the way: curl and h2load (nghttp2), Python's httpx (h2), and
 * nghttp2's own server. Programs that are not installed are left out.
 */
import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Call, run } from '../../support/http-generator.ts';
import {
  assertServed,
  close,
  listen,
  portOf,
  type ServedTruth,
  startTruthServer,
} from '../../support/http2-truth-server.ts';
import { freePort, untilListening } from '../../support/ports.ts';

const PYTHON_CLIENT = fileURLToPath(
  new URL('../../support/http2-python-client.py', import.meta.url),
);
const PYTHON = process.env.SIGHTLINE_TEST_HTTP2_PYTHON ?? '/usr/bin/python3';

interface Proxy {
  port: number;
  /** The calls of each connection, in the order they were made. */
  connections: Call[][];
  stop(): Promise<void>;
}

/** Passes bytes on and keeps them. */
async function startProxy(targetPort: number): Promise<Proxy> {
  const connections: Call[][] = [];
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const calls: Call[] = [];
    connections.push(calls);
    const far = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true });
    for (const [from, to, side] of [
      [near, far, 'request'],
      [far, near, 'response'],
    ] as const) {
      from.on('data', (bytes: Buffer) => {
        calls.push({ side, bytes: Buffer.from(bytes) });
        to.write(bytes);
      });
      from.on('end', () => to.end());
      from.on('error', () => to.destroy());
    }
  });
  await listen(server);
  return {
    port: portOf(server),
    connections,
    stop: () => close(server),
  };
}

const runFile = promisify(execFile);

/** Lets a client talk to Node's server through the proxy; both roles must read the same. */
async function drive(
  client: (url: string) => Promise<void>,
  check: (truth: readonly ServedTruth[]) => void,
): Promise<void> {
  const server = await startTruthServer();
  const proxy = await startProxy(server.port);
  try {
    await client(`http://127.0.0.1:${proxy.port}`);
    check(server.truth);
    for (const role of ['client', 'server'] as const) {
      const seen = proxy.connections.flatMap((calls) => run(calls, { role }));
      assertServed(seen, server.truth);
    }
  } finally {
    await proxy.stop();
    await server.stop();
  }
}

function isThere(program: string, ...args: string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}

describe('http2 with the software of others', function () {
  this.timeout(60_000);

  it('curl: prior knowledge, a connection each', async function () {
    if (!isThere('curl', '--version')) {
      this.skip();
    }
    await drive(
      async (url) => {
        for (let index = 0; index < 13; index += 1) {
          await runFile('curl', [
            ...['--silent', '--show-error', '--http2-prior-knowledge', '--output', '/dev/null'],
            ...['--data', 'x'.repeat(index * 3001), `${url}/curl/${index}?word=v`],
          ]);
        }
      },
      (truth) => assert.equal(truth.length, 13),
    );
  });

  it('h2load: 400 requests, 100 streams at a time', async function () {
    if (!isThere('h2load', '--version')) {
      this.skip();
    }
    await drive(
      async (url) => {
        await runFile('h2load', ['-n', '400', '-c', '2', '-m', '100', `${url}/load?a=b`]);
      },
      (truth) => assert.equal(truth.length, 400),
    );
  });

  it('httpx: 120 requests at once on one connection', async function () {
    if (!isThere(PYTHON, '-c', 'import httpx, h2')) {
      this.skip();
    }
    await drive(
      async (url) => {
        const { stdout } = await runFile(PYTHON, [PYTHON_CLIENT, url, '120']);
        assert.equal(stdout.trim().split('\n').length, 120);
      },
      (truth) => assert.equal(truth.length, 120),
    );
  });

  it("nghttp2's server, with Node's client", async function () {
    if (!isThere('nghttpd', '--version')) {
      this.skip();
    }
    const folder = mkdtempSync(join(tmpdir(), 'nghttpd-'));
    for (let index = 0; index < 40; index += 1) {
      writeFileSync(join(folder, `f${index}`), Buffer.alloc(index * 2111, `file ${index} `));
    }
    const port = await freePort();
    const daemon = spawn(
      'nghttpd',
      ['--no-tls', '--padding=30', '--trailer=x-sum: 1', '-d', folder, String(port)],
      { stdio: 'ignore' },
    );
    const proxy = await startProxy(port);
    try {
      await untilListening(port);
      const client = http2.connect(`http://127.0.0.1:${proxy.port}`);
      const digests = await Promise.all(
        Array.from({ length: 40 }, async (_, index) => {
          const stream = client.request({ ':path': `/f${index}` });
          const hash = createHash('sha256');
          for await (const piece of stream) {
            hash.update(piece as Buffer);
          }
          return hash.digest('hex');
        }),
      );
      client.close();
      await once(client, 'close');
      const seen = proxy.connections.flatMap((calls) => run(calls));
      assert.equal(seen.length, 40);
      for (const one of seen) {
        const name = one.exchange.request?.target.slice(1) ?? '';
        assert.deepEqual([...one.exchange.damage.kinds], []);
        assert.equal(one.exchange.response?.status, 200);
        assert.ok(one.responseBody.equals(readFileSync(join(folder, name))));
        assert.equal(
          createHash('sha256').update(one.responseBody).digest('hex'),
          digests[Number(name.slice(1))],
        );
        assert.equal(one.exchange.response?.trailers?.get('x-sum'), '1');
      }
    } finally {
      daemon.kill('SIGTERM');
      await proxy.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
