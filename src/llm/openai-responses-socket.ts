/**
 * The responses API over a WebSocket: each `response.create` is one call, answered by the same events as over HTTP.
 * https://platform.openai.com/docs/guides/websocket-mode
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import { asName, asObject, type JsonObject } from './json-access.ts';
import { readOpenAiItem } from './openai-item.ts';
import { openAiResponses, readResponsesRequest } from './openai-responses.ts';
import type { SocketApi, SocketReader } from './socket-api.ts';
import type { SocketCall, SocketCalls } from './socket-calls.ts';
import type { RequestReader } from './wire-api.ts';

const ALL: JsonPlan = { keep: 'all' };

/** What a message has beside the request's own members. */
const OWN_FIELDS: readonly (readonly [string, JsonPlan])[] = [
  ['type', ALL],
  ['generate', ALL],
];

/** By the request's plan, of which there are two: with content and without. */
const plans = new Map<JsonPlan, JsonPlan>();

function planOf(request: JsonPlan): JsonPlan {
  let plan = plans.get(request);
  if (plan === undefined) {
    plan = { ...request, fields: new Map([...(request.fields ?? []), ...OWN_FIELDS]) };
    plans.set(request, plan);
  }
  return plan;
}

export const openAiResponsesSocket: SocketApi = {
  api: openAiResponses.api,
  operation: openAiResponses.operation,
  provider: openAiResponses.provider,
  matches: (target) => openAiResponses.matches(target),
  recognises(sender, message) {
    const type = asName(message.type) ?? '';
    if (sender === 'client') {
      return type === 'response.create' && ('input' in message || 'model' in message);
    }
    return type.startsWith('response.') && typeof message.sequence_number === 'number';
  },
  open: openSocket,
};

function openSocket(calls: SocketCalls): SocketReader {
  function draft(): SocketCall {
    return calls.draft((value) => readOpenAiItem(value).items);
  }

  return {
    clientSink(time, damage) {
      const one = draft();
      const reader: RequestReader = readResponsesRequest(one.parts.context, {
        path: '/v1/responses',
      });
      const scanner = one.parts.scannerOf({
        plan: planOf(reader.plan),
        item: (name, value, isWhole) => reader.item(name, value, isWhole),
        end: () => false,
      });
      return {
        data: (bytes) => scanner.push(bytes),
        gap: () => scanner.gap(),
        end(isComplete) {
          const result = scanner.end();
          const root = asObject(result.value);
          const type = asName(root?.type);
          if (damage.any || !isComplete) {
            one.call.damage.merge(damage);
            if (type === undefined) {
              calls.lose('client', damage);
            }
          }
          if (type !== 'response.create') {
            return;
          }
          reader.end(root, result.state === 'complete');
          one.parts.judge(result, isComplete, 'llm.request');
          // A first message that only prepares the server: nothing is generated, and it has a response all the same.
          one.isSilent = root?.generate === false;
          calls.ask(one, time);
        },
      };
    },

    server(message, time) {
      const type = asName(message.type) ?? '';
      if (type === 'error') {
        calls.fail(message, time);
        return;
      }
      if (!type.startsWith('response.')) {
        return;
      }
      const id = responseIdOf(message);
      const one =
        type === 'response.created'
          ? calls.begin(id, time, draft)
          : (calls.find(id) ?? calls.findMissed(id, time, draft));
      if (one !== undefined) {
        calls.read(one, type, message, time);
      }
    },
  };
}

/** Only events about the response as a whole name it. */
function responseIdOf(message: JsonObject): string | undefined {
  return asName(asObject(message.response)?.id);
}
