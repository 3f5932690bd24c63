/** What became of an export, and what an error of an exporter means for it. */
import { printable } from './terminal-text.ts';

export type SendOutcome =
  | { kind: 'sent' }
  /** Worth trying again: the endpoint is away, busy or does not know us. */
  | { kind: 'unavailable'; reason: string }
  /** The endpoint will not take this request, however often it gets it. */
  | { kind: 'refused'; reason: string; isTooLarge: boolean };

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
  const details = withoutWrapping(error?.details ?? '');
  const text = details || error?.message || String(error?.code ?? 'unknown error');
  const full = isHttp ? `HTTP ${error?.code} ${text} ${error?.data ?? ''}` : text;
  return inPlainWords(printable(full).trim().slice(0, MAX_REASON_CHARS));
}

/** grpc-js wraps why a connection failed: `No connection established. Last error: Error: WHY (TIME). Resolution note: …`. */
function withoutWrapping(details: string): string {
  const match = /Last error: (?:Error: )?(.+?)\.? Resolution note:/s.exec(details);
  return (match?.[1] ?? details).replace(/ \(\d{4}-\d\d-\d\dT[\d:.]+Z\)$/, '');
}

/** What TLS and HTTP libraries say when two ends do not fit, and what it means for somebody who set an endpoint. */
const MISFITS: readonly (readonly [said: RegExp, meaning: string])[] = [
  [
    /wrong version number|packet length too long/i,
    'it speaks no TLS: write http:// in place of https://',
  ],
  [
    /no application protocol/i,
    'it speaks TLS but no gRPC: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf',
  ],
  [
    /^Protocol error$/,
    'it speaks no gRPC: for OTLP over HTTP set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf',
  ],
  [
    /^Parse Error: Expected HTTP/,
    'it does not speak HTTP/1.1: for gRPC set OTEL_EXPORTER_OTLP_PROTOCOL=grpc',
  ],
  [
    /^(?:socket hang up|Failed to connect)$/,
    'it closes the connection without an answer; one that wants TLS needs https://',
  ],
];

const UNTRUSTED = /unable to (?:verify|get)|self[- ]signed certificate/i;

function inPlainWords(reason: string): string {
  const meaning = MISFITS.find(([said]) => said.test(reason))?.[1];
  if (meaning !== undefined) {
    return meaning;
  }
  return UNTRUSTED.test(reason)
    ? `${reason}; name the authority's file by OTEL_EXPORTER_OTLP_CERTIFICATE`
    : reason;
}
