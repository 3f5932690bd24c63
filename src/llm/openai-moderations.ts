/**
 * Moderation of OpenAI, Mistral and everyone who speaks it: a model judges a text or picture, and generates nothing.
 * What is judged, and the judgement, are never kept.
 * https://platform.openai.com/docs/api-reference/moderations
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import { asName, asObject } from './json-access.ts';
import { readPlainAnswer } from './openai-plain-answer.ts';
import { setField } from './set-field.ts';
import type { WireApiReader } from './wire-api.ts';

const REQUEST_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['model', { keep: 'all' }],
    // Only that it is there.
    ['input', { keep: 'text', items: { keep: 'skip' } }],
  ]),
};

export const openAiModerations: WireApiReader = {
  api: 'openai.moderations',
  operation: 'moderation',
  provider: 'openai',
  matches: ({ path }) => /\/(?:v1|chat)\/moderations$/.test(path),
  readRequest: ({ call }) => ({
    plan: REQUEST_PLAN,
    item() {},
    end(root, isWhole) {
      const body = asObject(root);
      setField(call.request, 'model', asName(body?.model));
      return !isWhole || (body !== undefined && 'input' in body);
    },
  }),
  readAnswer: (context, answer) => readPlainAnswer(context, answer),
};
