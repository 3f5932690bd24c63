/** One record of a streamed answer as a value, with what parsing would change kept as the wire has it. */
import { createJsonScanner, type JsonPlan } from '../util/json-scanner.ts';
import { asObject, type JsonObject, parseObject } from './json-access.ts';
import type { LlmLimits } from './limits.ts';

export interface RecordPlan {
  /** Occurs in the text of every record that must be read by the plan: the quoted name of a member. */
  mark: string;
  plan: JsonPlan;
}

/**
 * The object in `data`; undefined when it is none. Most records are parsed at once; one with `mark` in it goes
 * through the plan, which keeps a tool's arguments raw: parsed and written again, big numbers would be others.
 */
export function readRecord(
  data: string,
  { mark, plan }: RecordPlan,
  limits: LlmLimits,
): JsonObject | undefined {
  if (!data.includes(mark)) {
    return parseObject(data);
  }
  const scanner = createJsonScanner({
    plan,
    limits: {
      maxDepth: limits.maxDepth,
      maxNodes: limits.maxNodes,
      maxStringBytes: limits.maxEventBytes,
      maxTextBytes: limits.maxEventBytes,
      maxTotalTextBytes: limits.maxEventBytes,
    },
  });
  scanner.push(Buffer.from(data));
  const result = scanner.end();
  return result.state === 'complete' ? asObject(result.value) : undefined;
}
