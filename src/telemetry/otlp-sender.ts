/** One export after another through the official OTLP exporters, each with a told outcome instead of a throw. */
import { credentials, Metadata } from '@grpc/grpc-js';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import { OTLPLogExporter as GrpcLogExporter } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPLogExporter as HttpLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter as GrpcMetricExporter } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPMetricExporter as HttpMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as GrpcTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as HttpTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base';
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { PushMetricExporter, ResourceMetrics } from '@opentelemetry/sdk-metrics';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { DEFAULT_OTLP_TIMEOUT_MS, type OtlpSettings } from './options.ts';
import { otlpAddress } from './otlp-address.ts';
import { readCertificates } from './otlp-credentials.ts';
import { printable } from './terminal-text.ts';

export type SendOutcome =
  | { kind: 'sent' }
  /** Worth trying again: the endpoint is away, busy or does not know us. */
  | { kind: 'unavailable'; reason: string }
  /** The endpoint will not take this request, however often it gets it. */
  | { kind: 'refused'; reason: string; isTooLarge: boolean };

export interface Sender<T> {
  /** Never rejects. */
  send(payload: T): Promise<SendOutcome>;
  close(): Promise<void>;
}

interface SdkExporter<T> {
  export(payload: T, done: (result: ExportResult) => void): void;
  shutdown(): Promise<void>;
}

/** Each throws a SightlineError for an endpoint or a certificate file that cannot be used. */
export function createSpanSender(settings: OtlpSettings, limitMs: number): Sender<ReadableSpan[]> {
  return createSender(
    settings.protocol === 'grpc'
      ? new GrpcTraceExporter(grpcOptions(settings))
      : new HttpTraceExporter(httpOptions(settings)),
    limitMs,
  );
}

export function createLogSender(
  settings: OtlpSettings,
  limitMs: number,
): Sender<ReadableLogRecord[]> {
  return createSender(
    settings.protocol === 'grpc'
      ? new GrpcLogExporter(grpcOptions(settings))
      : new HttpLogExporter(httpOptions(settings)),
    limitMs,
  );
}

export function createMetricSender(
  settings: OtlpSettings,
  limitMs: number,
): Sender<ResourceMetrics> {
  return createSender(createMetricExporter(settings), limitMs);
}

/** The bare exporter, for Sightline's own metrics. */
export function createMetricExporter(settings: OtlpSettings): PushMetricExporter {
  return settings.protocol === 'grpc'
    ? new GrpcMetricExporter(grpcOptions(settings))
    : new HttpMetricExporter(httpOptions(settings));
}

/**
 * Everything is given explicitly, so that what the exporters read from the environment themselves never decides
 * against a configuration file.
 */
function grpcOptions(settings: OtlpSettings) {
  const address = otlpAddress(settings);
  return {
    url: settings.url,
    credentials: grpcCredentials(settings, address.isTls),
    metadata: grpcMetadata(settings),
    compression: compressionOf(settings),
    timeoutMillis: settings.timeoutMs ?? DEFAULT_OTLP_TIMEOUT_MS,
  };
}

function httpOptions(settings: OtlpSettings) {
  otlpAddress(settings);
  return {
    url: settings.url,
    headers: { ...settings.headers },
    compression: compressionOf(settings),
    timeoutMillis: settings.timeoutMs ?? DEFAULT_OTLP_TIMEOUT_MS,
    httpAgentOptions: { keepAlive: true, ...readCertificates(settings) },
  };
}

export function grpcCredentials(settings: OtlpSettings, isTls: boolean) {
  if (!isTls) {
    return credentials.createInsecure();
  }
  const { ca, key, cert } = readCertificates(settings);
  return credentials.createSsl(ca ?? null, key ?? null, cert ?? null);
}

export function grpcMetadata(settings: OtlpSettings): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(settings.headers ?? {})) {
    metadata.set(name, value);
  }
  return metadata;
}

function compressionOf(settings: OtlpSettings): CompressionAlgorithm {
  return settings.compression === 'gzip' ? CompressionAlgorithm.GZIP : CompressionAlgorithm.NONE;
}

function createSender<T>(exporter: SdkExporter<T>, limitMs: number): Sender<T> {
  return {
    send(payload) {
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          resolve({ kind: 'unavailable', reason: `no answer within ${limitMs} ms` });
        }, limitMs);
        const finish = (outcome: SendOutcome): void => {
          clearTimeout(timer);
          resolve(outcome);
        };
        try {
          exporter.export(payload, (result) => finish(outcomeOf(result)));
        } catch (error) {
          finish({ kind: 'refused', reason: (error as Error).message, isTooLarge: false });
        }
      });
    },
    async close() {
      await exporter.shutdown().catch(() => undefined);
    },
  };
}

function outcomeOf(result: ExportResult): SendOutcome {
  if (result.code === ExportResultCode.SUCCESS) {
    return { kind: 'sent' };
  }
  return failureOf(result.error);
}

/** gRPC codes (https://grpc.io/docs/guides/status-codes/) by which a request itself is rejected. */
const REFUSING_GRPC_CODES = new Set([3, 11, 13]);
const GRPC_RESOURCE_EXHAUSTED = 8;

/** HTTP statuses by which a request itself is rejected; others are about the endpoint or about us. */
const REFUSING_HTTP_STATUSES = new Set([400, 411, 413, 415, 422]);
const HTTP_TOO_LARGE = 413;

interface ExporterError extends Error {
  /** gRPC status code, HTTP status, or a system error's name. */
  code?: number | string;
  /** gRPC's own words, without the code. */
  details?: string;
  /** Body of an HTTP answer. */
  data?: string;
}

export function failureOf(error: ExporterError | undefined): SendOutcome {
  const code = typeof error?.code === 'number' ? error.code : undefined;
  const isHttp = code !== undefined && code >= 100;
  const reason = reasonOf(error, isHttp);
  if (isHttp && REFUSING_HTTP_STATUSES.has(code)) {
    return { kind: 'refused', reason, isTooLarge: code === HTTP_TOO_LARGE };
  }
  // A message above the server's size limit comes as RESOURCE_EXHAUSTED, as an overloaded server does.
  if (code === GRPC_RESOURCE_EXHAUSTED && /larger than max|message size/i.test(reason)) {
    return { kind: 'refused', reason, isTooLarge: true };
  }
  if (!isHttp && code !== undefined && REFUSING_GRPC_CODES.has(code)) {
    return { kind: 'refused', reason, isTooLarge: false };
  }
  return { kind: 'unavailable', reason };
}

/** Longest text of a server taken into a message of ours, which may go to a terminal. */
const MAX_REASON_CHARS = 300;

function reasonOf(error: ExporterError | undefined, isHttp: boolean): string {
  const text = error?.details || error?.message || String(error?.code ?? 'unknown error');
  const full = isHttp ? `HTTP ${error?.code} ${text} ${error?.data ?? ''}` : text;
  return printable(full).trim().slice(0, MAX_REASON_CHARS);
}
