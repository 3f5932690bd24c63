/** One export after another through the official OTLP exporters, each with a told outcome instead of a throw. */
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
import { checkEndpoint } from './endpoint-check.ts';
import { DEFAULT_OTLP_TIMEOUT_MS, type OtlpSettings } from './options.ts';
import { otlpAddress } from './otlp-address.ts';
import { grpcCredentials, grpcMetadata, readCertificates } from './otlp-credentials.ts';
import { failureOf, type SendOutcome } from './send-outcome.ts';

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
  return createSender(officialMetricExporter(settings), limitMs);
}

/**
 * The exporter for Sightline's own metrics. It asks the endpoint first, which answers at once where the official
 * one would try for as long as its timeout allows: nobody waits for that at the end of a run.
 */
export function createMetricExporter(settings: OtlpSettings): PushMetricExporter {
  const official = officialMetricExporter(settings);
  return {
    ...(official.selectAggregation === undefined
      ? {}
      : { selectAggregation: (type) => official.selectAggregation!(type) }),
    ...(official.selectAggregationTemporality === undefined
      ? {}
      : { selectAggregationTemporality: (type) => official.selectAggregationTemporality!(type) }),
    export(metrics, done) {
      void checkEndpoint(settings).then((verdict) => {
        if (verdict.ok) {
          official.export(metrics, done);
        } else {
          done({ code: ExportResultCode.FAILED, error: new Error(verdict.reason) });
        }
      });
    },
    forceFlush: () => official.forceFlush(),
    shutdown: () => official.shutdown(),
  };
}

function officialMetricExporter(settings: OtlpSettings): PushMetricExporter {
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
