/** What the conventions after 1.41.0 name otherwise: spans, content and metrics by SIGHTLINE_SEMCONV=latest. */
import assert from 'node:assert/strict';
import type { ModelCall } from '../../../src/llm/model-call.ts';
import { readOpenAiUsage } from '../../../src/llm/openai-usage.ts';
import type { StoryPiece } from '../../../src/session/story.ts';
import { contentPolicy } from '../../../src/telemetry/content.ts';
import { describePiece } from '../../../src/telemetry/piece-span.ts';
import { CONVENTIONS, LatestCallMetrics } from '../../../src/telemetry/semconv.ts';
import { createServiceMetrics } from '../../../src/telemetry/service-metrics.ts';
import { callPiece, makeCall, turnPiece } from '../../support/story-pieces.ts';

const LATEST = CONVENTIONS.latest;
const SPLIT = readOpenAiUsage({
  prompt_tokens: 100,
  completion_tokens: 30,
  prompt_tokens_details: { cached_tokens: 40, audio_tokens: 60, text_tokens: 40 },
  completion_tokens_details: { audio_tokens: 10, reasoning_tokens: 5 },
});

function withUsage(usage: typeof SPLIT): ModelCall {
  const call = makeCall();
  return { ...call, response: { ...call.response!, usage: usage ?? {} } };
}

function attributesOf(piece: StoryPiece, isContentOn = false) {
  const content = contentPolicy(isContentOn ? 'SPAN_ONLY' : 'NO_CONTENT');
  return describePiece(piece, content, LATEST).attributes;
}

async function pointsOf(call: ModelCall) {
  const metrics = createServiceMetrics({
    version: '1',
    conventions: LATEST,
    resource: { 'service.name': 's' },
    readers: 1,
    temporality: 'cumulative',
    maxSeries: 100,
  });
  metrics.record(callPiece(call));
  const collected = await metrics.collect(0);
  const scope = collected?.scopeMetrics[0];
  assert.equal(scope?.scope.schemaUrl, LATEST.schemaUrl);
  return new Map(
    scope?.metrics.map(({ descriptor, dataPoints }) => [
      descriptor.name,
      dataPoints.map(({ attributes, value }) => ({
        modality: attributes['gen_ai.token.modality'],
        errorType: attributes['error.type'],
        value: typeof value === 'number' ? value : (value as { sum?: number }).sum,
        isHistogram: typeof value !== 'number',
      })),
    ]),
  );
}

describe('the conventions after 1.41', () => {
  it('call a cache write so', () => {
    const attributes = attributesOf(callPiece(withUsage({ cacheCreationInputTokens: 7 })));
    assert.equal(attributes['gen_ai.usage.cache_write.input_tokens'], 7);
    assert.equal(attributes['gen_ai.usage.cache_creation.input_tokens'], undefined);
  });

  it('have counts by modality, as far as the wire splits them', () => {
    const attributes = attributesOf(callPiece(withUsage(SPLIT)));
    assert.equal(attributes['gen_ai.usage.audio.input_tokens'], 60);
    assert.equal(attributes['gen_ai.usage.text.input_tokens'], 40);
    assert.equal(attributes['gen_ai.usage.audio.output_tokens'], 10);
    assert.equal(attributes['gen_ai.usage.text.output_tokens'], undefined);
    assert.equal(attributes['gen_ai.usage.image.input_tokens'], undefined);
  });

  it('have the response a request goes on from, and how much it is to think', () => {
    const call = makeCall();
    const request = { ...call.request, previousResponseId: 'resp_1', reasoningLevel: 'high' };
    const attributes = attributesOf(callPiece({ ...call, request }));
    assert.equal(attributes['gen_ai.request.previous_response.id'], 'resp_1');
    assert.equal(attributes['gen_ai.request.reasoning.level'], 'high');
    const older = describePiece(
      callPiece({ ...call, request }),
      contentPolicy('NO_CONTENT'),
      CONVENTIONS['1.41'],
    ).attributes;
    assert.equal(older['gen_ai.request.previous_response.id'], undefined);
    assert.equal(older['gen_ai.request.reasoning.level'], undefined);
  });

  it('have a finish reason for a choice that broke off', () => {
    const call = makeCall();
    const response = {
      ...call.response!,
      finishReasons: ['stop'],
      finishReasonByChoice: [undefined, 'stop'],
    };
    const reasonsOf = (complete: boolean, conventions = LATEST) => {
      const piece = callPiece({ ...call, response, complete });
      const { attributes } = describePiece(piece, contentPolicy('NO_CONTENT'), conventions);
      return attributes['gen_ai.response.finish_reasons'];
    };
    assert.deepEqual(reasonsOf(false), ['error', 'stop']);
    assert.deepEqual(reasonsOf(true), ['stop']);
    assert.deepEqual(reasonsOf(false, CONVENTIONS['1.41']), ['stop']);
  });

  it('measure what is no inference under the name that it had', async () => {
    for (const operation of [
      'embeddings',
      'moderation',
      'classification',
      'fetch_response',
    ] as const) {
      const points = await pointsOf({ ...makeCall(), operation });
      assert.ok(points.has(LatestCallMetrics.operationDuration.name), operation);
      assert.ok(!points.has(LatestCallMetrics.inferenceDuration.name), operation);
    }
    const points = await pointsOf({ ...makeCall(), operation: 'generate_content' });
    assert.ok(points.has(LatestCallMetrics.inferenceDuration.name));
  });

  it('give an output message no finish reason of its own', () => {
    const text = attributesOf(callPiece(), true)['gen_ai.output.messages'];
    const [message] = JSON.parse(String(text)) as Record<string, unknown>[];
    assert.deepEqual(Object.keys(message ?? {}).sort(), ['parts', 'role']);
  });

  it('let system instructions hold text alone', () => {
    const call = makeCall();
    const systemInstructions = [
      { type: 'text' as const, content: 'be brief' },
      { type: 'uri' as const, modality: 'image', uri: 'https://x.test/a.png' },
    ];
    const request = { ...call.request, systemInstructions };
    const text = attributesOf(callPiece({ ...call, request }), true)['gen_ai.system_instructions'];
    assert.deepEqual(JSON.parse(String(text)), [systemInstructions[0]]);
  });

  it('leave provider and cache counts out of a turn inside a process', () => {
    const attributes = attributesOf(turnPiece());
    assert.equal(attributes['gen_ai.provider.name'], undefined);
    assert.ok(!Object.keys(attributes).some((name) => name.includes('cache')));
    assert.equal(attributes['gen_ai.operation.name'], 'invoke_agent');
  });

  it('count tokens by modality', async () => {
    const points = await pointsOf(withUsage(SPLIT));
    const of = (key: keyof typeof LatestCallMetrics) =>
      points.get(LatestCallMetrics[key].name)?.map(({ modality, value }) => [modality, value]);
    assert.deepEqual(of('inputTokens'), [
      ['text', 40],
      ['audio', 60],
    ]);
    assert.deepEqual(of('outputTokens'), [
      ['audio', 10],
      ['unknown', 20],
    ]);
    assert.deepEqual(of('cacheReadInputTokens'), [['unknown', 40]]);
    assert.deepEqual(of('reasoningOutputTokens'), [['unknown', 5]]);
    assert.equal(of('cacheWriteInputTokens'), undefined);
    assert.deepEqual(of('operationInputTokens'), [[undefined, 100]]);
    assert.deepEqual(of('operationOutputTokens'), [[undefined, 30]]);
  });

  it('do not believe a split that exceeds its whole', async () => {
    const points = await pointsOf(
      withUsage({ inputTokens: 10, byModality: { text: { inputTokens: 11 } } }),
    );
    assert.deepEqual(
      points
        .get(LatestCallMetrics.inputTokens.name)
        ?.map(({ modality, value }) => [modality, value]),
      [['unknown', 10]],
    );
  });

  it('count 0 tokens of a failed call that named none, and nothing of one that succeeded', async () => {
    const failed = await pointsOf({ ...withUsage({}), error: { type: 'overloaded_error' } });
    assert.deepEqual(failed.get(LatestCallMetrics.inputTokens.name), [
      { modality: 'unknown', errorType: undefined, value: 0, isHistogram: false },
    ]);
    assert.deepEqual(failed.get(LatestCallMetrics.operationOutputTokens.name), [
      { modality: undefined, errorType: 'overloaded_error', value: 0, isHistogram: true },
    ]);
    const succeeded = await pointsOf(withUsage({}));
    assert.equal(succeeded.get(LatestCallMetrics.inputTokens.name), undefined);
    assert.equal(succeeded.get(LatestCallMetrics.operationOutputTokens.name), undefined);
  });

  it('keep the older duration for what is no inference', async () => {
    const embedded = await pointsOf({ ...withUsage({ inputTokens: 3 }), operation: 'embeddings' });
    assert.ok(embedded.has(LatestCallMetrics.operationDuration.name));
    assert.ok(!embedded.has(LatestCallMetrics.inferenceDuration.name));
    assert.equal(embedded.get(LatestCallMetrics.inputTokens.name)?.[0]?.value, 3);
    const inferred = await pointsOf(makeCall());
    assert.ok(!inferred.has(LatestCallMetrics.operationDuration.name));
    assert.ok(inferred.has(LatestCallMetrics.inferenceDuration.name));
    assert.ok(inferred.has(LatestCallMetrics.timeToFirstChunk.name));
  });
});
