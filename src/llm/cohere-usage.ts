/**
 * Token counts of Cohere's APIs: what is billed and what the model read and wrote differ, because the service adds
 * to the prompt. Where both are given the conventions want the billed ones.
 * https://docs.cohere.com/reference/chat
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import { asCount, asObject, firstCount } from './json-access.ts';
import type { Usage } from './model-call.ts';

const COUNT: JsonPlan = { keep: 'all', fields: new Map() };

const COUNTS: JsonPlan = {
  keep: 'all',
  fields: new Map([
    ['input_tokens', COUNT],
    ['output_tokens', COUNT],
  ]),
};

/** Plan of `usage` (v2) and of `meta` (v1, embeddings): every count has a plan of its own. */
export const COHERE_USAGE_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['billed_units', COUNTS],
    ['tokens', COUNTS],
    ['cached_tokens', COUNT],
  ]),
};

/**
 * Undefined when there is no count in it. Cached tokens are counted among those that the model read, not among the
 * billed ones: beside a billed input that differs they would be no part of it, and are left out.
 */
export function readCohereUsage(value: unknown): Usage | undefined {
  const counts = asObject(value);
  const billed = asObject(counts?.billed_units);
  const tokens = asObject(counts?.tokens);
  const usage: Usage = {};
  const input = firstCount(billed?.input_tokens, tokens?.input_tokens);
  const output = firstCount(billed?.output_tokens, tokens?.output_tokens);
  const cached = asCount(counts?.cached_tokens);
  if (input !== undefined) {
    usage.inputTokens = input;
  }
  if (output !== undefined) {
    usage.outputTokens = output;
  }
  const isPartOfInput = cached === 0 || input === asCount(tokens?.input_tokens);
  if (cached !== undefined && isPartOfInput) {
    usage.cacheReadInputTokens = cached;
  }
  return Object.keys(usage).length === 0 ? undefined : usage;
}
