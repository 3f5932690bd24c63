import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { followHealth } from '../../../src/own-health.ts';
import { COUNTERS, createCounters } from '../../../src/self/counters.ts';
import type { TelemetryStats } from '../../../src/telemetry/telemetry.ts';
import { SOURCE, sourceFiles } from '../../support/source-imports.ts';

const QUIET: TelemetryStats = {
  pieces: 0,
  piecesBeforeHost: 0,
  failedPieces: 0,
  metrics: { exported: 0, failed: 0, services: 0 },
  tree: { trees: 0, evictedTraces: 0, omittedSpans: 0 },
};

describe('the own health', () => {
  it('counts what the exports gave up and dropped, each once', () => {
    const counters = createCounters();
    let stats = QUIET;
    const scrubber = {
      heldEvents: 1,
      heldBytes: 2,
      decodedBytes: 6,
      maskedBytes: 3,
      unreleasedBytes: 4,
    };
    const feed = followHealth(
      counters,
      () => stats,
      () => scrubber,
    );
    feed.update();
    stats = {
      ...QUIET,
      failedPieces: 2,
      traces: { queued: 5, exported: 0, failed: 7, dropped: 11 },
      metrics: { exported: 0, failed: 3, services: 0 },
    };
    feed.update();
    feed.update();
    const counted = counters.snapshot().filter(({ value }) => value > 0);
    assert.deepEqual(
      counted.map(({ name, attributes, value }) => [name, ...Object.values(attributes), value]),
      [
        ['sightline.export_failures', 'traces', 7],
        ['sightline.export_failures', 'metrics', 3],
        ['sightline.drops', 'telemetry', 'traces-queue', 11],
        ['sightline.faults', 'telemetry', 2],
      ],
    );
    assert.deepEqual(
      counters.gauges().map(({ name, read }) => [name, read()]),
      [
        ['sightline.queue.spans', 5],
        ['sightline.queue.logs', 0],
        ['sightline.recorder.held', 2],
        ['sightline.recorder.masked', 3],
        ['sightline.recorder.decoded', 6],
        ['sightline.recorder.unreleased', 4],
      ],
    );
  });

  it('has nothing among its counters that nobody feeds', () => {
    const text = sourceFiles(SOURCE)
      .filter((path) => !path.endsWith('/self/counters.ts'))
      .map((path) => readFileSync(path, 'utf8'))
      .join('\n');
    const unfed = Object.keys(COUNTERS).filter((name) => !text.includes(`counter('${name}'`));
    assert.deepEqual(unfed, []);
  });
});
