/**
 * A message of the messages API, of a request and of an answer alike: a role and content blocks.
 * https://docs.anthropic.com/en/api/messages
 */
import { type JsonPlan, textPrefix } from '../util/json-scanner.ts';
import type { ContentKeeper } from './content-keeper.ts';
import { asArray, asName, asObject, type JsonObject } from './json-access.ts';
import type { Part } from './model-call.ts';
import { argumentsText, asText } from './openai-message.ts';
import { serverToolCall, serverToolResult } from './server-tool.ts';
import type { WireItem, WireMessage } from './wire-message.ts';

const ALL: JsonPlan = { keep: 'all' };
const TEXT: JsonPlan = { keep: 'text' };

/** A block inside a tool result or a document. */
const INNER_BLOCK: JsonPlan = {
  keep: 'text',
  fields: new Map<string, JsonPlan>([
    ['type', ALL],
    ['source', { keep: 'text', fields: new Map([['type', ALL]]), other: TEXT }],
    ['cache_control', { keep: 'skip' }],
  ]),
  other: TEXT,
};

const BLOCK: JsonPlan = {
  keep: 'text',
  fields: new Map<string, JsonPlan>([
    ['type', ALL],
    ['id', ALL],
    ['name', ALL],
    ['server_name', ALL],
    ['tool_use_id', ALL],
    ['is_error', ALL],
    ['input', { keep: 'raw' }],
    ['source', { keep: 'text', fields: new Map([['type', ALL]]), other: TEXT }],
    [
      'content',
      { keep: 'text', items: INNER_BLOCK, fields: new Map([['type', ALL]]), other: TEXT },
    ],
    ['cache_control', { keep: 'skip' }],
    ['citations', { keep: 'skip' }],
    ['signature', { keep: 'skip' }],
  ]),
  other: TEXT,
};

/** A string, or content blocks. */
export const ANTHROPIC_CONTENT_PLAN: JsonPlan = { keep: 'text', items: BLOCK };

export const ANTHROPIC_MESSAGE_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['role', ALL],
    ['content', ANTHROPIC_CONTENT_PLAN],
  ]),
};

export function readAnthropicMessage(value: unknown): WireMessage {
  const message = asObject(value) ?? {};
  return { role: textPrefix(message.role) ?? '', items: readBlocks(message.content) };
}

/** Content that is a string, a list of blocks, or nothing. */
export function readBlocks(content: unknown): WireItem[] {
  const text = asText(content);
  if (text !== undefined) {
    return [{ kind: 'text', text }];
  }
  const items: WireItem[] = [];
  for (const value of asArray(content) ?? []) {
    const block = asObject(value);
    const item = block && readBlock(block);
    if (item !== undefined) {
      items.push(item);
    }
  }
  return items;
}

/** One whole content block. */
export function readBlock(block: JsonObject): WireItem | undefined {
  const type = asName(block.type) ?? 'unknown';
  switch (type) {
    case 'text': {
      const text = asText(block.text);
      return text === undefined ? undefined : { kind: 'text', text };
    }
    case 'thinking': {
      const text = asText(block.thinking);
      return text === undefined ? undefined : { kind: 'reasoning', text };
    }
    case 'tool_use': {
      const item: WireItem = {
        kind: 'tool_call',
        name: textPrefix(block.name) ?? '',
        argumentsText: argumentsText(block.input),
      };
      const id = asName(block.id);
      return id === undefined ? item : { ...item, id };
    }
    case 'tool_result': {
      const item: WireItem = { kind: 'tool_result', items: readBlocks(block.content) };
      const id = asName(block.tool_use_id);
      if (id !== undefined) {
        item.id = id;
      }
      if (typeof block.is_error === 'boolean') {
        item.isError = block.is_error;
      }
      return item;
    }
    default:
      return { kind: 'other', value: block, toPart: (content) => otherPart(type, block, content) };
  }
}

function otherPart(type: string, block: JsonObject, content: ContentKeeper): Part {
  if (type === 'image' || type === 'document') {
    const source = asObject(block.source);
    const part = source && sourcePart(type, source, content);
    if (part !== undefined) {
      return part;
    }
  }
  if (type === 'server_tool_use' || type === 'mcp_tool_use') {
    return serverToolCall(block, block.id, content);
  }
  if (type.endsWith('_tool_result')) {
    return serverToolResult(type, content.keepValue(block.content), block.tool_use_id);
  }
  return { ...(content.keepValue(block) as JsonObject), type };
}

function sourcePart(
  modality: string,
  source: JsonObject,
  content: ContentKeeper,
): Part | undefined {
  switch (source.type) {
    case 'text':
      return { type: 'text', content: content.keep(asText(source.data) ?? '') };
    case 'base64': {
      const blob: Part = {
        type: 'blob',
        modality,
        content: content.keep(asText(source.data) ?? ''),
      };
      const mimeType = textPrefix(source.media_type);
      return mimeType === undefined ? blob : { ...blob, mime_type: mimeType };
    }
    case 'url':
      return { type: 'uri', modality, uri: content.keep(asText(source.url) ?? '') };
    case 'file':
      return { type: 'file', modality, file_id: content.keep(asText(source.file_id) ?? '') };
    default:
      return undefined;
  }
}
