/** OTEL_TRACES_SAMPLER. https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ */
import { ROOT_CONTEXT, SpanKind, TraceFlags } from '@opentelemetry/api';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';
import type { SamplerName } from './options.ts';

export interface TraceSampler {
  sampler: Sampler;
  /** W3C flags that a parent of ours in this trace has: it may not have been exported yet. */
  parentFlags(traceId: string): number;
}

export function createTraceSampler(
  name: SamplerName = 'parentbased_always_on',
  ratio = 1,
): TraceSampler {
  const root = rootSampler(name, ratio);
  return {
    sampler: name.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root,
    parentFlags(traceId) {
      // The three root samplers look at nothing but the trace id, so a parent's decision is known before it ends.
      const { decision } = root.shouldSample(ROOT_CONTEXT, traceId, '', SpanKind.INTERNAL, {}, []);
      return decision === SamplingDecision.RECORD_AND_SAMPLED
        ? TraceFlags.SAMPLED
        : TraceFlags.NONE;
    },
  };
}

function rootSampler(name: SamplerName, ratio: number): Sampler {
  if (name.endsWith('always_off')) {
    return new AlwaysOffSampler();
  }
  if (name.endsWith('traceidratio')) {
    return new TraceIdRatioBasedSampler(ratio);
  }
  return new AlwaysOnSampler();
}
