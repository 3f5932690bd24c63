/**
 * Token counts of Gemini and Vertex AI.
 * https://ai.google.dev/api/generate-content#UsageMetadata
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import { asArray, asCount, asObject, type JsonObject } from './json-access.ts';
import type { Modality, ModalityUsage, Usage } from './model-call.ts';

const COUNT: JsonPlan = { keep: 'all', fields: new Map() };

/** `[{modality: "TEXT", tokenCount: 7}, …]` */
const DETAILS: JsonPlan = {
  keep: 'all',
  items: {
    keep: 'all',
    fields: new Map([
      ['modality', COUNT],
      ['tokenCount', COUNT],
    ]),
  },
};

/** The lists that split the counts; those of one field are parts of the same count. */
const SPLITS: readonly (readonly [list: string, field: keyof ModalityUsage])[] = [
  ['promptTokensDetails', 'inputTokens'],
  ['toolUsePromptTokensDetails', 'inputTokens'],
  ['candidatesTokensDetails', 'outputTokens'],
  ['cacheTokensDetails', 'cacheReadInputTokens'],
];

/** VIDEO and DOCUMENT have no name in the conventions: what is left of a whole count is theirs. */
const MODALITIES: ReadonlyMap<unknown, Modality> = new Map([
  ['TEXT', 'text'],
  ['IMAGE', 'image'],
  ['AUDIO', 'audio'],
]);

/** Every count has a plan of its own, so that no limit ever drops one. */
export const GEMINI_USAGE_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['promptTokenCount', COUNT],
    ['candidatesTokenCount', COUNT],
    ['thoughtsTokenCount', COUNT],
    ['cachedContentTokenCount', COUNT],
    ['toolUsePromptTokenCount', COUNT],
    ...SPLITS.map(([list]): [string, JsonPlan] => [list, DETAILS]),
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
  const byModality = readModalities(counts);
  if (byModality !== undefined) {
    usage.byModality = byModality;
  }
  return Object.keys(usage).length === 0 ? undefined : usage;
}

/** Undefined when the wire does not split its counts; thoughts are in no list. */
function readModalities(counts: JsonObject): Usage['byModality'] {
  const split: NonNullable<Usage['byModality']> = {};
  for (const [list, field] of SPLITS) {
    for (const detail of asArray(counts[list]) ?? []) {
      const modality = MODALITIES.get(asObject(detail)?.modality);
      const tokens = asCount(asObject(detail)?.tokenCount) ?? 0;
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
