/**
 * Token counts of the messages API, which come in two parts when streamed: the last value of each counts.
 * https://docs.anthropic.com/en/api/messages#response-usage
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import { asArray, asCount, asName, asObject } from './json-access.ts';
import type { Usage } from './model-call.ts';

const SCALAR: JsonPlan = { keep: 'all', fields: new Map() };

/** Counts that the usage of the whole has, and that of each run of a model. */
const COUNTS = [
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
] as const;

const COUNT_PLANS: readonly [string, JsonPlan][] = COUNTS.map((name) => [name, SCALAR]);

/** Every count has a plan of its own, so that no limit ever drops one. */
export const ANTHROPIC_USAGE_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ...COUNT_PLANS,
    ['service_tier', SCALAR],
    ['speed', SCALAR],
    ['inference_geo', SCALAR],
    ['iterations', { keep: 'all', items: { keep: 'all', fields: new Map(COUNT_PLANS) } }],
    [
      'cache_creation',
      {
        keep: 'all',
        fields: new Map([
          ['ephemeral_5m_input_tokens', SCALAR],
          ['ephemeral_1h_input_tokens', SCALAR],
        ]),
      },
    ],
    ['output_tokens_details', { keep: 'all', fields: new Map([['thinking_tokens', SCALAR]]) }],
  ]),
};

export interface AnthropicUsage {
  /** Takes a usage object of the wire. */
  add(value: unknown): void;
  /** What the counts are by now, in the conventions' terms; undefined before any count. */
  read(): Usage | undefined;
  /** What changes the price besides the service tier; empty when nothing does. */
  priceTiers(): string[];
  /** There were more runs than the counts are of: compactions, models that advised. */
  hasUncountedRuns(): boolean;
}

/** Speeds and regions that cost what the table of prices says. */
const ORDINARY: ReadonlySet<string> = new Set(['standard', 'global', 'not_available']);

export function createAnthropicUsage(): AnthropicUsage {
  let input: number | undefined;
  let output: number | undefined;
  let cacheRead: number | undefined;
  let cacheCreation: number | undefined;
  let hourCacheCreation: number | undefined;
  let thinking: number | undefined;
  let speed: string | undefined;
  let region: string | undefined;
  /** Sum over all runs. */
  let ranTokens = 0;

  return {
    add(value) {
      const usage = asObject(value);
      if (usage === undefined) {
        return;
      }
      input = asCount(usage.input_tokens) ?? input;
      output = asCount(usage.output_tokens) ?? output;
      cacheRead = asCount(usage.cache_read_input_tokens) ?? cacheRead;
      cacheCreation =
        asCount(usage.cache_creation_input_tokens) ??
        sumByLifetime(usage.cache_creation) ??
        cacheCreation;
      hourCacheCreation =
        asCount(asObject(usage.cache_creation)?.ephemeral_1h_input_tokens) ?? hourCacheCreation;
      thinking = asCount(asObject(usage.output_tokens_details)?.thinking_tokens) ?? thinking;
      speed = asName(usage.speed) ?? speed;
      region = asName(usage.inference_geo) ?? region;
      const runs = asArray(usage.iterations);
      if (runs !== undefined) {
        ranTokens = runs.reduce<number>((sum, run) => sum + tokensOf(run), 0);
      }
    },
    read() {
      const usage: Usage = {};
      if (input !== undefined) {
        // The wire counts cached tokens apart; the conventions count them in.
        usage.inputTokens = input + (cacheRead ?? 0) + (cacheCreation ?? 0);
      }
      if (output !== undefined) {
        usage.outputTokens = output;
      }
      if (cacheRead !== undefined) {
        usage.cacheReadInputTokens = cacheRead;
      }
      if (cacheCreation !== undefined) {
        usage.cacheCreationInputTokens = cacheCreation;
      }
      if (hourCacheCreation !== undefined) {
        usage.hourCacheCreationInputTokens = hourCacheCreation;
      }
      if (thinking !== undefined) {
        usage.reasoningOutputTokens = thinking;
      }
      return Object.keys(usage).length === 0 ? undefined : usage;
    },
    priceTiers: () =>
      [speed, region].filter((tier) => tier !== undefined).filter((tier) => !ORDINARY.has(tier)),
    hasUncountedRuns: () =>
      ranTokens > (input ?? 0) + (output ?? 0) + (cacheRead ?? 0) + (cacheCreation ?? 0),
  };
}

/** All tokens of one run. */
function tokensOf(run: unknown): number {
  const counts = asObject(run);
  return COUNTS.reduce((sum, name) => sum + (asCount(counts?.[name]) ?? 0), 0);
}

/** Cache writes are also given split by how long they live. */
function sumByLifetime(value: unknown): number | undefined {
  const split = asObject(value);
  const short = asCount(split?.ephemeral_5m_input_tokens);
  const long = asCount(split?.ephemeral_1h_input_tokens);
  return short === undefined && long === undefined ? undefined : (short ?? 0) + (long ?? 0);
}
