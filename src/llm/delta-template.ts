/**
 * Recognises the next text delta of a stream without parsing it. Most events of a stream are equal but for one
 * string; once such an event was parsed, another one that begins and ends with the same characters is the same
 * JSON value with another string in that place, and the string is all there is to read.
 *
 * This is exact, not a guess: a template is only taken when putting other strings into the place changes that
 * member of the parsed value and nothing else, and it matches only when what stands in the place is one whole
 * JSON string.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Strings that no provider sends, to see where the place leads. */
const PROBE = 'a probe of the place';

/** Some servers pad their events with a random string so that their length tells nothing. */
const PADDING = '"obfuscation":"';

/** Streams whose events all differ must not pay for templates: the pause between attempts doubles up to this. */
const MAX_PAUSE = 1024;

interface Template {
  /** Up to and with the opening quote of the text. */
  head: string;
  /** From the closing quote of the text to the end, or to the opening quote of the padding. */
  middle: string;
  /** From the closing quote of the padding to the end; undefined without padding. */
  tail: string | undefined;
}

export interface DeltaTemplate {
  /** The text of an event that differs from the learned one in its text alone; undefined: parse it. */
  match(data: string): string | undefined;
  /**
   * Offers an event that was parsed and did nothing but append a text. `place` finds that text in the parsed
   * value; `member` is its name. True: from now on `match` finds events like this one, and no others.
   */
  learn(data: string, member: string, place: (value: unknown) => unknown): boolean;
}

export function createDeltaTemplate(): DeltaTemplate {
  let template: Template | undefined;
  /** Events offered since the last attempt, and how many to let pass before the next. */
  let waited = 0;
  let pause = 0;
  let matches = 0;

  return {
    match(data) {
      if (template === undefined || !hasAt(data, template.head, 0)) {
        return undefined;
      }
      const text = readPlace(data, template);
      if (text !== undefined) {
        matches++;
      }
      return text;
    },
    learn(data, member, place) {
      if (waited < pause) {
        waited++;
        return false;
      }
      // A template that was worth its price may be replaced at once.
      pause = matches > pause ? 0 : Math.min(pause * 2 + 1, MAX_PAUSE);
      waited = 0;
      matches = 0;
      template = makeTemplate(data, member, place);
      return template !== undefined;
    },
  };
}

/** `startsWith`, ten times as fast on long strings: a slice copies nothing, and strings are compared by words. */
function hasAt(data: string, expected: string, start: number): boolean {
  return data.slice(start, start + expected.length) === expected;
}

function readPlace(data: string, template: Template): string | undefined {
  const start = template.head.length;
  const end = data.indexOf('"', start);
  if (end < 0) {
    return undefined;
  }
  const text = data.slice(start, end);
  if (text.includes('\\')) {
    return readEscaped(data, start, template);
  }
  return isPlain(text) && endsAs(data, end, template) ? text : undefined;
}

function readEscaped(data: string, start: number, template: Template): string | undefined {
  let end = start;
  for (; end < data.length; end++) {
    const code = data.charCodeAt(end);
    if (code === QUOTE) {
      break;
    }
    if (code === BACKSLASH) {
      end++;
    }
  }
  if (!endsAs(data, end, template)) {
    return undefined;
  }
  try {
    return JSON.parse(data.slice(start - 1, end + 1)) as string;
  } catch {
    return undefined;
  }
}

/** Whether `data` goes on as the template from the closing quote at `end`. */
function endsAs(data: string, end: number, template: Template): boolean {
  const { middle, tail } = template;
  if (tail === undefined) {
    return data.length === end + middle.length && data.endsWith(middle);
  }
  if (!hasAt(data, middle, end)) {
    return false;
  }
  const start = end + middle.length;
  const close = data.length - tail.length;
  return close >= start && data.endsWith(tail) && isPlainPadding(data.slice(start, close));
}

/** Nothing that JSON does not allow inside a string; quotes and backslashes were looked for already. */
function isPlain(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) < 0x20) {
      return false;
    }
  }
  return true;
}

function isPlainPadding(text: string): boolean {
  return isPlain(text) && !text.includes('"') && !text.includes('\\');
}

function makeTemplate(
  data: string,
  member: string,
  place: (value: unknown) => unknown,
): Template | undefined {
  const start = onlyMember(data, `"${member}":"`);
  if (start === undefined) {
    return undefined;
  }
  const end = endOfString(data, start);
  const head = data.slice(0, start);
  const rest = data.slice(end);
  const padding = onlyMember(rest, PADDING);
  const paddingEnd = padding === undefined ? 0 : endOfString(rest, padding);
  const template: Template =
    padding === undefined
      ? { head, middle: rest, tail: undefined }
      : { head, middle: rest.slice(0, padding), tail: rest.slice(paddingEnd) };
  return isProven(data, template, place) ? template : undefined;
}

/** Offset after the only `"name":"` in `data`; undefined when there is none, or more than one. */
function onlyMember(data: string, opening: string): number | undefined {
  const at = data.indexOf(opening);
  if (at < 0 || at !== data.lastIndexOf(opening) || data.charCodeAt(at - 1) === BACKSLASH) {
    return undefined;
  }
  return at + opening.length;
}

function endOfString(data: string, start: number): number {
  let end = start;
  while (end < data.length && data.charCodeAt(end) !== QUOTE) {
    end += data.charCodeAt(end) === BACKSLASH ? 2 : 1;
  }
  return end;
}

/** Puts other strings into the places: the text's member must follow, and nothing else may. */
function isProven(data: string, template: Template, place: (value: unknown) => unknown): boolean {
  const { head, middle, tail } = template;
  try {
    const paddings = tail === undefined ? [''] : ['', PROBE];
    const seen = new Set<string>();
    for (const padding of paddings) {
      const ending = tail === undefined ? middle : middle + padding + tail;
      for (const text of ['', PROBE]) {
        const value: unknown = JSON.parse(head + text + ending);
        if (place(value) !== text) {
          return false;
        }
        seen.add(JSON.stringify(withoutPlaces(value, text, padding)));
      }
    }
    const original: unknown = JSON.parse(data);
    const text = place(original);
    return typeof text === 'string' && seen.size === 1;
  } catch {
    return false;
  }
}

/** The value with its text and its padding blanked, to compare the rest. */
function withoutPlaces(value: unknown, text: string, padding: string): unknown {
  if (value === text || value === padding) {
    return '';
  }
  if (Array.isArray(value)) {
    return value.map((item) => withoutPlaces(item, text, padding));
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, member]) => [
      key,
      withoutPlaces(member, text, padding),
    ]);
    return entries;
  }
  return value;
}
