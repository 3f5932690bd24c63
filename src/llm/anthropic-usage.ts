/**
 * Token counts of the messages API, which come in two parts when streamed: the last value of each counts.
 * https://docs.anthropic.com/en/api/messages#response-usage
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import { asCount, asObject } from './json-access.ts';
import type { Usage } from './model-call.ts';

const SCALAR: JsonPlan = { keep: 'all', fields: new Map() };

/** Every count has a plan of its own, so that no limit ever drops one. */
export const ANTHROPIC_USAGE_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['input_tokens', SCALAR],
    ['output_tokens', SCALAR],
    ['service_tier', SCALAR],
    ['cache_read_input_tokens', SCALAR],
    ['cache_creation_input_tokens', SCALAR],
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
}

export function createAnthropicUsage(): AnthropicUsage {
  let input: number | undefined;
  let output: number | undefined;
  let cacheRead: number | undefined;
  let cacheCreation: number | undefined;
  let hourCacheCreation: number | undefined;
  let thinking: number | undefined;

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
  };
}

/** Cache writes are also given split by how long they live. */
function sumByLifetime(value: unknown): number | undefined {
  const split = asObject(value);
  const short = asCount(split?.ephemeral_5m_input_tokens);
  const long = asCount(split?.ephemeral_1h_input_tokens);
  return short === undefined && long === undefined ? undefined : (short ?? 0) + (long ?? 0);
}
