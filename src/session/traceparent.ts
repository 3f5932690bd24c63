/** The span a request names as its parent: https://www.w3.org/TR/trace-context/#traceparent-header */
import { validTraceparent } from '../llm/traceparent.ts';

export interface RemoteParent {
  traceId: string;
  spanId: string;
}

/** Undefined when there is no `traceparent` or it is not valid. */
export function parseTraceparent(traceparent: string | undefined): RemoteParent | undefined {
  const [, traceId, spanId] = validTraceparent(traceparent)?.split('-') ?? [];
  return traceId === undefined || spanId === undefined ? undefined : { traceId, spanId };
}
