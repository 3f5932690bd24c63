/**
 * A step of Gemini's interactions, of a request's input and of an answer alike; a content may stand where a step is
 * expected.
 * https://ai.google.dev/api/interactions-api#Resource:Step
 */
import { type JsonPlan, RawJson, textPrefix } from '../util/json-scanner.ts';
import type { ContentKeeper } from './content-keeper.ts';
import { geminiRole } from './gemini-content.ts';
import { asArray, asName, asObject, type JsonObject } from './json-access.ts';
import type { Part } from './model-call.ts';
import { argumentsText, asText } from './openai-message.ts';
import { withId } from './server-tool.ts';
import { partsOf, type WireItem, type WireMessage } from './wire-message.ts';

const ALL: JsonPlan = { keep: 'all' };
const TEXT: JsonPlan = { keep: 'text' };
const RAW: JsonPlan = { keep: 'raw' };
const SKIP: JsonPlan = { keep: 'skip' };

const CONTENT_MEMBERS: readonly (readonly [string, JsonPlan])[] = [
  ['type', ALL],
  ['text', TEXT],
  ['mime_type', ALL],
  ['data', TEXT],
  ['uri', TEXT],
  // Citations.
  ['annotations', SKIP],
];

/** A text, or a list of contents whose types must be known even when their content is not kept. */
const CONTENTS: JsonPlan = {
  keep: 'text',
  items: { keep: 'text', fields: new Map(CONTENT_MEMBERS), other: TEXT },
};

/** How a step is read from a JSON body. */
export const GEMINI_STEP_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ...CONTENT_MEMBERS,
    ['role', ALL],
    ['id', ALL],
    ['call_id', ALL],
    ['name', ALL],
    ['is_error', ALL],
    ['arguments', RAW],
    ['result', RAW],
    ['content', CONTENTS],
    ['summary', CONTENTS],
    ['error', ALL],
    ['signature', SKIP],
  ]),
  other: TEXT,
};

/** Who a step is of, and what it is made of. */
export function readGeminiStep(value: unknown): WireMessage {
  const step = asObject(value) ?? {};
  const type = asName(step.type);
  switch (type) {
    case undefined:
      // The steps of the API's first version had a role instead.
      return { role: geminiRole(step.role), items: readGeminiContents(step.content) };
    case 'user_input':
      return { role: 'user', items: readGeminiContents(step.content) };
    case 'model_output':
      return { role: 'assistant', items: readGeminiContents(step.content) };
    case 'thought':
      return { role: 'assistant', items: readGeminiContents(step.summary).map(asReasoning) };
    case 'function_call':
      return { role: 'assistant', items: [functionCall(step)] };
    case 'function_result':
      return { role: 'tool', items: [functionResult(step)] };
    case 'text':
    case 'image':
    case 'audio':
    case 'video':
    case 'document':
      return { role: 'user', items: readGeminiContents([step]) };
    default: {
      const toPart = (content: ContentKeeper): Part => providersPart(type, step, content);
      return { role: 'assistant', items: [{ kind: 'other', value: step, toPart }] };
    }
  }
}

/** What a step adds to an answer: nothing of what it repeats of the request. */
export function readAnsweredStep(value: unknown): WireItem[] {
  const { role, items } = readGeminiStep(value);
  if (asObject(value)?.type === 'user_input') {
    return [];
  }
  // A result in an answer is that of a tool which was run where the model runs.
  return role === 'tool' ? items.map(ownResult) : items;
}

function ownResult(item: WireItem): WireItem {
  return { kind: 'other', value: item, toPart: (content) => partsOf([item], content)[0]! };
}

/** A text, or a list of contents. */
function readGeminiContents(value: unknown): WireItem[] {
  const text = asText(value);
  if (text !== undefined) {
    return [{ kind: 'text', text }];
  }
  const items: WireItem[] = [];
  for (const entry of asArray(value) ?? []) {
    const item = readGeminiContent(asObject(entry) ?? {});
    if (item !== undefined) {
      items.push(item);
    }
  }
  return items;
}

/** Undefined for a text that is empty. */
export function readGeminiContent(content: JsonObject): WireItem | undefined {
  const type = asName(content.type) ?? 'text';
  if (type === 'text') {
    const text = asText(content.text);
    return text === undefined ? undefined : { kind: 'text', text };
  }
  return { kind: 'other', value: content, toPart: (keeper) => mediaPart(type, content, keeper) };
}

/** A summary of a thought, whose texts are reasoning. */
export function asReasoning(item: WireItem): WireItem {
  return item.kind === 'text' ? { ...item, kind: 'reasoning' } : item;
}

function functionCall(step: JsonObject): WireItem {
  const item: WireItem = {
    kind: 'tool_call',
    name: textPrefix(step.name) ?? '',
    argumentsText: argumentsText(step.arguments),
  };
  const id = asName(step.id);
  return id === undefined ? item : { ...item, id };
}

function functionResult(step: JsonObject): WireItem {
  const item: WireItem = { kind: 'tool_result', items: readResult(step.result) };
  const id = asName(step.call_id);
  if (id !== undefined) {
    item.id = id;
  }
  if (typeof step.is_error === 'boolean') {
    item.isError = step.is_error;
  }
  return item;
}

/** A text, a list of contents, or any other JSON. */
function readResult(result: unknown): WireItem[] {
  const contents = asArray(result instanceof RawJson ? parsedList(result) : result);
  if (contents?.every((content) => asName(asObject(content)?.type) !== undefined)) {
    return readGeminiContents(contents);
  }
  const text = argumentsText(result);
  return text === '' ? [] : [{ kind: 'text', text }];
}

function parsedList({ text, complete }: RawJson): unknown {
  return complete && text.startsWith('[') ? (JSON.parse(text) as unknown) : undefined;
}

function mediaPart(type: string, content: JsonObject, keeper: ContentKeeper): Part {
  const data = asText(content.data);
  const uri = asText(content.uri);
  if (data === undefined && uri === undefined) {
    return { ...(keeper.keepValue(content) as JsonObject), type };
  }
  const part: Part =
    data === undefined
      ? { type: 'uri', modality: type, uri: keeper.keep(uri!) }
      : { type: 'blob', modality: type, content: keeper.keep(data) };
  const mimeType = asName(content.mime_type);
  return mimeType === undefined ? part : { ...part, mime_type: mimeType };
}

/** What the provider did itself, and everything that is newer than this. */
function providersPart(type: string, step: JsonObject, content: ContentKeeper): Part {
  const { id, call_id, type: _, signature: __, ...rest } = step;
  const kept = content.keepValue(rest) as JsonObject;
  if (type.endsWith('_call')) {
    const part: Part = {
      type: 'server_tool_call',
      name: textPrefix(step.name) ?? type.slice(0, -'_call'.length),
      server_tool_call: { ...kept, type },
    };
    return withId(part, id);
  }
  if (type.endsWith('_result')) {
    const part: Part = {
      type: 'server_tool_call_response',
      server_tool_call_response: { ...kept, type },
    };
    return withId(part, call_id);
  }
  return { ...kept, type };
}
