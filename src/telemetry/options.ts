/** Everything telemetry can be told. Plain values in the shapes `config/` reads them; no environment here. */
import type { Generation } from './semconv.ts';

export type Signal = 'traces' | 'metrics' | 'logs';

/** Where and how one signal is sent. https://opentelemetry.io/docs/specs/otel/protocol/exporter/ */
export interface OtlpSettings {
  signal: Signal;
  protocol: 'grpc' | 'http/protobuf';
  /** http/protobuf: the whole URL that is posted to. grpc: `http(s)://host:port`, `host:port` or `unix:…`. */
  url: string;
  /** Nobody set the endpoint: when the well-known one does not answer, that is no reason to warn. */
  isDefault?: boolean;
  headers?: Readonly<Record<string, string>>;
  compression?: 'none' | 'gzip';
  /** Longest wait for one export, milliseconds. */
  timeoutMs?: number;
  /** grpc without a scheme only: no TLS. */
  insecure?: boolean;
  /** Paths of PEM files. */
  certificateFile?: string;
  clientKeyFile?: string;
  clientCertificateFile?: string;
}

/** Where one signal goes. `console` is the tree for traces and readable lines for the other two. */
export type SignalExporter =
  | { kind: 'otlp'; otlp: OtlpSettings }
  | { kind: 'console' }
  | { kind: 'none' };

export type SamplerName =
  | 'always_on'
  | 'always_off'
  | 'traceidratio'
  | 'parentbased_always_on'
  | 'parentbased_always_off'
  | 'parentbased_traceidratio';

/** The values of OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT. */
export type CaptureContent = 'NO_CONTENT' | 'SPAN_ONLY' | 'EVENT_ONLY' | 'SPAN_AND_EVENT';

export type Temporality = 'cumulative' | 'delta' | 'lowmemory';

/** Batching of spans or log records: OTEL_BSP_* and OTEL_BLRP_*. */
export interface BatchSettings {
  scheduleDelayMs: number;
  exportTimeoutMs: number;
  maxQueueSize: number;
  maxExportBatchSize: number;
}

/** What trees and readable metrics and events are written to. */
export interface TerminalSettings {
  write(text: string): void;
  /** Width in columns, asked at each write; absent: no limit. */
  columns?: () => number | undefined;
  /** ANSI colours; only on a terminal. */
  isColoured?: boolean;
}

/** `info` is worth one line on a terminal; `warning` wants somebody to act. */
type NoticeLevel = 'info' | 'warning';
export type Notice = (level: NoticeLevel, message: string) => void;

export interface FileSettings {
  path: string;
  /** Size the file is rotated at, bytes. */
  maxBytes?: number;
  /** Rotated files kept beside the one being written: `.1` (the newest), `.2`, … */
  maxRotated?: number;
  /** Who gets the files that are made; under sudo the invoking user. Default: whoever runs this. */
  owner?: { uid: number; gid: number } | undefined;
}

export interface TelemetryOptions {
  /** Version of our instrumentation scope. */
  version: string;
  traces: SignalExporter;
  metrics: SignalExporter;
  logs: SignalExporter;
  sampler?: SamplerName;
  /** 0 to 1, for the traceidratio samplers. */
  samplerRatio?: number;
  captureContent?: CaptureContent;
  /** SIGHTLINE_SEMCONV; absent: 1.41.0. */
  conventions?: Generation;
  /** OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS; absent: those that the conventions list. */
  knownHttpMethods?: readonly string[] | undefined;
  /** Masks credentials in a text with as many `*`, so that lengths stay true. */
  redact?: (text: string) => string;
  spanBatch?: Partial<BatchSettings>;
  logBatch?: Partial<BatchSettings>;
  metricIntervalMs?: number;
  metricTimeoutMs?: number;
  temporality?: Temporality;
  /** OTEL_ATTRIBUTE_COUNT_LIMIT, of one span or log record; absent: 128, as the specification has it. */
  attributeCountLimit?: number | undefined;
  /** OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT, characters; absent: no limit. */
  attributeValueLengthLimit?: number | undefined;
  /** OTEL_RESOURCE_ATTRIBUTES: added to every workload's resource, never in place of its identity. */
  resourceAttributes?: readonly (readonly [name: string, value: string])[];
  file?: FileSettings | undefined;
  /** `fallback` (the default): the tree is printed while the endpoint takes no traces. */
  tree?: 'fallback' | 'always' | 'never';
  terminal: TerminalSettings;
  notice: Notice;
  limits?: Partial<TelemetryLimits>;
}

/** The named limits of this room. */
export interface TelemetryLimits {
  /** Workloads whose providers are kept; the least recently seen one goes first. */
  maxWorkloads: number;
  /** Services with metrics of their own. */
  maxServices: number;
  /** Series of one metric of one service; what is beyond goes into one overflow series. */
  maxSeries: number;
  /** Bytes of spans or log records that wait for export (an estimate from their texts). */
  maxQueueBytes: number;
  /** Bytes of one export (an estimate), below the 4 MiB that a gRPC server takes by default. */
  maxBatchBytes: number;
  /** Traces whose root the tree still awaits, and spans of one of them. */
  maxTreeTraces: number;
  maxTreeSpans: number;
  /** Finished trees kept until it is known whether the endpoint took them. */
  maxTreesHeld: number;
}

export const DEFAULT_LIMITS: TelemetryLimits = {
  maxWorkloads: 512,
  maxServices: 256,
  maxSeries: 2000,
  maxQueueBytes: 64 * 1024 * 1024,
  maxBatchBytes: 3 * 1024 * 1024,
  maxTreeTraces: 256,
  maxTreeSpans: 1000,
  maxTreesHeld: 64,
};

/** https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ */
export const DEFAULT_SPAN_BATCH: BatchSettings = {
  scheduleDelayMs: 5000,
  exportTimeoutMs: 30_000,
  maxQueueSize: 2048,
  maxExportBatchSize: 512,
};

export const DEFAULT_LOG_BATCH: BatchSettings = { ...DEFAULT_SPAN_BATCH, scheduleDelayMs: 1000 };

export const DEFAULT_METRIC_INTERVAL_MS = 60_000;
export const DEFAULT_METRIC_TIMEOUT_MS = 30_000;
export const DEFAULT_FILE_BYTES = 100 * 1024 * 1024;
export const DEFAULT_FILE_ROTATED = 3;
export const DEFAULT_OTLP_TIMEOUT_MS = 10_000;
