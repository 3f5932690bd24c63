/** What the last room and a recording tell of themselves, among Sightline's own metrics. */
import type { ScrubbingCounters } from './capture/scrubbing-recorder.ts';
import type { Counters } from './self/counters.ts';
import { createTotalsFeed, type TotalsFeed } from './self/totals-feed.ts';
import type { TelemetryStats } from './telemetry/telemetry.ts';

/** The feed is to be updated by time, and once at the end. */
export function followHealth(
  counters: Counters,
  telemetry: () => TelemetryStats,
  recorder: (() => ScrubbingCounters) | undefined,
): TotalsFeed {
  const feed = createTotalsFeed();

  function followFailures(signal: 'traces' | 'logs' | 'metrics'): void {
    feed.follow(
      counters.counter('sightline.export_failures', { signal }),
      () => telemetry()[signal]?.failed ?? 0,
    );
  }

  function followDrops(reason: string, read: () => number): void {
    feed.follow(counters.counter('sightline.drops', { place: 'telemetry', reason }), read);
  }

  function gauge(name: string, unit: string, description: string, read: () => number): void {
    counters.gauge({ name, unit, description, read });
  }

  followFailures('traces');
  followFailures('logs');
  followFailures('metrics');
  followDrops('traces-queue', () => telemetry().traces?.dropped ?? 0);
  followDrops('logs-queue', () => telemetry().logs?.dropped ?? 0);
  followDrops('file', () => telemetry().file?.lostLines ?? 0);
  followDrops('before-host', () => telemetry().piecesBeforeHost);
  feed.follow(
    counters.counter('sightline.faults', { place: 'telemetry' }),
    () => telemetry().failedPieces,
  );
  gauge('sightline.queue.spans', '{span}', 'Spans that wait for their export.', () => {
    return telemetry().traces?.queued ?? 0;
  });
  gauge('sightline.queue.logs', '{record}', 'Log records that wait for their export.', () => {
    return telemetry().logs?.queued ?? 0;
  });
  if (recorder !== undefined) {
    gauge('sightline.recorder.held', 'By', 'Bytes held until they are judged.', () => {
      return recorder().heldBytes;
    });
    gauge('sightline.recorder.masked', 'By', 'Bytes masked as credentials.', () => {
      return recorder().maskedBytes;
    });
    gauge('sightline.recorder.decoded', 'By', 'Compressed bytes recorded as what they are.', () => {
      return recorder().decodedBytes;
    });
    gauge('sightline.recorder.unreleased', 'By', 'Bytes masked because none judged them.', () => {
      return recorder().unreleasedBytes;
    });
  }
  return feed;
}
