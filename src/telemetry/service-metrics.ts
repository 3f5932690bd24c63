/**
 * Metrics of one service: every histogram of the conventions that applies to what we see.
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/gen-ai/gen-ai-metrics.md
 */
import { type Attributes, type Histogram, ValueType } from '@opentelemetry/api';
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
import { putOpenaiResponse, putServer } from './call-attributes.ts';
import type { Temporality } from './options.ts';
import { callCountOf, turnErrorType } from './piece-span.ts';
import {
  Attr,
  ERROR_TOOL,
  type HistogramDefinition,
  Metrics,
  SCHEMA_URL,
  SCOPE_NAME,
} from './semconv.ts';
import { put } from './span-description.ts';
import { secondsBetween } from './wall-time.ts';

const NS_PER_SECOND = 1e9;

/** Read when somebody asks; the asking is timed for all services together. */
class PullReader extends MetricReader {
  protected override async onShutdown(): Promise<void> {}
  protected override async onForceFlush(): Promise<void> {}
}

export interface ServiceMetrics {
  record(piece: StoryPiece): void;
  /** What reader number `index` has to send; undefined when nothing was ever recorded. */
  collect(index: number): Promise<ResourceMetrics | undefined>;
  close(): Promise<void>;
}

export interface ServiceMetricsOptions {
  version: string;
  resource: Attributes;
  /** Independent readers: the endpoint, and the file. */
  readers: number;
  temporality: Temporality;
  maxSeries: number;
}

type Instruments = Record<keyof typeof Metrics, Histogram>;

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
  const meter = provider.getMeter(SCOPE_NAME, options.version, { schemaUrl: SCHEMA_URL });
  const instruments = Object.fromEntries(
    Object.entries<HistogramDefinition>(Metrics).map(([key, definition]) => [
      key,
      meter.createHistogram(definition.name, {
        unit: definition.unit,
        description: definition.description,
        valueType: definition.whole ? ValueType.INT : ValueType.DOUBLE,
        advice: { explicitBucketBoundaries: [...definition.buckets] },
      }),
    ]),
  ) as Instruments;

  return {
    record(piece) {
      switch (piece.kind) {
        case 'call':
          recordCall(instruments, piece.call);
          break;
        case 'tool':
          recordTool(instruments, piece);
          break;
        case 'turn':
          recordTurn(instruments, piece);
          break;
        case 'process':
          break;
      }
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

function recordCall(instruments: Instruments, call: ModelCall): void {
  const base: Attributes = {
    [Attr.operationName]: call.operation,
    [Attr.providerName]: call.provider,
  };
  put(base, Attr.requestModel, call.request.model);
  put(base, Attr.responseModel, call.response?.model);
  putServer(base, call);
  putOpenaiResponse(base, call);

  const withError =
    call.error === undefined ? base : { ...base, [Attr.errorType]: call.error.type };
  instruments.operationDuration.record(secondsBetween(call.startNs, call.endNs), withError);

  const usage = call.response?.usage;
  recordTokens(instruments, base, 'input', usage?.inputTokens);
  recordTokens(instruments, base, 'output', usage?.outputTokens);

  if (call.request.stream !== true) {
    return;
  }
  if (call.firstChunkNs !== undefined) {
    instruments.timeToFirstChunk.record(secondsBetween(call.startNs, call.firstChunkNs), base);
  }
  for (const gapNs of call.chunkGapsNs) {
    instruments.timePerOutputChunk.record(gapNs / NS_PER_SECOND, base);
  }
}

/** A count that the wire did not give is no measurement, not 0. */
function recordTokens(
  instruments: Instruments,
  base: Attributes,
  type: 'input' | 'output',
  tokens: number | undefined,
): void {
  if (tokens !== undefined) {
    instruments.tokenUsage.record(tokens, { ...base, [Attr.tokenType]: type });
  }
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
