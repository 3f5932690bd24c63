/**
 * Token counts of Gemini and Vertex AI.
 * https://ai.google.dev/api/generate-content#UsageMetadata
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import { asCount, asObject } from './json-access.ts';
import type { Usage } from './model-call.ts';

const COUNT: JsonPlan = { keep: 'all', fields: new Map() };

/** Every count has a plan of its own, so that no limit ever drops one. */
export const GEMINI_USAGE_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['promptTokenCount', COUNT],
    ['candidatesTokenCount', COUNT],
    ['thoughtsTokenCount', COUNT],
    ['cachedContentTokenCount', COUNT],
    ['toolUsePromptTokenCount', COUNT],
  ]),
};

/**
 * Counts of one usage object; undefined when there is none in it. What the results of the provider's own tools put
 * into the prompt is input, and thoughts are output: only so input and output make up the wire's total.
 */
export function readGeminiUsage(value: unknown): Usage | undefined {
  const counts = asObject(value);
  if (counts === undefined) {
    return undefined;
  }
  const usage: Usage = {};
  const input = sumOf(asCount(counts.promptTokenCount), asCount(counts.toolUsePromptTokenCount));
  const thoughts = asCount(counts.thoughtsTokenCount);
  const output = sumOf(asCount(counts.candidatesTokenCount), thoughts);
  const cached = asCount(counts.cachedContentTokenCount);
  if (input !== undefined) {
    usage.inputTokens = input;
  }
  if (output !== undefined) {
    usage.outputTokens = output;
  }
  if (cached !== undefined) {
    usage.cacheReadInputTokens = cached;
  }
  if (thoughts !== undefined) {
    usage.reasoningOutputTokens = thoughts;
  }
  return Object.keys(usage).length === 0 ? undefined : usage;
}

/** Of two counts that are parts of one; undefined when neither was given. */
function sumOf(first: number | undefined, second: number | undefined): number | undefined {
  return first === undefined && second === undefined ? undefined : (first ?? 0) + (second ?? 0);
}
