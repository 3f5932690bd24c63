import assert from 'node:assert/strict';
import { AVERAGED_CALLS, createTimeBudget } from '../../../src/self/time-budget.ts';

const LIMITS = { maxAverageNs: 1000, maxSingleNs: 10_000 };

describe('a time budget', () => {
  it('is kept by calls within it, also by slow ones among them', () => {
    const budget = createTimeBudget(LIMITS);
    for (let n = 0; n < 10 * AVERAGED_CALLS; n += 1) {
      budget.take(n % 20 === 0 ? 9000 : 100);
    }
    assert.equal(budget.overrun, undefined);
    assert.equal(budget.longestNs, 9000);
  });

  it('is exceeded by calls that are slow on average, once there were enough to tell', () => {
    const budget = createTimeBudget(LIMITS);
    for (let n = 1; n < AVERAGED_CALLS; n += 1) {
      budget.take(2000);
      assert.equal(budget.overrun, undefined);
    }
    budget.take(2000);
    assert.equal(budget.overrun, 'average');
    assert.equal(budget.averageNs, 2000);
  });

  it('is exceeded by calls that become slow, and forgets the fast ones before', () => {
    const budget = createTimeBudget(LIMITS);
    for (let n = 0; n < 10_000; n += 1) {
      budget.take(10);
    }
    let slow = 0;
    while (budget.overrun === undefined) {
      budget.take(2000);
      slow += 1;
    }
    assert.ok(slow < 2 * AVERAGED_CALLS, `${slow} calls`);
  });

  it('is exceeded by one call that takes too long', () => {
    const budget = createTimeBudget(LIMITS);
    budget.take(10_000);
    assert.equal(budget.overrun, undefined);
    budget.take(10_001);
    assert.equal(budget.overrun, 'single');
  });
});
