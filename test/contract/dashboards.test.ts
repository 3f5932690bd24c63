/** The generated dashboard is the one its code describes, and asks only for metrics that exist. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { overviewDashboard, PANELS } from '../../deploy/grafana/overview.ts';

describe('the Grafana dashboard', () => {
  it('is up to date with its code ("npm run docs" writes it)', () => {
    const path = new URL('../../deploy/grafana/dashboards/sightline.json', import.meta.url);
    assert.equal(readFileSync(path, 'utf8'), `${JSON.stringify(overviewDashboard(), null, 2)}\n`);
  });

  it('gives every panel a title, a unit, an explanation and a query', () => {
    assert.ok(PANELS.length >= 10);
    for (const panel of PANELS) {
      assert.notEqual(panel.title, '');
      assert.notEqual(panel.unit, '');
      assert.notEqual(panel.description, '');
      assert.ok(panel.queries.length > 0);
    }
    assert.equal(new Set(PANELS.map((panel) => panel.title)).size, PANELS.length);
  });
});
