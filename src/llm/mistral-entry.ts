/**
 * An entry of Mistral's conversations, of a request's inputs and of an answer's outputs alike.
 * https://docs.mistral.ai/api/endpoint/beta/conversations
 */
import { type JsonPlan, textPrefix } from '../util/json-scanner.ts';
import type { ContentKeeper } from './content-keeper.ts';
import { asName, asObject, type JsonObject } from './json-access.ts';
import type { Part } from './model-call.ts';
import { argumentsText, asText, OPENAI_CONTENT_PLAN, readContent } from './openai-message.ts';
import { withId } from './server-tool.ts';
import type { WireItem, WireMessage } from './wire-message.ts';

const ALL: JsonPlan = { keep: 'all' };

/** How an entry is read from a JSON body. */
export const MISTRAL_ENTRY_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['type', ALL],
    ['id', ALL],
    ['model', ALL],
    ['role', ALL],
    ['name', ALL],
    ['tool_call_id', ALL],
    ['content', OPENAI_CONTENT_PLAN],
    ['result', { keep: 'text' }],
    ['arguments', { keep: 'raw' }],
    ['previous_agent_id', ALL],
    ['previous_agent_name', ALL],
    ['next_agent_id', ALL],
    ['next_agent_name', ALL],
    ['info', { keep: 'text' }],
  ]),
};

/** Who an entry is of, and what it is made of. */
export function readMistralEntry(value: unknown): WireMessage {
  const entry = asObject(value) ?? {};
  const type = asName(entry.type);
  switch (type) {
    case undefined:
    case 'message.input':
      return { role: textPrefix(entry.role) ?? 'user', items: readMistralContent(entry.content) };
    case 'message.output':
      return { role: 'assistant', items: readMistralContent(entry.content) };
    case 'function.call': {
      const item: WireItem = {
        kind: 'tool_call',
        name: textPrefix(entry.name) ?? '',
        argumentsText: argumentsText(entry.arguments),
      };
      const id = asName(entry.tool_call_id);
      return { role: 'assistant', items: [id === undefined ? item : { ...item, id }] };
    }
    case 'function.result':
      return { role: 'tool', items: [functionResult(entry)] };
    default: {
      const toPart = (content: ContentKeeper): Part => providersPart(type, entry, content);
      return { role: 'assistant', items: [{ kind: 'other', value: entry, toPart }] };
    }
  }
}

/** A text, a list of parts, or one part; without what it cites. */
export function readMistralContent(content: unknown): WireItem[] {
  const items = readContent(asObject(content) === undefined ? content : [content]);
  return items.filter((item) => item.kind !== 'other' || !isCitation(item.value));
}

function isCitation(part: unknown): boolean {
  const type = asObject(part)?.type;
  return type === 'tool_reference' || type === 'reference';
}

function functionResult(entry: JsonObject): WireItem {
  const text = asText(entry.result);
  const item: WireItem = {
    kind: 'tool_result',
    items: text === undefined ? [] : [{ kind: 'text', text }],
  };
  const id = asName(entry.tool_call_id);
  return id === undefined ? item : { ...item, id };
}

/** A tool that the provider ran, an agent that handed on to another, and everything that is newer than this. */
function providersPart(type: string, entry: JsonObject, content: ContentKeeper): Part {
  const { id, type: _, model: __, name, ...rest } = entry;
  const kept = content.keepValue(rest) as JsonObject;
  if (type !== 'tool.execution') {
    return { ...kept, type };
  }
  const part: Part = {
    type: 'server_tool_call',
    name: textPrefix(name) ?? '',
    server_tool_call: { ...kept, type },
  };
  return withId(part, id);
}
