/**
 * The digest of a JSON value that stays the same when a client parses it and writes it again: white space,
 * escapes, the order of members and the spelling of numbers do not count.
 */
import { CutText, RawJson } from '../util/json-scanner.ts';
import { digestText, TextDigest } from '../util/text-digest.ts';
import { isNestedBeyond } from './json-access.ts';

/** Deeper values count as equal: no tool takes such arguments, and recursion must end. */
const MAX_DEPTH = 200;

/** Members that clients add to and take from messages they repeat. */
const IGNORED_MEMBER = 'cache_control';

export function digestJson(value: unknown, depth = 0): TextDigest {
  if (typeof value === 'string') {
    return new TextDigest().append('"').append(value);
  }
  if (value instanceof CutText) {
    return new TextDigest().append('"').appendDigest(value.digest);
  }
  if (value instanceof RawJson) {
    return digestJsonText(value.text);
  }
  if (typeof value !== 'object' || value === null) {
    return digestText(String(value));
  }
  if (depth >= MAX_DEPTH) {
    return digestText('…');
  }
  if (Array.isArray(value)) {
    const digest = new TextDigest().append('[');
    for (const item of value) {
      digest.append(digestJson(item, depth + 1).hex());
    }
    return digest;
  }
  return digestMembers(value as Record<string, unknown>, depth);
}

/** A sum, because it does not depend on the order of the members. */
function digestMembers(value: Record<string, unknown>, depth: number): TextDigest {
  let high = 0;
  let low = 0;
  for (const key of Object.keys(value)) {
    if (key === IGNORED_MEMBER) {
      continue;
    }
    const member = digestText(key).append(':');
    member.append(digestJson(value[key], depth + 1).hex());
    high = (high + member.high) | 0;
    low = (low + member.low) | 0;
  }
  return digestText(`{${high},${low}`);
}

/** The same for JSON text; for text that is no JSON, the digest of the text itself. */
export function digestJsonText(text: string): TextDigest {
  // No arguments at all are sent as "" and repeated as "{}".
  if (text.trim() === '') {
    return digestJson({});
  }
  try {
    return digestJson(JSON.parse(text));
  } catch {
    return digestText(text);
  }
}

/** Whether `value` is nested so deep that later stages must not walk it. */
export function isTooDeep(value: unknown): boolean {
  return isNestedBeyond(value, MAX_DEPTH);
}
