/** Collects the metrics of all services at an interval and hands them to the endpoint, the file, the terminal. */
import type { Attributes } from '@opentelemetry/api';
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics';
import { LRUCache } from 'lru-cache';
import type { ModelCall } from '../llm/model-call.ts';
import type { StoryPiece } from '../session/story.ts';
import type { Handshake } from '../transport/handshake.ts';
import type { EndpointHealth } from './endpoint-health.ts';
import type { Temporality } from './options.ts';
import type { Sender } from './otlp-sender.ts';
import type { Conventions } from './semconv.ts';
import { createServiceMetrics, type ServiceMetrics } from './service-metrics.ts';

export interface MetricStats {
  /** Exports of one service each. */
  exported: number;
  failed: number;
  services: number;
}

export interface MetricPusher {
  record(serviceName: string, resource: () => Attributes, piece: StoryPiece): void;
  recordServedCall(serviceName: string, resource: () => Attributes, call: ModelCall): void;
  recordHandshake(serviceName: string, resource: () => Attributes, handshake: Handshake): void;
  /** Collects and sends now. Never rejects. */
  flush(): Promise<void>;
  close(): Promise<void>;
  /** Forgets every resource, after sending what they have. */
  clear(): void;
  stats(): MetricStats;
}

export interface MetricPusherOptions {
  version: string;
  conventions: Conventions;
  temporality: Temporality;
  intervalMs: number;
  maxServices: number;
  maxSeries: number;
  endpoint?: { sender: Sender<ResourceMetrics>; health: EndpointHealth } | undefined;
  /** Takes each collection at once, such as the file and the terminal. */
  sinks: readonly ((metrics: ResourceMetrics) => void)[];
}

export function createMetricPusher(options: MetricPusherOptions): MetricPusher {
  const { endpoint, sinks } = options;
  // One reader for the endpoint and one for the sinks: each keeps its own account of what it has seen.
  const endpointReader = 0;
  const sinkReader = endpoint === undefined ? 0 : 1;
  const readers = sinkReader + (sinks.length > 0 ? 1 : 0);
  const isUsed = readers > 0;
  const stats = { exported: 0, failed: 0 };
  /** Collected but not taken by the endpoint: only delta needs them, a cumulative one comes again. */
  const unsent = new Map<ServiceMetrics, ResourceMetrics>();
  const leaving = new Set<Promise<void>>();
  let running: Promise<void> | undefined;

  const services = new LRUCache<string, ServiceMetrics>({
    max: options.maxServices,
    dispose(service, _name, reason) {
      if (reason === 'evict' && leaving.size >= options.maxServices) {
        // As many as are kept are waiting for the endpoint already: what this one still had is lost.
        stats.failed += 1;
        void discard(service);
        return;
      }
      const leave = retire(service);
      leaving.add(leave);
      void leave.then(() => leaving.delete(leave));
    },
  });

  const timer = isUsed ? setInterval(() => void flush(), options.intervalMs) : undefined;
  timer?.unref();

  /** The last values of a service that makes room for another. Never rejects. */
  async function retire(service: ServiceMetrics): Promise<void> {
    await pushOrCount(service);
    await discard(service);
  }

  async function discard(service: ServiceMetrics): Promise<void> {
    unsent.delete(service);
    await service.close().catch(() => undefined);
  }

  async function pushOrCount(service: ServiceMetrics): Promise<void> {
    try {
      await push(service);
    } catch {
      stats.failed += 1;
    }
  }

  async function push(service: ServiceMetrics): Promise<void> {
    if (sinks.length > 0) {
      const collected = await service.collect(sinkReader);
      if (collected !== undefined) {
        for (const sink of sinks) {
          sink(collected);
        }
      }
    }
    // Nothing is collected for an endpoint that is down: the SDK goes on counting, so nothing is lost.
    if (endpoint === undefined || endpoint.health.state === 'down') {
      return;
    }
    const waiting = unsent.get(service);
    if (waiting !== undefined && !(await send(service, waiting))) {
      return;
    }
    const collected = await service.collect(endpointReader);
    if (collected !== undefined) {
      await send(service, collected);
    }
  }

  async function send(service: ServiceMetrics, metrics: ResourceMetrics): Promise<boolean> {
    const outcome = await endpoint?.sender.send(metrics);
    unsent.delete(service);
    if (outcome === undefined || outcome.kind === 'sent') {
      stats.exported += 1;
      endpoint?.health.succeeded();
      return true;
    }
    stats.failed += 1;
    if (outcome.kind === 'unavailable') {
      endpoint?.health.failed(outcome.reason);
      if (options.temporality !== 'cumulative') {
        unsent.set(service, metrics);
      }
    }
    return outcome.kind === 'refused';
  }

  async function pushAll(): Promise<void> {
    if (endpoint !== undefined && services.size > 0 && endpoint.health.state !== 'up') {
      await endpoint.health.probe();
    }
    for (const service of [...services.values()]) {
      await pushOrCount(service);
    }
    await Promise.all(leaving);
  }

  function flush(): Promise<void> {
    running ??= pushAll().finally(() => {
      running = undefined;
    });
    return running;
  }

  function serviceOf(name: string, resource: () => Attributes): ServiceMetrics | undefined {
    if (!isUsed) {
      return undefined;
    }
    let service = services.get(name);
    if (service === undefined) {
      service = createServiceMetrics({
        version: options.version,
        conventions: options.conventions,
        resource: resource(),
        readers,
        temporality: options.temporality,
        maxSeries: options.maxSeries,
      });
      services.set(name, service);
    }
    return service;
  }

  return {
    record(serviceName, resource, piece) {
      serviceOf(serviceName, resource)?.record(piece);
    },
    recordServedCall(serviceName, resource, call) {
      serviceOf(serviceName, resource)?.recordServedCall(call);
    },
    recordHandshake(serviceName, resource, handshake) {
      serviceOf(serviceName, resource)?.recordHandshake(handshake);
    },
    async flush() {
      // One that runs may have passed a service already.
      await running;
      await flush();
    },
    async close() {
      clearInterval(timer);
      await running;
      if (endpoint !== undefined && services.size > 0 && endpoint.health.state !== 'up') {
        await endpoint.health.probe();
      }
      // Leaving, each service hands over its last values.
      services.clear();
      await Promise.all(leaving);
      await endpoint?.sender.close();
    },
    clear() {
      services.clear();
    },
    stats: () => ({ ...stats, services: services.size }),
  };
}
