/**
 * Sightline's own telemetry: its counters and its use of CPU and memory as `sightline.*` metrics, under its own
 * service.name, by the NodeSDK. https://opentelemetry.io/docs/languages/js/
 */
import { type Attributes, type MeterProvider, metrics } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { PeriodicExportingMetricReader, type PushMetricExporter } from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { COUNTERS, type CounterName, type Counters } from './counters.ts';

export interface SelfTelemetryOptions {
  counters: Counters;
  /** Where the metrics go: the exporter that the workloads' metrics use, or one like it. */
  exporter: PushMetricExporter;
  exportIntervalMs: number;
  exportTimeoutMs: number;
  version: string;
  /** host.* and whatever else the resource has besides service.name and service.version. */
  resource?: Readonly<Record<string, string>>;
}

export interface SelfTelemetry {
  /** Exports once more and ends. Never rejects: at the end of a run there is nobody left to mend it. */
  stop(): Promise<void>;
}

/** Starts to export. It registers itself as the process's global meter provider. */
export function startSelfTelemetry(options: SelfTelemetryOptions): SelfTelemetry {
  const sdk = createSdk(options);
  sdk.start();
  observeCounters(metrics.getMeterProvider(), options.counters, options.version);
  return {
    stop: async () => {
      await sdk.shutdown().catch(() => {});
    },
  };
}

/**
 * NodeSDK reads the environment by itself and would add what the configuration already decided: a logger that
 * prints to stdout (OTEL_LOG_LEVEL), exporters for traces and logs, and OTEL_SDK_DISABLED. So it is given
 * everything, and the two variables that it reads in its constructor are hidden from it.
 */
function createSdk(options: SelfTelemetryOptions): NodeSDK {
  const { exportIntervalMs, exportTimeoutMs } = options;
  return withoutVariables(
    ['OTEL_LOG_LEVEL', 'OTEL_SDK_DISABLED'],
    () =>
      new NodeSDK({
        autoDetectResources: false,
        resource: resourceFromAttributes({
          ...options.resource,
          'service.name': 'sightline',
          'service.version': options.version,
        }),
        spanProcessors: [],
        logRecordProcessors: [],
        instrumentations: [],
        textMapPropagator: null,
        metricReaders: [
          new PeriodicExportingMetricReader({
            exporter: options.exporter,
            exportIntervalMillis: exportIntervalMs,
            // The reader throws when the timeout is the longer one.
            exportTimeoutMillis: Math.min(exportTimeoutMs, exportIntervalMs),
          }),
        ],
      }),
  );
}

function withoutVariables<T>(names: readonly string[], make: () => T): T {
  const kept = new Map<string, string>();
  for (const name of names) {
    const value = process.env[name];
    if (value !== undefined) {
      kept.set(name, value);
      delete process.env[name];
    }
  }
  try {
    return make();
  } finally {
    for (const [name, value] of kept) {
      process.env[name] = value;
    }
  }
}

function observeCounters(provider: MeterProvider, counters: Counters, version: string): void {
  const meter = provider.getMeter('sightline', version);
  for (const [name, { unit, description }] of Object.entries(COUNTERS)) {
    const instrument = meter.createObservableCounter(name, { unit, description });
    instrument.addCallback((result) => {
      for (const reading of counters.snapshot()) {
        if (reading.name === (name as CounterName)) {
          result.observe(reading.value, reading.attributes as Attributes);
        }
      }
    });
  }
  for (const gauge of counters.gauges()) {
    const { name, unit, description } = gauge;
    const instrument = meter.createObservableGauge(name, { unit, description });
    instrument.addCallback((result) => result.observe(gauge.read()));
  }
  const cpu = meter.createObservableCounter('sightline.cpu.time', {
    unit: 's',
    description: "CPU time of Sightline's own process.",
  });
  cpu.addCallback((result) => {
    const { user, system } = process.cpuUsage();
    result.observe(user / 1e6, { 'cpu.mode': 'user' });
    result.observe(system / 1e6, { 'cpu.mode': 'system' });
  });
  const memory = meter.createObservableUpDownCounter('sightline.memory.usage', {
    unit: 'By',
    description: "Resident memory of Sightline's own process.",
  });
  memory.addCallback((result) => result.observe(process.memoryUsage.rss()));
}
