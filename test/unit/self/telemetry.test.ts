import assert from 'node:assert/strict';
import { metrics } from '@opentelemetry/api';
import { AggregationTemporality, InMemoryMetricExporter } from '@opentelemetry/sdk-metrics';
import { createCounters } from '../../../src/self/counters.ts';
import { startSelfTelemetry } from '../../../src/self/telemetry.ts';

/** Keeps what it got beyond the end. */
class KeepingExporter extends InMemoryMetricExporter {
  override async shutdown(): Promise<void> {}
}

describe('the own telemetry', () => {
  afterEach(() => metrics.disable());

  it('exports the counters once more at the end, as the service sightline', async () => {
    const written: string[] = [];
    const write = process.stdout.write.bind(process.stdout);
    const before = { ...process.env };
    // NodeSDK reads these by itself: they must not reach it, nor be lost.
    process.env.OTEL_LOG_LEVEL = 'debug';
    process.env.OTEL_SDK_DISABLED = 'true';
    process.env.OTEL_SERVICE_NAME = 'somebody-else';
    const exporter = new KeepingExporter(AggregationTemporality.CUMULATIVE);
    const counters = createCounters();
    counters.gauge({ name: 'sightline.queue', unit: '1', description: 'Q.', read: () => 7 });
    process.stdout.write = ((text: string) => written.push(text) > 0) as typeof write;
    try {
      const telemetry = startSelfTelemetry({
        counters,
        exporter,
        exportIntervalMs: 60_000,
        exportTimeoutMs: 90_000,
        version: '9.9.9',
        resource: { 'host.name': 'h' },
      });
      counters.counter('sightline.faults', { place: 'http' }).add(23);
      await telemetry.stop();
      assert.equal(process.env.OTEL_LOG_LEVEL, 'debug');
      assert.equal(process.env.OTEL_SDK_DISABLED, 'true');
    } finally {
      process.stdout.write = write;
      process.env = before;
    }
    assert.deepEqual(written, [], 'nothing goes to stdout');
    const [exported] = exporter.getMetrics();
    assert.deepEqual(exported?.resource.attributes, {
      'host.name': 'h',
      'service.name': 'sightline',
      'service.version': '9.9.9',
    });
    const byName = new Map(
      exported?.scopeMetrics[0]?.metrics.map((metric) => [metric.descriptor.name, metric]),
    );
    const faults = byName.get('sightline.faults')?.dataPoints;
    assert.deepEqual(
      faults?.map(({ attributes, value }) => ({ attributes, value })),
      [{ attributes: { place: 'http' }, value: 23 }],
    );
    assert.equal(byName.get('sightline.queue')?.dataPoints[0]?.value, 7);
    assert.ok(Number(byName.get('sightline.memory.usage')?.dataPoints[0]?.value) > 1_000_000);
    assert.equal(byName.get('sightline.cpu.time')?.dataPoints.length, 2);
  });
});
