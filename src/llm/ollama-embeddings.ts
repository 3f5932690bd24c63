/**
 * Embeddings in Ollama's own API, the older method too. What is embedded, and the vectors, are never kept.
 * https://github.com/ollama/ollama/blob/main/docs/api.md#generate-embeddings
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import type { Answer } from './answer.ts';
import { asCount, asName, asObject } from './json-access.ts';
import { setField } from './set-field.ts';
import { readWholeAnswer } from './whole-answer.ts';
import type { AnswerReader, CallContext, RequestReader, WireApiReader } from './wire-api.ts';

const ALL: JsonPlan = { keep: 'all' };
/** Only that it is there. */
const PRESENCE: JsonPlan = { keep: 'text', fields: new Map(), items: { keep: 'skip' } };

const REQUEST_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['model', ALL],
    ['dimensions', ALL],
    ['input', PRESENCE],
    ['prompt', PRESENCE],
  ]),
};

const ANSWER_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['model', ALL],
    ['prompt_eval_count', { keep: 'all', fields: new Map() }],
    ['error', ALL],
  ]),
};

export const ollamaEmbeddings: WireApiReader = {
  api: 'ollama.embeddings',
  operation: 'embeddings',
  provider: 'ollama',
  matches: ({ path }) => path.endsWith('/api/embed') || path.endsWith('/api/embeddings'),
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
      setField(call.request, 'dimensionCount', asCount(body.dimensions));
      const hasInput = 'input' in body || 'prompt' in body || !isWhole;
      return call.request.model !== undefined && hasInput;
    },
  };
}

function readAnswer({ call }: CallContext, answer: Answer): AnswerReader {
  return readWholeAnswer({
    plan: ANSWER_PLAN,
    body(root) {
      const isRefused = (call.httpStatus ?? 0) >= 400;
      const hasFailed = answer.failBy(root, isRefused);
      const body = asObject(root);
      if (body === undefined || hasFailed || isRefused) {
        return;
      }
      answer.setModel(body.model);
      const count = asCount(body.prompt_eval_count);
      if (count !== undefined) {
        answer.response.usage = { inputTokens: count };
      }
    },
  });
}
