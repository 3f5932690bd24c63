/**
 * What version 1 of Cohere's API has beside chat: texts that are summed up, and texts that are sorted into classes. The
 * texts, and what became of them, are never kept.
 * https://docs.cohere.com/reference/summarize and https://docs.cohere.com/reference/classify
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import { readCoherePlainAnswer } from './cohere-plain-answer.ts';
import { asName, asNumber, asObject } from './json-access.ts';
import type { Operation, WireApi } from './model-call.ts';
import { setField } from './set-field.ts';
import type { WireApiReader } from './wire-api.ts';

/** A call at `path` about what the member `subject` has. */
function plainCall(
  api: WireApi,
  operation: Operation,
  path: string,
  subject: string,
): WireApiReader {
  const plan: JsonPlan = {
    keep: 'all',
    fields: new Map<string, JsonPlan>([
      ['model', { keep: 'all' }],
      ['temperature', { keep: 'all' }],
      // Only that it is there.
      [subject, { keep: 'text', items: { keep: 'skip' } }],
    ]),
  };
  return {
    api,
    operation,
    provider: 'cohere',
    matches: (target) => target.path.endsWith(path),
    readRequest: (context) => ({
      plan,
      item() {},
      end(root, isWhole) {
        const body = asObject(root) ?? {};
        const { request } = context.call;
        setField(request, 'model', asName(body.model));
        setField(request, 'temperature', asNumber(body.temperature));
        // Others have such paths, too; their bodies name no model.
        const isOwn = !context.isProviderAssumed() || request.model !== undefined;
        return isOwn && (subject in body || !isWhole);
      },
    }),
    readAnswer: (context, answer) => readCoherePlainAnswer(context, answer),
  };
}

export const cohereSummaries = plainCall(
  'cohere.summaries',
  'text_completion',
  '/v1/summarize',
  'text',
);

export const cohereClassifications = plainCall(
  'cohere.classifications',
  'classification',
  '/v1/classify',
  'inputs',
);
