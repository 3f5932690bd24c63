/** Our table of names against the conventions' own package: a typing mistake there would go unseen everywhere. */
import assert from 'node:assert/strict';
import * as conventions from '@opentelemetry/semantic-conventions/incubating';
import {
  Attr,
  CallMetrics,
  INFERENCE_EVENT,
  LatestCallMetrics,
  StoryMetrics,
} from '../../../src/telemetry/semconv.ts';

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
  'gen_ai.client.inference.duration',
  'gen_ai.client.inference.time_to_first_chunk',
  'gen_ai.client.inference.time_per_output_chunk',
  'gen_ai.client.inference.usage.input_tokens',
  'gen_ai.client.inference.usage.output_tokens',
  'gen_ai.client.inference.usage.cache_read.input_tokens',
  'gen_ai.client.inference.usage.cache_write.input_tokens',
  'gen_ai.client.inference.usage.reasoning.output_tokens',
  'gen_ai.client.inference.operation.input_tokens',
  'gen_ai.client.inference.operation.output_tokens',
];

const LATER_ATTRIBUTES = [
  'gen_ai.request.previous_response.id',
  'gen_ai.request.reasoning.level',
  'gen_ai.request.stream_cursor',
  'gen_ai.prompt.version',
  'gen_ai.prompt.variable',
  'gen_ai.conversation.compacted',
  'gen_ai.token.modality',
  'gen_ai.usage.cache_write.input_tokens',
  'gen_ai.usage.text.input_tokens',
  'gen_ai.usage.text.output_tokens',
  'gen_ai.usage.text.cache_read.input_tokens',
  'gen_ai.usage.image.input_tokens',
  'gen_ai.usage.image.output_tokens',
  'gen_ai.usage.image.cache_read.input_tokens',
  'gen_ai.usage.audio.input_tokens',
  'gen_ai.usage.audio.output_tokens',
  'gen_ai.usage.audio.cache_read.input_tokens',
];

describe('the names we emit', () => {
  it('are published attributes, of the next conventions, or our own', () => {
    const known = published.get('ATTR') ?? [];
    assert.ok(known.length > 500);
    for (const name of Object.values(Attr)) {
      assert.ok(
        known.includes(name) || LATER_ATTRIBUTES.includes(name) || name.startsWith('sightline.'),
        name,
      );
    }
  });

  it('are published metrics, or of the next conventions', () => {
    const known = published.get('METRIC') ?? [];
    for (const { name } of Object.values({ ...StoryMetrics, ...LatestCallMetrics })) {
      assert.ok(known.includes(name) || LATER_METRICS.includes(name), name);
    }
  });

  it('of the default generation are published metrics', () => {
    for (const { name } of Object.values(CallMetrics)) {
      assert.ok(published.get('METRIC')?.includes(name), name);
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
