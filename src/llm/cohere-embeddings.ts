/**
 * Embeddings of Cohere, both versions. What is embedded, and the vectors, are never kept.
 * https://docs.cohere.com/reference/embed
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import type { Answer } from './answer.ts';
import { COHERE_USAGE_PLAN, readCohereUsage } from './cohere-usage.ts';
import { asCount, asName, asObject, asTexts } from './json-access.ts';
import { setField } from './set-field.ts';
import { readWholeAnswer } from './whole-answer.ts';
import type { AnswerReader, CallContext, RequestReader, WireApiReader } from './wire-api.ts';

const ALL: JsonPlan = { keep: 'all' };
/** Only that it is there. */
const PRESENCE: JsonPlan = { keep: 'all', items: { keep: 'skip' } };

const REQUEST_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['model', ALL],
    ['embedding_types', ALL],
    ['output_dimension', ALL],
    ['texts', PRESENCE],
    ['inputs', PRESENCE],
    ['images', PRESENCE],
  ]),
};

const ANSWER_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['id', ALL],
    ['meta', COHERE_USAGE_PLAN],
    ['message', ALL],
    ['error_type', ALL],
    ['error', ALL],
  ]),
};

export const cohereEmbeddings: WireApiReader = {
  api: 'cohere.embeddings',
  operation: 'embeddings',
  provider: 'cohere',
  matches: ({ path }) => path.endsWith('/v2/embed') || path.endsWith('/v1/embed'),
  readRequest,
  readAnswer,
};

function readRequest({ call }: CallContext): RequestReader {
  return {
    plan: REQUEST_PLAN,
    item() {},
    end(root, isWhole) {
      const body = asObject(root) ?? {};
      setField(call.request, 'model', asName(body.model));
      setField(call.request, 'dimensionCount', asCount(body.output_dimension));
      setField(call.request, 'encodingFormats', asTexts(body.embedding_types));
      return 'texts' in body || 'inputs' in body || 'images' in body || !isWhole;
    },
  };
}

function readAnswer({ call }: CallContext, answer: Answer): AnswerReader {
  return readWholeAnswer({
    plan: ANSWER_PLAN,
    body(root) {
      if ((call.httpStatus ?? 0) >= 400) {
        answer.failBy(root, true);
        return;
      }
      const body = asObject(root);
      answer.setId(body?.id);
      const usage = readCohereUsage(body?.meta);
      if (usage !== undefined) {
        // Vectors are no tokens.
        delete usage.outputTokens;
        answer.response.usage = usage;
      }
    },
  });
}
