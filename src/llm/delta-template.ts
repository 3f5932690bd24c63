/**
 * Recognises the next text delta of a stream without parsing it. Most events of a stream are equal but for one
 * string, and for members that nobody reads; once such an event was parsed, another one that has the same characters
 * around these places is the same JSON value with other values in them, and the string is all there is to read.
 *
 * This is exact, not a guess: a template is only taken when putting other values into the places changes those
 * members of the parsed value and nothing else, and it matches only when what stands in each place is one whole
 * JSON string, or number.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
const NINE = 0x39;

/** Values that no provider sends, to see where the places lead. */
const PROBE = 'a probe of the place';
const PROBE_NUMBERS = ['4242424241', '4242424243'] as const;

/** Streams whose events all differ must not pay for templates: the pause between attempts doubles up to this. */
const MAX_PAUSE = 1024;

/** `text`: what is read. `string`, `number`: what is read over. Of strings, what is between the quotes. */
type PlaceKind = 'text' | 'string' | 'number';

interface Place {
  kind: PlaceKind;
  /** From its end to the beginning of the next place, or to the end of the event. */
  after: string;
}

interface Template {
  /** Up to the first place. */
  head: string;
  places: readonly Place[];
}

export interface DeltaTemplate {
  /** The text of an event that differs from the learned one in its places alone; undefined: parse it. */
  match(data: string): string | undefined;
  /**
   * Offers an event that was parsed and did nothing but append a text. `place` finds that text in the parsed
   * value; `member` is its name. True: from now on `match` finds events like this one, and no others.
   */
  learn(data: string, member: string, place: (value: unknown) => unknown): boolean;
}

/**
 * `ignored`: names of members that the stream's reader never looks at, wherever they are, and that differ from event
 * to event: random padding, so that lengths tell nothing; times; running numbers.
 */
export function createDeltaTemplate(ignored: readonly string[] = ['obfuscation']): DeltaTemplate {
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
      const text = readPlaces(data, template);
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
      template = makeTemplate(data, member, ignored, place);
      return template !== undefined;
    },
  };
}

/** `startsWith`, ten times as fast on long strings: a slice copies nothing, and strings are compared by words. */
function hasAt(data: string, expected: string, start: number): boolean {
  return data.slice(start, start + expected.length) === expected;
}

function readPlaces(data: string, { head, places }: Template): string | undefined {
  let at = head.length;
  let text: string | undefined;
  let isEscaped = false;
  let textAt = 0;
  let textEnd = 0;
  for (const { kind, after } of places) {
    let end: number;
    if (kind === 'number') {
      end = endOfDigits(data, at);
    } else {
      end = data.indexOf('"', at);
      const content = data.slice(at, Math.max(at, end));
      if (kind === 'text') {
        isEscaped = content.includes('\\');
        end = isEscaped ? endOfString(data, at) : end;
        text = content;
        textAt = at;
        textEnd = end;
      }
      if (end < 0 || (content.includes('\\') ? kind === 'string' : !isPlain(content))) {
        return undefined;
      }
    }
    if (end < 0 || !hasAt(data, after, end)) {
      return undefined;
    }
    at = end + after.length;
  }
  if (at !== data.length) {
    return undefined;
  }
  return isEscaped ? unescaped(data.slice(textAt - 1, textEnd + 1)) : text;
}

/** Of a whole number as JSON writes it, without a sign; -1 when there is none. */
function endOfDigits(data: string, start: number): number {
  let end = start;
  for (; end < data.length; end++) {
    const code = data.charCodeAt(end);
    if (code < ZERO || code > NINE) {
      break;
    }
  }
  const isNumber = end > start && (end === start + 1 || data.charCodeAt(start) !== ZERO);
  return isNumber ? end : -1;
}

/** Undefined when it is no JSON string. */
function unescaped(json: string): string | undefined {
  try {
    return JSON.parse(json) as string;
  } catch {
    return undefined;
  }
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

function makeTemplate(
  data: string,
  member: string,
  ignored: readonly string[],
  place: (value: unknown) => unknown,
): Template | undefined {
  const text = findPlace(data, member, 'text');
  if (text?.kind !== 'text') {
    return undefined;
  }
  const found = [text];
  for (const name of ignored) {
    const one = findPlace(data, name, 'string');
    if (one !== undefined) {
      found.push(one);
    }
  }
  found.sort((one, other) => one.start - other.start);
  const places = found.map(({ kind, end }, index) => ({
    kind,
    after: data.slice(end, found[index + 1]?.start),
  }));
  const template = { head: data.slice(0, found[0]?.start), places };
  return isProven(data, template, place) ? template : undefined;
}

/** Where the value of the only member of this name is, when it is a string or a whole number. */
function findPlace(
  data: string,
  name: string,
  stringKind: 'text' | 'string',
): { kind: PlaceKind; start: number; end: number } | undefined {
  const member = `"${name}":`;
  const at = data.indexOf(member);
  if (at < 0 || at !== data.lastIndexOf(member) || data.charCodeAt(at - 1) === BACKSLASH) {
    return undefined;
  }
  const start = at + member.length;
  if (data.charCodeAt(start) === QUOTE) {
    return { kind: stringKind, start: start + 1, end: endOfString(data, start + 1) };
  }
  const end = endOfDigits(data, start);
  return end < 0 ? undefined : { kind: 'number', start, end };
}

function endOfString(data: string, start: number): number {
  let end = start;
  while (end < data.length && data.charCodeAt(end) !== QUOTE) {
    end += data.charCodeAt(end) === BACKSLASH ? 2 : 1;
  }
  return end;
}

/** Puts other values into the places: the text's member must follow, and nothing else may. */
function isProven(data: string, template: Template, place: (value: unknown) => unknown): boolean {
  try {
    const seen = new Set<string>();
    for (const padding of ['', PROBE]) {
      for (const text of ['', PROBE]) {
        const number = PROBE_NUMBERS[padding === '' ? 0 : 1];
        const value: unknown = JSON.parse(filled(template, { text, string: padding, number }));
        if (place(value) !== text) {
          return false;
        }
        seen.add(JSON.stringify(withoutPlaces(value, [text, padding, Number(number)])));
      }
    }
    return typeof place(JSON.parse(data)) === 'string' && seen.size === 1;
  } catch {
    return false;
  }
}

function filled({ head, places }: Template, values: Record<PlaceKind, string>): string {
  return places.reduce((text, { kind, after }) => text + values[kind] + after, head);
}

/** The value with what is in its places blanked, to compare the rest. */
function withoutPlaces(value: unknown, places: readonly unknown[]): unknown {
  if (places.includes(value)) {
    return '';
  }
  if (Array.isArray(value)) {
    return value.map((item) => withoutPlaces(item, places));
  }
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).map(([key, member]) => [key, withoutPlaces(member, places)]);
  }
  return value;
}
