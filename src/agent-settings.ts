/** Turns the configuration into what each room is told. */
import { readFileSync } from 'node:fs';
import { readStat } from './capture/proc-process.ts';
import { createProcessSelection, type ProcessSelection } from './capture/process-selection.ts';
import { httpFilterCondition } from './config/http-filter.ts';
import { otlpSettings } from './config/otlp-settings.ts';
import type { Config } from './config/schema.ts';
import { builtInPriceTable, type PriceTable, readPriceTable } from './llm/price-table.ts';
import type { PipelineSettings } from './pipeline.ts';
import { createRedaction } from './redaction.ts';
import type {
  Notice,
  Signal,
  SignalExporter,
  TelemetryOptions,
  TerminalSettings,
} from './telemetry/options.ts';

const NS_PER_MS = 1_000_000n;

/** Throws a SightlineError for a configuration that cannot be used. `wantsAll`: somebody looks at every exchange. */
export function pipelineSettings(config: Config, wantsAll = true): PipelineSettings {
  const added = createRedaction(config).inBytes;
  return {
    streamTimeoutNs: BigInt(config.capture.streamTimeoutMs) * NS_PER_MS,
    turnTimeoutNs: BigInt(config.capture.turnTimeoutMs) * NS_PER_MS,
    followsServers: config.capture.kinds.includes('server'),
    leavesOutServed: !wantsAll && !config.capture.kinds.includes('server'),
    keepContent: isContentOn(config),
    maxContentBytes: config.content.maxBytes,
    llmHosts: config.llm.hosts,
    ...(config.http.filter === undefined
      ? {}
      : { httpFilter: httpFilterCondition(config.http.filter) }),
    httpSpans: config.http.spans,
    prices: priceTable(config),
    limits: config.limits,
    ...(added === undefined ? {} : { findAddedSecrets: added }),
  };
}

function priceTable({ cost }: Config): PriceTable {
  return cost.prices === undefined
    ? builtInPriceTable()
    : readPriceTable(readFileSync(cost.prices, 'utf8'), cost.prices);
}

function isContentOn(config: Config): boolean {
  return config.content.capture !== 'NO_CONTENT';
}

/**
 * Which processes the variables select. A command that is observed is the target itself, so that only what is left out
 * counts then. Undefined: every process.
 */
export function processSelection(
  { target, exclude }: Pick<Config, 'target' | 'exclude'>,
  mode: 'host' | 'tree',
): ProcessSelection | undefined {
  return createProcessSelection({ exclude, ...(mode === 'host' ? { targets: target } : {}) });
}

/** What is set, but selects nothing: one line each. */
export function selectionWarnings(
  { target }: Pick<Config, 'target'>,
  mode: 'host' | 'tree',
): string[] {
  const isSet = Object.values(target).some((values) => values.length > 0);
  if (mode === 'tree') {
    return isSet
      ? ['SIGHTLINE_TARGET_ variables have no effect here: what is observed is the command']
      : [];
  }
  return target.pids
    .filter((pid) => readStat(pid) === undefined)
    .map((pid) => `SIGHTLINE_TARGET_PID has ${pid}, but no process with this id runs`);
}

export interface Surroundings {
  version: string;
  terminal: TerminalSettings;
  notice: Notice;
  /** Who gets the file of OTLP lines: under sudo the invoking user. */
  fileOwner: { uid: number; gid: number } | undefined;
}

export function telemetryOptions(config: Config, surroundings: Surroundings): TelemetryOptions {
  const { fileOwner, ...said } = surroundings;
  const { otel, file } = config;
  const isDisabled = otel.disabled;
  return {
    ...said,
    traces: signalExporter(config, 'traces'),
    metrics: signalExporter(config, 'metrics'),
    logs: signalExporter(config, 'logs'),
    sampler: config.traces.sampler,
    samplerRatio: config.traces.samplerRatio,
    captureContent: config.content.capture,
    conventions: config.semantics.conventions,
    knownHttpMethods: config.http.knownMethods,
    redact: createRedaction(config).text,
    spanBatch: config.traces.batch,
    logBatch: config.logs.batch,
    metricIntervalMs: config.metrics.exportIntervalMs,
    metricTimeoutMs: config.metrics.exportTimeoutMs,
    temporality: config.metrics.temporality,
    attributeCountLimit: otel.attributeCountLimit,
    attributeValueLengthLimit: otel.attributeValueLengthLimit,
    resourceAttributes: otel.resourceAttributes,
    file:
      file.path === undefined || isDisabled
        ? undefined
        : {
            path: file.path,
            maxBytes: file.maxBytes,
            maxRotated: file.maxRotated,
            owner: fileOwner,
          },
    limits: config.limits.telemetry,
  };
}

function signalExporter(config: Config, signal: Signal): SignalExporter {
  const otlp = otlpSettings(config, signal);
  if (otlp !== undefined) {
    return { kind: 'otlp', otlp };
  }
  const isConsole = config[signal].exporter === 'console' && !config.otel.disabled;
  return { kind: isConsole ? 'console' : 'none' };
}
