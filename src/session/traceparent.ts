/** The `traceparent` request header. https://www.w3.org/TR/trace-context/#traceparent-header */

export interface RemoteParent {
  traceId: string;
  spanId: string;
}

// Versions above 00 may carry more fields behind the flags; version ff is forbidden.
const HEADER = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/;
const ZERO = /^0+$/;

/** The span that the header names, or undefined when the header is absent or not valid. */
export function parseTraceparent(value: string | undefined): RemoteParent | undefined {
  const match = value === undefined ? null : HEADER.exec(value.trim());
  if (match === null) {
    return undefined;
  }
  const [, version, traceId, spanId, rest] = match;
  if (traceId === undefined || spanId === undefined || version === 'ff') {
    return undefined;
  }
  if ((version === '00' && rest !== undefined) || ZERO.test(traceId) || ZERO.test(spanId)) {
    return undefined;
  }
  return { traceId, spanId };
}
