/**
 * Metrics of model calls, in each generation of the conventions.
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/gen-ai/gen-ai-metrics.md
 * https://github.com/open-telemetry/semantic-conventions-genai (metrics of the client)
 */
import type { Attributes, Meter } from '@opentelemetry/api';
import {
  isInference,
  type Modality,
  type ModalityUsage,
  type ModelCall,
  type TokenCount,
  type Usage,
} from '../llm/model-call.ts';
import { putOpenaiResponse, putServer } from './call-attributes.ts';
import { createInstruments, type Instrument } from './instruments.ts';
import {
  Attr,
  CallMetrics,
  COST_METRIC,
  type Conventions,
  LatestCallMetrics,
  ServerMetrics,
} from './semconv.ts';
import { put } from './span-description.ts';
import { secondsBetween } from './wall-time.ts';

const NS_PER_SECOND = 1e9;

export type CallRecorder = (call: ModelCall) => void;

export function createCallRecorder(meter: Meter, conventions: Conventions): CallRecorder {
  const record =
    conventions.generation === 'latest' ? createLatestRecorder(meter) : createFirstRecorder(meter);
  const { cost } = createInstruments(meter, { cost: COST_METRIC });
  return (call) => {
    const base = baseAttributes(call);
    record(call, base);
    if (call.costUsd !== undefined) {
      cost.record(call.costUsd, base);
    }
  };
}

/** Records a call; `base` is what every metric of it carries. */
type BaseRecorder = (call: ModelCall, base: Attributes) => void;

/**
 * Metrics of the server's side. A first piece of the answer stands for the first token; a time per token is there when
 * the wire counted more than one.
 */
export function createServedCallRecorder(meter: Meter): CallRecorder {
  const instruments = createInstruments(meter, ServerMetrics);
  return (call) => {
    const base = baseAttributes(call);
    recordDuration(instruments.requestDuration, call, base);
    if (call.request.stream !== true || call.firstChunkNs === undefined) {
      return;
    }
    instruments.timeToFirstToken.record(secondsBetween(call.startNs, call.firstChunkNs), base);
    const outputTokens = call.response?.usage.outputTokens ?? 0;
    if (outputTokens > 1 && call.complete) {
      const generating = secondsBetween(call.firstChunkNs, call.endNs);
      instruments.timePerOutputToken.record(generating / (outputTokens - 1), base);
    }
  };
}

function createFirstRecorder(meter: Meter): BaseRecorder {
  const instruments = createInstruments(meter, CallMetrics);

  /** A count that the wire did not give is no measurement, not 0. */
  function recordTokens(base: Attributes, type: 'input' | 'output', tokens: number | undefined) {
    if (tokens !== undefined) {
      instruments.tokenUsage.record(tokens, { ...base, [Attr.tokenType]: type });
    }
  }

  return (call, base) => {
    recordDuration(instruments.operationDuration, call, base);
    recordTokens(base, 'input', call.response?.usage.inputTokens);
    recordTokens(base, 'output', call.response?.usage.outputTokens);
    recordChunks(instruments, call, base);
  };
}

function createLatestRecorder(meter: Meter): BaseRecorder {
  const instruments = createInstruments(meter, LatestCallMetrics);

  function recordInference(call: ModelCall, base: Attributes): void {
    recordDuration(instruments.inferenceDuration, call, base);
    recordOperationTokens(instruments.operationInputTokens, call, base, 'inputTokens');
    recordOperationTokens(instruments.operationOutputTokens, call, base, 'outputTokens');
  }

  return (call, base) => {
    if (!isInference(call)) {
      // The older name stays that of every operation that is no inference.
      recordDuration(instruments.operationDuration, call, base);
    } else {
      recordInference(call, base);
    }
    // Embeddings use up tokens too, and have no counter of their own.
    const usage = call.response?.usage ?? {};
    recordUsage(instruments.inputTokens, call, base, splitCount(usage, 'inputTokens'));
    recordUsage(instruments.outputTokens, call, base, splitCount(usage, 'outputTokens'));
    addCounts(instruments.cacheReadInputTokens, base, splitCount(usage, 'cacheReadInputTokens'));
    addCounts(
      instruments.cacheWriteInputTokens,
      base,
      wholeCount(usage, 'cacheCreationInputTokens'),
    );
    addCounts(instruments.reasoningOutputTokens, base, wholeCount(usage, 'reasoningOutputTokens'));
    recordChunks(instruments, call, base);
  };
}

function baseAttributes(call: ModelCall): Attributes {
  const base: Attributes = {
    [Attr.operationName]: call.operation,
    [Attr.providerName]: call.provider,
  };
  put(base, Attr.requestModel, call.request.model);
  put(base, Attr.responseModel, call.response?.model);
  putServer(base, call);
  putOpenaiResponse(base, call);
  return base;
}

function withError(call: ModelCall, base: Attributes): Attributes {
  return call.error === undefined ? base : { ...base, [Attr.errorType]: call.error.type };
}

function recordDuration(histogram: Instrument, call: ModelCall, base: Attributes): void {
  histogram.record(secondsBetween(call.startNs, call.endNs), withError(call, base));
}

function recordChunks(
  instruments: Readonly<Record<'timeToFirstChunk' | 'timePerOutputChunk', Instrument>>,
  call: ModelCall,
  base: Attributes,
): void {
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

/** Tokens of one kind by what they stand for; `unknown` is what the wire did not split. */
type Counts = ReadonlyMap<Modality | 'unknown', number>;

function wholeCount(usage: Usage, field: TokenCount): Counts {
  const count = usage[field];
  return count === undefined ? new Map() : new Map([['unknown', count]]);
}

/** The parts the wire gave, and what is left of the whole. A split that exceeds its whole is not believed. */
function splitCount(usage: Usage, field: keyof ModalityUsage): Counts {
  const whole = usage[field];
  if (whole === undefined) {
    return new Map();
  }
  const counts = new Map<Modality | 'unknown', number>();
  let rest = whole;
  for (const [modality, part] of Object.entries(usage.byModality ?? {})) {
    const count = part[field];
    if (count !== undefined && count > 0) {
      counts.set(modality as Modality, count);
      rest -= count;
    }
  }
  if (rest < 0) {
    return wholeCount(usage, field);
  }
  return rest > 0 || counts.size === 0 ? counts.set('unknown', rest) : counts;
}

function addCounts(counter: Instrument, base: Attributes, counts: Counts): void {
  for (const [modality, count] of counts) {
    counter.record(count, { ...base, [Attr.tokenModality]: modality });
  }
}

/** An operation that failed without a count is recorded as 0 of unknown modality, as the conventions want. */
function recordUsage(counter: Instrument, call: ModelCall, base: Attributes, counts: Counts): void {
  const isFailedWithout = counts.size === 0 && call.error !== undefined;
  addCounts(counter, base, isFailedWithout ? new Map([['unknown', 0]]) : counts);
}

function recordOperationTokens(
  histogram: Instrument,
  call: ModelCall,
  base: Attributes,
  field: 'inputTokens' | 'outputTokens',
): void {
  const count = call.response?.usage[field] ?? (call.error === undefined ? undefined : 0);
  if (count !== undefined) {
    histogram.record(count, withError(call, base));
  }
}
