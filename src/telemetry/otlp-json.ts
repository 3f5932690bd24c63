/**
 * OTLP JSON of a span, a log record, metrics: the official serializers', with their large integers put right.
 * https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
import {
  JsonLogsSerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
} from '@opentelemetry/otlp-transformer';
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';

/** A serializer gives nothing only when it fails; there is no text to write then. */
const NOTHING = new Uint8Array();

export function spanJson(span: ReadableSpan): Uint8Array {
  return withExactIntegers(JsonTraceSerializer.serializeRequest([span]) ?? NOTHING);
}

export function recordJson(record: ReadableLogRecord): Uint8Array {
  return withExactIntegers(JsonLogsSerializer.serializeRequest([record]) ?? NOTHING);
}

export function metricsJson(metrics: ResourceMetrics): Uint8Array {
  return withExactIntegers(JsonMetricsSerializer.serializeRequest(metrics) ?? NOTHING);
}

/** Within a string its quotes would be escaped. */
const INTEGER = Buffer.from('{"intValue":');
const END = '}'.charCodeAt(0);

/** An integer's limits in protobuf: the official exporters send what is beyond them as a double. */
const MIN_INT64 = -(2 ** 63);
const BEYOND_INT64 = 2 ** 63;

/**
 * The serializers write any whole number as a bare `intValue`. One that a double may not hold exactly becomes what the
 * binary exporters make of it, so that a file says the same as they do.
 */
function withExactIntegers(json: Uint8Array): Uint8Array {
  const bytes = Buffer.from(json.buffer, json.byteOffset, json.length);
  const pieces: Uint8Array[] = [];
  let copied = 0;
  for (let at = bytes.indexOf(INTEGER); at >= 0; at = bytes.indexOf(INTEGER, at + 1)) {
    const start = at + INTEGER.length;
    const end = bytes.indexOf(END, start);
    const number = Number(bytes.toString('latin1', start, end));
    if (!Number.isSafeInteger(number)) {
      pieces.push(bytes.subarray(copied, at), Buffer.from(largeNumber(number)));
      copied = end;
    }
  }
  return copied === 0 ? json : Buffer.concat([...pieces, bytes.subarray(copied)]);
}

/** Up to its closing brace. */
function largeNumber(number: number): string {
  return number >= MIN_INT64 && number < BEYOND_INT64
    ? `{"intValue":"${BigInt(number)}"`
    : `{"doubleValue":${number}`;
}
