/**
 * Token counts of Gemini and Vertex AI, which their two APIs give the same meaning and other names.
 * https://ai.google.dev/api/generate-content#UsageMetadata and https://ai.google.dev/api/interactions-api#Resource:Usage
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import { asArray, asCount, asObject, type JsonObject } from './json-access.ts';
import type { Modality, ModalityUsage, Usage } from './model-call.ts';

const COUNT: JsonPlan = { keep: 'all', fields: new Map() };

interface CountNames {
  prompt: string;
  toolUse: string;
  answer: string;
  thoughts: string;
  cached: string;
  /** The lists that split the counts; those of one field are parts of the same count. */
  splits: readonly (readonly [list: string, field: keyof ModalityUsage])[];
  /** Of one part in such a list: `[{modality: "TEXT", tokenCount: 7}, …]`. */
  tokens: string;
}

const GENERATE_CONTENT: CountNames = {
  prompt: 'promptTokenCount',
  toolUse: 'toolUsePromptTokenCount',
  answer: 'candidatesTokenCount',
  thoughts: 'thoughtsTokenCount',
  cached: 'cachedContentTokenCount',
  splits: [
    ['promptTokensDetails', 'inputTokens'],
    ['toolUsePromptTokensDetails', 'inputTokens'],
    ['candidatesTokensDetails', 'outputTokens'],
    ['cacheTokensDetails', 'cacheReadInputTokens'],
  ],
  tokens: 'tokenCount',
};

const INTERACTIONS: CountNames = {
  prompt: 'total_input_tokens',
  toolUse: 'total_tool_use_tokens',
  answer: 'total_output_tokens',
  thoughts: 'total_thought_tokens',
  cached: 'total_cached_tokens',
  splits: [
    ['input_tokens_by_modality', 'inputTokens'],
    ['tool_use_tokens_by_modality', 'inputTokens'],
    ['output_tokens_by_modality', 'outputTokens'],
    ['cached_tokens_by_modality', 'cacheReadInputTokens'],
  ],
  tokens: 'tokens',
};

/** VIDEO and DOCUMENT have no name in the conventions: what is left of a whole count is theirs. */
const MODALITIES: ReadonlyMap<unknown, Modality> = new Map([
  ['TEXT', 'text'],
  ['text', 'text'],
  ['IMAGE', 'image'],
  ['image', 'image'],
  ['AUDIO', 'audio'],
  ['audio', 'audio'],
]);

/** Every count has a plan of its own, so that no limit ever drops one. */
function planOf(names: CountNames): JsonPlan {
  const part = new Map([
    ['modality', COUNT],
    [names.tokens, COUNT],
  ]);
  return {
    keep: 'all',
    fields: new Map<string, JsonPlan>([
      ...[names.prompt, names.toolUse, names.answer, names.thoughts, names.cached].map(
        (name): [string, JsonPlan] => [name, COUNT],
      ),
      ...names.splits.map(([list]): [string, JsonPlan] => [
        list,
        { keep: 'all', items: { keep: 'all', fields: part } },
      ]),
    ]),
  };
}

export const GEMINI_USAGE_PLAN: JsonPlan = planOf(GENERATE_CONTENT);

export const INTERACTION_USAGE_PLAN: JsonPlan = planOf(INTERACTIONS);

/** Counts of a `usageMetadata`; undefined when there is none in it. */
export function readGeminiUsage(value: unknown): Usage | undefined {
  return readUsage(value, GENERATE_CONTENT);
}

/** Counts of an interaction's `usage`; undefined when there is none in it. */
export function readInteractionUsage(value: unknown): Usage | undefined {
  return readUsage(value, INTERACTIONS);
}

/**
 * What the results of the provider's own tools put into the prompt is input, and thoughts are output: only so input
 * and output make up the wire's total.
 */
function readUsage(value: unknown, names: CountNames): Usage | undefined {
  const counts = asObject(value);
  if (counts === undefined) {
    return undefined;
  }
  const usage: Usage = {};
  const input = sumOf(asCount(counts[names.prompt]), asCount(counts[names.toolUse]));
  const thoughts = asCount(counts[names.thoughts]);
  const output = sumOf(asCount(counts[names.answer]), thoughts);
  const cached = asCount(counts[names.cached]);
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
  const byModality = readModalities(counts, names);
  if (byModality !== undefined) {
    usage.byModality = byModality;
  }
  return Object.keys(usage).length === 0 ? undefined : usage;
}

/** Undefined when the wire does not split its counts; thoughts are in no list. */
function readModalities(counts: JsonObject, names: CountNames): Usage['byModality'] {
  const split: NonNullable<Usage['byModality']> = {};
  for (const [list, field] of names.splits) {
    for (const detail of asArray(counts[list]) ?? []) {
      const modality = MODALITIES.get(asObject(detail)?.modality);
      const tokens = asCount(asObject(detail)?.[names.tokens]) ?? 0;
      if (modality !== undefined && tokens > 0) {
        const usage = split[modality] ?? {};
        usage[field] = (usage[field] ?? 0) + tokens;
        split[modality] = usage;
      }
    }
  }
  return Object.keys(split).length === 0 ? undefined : split;
}

/** Of two counts that are parts of one; undefined when neither was given. */
function sumOf(first: number | undefined, second: number | undefined): number | undefined {
  return first === undefined && second === undefined ? undefined : (first ?? 0) + (second ?? 0);
}
