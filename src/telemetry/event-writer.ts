/**
 * The log event of a model call, with its content structured, as log records may carry it.
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/gen-ai/gen-ai-events.md
 */
import { type Attributes, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { type AnyValueMap, type Logger, SeverityNumber } from '@opentelemetry/api-logs';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { LoggerProvider, type ReadableLogRecord } from '@opentelemetry/sdk-logs';
import { isInference } from '../llm/model-call.ts';
import type { CallPiece, HandshakePiece } from '../session/story.ts';
import { callAttributes } from './call-attributes.ts';
import { callContent } from './content.ts';
import { HANDSHAKE_FAILED_EVENT, handshakeFailureAttributes } from './handshake-signals.ts';
import { Attr, type Conventions, INFERENCE_EVENT, SCOPE_NAME } from './semconv.ts';
import { putExtra } from './span-description.ts';
import type { TraceSampler } from './trace-sampler.ts';
import { wallTime } from './wall-time.ts';
import { type AttributeLimits, createWorkloadCache, sdkLimits } from './workload-cache.ts';

export interface EventWriter {
  write(
    workloadKey: string,
    signature: string,
    resource: () => Attributes,
    piece: CallPiece,
    clockOffsetNs: bigint,
  ): void;
  /** A log record of a failed handshake. */
  writeFailedHandshake(
    workloadKey: string,
    signature: string,
    resource: () => Attributes,
    piece: HandshakePiece,
    clockOffsetNs: bigint,
  ): void;
  clear(): void;
}

export interface EventWriterOptions extends AttributeLimits {
  version: string;
  conventions: Conventions;
  sampler: TraceSampler;
  redact: (text: string) => string;
  sinks: readonly ((record: ReadableLogRecord) => void)[];
  maxWorkloads: number;
}

export function createEventWriter(options: EventWriterOptions): EventWriter {
  const loggers = createWorkloadCache<Logger>(options.maxWorkloads);
  const processor = {
    onEmit(record: ReadableLogRecord) {
      for (const sink of options.sinks) {
        sink(record);
      }
    },
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };

  function makeLogger(resource: Attributes): Logger {
    const provider = new LoggerProvider({
      resource: resourceFromAttributes(resource),
      processors: [processor],
      logRecordLimits: sdkLimits(options),
    });
    return provider.getLogger(SCOPE_NAME, options.version, {
      schemaUrl: options.conventions.schemaUrl,
    });
  }

  return {
    write(workloadKey, signature, resource, piece, clockOffsetNs) {
      const { call, ids } = piece;
      if (!isInference(call)) {
        // The event is of inference calls.
        return;
      }
      const attributes: AnyValueMap = {
        ...callAttributes(call, options.conventions),
      } as AnyValueMap;
      // The event's attribute list of these conventions is the span's without the provider.
      delete attributes[Attr.providerName];
      Object.assign(attributes, callContent(call, options.redact, options.conventions));
      putExtra(attributes, piece.extraAttributes);
      const time = wallTime(call.endNs, clockOffsetNs);
      const logger = loggers.get(workloadKey, signature, () => makeLogger(resource()));
      logger.emit({
        eventName: INFERENCE_EVENT,
        timestamp: time,
        // Observed when it happened, as far as anyone can tell later: a replay must not write today's date.
        observedTimestamp: time,
        severityNumber: SeverityNumber.INFO,
        severityText: 'INFO',
        attributes,
        context: trace.setSpanContext(ROOT_CONTEXT, {
          traceId: ids.traceId,
          spanId: ids.spanId,
          traceFlags: options.sampler.parentFlags(ids.traceId),
        }),
      });
    },
    writeFailedHandshake(workloadKey, signature, resource, piece, clockOffsetNs) {
      const time = wallTime(piece.handshake.endNs, clockOffsetNs);
      const logger = loggers.get(workloadKey, signature, () => makeLogger(resource()));
      logger.emit({
        eventName: HANDSHAKE_FAILED_EVENT,
        timestamp: time,
        observedTimestamp: time,
        severityNumber: SeverityNumber.ERROR,
        severityText: 'ERROR',
        attributes: handshakeFailureAttributes(piece) as AnyValueMap,
        context: ROOT_CONTEXT,
      });
    },
    clear: loggers.clear,
  };
}
