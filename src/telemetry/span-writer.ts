/** Makes SDK spans of descriptions: one TracerProvider per workload, all with the same processors behind. */
import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { type ReadableSpan, type SpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { Attr, type Conventions, SCOPE_NAME } from './semconv.ts';
import type { SpanDescription } from './span-description.ts';
import type { TraceSampler } from './trace-sampler.ts';
import { wallTime } from './wall-time.ts';
import { type AttributeLimits, createWorkloadCache, sdkLimits } from './workload-cache.ts';

export interface SpanWriter {
  /** `workloadKey` names the resource; `resource` is asked for when it is new, or `signature` changed. */
  write(
    workloadKey: string,
    signature: string,
    resource: () => Attributes,
    span: SpanDescription,
    clockOffsetNs: bigint,
  ): void;
  /** Forgets every resource, as a new host event demands. */
  clear(): void;
}

export interface SpanWriterOptions extends AttributeLimits {
  version: string;
  conventions: Conventions;
  sampler: TraceSampler;
  /** Called with each finished, sampled span, in order. */
  sinks: readonly ((span: ReadableSpan) => void)[];
  maxWorkloads: number;
}

export function createSpanWriter(options: SpanWriterOptions): SpanWriter {
  const { sampler, sinks } = options;
  const tracers = createWorkloadCache<Tracer>(options.maxWorkloads);
  // Spans are made one at a time, so the generator can hand out the ids of the one being made.
  const nextIds = { traceId: '', spanId: '' };
  const idGenerator = {
    generateTraceId: () => nextIds.traceId,
    generateSpanId: () => nextIds.spanId,
  };
  const processor: SpanProcessor = {
    onStart() {},
    onEnd(span) {
      for (const sink of sinks) {
        sink(span);
      }
    },
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };

  function makeTracer(resource: Attributes): Tracer {
    const provider = new TracerProvider({
      resource: resourceFromAttributes(resource),
      sampler: sampler.sampler,
      idGenerator,
      spanProcessors: [processor],
      spanLimits: sdkLimits(options),
    });
    return provider.getTracer(SCOPE_NAME, options.version, {
      schemaUrl: options.conventions.schemaUrl,
    });
  }

  function parentContext(span: SpanDescription): Context {
    const { traceId, parentSpanId } = span.ids;
    if (parentSpanId === undefined) {
      return ROOT_CONTEXT;
    }
    const isRemote = span.remoteParentFlags !== undefined;
    return trace.setSpanContext(ROOT_CONTEXT, {
      traceId,
      spanId: parentSpanId,
      traceFlags: span.remoteParentFlags ?? sampler.parentFlags(traceId),
      isRemote,
    });
  }

  return {
    write(workloadKey, signature, resource, span, clockOffsetNs) {
      const tracer = tracers.get(workloadKey, signature, () => makeTracer(resource()));
      nextIds.traceId = span.ids.traceId;
      nextIds.spanId = span.ids.spanId;
      const links = span.links.map(({ ids, kind }) => ({
        context: {
          traceId: ids.traceId,
          spanId: ids.spanId,
          traceFlags: sampler.parentFlags(ids.traceId),
        },
        attributes: { [Attr.linkKind]: kind },
      }));
      const live = tracer.startSpan(
        span.name,
        {
          kind: span.kind === 'client' ? SpanKind.CLIENT : SpanKind.INTERNAL,
          startTime: wallTime(span.startNs, clockOffsetNs),
          attributes: span.attributes,
          links,
        },
        parentContext(span),
      );
      for (const { name, timeNs, attributes } of span.events ?? []) {
        live.addEvent(name, attributes, wallTime(timeNs, clockOffsetNs));
      }
      if (span.error !== undefined) {
        live.setStatus({ code: SpanStatusCode.ERROR, ...span.error });
      }
      live.end(wallTime(span.endNs, clockOffsetNs));
    },
    clear: tracers.clear,
  };
}
