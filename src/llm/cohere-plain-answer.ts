/** Answers of Cohere's APIs of which only the head is read: its id, what it used up, or why it failed. */
import type { JsonPlan } from '../util/json-scanner.ts';
import type { Answer } from './answer.ts';
import { COHERE_USAGE_PLAN, readCohereUsage } from './cohere-usage.ts';
import { asObject } from './json-access.ts';
import type { Usage } from './model-call.ts';
import { readWholeAnswer } from './whole-answer.ts';
import type { AnswerReader, CallContext } from './wire-api.ts';

const ALL: JsonPlan = { keep: 'all' };

const PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['id', ALL],
    ['meta', COHERE_USAGE_PLAN],
    ['message', ALL],
    ['error_type', ALL],
    ['error', ALL],
  ]),
};

/** `adapt` changes the counts that were read to what they mean to this API. */
export function readCoherePlainAnswer(
  { call }: CallContext,
  answer: Answer,
  adapt: (usage: Usage) => Usage = (usage) => usage,
): AnswerReader {
  return readWholeAnswer({
    plan: PLAN,
    body(root) {
      if ((call.httpStatus ?? 0) >= 400) {
        answer.failBy(root, true);
        return;
      }
      const body = asObject(root);
      answer.setId(body?.id);
      const usage = readCohereUsage(body?.meta);
      if (usage !== undefined) {
        answer.response.usage = adapt(usage);
      }
    },
  });
}
