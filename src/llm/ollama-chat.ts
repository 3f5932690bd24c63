/**
 * Chat in Ollama's own API.
 * https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import { readOllamaAnswer } from './ollama-answer.ts';
import { OLLAMA_MESSAGE_PLAN, readOllamaMessage } from './ollama-message.ts';
import { OLLAMA_REQUEST_MEMBERS, setOllamaOptions } from './ollama-options.ts';
import { readConversationRequest } from './request-messages.ts';
import { addNestedToolDefinition, toolDefinitionPlan } from './tool-definition.ts';
import type { CallContext, RequestReader, WireApiReader } from './wire-api.ts';

function requestPlan(isContentOn: boolean): JsonPlan {
  return {
    keep: 'all',
    fields: new Map<string, JsonPlan>([
      ...OLLAMA_REQUEST_MEMBERS,
      // Chats of web pages have the same path and an id.
      ['id', { keep: 'all', fields: new Map() }],
      ['messages', { keep: 'all', emit: 'message', items: OLLAMA_MESSAGE_PLAN }],
      [
        'tools',
        { keep: 'all', emit: 'tool', items: toolDefinitionPlan('parameters', isContentOn) },
      ],
    ]),
  };
}

const REQUEST_PLAN = requestPlan(false);
const REQUEST_PLAN_WITH_CONTENT = requestPlan(true);

export const ollamaChat: WireApiReader = {
  api: 'ollama.chat',
  operation: 'chat',
  provider: 'ollama',
  matches: ({ path }) => path.endsWith('/api/chat'),
  readRequest,
  readAnswer: readOllamaAnswer,
};

function readRequest(context: CallContext): RequestReader {
  const { call } = context;
  return readConversationRequest(context, {
    plan: REQUEST_PLAN,
    planWithContent: REQUEST_PLAN_WITH_CONTENT,
    readMessage: readOllamaMessage,
    addTool: addNestedToolDefinition,
    end(body, isWhole) {
      setOllamaOptions(call.request, body);
      // Without messages the model is only loaded, or unloaded.
      const hasMessages = call.request.fingerprints.length > 0 || !isWhole;
      return call.request.model !== undefined && body.id === undefined && hasMessages;
    },
  });
}
