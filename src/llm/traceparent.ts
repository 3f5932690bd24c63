/** The `traceparent` request field, checked: https://www.w3.org/TR/trace-context/#traceparent-header */

const SHAPE = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/;

/** The value when it is valid; undefined otherwise, as the recommendation tells a receiver to ignore it. */
export function validTraceparent(value: string | undefined): string | undefined {
  const match = SHAPE.exec(value ?? '');
  if (match === null) {
    return undefined;
  }
  const [whole, version, traceId, spanId, more] = match;
  const isInvalid =
    version === 'ff' ||
    (version === '00' && more !== undefined) ||
    /^0+$/.test(traceId!) ||
    /^0+$/.test(spanId!);
  return isInvalid ? undefined : whole;
}
