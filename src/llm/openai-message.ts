/**
 * A message of the chat completions API, of a request and of an answer alike.
 * https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages
 */
import { CutText, type JsonPlan, RawJson, textPrefix } from '../util/json-scanner.ts';
import type { ContentKeeper, Text } from './content-keeper.ts';
import { asArray, asName, asObject, type JsonObject } from './json-access.ts';
import type { Part } from './model-call.ts';
import type { WireItem, WireMessage } from './wire-message.ts';

const ALL: JsonPlan = { keep: 'all' };
const TEXT: JsonPlan = { keep: 'text' };
const RAW: JsonPlan = { keep: 'raw' };

/** A string, or a list of parts whose types must be known even when their content is not kept. */
export const OPENAI_CONTENT_PLAN: JsonPlan = {
  keep: 'text',
  items: { keep: 'text', fields: new Map([['type', ALL]]), other: TEXT },
};

const FUNCTION: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['name', ALL],
    ['arguments', RAW],
  ]),
};

/** `custom` is a tool that takes plain text instead of JSON. */
const CUSTOM: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['name', ALL],
    ['input', ALL],
  ]),
};

const TOOL_CALL: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['id', ALL],
    ['type', ALL],
    ['index', ALL],
    ['function', FUNCTION],
    ['custom', CUSTOM],
  ]),
};

/** How a message is read from a JSON body. */
export const OPENAI_MESSAGE_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['role', ALL],
    ['name', ALL],
    ['content', OPENAI_CONTENT_PLAN],
    ['refusal', TEXT],
    ['reasoning_content', TEXT],
    ['reasoning', TEXT],
    // The sound itself is not kept.
    ['audio', { keep: 'all', fields: new Map([['transcript', TEXT]]) }],
    // OpenRouter's.
    ['images', OPENAI_CONTENT_PLAN],
    ['tool_calls', { keep: 'all', items: TOOL_CALL }],
    ['function_call', FUNCTION],
    ['tool_call_id', ALL],
  ]),
};

/** Roles whose messages are tool results; `function` is the older one. */
const RESULT_ROLES: ReadonlySet<string> = new Set(['tool', 'function']);

/** What a message is made of. */
export function readOpenAiMessage(value: unknown): WireMessage {
  const message = asObject(value) ?? {};
  const role = textPrefix(message.role) ?? '';
  const result: WireMessage = { role, items: [] };
  const name = asName(message.name);
  if (name !== undefined) {
    result.name = name;
  }
  const contentItems = readContent(message.content);
  if (RESULT_ROLES.has(role)) {
    const item: WireItem = { kind: 'tool_result', items: contentItems };
    const id = asName(message.tool_call_id);
    result.items.push(id === undefined ? item : { ...item, id });
    return result;
  }
  const reasoning = asText(message.reasoning_content) ?? asText(message.reasoning);
  // Lists of the wire may be longer than what a function takes as its arguments.
  result.items =
    reasoning === undefined
      ? contentItems
      : [{ kind: 'reasoning', text: reasoning }, ...contentItems];
  const refusal = asText(message.refusal);
  if (refusal !== undefined) {
    result.items.push({ kind: 'refusal', text: refusal });
  }
  const spoken = asText(asObject(message.audio)?.transcript);
  if (spoken !== undefined) {
    // Clients repeat what was spoken by its id alone: as a text it would tell the two apart.
    const toPart = (content: ContentKeeper): Part => ({
      type: 'text',
      content: content.keep(spoken),
    });
    result.items.push({ kind: 'other', value: spoken, toPart });
  }
  result.items = [...result.items, ...readContent(message.images)];
  for (const call of asArray(message.tool_calls) ?? []) {
    const item = readToolCall(asObject(call));
    if (item !== undefined) {
      result.items.push(item);
    }
  }
  const legacy = asObject(message.function_call);
  if (legacy !== undefined && !saysNothing(legacy)) {
    result.items.push(toolCall(undefined, legacy, legacy.arguments));
  }
  return result;
}

/** A content that is a string, a list of parts, or nothing. */
export function readContent(content: unknown): WireItem[] {
  const text = asText(content);
  if (text !== undefined) {
    return [{ kind: 'text', text }];
  }
  const items: WireItem[] = [];
  for (const part of asArray(content) ?? []) {
    const item = readPart(part);
    if (item !== undefined) {
      items.push(item);
    }
  }
  return items;
}

function readPart(value: unknown): WireItem | undefined {
  const direct = asText(value);
  if (direct !== undefined) {
    return { kind: 'text', text: direct };
  }
  const part = asObject(value);
  if (part === undefined) {
    return undefined;
  }
  const text = asText(part.text);
  switch (part.type) {
    case 'text':
    case 'input_text':
    case 'output_text':
      return text === undefined ? undefined : { kind: 'text', text };
    case 'refusal': {
      const refusal = asText(part.refusal);
      return refusal === undefined ? undefined : { kind: 'refusal', text: refusal };
    }
    case 'reasoning_text':
    case 'summary_text':
      return text === undefined ? undefined : { kind: 'reasoning', text };
    case 'thinking':
      return readThinking(part.thinking);
    default: {
      const type = asName(part.type) ?? 'unknown';
      return { kind: 'other', value: part, toPart: (content) => otherPart(type, part, content) };
    }
  }
}

/** Mistral's reasoning: a list of texts inside a part. */
function readThinking(thinking: unknown): WireItem | undefined {
  const direct = asText(thinking);
  if (direct !== undefined) {
    return { kind: 'reasoning', text: direct };
  }
  const texts: string[] = [];
  for (const piece of asArray(thinking) ?? []) {
    texts.push(textPrefix(asObject(piece)?.text) ?? '');
  }
  const text = texts.join('');
  return text.length === 0 ? undefined : { kind: 'reasoning', text };
}

function otherPart(type: string, part: JsonObject, content: ContentKeeper): Part {
  switch (type) {
    case 'image_url':
      return linkPart('image', asObject(part.image_url)?.url ?? part.image_url, content);
    case 'input_image': {
      const fileId = textPrefix(part.file_id);
      return fileId === undefined
        ? linkPart('image', part.image_url, content)
        : { type: 'file', modality: 'image', file_id: content.keep(fileId) };
    }
    case 'input_file': {
      const fileId = textPrefix(part.file_id);
      return fileId === undefined
        ? linkPart('document', part.file_data ?? part.file_url, content)
        : { type: 'file', modality: 'document', file_id: content.keep(fileId) };
    }
    case 'video_url':
      return linkPart('video', asObject(part.video_url)?.url ?? part.video_url, content);
    case 'input_audio': {
      const audio = asObject(part.input_audio);
      const format = textPrefix(audio?.format);
      const blob: Part = {
        type: 'blob',
        modality: 'audio',
        content: content.keep(asText(audio?.data) ?? ''),
      };
      if (format !== undefined) {
        blob.mime_type = `audio/${format}`;
      }
      return blob;
    }
    case 'file': {
      const file = asObject(part.file);
      const fileId = textPrefix(file?.file_id);
      return fileId === undefined
        ? linkPart('document', file?.file_data, content)
        : { type: 'file', modality: 'document', file_id: content.keep(fileId) };
    }
    default:
      return { ...(content.keepValue(part) as JsonObject), type };
  }
}

const DATA_URL = /^data:([^;,]*)[^,]*,/i;

/** A URL, or the data that a data: URL (RFC 2397) holds. */
function linkPart(modality: string, value: unknown, content: ContentKeeper): Part {
  const url = content.keep(asText(value) ?? '');
  const data = DATA_URL.exec(url);
  if (data === null) {
    return { type: 'uri', modality, uri: url };
  }
  const blob: Part = { type: 'blob', modality, content: url.slice(data[0].length) };
  const mimeType = data[1] ?? '';
  if (mimeType !== '') {
    blob.mime_type = mimeType;
  }
  return blob;
}

function readToolCall(call: JsonObject | undefined): WireItem | undefined {
  if (call === undefined) {
    return undefined;
  }
  const called = calledOf(call);
  return called && toolCall(call.id, called, called.arguments ?? called.input);
}

/** What is called: a function, or a tool that takes plain text. Some servers write both, the other one empty. */
export function calledOf(call: JsonObject): JsonObject | undefined {
  const custom = asObject(call.custom);
  return custom === undefined || saysNothing(custom) ? asObject(call.function) : custom;
}

/** A call whose members are all there, and empty. */
export function saysNothing({ name, arguments: given, input }: JsonObject): boolean {
  return !textPrefix(name) && argumentsText(given) === '' && argumentsText(input) === '';
}

function toolCall(id: unknown, called: JsonObject, given: unknown): WireItem {
  const item: WireItem = {
    kind: 'tool_call',
    name: textPrefix(called.name) ?? '',
    argumentsText: argumentsText(given),
  };
  const name = asName(id);
  return name === undefined ? item : { ...item, id: name };
}

/** Arguments as JSON text, also where they are an object (Ollama) instead of a string. */
export function argumentsText(given: unknown): string {
  if (given instanceof RawJson) {
    return given.text;
  }
  const text = textPrefix(given);
  if (text !== undefined) {
    return text;
  }
  return typeof given === 'object' && given !== null ? JSON.stringify(given) : '';
}

/** A text that is not empty. */
export function asText(value: unknown): Text | undefined {
  return value instanceof CutText ? value : asName(value);
}
