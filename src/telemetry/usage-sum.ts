/** Token counts of a turn: exact sums or nothing. */
import type { ModelCall, TokenCount, Usage } from '../llm/model-call.ts';

const FIELDS = [
  'inputTokens',
  'outputTokens',
  'cacheReadInputTokens',
  'cacheCreationInputTokens',
  'reasoningOutputTokens',
] as const satisfies readonly TokenCount[];

/** From here on an HTTP status says that the request was refused, so that nothing was generated. */
const FIRST_ERROR_STATUS = 400;

/**
 * Adds up each count over the calls. A count that one call lacks is absent from the sum: a partial sum would look
 * like a smaller turn. Calls that the server refused (HTTP 4xx and 5xx) used no tokens and do not count.
 */
export function sumUsage(calls: readonly ModelCall[]): Usage {
  const answered = calls.filter((call) => !isRefused(call));
  const sum: Usage = {};
  if (answered.length === 0) {
    return sum;
  }
  for (const field of FIELDS) {
    const total = sumField(answered, field);
    if (total !== undefined) {
      sum[field] = total;
    }
  }
  return sum;
}

/** Estimated US dollars of all calls; undefined when there is none, or one that was answered has no known cost. */
export function sumCostUsd(calls: readonly ModelCall[]): number | undefined {
  const answered = calls.filter((call) => !isRefused(call));
  let total: number | undefined;
  for (const { costUsd } of answered) {
    if (costUsd === undefined) {
      return undefined;
    }
    total = (total ?? 0) + costUsd;
  }
  return total;
}

function isRefused(call: ModelCall): boolean {
  return call.httpStatus !== undefined && call.httpStatus >= FIRST_ERROR_STATUS;
}

function sumField(calls: readonly ModelCall[], field: TokenCount): number | undefined {
  let total = 0;
  for (const call of calls) {
    const count = call.response?.usage[field];
    if (count === undefined) {
      return undefined;
    }
    total += count;
  }
  return total;
}
