/**
 * An item of the responses API, of a request's input and of an answer's output alike.
 * https://platform.openai.com/docs/api-reference/responses/create#responses-create-input
 */
import { type JsonPlan, textPrefix } from '../util/json-scanner.ts';
import type { ContentKeeper } from './content-keeper.ts';
import { asArray, asName, asObject, type JsonObject } from './json-access.ts';
import type { Part } from './model-call.ts';
import { argumentsText, OPENAI_CONTENT_PLAN, readContent } from './openai-message.ts';
import type { WireItem } from './wire-message.ts';

const ALL: JsonPlan = { keep: 'all' };
const TEXT: JsonPlan = { keep: 'text' };
const RAW: JsonPlan = { keep: 'raw' };

/** How an item is read from a JSON body. */
export const OPENAI_ITEM_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['type', ALL],
    ['id', ALL],
    ['call_id', ALL],
    ['role', ALL],
    ['status', ALL],
    ['name', ALL],
    ['namespace', ALL],
    ['execution', ALL],
    ['content', OPENAI_CONTENT_PLAN],
    ['summary', OPENAI_CONTENT_PLAN],
    ['output', OPENAI_CONTENT_PLAN],
    ['arguments', RAW],
    ['input', ALL],
    ['action', RAW],
    ['actions', RAW],
    ['operation', RAW],
    ['environment', { keep: 'all', fields: new Map([['type', ALL]]) }],
  ]),
  other: TEXT,
};

/** Who an item is of, and what it is made of. */
export interface OpenAiItem {
  role: string;
  items: WireItem[];
}

export function readOpenAiItem(value: unknown): OpenAiItem {
  const item = asObject(value) ?? {};
  const type = typeOf(item);
  if (type === 'message') {
    return { role: textPrefix(item.role) ?? '', items: readContent(item.content) };
  }
  if (type === 'reasoning') {
    return { role: 'assistant', items: readReasoning(item) };
  }
  const id = asName(item.call_id);
  if (type.endsWith('_output') && (id !== undefined || type === 'local_shell_call_output')) {
    return { role: 'tool', items: [toolResult(item, id ?? asName(item.id))] };
  }
  const name = toolNameOf(item);
  if (name !== undefined) {
    const call: WireItem = { kind: 'tool_call', name, argumentsText: toolArgumentsOf(item) };
    return { role: 'assistant', items: [id === undefined ? call : { ...call, id }] };
  }
  const role = type === 'mcp_approval_response' ? 'user' : 'assistant';
  const toPart = (content: ContentKeeper): Part => otherPart(type, item, content);
  return { role, items: [{ kind: 'other', value: item, toPart }] };
}

/** A message may leave its type out. */
export function typeOf(item: JsonObject): string {
  return asName(item.type) ?? ('role' in item ? 'message' : 'unknown');
}

/**
 * Name of the tool when the item asks the client for a call; undefined for all else, calls that the provider
 * makes itself among it: those have no `call_id`, or say where they run.
 */
export function toolNameOf(item: JsonObject): string | undefined {
  const type = typeOf(item);
  const place = asName(asObject(item.environment)?.type);
  const isElsewhere = (place !== undefined && place !== 'local') || item.execution === 'server';
  const isCall = type.endsWith('_call') && asName(item.call_id) !== undefined && !isElsewhere;
  if (type !== 'function_call' && !isCall) {
    return undefined;
  }
  const name = textPrefix(item.name) ?? (isNamedCall(item) ? '' : type.slice(0, -'_call'.length));
  const namespace = asName(item.namespace);
  return namespace === undefined ? name : qualifiedName(namespace, name);
}

/** A call of a tool that the client has named itself: always the client's to run. */
export function isNamedCall(item: JsonObject): boolean {
  const type = typeOf(item);
  return type === 'function_call' || type === 'custom_tool_call';
}

/** The tools of MCP servers are known as `mcp__SERVER__TOOL` to everyone else. */
export function qualifiedName(namespace: string, name: string): string {
  if (namespace.startsWith('mcp__')) {
    return namespace.endsWith('__') ? namespace + name : `${namespace}__${name}`;
  }
  return `${namespace}.${name}`;
}

/** What a call of the client's tools was given: JSON text, or the plain text of a custom tool. */
export function toolArgumentsOf(item: JsonObject): string {
  return argumentsText(
    item.arguments ?? item.input ?? item.action ?? item.operation ?? item.actions,
  );
}

function readReasoning(item: JsonObject): WireItem[] {
  const items: WireItem[] = [];
  for (const list of [item.summary, item.content]) {
    for (const part of readContent(list)) {
      items.push(part.kind === 'text' ? { kind: 'reasoning', text: part.text } : part);
    }
  }
  return items;
}

function toolResult(item: JsonObject, id: string | undefined): WireItem {
  const result: WireItem = { kind: 'tool_result', items: readOutput(item.output) };
  if (id !== undefined) {
    result.id = id;
  }
  if (item.status === 'failed' || item.status === 'incomplete') {
    result.isError = true;
  }
  return result;
}

/** A text, a list of parts, or a list of what a shell printed. */
function readOutput(output: unknown): WireItem[] {
  const printed = asArray(output)?.map((value) => {
    const part = asObject(value);
    return part === undefined || asName(part.type) !== undefined
      ? readContent([value])
      : [...readContent(part.stdout), ...readContent(part.stderr)];
  });
  return printed?.flat() ?? readContent(output);
}

/** What the provider did itself, and everything that is newer than this. */
function otherPart(type: string, item: JsonObject, content: ContentKeeper): Part {
  const { id, type: _, ...rest } = item;
  const kept = content.keepValue(rest) as JsonObject;
  if (!type.endsWith('_call')) {
    return { ...kept, type };
  }
  const part: Part = {
    type: 'server_tool_call',
    name: textPrefix(item.name) ?? type.slice(0, -'_call'.length),
    server_tool_call: { ...kept, type },
  };
  const name = asName(id);
  return name === undefined ? part : { ...part, id: name };
}
