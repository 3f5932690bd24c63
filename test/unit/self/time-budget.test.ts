import assert from 'node:assert/strict';
import { AVERAGED_CALLS, createTimeBudget } from '../../../src/self/time-budget.ts';

/** A budget of 1000 ns on average and 10 000 ns at once, whose work takes what it is told. */
function budgetOf(): { take(ns: number): void; budget: ReturnType<typeof createTimeBudget> } {
  let clockNs = 0n;
  const budget = createTimeBudget({ maxAverageNs: 1000, maxSingleNs: 10_000, now: () => clockNs });
  return {
    budget,
    take: (ns) =>
      budget.measure(() => {
        clockNs += BigInt(ns);
      }),
  };
}

describe('a time budget', () => {
  it('is kept by calls within it, also by slow ones among them', () => {
    const { budget, take } = budgetOf();
    for (let n = 0; n < 10 * AVERAGED_CALLS; n += 1) {
      take(n % 20 === 0 ? 9000 : 100);
    }
    assert.equal(budget.overrun, undefined);
    assert.equal(budget.longestNs, 9000);
  });

  it('is exceeded by calls that are slow on average, once there were enough to tell', () => {
    const { budget, take } = budgetOf();
    for (let n = 1; n < AVERAGED_CALLS; n += 1) {
      take(2000);
      assert.equal(budget.overrun, undefined);
    }
    take(2000);
    assert.equal(budget.overrun, 'average');
    assert.equal(budget.averageNs, 2000);
  });

  it('is exceeded by calls that become slow, and forgets the fast ones before', () => {
    const { budget, take } = budgetOf();
    for (let n = 0; n < 10_000; n += 1) {
      take(10);
    }
    let slow = 0;
    while (budget.overrun === undefined) {
      take(2000);
      slow += 1;
    }
    assert.ok(slow < 2 * AVERAGED_CALLS, `${slow} calls`);
  });

  it('is exceeded by one call that takes too long, also one that throws', () => {
    const { budget } = budgetOf();
    let clockNs = 0n;
    const own = createTimeBudget({ maxAverageNs: 1, maxSingleNs: 10, now: () => clockNs });
    assert.throws(() =>
      own.measure(() => {
        clockNs += 11n;
        throw new Error('of the work');
      }),
    );
    assert.equal(own.overrun, 'single');
    assert.equal(budget.overrun, undefined);
  });
});
