/** The traceparent header: what is valid, and that nothing else is taken. */
import assert from 'node:assert/strict';
import { parseTraceparent } from '../../../src/session/traceparent.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('traceparent', () => {
  for (const value of [
    `00-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-00`,
    `cc-${TRACE}-${SPAN}-01-x`,
  ]) {
    it(`is taken: "${value}"`, () => {
      assert.deepEqual(parseTraceparent(value), { traceId: TRACE, spanId: SPAN });
    });
  }

  for (const value of [
    undefined,
    '',
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01-x`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE.slice(1)}-${SPAN}-01`,
  ]) {
    it(`is not taken: ${JSON.stringify(value)}`, () => {
      assert.equal(parseTraceparent(value), undefined);
    });
  }
});
