/** What is copied of an HTTP/2 download that nobody looks at, and what its neighbours on the connection keep. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Exchange } from '../../../src/http/exchange.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { type LiveExchanges, observeExchanges } from '../../support/live-exchanges.ts';
import { type Certificate, makeCertificate } from '../../support/model-server/certificate.ts';
import { freePort, untilListening } from '../../support/ports.ts';

const MIB = 1024 * 1024;
const DOWNLOAD_BYTES = 100 * MIB;
/** A verdict takes about a millisecond to reach the kernel, and a loaded machine more. */
const MAX_COPIED_BYTES = DOWNLOAD_BYTES / 4;
const CLIENT = fileURLToPath(new URL('../../support/http2-download-client.mjs', import.meta.url));
const STREAMS = 23;

describe('an HTTP/2 download that nobody looks at', function () {
  this.timeout(60_000);
  let certificate: Certificate;
  let live: LiveExchanges | undefined;

  before(function () {
    requireKernel(this);
    certificate = makeCertificate();
  });
  afterEach(async () => {
    await live?.stop();
    live = undefined;
  });
  after(() => certificate?.remove());

  function isOf(port: number): (exchange: Exchange) => boolean {
    return ({ request }) => request?.headers.get('host')?.endsWith(`:${port}`) === true;
  }

  function isDownload({ request }: Exchange): boolean {
    return request?.target === '/download';
  }

  async function run(program: string, args: readonly string[]): Promise<number> {
    const { NODE_OPTIONS: _loader, ...env } = process.env;
    const child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...env, NODE_EXTRA_CA_CERTS: certificate.caPath },
    });
    const [code] = await once(child, 'exit');
    assert.equal(code, 0);
    return child.pid ?? 0;
  }

  it('is left out in the kernel: curl from nghttp2, to its exact end', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nghttpd-'));
    writeFileSync(join(folder, 'download'), '');
    truncateSync(join(folder, 'download'), DOWNLOAD_BYTES);
    const port = await freePort();
    const keys = dirname(certificate.caPath);
    const daemon = spawn(
      'nghttpd',
      ['-d', folder, String(port), join(keys, 'leaf.key'), join(keys, 'leaf.pem')],
      { stdio: 'ignore' },
    );
    try {
      await untilListening(port);
      live = await observeExchanges(isOf(port), () => false);
      const url = `https://localhost:${port}/download`;
      const pid = await run('curl', [
        ...['--silent', '--show-error', '--http2', '--cacert', certificate.caPath],
        ...['--output', '/dev/null', url],
      ]);
      const { ended } = live;
      await live.until(() => ended.some(({ role }) => role === 'client'));
      const one = ended.find(({ role }) => role === 'client');
      assert.deepEqual([...(one?.damage.kinds ?? ['none'])], []);
      assert.equal(one?.response?.complete, true);
      assert.equal(one?.response?.bodyBytes, DOWNLOAD_BYTES);
      const { copied, skipped } = live.bytesOf(pid);
      assert.ok(copied < MAX_COPIED_BYTES, `${copied} bytes copied`);
      const framing = copied + skipped - DOWNLOAD_BYTES;
      assert.ok(framing > 0 && framing < MIB, `${framing} bytes beside the body`);
    } finally {
      daemon.kill('SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it(`costs the ${STREAMS} streamed answers beside it on the connection nothing`, async () => {
    const answers = new Map<string, Buffer>();
    const server = http2.createSecureServer({
      key: certificate.keyPem,
      cert: certificate.certificatePem,
    });
    server.on('stream', (stream, headers) => {
      const path = headers[':path'] ?? '';
      stream.on('error', () => {});
      if (path === '/download') {
        stream.respond({ 'content-type': 'application/octet-stream' });
        void sendDownload(stream);
      } else {
        void sendAnswer(stream, path, answers);
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      live = await observeExchanges(isOf(port), (exchange) => !isDownload(exchange));
      const pid = await run(process.execPath, [CLIENT, `https://localhost:${port}`, `${STREAMS}`]);
      const { ended, seen } = live;
      await live.until(() => ended.length === STREAMS + 1);
      assert.equal(ended.length, STREAMS + 1);
      assert.equal(seen.length, STREAMS);
      for (const { exchange, responseBody, holes } of seen) {
        const target = exchange.request?.target ?? '';
        assert.deepEqual([...exchange.damage.kinds], [], target);
        assert.equal(holes, 0);
        assert.equal(exchange.response?.headers.get('x-path'), target);
        assert.ok(responseBody.equals(answers.get(target) as Buffer), target);
      }
      const download = ended.find(isDownload);
      assert.deepEqual([...(download?.damage.kinds ?? ['none'])], []);
      assert.equal(download?.response?.complete, true);
      assert.equal(download?.response?.bodyBytes, DOWNLOAD_BYTES);
      const { copied } = live.bytesOf(pid);
      assert.ok(copied < MAX_COPIED_BYTES, `${copied} bytes copied`);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });
});

async function sendDownload(stream: http2.ServerHttp2Stream): Promise<void> {
  const block = Buffer.alloc(MIB, 'download ');
  for (let sent = MIB; sent < DOWNLOAD_BYTES; sent += MIB) {
    if (!stream.write(block)) {
      await once(stream, 'drain');
    }
  }
  stream.end(block);
}

/** Server-sent events over about the time that the download takes. */
async function sendAnswer(
  stream: http2.ServerHttp2Stream,
  path: string,
  answers: Map<string, Buffer>,
): Promise<void> {
  stream.respond({ 'content-type': 'text/event-stream', 'x-path': path });
  const parts: Buffer[] = [];
  for (let index = 0; index < 40; index += 1) {
    const part = Buffer.from(`data: {"path":"${path}","index":${index}}\n\n`);
    parts.push(part);
    stream.write(part);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  answers.set(path, Buffer.concat(parts));
  stream.end();
}
