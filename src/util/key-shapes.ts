/** Finds the credentials that the built-in rules describe in any text, and masks them. */
import { createLineEndKeeper } from './line-end-keeper.ts';
import type { WatchedLiteral } from './literal-watch.ts';
import { SECRET_RULES, type SecretRule } from './secret-rules.ts';

/** A place in a text: `index` and `length` in UTF-16 units, which are bytes when the text is latin1. */
export interface SecretPlace {
  index: number;
  length: number;
  /** Of `secretRuns` only what is no line end is masked. */
  keepsLineEnds?: boolean;
  /** So much of what stands before it says that it is one. */
  tellingLength?: number;
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
  /** Its bit. */
  search: number;
  shape: RegExp;
  keepsLineEnds: boolean;
  hint: RegExp | undefined;
  accepts: ((secret: string) => boolean) | undefined;
}

/** A finder for some rules. Linear in the text. */
export function createSecretFinder(rules: readonly SecretRule[]): SecretFinder {
  const compiled = compileRules(rules);
  // Most texts have nothing of all this, and then one look is enough.
  const any = rules.some((rule) => rule.hints.length === 0)
    ? undefined
    : anyOf([...new Set(rules.flatMap((rule) => rule.hints))], 'i');
  return (text) => (any?.test(text) === false ? [] : findCompiled(compiled, text));
}

function findCompiled(rules: readonly CompiledRule[], text: string): SecretPlace[] {
  const places: SecretPlace[] = [];
  for (const { shape, hint, accepts, keepsLineEnds } of rules) {
    if (hint?.test(text) === false) {
      continue;
    }
    shape.lastIndex = 0;
    for (let match = shape.exec(text); match; match = shape.exec(text)) {
      const secret = match[1] ?? match[0];
      if (accepts === undefined || accepts(secret)) {
        const { length } = secret;
        const tellingLength = match[0].length - length;
        const index = match.index + tellingLength;
        places.push({ index, length, keepsLineEnds, tellingLength });
      }
    }
  }
  return places;
}

/** All rules of issuers' prefixes are one search, the first; each of the others is one of its own. */
function compileRules(rules: readonly SecretRule[]): CompiledRule[] {
  const prefixed = rules.filter((rule) => rule.kind === 'prefix');
  const others = rules.filter((rule) => rule.kind !== 'prefix');
  return [
    ...(prefixed.length > 0 ? [compilePrefixed(prefixed)] : []),
    ...others.map((rule, index) => compileRule(rule, 2 << index)),
  ];
}

/** One pass over the text for all of them. */
function compilePrefixed(rules: readonly SecretRule[]): CompiledRule {
  const hints = rules.flatMap((rule) => rule.hints);
  const first = [...new Set(hints.map((hint) => hint[0]))].join('');
  const shapes = rules.map((rule) => rule.shape).join('|');
  return {
    search: 1,
    shape: new RegExp(`(?=[${first}])${WORD_BEGIN}(?:${shapes})`, 'g'),
    hint: anyOf(hints, ''),
    accepts: undefined,
    keepsLineEnds: false,
  };
}

function compileRule(rule: SecretRule, search: number): CompiledRule {
  const { shape, hints, kind, accepts, keepsLineEnds = false } = rule;
  const flags = kind === 'words-any-case' ? 'i' : '';
  return {
    search,
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

const COMPILED_RULES = compileRules(SECRET_RULES);

/** Bits from this one on are no searches of these rules. */
export const FREE_SEARCH = 1 << COMPILED_RULES.length;

/** What to watch a stream for, so as to know which searches can find something in it. */
export const SECRET_HINTS: readonly WatchedLiteral[] = SECRET_RULES.flatMap((rule) => {
  const others = SECRET_RULES.filter(({ kind }) => kind !== 'prefix');
  const searches = rule.kind === 'prefix' ? 1 : 2 << others.indexOf(rule);
  const isAnyCase = rule.kind === 'words-any-case';
  return rule.hints.map((text) => ({ text, isAnyCase, searches }));
});

/** The same as `findSecretsInText`, by the searches alone that the hints in the text call for. */
export function findHintedSecrets(text: string, searches: number): SecretPlace[] {
  return findCompiled(
    COMPILED_RULES.filter(({ search }) => (searches & search) !== 0),
    text,
  );
}

/** The same in a text of one line, as in a header: all of each is masked. */
export const findSecretsInLine: SecretFinder = (text) =>
  findSecretsInText(text).map(({ index, length }) => ({ index, length }));

/** A key is shorter than this; what is looked at of a text's end, in UTF-16 units. */
const MAX_CUT_CHARS = 512;

/** Prefixes that say enough alone: `key-` and `pa-` begin words too. */
const TELLING_PREFIXES = SECRET_RULES.filter((rule) => rule.kind === 'prefix')
  .flatMap((rule) => rule.hints)
  .filter((hint) => /^(?!key-|pa-|pk-|rk-)[A-Za-z0-9_.-]+[-_.]$|^A(?:KIA|SIA|Iza)$/.test(hint));

/** An issuer's prefix and some of its key up to the end of the text; a digit tells it from words (`npm_config`). */
const CUT_KEY = new RegExp(
  `(?<![A-Za-z0-9])(?:${TELLING_PREFIXES.map(quoted).join('|')}|xox[a-z]-|eyJ)(?=[A-Za-z_.-]{0,48}[0-9])[A-Za-z0-9_.-]{6,}$`,
);

/**
 * What the rules of a shape's end leave of others that are cut; group 1 is the secret. Behind a URL's colon digits
 * alone are a port.
 */
const CUT_SHAPES: readonly RegExp[] = [
  /:\\?\/\\?\/[^\s:/?#@"'\\[]{0,128}:(?![0-9]{0,5}$)([^\s/?#@"'\\*][^\s/?#@"'\\]{0,255})$/,
  /(?<![0-9])[0-9]{8,10}:(AA[A-Za-z0-9_-]{4,})$/,
  /(?:hooks\.slack\.com\/services|discord(?:app)?\.com\/api\/webhooks)\/([A-Za-z0-9_/-]{4,})$/,
  /[0-9]Q~([A-Za-z0-9_~.-]{4,})$/,
  /\.atlasv1\.([A-Za-z0-9_=-]{4,})$/,
  /(?<![A-Za-z0-9_])dapi([0-9a-f]{6,})$/,
  /(?<![A-Za-z0-9_])(?:pwd|accountkey|sharedaccess(?:key|signature))\s{0,2}=\s{0,2}([^\s;"'\\*&<>{}$][^\s;"'\\&]{0,2})$/i,
];

/** What a limit left of a key at the very end of `text`: too short for its shape, and most of a secret. */
export function findCutSecret(text: string): SecretPlace[] {
  const from = Math.max(0, text.length - MAX_CUT_CHARS);
  const end = text.slice(from);
  const match = CUT_KEY.exec(end);
  const places = match === null ? [] : [{ index: from + match.index, length: match[0].length }];
  for (const shape of CUT_SHAPES) {
    const length = shape.exec(end)?.[1]?.length ?? 0;
    if (length > 0) {
      places.push({ index: text.length - length, length });
    }
  }
  return places;
}
