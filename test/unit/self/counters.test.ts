import assert from 'node:assert/strict';
import { COUNTERS, createCounters } from '../../../src/self/counters.ts';

describe('counters', () => {
  it('add up by name and attributes', () => {
    const counters = createCounters();
    counters.counter('sightline.drops', { place: 'kernel', reason: 'ring-full' }).add(3);
    counters.counter('sightline.drops', { reason: 'ring-full', place: 'kernel' }).add();
    counters.counter('sightline.drops', { place: 'http', reason: 'limit' }).add(2);
    counters.counter('sightline.faults', { place: 'http' }).add();
    assert.deepEqual(counters.snapshot(), [
      {
        name: 'sightline.drops',
        attributes: { place: 'kernel', reason: 'ring-full' },
        value: 4,
      },
      { name: 'sightline.drops', attributes: { place: 'http', reason: 'limit' }, value: 2 },
      { name: 'sightline.faults', attributes: { place: 'http' }, value: 1 },
    ]);
  });

  it('tell values apart that would run together', () => {
    const counters = createCounters();
    const a = counters.counter('sightline.drops', { place: 'a', reason: 'b' });
    assert.notEqual(a, counters.counter('sightline.drops', { place: 'ab', reason: '' }));
    assert.equal(a, counters.counter('sightline.drops', { place: 'a', reason: 'b' }));
  });

  it('have a limit of series, beyond which they share one and lose no count', () => {
    const counters = createCounters({ maxSeriesPerName: 3 });
    for (let i = 0; i < 100; i += 1) {
      counters.counter('sightline.faults', { place: `p${i}` }).add();
    }
    const readings = counters.snapshot();
    assert.equal(readings.length, 4);
    assert.deepEqual(readings[3]?.attributes, { place: 'other' });
    assert.equal(
      readings.reduce((sum, { value }) => sum + value, 0),
      100,
    );
  });

  it('read gauges when asked', () => {
    const counters = createCounters();
    let open = 1;
    const gauge = { name: 'sightline.open', unit: '1', description: 'Open.', read: () => open };
    counters.gauge(gauge);
    counters.gauge({ ...gauge });
    open = 5;
    assert.deepEqual(
      counters.gauges().map((each) => each.read()),
      [5],
    );
  });

  it('have units and descriptions', () => {
    for (const [name, { unit, description }] of Object.entries(COUNTERS)) {
      assert.match(name, /^sightline\.[a-z_]+$/);
      assert.notEqual(unit, '');
      assert.match(description, /\.$/);
    }
  });
});
