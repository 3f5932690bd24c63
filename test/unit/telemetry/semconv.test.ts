/** Our table of names against the conventions' own package: a typing mistake there would go unseen everywhere. */
import assert from 'node:assert/strict';
import * as conventions from '@opentelemetry/semantic-conventions/incubating';
import { Attr, INFERENCE_EVENT, Metrics } from '../../../src/telemetry/semconv.ts';

const published = new Map<string, string[]>();
for (const [constant, value] of Object.entries(conventions)) {
  const kind = constant.split('_', 1)[0] ?? '';
  if (typeof value === 'string') {
    published.set(kind, [...(published.get(kind) ?? []), value]);
  }
}

/** Of the conventions after 1.41.0: no package carries them yet. */
const LATER_METRICS = [
  'gen_ai.invoke_agent.duration',
  'gen_ai.invoke_agent.inference_calls',
  'gen_ai.invoke_agent.tool_calls',
  'gen_ai.execute_tool.duration',
];

describe('the names we emit', () => {
  it('are published attributes, or our own', () => {
    const known = published.get('ATTR') ?? [];
    assert.ok(known.length > 500);
    for (const name of Object.values(Attr)) {
      assert.ok(known.includes(name) || name.startsWith('sightline.'), name);
    }
  });

  it('are published metrics, or of the next conventions', () => {
    const known = published.get('METRIC') ?? [];
    for (const { name } of Object.values(Metrics)) {
      assert.ok(known.includes(name) || LATER_METRICS.includes(name), name);
    }
  });

  it('name the published event', () => {
    assert.ok(published.get('EVENT')?.includes(INFERENCE_EVENT));
  });

  it('are each there once', () => {
    const names = Object.values(Attr);
    assert.equal(new Set(names).size, names.length);
  });
});
