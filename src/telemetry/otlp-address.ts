/** What an OTLP endpoint's URL means. https://opentelemetry.io/docs/specs/otel/protocol/exporter/ */
import { ExitCode, SightlineError } from '../util/errors.ts';
import type { OtlpSettings } from './options.ts';

export interface OtlpAddress {
  isTls: boolean;
  /** As people write it, without credentials. */
  display: string;
  port: number | undefined;
  /** The same for all signals of one receiver. */
  receiver: string;
}

const WELL_KNOWN_PORTS = { grpc: 4317, 'http/protobuf': 4318 } as const;

/** Throws a SightlineError for a URL that is none, or of another scheme. */
export function otlpAddress(settings: OtlpSettings): OtlpAddress {
  const { url, protocol } = settings;
  if (protocol === 'grpc' && url.startsWith('unix:')) {
    return {
      isTls: settings.insecure !== true,
      display: url,
      port: undefined,
      receiver: `${protocol} ${url}`,
    };
  }
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(url);
  const text = hasScheme || protocol !== 'grpc' ? url : `https://${url}`;
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol) || parsed.hostname === '') {
    throw new SightlineError(
      'SL_OTLP_ENDPOINT',
      `the OTLP endpoint "${url}" is no address: write it like http://localhost:${WELL_KNOWN_PORTS[protocol]}`,
      { exitCode: ExitCode.usage },
    );
  }
  const isTls = hasScheme ? parsed.protocol === 'https:' : settings.insecure !== true;
  const path = protocol === 'grpc' || parsed.pathname === '/' ? '' : parsed.pathname;
  const defaultPort = parsed.protocol === 'https:' ? 443 : 80;
  return {
    isTls,
    display: hasScheme ? `${parsed.protocol}//${parsed.host}${path}` : parsed.host,
    port: parsed.port === '' ? defaultPort : Number(parsed.port),
    receiver: `${protocol} ${parsed.protocol}//${parsed.host}`,
  };
}

/** What is probably meant when the protocol meets the other one's well-known port; empty otherwise. */
export function portHint(settings: OtlpSettings, address: OtlpAddress): string {
  if (settings.protocol === 'grpc' && address.port === WELL_KNOWN_PORTS['http/protobuf']) {
    return '; port 4318 is the one for OTLP over HTTP: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, or use port 4317 for gRPC';
  }
  if (settings.protocol === 'http/protobuf' && address.port === WELL_KNOWN_PORTS.grpc) {
    return '; port 4317 is the one for OTLP over gRPC: set OTEL_EXPORTER_OTLP_PROTOCOL=grpc, or use port 4318 for HTTP';
  }
  return '';
}
