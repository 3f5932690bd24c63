/** The `traceparent` header of a captured request. https://www.w3.org/TR/trace-context/#traceparent-header */

export interface TraceParent {
  traceId: string;
  parentSpanId: string;
  flags: number;
}

const PATTERN = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Undefined when the header is absent or no valid one: it then has to be ignored (§2.2). */
export function parseTraceParent(header: string | undefined): TraceParent | undefined {
  const match = header === undefined ? null : PATTERN.exec(header.trim());
  if (match === null) {
    return undefined;
  }
  const [, version = '', traceId = '', parentSpanId = '', flags = '', more] = match;
  const isInvalid =
    version === 'ff' ||
    /^0+$/.test(traceId) ||
    /^0+$/.test(parentSpanId) ||
    (version === '00' && more);
  return isInvalid ? undefined : { traceId, parentSpanId, flags: Number.parseInt(flags, 16) };
}
