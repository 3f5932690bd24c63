/** Answers of OpenAI's APIs of which only the head is read: who answered, what it used up, or why it failed. */
import type { JsonPlan } from '../util/json-scanner.ts';
import type { Answer } from './answer.ts';
import { ERROR_MEMBERS } from './error-body.ts';
import { asObject } from './json-access.ts';
import type { Usage } from './model-call.ts';
import { OPENAI_USAGE_PLAN, readOpenAiUsage } from './openai-usage.ts';
import { readWholeAnswer } from './whole-answer.ts';
import type { AnswerReader, CallContext } from './wire-api.ts';

const ALL: JsonPlan = { keep: 'all' };

const PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['id', ALL],
    ['model', ALL],
    ['usage', OPENAI_USAGE_PLAN],
    ...ERROR_MEMBERS,
  ]),
};
// Google answers errors as a list of one.
PLAN.items = PLAN;

/** `adapt` changes the counts that were read to what they mean to this API. */
export function readPlainAnswer(
  { call }: CallContext,
  answer: Answer,
  adapt: (usage: Usage) => Usage = (usage) => usage,
): AnswerReader {
  return readWholeAnswer({
    plan: PLAN,
    body(root) {
      const isRefused = (call.httpStatus ?? 0) >= 400;
      answer.failBy(root, isRefused);
      const body = asObject(root);
      if (body === undefined || isRefused) {
        return;
      }
      answer.setId(body.id);
      answer.setModel(body.model);
      const usage = readOpenAiUsage(body.usage);
      if (usage !== undefined) {
        answer.response.usage = adapt(usage);
      }
    },
  });
}
