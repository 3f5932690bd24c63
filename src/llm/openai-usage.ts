/**
 * Token counts of OpenAI's APIs and of the many that speak them.
 * https://platform.openai.com/docs/api-reference/chat/object#chat-object-usage
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import { asCount, asObject, firstCount, type JsonObject } from './json-access.ts';
import type { Modality, ModalityUsage, Usage } from './model-call.ts';
import { setField } from './set-field.ts';

const NUMBER: JsonPlan = { keep: 'all', fields: new Map() };

const MODALITIES = ['text', 'image', 'audio'] as const satisfies readonly Modality[];

const BY_MODALITY: readonly (readonly [string, JsonPlan])[] = MODALITIES.map((modality) => [
  `${modality}_tokens`,
  NUMBER,
]);

const INPUT_DETAILS: JsonPlan = {
  keep: 'all',
  fields: new Map([
    ...BY_MODALITY,
    ['cached_tokens', NUMBER],
    ['cached_tokens_details', { keep: 'all', fields: new Map(BY_MODALITY) }],
    ['cache_write_tokens', NUMBER],
    ['cache_creation_tokens', NUMBER],
  ]),
};

const OUTPUT_DETAILS: JsonPlan = {
  keep: 'all',
  fields: new Map([...BY_MODALITY, ['reasoning_tokens', NUMBER]]),
};

/** Every count has a plan of its own, so that no limit ever drops one. */
export const OPENAI_USAGE_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['prompt_tokens', NUMBER],
    ['completion_tokens', NUMBER],
    ['reasoning_tokens', NUMBER],
    ['cached_tokens', NUMBER],
    ['cache_write_tokens', NUMBER],
    ['cache_read_input_tokens', NUMBER],
    ['cache_creation_input_tokens', NUMBER],
    ['prompt_cache_hit_tokens', NUMBER],
    ['input_tokens', NUMBER],
    ['output_tokens', NUMBER],
    ['input_tokens_details', INPUT_DETAILS],
    ['output_tokens_details', OUTPUT_DETAILS],
    ['prompt_tokens_details', INPUT_DETAILS],
    ['completion_tokens_details', OUTPUT_DETAILS],
    // Without the plural of the others: transcriptions, and the Realtime API.
    ['input_token_details', INPUT_DETAILS],
    ['output_token_details', OUTPUT_DETAILS],
  ]),
};

/**
 * Counts of one usage object; undefined when there is no count in it. The wire is reported as it is: a gateway's
 * reasoning may exceed its completion.
 */
export function readOpenAiUsage(value: unknown): Usage | undefined {
  const usage = asObject(value);
  if (usage === undefined) {
    return undefined;
  }
  const inputDetails: JsonObject =
    asObject(usage.prompt_tokens_details) ??
    asObject(usage.input_tokens_details) ??
    asObject(usage.input_token_details) ??
    {};
  const outputDetails: JsonObject =
    asObject(usage.completion_tokens_details) ??
    asObject(usage.output_tokens_details) ??
    asObject(usage.output_token_details) ??
    {};
  const result: Usage = {};
  setField(result, 'inputTokens', firstCount(usage.prompt_tokens, usage.input_tokens));
  setField(result, 'outputTokens', firstCount(usage.completion_tokens, usage.output_tokens));
  setField(
    result,
    'cacheReadInputTokens',
    firstCount(
      inputDetails.cached_tokens,
      usage.cached_tokens,
      usage.prompt_cache_hit_tokens,
      usage.cache_read_input_tokens,
    ),
  );
  setField(
    result,
    'cacheCreationInputTokens',
    firstCount(
      inputDetails.cache_write_tokens,
      usage.cache_write_tokens,
      inputDetails.cache_creation_tokens,
      usage.cache_creation_input_tokens,
    ),
  );
  setField(
    result,
    'reasoningOutputTokens',
    firstCount(outputDetails.reasoning_tokens, usage.reasoning_tokens),
  );
  const byModality = readModalities(inputDetails, outputDetails);
  if (byModality !== undefined) {
    result.byModality = byModality;
  }
  return Object.keys(result).length === 0 ? undefined : result;
}

/** Undefined when the wire does not split its counts; a modality of no tokens at all is left out. */
function readModalities(input: JsonObject, output: JsonObject): Usage['byModality'] {
  const cached = asObject(input.cached_tokens_details) ?? {};
  const split: NonNullable<Usage['byModality']> = {};
  for (const modality of MODALITIES) {
    const field = `${modality}_tokens`;
    const usage: ModalityUsage = {};
    setField(usage, 'inputTokens', asCount(input[field]));
    setField(usage, 'outputTokens', asCount(output[field]));
    setField(usage, 'cacheReadInputTokens', asCount(cached[field]));
    if (Object.values(usage).some((count) => count > 0)) {
      split[modality] = usage;
    }
  }
  return Object.keys(split).length === 0 ? undefined : split;
}
