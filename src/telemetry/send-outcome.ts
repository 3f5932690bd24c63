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
  return printable(full).trim().slice(0, MAX_REASON_CHARS);
}

/** grpc-js wraps why a connection failed: `No connection established. Last error: Error: WHY. Resolution note: NOTE`. */
function withoutWrapping(details: string): string {
  const match = /Last error: (?:Error: )?(.+?)\.? Resolution note:(.*)$/s.exec(details);
  const note = match?.[2]?.trim() ?? '';
  return match === null ? details : `${match[1]}${note === '' ? '' : ` (${note})`}`;
}
