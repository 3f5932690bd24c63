/**
 * A content of Gemini's API, of a request and of an answer alike: a role and parts.
 * https://ai.google.dev/api/caching#Content
 */
import { type JsonPlan, textPrefix } from '../util/json-scanner.ts';
import type { ContentKeeper } from './content-keeper.ts';
import { asArray, asName, asObject, type JsonObject } from './json-access.ts';
import type { Part } from './model-call.ts';
import { argumentsText, asText } from './openai-message.ts';
import type { WireItem, WireMessage } from './wire-message.ts';

const ALL: JsonPlan = { keep: 'all' };
const TEXT: JsonPlan = { keep: 'text' };
const RAW: JsonPlan = { keep: 'raw' };
const SKIP: JsonPlan = { keep: 'skip' };

function plan(...members: readonly (readonly [string, JsonPlan])[]): JsonPlan {
  return { keep: 'all', fields: new Map(members) };
}

const FUNCTION_CALL = plan(
  ['id', ALL],
  ['name', ALL],
  ['args', RAW],
  ['partialArgs', ALL],
  ['willContinue', ALL],
);
const FUNCTION_RESPONSE = plan(['id', ALL], ['name', ALL], ['response', RAW]);
const INLINE_DATA = plan(['mimeType', ALL], ['mime_type', ALL], ['data', TEXT]);
const FILE_DATA = plan(
  ['mimeType', ALL],
  ['mime_type', ALL],
  ['fileUri', TEXT],
  ['file_uri', TEXT],
);
const CODE = plan(['language', ALL], ['code', TEXT]);
const CODE_RESULT = plan(['outcome', ALL], ['output', TEXT]);

/** Members are in camel case; the service takes them in snake case, too. */
const PART: JsonPlan = {
  keep: 'text',
  fields: new Map<string, JsonPlan>([
    ['text', TEXT],
    ['thought', ALL],
    ['functionCall', FUNCTION_CALL],
    ['function_call', FUNCTION_CALL],
    ['functionResponse', FUNCTION_RESPONSE],
    ['function_response', FUNCTION_RESPONSE],
    ['inlineData', INLINE_DATA],
    ['inline_data', INLINE_DATA],
    ['fileData', FILE_DATA],
    ['file_data', FILE_DATA],
    ['executableCode', CODE],
    ['executable_code', CODE],
    ['codeExecutionResult', CODE_RESULT],
    ['code_execution_result', CODE_RESULT],
    ['thoughtSignature', SKIP],
    ['thought_signature', SKIP],
  ]),
  other: TEXT,
};

/** How a content is read from a JSON body. */
export const GEMINI_CONTENT_PLAN: JsonPlan = {
  keep: 'text',
  fields: new Map<string, JsonPlan>([
    ['role', ALL],
    ['parts', { keep: 'text', items: PART }],
  ]),
};

/** Plan of the contents in a record of a stream: all of it, with the arguments of tool calls as they are. */
export const GEMINI_RECORD_CONTENT_PLAN: JsonPlan = {
  keep: 'all',
  other: ALL,
  fields: new Map<string, JsonPlan>([
    [
      'parts',
      {
        keep: 'all',
        items: {
          keep: 'all',
          other: ALL,
          fields: new Map([['functionCall', { ...FUNCTION_CALL, other: ALL }]]),
        },
      },
    ],
  ]),
};

/** The names that the conventions have for the roles. */
export function geminiRole(role: unknown): string {
  const name = textPrefix(role) ?? '';
  switch (name) {
    case 'model':
      return 'assistant';
    case 'function':
      return 'tool';
    case '':
      return 'user';
    default:
      return name;
  }
}

export function readGeminiContent(value: unknown): WireMessage {
  const content = asObject(value);
  return { role: geminiRole(content?.role), items: readGeminiParts(content?.parts) };
}

export function readGeminiParts(value: unknown): WireItem[] {
  const items: WireItem[] = [];
  // The service takes one part without a list.
  for (const entry of asArray(value) ?? [value]) {
    const text = asText(entry);
    const part = asObject(entry);
    const item: WireItem | undefined =
      text === undefined ? part && readGeminiPart(part) : { kind: 'text', text };
    if (item !== undefined) {
      items.push(item);
    }
  }
  return items;
}

/** One whole part; undefined for one that says nothing. */
export function readGeminiPart(part: JsonObject): WireItem | undefined {
  const text = asText(part.text);
  if (text !== undefined) {
    return { kind: part.thought === true ? 'reasoning' : 'text', text };
  }
  const called = asObject(part.functionCall ?? part.function_call);
  if (called !== undefined) {
    const item: WireItem = {
      kind: 'tool_call',
      name: textPrefix(called.name) ?? '',
      argumentsText: argumentsText(called.args),
    };
    const id = asName(called.id);
    return id === undefined ? item : { ...item, id };
  }
  const answered = asObject(part.functionResponse ?? part.function_response);
  if (answered !== undefined) {
    const response = argumentsText(answered.response);
    const item: WireItem = {
      kind: 'tool_result',
      items: response === '' ? [] : [{ kind: 'text', text: response }],
    };
    const id = asName(answered.id);
    return id === undefined ? item : { ...item, id };
  }
  if (part.text !== undefined) {
    // An empty text, as streams end with.
    return undefined;
  }
  return { kind: 'other', value: part, toPart: (content) => otherPart(part, content) };
}

function otherPart(part: JsonObject, content: ContentKeeper): Part {
  const data = asObject(part.inlineData ?? part.inline_data);
  if (data !== undefined) {
    const blob: Part = {
      type: 'blob',
      modality: '',
      content: content.keep(asText(data.data) ?? ''),
    };
    return withMimeType(blob, data);
  }
  const file = asObject(part.fileData ?? part.file_data);
  if (file !== undefined) {
    const uri = content.keep(asText(file.fileUri ?? file.file_uri) ?? '');
    return withMimeType({ type: 'uri', modality: '', uri }, file);
  }
  const code = asObject(part.executableCode ?? part.executable_code);
  if (code !== undefined) {
    return {
      type: 'server_tool_call',
      name: 'code_execution',
      server_tool_call: { type: 'code_execution', ...keptMembers(code, content) },
    };
  }
  const result = asObject(part.codeExecutionResult ?? part.code_execution_result);
  if (result !== undefined) {
    return {
      type: 'server_tool_call_response',
      server_tool_call_response: { type: 'code_execution', ...keptMembers(result, content) },
    };
  }
  const type = Object.keys(part)[0] ?? 'unknown';
  return { ...keptMembers(part, content), type };
}

function keptMembers(value: JsonObject, content: ContentKeeper): JsonObject {
  return content.keepValue(value) as JsonObject;
}

/** The modality is that of the type's first half; what is neither image, audio nor video is a document. */
function withMimeType(part: Part, source: JsonObject): Part {
  const mimeType = asName(source.mimeType ?? source.mime_type);
  const family = mimeType?.split('/')[0];
  const isMedium = family === 'image' || family === 'audio' || family === 'video';
  const typed = { ...part, modality: isMedium ? family : 'document' };
  return mimeType === undefined ? typed : { ...typed, mime_type: mimeType };
}
