/** Two instances on one host, both exporting over TLS: each sees the agents, neither itself nor the other. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { runClient } from '../../support/clients/run-client.ts';
import { chatSpans } from '../../support/compare.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { type ModelServer, startModelServer } from '../../support/model-server/server.ts';
import {
  makeOtlpCertificates,
  type OtlpTestCertificates,
} from '../../support/otlp-certificates.ts';
import { type OtlpReceiver, startHttpReceiver } from '../../support/otlp-receiver.ts';
import { type RunningSightline, startSightline } from '../../support/sightline.ts';

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

async function startInstance(certificates: OtlpTestCertificates): Promise<Instance> {
  const receiver = await startHttpReceiver({
    tls: { key: certificates.serverKey, certificate: certificates.serverCertificate },
  });
  const sightline = await startSightline({
    args: ['--print', 'exchanges'],
    env: {
      OTEL_TRACES_EXPORTER: 'otlp',
      OTEL_METRICS_EXPORTER: 'otlp',
      OTEL_METRIC_EXPORT_INTERVAL: '500',
      OTEL_BSP_SCHEDULE_DELAY: '100',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_ENDPOINT: `https://127.0.0.1:${receiver.port}`,
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
      sightline.child.kill('SIGKILL');
      sightline.remove();
      await receiver.close();
    }
    certificates?.remove();
    await server?.stop();
  });

  it('each exports every call, and no export of itself or the other is seen', async () => {
    instances.push(await startInstance(certificates), await startInstance(certificates));
    for (let round = 0; round < 3; round++) {
      await runClient({ program: 'curl', url: server.url, caPath: server.caPath, count: 3 });
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
