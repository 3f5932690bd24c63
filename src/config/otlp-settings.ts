/**
 * The OTLP settings of one signal: its own variables, and the common ones where it has none.
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
import type { Config } from './schema.ts';

export const SIGNALS = ['traces', 'metrics', 'logs'] as const;
export type Signal = (typeof SIGNALS)[number];

export interface OtlpSettings {
  /** http/protobuf: the whole URL that is posted to. grpc: a URL, or host:port. */
  readonly endpoint: string;
  readonly protocol: 'grpc' | 'http/protobuf';
  /** Header name → value, decoded. */
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly compression: 'none' | 'gzip';
  /** Paths of PEM files. */
  readonly certificate: string | undefined;
  readonly clientKey: string | undefined;
  readonly clientCertificate: string | undefined;
  /** Without TLS; already decided by the endpoint's scheme where it has one. */
  readonly insecure: boolean;
}

/** Where the protocol's receivers listen when an exporter is asked for and no endpoint is set. */
const DEFAULT_ENDPOINTS = {
  grpc: 'http://localhost:4317',
  'http/protobuf': 'http://localhost:4318',
} as const;

/**
 * What to export this signal with; undefined when it is not to go out by OTLP: another exporter was chosen, or
 * neither an exporter nor an endpoint.
 */
export function otlpSettings(config: Config, signal: Signal): OtlpSettings | undefined {
  const { otlp } = config;
  const own = otlp[signal];
  const exporters = config[signal].exporters;
  const given = own.endpoint ?? otlp.endpoint;
  const isWanted = exporters === undefined ? given !== undefined : exporters.includes('otlp');
  if (!isWanted || config.otel.disabled) {
    return undefined;
  }
  const protocol = own.protocol ?? otlp.protocol;
  const endpoint = own.endpoint ?? commonEndpoint(otlp.endpoint, protocol, signal);
  return {
    endpoint,
    protocol,
    headers: mergedHeaders(otlp.headers, own.headers ?? []),
    timeoutMs: own.timeoutMs ?? otlp.timeoutMs,
    compression: own.compression ?? otlp.compression,
    certificate: own.certificate ?? otlp.certificate,
    clientKey: own.clientKey ?? otlp.clientKey,
    clientCertificate: own.clientCertificate ?? otlp.clientCertificate,
    insecure: isInsecure(endpoint, own.insecure ?? otlp.insecure),
  };
}

function commonEndpoint(
  given: string | undefined,
  protocol: OtlpSettings['protocol'],
  signal: Signal,
): string {
  const base = given ?? DEFAULT_ENDPOINTS[protocol];
  if (protocol === 'grpc' || !URL.canParse(base)) {
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

function isInsecure(endpoint: string, fallback: boolean): boolean {
  const scheme = /^(https?):\/\//i.exec(endpoint)?.[1]?.toLowerCase();
  return scheme === undefined ? fallback : scheme === 'http';
}
