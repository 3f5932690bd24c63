/**
 * The embeddings API of OpenAI, Azure, Mistral, vLLM, Ollama and everyone who speaks it. What is embedded, and the
 * vectors, are never kept.
 * https://platform.openai.com/docs/api-reference/embeddings
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import type { Answer } from './answer.ts';
import { errorOf } from './error-body.ts';
import { asCount, asName, asObject } from './json-access.ts';
import { OPENAI_USAGE_PLAN, readOpenAiUsage } from './openai-usage.ts';
import { setField } from './set-field.ts';
import type {
  AnswerReader,
  CallContext,
  CallTarget,
  RequestReader,
  WireApiReader,
} from './wire-api.ts';

const ALL: JsonPlan = { keep: 'all' };

const REQUEST_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['model', ALL],
    ['encoding_format', ALL],
    ['dimensions', ALL],
    // Only that it is there; texts and tokens in it are dropped.
    ['input', { keep: 'text', items: { keep: 'skip' } }],
  ]),
};

const ANSWER_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['id', ALL],
    ['model', ALL],
    ['usage', OPENAI_USAGE_PLAN],
    ['error', ALL],
    ['message', ALL],
    ['detail', ALL],
    ['code', ALL],
    ['type', ALL],
  ]),
};
// Google answers errors as a list of one.
ANSWER_PLAN.items = ANSWER_PLAN;

const DEPLOYMENT = /\/deployments\/([^/]+)\/embeddings$/;

export const openAiEmbeddings: WireApiReader = {
  api: 'openai.embeddings',
  operation: 'embeddings',
  provider: 'openai',
  matches: ({ path }) => path.endsWith('/v1/embeddings') || DEPLOYMENT.test(path),
  readRequest,
  readAnswer,
};

function readRequest({ call }: CallContext, target: CallTarget): RequestReader {
  const request = call.request;
  return {
    plan: REQUEST_PLAN,
    item() {},
    end(root, isWhole) {
      const body = asObject(root);
      // Azure names the model in the path: the deployment.
      setField(request, 'model', asName(body?.model) ?? DEPLOYMENT.exec(target.path)?.[1]);
      const format = asName(body?.encoding_format);
      setField(request, 'encodingFormats', format === undefined ? undefined : [format]);
      setField(request, 'dimensionCount', asCount(body?.dimensions));
      return !isWhole || (body !== undefined && 'input' in body);
    },
  };
}

function readAnswer({ call }: CallContext, answer: Answer): AnswerReader {
  return {
    plan: ANSWER_PLAN,
    body(root, _isWhole) {
      const isRefused = (call.httpStatus ?? 0) >= 400;
      const error = errorOf(root, isRefused);
      if (error !== undefined) {
        answer.fail(error.type, error.message);
      }
      const body = asObject(root);
      if (body === undefined || isRefused) {
        return;
      }
      answer.setId(body.id);
      answer.setModel(body.model);
      const usage = readOpenAiUsage(body.usage);
      if (usage !== undefined) {
        // Vectors are no tokens: some servers count 0 of them, which says nothing.
        delete usage.outputTokens;
        answer.response.usage = usage;
      }
    },
    event: () => false,
    gap() {},
    isDone: false,
    mayEnd: () => false,
  };
}
