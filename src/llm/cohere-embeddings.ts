/**
 * Embeddings of Cohere, both versions. What is embedded, and the vectors, are never kept.
 * https://docs.cohere.com/reference/embed
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import { readCoherePlainAnswer } from './cohere-plain-answer.ts';
import { asCount, asName, asObject, asTexts } from './json-access.ts';
import type { Usage } from './model-call.ts';
import { setField } from './set-field.ts';
import type { CallContext, RequestReader, WireApiReader } from './wire-api.ts';

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

export const cohereEmbeddings: WireApiReader = {
  api: 'cohere.embeddings',
  operation: 'embeddings',
  provider: 'cohere',
  matches: ({ path }) => path.endsWith('/v2/embed') || path.endsWith('/v1/embed'),
  readRequest,
  readAnswer: (context, answer) => readCoherePlainAnswer(context, answer, withoutOutput),
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

/** Vectors are no tokens. */
function withoutOutput({ outputTokens: _, ...usage }: Usage): Usage {
  return usage;
}
