/**
 * Documents that a model of Mistral reads, at Mistral and at Azure. The document and what was read are never kept; the
 * wire counts pages, and no tokens.
 * https://docs.mistral.ai/api/endpoint/ocr
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
    ['document', { keep: 'all', fields: new Map() }],
  ]),
};

export const mistralOcr: WireApiReader = {
  api: 'mistral.ocr',
  operation: 'generate_content',
  provider: 'mistral_ai',
  matches: ({ path }) => path.endsWith('/v1/ocr') || path.endsWith('/mistral/azure/ocr'),
  readRequest: (context) => ({
    plan: REQUEST_PLAN,
    item() {},
    end(root, isWhole) {
      const body = asObject(root);
      const { request } = context.call;
      setField(request, 'model', asName(body?.model));
      setField(request, 'outputType', 'text');
      // Others read documents at such a path, too.
      const isNamed = request.model !== undefined || !context.isProviderAssumed();
      return isNamed && (!isWhole || asObject(body?.document) !== undefined);
    },
  }),
  readAnswer: (context, answer) => readPlainAnswer(context, answer),
};
