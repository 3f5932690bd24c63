/** What an endpoint that refuses comes to: said in plain words, and at once. */
import assert from 'node:assert/strict';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics';
import { createMetricExporter } from '../../../src/telemetry/otlp-sender.ts';
import { failureOf } from '../../../src/telemetry/send-outcome.ts';

/** Nobody listens on the discard port of a test machine. */
const REFUSING = 'http://127.0.0.1:9';
/** The official HTTP exporter tries for its whole timeout, ten seconds. */
const AT_ONCE_MS = 4000;

const NO_METRICS: ResourceMetrics = { resource: resourceFromAttributes({}), scopeMetrics: [] };

describe('the exporter of our own metrics', () => {
  for (const [protocol, url] of [
    ['http/protobuf', `${REFUSING}/v1/metrics`],
    ['grpc', REFUSING],
  ] as const) {
    it(`holds up no exit where the endpoint refuses, over ${protocol}`, async () => {
      const exporter = createMetricExporter({ signal: 'metrics', url, protocol });
      const startMs = performance.now();
      const result = await new Promise<{ code: number; error?: Error }>((resolve) =>
        exporter.export(NO_METRICS, resolve),
      );
      assert.ok(performance.now() - startMs < AT_ONCE_MS);
      assert.notEqual(result.code, 0);
      assert.equal(result.error?.message, 'connect ECONNREFUSED 127.0.0.1:9');
      await exporter.shutdown();
    });
  }
});

describe('the reason of a failed export', () => {
  function reasonOf(details: string): string {
    const outcome = failureOf(Object.assign(new Error('14 UNAVAILABLE'), { code: 14, details }));
    assert.equal(outcome.kind, 'unavailable');
    return 'reason' in outcome ? outcome.reason : '';
  }

  it('is what gRPC wraps', () => {
    assert.equal(
      reasonOf(
        'No connection established. Last error: Error: connect ECONNREFUSED ::1:4317. Resolution note: ',
      ),
      'connect ECONNREFUSED ::1:4317',
    );
    assert.equal(
      reasonOf('No connection established. Last error: read ECONNRESET. Resolution note: half'),
      'read ECONNRESET',
    );
    assert.equal(
      reasonOf('Name resolution failed for target dns:x:4317'),
      'Name resolution failed for target dns:x:4317',
    );
    assert.equal(reasonOf(''), '14 UNAVAILABLE');
  });

  it('is in plain words where two ends do not fit', () => {
    const noise =
      '804CC3BE837F0000:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:';
    assert.match(reasonOf(noise), /^it speaks no TLS: write http:\/\/ in place of https:\/\/$/);
    assert.match(
      reasonOf('Protocol error (2026-11-21T13:18:34.441Z)'),
      /speaks no gRPC: .*http\/protobuf$/,
    );
    assert.match(reasonOf('socket hang up'), /https:\/\/$/);
    assert.match(
      reasonOf('unable to verify the first certificate'),
      /^unable to verify the first certificate; .*OTEL_EXPORTER_OTLP_CERTIFICATE$/,
    );
    assert.equal(reasonOf('the queue is full'), 'the queue is full');
  });
});
