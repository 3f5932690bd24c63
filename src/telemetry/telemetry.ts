/** The last room: finished pieces of stories become spans, metrics and events, and leave. */
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { HostEvent } from '../capture/events.ts';
import type { HandshakePiece, HttpPiece, ServedCall, StoryPiece } from '../session/story.ts';
import { contentPolicy } from './content.ts';
import { createDelivery, type Delivery, type DeliveryStats } from './delivery.ts';
import {
  createEndpointHealth,
  createEndpointNotices,
  type EndpointHealth,
} from './endpoint-health.ts';
import { createEventWriter } from './event-writer.ts';
import { handshakeFailureLine } from './handshake-signals.ts';
import { createHeldTrees } from './held-trees.ts';
import { createJsonLinesFile, type JsonLinesStats } from './json-lines-file.ts';
import { createMetricPusher, type MetricStats } from './metric-pusher.ts';
import {
  DEFAULT_LIMITS,
  DEFAULT_LOG_BATCH,
  DEFAULT_METRIC_INTERVAL_MS,
  DEFAULT_METRIC_TIMEOUT_MS,
  DEFAULT_SPAN_BATCH,
  type OtlpSettings,
  type TelemetryOptions,
} from './options.ts';
import { metricsJson, recordJson, spanJson } from './otlp-json.ts';
import { createLogSender, createMetricSender, createSpanSender } from './otlp-sender.ts';
import { recordBytes, spanBytes } from './payload-size.ts';
import { describePiece } from './piece-span.ts';
import { eventLine, metricLines } from './readable-signals.ts';
import { conventionsOf } from './semconv.ts';
import { createSpanWriter } from './span-writer.ts';
import { createTraceSampler } from './trace-sampler.ts';
import { createTraceTrees, type TraceTreeStats } from './trace-tree.ts';
import { wallTime } from './wall-time.ts';
import {
  type ResourceContext,
  resourceSignature,
  serviceResource,
  workloadResource,
} from './workload-resource.ts';

export interface TelemetryStats {
  /** Pieces that were taken. */
  pieces: number;
  /** Pieces that came before any host event, so that their time is unknown: not exported. */
  piecesBeforeHost: number;
  /** Pieces that could not be made a span because of a defect of ours. */
  failedPieces: number;
  traces?: DeliveryStats;
  logs?: DeliveryStats;
  metrics: MetricStats;
  file?: JsonLinesStats;
  tree: TraceTreeStats;
}

export interface Telemetry {
  /** The first event of a source. A second one (another recording) begins anew with resources and times. */
  host(event: HostEvent): void;
  /** Never throws. */
  piece(piece: StoryPiece): void;
  /** Measured only: the client's side of the call is the span. Never throws. */
  servedCall(served: ServedCall): void;
  /** Measured only: its parent has too many of them. Never throws. */
  exchangeLeftOut(piece: HttpPiece): void;
  /** Measured; of one that failed a log record and a line in the terminal. Never throws. */
  handshake(piece: HandshakePiece): void;
  /** Time passed, in events' time. */
  tick(timeNs: bigint): void;
  /** Sends everything that is waiting, as far as the endpoints take it. Never rejects. */
  flush(): Promise<void>;
  /** Flushes, counts what could not be sent, prints trees without a root, closes the file. */
  shutdown(): Promise<void>;
  stats(): TelemetryStats;
}

/** Throws a SightlineError for an endpoint or a certificate file that cannot be used. */
export function createTelemetry(options: TelemetryOptions): Telemetry {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const { terminal, notice } = options;
  const conventions = conventionsOf(options.conventions ?? '1.41', options.knownHttpMethods);
  const content = contentPolicy(options.captureContent, options.redact);
  const sampler = createTraceSampler(options.sampler, options.samplerRatio);
  const notices = createEndpointNotices(notice, treeMode(options) !== 'never');
  const healths: EndpointHealth[] = [];
  const counts = { pieces: 0, piecesBeforeHost: 0, failedPieces: 0 };
  let context: ResourceContext | undefined;

  const file = options.file === undefined ? undefined : createJsonLinesFile(options.file, notice);
  const held = createHeldTrees(treeMode(options), limits.maxTreesHeld, terminal.write);
  const trees = createTraceTrees({
    finished: held.add,
    columns: terminal.columns ?? (() => undefined),
    isColoured: terminal.isColoured === true,
    maxTraces: limits.maxTreeTraces,
    maxSpans: limits.maxTreeSpans,
  });

  function healthOf(settings: OtlpSettings): EndpointHealth {
    const health = createEndpointHealth({ settings, notices });
    if (settings.signal === 'traces') {
      health.whenChanged(held.changed);
    }
    healths.push(health);
    return health;
  }

  function spanDelivery(settings: OtlpSettings): Delivery<ReadableSpan> {
    const batch = { ...DEFAULT_SPAN_BATCH, ...options.spanBatch };
    return createDelivery({
      what: 'spans',
      sender: createSpanSender(settings, batch.exportTimeoutMs),
      health: healthOf(settings),
      batch,
      maxQueueBytes: limits.maxQueueBytes,
      maxBatchBytes: limits.maxBatchBytes,
      sizeOf: spanBytes,
      notice,
      isDefault: settings.isDefault === true,
      drained: held.delivered,
    });
  }

  function logDelivery(settings: OtlpSettings): Delivery<ReadableLogRecord> {
    const batch = { ...DEFAULT_LOG_BATCH, ...options.logBatch };
    return createDelivery({
      what: 'log records',
      sender: createLogSender(settings, batch.exportTimeoutMs),
      health: healthOf(settings),
      batch,
      maxQueueBytes: limits.maxQueueBytes,
      maxBatchBytes: limits.maxBatchBytes,
      sizeOf: recordBytes,
      notice,
      isDefault: settings.isDefault === true,
    });
  }

  const spans = options.traces.kind === 'otlp' ? spanDelivery(options.traces.otlp) : undefined;
  const logs = options.logs.kind === 'otlp' ? logDelivery(options.logs.otlp) : undefined;

  const spanWriter = createSpanWriter({
    version: options.version,
    conventions,
    sampler,
    sinks: [
      ...(file === undefined ? [] : [(span: ReadableSpan) => file.write(spanJson(span))]),
      ...(spans === undefined ? [] : [spans.add]),
      // Nobody would see them.
      ...(treeMode(options) === 'never' ? [] : [trees.add]),
    ],
    maxWorkloads: limits.maxWorkloads,
    attributeCountLimit: options.attributeCountLimit,
    attributeValueLengthLimit: options.attributeValueLengthLimit,
  });

  const eventWriter = createEventWriter({
    version: options.version,
    conventions,
    sampler,
    redact: content.redact,
    sinks: [
      ...(file === undefined
        ? []
        : [(record: ReadableLogRecord) => file.write(recordJson(record))]),
      ...(logs === undefined ? [] : [logs.add]),
      ...(options.logs.kind === 'console'
        ? [(record: ReadableLogRecord) => terminal.write(eventLine(record))]
        : []),
    ],
    maxWorkloads: limits.maxWorkloads,
    attributeCountLimit: options.attributeCountLimit,
    attributeValueLengthLimit: options.attributeValueLengthLimit,
  });

  const metrics = createMetricPusher({
    version: options.version,
    conventions,
    temporality: options.temporality ?? 'cumulative',
    intervalMs: options.metricIntervalMs ?? DEFAULT_METRIC_INTERVAL_MS,
    maxServices: limits.maxServices,
    maxSeries: limits.maxSeries,
    endpoint:
      options.metrics.kind === 'otlp'
        ? {
            sender: createMetricSender(
              options.metrics.otlp,
              options.metricTimeoutMs ?? DEFAULT_METRIC_TIMEOUT_MS,
            ),
            health: healthOf(options.metrics.otlp),
          }
        : undefined,
    sinks: [
      ...(file === undefined
        ? []
        : [(collected: ResourceMetrics) => file.write(metricsJson(collected))]),
      ...(options.metrics.kind === 'console'
        ? [(collected: ResourceMetrics) => terminal.write(metricLines(collected))]
        : []),
    ],
  });

  // Ask now, so that a wrong endpoint is known before the first trace is finished.
  for (const health of healths) {
    void health.probe();
  }

  function take(piece: StoryPiece, known: ResourceContext): void {
    const { workload } = piece;
    const { clockOffsetNs } = known.host;
    const signature = resourceSignature(workload);
    const resource = () => workloadResource(workload, known);
    const description = describePiece(piece, content, conventions);
    spanWriter.write(workload.root.key, signature, resource, description, clockOffsetNs);
    if (piece.kind === 'call' && content.isOnEvents) {
      eventWriter.write(workload.root.key, signature, resource, piece, clockOffsetNs);
    }
    metrics.record(workload.name, () => serviceResource(workload.name, known), piece);
  }

  return {
    host(event) {
      context = {
        host: event,
        extra: options.resourceAttributes ?? [],
        redact: content.redact,
      };
      spanWriter.clear();
      eventWriter.clear();
      metrics.clear();
    },
    piece(piece) {
      if (context === undefined) {
        counts.piecesBeforeHost += 1;
        return;
      }
      counts.pieces += 1;
      try {
        take(piece, context);
      } catch (error) {
        // The data path never throws: a defect costs this piece, and is told.
        counts.failedPieces += 1;
        if (counts.failedPieces === 1) {
          notice('warning', `a ${piece.kind} could not be exported: ${(error as Error).message}`);
        }
      }
    },
    servedCall({ workload, call }) {
      const known = context;
      if (known !== undefined) {
        const resource = () => serviceResource(workload.name, known);
        metrics.recordServedCall(workload.name, resource, call);
      }
    },
    exchangeLeftOut(piece) {
      const known = context;
      if (known !== undefined) {
        const { name } = piece.workload;
        metrics.record(name, () => serviceResource(name, known), piece);
      }
    },
    handshake(piece) {
      const known = context;
      if (known === undefined) {
        return;
      }
      const { workload, handshake } = piece;
      const { clockOffsetNs } = known.host;
      metrics.recordHandshake(
        workload.name,
        () => serviceResource(workload.name, known),
        handshake,
      );
      if (handshake.errorType !== undefined) {
        const resource = () => workloadResource(workload, known);
        const signature = resourceSignature(workload);
        const { key } = workload.root;
        eventWriter.writeFailedHandshake(key, signature, resource, piece, clockOffsetNs);
        held.add(handshakeFailureLine(piece));
      }
    },
    tick(timeNs) {
      if (context !== undefined) {
        const [wallSeconds] = wallTime(timeNs, context.host.clockOffsetNs);
        trees.expire(wallSeconds - TREE_PATIENCE_SECONDS);
      }
    },
    async flush() {
      await Promise.all([spans?.flush(), logs?.flush(), metrics.flush()]);
    },
    async shutdown() {
      trees.flush();
      await Promise.all([spans?.close(), logs?.close(), metrics.close()]);
      for (const health of healths) {
        health.close();
      }
      file?.close();
    },
    stats: () => ({
      ...counts,
      ...(spans === undefined ? {} : { traces: spans.stats() }),
      ...(logs === undefined ? {} : { logs: logs.stats() }),
      metrics: metrics.stats(),
      ...(file === undefined ? {} : { file: file.stats() }),
      tree: trees.stats(),
    }),
  };
}

/** A tree waits so long for its root after its last span; turns end by their own timeout before. */
const TREE_PATIENCE_SECONDS = 15 * 60;

function treeMode(options: TelemetryOptions): 'fallback' | 'always' | 'never' {
  if (options.traces.kind === 'console') {
    return 'always';
  }
  if (options.traces.kind === 'none') {
    return options.tree === 'always' ? 'always' : 'never';
  }
  return options.tree ?? 'fallback';
}
