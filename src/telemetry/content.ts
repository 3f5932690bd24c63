/**
 * Messages of a call, as the conventions' JSON schemas have them, with credentials masked.
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/gen-ai/gen-ai-input-messages.json
 */

import type { Attributes } from '@opentelemetry/api';
import type { AnyValueMap } from '@opentelemetry/api-logs';
import type { ModelCall, OutputMessage } from '../llm/model-call.ts';
import type { CaptureContent } from './options.ts';
import { Attr } from './semconv.ts';

export interface ContentPolicy {
  isOnSpans: boolean;
  isOnEvents: boolean;
  redact: (text: string) => string;
}

export function contentPolicy(
  mode: CaptureContent = 'NO_CONTENT',
  redact: (text: string) => string = (text) => text,
): ContentPolicy {
  return {
    isOnSpans: mode === 'SPAN_ONLY' || mode === 'SPAN_AND_EVENT',
    isOnEvents: mode === 'EVENT_ONLY' || mode === 'SPAN_AND_EVENT',
    redact,
  };
}

/** Deeper JSON than this is cut: it comes from outside and recursion is bounded by the stack. */
const MAX_DEPTH = 64;

/** Keys whose text values are credentials whatever they look like. */
const SECRET_KEY =
  /^(authorization|cookie|.*(api|access|secret|private)[-_]?key|.*password|.*secret|.*[-_]token|token)$/i;

/** A copy of a JSON value with every text passed through `redact`. */
function redactValue(value: unknown, redact: (text: string) => string, depth = 0): unknown {
  if (typeof value === 'string') {
    return redact(value);
  }
  if (value === null || typeof value !== 'object') {
    return value;
  }
  if (depth >= MAX_DEPTH) {
    return undefined;
  }
  if (Array.isArray(value)) {
    return value.map((item) => redactValue(item, redact, depth + 1));
  }
  // Entries rather than assignment: `__proto__` is an ordinary key of the wire's JSON.
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      typeof item === 'string' && SECRET_KEY.test(key)
        ? '*'.repeat(item.length)
        : redactValue(item, redact, depth + 1),
    ]),
  );
}

/** A string of a JSON text; group 1 is there when it is a key. */
const JSON_STRING = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?/g;

/**
 * JSON text (a tool call's arguments) with credentials masked; text that is no JSON is masked as text. All else
 * stays as it was written: read and written again, a large number would be another one.
 */
export function redactJsonText(text: string, redact: (text: string) => string): string {
  if (!isJson(text)) {
    return redact(text);
  }
  /** End of the last key, when that names a credential. */
  let secretKeyEnd: number | undefined;
  return text.replace(JSON_STRING, (literal: string, colon: string | undefined, at: number) => {
    if (colon !== undefined) {
      const key = JSON.parse(literal.slice(0, -colon.length)) as string;
      secretKeyEnd = SECRET_KEY.test(key) ? at + literal.length : undefined;
      return literal;
    }
    const value = JSON.parse(literal) as string;
    const isSecret = secretKeyEnd !== undefined && text.slice(secretKeyEnd, at).trim() === '';
    secretKeyEnd = undefined;
    const masked = isSecret ? '*'.repeat(value.length) : redact(value);
    return masked === value ? literal : JSON.stringify(masked);
  });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The content attributes of a call, structured. What the call has none of is left out. */
export function callContent(call: ModelCall, redact: (text: string) => string): AnyValueMap {
  const { request, response } = call;
  const content: Record<string, unknown> = {};
  if (request.systemInstructions.length > 0) {
    content[Attr.systemInstructions] = request.systemInstructions;
  }
  if (request.messages.length > 0) {
    content[Attr.inputMessages] = request.messages;
  }
  if (response !== undefined && response.messages.length > 0) {
    content[Attr.outputMessages] = response.messages;
  }
  if (request.toolDefinitions.length > 0) {
    // Description and parameters are not recommended by default: they are long and always the same.
    content[Attr.toolDefinitions] = request.toolDefinitions.map(({ type, name }) => ({
      type,
      name,
    }));
  }
  return redactValue(content, redact) as AnyValueMap;
}

/** Content on a turn: the prompt that began it and the answer that ended it. */
export function turnContent(
  calls: readonly ModelCall[],
  redact: (text: string) => string,
): AnyValueMap {
  const content: Record<string, unknown> = {};
  const prompt = calls[0]?.request.messages.findLast((message) => message.role === 'user');
  if (prompt !== undefined) {
    content[Attr.inputMessages] = [prompt];
  }
  const answer: readonly OutputMessage[] = calls.at(-1)?.response?.messages ?? [];
  if (answer.length > 0) {
    content[Attr.outputMessages] = answer;
  }
  return redactValue(content, redact) as AnyValueMap;
}

/** Spans of this SDK drop structured attributes silently, so there they are JSON text. */
export function putContentText(attributes: Attributes, content: AnyValueMap): void {
  for (const [name, value] of Object.entries(content)) {
    attributes[name] = JSON.stringify(value);
  }
}
