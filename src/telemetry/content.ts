/**
 * Messages of a call, as the conventions' JSON schemas have them, with credentials masked.
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/gen-ai/gen-ai-input-messages.json
 */

import type { Attributes } from '@opentelemetry/api';
import type { AnyValueMap } from '@opentelemetry/api-logs';
import type { Message, ModelCall, OutputMessage } from '../llm/model-call.ts';
import type { TurnPiece } from '../session/story.ts';
import { isSecretKey, isSecretNumberKey, isTokenCount } from '../util/secret-keys.ts';
import type { CaptureContent } from './options.ts';
import { Attr, type Conventions } from './semconv.ts';

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

function maskWhole(text: string): string {
  return '*'.repeat(text.length);
}

/** A text that may be JSON, which a number or a string alone need not be treated as. */
const MAYBE_JSON = /^\s{0,64}[{[]/;

/**
 * A copy of plain data with every text passed through `redact`, and masked whole where a key says that it is secret,
 * also in a text that is JSON. Objects of a class stay what they are.
 */
export function redactValue(value: unknown, redact: (text: string) => string, depth = 0): unknown {
  if (typeof value === 'string') {
    return redact !== maskWhole && MAYBE_JSON.test(value)
      ? redactJsonText(value, redact)
      : redact(value);
  }
  if (value === null || typeof value !== 'object' || !isPlain(value)) {
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
      isSecretKey(key) ? maskSecret(key, item, depth) : redactValue(item, redact, depth + 1),
    ]),
  );
}

/** The value of a key that names a credential. */
function maskSecret(key: string, value: unknown, depth: number): unknown {
  if (typeof value === 'number' || typeof value === 'bigint') {
    return isSecretNumberKey(key) ? maskWhole(`${value}`) : value;
  }
  if (typeof value === 'string' && isTokenCount(key, value)) {
    return value;
  }
  return redactValue(value, maskWhole, depth + 1);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Array.isArray(value);
}

/**
 * A string of a JSON text, perhaps cut off by its end, a number, or a bracket or comma; group 1 is there when it is a
 * key.
 */
const JSON_PART = /"[^"\\]*(?:\\[\s\S][^"\\]*)*(?:"(\s*:)?|\\?$)|-?[0-9][0-9.eE+-]*|[{}[\],]/g;

/**
 * JSON text (a tool call's arguments) with credentials masked; text that is no JSON, as one that was cut off, is
 * masked as text, and as far as it goes as JSON. All else stays as it was written: read and written again, a large
 * number would be another one.
 */
export function redactJsonText(text: string, redact: (text: string) => string): string {
  if (isJson(text)) {
    return maskJsonParts(text, (literal, isSecret) => {
      const value = JSON.parse(literal) as string;
      const masked = isSecret ? maskWhole(value) : redact(value);
      return masked === value ? literal : JSON.stringify(masked);
    });
  }
  const masked = maskJsonParts(text, (literal, isSecret) => {
    if (!isSecret) {
      return literal;
    }
    const end = literal.length > 1 && literal.endsWith('"') ? literal.length - 1 : literal.length;
    return literal[0] + maskWhole(literal.slice(1, end)) + literal.slice(end);
  });
  return redact(masked);
}

/** The text with every string that is no key replaced by what `mask` says. */
function maskJsonParts(text: string, mask: (literal: string, isSecret: boolean) => string): string {
  /** The last key named a credential, and its value has not ended. */
  let secretKey: string | undefined;
  let depth = 0;
  /** Depth at which the value of a secret key began, when that is an object or array. */
  let secretDepth: number | undefined;
  return text.replace(JSON_PART, (part: string, colon: string | undefined) => {
    if (part.startsWith('"')) {
      if (colon === undefined) {
        return mask(part, secretDepth !== undefined || isSecretText(secretKey, part));
      }
      const name = keyName(part.slice(0, -colon.length));
      secretKey = isSecretKey(name) ? name : undefined;
      return part;
    }
    if (NUMBER_BEGIN.test(part)) {
      const isSecret = secretKey !== undefined && isSecretNumberKey(secretKey);
      // As text: there is no number that says that it was masked.
      return isSecret ? `"${maskWhole(part)}"` : part;
    }
    if (part === '{' || part === '[') {
      if (secretKey !== undefined) {
        secretDepth ??= depth;
      }
      depth += 1;
    } else if (part !== ',') {
      depth -= 1;
      if (depth === secretDepth) {
        secretDepth = undefined;
      }
    }
    secretKey = undefined;
    return part;
  });
}

const NUMBER_BEGIN = /^[-0-9]/;

function isSecretText(key: string | undefined, literal: string): boolean {
  return key !== undefined && !isTokenCount(key, literal.slice(1, -1));
}

function keyName(literal: string): string {
  if (!literal.includes('\\')) {
    return literal.slice(1, -1);
  }
  try {
    return JSON.parse(literal) as string;
  } catch {
    return literal.slice(1, -1);
  }
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
export function callContent(
  call: ModelCall,
  redact: (text: string) => string,
  conventions: Conventions,
): AnyValueMap {
  const { request, response } = call;
  const content: Record<string, unknown> = {};
  const system = conventions.isSystemTextOnly
    ? request.systemInstructions.filter((part) => part.type === 'text')
    : request.systemInstructions;
  if (system.length > 0) {
    content[Attr.systemInstructions] = system;
  }
  if (request.messages.length > 0) {
    content[Attr.inputMessages] = request.messages;
  }
  if (response !== undefined && response.messages.length > 0) {
    content[Attr.outputMessages] = withoutReasons(response.messages, conventions);
  }
  if (request.toolDefinitions.length > 0) {
    // Description and parameters are not recommended by default: they are long and always the same.
    content[Attr.toolDefinitions] = request.toolDefinitions.map(({ type, name }) => ({
      type,
      name,
    }));
  }
  const masked = redactValue(content, redact) as AnyValueMap;
  if (conventions.hasLaterCallAttributes) {
    // By themselves first: their names say what is a credential.
    const variables = redactValue(request.promptVariables ?? {}, redact) as Record<string, unknown>;
    for (const [name, value] of Object.entries(variables)) {
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      masked[`${Attr.promptVariable}.${name}`] = text;
    }
  }
  return masked;
}

/** Where the conventions have them on the call alone. */
function withoutReasons(
  messages: readonly (OutputMessage | Message)[],
  conventions: Conventions,
): readonly (OutputMessage | Message)[] {
  return conventions.hasMessageFinishReason
    ? messages
    : (messages as readonly OutputMessage[]).map(({ finish_reason: _, ...message }) => message);
}

/** Messages on a turn: the prompt that began it and the answer that ended it, or what a plugin put in their place. */
export function turnMessages({ calls, content }: Pick<TurnPiece, 'calls' | 'content'>): {
  inputMessages: readonly Message[];
  outputMessages: readonly (Message | OutputMessage)[];
} {
  const prompt = calls[0]?.request.messages.findLast((message) => message.role === 'user');
  return (
    content ?? {
      inputMessages: prompt === undefined ? [] : [prompt],
      outputMessages: calls.at(-1)?.response?.messages ?? [],
    }
  );
}

export function turnContent(
  piece: Pick<TurnPiece, 'calls' | 'content'>,
  redact: (text: string) => string,
  conventions: Conventions,
): AnyValueMap {
  const { inputMessages, outputMessages } = turnMessages(piece);
  const content: Record<string, unknown> = {};
  if (inputMessages.length > 0) {
    content[Attr.inputMessages] = inputMessages;
  }
  if (outputMessages.length > 0) {
    content[Attr.outputMessages] = withoutReasons(outputMessages, conventions);
  }
  return redactValue(content, redact) as AnyValueMap;
}

/** Spans of this SDK drop structured attributes silently, so there they are JSON text; a text stays one. */
export function putContentText(attributes: Attributes, content: AnyValueMap): void {
  for (const [name, value] of Object.entries(content)) {
    attributes[name] = typeof value === 'string' ? value : JSON.stringify(value);
  }
}
