/**
 * Completion of a prompt in Ollama's own API.
 * https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-completion
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import { asObject } from './json-access.ts';
import { readOllamaAnswer } from './ollama-answer.ts';
import { imagesOf } from './ollama-message.ts';
import { OLLAMA_REQUEST_MEMBERS, setOllamaOptions } from './ollama-options.ts';
import { asText } from './openai-message.ts';
import { createRequestMessages } from './request-messages.ts';
import type { CallContext, RequestReader, WireApiReader } from './wire-api.ts';
import { partsOf, type WireItem, type WireMessage } from './wire-message.ts';

const TEXT: JsonPlan = { keep: 'text' };

const REQUEST_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ...OLLAMA_REQUEST_MEMBERS,
    ['prompt', TEXT],
    ['system', TEXT],
    ['images', TEXT],
  ]),
};

export const ollamaGenerate: WireApiReader = {
  api: 'ollama.generate',
  operation: 'text_completion',
  provider: 'ollama',
  matches: ({ path }) => path.endsWith('/api/generate'),
  readRequest,
  readAnswer: readOllamaAnswer,
};

function readRequest(context: CallContext): RequestReader {
  const { call, content } = context;
  const messages = createRequestMessages(context, readPrompt);
  return {
    plan: REQUEST_PLAN,
    item() {},
    end(root, isWhole) {
      const body = asObject(root) ?? {};
      setOllamaOptions(call.request, body);
      const system = asText(body.system);
      if (content.isOn && system !== undefined) {
        const item: WireItem = { kind: 'text', text: system };
        call.request.systemInstructions = partsOf([item], content);
      }
      const prompt = asText(body.prompt);
      if (prompt !== undefined) {
        messages.add(body, isWhole);
      }
      // Without a prompt the model is only loaded, or unloaded.
      return call.request.model !== undefined && (prompt !== undefined || !isWhole);
    },
  };
}

function readPrompt(value: unknown): WireMessage {
  const body = asObject(value) ?? {};
  const prompt = asText(body.prompt);
  const items: WireItem[] = prompt === undefined ? [] : [{ kind: 'text', text: prompt }];
  return { role: 'user', items: [...items, ...imagesOf(body.images)] };
}
