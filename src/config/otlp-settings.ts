/**
 * The OTLP settings of one signal: its own variables, and the common ones where it has none.
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
import type { Config } from './schema.ts';

export const SIGNALS = ['traces', 'metrics', 'logs'] as const;
export type Signal = (typeof SIGNALS)[number];

export interface ResolvedOtlp {
  signal: Signal;
  protocol: 'grpc' | 'http/protobuf';
  /** http/protobuf: the whole URL that is posted to. grpc: a URL, or host:port. */
  url: string;
  /** Nobody set an endpoint: this is the well-known one. */
  isDefault: boolean;
  /** Lower-case header name → value, decoded. */
  headers: Record<string, string>;
  timeoutMs: number;
  compression: 'none' | 'gzip';
  /** grpc without TLS; already decided by the URL's scheme where it has one. */
  insecure: boolean;
  /** Paths of PEM files. */
  certificateFile?: string;
  clientKeyFile?: string;
  clientCertificateFile?: string;
}

/** Where receivers of each protocol listen unless told otherwise. */
const DEFAULT_ENDPOINTS = {
  grpc: 'http://localhost:4317',
  'http/protobuf': 'http://localhost:4318',
} as const;

/** What to export this signal with; undefined when it is not to go out by OTLP. */
export function otlpSettings(config: Config, signal: Signal): ResolvedOtlp | undefined {
  if (config.otel.disabled || config[signal].exporter !== 'otlp') {
    return undefined;
  }
  const { otlp } = config;
  const own = otlp[signal];
  const protocol = own.protocol ?? otlp.protocol;
  const url = own.endpoint ?? commonUrl(otlp.endpoint, protocol, signal);
  const certificateFile = own.certificate ?? otlp.certificate;
  const clientKeyFile = own.clientKey ?? otlp.clientKey;
  const clientCertificateFile = own.clientCertificate ?? otlp.clientCertificate;
  return {
    signal,
    protocol,
    url,
    isDefault: own.endpoint === undefined && otlp.endpoint === undefined,
    headers: mergedHeaders(otlp.headers, own.headers ?? []),
    timeoutMs: own.timeoutMs ?? otlp.timeoutMs,
    compression: own.compression ?? otlp.compression,
    insecure: isInsecure(url, own.insecure ?? otlp.insecure),
    ...(certificateFile === undefined ? {} : { certificateFile }),
    ...(clientKeyFile === undefined ? {} : { clientKeyFile }),
    ...(clientCertificateFile === undefined ? {} : { clientCertificateFile }),
  };
}

function commonUrl(
  given: string | undefined,
  protocol: ResolvedOtlp['protocol'],
  signal: Signal,
): string {
  const base = given ?? DEFAULT_ENDPOINTS[protocol];
  if (protocol === 'grpc' || !/^https?:\/\//i.test(base)) {
    return base;
  }
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/${signal}`;
  return url.href;
}

/** Header names know no case: of one name, the signal's own value counts. */
function mergedHeaders(
  common: readonly (readonly [string, string])[],
  own: readonly (readonly [string, string])[],
): Record<string, string> {
  const merged = new Map<string, string>();
  for (const [name, value] of [...common, ...own]) {
    merged.set(name.toLowerCase(), value);
  }
  return Object.fromEntries(merged);
}

function isInsecure(url: string, fallback: boolean): boolean {
  const scheme = /^(https?):\/\//i.exec(url)?.[1]?.toLowerCase();
  return scheme === undefined ? fallback : scheme === 'http';
}
