/**
 * Token counts of Amazon Bedrock, which come in a Converse answer, in response headers, and in the last event of a
 * stream of a model's own.
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html
 */
import type { Headers } from '../http/exchange.ts';
import type { JsonPlan } from '../util/json-scanner.ts';
import type { Answer } from './answer.ts';
import { asCount, asObject } from './json-access.ts';
import type { Usage } from './model-call.ts';

const COUNT: JsonPlan = { keep: 'all', fields: new Map() };

/** Every count has a plan of its own, so that no limit ever drops one. The second names are those of Nova. */
export const CONVERSE_USAGE_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['inputTokens', COUNT],
    ['outputTokens', COUNT],
    ['cacheReadInputTokens', COUNT],
    ['cacheWriteInputTokens', COUNT],
    ['cacheReadInputTokenCount', COUNT],
    ['cacheWriteInputTokenCount', COUNT],
  ]),
};

/** What the service counts; cached tokens are apart from the input. */
interface BedrockCounts {
  input: number | undefined;
  output: number | undefined;
  cacheRead: number | undefined;
  cacheWrite: number | undefined;
}

/** Counts of a Converse answer, or of one of Nova's; undefined when there is none. */
export function readConverseUsage(value: unknown): Usage | undefined {
  const counts = asObject(value);
  return usageOf({
    input: asCount(counts?.inputTokens),
    output: asCount(counts?.outputTokens),
    cacheRead: asCount(counts?.cacheReadInputTokens) ?? asCount(counts?.cacheReadInputTokenCount),
    cacheWrite:
      asCount(counts?.cacheWriteInputTokens) ?? asCount(counts?.cacheWriteInputTokenCount),
  });
}

/** The member of a stream's last event that says what was counted. */
export const INVOCATION_METRICS = 'amazon-bedrock-invocationMetrics';

/** Fills in what the answer's own body does not say by what the service says beside it. */
export function addInvocationMetrics(answer: Answer, value: unknown): void {
  const metrics = asObject(value);
  addCounts(answer, {
    input: asCount(metrics?.inputTokenCount),
    output: asCount(metrics?.outputTokenCount),
    cacheRead: asCount(metrics?.cacheReadInputTokenCount),
    cacheWrite: asCount(metrics?.cacheWriteInputTokenCount),
  });
}

export function addHeaderCounts(answer: Answer, headers: Headers | undefined): void {
  const count = (name: string): number | undefined => {
    const text = headers?.get(`x-amzn-bedrock-${name}-token-count`);
    return text !== undefined && /^\d+$/.test(text) ? asCount(Number(text)) : undefined;
  };
  addCounts(answer, {
    input: count('input'),
    output: count('output'),
    cacheRead: count('cache-read-input'),
    cacheWrite: count('cache-write-input'),
  });
}

function addCounts(answer: Answer, counts: BedrockCounts): void {
  const usage = usageOf(counts);
  if (usage !== undefined) {
    answer.response.usage = { ...usage, ...answer.response.usage };
  }
}

/** The service counts cached tokens apart; the conventions count them in. */
function usageOf(counts: BedrockCounts): Usage | undefined {
  const usage: Usage = {};
  if (counts.input !== undefined) {
    usage.inputTokens = counts.input + (counts.cacheRead ?? 0) + (counts.cacheWrite ?? 0);
  }
  if (counts.output !== undefined) {
    usage.outputTokens = counts.output;
  }
  if (counts.cacheRead !== undefined) {
    usage.cacheReadInputTokens = counts.cacheRead;
  }
  if (counts.cacheWrite !== undefined) {
    usage.cacheCreationInputTokens = counts.cacheWrite;
  }
  return Object.keys(usage).length === 0 ? undefined : usage;
}
