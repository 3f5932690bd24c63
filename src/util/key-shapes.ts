/** Finds the credentials that the built-in rules describe in any text, and masks them. */
import { createLineEndKeeper } from './line-end-keeper.ts';
import { SECRET_RULES, type SecretRule } from './secret-rules.ts';

/** A place in a text: `index` and `length` in UTF-16 units, which are bytes when the text is latin1. */
export interface SecretPlace {
  index: number;
  length: number;
  /** Of `secretRuns` only what is no line end is masked. */
  keepsLineEnds?: boolean;
}

/** The parts of a place that are masked, in their order. */
export function secretRuns(text: string, place: SecretPlace): SecretPlace[] {
  if (!place.keepsLineEnds) {
    return [place];
  }
  const { index, length } = place;
  const runs: SecretPlace[] = [];
  createLineEndKeeper().push(text.slice(index, index + length), (from, to) =>
    runs.push({ index: index + from, length: to - from }),
  );
  return runs;
}

/** `text` with the places replaced by as many `*`; places may overlap and need no order. */
export function maskPlaces(text: string, places: readonly SecretPlace[]): string {
  if (places.length === 0) {
    return text;
  }
  const runs = places.flatMap((place) => secretRuns(text, place));
  const sorted = runs.sort((one, other) => one.index - other.index);
  let masked = '';
  let done = 0;
  for (const { index, length } of sorted) {
    const end = index + length;
    if (end <= done) {
      continue;
    }
    const start = Math.max(index, done);
    masked += text.slice(done, start) + '*'.repeat(end - start);
    done = end;
  }
  return masked + text.slice(done);
}

/** Finds what some rules describe; the places are in no particular order and may overlap. */
export type SecretFinder = (text: string) => SecretPlace[];

/**
 * Where a word begins: not behind a letter, digit or `_`, unless those are the end of an escape of JSON (`\\n`,
 * `\\u0020`) or of a URL (`%20`).
 */
const WORD_BEGIN =
  '(?:(?<![A-Za-z0-9_])|(?<=\\\\[bfnrt])|(?<=\\\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))';

interface CompiledRule {
  shape: RegExp;
  keepsLineEnds: boolean;
  hint: RegExp | undefined;
  accepts: ((secret: string) => boolean) | undefined;
}

/** A finder for some rules. Linear in the text. */
export function createSecretFinder(rules: readonly SecretRule[]): SecretFinder {
  const prefixed = rules.filter((rule) => rule.kind === 'prefix');
  const compiled = rules.filter((rule) => rule.kind !== 'prefix').map(compileRule);
  if (prefixed.length > 0) {
    compiled.unshift(compilePrefixed(prefixed));
  }
  // Most texts have nothing of all this, and then one look is enough.
  const any = rules.some((rule) => rule.hints.length === 0)
    ? undefined
    : anyOf([...new Set(rules.flatMap((rule) => rule.hints))], 'i');
  return (text) => {
    const places: SecretPlace[] = [];
    if (any?.test(text) === false) {
      return places;
    }
    for (const { shape, hint, accepts, keepsLineEnds } of compiled) {
      if (hint?.test(text) === false) {
        continue;
      }
      shape.lastIndex = 0;
      for (let match = shape.exec(text); match; match = shape.exec(text)) {
        const secret = match[1] ?? match[0];
        if (accepts === undefined || accepts(secret)) {
          const index = match.index + match[0].length - secret.length;
          const { length } = secret;
          places.push(keepsLineEnds ? { index, length, keepsLineEnds } : { index, length });
        }
      }
    }
    return places;
  };
}

/** One pass over the text for all of them. */
function compilePrefixed(rules: readonly SecretRule[]): CompiledRule {
  const hints = rules.flatMap((rule) => rule.hints);
  const first = [...new Set(hints.map((hint) => hint[0]))].join('');
  const shapes = rules.map((rule) => rule.shape).join('|');
  return {
    shape: new RegExp(`(?=[${first}])${WORD_BEGIN}(?:${shapes})`, 'g'),
    hint: anyOf(hints, ''),
    accepts: undefined,
    keepsLineEnds: false,
  };
}

function compileRule(rule: SecretRule): CompiledRule {
  const { shape, hints, kind, accepts, keepsLineEnds = false } = rule;
  const flags = kind === 'words-any-case' ? 'i' : '';
  return {
    shape: new RegExp(shape.replace('WORD_BEGIN', WORD_BEGIN), `g${flags}`),
    hint: hints.length === 0 ? undefined : anyOf(hints, flags),
    accepts,
    keepsLineEnds,
  };
}

function anyOf(literals: readonly string[], flags: string): RegExp {
  return new RegExp(literals.map(quoted).join('|'), flags);
}

function quoted(literal: string): string {
  return literal.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Well-known credentials in `text`. */
export const findSecretsInText: SecretFinder = createSecretFinder(SECRET_RULES);

/** The same in a text of one line, as in a header: all of each is masked. */
export const findSecretsInLine: SecretFinder = (text) =>
  findSecretsInText(text).map(({ index, length }) => ({ index, length }));

/** A key is shorter than this; what is looked at of a text's end, in UTF-16 units. */
const MAX_CUT_CHARS = 256;

/** Prefixes that say enough alone: `key-` and `pa-` begin words too. */
const TELLING_PREFIXES = SECRET_RULES.filter((rule) => rule.kind === 'prefix')
  .flatMap((rule) => rule.hints)
  .filter((hint) => /^(?!key-|pa-|pk-|rk-)[A-Za-z0-9_.-]+[-_.]$|^A(?:KIA|SIA|Iza)$/.test(hint));

/** An issuer's prefix and some of its key up to the end of the text; a digit tells it from words (`npm_config`). */
const CUT_KEY = new RegExp(
  `(?<![A-Za-z0-9])(?:${TELLING_PREFIXES.map(quoted).join('|')}|xox[a-z]-|eyJ)(?=[A-Za-z_.-]{0,48}[0-9])[A-Za-z0-9_.-]{6,}$`,
);

/** What a limit left of a key at the very end of `text`: too short for its shape, and most of a secret. */
export function findCutSecret(text: string): SecretPlace[] {
  const from = Math.max(0, text.length - MAX_CUT_CHARS);
  const match = CUT_KEY.exec(text.slice(from));
  return match === null ? [] : [{ index: from + match.index, length: match[0].length }];
}
