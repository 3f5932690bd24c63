/** Parts of a message for a tool that the provider runs itself: what it was called with, and what it gave. */
import { textPrefix } from '../util/json-scanner.ts';
import type { ContentKeeper } from './content-keeper.ts';
import { asName, type JsonObject } from './json-access.ts';
import type { Part } from './model-call.ts';
import { argumentsText } from './openai-message.ts';

/** `called` has the tool's `name` and `input`. */
export function serverToolCall(called: JsonObject, id: unknown, content: ContentKeeper): Part {
  const name = textPrefix(called.name) ?? '';
  const input = content.keep(argumentsText(called.input));
  return withId({ type: 'server_tool_call', name, server_tool_call: { type: name, input } }, id);
}

/** `result` is already cut to what is kept. */
export function serverToolResult(type: unknown, result: unknown, id: unknown): Part {
  const said = { type, content: result };
  return withId({ type: 'server_tool_call_response', server_tool_call_response: said }, id);
}

export function withId(part: Part, id: unknown): Part {
  const name = asName(id);
  return name === undefined ? part : { ...part, id: name };
}
