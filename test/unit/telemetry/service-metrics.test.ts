/** The histograms of a service: buckets, units, attributes, and what is no measurement. */
import assert from 'node:assert/strict';
import { AggregationTemporality, DataPointType } from '@opentelemetry/sdk-metrics';
import type { StoryPiece } from '../../../src/session/story.ts';
import type { Temporality } from '../../../src/telemetry/options.ts';
import { CONVENTIONS, type Generation } from '../../../src/telemetry/semconv.ts';
import {
  createServiceMetrics,
  type ServiceMetrics,
} from '../../../src/telemetry/service-metrics.ts';
import {
  callPiece,
  makeCall,
  processPiece,
  toolPiece,
  turnPiece,
} from '../../support/story-pieces.ts';

const DURATION = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];

interface Point {
  unit: string;
  temporality: AggregationTemporality;
  attributes: Record<string, unknown>;
  count: number;
  sum: number | undefined;
  bounds: readonly number[];
}

function start(
  temporality: Temporality = 'cumulative',
  maxSeries = 2000,
  generation: Generation = '1.41',
): ServiceMetrics {
  return createServiceMetrics({
    version: '1',
    conventions: CONVENTIONS[generation],
    resource: { 'service.name': 's' },
    readers: 1,
    temporality,
    maxSeries,
  });
}

async function pointsOf(metrics: ServiceMetrics): Promise<Map<string, Point[]>> {
  const collected = await metrics.collect(0);
  const points = new Map<string, Point[]>();
  for (const { metrics: all } of collected?.scopeMetrics ?? []) {
    for (const metric of all) {
      assert.equal(metric.dataPointType, DataPointType.HISTOGRAM);
      const { name, unit } = metric.descriptor;
      points.set(
        name,
        metric.dataPoints.map(({ attributes, value }) => {
          assert.ok(
            typeof value === 'object' && 'buckets' in value && 'boundaries' in value.buckets,
          );
          return {
            unit,
            temporality: metric.aggregationTemporality,
            attributes,
            count: value.count,
            sum: value.sum,
            bounds: value.buckets.boundaries,
          };
        }),
      );
    }
  }
  return points;
}

async function record(...pieces: StoryPiece[]): Promise<Map<string, Point[]>> {
  const metrics = start();
  for (const piece of pieces) {
    metrics.record(piece);
  }
  return pointsOf(metrics);
}

const BASE = {
  'gen_ai.operation.name': 'chat',
  'gen_ai.provider.name': 'anthropic',
  'gen_ai.request.model': 'claude-opus-4-1',
  'gen_ai.response.model': 'claude-opus-4-1-20250805',
  'server.address': 'api.anthropic.com',
  'server.port': 443,
};

describe('the metrics of a call', () => {
  it('are its duration, tokens, first chunk and chunk gaps', async () => {
    const points = await record(callPiece());
    assert.deepEqual([...points.keys()].sort(), [
      'gen_ai.client.operation.duration',
      'gen_ai.client.operation.time_per_output_chunk',
      'gen_ai.client.operation.time_to_first_chunk',
      'gen_ai.client.token.usage',
    ]);
    assert.deepEqual(points.get('gen_ai.client.operation.duration'), [
      {
        unit: 's',
        temporality: AggregationTemporality.CUMULATIVE,
        attributes: BASE,
        count: 1,
        sum: 1.2,
        bounds: DURATION,
      },
    ]);
    const [first] = points.get('gen_ai.client.operation.time_to_first_chunk') ?? [];
    assert.equal(first?.sum, 0.3105);
    assert.deepEqual(first?.bounds, DURATION);
    const [gaps] = points.get('gen_ai.client.operation.time_per_output_chunk') ?? [];
    assert.equal(gaps?.count, 2);
    assert.ok(Math.abs((gaps?.sum ?? 0) - 0.05) < 1e-12);
    assert.deepEqual(gaps?.bounds, DURATION);
    const tokens = points.get('gen_ai.client.token.usage') ?? [];
    assert.deepEqual(
      tokens.map(({ attributes, sum, unit }) => [attributes, sum, unit]),
      [
        [{ ...BASE, 'gen_ai.token.type': 'input' }, 1200, '{token}'],
        [{ ...BASE, 'gen_ai.token.type': 'output' }, 45, '{token}'],
      ],
    );
  });

  it('take a missing count for no measurement', async () => {
    const call = makeCall();
    const response = { ...call.response!, usage: { outputTokens: 0 } };
    const tokens = (await record(callPiece({ ...call, response }))).get(
      'gen_ai.client.token.usage',
    );
    assert.deepEqual(
      tokens?.map(({ attributes, sum }) => [attributes['gen_ai.token.type'], sum]),
      [['output', 0]],
    );
  });

  it('add up what calls cost, where that is known', async () => {
    const metrics = start();
    metrics.record(callPiece({ ...makeCall(), costUsd: 0.25 }));
    metrics.record(callPiece({ ...makeCall(), costUsd: 0.5 }));
    metrics.record(callPiece());
    const collected = await metrics.collect(0);
    const cost = collected?.scopeMetrics[0]?.metrics.find(
      ({ descriptor }) => descriptor.name === 'sightline.cost.usage',
    );
    assert.equal(cost?.descriptor.unit, '{USD}');
    assert.deepEqual(
      cost?.dataPoints.map(({ value, attributes }) => [value, attributes]),
      [[0.75, BASE]],
    );
  });

  it('carry the error type on the duration alone', async () => {
    const points = await record(callPiece(makeCall({ error: { type: '529' } })));
    for (const [name, all] of points) {
      for (const { attributes } of all) {
        assert.equal(
          attributes['error.type'],
          name === 'gen_ai.client.operation.duration' ? '529' : undefined,
        );
      }
    }
  });

  it('have nothing of chunks when the answer was not streamed', async () => {
    const call = makeCall();
    const points = await record(
      callPiece({ ...call, request: { ...call.request, stream: false } }),
    );
    assert.ok(![...points.keys()].some((name) => name.includes('chunk')));
  });

  it('say what the OpenAI API adds', async () => {
    const call = makeCall({ api: 'openai.chat_completions', provider: 'openai' });
    const response = { ...call.response!, serviceTier: 'default', systemFingerprint: 'fp' };
    const points = await record(callPiece({ ...call, response }));
    const [duration] = points.get('gen_ai.client.operation.duration') ?? [];
    assert.equal(duration?.attributes['openai.response.service_tier'], 'default');
    assert.equal(duration?.attributes['openai.response.system_fingerprint'], 'fp');
  });
});

describe('the metrics of turns and tools', () => {
  it('are durations and counts by agent and tool', async () => {
    const points = await record(
      turnPiece({ callCount: 5, toolCalls: 3 }),
      turnPiece({ endedBy: 'timeout' }),
      toolPiece(),
      toolPiece({ result: { text: 'no', isError: true } }),
      processPiece(),
    );
    const turns = points.get('gen_ai.invoke_agent.duration') ?? [];
    assert.deepEqual(
      turns.map(({ attributes, count, sum }) => [attributes, count, sum]),
      [
        [{ 'gen_ai.agent.name': 'claude-code' }, 1, 2.49],
        [{ 'gen_ai.agent.name': 'claude-code', 'error.type': 'timeout' }, 1, 2.49],
      ],
    );
    assert.deepEqual(
      turns[0]?.bounds,
      [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6],
    );
    const [calls] = points.get('gen_ai.invoke_agent.inference_calls') ?? [];
    assert.equal(calls?.sum, 6);
    assert.equal(calls?.unit, '{inference_call}');
    const [tools] = points.get('gen_ai.invoke_agent.tool_calls') ?? [];
    assert.equal(tools?.sum, 4);
    const executions = points.get('gen_ai.execute_tool.duration') ?? [];
    const tool = {
      'gen_ai.tool.name': 'Bash',
      'gen_ai.tool.type': 'function',
      'gen_ai.agent.name': 'claude-code',
    };
    assert.deepEqual(
      executions.map(({ attributes }) => attributes),
      [tool, { ...tool, 'error.type': 'tool_error' }],
    );
    assert.deepEqual(executions[0]?.bounds, DURATION);
  });

  it('never carry a process, session or conversation', async () => {
    const points = await record(callPiece(), toolPiece(), turnPiece(), processPiece());
    const names = [...points.values()].flat().flatMap(({ attributes }) => Object.keys(attributes));
    assert.ok(names.length > 0);
    assert.ok(!names.some((name) => /pid|session|conversation|^process/.test(name)));
  });
});

describe('temporality', () => {
  it('cumulative repeats what was', async () => {
    const metrics = start('cumulative');
    metrics.record(callPiece());
    await pointsOf(metrics);
    metrics.record(callPiece());
    const [duration] = (await pointsOf(metrics)).get('gen_ai.client.operation.duration') ?? [];
    assert.equal(duration?.count, 2);
  });

  for (const temporality of ['delta', 'lowmemory'] as const) {
    it(`${temporality} has what is new`, async () => {
      const metrics = start(temporality);
      metrics.record(callPiece());
      metrics.record(callPiece());
      await pointsOf(metrics);
      metrics.record(callPiece());
      const [duration] = (await pointsOf(metrics)).get('gen_ai.client.operation.duration') ?? [];
      assert.equal(duration?.temporality, AggregationTemporality.DELTA);
      assert.equal(duration?.count, 1);
    });
  }
});

describe('a service with too many series', () => {
  it('keeps counting in one overflow series', async () => {
    const metrics = start('cumulative', 10);
    for (let index = 0; index < 100; index++) {
      const call = makeCall();
      metrics.record(callPiece({ ...call, request: { ...call.request, model: `model-${index}` } }));
    }
    const duration = (await pointsOf(metrics)).get('gen_ai.client.operation.duration') ?? [];
    assert.ok(duration.length <= 11);
    assert.equal(
      duration.reduce((sum, { count }) => sum + count, 0),
      100,
    );
  });
});
