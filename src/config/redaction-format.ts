/** What SIGHTLINE_REDACT may hold: names of optional rules, patterns between slashes, and files of both. */
import { readFileSync } from 'node:fs';
import { patternFault, type RedactionPattern } from '../util/redaction-patterns.ts';
import { OPTIONAL_RULES } from '../util/secret-rules.ts';
import { type Format, Refusal } from './format.ts';

export type Redaction = { rule: string } | RedactionPattern;

/** Each costs one look at every text that is exported. */
export const MAX_ITEMS = 64;

const MAX_FILE_BYTES = 64 * 1024;

const NAMES = OPTIONAL_RULES.map(({ name }) => name);

const ALLOWED = `a list, separated by commas or line ends, of ${NAMES.join(', ')}, /pattern/ (RE2 syntax, with i, m or s behind it) and @file with one such item a line`;

/** A pattern between slashes and its flags, up to a comma or the end of the line; `\/` is a slash in it. */
const PATTERN_ITEM = /^\/((?:[^/\\\n]|\\[^\n])+)\/([A-Za-z]*)[ \t\r]*(?=[,\n]|$)/;
const WORD_ITEM = /^[^,\n]*/;

export function redactions(): Format<readonly Redaction[]> {
  return {
    allowed: ALLOWED,
    parse(text) {
      const found = parseItems(text, ',');
      if (found instanceof Refusal || found.length <= MAX_ITEMS) {
        return found;
      }
      return new Refusal(`it has ${found.length} items; allowed are ${MAX_ITEMS}`);
    },
    show: (items) => items.map(showItem).join(','),
  };
}

function showItem(item: Redaction): string {
  return 'rule' in item ? item.rule : `/${item.source.replaceAll('/', '\\/')}/${item.flags}`;
}

/** A loop rather than a split: commas and slashes stand in patterns too. */
function parseItems(text: string, separator: ',' | undefined): Redaction[] | Refusal {
  const items: Redaction[] = [];
  let rest = text.trimStart();
  while (rest !== '') {
    const pattern = PATTERN_ITEM.exec(rest);
    const length = pattern?.[0].length ?? WORD_ITEM.exec(rest)?.[0].length ?? 0;
    const parsed =
      pattern === null
        ? parseWord(rest.slice(0, length).trim(), separator !== undefined)
        : parsePattern(pattern[1] ?? '', pattern[2] ?? '');
    if (parsed instanceof Refusal) {
      return parsed;
    }
    items.push(...parsed);
    rest = rest.slice(length).replace(/^[,\s]+/, '');
  }
  return items;
}

function parsePattern(written: string, flags: string): Redaction[] | Refusal {
  const pattern = { source: written.replaceAll('\\/', '/'), flags };
  const fault = patternFault(pattern);
  return fault === undefined
    ? [pattern]
    : new Refusal(`the pattern /${shorten(written)}/${flags} is refused: ${fault}`);
}

function parseWord(word: string, mayBeFile: boolean): Redaction[] | Refusal {
  if (word === '') {
    return [];
  }
  if (word.startsWith('@') && mayBeFile) {
    return parseFile(word.slice(1));
  }
  if (word.startsWith('/')) {
    return new Refusal(
      `"${shorten(word)}" begins a pattern that does not end: allowed is ${ALLOWED}`,
    );
  }
  const name = NAMES.find((one) => one === word.toLowerCase());
  return name === undefined
    ? new Refusal(`"${shorten(word)}" is no rule: allowed is ${ALLOWED}`)
    : [{ rule: name }];
}

/** One item a line; lines that are empty or begin with `#` are passed over. */
function parseFile(path: string): Redaction[] | Refusal {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return new Refusal(`no readable file is at ${shorten(path)}`);
  }
  if (text.length > MAX_FILE_BYTES) {
    return new Refusal(`the file ${shorten(path)} is larger than ${MAX_FILE_BYTES} bytes`);
  }
  const found: Redaction[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const items = /^\s*(?:#|$)/.test(line) ? [] : parseItems(line, undefined);
    if (items instanceof Refusal) {
      return new Refusal(`line ${index + 1} of ${shorten(path)}: ${items.reason}`);
    }
    found.push(...items);
  }
  return found;
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
