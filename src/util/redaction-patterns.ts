/**
 * Patterns of the user's, found in time linear in the text whatever they say: compiled by RE2's method, which has no
 * backtracking. https://github.com/google/re2/wiki/Syntax
 */
import { RE2JS } from 're2js';
import type { SecretFinder, SecretPlace } from './key-shapes.ts';

export interface RedactionPattern {
  /** Without the slashes. */
  source: string;
  /** Of `i`, `m` and `s`, each at most once. */
  flags: string;
}

/** Characters of one pattern. */
export const MAX_PATTERN_CHARS = 1000;

/**
 * After a match the search begins anew, and may look at all the text behind it for a better one, as `a.*b|a` does. So
 * matches are looked for in windows: each is found whole up to this length, and a longer one at least so far.
 */
const WINDOW_CHARS = 1024;

/** Matches of a pattern in one text; a text with more is masked from there on: too much rather than too little. */
const MAX_MATCHES = 4096;

const FLAGS: Readonly<Record<string, number>> = {
  i: RE2JS.CASE_INSENSITIVE,
  m: RE2JS.MULTILINE,
  s: RE2JS.DOTALL,
};

/** Why the pattern cannot be used, to complete "PATTERN is refused: …"; undefined when it can. */
export function patternFault({ source, flags }: RedactionPattern): string | undefined {
  if (source.length > MAX_PATTERN_CHARS) {
    return `it has more than ${MAX_PATTERN_CHARS} characters`;
  }
  if (!/^(?!.*(.).*\1)[ims]*$/.test(flags)) {
    return `the flags "${flags}" are not of i, m and s`;
  }
  try {
    if (compile({ source, flags }).matcher('').find()) {
      return 'it matches the empty text';
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `${reason.replace(/^error parsing regexp: /, '')} (look-around and back-references cannot be had in linear time)`;
  }
  return undefined;
}

/** A finder for patterns in which `patternFault` finds none. Empty matches are passed over. */
export function createPatternFinder(patterns: readonly RedactionPattern[]): SecretFinder {
  const compiled = patterns.map(compile);
  return (text) => compiled.flatMap((pattern) => findPattern(pattern, text));
}

function compile({ source, flags }: RedactionPattern): RE2JS {
  const bits = [...flags].reduce((sum, flag) => sum | (FLAGS[flag] ?? 0), 0);
  return RE2JS.compile(source, bits);
}

function findPattern(pattern: RE2JS, text: string): SecretPlace[] {
  const places: SecretPlace[] = [];
  // Most texts have no match, which the automaton says fastest.
  if (text === '' || !pattern.test(text)) {
    return places;
  }
  for (let from = 0; from < text.length; from += WINDOW_CHARS) {
    findInWindow(pattern, text, from, places);
    if (places.length > MAX_MATCHES) {
      places.push({ index: from, length: text.length - from });
      return places;
    }
  }
  return places;
}

/** Adds the matches that begin in the window at `from`. */
function findInWindow(pattern: RE2JS, text: string, from: number, places: SecretPlace[]): void {
  // A character of context, so that `\b` and `^` hold; a match that begins there was the window's before.
  const start = Math.max(0, from - 1);
  const matcher = pattern.matcher(text.slice(start, from + 2 * WINDOW_CHARS));
  while (places.length <= MAX_MATCHES && matcher.find()) {
    const index = start + matcher.start();
    const length = start + matcher.end() - index;
    if (index >= from + WINDOW_CHARS) {
      return;
    }
    if (index >= from && length > 0) {
      places.push({ index, length });
    }
  }
}
