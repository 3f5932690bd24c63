/**
 * Metrics of one service: every histogram of the conventions that applies to what we see.
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/gen-ai/gen-ai-metrics.md
 */
import type { Attributes } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  InstrumentType,
  MeterProvider,
  MetricReader,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import type { ModelCall } from '../llm/model-call.ts';
import type { StoryPiece, ToolPiece, TurnPiece } from '../session/story.ts';
import type { Handshake } from '../transport/handshake.ts';
import { createCallRecorder, createServedCallRecorder } from './call-metrics.ts';
import { handshakeLabels, handshakeSeconds } from './handshake-signals.ts';
import { httpLabels } from './http-span.ts';
import { createInstruments, type Instrument } from './instruments.ts';
import type { Temporality } from './options.ts';
import { callCountOf, turnErrorType } from './piece-span.ts';
import {
  Attr,
  type Conventions,
  ERROR_TOOL,
  HandshakeMetrics,
  HttpMetrics,
  SCOPE_NAME,
  StoryMetrics,
} from './semconv.ts';
import { put } from './span-description.ts';
import { secondsBetween } from './wall-time.ts';

/** Read when somebody asks; the asking is timed for all services together. */
class PullReader extends MetricReader {
  protected override async onShutdown(): Promise<void> {}
  protected override async onForceFlush(): Promise<void> {}
}

export interface ServiceMetrics {
  record(piece: StoryPiece): void;
  recordServedCall(call: ModelCall): void;
  recordHandshake(handshake: Handshake): void;
  /** What reader number `index` has to send; undefined when nothing was ever recorded. */
  collect(index: number): Promise<ResourceMetrics | undefined>;
  close(): Promise<void>;
}

export interface ServiceMetricsOptions {
  version: string;
  conventions: Conventions;
  resource: Attributes;
  /** Independent readers: the endpoint, and the file. */
  readers: number;
  temporality: Temporality;
  maxSeries: number;
}

type Instruments = Readonly<Record<keyof typeof StoryMetrics, Instrument>>;

export function createServiceMetrics(options: ServiceMetricsOptions): ServiceMetrics {
  const readers = Array.from(
    { length: options.readers },
    () =>
      new PullReader({
        aggregationTemporalitySelector: (type) => temporalityOf(options.temporality, type),
        cardinalitySelector: () => options.maxSeries,
      }),
  );
  const provider = new MeterProvider({
    resource: resourceFromAttributes(options.resource),
    readers,
  });
  const { schemaUrl } = options.conventions;
  const meter = provider.getMeter(SCOPE_NAME, options.version, { schemaUrl });
  const instruments = createInstruments(meter, StoryMetrics);
  const recordCall = createCallRecorder(meter, options.conventions);
  const recordServedCall = createServedCallRecorder(meter);
  const handshakes = createInstruments(meter, HandshakeMetrics);
  const http = createInstruments(meter, HttpMetrics);

  return {
    record(piece) {
      switch (piece.kind) {
        case 'call':
          recordCall(piece.call);
          break;
        case 'tool':
          recordTool(instruments, piece);
          break;
        case 'turn':
          recordTurn(instruments, piece);
          break;
        case 'http':
          http.requestDuration.record(
            secondsBetween(piece.startNs, piece.endNs),
            httpLabels(piece, options.conventions),
          );
          break;
        case 'process':
          break;
      }
    },
    recordServedCall,
    recordHandshake(handshake) {
      handshakes.duration.record(handshakeSeconds(handshake), handshakeLabels(handshake));
    },
    async collect(index) {
      const reader = readers[index];
      if (reader === undefined) {
        return undefined;
      }
      const { resourceMetrics } = await reader.collect();
      return resourceMetrics.scopeMetrics.length === 0 ? undefined : resourceMetrics;
    },
    close: () => provider.shutdown(),
  };
}

/** https://opentelemetry.io/docs/specs/otel/metrics/sdk_exporters/otlp/#additional-environment-variable-configuration */
function temporalityOf(preference: Temporality, type: InstrumentType): AggregationTemporality {
  const isDelta =
    preference === 'delta'
      ? type !== InstrumentType.UP_DOWN_COUNTER &&
        type !== InstrumentType.OBSERVABLE_UP_DOWN_COUNTER
      : preference === 'lowmemory' &&
        (type === InstrumentType.COUNTER || type === InstrumentType.HISTOGRAM);
  return isDelta ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE;
}

function recordTool(instruments: Instruments, piece: ToolPiece): void {
  const attributes: Attributes = {
    [Attr.toolName]: piece.toolCall.name,
    [Attr.toolType]: 'function',
  };
  if (piece.workload.isAgent) {
    attributes[Attr.agentName] = piece.workload.name;
  }
  if (piece.result?.isError === true) {
    attributes[Attr.errorType] = ERROR_TOOL;
  }
  instruments.executeToolDuration.record(secondsBetween(piece.startNs, piece.endNs), attributes);
}

function recordTurn(instruments: Instruments, piece: TurnPiece): void {
  const agent: Attributes = {};
  put(agent, Attr.agentName, piece.agentName === '' ? undefined : piece.agentName);
  instruments.invokeAgentInferenceCalls.record(callCountOf(piece), agent);
  instruments.invokeAgentToolCalls.record(piece.toolCalls, agent);
  const errorType = turnErrorType(piece);
  instruments.invokeAgentDuration.record(
    secondsBetween(piece.startNs, piece.endNs),
    errorType === undefined ? agent : { ...agent, [Attr.errorType]: errorType },
  );
}
