/**
 * Trace and span ids derived from what a span stands for, so that a replay gives the ids the live run gave and a
 * child can name its parent before the parent is finished.
 * Lengths and the ban on zero: https://www.w3.org/TR/trace-context/#traceparent-header-field-values
 */
import { hash } from 'node:crypto';
import type { ProcessRef } from '../capture/events.ts';
import type { Exchange } from '../http/exchange.ts';
import type { ModelCall } from '../llm/model-call.ts';

const TRACE_ID_DIGITS = 32;
const SPAN_ID_DIGITS = 16;

/** Names one exchange among all of all hosts: boot, process, connection, position on it. */
export function exchangeIdentity(bootId: string, exchange: Exchange): string {
  const { process, stack, object, generation } = exchange.connection;
  return `${bootId}/${process.pid}@${process.startNs}/${stack}:${object}:${generation}/${exchange.ordinal}`;
}

/** Names one model call: its exchange, and of those on a WebSocket its number there. */
export function callIdentity(bootId: string, call: ModelCall): string {
  const identity = exchangeIdentity(bootId, call.exchange);
  return call.socketOrdinal === undefined ? identity : `${identity}/${call.socketOrdinal}`;
}

/** Names one process among all of all hosts. */
export function processIdentity(bootId: string, process: ProcessRef): string {
  return `${bootId}/${process.pid}@${process.startNs}`;
}

/** 16 bytes as 32 hex digits, never all zero. `identity` is that of the trace's first call. */
export function deriveTraceId(identity: string): string {
  return digest(`trace/${identity}`, TRACE_ID_DIGITS);
}

/** 8 bytes as 16 hex digits, never all zero. `kind` and `index` tell apart the spans of one identity. */
export function deriveSpanId(
  kind: 'turn' | 'call' | 'tool' | 'process' | 'http',
  identity: string,
  index = 0,
): string {
  return digest(`${kind}/${index}/${identity}`, SPAN_ID_DIGITS);
}

function digest(text: string, digits: number): string {
  const id = hash('sha256', text, 'hex').slice(0, digits);
  return /^0+$/.test(id) ? `${id.slice(1)}1` : id;
}
