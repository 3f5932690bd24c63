/** Any interleaving of streams, cut into TLS calls anywhere, gives the same exchanges. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { run } from '../support/http-generator.ts';
import {
  cutCalls,
  idOf,
  interleave,
  observed,
  streamDescription,
  truthOf,
  wholeCalls,
} from '../support/http2-generator.ts';

const form = fc.constantFrom('indexed' as const, 'added' as const, 'plain' as const);
const streams = fc.array(streamDescription(form), { minLength: 1, maxLength: 12 });
const order = fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 60 });
const sizes = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 12 });

describe('http2 property: splits and interleavings', () => {
  it('every exchange is exact, from either side', () => {
    fc.assert(
      fc.property(
        streams,
        order,
        sizes,
        fc.constantFrom('client' as const, 'server' as const),
        (descriptions, turns, cuts, role) => {
          const steps = interleave(descriptions, turns);
          for (const calls of [wholeCalls(steps), cutCalls(steps, cuts)]) {
            const seen = run(calls, { role });
            assert.equal(seen.length, descriptions.length);
            for (const [index, one] of seen.entries()) {
              const id = index * 2 + 1;
              assert.equal(idOf(one), id);
              assert.equal(one.exchange.ordinal, index);
              assert.deepEqual([...one.exchange.damage.kinds], []);
              assert.ok(one.isEnded);
              const description = descriptions[index];
              assert.ok(description);
              assert.deepEqual(observed(one), truthOf(description, id));
            }
          }
        },
      ),
      { numRuns: 250 },
    );
  });

  it('one byte a call', () => {
    fc.assert(
      fc.property(streams, order, (descriptions, turns) => {
        const seen = run(cutCalls(interleave(descriptions, turns), [1]));
        assert.deepEqual(
          seen.map(observed),
          descriptions.map((description, index) => truthOf(description, index * 2 + 1)),
        );
      }),
      { numRuns: 40 },
    );
  });
});
