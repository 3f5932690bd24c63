/** SIGHTLINE_HTTP_FILTER over HTTP/2 and for WebSockets, and what it has no answer for, captured in the kernel. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runClient } from '../../support/clients/run-client.ts';
import { chatSpans } from '../../support/compare.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { type Certificate, makeCertificate } from '../../support/model-server/certificate.ts';
import { observe } from '../../support/observed-server.ts';
import { readOtlpFile } from '../../support/otlp-file.ts';
import { startHttpReceiver } from '../../support/otlp-receiver.ts';
import { startSightline } from '../../support/sightline.ts';

const run = promisify(execFile);
/** Responses on one socket. */
const RESPONSES = 5;

describe('the HTTP filter, in the kernel', function () {
  this.timeout(120_000);
  let folder = '';
  let curl = '';
  let certificate: Certificate;
  let server: http2.Http2SecureServer;
  let port = 0;

  before(async function () {
    requireKernel(this);
    folder = mkdtempSync(join(tmpdir(), 'sightline-filter-'));
    // A curl of our own, so that what is counted is of this test alone.
    const { stdout } = await run('which', ['curl']);
    curl = join(folder, 'filtered-curl');
    copyFileSync(realpathSync(stdout.trim()), curl);
    chmodSync(curl, 0o755);
    certificate = makeCertificate();
    server = http2.createSecureServer({
      cert: certificate.certificatePem,
      key: certificate.keyPem,
    });
    server.on('stream', (stream, headers) => {
      const isMissing = headers[':path'] === '/missing';
      // An answer that does not wait for the request ends it with a reset, which this curl takes for a failure.
      stream.resume().once('end', () => {
        stream.respond({ ':status': isMissing ? 404 : 200, 'content-type': 'application/json' });
        stream.end('{"a":1}');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });
  after(async () => {
    if (server?.listening) {
      server.close();
      await once(server, 'close');
    }
    certificate?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  /**
   * Paths of the exchanges that a filter keeps, and how many it dropped and had no answer for. Each request is what
   * curl is told of it; all go over one connection.
   */
  async function filterCurl(
    filter: string,
    requests: readonly string[][],
  ): Promise<{ kept: string[]; dropped: number; unanswered: number }> {
    const receiver = await startHttpReceiver();
    try {
      const sightline = await startSightline({
        env: {
          SIGHTLINE_TARGET_EXE: curl,
          SIGHTLINE_HTTP_SPANS: 'all',
          SIGHTLINE_HTTP_FILTER: filter,
          OTEL_METRICS_EXPORTER: 'otlp',
          OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
          OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${receiver.port}`,
        },
      });
      try {
        const common = ['-s', '--http2', '--cacert', certificate.caPath, '-o', '/dev/null'];
        const args = requests.flatMap(([path = '', ...rest], index) => [
          ...(index === 0 ? [] : ['--next']),
          ...common,
          ...rest,
          `https://127.0.0.1:${port}${path}`,
        ]);
        await run(curl, args);
        const finished = await sightline.stop();
        assert.equal(finished.code, 0, finished.stderr);
        const spans = readOtlpFile(sightline.file).spans.filter(
          (span) => 'http.request.method' in span.attributes,
        );
        assert.ok(spans.every((span) => span.attributes['network.protocol.version'] === '2'));
        const count = (metric: string): number =>
          receiver
            .content()
            .points.filter((point) => point.metric === metric)
            .reduce((most, point) => Math.max(most, point.value ?? 0), 0);
        return {
          kept: spans.map((span) => new URL(String(span.attributes['url.full'])).pathname),
          dropped: count('sightline.http_filtered'),
          unanswered: count('sightline.http_filter_errors'),
        };
      } finally {
        sightline.discard();
      }
    } finally {
      await receiver.close();
    }
  }

  it('drops over HTTP/2 by request, by response and by size, and counts each', async () => {
    const { kept, dropped, unanswered } = await filterCurl(
      'request.method != "DELETE" && !request.path.startsWith("/private") && response.status < 400 && response.size == 7 && request.size < 10',
      [
        ['/one'],
        ['/one', '-X', 'DELETE'],
        ['/private/two', '-d', 'a=b'],
        ['/three', '-d', 'a=b'],
        ['/missing'],
        ['/large', '-d', 'more than ten bytes'],
      ],
    );
    assert.deepEqual(kept, ['/one', '/three']);
    assert.deepEqual([dropped, unanswered], [4, 0]);
  });

  it('keeps over HTTP/2 what it has no answer for, and counts it', async () => {
    const { kept, dropped, unanswered } = await filterCurl('request.headers["x-team"] == "a"', [
      ['/of-a', '-H', 'X-Team: a'],
      ['/of-b', '-H', 'X-Team: b'],
      ['/of-none'],
    ]);
    assert.deepEqual(kept, ['/of-a', '/of-none']);
    assert.deepEqual([dropped, unanswered], [1, 1]);
  });

  for (const [filter, kept] of [
    ['!(has(request.headers.upgrade) && request.path == "/v1/responses")', 0],
    ['response.status != 101', 0],
    // At the upgrade a socket has no bytes yet.
    ['response.size > 0', 0],
    ['response.status == 101 && response.size == 0 && request.method == "GET"', RESPONSES],
  ] as const) {
    it(`${kept === 0 ? 'drops' : 'keeps'} all calls on a WebSocket by ${filter}`, async () => {
      const env = { SIGHTLINE_HTTP_FILTER: filter, SIGHTLINE_HTTP_SPANS: 'all' };
      const { spans, truth } = await observe({ env }, async ({ url, caPath }) => {
        const { results } = await runClient({
          program: 'openai-responses-socket',
          url,
          caPath,
          count: RESPONSES,
        });
        assert.equal(results.length, RESPONSES);
      });
      assert.equal(truth.length, RESPONSES);
      assert.equal(chatSpans(spans).length, kept);
      assert.ok(spans.every((span) => !('http.request.method' in span.attributes)));
    });
  }
});
