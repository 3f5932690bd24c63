/**
 * What a configuration value may look like. Every key has a format of our own, because convict's guess: its
 * `nat` reads `16MiB` as 16 and its `Boolean` reads `no` as true.
 */
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { isGlob, isLiteral } from '../util/glob.ts';
import { unwritableReason } from './output-place.ts';

/** Why a value is not taken: completes the sentence "VARIABLE is VALUE, but …". */
export class Refusal {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

export interface Format<T> {
  /** What is allowed, for the documentation. */
  readonly allowed: string;
  /** Reads the text of a variable; it is never empty and has no space around it. */
  parse(text: string): T | Refusal;
  /** The value as a person would write it, for the documentation. */
  show(value: T): string;
  /** The text of a configuration file, as it is to be read from there: paths in it begin at the file's directory. */
  placed?(text: string, directory: string): string;
}

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1000,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** The longest that a Node timer can wait, in milliseconds: about 24 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A whole number of milliseconds, bare or with a unit. */
export function duration(limits: { min: number; max?: number }): Format<number> {
  const { min, max = MAX_TIMER_MS } = limits;
  const range = `from ${showDuration(min)} to ${showDuration(max)}`;
  const allowed = `milliseconds, or a whole number with ms, s, m or h (500ms, 5m), ${range}`;
  return {
    allowed,
    parse: (text) => parseQuantity(text, DURATION_UNITS, min, max, allowed),
    show: showDuration,
  };
}

/**
 * How long an export may take. Zero means no limit, which becomes the longest a timer can wait.
 * https://opentelemetry.io/docs/specs/otel/configuration/common/#timeout
 */
export function timeout(): Format<number> {
  const limited = duration({ min: 0 });
  return {
    allowed: `${limited.allowed}; 0 is no limit`,
    parse: (text) => {
      const ms = limited.parse(text);
      return ms === 0 ? MAX_TIMER_MS : ms;
    },
    show: showDuration,
  };
}

/** A whole number of bytes, bare or with a unit. */
export function size(limits: { min: number; max: number; powerOfTwo?: boolean }): Format<number> {
  const { min, max } = limits;
  const shape = limits.powerOfTwo === true ? ', a power of two' : '';
  const range = `from ${showSize(min)} to ${showSize(max)}`;
  const allowed = `bytes, or a whole number with KiB, MiB, GiB, KB, MB or GB${shape}, ${range}`;
  return {
    allowed,
    parse: (text) => {
      const bytes = parseQuantity(text, SIZE_UNITS, min, max, allowed);
      if (typeof bytes === 'number' && limits.powerOfTwo === true && !isPowerOfTwo(bytes)) {
        return refuse(allowed);
      }
      return bytes;
    },
    show: showSize,
  };
}

/** A whole number written in digits. */
export function count(limits: { min: number; max: number }): Format<number> {
  const { min, max } = limits;
  const allowed = `a whole number from ${min} to ${max}`;
  return {
    allowed,
    parse: (text) => parseQuantity(text, {}, min, max, allowed),
    show: String,
  };
}

/** A decimal number from 0 to 1, as the ratio samplers take it. */
export function ratio(): Format<number> {
  const allowed = 'a number from 0 to 1';
  return {
    allowed,
    parse: (text) => {
      const value = /^(\d+(\.\d*)?|\.\d+)(e-?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
      return value >= 0 && value <= 1 ? value : refuse(allowed);
    },
    show: String,
  };
}

/** `true` or `false`, in any case. The specification reads all else as false; a typo must not do that. */
export function boolean(): Format<boolean> {
  const allowed = 'true or false';
  return {
    allowed,
    parse: (text) => {
      const word = text.toLowerCase();
      if (word === 'true' || word === 'false') {
        return word === 'true';
      }
      return refuse(allowed);
    },
    show: String,
  };
}

export interface ChoiceOptions<T extends string> {
  /** Other spellings that are taken, in lower case, and what they mean. */
  aliases?: Readonly<Record<string, T>>;
  /** Values of other versions, in lower case: refused with a sentence that says so. */
  unavailable?: readonly string[];
}

/** One of some words, in any case. */
export function choice<const T extends string>(
  values: readonly T[],
  options: ChoiceOptions<T> = {},
): Format<T> {
  const aliases = Object.keys(options.aliases ?? {});
  const also = aliases.length > 0 ? ` (also ${aliases.join(', ')})` : '';
  const allowed = `one of ${values.join(', ')}${also}`;
  return {
    allowed,
    parse: (text) => parseWord(text, values, options, allowed),
    show: String,
  };
}

/** A comma-separated list of some words, each once. */
export function choices<const T extends string>(
  values: readonly T[],
  options: ChoiceOptions<T> = {},
): Format<readonly T[]> {
  const allowed = `a comma-separated list of ${values.join(', ')}`;
  return {
    allowed,
    parse: (text) => {
      const words: T[] = [];
      for (const part of text.split(',')) {
        const word = parseWord(part.trim(), values, options, allowed);
        if (word instanceof Refusal) {
          return word;
        }
        if (words.includes(word)) {
          return new Refusal(`it names ${word} twice`);
        }
        words.push(word);
      }
      return words;
    },
    show: (words) => words.join(','),
  };
}

/** A comma-separated list of patterns; `maxLength` is that of the names they are for. */
export function globs(options: { maxLength?: number } = {}): Format<readonly string[]> {
  const { maxLength } = options;
  const length = maxLength === undefined ? '' : `, of names of at most ${maxLength} bytes`;
  const allowed = `a comma-separated list of patterns with *, ?, [abc] and **${length}`;
  return list(allowed, (part) => {
    const isTooLong = maxLength !== undefined && isLiteral(part) && byteLength(part) > maxLength;
    if (isTooLong) {
      return new Refusal(`"${part}" can match nothing: allowed is ${allowed}; end it with *`);
    }
    return isGlob(part) ? part : new Refusal(`"${part}" is no pattern: allowed is ${allowed}`);
  });
}

/** A comma-separated list of whole numbers. */
export function counts(limits: {
  min: number;
  max: number;
  of: string;
}): Format<readonly number[]> {
  const { min, max } = limits;
  const allowed = `a comma-separated list of ${limits.of} from ${min} to ${max}`;
  return list(allowed, (part) => parseQuantity(part, {}, min, max, allowed));
}

/** Methods of HTTP, with their case. https://www.rfc-editor.org/rfc/rfc9110#section-9.1 */
export function methods(): Format<readonly string[]> {
  const allowed = 'a comma-separated list of HTTP methods, whose case counts';
  return list(allowed, (part) =>
    TOKEN.test(part) && part.length <= MAX_METHOD_CHARS
      ? part
      : new Refusal(`"${part}" is no method: allowed is ${allowed}`),
  );
}

/** https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2 */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const MAX_METHOD_CHARS = 64;

/** User ids, or the names that /etc/passwd has for them: directories of the network are not asked. */
export function users(): Format<readonly number[]> {
  const allowed =
    'a comma-separated list of user ids from 0 to 4294967294, or of names that /etc/passwd has';
  return list(allowed, (part) => {
    const id = parseQuantity(part, {}, 0, 2 ** 32 - 2, allowed);
    return id instanceof Refusal ? (userId(part) ?? id) : id;
  });
}

/** Parts without anything in them are passed over, but not a list of nothing else. */
function list<T>(allowed: string, parse: (part: string) => T | Refusal): Format<readonly T[]> {
  return {
    allowed,
    parse: (text) => {
      const found: T[] = [];
      for (const part of text.split(',').map((one) => one.trim())) {
        const value = part === '' ? undefined : parse(part);
        if (value instanceof Refusal) {
          return value;
        }
        if (value !== undefined) {
          found.push(value);
        }
      }
      return found.length > 0 ? found : refuse(allowed);
    },
    show: (values) => values.join(','),
  };
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** passwd(5). */
function userId(name: string): number | undefined {
  for (const line of passwd().split('\n')) {
    const [user, , id] = line.split(':');
    if (user === name && /^\d{1,10}$/.test(id ?? '')) {
      return Number(id);
    }
  }
  return undefined;
}

function passwd(): string {
  try {
    return readFileSync('/etc/passwd', 'utf8');
  } catch {
    return '';
  }
}

/**
 * `name=value` pairs as the specification writes them: W3C Baggage without properties, values percent-encoded.
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables
 * `header`: names must be HTTP header names, and values must be what a header can carry.
 */
export function pairs(kind: 'header' | 'attribute'): Format<ReadonlyPairs> {
  const allowed = 'comma-separated name=value pairs, values percent-encoded where needed';
  return {
    allowed,
    parse: (text) => {
      const found: (readonly [string, string])[] = [];
      for (const part of text.split(',')) {
        if (part.trim() === '') {
          continue;
        }
        const pair = parsePair(part);
        if (pair === undefined) {
          return refuse(allowed);
        }
        const fault = kind === 'header' ? headerFault(pair) : undefined;
        if (fault !== undefined) {
          // By its number: what is set may be a key, and is shown nowhere.
          return new Refusal(`pair ${found.length + 1} has ${fault}; allowed is ${allowed}`);
        }
        found.push(pair);
      }
      return found;
    },
    show: (list) => list.map(([name, value]) => `${name}=${value}`).join(','),
  };
}

/** Kept as pairs and not as an object: names may contain dots, which convict takes for nesting. */
export type ReadonlyPairs = readonly (readonly [string, string])[];

/**
 * Where an OTLP receiver listens: a URL, or host:port or unix:PATH, which only gRPC takes.
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/#configuration-options
 */
export function endpoint(): Format<string> {
  const allowed =
    'an http:// or https:// URL without user name and fragment; with grpc also host:port or unix:PATH';
  return {
    allowed,
    parse: (text) => (isUrl(text) || isGrpcTarget(text) ? text : refuse(allowed)),
    show: String,
  };
}

/** A module to be loaded is a file, not a package: by how it is written alone. */
export function isPluginFile(name: string): boolean {
  return /^(?:\.{0,2}\/|file:)|\.[cm]?js$/.test(name);
}

/** A comma-separated list of modules: files, or packages by their names. */
export function modules(): Format<readonly string[]> {
  const allowed =
    'a comma-separated list of files (./redact.mjs, /etc/sightline/team.mjs) and names of packages';
  const place = (name: string, directory: string): string =>
    isPluginFile(name) && !name.startsWith('file:') ? resolve(directory, name) : name;
  return {
    ...list(allowed, (part) => part),
    placed: (text, directory) =>
      text
        .split(',')
        .map((part) => place(part.trim(), directory))
        .join(','),
  };
}

/** The path of a file that must be there now and readable. */
export function readableFile(): Format<string> {
  return {
    allowed: 'the path of a readable file',
    parse: (text) => {
      try {
        accessSync(text, constants.R_OK);
        return statSync(text).isFile() ? text : new Refusal('that is not a file');
      } catch {
        return new Refusal('no readable file is there');
      }
    },
    show: String,
  };
}

/** The path of a file to write: its directory must be there and writable; the file need not be there. */
export function outputFile(): Format<string> {
  return {
    allowed: 'the path of a file in an existing directory',
    parse: (text) => {
      const reason = unwritableReason(text);
      return reason === undefined ? text : new Refusal(reason);
    },
    show: String,
  };
}

function showDuration(ms: number): string {
  if (ms === MAX_TIMER_MS) {
    return '24 days';
  }
  return showIn(ms, ['h', 'm', 's'], DURATION_UNITS) ?? `${ms}ms`;
}

function showSize(bytes: number): string {
  return showIn(bytes, ['GiB', 'MiB', 'KiB'], SIZE_UNITS) ?? String(bytes);
}

function showIn(
  value: number,
  names: readonly string[],
  units: Readonly<Record<string, number>>,
): string | undefined {
  for (const name of names) {
    const factor = units[name];
    if (factor !== undefined && value >= factor && value % factor === 0) {
      return `${value / factor}${name}`;
    }
  }
  return undefined;
}

function refuse(allowed: string): Refusal {
  return new Refusal(`allowed is ${allowed}`);
}

/** Only whole numbers: `1.5m` or `1e3` would ask for rounding rules that nobody remembers. */
function parseQuantity(
  text: string,
  units: Readonly<Record<string, number>>,
  min: number,
  max: number,
  allowed: string,
): number | Refusal {
  const match = /^(\d{1,15})([A-Za-z]*)$/.exec(text);
  const unit = match?.[2] ?? '';
  const factor = unit === '' ? 1 : Object.hasOwn(units, unit) ? units[unit] : undefined;
  if (match === null || factor === undefined) {
    return refuse(allowed);
  }
  const value = Number(match[1]) * factor;
  return value >= min && value <= max ? value : refuse(allowed);
}

function parseWord<T extends string>(
  text: string,
  values: readonly T[],
  options: ChoiceOptions<T>,
  allowed: string,
): T | Refusal {
  const word = text.toLowerCase();
  if (options.aliases !== undefined && Object.hasOwn(options.aliases, word)) {
    return options.aliases[word] ?? refuse(allowed);
  }
  if (options.unavailable?.includes(word) === true) {
    return new Refusal(`"${word}" is not available in this version; allowed is ${allowed}`);
  }
  return values.find((value) => value.toLowerCase() === word) ?? refuse(allowed);
}

function parsePair(part: string): readonly [string, string] | undefined {
  const equals = part.indexOf('=');
  if (equals < 1) {
    return undefined;
  }
  try {
    const name = decodeURIComponent(part.slice(0, equals).trim());
    const value = decodeURIComponent(part.slice(equals + 1).trim());
    return name === '' ? undefined : [name, value];
  } catch {
    // A percent sign that does not encode UTF-8.
    return undefined;
  }
}

/** What no HTTP header can be: RFC 9110, sections 5.1 (names) and 5.5 (values). */
function headerFault([name, value]: readonly [string, string]): string | undefined {
  if (!TOKEN.test(name)) {
    return 'a name that no header can have';
  }
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(value)
    ? undefined
    : 'a value with a character that no header can carry';
}

function isUrl(text: string): boolean {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) {
    return false;
  }
  const url = new URL(text);
  return url.hostname !== '' && url.username === '' && url.password === '' && url.hash === '';
}

function isGrpcTarget(text: string): boolean {
  if (/^unix:\/?[^\s]+$/.test(text)) {
    return true;
  }
  const match = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$/.exec(text);
  const port = Number(match?.[1] ?? 0);
  return port >= 1 && port <= 65535;
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}
