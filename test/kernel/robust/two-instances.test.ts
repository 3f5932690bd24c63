/**
 * Two instances on one host, one exporting over TLS and one without: each sees the agents, neither itself nor the
 * other, not as HTTP exchanges either.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { runClient } from '../../support/clients/run-client.ts';
import { chatSpans } from '../../support/compare.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { type ModelServer, startModelServer } from '../../support/model-server/server.ts';
import {
  makeOtlpCertificates,
  type OtlpTestCertificates,
} from '../../support/otlp-certificates.ts';
import type { Attributes } from '../../support/otlp-file.ts';
import { type OtlpReceiver, startHttpReceiver } from '../../support/otlp-receiver.ts';
import { type RunningSightline, startSightline } from '../../support/sightline.ts';

const HTTP_DURATION = 'http.client.request.duration';
const run = promisify(execFile);

interface Exchange {
  role: 'client' | 'server' | 'unknown';
  connection: { process: { pid: number } };
  request?: { target?: string };
}

/** A receiver of its own for each, so that it is known who sent what. */
interface Instance {
  sightline: RunningSightline;
  receiver: OtlpReceiver;
  /** What its `--print exchanges` wrote. */
  printed(): Exchange[];
}

async function startInstance(
  certificates: OtlpTestCertificates,
  scheme: 'http' | 'https',
): Promise<Instance> {
  const { serverKey: key, serverCertificate: certificate } = certificates;
  const receiver = await startHttpReceiver(scheme === 'http' ? {} : { tls: { key, certificate } });
  const sightline = await startSightline({
    args: ['--print', 'exchanges'],
    env: {
      // All that this test starts, the instances among it, and none of the host's other traffic.
      SIGHTLINE_TARGET_PID: String(process.pid),
      SIGHTLINE_HTTP_SPANS: 'all',
      OTEL_TRACES_EXPORTER: 'otlp',
      OTEL_METRICS_EXPORTER: 'otlp',
      OTEL_METRIC_EXPORT_INTERVAL: '500',
      OTEL_BSP_SCHEDULE_DELAY: '100',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_ENDPOINT: `${scheme}://127.0.0.1:${receiver.port}`,
      OTEL_EXPORTER_OTLP_CERTIFICATE: certificates.caFile,
    },
  });
  let stdout = '';
  sightline.child.stdout?.on('data', (text: string) => {
    stdout += text;
  });
  return {
    sightline,
    receiver,
    printed: () =>
      stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Exchange),
  };
}

describe('two instances on one host', function () {
  this.timeout(90_000);
  let server: ModelServer;
  let certificates: OtlpTestCertificates;
  const instances: Instance[] = [];

  before(async function () {
    requireKernel(this);
    server = await startModelServer();
    certificates = makeOtlpCertificates();
  });
  after(async () => {
    for (const { sightline, receiver } of instances) {
      sightline.discard();
      await receiver.close();
    }
    certificates?.remove();
    await server?.stop();
  });

  it('each exports every call, and no export of itself or the other is seen', async () => {
    instances.push(
      await startInstance(certificates, 'https'),
      await startInstance(certificates, 'http'),
    );
    const { url, caPath } = server;
    for (let round = 0; round < 3; round++) {
      await runClient({ program: 'curl', url, caPath, count: 3 });
      await run('curl', ['-s', '--cacert', caPath, `${url}/v1/models?round=${round}`]);
      // Time for exports of spans and metrics while both look on.
      await delay(1000);
    }
    for (const { sightline, receiver, printed } of instances) {
      const finished = await sightline.stop();
      assert.equal(finished.code, 0, finished.stderr);
      assert.doesNotMatch(finished.stderr, /warning/);
      assert.doesNotMatch(
        finished.stderr.match(/^ {2}found .*$/gm)?.join('\n') ?? '',
        new RegExp(`pid (?:${instances.map((each) => each.sightline.child.pid).join('|')})\\)`),
      );
      const calls = chatSpans(receiver.content().spans).filter(
        (span) => span.attributes['server.port'] === server.port,
      );
      assert.equal(calls.length, 9);
      const { spans, points } = receiver.content();
      const portsOf = (found: readonly { attributes: Attributes }[]): unknown[] =>
        found
          .filter(({ attributes }) => 'http.request.method' in attributes)
          .map(({ attributes }) => attributes['server.port']);
      const ports = portsOf(spans);
      assert.equal(
        ports.filter((port) => port === server.port).length,
        3,
        'of curl they are there',
      );
      const measured = portsOf(points.filter(({ metric }) => metric === HTTP_DURATION));
      assert.ok(measured.includes(server.port));
      for (const { receiver: other } of instances) {
        assert.ok(!ports.includes(other.port) && !measured.includes(other.port));
      }
      assert.ok(receiver.requests.some(({ signal }) => signal === 'metrics'));
      const exchanges = printed().filter(({ role }) => role === 'client');
      assert.ok(exchanges.length >= 9, `${exchanges.length} exchanges`);
      // The receivers are in this process, which is observed like any other: theirs is the server's side.
      const targets = exchanges.map(({ request }) => request?.target ?? '');
      assert.deepEqual(
        targets.filter((target) => /\/v1\/(?:traces|metrics|logs)$/.test(target)),
        [],
      );
      const pids = new Set(instances.map((each) => each.sightline.child.pid));
      assert.ok(!printed().some(({ connection }) => pids.has(connection.process.pid)));
    }
  });
});
