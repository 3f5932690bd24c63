/**
 * A message of Ollama's chat: OpenAI's shape with images beside the text, and arguments that are objects.
 * https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import { asArray, asObject } from './json-access.ts';
import { asText, OPENAI_MESSAGE_PLAN, readOpenAiMessage } from './openai-message.ts';
import type { WireItem, WireMessage } from './wire-message.ts';

const TEXT: JsonPlan = { keep: 'text' };

export const OLLAMA_MESSAGE_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map([...OPENAI_MESSAGE_PLAN.fields!, ['thinking', TEXT], ['images', TEXT]]),
};

export function readOllamaMessage(value: unknown): WireMessage {
  const message = asObject(value) ?? {};
  const wire = readOpenAiMessage({ ...message, reasoning_content: message.thinking });
  return { ...wire, items: [...wire.items, ...imagesOf(message.images)] };
}

/** Images are base64 without a word on their type. */
export function imagesOf(images: unknown): WireItem[] {
  const items: WireItem[] = [];
  for (const image of asArray(images) ?? []) {
    const data = asText(image);
    if (data !== undefined) {
      items.push({
        kind: 'other',
        value: image,
        toPart: (content) => ({ type: 'blob', modality: 'image', content: content.keep(data) }),
      });
    }
  }
  return items;
}
