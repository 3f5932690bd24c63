/**
 * A conversation that OpenAI's responses API makes shorter, for the client to go on with: a run of a model, which is
 * billed, but no step of the conversation. What was said, and what became of it, are never kept.
 * https://platform.openai.com/docs/api-reference/responses/compact
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
    ['previous_response_id', { keep: 'all' }],
    // Only that it is there.
    ['input', { keep: 'text', items: { keep: 'skip' } }],
  ]),
};

export const openAiCompactions: WireApiReader = {
  api: 'openai.compactions',
  operation: 'chat',
  provider: 'openai',
  matches: ({ path }) => path.endsWith('/responses/compact'),
  readRequest: ({ call }) => ({
    plan: REQUEST_PLAN,
    item() {},
    end(root, isWhole) {
      const body = asObject(root);
      setField(call.request, 'model', asName(body?.model));
      setField(call.request, 'previousResponseId', asName(body?.previous_response_id));
      const isAsking = body !== undefined && ('input' in body || 'previous_response_id' in body);
      return !isWhole || (isAsking && call.request.model !== undefined);
    },
  }),
  readAnswer: (context, answer) => readPlainAnswer(context, answer),
};
