/** Reads what a hook answered: only plain data of the right types is taken, and copied. */
import type { AttributeScalar, ExtraAttributes } from '../session/story.ts';
import { PLUGIN_LIMITS } from './limits.ts';

/** Why an answer is not taken: completes "it answered …". */
export class WrongAnswer extends Error {}

/** An answer that was read: nothing of it is the plugin's any more but `redact`. */
export interface ReadAnswer {
  isDropped: boolean;
  attributes: ExtraAttributes;
  /** Plain JSON data by field; `undefined` takes the field away. */
  content: ReadonlyMap<string, unknown>;
  redact: ((text: string) => string) | undefined;
}

/** What says nothing. */
const NO_ANSWER: ReadAnswer = {
  isDropped: false,
  attributes: {},
  content: new Map(),
  redact: undefined,
};

const DROPPED: ReadAnswer = { ...NO_ANSWER, isDropped: true };

/** Checks the value of a field of the content, as JSON data; throws a WrongAnswer. */
export type FieldCheck = (value: unknown) => void;

/** `fields`: the content that the hook may replace. Throws a WrongAnswer; what the plugin's own getters throw, too. */
export function readAnswer(
  answer: unknown,
  fields: Readonly<Record<string, FieldCheck>>,
): ReadAnswer {
  if (answer === undefined || answer === null) {
    return NO_ANSWER;
  }
  if (answer === false) {
    return DROPPED;
  }
  if (typeof answer !== 'object' || Array.isArray(answer)) {
    throw new WrongAnswer(`${kindOf(answer)} where an object, false or nothing is expected`);
  }
  const known = Object.keys(fields).length > 0 ? CONTENT_KEYS : PLAIN_KEYS;
  const stranger = Object.keys(answer).find((key) => !known.includes(key));
  if (stranger !== undefined) {
    throw new WrongAnswer(`${quoted(stranger)}, which is none of ${known.join(', ')}`);
  }
  const { attributes, drop, content, redact } = answer as Record<string, unknown>;
  if (drop !== undefined && typeof drop !== 'boolean') {
    throw new WrongAnswer(`${kindOf(drop)} for drop`);
  }
  if (redact !== undefined && typeof redact !== 'function') {
    throw new WrongAnswer(`${kindOf(redact)} for redact`);
  }
  return {
    isDropped: drop === true,
    attributes: attributes === undefined ? {} : readAttributes(attributes),
    content: content === undefined ? NO_ANSWER.content : readContent(content, fields),
    redact: redact as ReadAnswer['redact'],
  };
}

const PLAIN_KEYS: readonly string[] = ['attributes', 'drop'];
const CONTENT_KEYS: readonly string[] = [...PLAIN_KEYS, 'content', 'redact'];

/** What the exporter marks spans with, so that no plugin can say that a damaged span is whole or the like. */
const OWN_PREFIX = 'sightline.';

function readAttributes(given: unknown): ExtraAttributes {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new WrongAnswer(`${kindOf(given)} for attributes`);
  }
  const entries = Object.entries(given);
  const { maxAttributes, maxNameChars } = PLUGIN_LIMITS;
  if (entries.length > maxAttributes) {
    throw new WrongAnswer(`${entries.length} attributes, more than ${maxAttributes}`);
  }
  const read: [string, AttributeScalar | readonly AttributeScalar[]][] = [];
  for (const [name, value] of entries) {
    if (name === '' || name.length > maxNameChars) {
      throw new WrongAnswer('an attribute without a name, or with one too long');
    }
    if (name.startsWith(OWN_PREFIX)) {
      throw new WrongAnswer(`the attribute ${quoted(name)}: names with sightline. are not free`);
    }
    if (value !== undefined) {
      read.push([name, readValue(name, value)]);
    }
  }
  return Object.fromEntries(read) as ExtraAttributes;
}

function readValue(name: string, value: unknown): AttributeScalar | readonly AttributeScalar[] {
  if (isScalar(value)) {
    return value;
  }
  if (Array.isArray(value) && value.length <= PLUGIN_LIMITS.maxElements) {
    const copy: unknown[] = [...value];
    if (copy.every(isScalar) && copy.every((one) => typeof one === typeof copy[0])) {
      return copy as AttributeScalar[];
    }
  }
  throw new WrongAnswer(
    `${kindOf(value)} for the attribute ${quoted(name)}: it can be text, a finite number, true or false, or a list of one of them`,
  );
}

function isScalar(value: unknown): value is AttributeScalar {
  return (
    (typeof value === 'string' && value.length <= PLUGIN_LIMITS.maxValueChars) ||
    (typeof value === 'number' && Number.isFinite(value)) ||
    typeof value === 'boolean'
  );
}

function readContent(
  given: unknown,
  fields: Readonly<Record<string, FieldCheck>>,
): ReadonlyMap<string, unknown> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new WrongAnswer(`${kindOf(given)} for content`);
  }
  const copier = createJsonCopier();
  const read = new Map<string, unknown>();
  for (const [name, value] of Object.entries(given)) {
    const check = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (check === undefined) {
      const known = Object.keys(fields).join(', ');
      throw new WrongAnswer(`content with ${quoted(name)}, which is none of ${known}`);
    }
    const copy = value === undefined ? undefined : copier(value, 0);
    if (copy !== undefined) {
      check(copy);
    }
    read.set(name, copy);
  }
  return read;
}

/** Copies JSON data, all that it is given counted together. */
function createJsonCopier(): (value: unknown, depth: number) => unknown {
  const { maxContentChars, maxContentDepth, maxContentValues } = PLUGIN_LIMITS;
  let chars = 0;
  let values = 0;

  function count(text: string): string {
    chars += text.length;
    if (chars > maxContentChars) {
      throw new WrongAnswer('content that is too long');
    }
    return text;
  }

  function copy(value: unknown, depth: number): unknown {
    values += 1;
    if (values > maxContentValues || depth > maxContentDepth) {
      throw new WrongAnswer('content that is too large or too deep');
    }
    if (typeof value === 'string') {
      return count(value);
    }
    if (value === null || typeof value === 'boolean') {
      return value;
    }
    if (typeof value === 'number' && Number.isFinite(value)) {
      return value;
    }
    if (Array.isArray(value)) {
      return Array.from(value, (item) => copy(item, depth + 1));
    }
    if (typeof value === 'object') {
      const entries = Object.entries(value).filter(([, item]) => item !== undefined);
      return Object.fromEntries(
        entries.map(([key, item]) => [count(key), copy(item, depth + 1)] as const),
      );
    }
    throw new WrongAnswer(`content with ${kindOf(value)} in it, which is no JSON`);
  }

  return copy;
}

/** A text. */
export function checkText(value: unknown): void {
  if (typeof value !== 'string') {
    throw new WrongAnswer(`content with ${kindOf(value)} where a text is expected`);
  }
}

/** A list of objects, each with these fields as texts. */
export function checkList(...names: readonly string[]): FieldCheck {
  return (value) => {
    if (!Array.isArray(value)) {
      throw new WrongAnswer(`content with ${kindOf(value)} where a list is expected`);
    }
    for (const item of value as unknown[]) {
      checkFields(item, names);
    }
  };
}

/** A list of messages, each with its parts. */
export function checkMessages(...names: readonly string[]): FieldCheck {
  const checkEach = checkList('role', ...names);
  const checkParts = checkList('type');
  return (value) => {
    checkEach(value);
    for (const message of value as { parts?: unknown }[]) {
      checkParts(message.parts);
    }
  };
}

function checkFields(item: unknown, names: readonly string[]): void {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    throw new WrongAnswer(`content with ${kindOf(item)} where an object is expected`);
  }
  for (const name of names) {
    checkText(Object.hasOwn(item, name) ? (item as Record<string, unknown>)[name] : undefined);
  }
}

/**
 * A copy of content with every text passed through the plugin's function, and every number too, which becomes a text
 * when it is changed. Keys stay, and so does what says how messages and their parts are to be read.
 */
export function redactTexts(value: unknown, redact: (text: string) => unknown): unknown {
  const change = (text: string): string => {
    const changed = redact(text);
    if (typeof changed !== 'string') {
      throw new WrongAnswer(`${kindOf(changed)} from redact, which has to give a text`);
    }
    return changed;
  };

  function visit(each: unknown, isStructure: boolean): unknown {
    if (typeof each === 'string') {
      return change(each);
    }
    if (typeof each === 'number') {
      const changed = change(String(each));
      return changed === String(each) ? each : changed;
    }
    if (Array.isArray(each)) {
      return each.map((item) => visit(item, isStructure));
    }
    if (typeof each !== 'object' || each === null) {
      return each;
    }
    return Object.fromEntries(
      Object.entries(each).map(([key, item]) => {
        const isKept = isStructure && STRUCTURE_KEYS.has(key) && typeof item === 'string';
        return [key, isKept ? item : visit(item, isStructure && key === 'parts')];
      }),
    );
  }

  return visit(value, true);
}

/** Of messages and parts themselves, not of what they carry: there the same keys are anybody's. */
const STRUCTURE_KEYS: ReadonlySet<string> = new Set(['type', 'role', 'finish_reason', 'id']);

function kindOf(value: unknown): string {
  if (value === null) {
    return 'null';
  }
  if (Array.isArray(value)) {
    return 'a list';
  }
  switch (typeof value) {
    case 'undefined':
      return 'nothing';
    case 'object':
      return 'an object';
    case 'string':
      return 'a text';
    default:
      return `a ${typeof value}`;
  }
}

/** Of bounded length: it comes from outside. */
function quoted(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name);
}
