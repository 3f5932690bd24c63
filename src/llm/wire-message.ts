/** A message as every wire API has it underneath: what it is made of, its parts for export, its fingerprint. */
import { TextDigest } from '../util/text-digest.ts';
import type { ContentKeeper, Text } from './content-keeper.ts';
import { parseExactJson } from './exact-json.ts';
import { asObject } from './json-access.ts';
import { digestJson, digestJsonText, isTooDeep } from './json-digest.ts';
import type { Part, ToolResult } from './model-call.ts';

export type WireItem =
  // `isCut`: its end is missing, by a limit that was reached before.
  | { kind: 'text' | 'reasoning' | 'refusal'; text: Text; isCut?: boolean }
  | { kind: 'tool_call'; id?: string; name: string; argumentsText: string; isCut?: boolean }
  | { kind: 'tool_result'; id?: string; isError?: boolean; items: WireItem[] }
  | {
      kind: 'other';
      /** What tells it apart from another one. */
      value: unknown;
      isCut?: boolean;
      toPart(content: ContentKeeper): Part;
    };

export interface WireMessage {
  role: string;
  name?: string;
  items: WireItem[];
}

/** What the APIs call a part that stands for a conversation before it. */
const COMPACTIONS: ReadonlySet<unknown> = new Set([
  'compaction',
  'compaction_summary',
  'context_compaction',
]);

/** The item stands for a conversation that was made shorter. */
export function isCompaction(item: WireItem): boolean {
  return item.kind === 'other' && COMPACTIONS.has(asObject(item.value)?.type);
}

/** The message's parts with their content, cut to what is kept. Only for when content is on. */
export function partsOf(items: readonly WireItem[], content: ContentKeeper): Part[] {
  return items.map((item) => {
    const part = marked(content, () => partOf(item, content));
    return 'isCut' in item && item.isCut === true ? { ...part, truncated: true } : part;
  });
}

/** Says of a part that a limit cut something off it: the conventions' schemas leave room for more members. */
function marked(content: ContentKeeper, make: () => Part): Part {
  const cutsBefore = content.cuts;
  const part = make();
  return content.cuts === cutsBefore ? part : { ...part, truncated: true };
}

function partOf(item: WireItem, content: ContentKeeper): Part {
  switch (item.kind) {
    case 'text':
    case 'reasoning':
    case 'refusal':
      return { type: item.kind, content: content.keep(item.text) };
    case 'tool_call': {
      const part: Part = { type: 'tool_call', name: item.name };
      if (item.id !== undefined) {
        part.id = item.id;
      }
      const text = content.keep(item.argumentsText);
      part.arguments = text.length === item.argumentsText.length ? parsedArguments(text) : text;
      return part;
    }
    case 'tool_result': {
      const isText = item.items.every((inner) => inner.kind === 'text');
      const response = isText ? resultText(item.items, content) : partsOf(item.items, content);
      const part: Part = { type: 'tool_call_response', response };
      if (item.id !== undefined) {
        part.id = item.id;
      }
      return part;
    }
    case 'other':
      return item.toPart(content);
  }
}

/**
 * Arguments as the conventions want them, parsed, and no number of them another one; as they are when they are no
 * JSON.
 */
function parsedArguments(text: string): unknown {
  if (text.trim() === '') {
    return {};
  }
  try {
    const value = parseExactJson(text);
    return isTooDeep(value) ? text : value;
  } catch {
    return text;
  }
}

/** The results among a message's items. Their text is empty when content is off. */
export function toolResultsOf(items: readonly WireItem[], content: ContentKeeper): ToolResult[] {
  const results: ToolResult[] = [];
  for (const item of items) {
    if (item.kind !== 'tool_result') {
      continue;
    }
    const result: ToolResult = { text: resultText(item.items, content) };
    if (item.id !== undefined) {
      result.id = item.id;
    }
    if (item.isError !== undefined) {
      result.isError = item.isError;
    }
    results.push(result);
  }
  return results;
}

function resultText(items: readonly WireItem[], content: ContentKeeper): string {
  if (!content.isOn) {
    return '';
  }
  const texts: string[] = [];
  for (const item of items) {
    if (item.kind === 'text') {
      texts.push(content.keep(item.text));
    }
  }
  return texts.join('\n');
}

/**
 * Makes the fingerprint of a message so that an answer and its repetition in a later request are equal, though
 * clients write it anew: text may be a string or a list of texts or null when empty, arguments are JSON again,
 * thinking and the results of the provider's own tools may be left out, and ids may be the client's invention.
 * So of an assistant's message only text and tool calls count.
 */
export class MessageFingerprint {
  readonly #role: string;
  readonly #text = new TextDigest();
  readonly #rest = new TextDigest();

  constructor(role: string) {
    this.#role = role;
  }

  appendText(text: Text): void {
    if (typeof text === 'string') {
      this.#text.append(text);
    } else {
      this.#text.appendDigest(text.digest);
    }
  }

  appendToolCall(name: string, argumentsText: string): void {
    this.#rest.append(`call ${name} ${digestJsonText(argumentsText).hex()}\n`);
  }

  appendItem(item: WireItem): void {
    switch (item.kind) {
      case 'text':
      case 'refusal':
        this.appendText(item.text);
        return;
      case 'reasoning':
        return;
      case 'tool_call':
        this.appendToolCall(item.name, item.argumentsText);
        return;
      case 'tool_result': {
        const result = new MessageFingerprint('result');
        for (const inner of item.items) {
          result.appendItem(inner);
        }
        this.#rest.append(`result ${item.id ?? ''} ${result.hex()}\n`);
        return;
      }
      case 'other':
        if (this.#role !== 'assistant') {
          this.#rest.append(`other ${digestJson(item.value).hex()}\n`);
        }
    }
  }

  /** 16 lower-case hexadecimal digits. */
  hex(): string {
    const digest = new TextDigest().append(this.#role).append('\n');
    return digest.append(this.#text.hex()).append(this.#rest.hex()).hex();
  }
}

export function fingerprintOf(message: WireMessage): string {
  const fingerprint = new MessageFingerprint(message.role);
  for (const item of message.items) {
    fingerprint.appendItem(item);
  }
  return fingerprint.hex();
}
