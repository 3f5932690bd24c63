/**
 * A message of Bedrock's Converse, of a request and of an answer alike: a role and content blocks.
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
 */
import { type JsonPlan, textPrefix } from '../util/json-scanner.ts';
import type { ContentKeeper } from './content-keeper.ts';
import { asArray, asName, asObject, type JsonObject } from './json-access.ts';
import type { Part } from './model-call.ts';
import { argumentsText, asText } from './openai-message.ts';
import { serverToolCall, serverToolResult } from './server-tool.ts';
import { partsOf, type WireItem, type WireMessage } from './wire-message.ts';

const ALL: JsonPlan = { keep: 'all' };
const TEXT: JsonPlan = { keep: 'text' };
const RAW: JsonPlan = { keep: 'raw' };
const SKIP: JsonPlan = { keep: 'skip' };

const MEDIUM: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['format', ALL],
    ['name', TEXT],
    [
      'source',
      {
        keep: 'all',
        fields: new Map<string, JsonPlan>([
          ['bytes', TEXT],
          ['text', TEXT],
          ['s3Location', { keep: 'all', fields: new Map([['uri', TEXT]]) }],
        ]),
      },
    ],
  ]),
};

const MEDIA: readonly (readonly [string, JsonPlan])[] = [
  ['image', MEDIUM],
  ['document', MEDIUM],
  ['video', MEDIUM],
  ['audio', MEDIUM],
];

const TOOL_RESULT: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['toolUseId', ALL],
    ['type', ALL],
    ['status', ALL],
    [
      'content',
      {
        keep: 'all',
        items: {
          keep: 'text',
          fields: new Map<string, JsonPlan>([['text', TEXT], ['json', RAW], ...MEDIA]),
          other: TEXT,
        },
      },
    ],
  ]),
};

/** What a tool is called with, also where it is a record of a stream. */
const TOOL_USE: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['toolUseId', ALL],
    ['name', ALL],
    ['type', ALL],
    ['input', RAW],
  ]),
};

/** Members of a content block, each of which is the only one of its block. */
export const CONVERSE_BLOCK_MEMBERS: readonly (readonly [string, JsonPlan])[] = [
  ['text', TEXT],
  ['toolUse', TOOL_USE],
  ['toolResult', TOOL_RESULT],
  [
    'reasoningContent',
    {
      keep: 'all',
      fields: new Map([['reasoningText', { keep: 'all', fields: new Map([['text', TEXT]]) }]]),
    },
  ],
  ['cachePoint', SKIP],
  ...MEDIA,
];

export const CONVERSE_CONTENT_PLAN: JsonPlan = {
  keep: 'text',
  items: { keep: 'text', fields: new Map(CONVERSE_BLOCK_MEMBERS), other: TEXT },
};

export const CONVERSE_MESSAGE_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['role', ALL],
    ['content', CONVERSE_CONTENT_PLAN],
  ]),
};

export function readConverseMessage(value: unknown): WireMessage {
  const message = asObject(value) ?? {};
  return { role: textPrefix(message.role) ?? '', items: readConverseBlocks(message.content) };
}

export function readConverseBlocks(content: unknown): WireItem[] {
  const items: WireItem[] = [];
  for (const value of asArray(content) ?? []) {
    const block = asObject(value);
    const item = block && readConverseBlock(block);
    if (item !== undefined) {
      items.push(item);
    }
  }
  return items;
}

/** One whole content block; undefined for one that says nothing. */
export function readConverseBlock(block: JsonObject): WireItem | undefined {
  const text = asText(block.text);
  if (text !== undefined) {
    return { kind: 'text', text };
  }
  const called = asObject(block.toolUse);
  if (called?.type === SERVER_TOOL_USE) {
    return {
      kind: 'other',
      value: block,
      toPart: (content) => serverToolCall(called, called.toolUseId, content),
    };
  }
  if (called !== undefined) {
    const item: WireItem = {
      kind: 'tool_call',
      name: textPrefix(called.name) ?? '',
      argumentsText: argumentsText(called.input),
    };
    const id = asName(called.toolUseId);
    return id === undefined ? item : { ...item, id };
  }
  const answered = asObject(block.toolResult);
  if (answered !== undefined && isOfServer(answered)) {
    return { kind: 'other', value: block, toPart: (content) => serverResult(answered, content) };
  }
  if (answered !== undefined) {
    return toolResult(answered);
  }
  const reasoning = asText(asObject(asObject(block.reasoningContent)?.reasoningText)?.text);
  if (reasoning !== undefined) {
    return { kind: 'reasoning', text: reasoning };
  }
  if (Object.keys(block).length === 0 || block.text !== undefined) {
    // A cache point, or an empty text.
    return undefined;
  }
  return { kind: 'other', value: block, toPart: (content) => otherPart(block, content) };
}

/** What a tool that the service runs itself is marked with; its result has a type of its own. */
export const SERVER_TOOL_USE = 'server_tool_use';

export function isOfServer({ type }: JsonObject): boolean {
  return typeof type === 'string' && type !== 'tool_result';
}

function serverResult(answered: JsonObject, content: ContentKeeper): Part {
  const result = partsOf(resultItems(answered), content);
  return serverToolResult(answered.type, result, answered.toolUseId);
}

function resultItems(answered: JsonObject): WireItem[] {
  const items: WireItem[] = [];
  for (const value of asArray(answered.content) ?? []) {
    const block = asObject(value);
    const json = block?.json;
    const item =
      json === undefined
        ? block && readConverseBlock(block)
        : ({
            kind: 'text',
            text: typeof json === 'object' ? argumentsText(json) : String(json),
          } as const);
    if (item !== undefined) {
      items.push(item);
    }
  }
  return items;
}

function toolResult(answered: JsonObject): WireItem {
  const result: WireItem = { kind: 'tool_result', items: resultItems(answered) };
  const id = asName(answered.toolUseId);
  if (id !== undefined) {
    result.id = id;
  }
  if (typeof answered.status === 'string') {
    result.isError = answered.status === 'error';
  }
  return result;
}

function otherPart(block: JsonObject, content: ContentKeeper): Part {
  const type = Object.keys(block)[0] ?? 'unknown';
  const medium = asObject(block[type]);
  const source = asObject(medium?.source);
  const format = textPrefix(medium?.format);
  const typed = format === undefined ? {} : { mime_type: mimeType(type, format) };
  const text = asText(source?.text);
  if (text !== undefined) {
    return { type: 'text', content: content.keep(text) };
  }
  const bytes = asText(source?.bytes);
  if (bytes !== undefined) {
    return { type: 'blob', modality: type, content: content.keep(bytes), ...typed };
  }
  const uri = asText(asObject(source?.s3Location)?.uri);
  if (uri !== undefined) {
    return { type: 'uri', modality: type, uri: content.keep(uri), ...typed };
  }
  return { ...(content.keepValue(block) as JsonObject), type };
}

/** Media types of the formats that are named by an ending. https://www.iana.org/assignments/media-types */
const DOCUMENT_TYPES: ReadonlyMap<string, string> = new Map([
  ['pdf', 'application/pdf'],
  ['csv', 'text/csv'],
  ['html', 'text/html'],
  ['txt', 'text/plain'],
  ['md', 'text/markdown'],
  ['doc', 'application/msword'],
  ['docx', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'],
  ['xls', 'application/vnd.ms-excel'],
  ['xlsx', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
]);

function mimeType(modality: string, format: string): string {
  return DOCUMENT_TYPES.get(format) ?? `${modality}/${format}`;
}
