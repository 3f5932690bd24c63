import assert from 'node:assert/strict';
import { ratiosOf, spreadOf, spreadText } from '../../../bench/support/statistics.ts';

describe('what the benches make of their rounds', () => {
  it('gives median, smallest and largest, whatever the order', () => {
    assert.deepEqual(spreadOf([10, 9, 100]), { median: 10, min: 9, max: 100 });
    assert.deepEqual(spreadOf([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4 });
    assert.deepEqual(spreadOf([5]), { median: 5, min: 5, max: 5 });
  });

  it('divides the rounds of a pair by one another, not the medians', () => {
    assert.deepEqual(ratiosOf([2, 30, 4], [1, 10, 4]), { median: 2, min: 1, max: 3 });
  });

  it('writes the spread behind the median', () => {
    assert.equal(spreadText({ median: 1.25, min: 1, max: 2 }, 1), '1.3 (1.0–2.0)');
  });

  it('refuses to make a number of nothing', () => {
    assert.throws(() => spreadOf([]), /no round/);
    assert.throws(() => ratiosOf([1], []), /cannot be paired/);
  });
});
