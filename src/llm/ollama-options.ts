/**
 * What requests to Ollama's own API have in common: the model, the options, the format.
 * https://github.com/ollama/ollama/blob/main/docs/api.md
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import { asCount, asName, asNumber, asObject, asTexts, type JsonObject } from './json-access.ts';
import type { CallRequest } from './model-call.ts';
import { setField } from './set-field.ts';

const ALL: JsonPlan = { keep: 'all' };

/** The members that chat and generate share. Of a schema as format it only counts that there is one. */
export const OLLAMA_REQUEST_MEMBERS: readonly (readonly [string, JsonPlan])[] = [
  ['model', ALL],
  ['stream', ALL],
  ['think', ALL],
  ['format', { keep: 'all', fields: new Map() }],
  ['options', ALL],
];

export function setOllamaOptions(request: CallRequest, body: JsonObject): void {
  const options = asObject(body.options) ?? {};
  setField(request, 'model', asName(body.model));
  // Unlike everywhere else, answers are streamed unless the request says otherwise.
  request.stream = body.stream !== false;
  setField(request, 'maxTokens', asCount(options.num_predict));
  setField(request, 'temperature', asNumber(options.temperature));
  setField(request, 'topP', asNumber(options.top_p));
  setField(request, 'topK', asNumber(options.top_k));
  setField(request, 'frequencyPenalty', asNumber(options.frequency_penalty));
  setField(request, 'presencePenalty', asNumber(options.presence_penalty));
  setField(request, 'seed', asNumber(options.seed));
  setField(request, 'stopSequences', asTexts(options.stop));
  // Mostly a truth value; some models take a level.
  setField(request, 'reasoningLevel', asName(body.think));
  const isJson = body.format === 'json' || asObject(body.format) !== undefined;
  setField(request, 'outputType', isJson ? 'json' : undefined);
}
