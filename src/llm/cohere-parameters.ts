/**
 * Parameters that both versions of Cohere's chat take.
 * https://docs.cohere.com/reference/chat
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import { asCount, asName, asNumber, asObject, asTexts, type JsonObject } from './json-access.ts';
import type { CallRequest } from './model-call.ts';
import { outputType } from './openai-chat-completions.ts';
import { setField } from './set-field.ts';

const ALL: JsonPlan = { keep: 'all' };

export const COHERE_PARAMETERS: readonly (readonly [string, JsonPlan])[] = [
  ['model', ALL],
  ['stream', ALL],
  ['max_tokens', ALL],
  ['temperature', ALL],
  ['p', ALL],
  ['k', ALL],
  ['frequency_penalty', ALL],
  ['presence_penalty', ALL],
  ['seed', ALL],
  ['stop_sequences', ALL],
  ['response_format', { keep: 'all', fields: new Map([['type', ALL]]) }],
];

export function setCohereParameters(request: CallRequest, body: JsonObject): void {
  setField(request, 'model', asName(body.model));
  setField(request, 'stream', typeof body.stream === 'boolean' ? body.stream : undefined);
  setField(request, 'maxTokens', asCount(body.max_tokens));
  setField(request, 'temperature', asNumber(body.temperature));
  setField(request, 'topP', asNumber(body.p));
  setField(request, 'topK', asNumber(body.k));
  setField(request, 'frequencyPenalty', asNumber(body.frequency_penalty));
  setField(request, 'presencePenalty', asNumber(body.presence_penalty));
  setField(request, 'seed', asNumber(body.seed));
  setField(request, 'stopSequences', asTexts(body.stop_sequences));
  setField(request, 'outputType', outputType(asObject(body.response_format)?.type));
}
