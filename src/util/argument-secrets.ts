/**
 * Masks credentials in the arguments of a program with as many `*`.
 *
 * An argument is judged by what stands before it (`--token abc`, `curl -u me:pw`), then by its own text, which may
 * be a whole shell script. Too much masked costs a little detail; too little is a leak: in doubt it is masked.
 *
 * Arguments can be megabytes long. Every pattern takes linear time: what stands before a secret is of bounded
 * length, and the secret is one class up to its delimiter with nothing required behind it.
 */
import { findSecretsInText, maskPlaces } from './key-shapes.ts';
import { isSecretHeader } from './secret-headers.ts';

/** Options of any program whose value, behind `=` or in the next argument, is a credential. */
const SECRET_OPTION =
  /^--?(?:[a-z0-9]{1,32}[-_]){0,6}(?:(?:api|access|account|auth|client|encryption|license|private|secret|signing|subscription)[-_]?key|(?:access|api|auth|bearer|client|id|refresh|session)?(?:token|secret)|password|passwd|pass|passphrase|passin|passout|credentials?|auth|oauth2-bearer)$|^--(?:proxy-)?user$/i;

/** Longer than any option's name; keeps the tests of names cheap. */
const MAX_NAME_CHARS = 128;

interface ProgramRule {
  program: RegExp;
  /** The next argument is a credential. */
  option?: RegExp;
  /** The rest of the same argument is; group 1 stays. */
  attached?: RegExp;
  /** Only behind this word. */
  command?: string;
}

/** Short options mean something else in every program. */
const PROGRAM_RULES: readonly ProgramRule[] = [
  {
    program: /^curl$/,
    option: /^-[A-Za-z0-9#]{0,16}[uUb]$|^--cookie$/,
    attached: /^(-[uUb])[^-]/s,
  },
  { program: /^(?:https?|xhs?)$/, option: /^-a$/, attached: /^(-a)./s },
  { program: /^sshpass$/, option: /^-p$/, attached: /^(-p)./s },
  { program: /^redis-cli$/, option: /^-a$/, attached: /^(-a)./s },
  { program: /^(?:mysql|mariadb)(?:dump|admin|check|import)?$/, attached: /^(-p)./s },
  { program: /^(?:docker|podman|buildah|skopeo|helm|az|oc)$/, option: /^-p$/, command: 'login' },
];

/** Options whose value is a header line. */
const HEADER_OPTION = /^(?:-H|--header|--proxy-header)$/;
const ATTACHED_HEADER = /^(?:-H|--header=|--proxy-header=)(?=[^\s:=]{1,128}:)/;

/** `NAME=value` as an argument of its own, as `env` and `docker -e` take it: all of the value is secret. */
const ASSIGNMENT_ARGUMENT =
  /^(?=[A-Za-z_])[A-Za-z0-9_]{0,64}?(?:API_?KEY|ACCESS_?KEY|SECRET_?KEY|PRIVATE_?KEY|TOKEN|SECRET|PASSWORD|PASSWD)[A-Za-z0-9_]{0,64}=(?=\S+$)/;

/** A value up to the end of its quotes, or of the word where it has none. */
const VALUE = `((?<=")[^"]+|(?<=')[^']+|[^\\s"'&;|]+)`;
/** Quotes may be escaped: a script holds JSON, which holds strings. */
const QUOTE = `\\\\{0,3}["']?`;
const SECRET_NAME =
  'api[-_]?key|access[-_]?key|secret[-_]?key|private[-_]?key|subscription-key|secret|token|password|passwd|passphrase';

/** Words of a simple command in a script, up to an option; and that option's value, unless it is masked. */
const WORDS = '(?:\\s{1,4}[^\\s;&|]{1,128}){0,8}?\\s{1,4}';
const OPTION_VALUE = `${QUOTE}(?!\\*)${VALUE}`;

/** The rules of programs, for scripts. */
const SCRIPT_RULES: readonly RegExp[] = [
  `curl${WORDS}(?:-[A-Za-z0-9#]{0,16}[uUb]\\s{0,4}|--(?:cookie|user|proxy-user)[\\s=]{1,4})`,
  `(?:https?|xhs?)${WORDS}-a\\s{0,4}`,
  `sshpass${WORDS}-p\\s{0,4}`,
  `redis-cli${WORDS}-a\\s{0,4}`,
  `(?:mysql|mariadb)(?:dump|admin|check|import)?${WORDS}-p`,
  `(?:docker|podman|buildah|skopeo|helm|az|oc)(?:\\s{1,4}[a-z]{1,16})?\\s{1,4}login${WORDS}-p\\s{0,4}`,
].map((rule) => new RegExp(`(?<![\\w.-])${rule}${OPTION_VALUE}`, 'g'));

/** Secrets known by what stands before them in the same text. The last group of each is the secret. */
const TEXT_RULES: readonly RegExp[] = [
  ...SCRIPT_RULES,
  // Header lines: the whole value, up to the end of the quoted text.
  new RegExp(
    `(?:authorization|cookie|x-api-key|api-key|x-goog-api-key|x-functions-key|x-auth(?:-[a-z]{1,16})?|application-key)${QUOTE}\\s{0,8}:\\s{0,8}${QUOTE}([^"'\\r\\n]+)`,
    'gi',
  ),
  // Behind an option that takes header lines, any name that speaks of a credential.
  new RegExp(
    `(?<![\\w-])(?:-H|--header|--proxy-header)[\\s=]{0,4}${QUOTE}(?!(?:x-)?idempotency-)(?:[a-z0-9]{1,32}[-_]){0,6}(?:[a-z0-9]{0,32}(?:key|token|secret|password)|auth|jwt|signature|session|credentials?)(?:[-_][a-z0-9]{1,32}){0,3}:\\s{0,8}([^"'\\r\\n]+)`,
    'gi',
  ),
  // `name=value` and `"name": "value"` under whatever prefix.
  new RegExp(`(?:${SECRET_NAME})${QUOTE}\\s{0,4}[=:]\\s{0,4}${QUOTE}${VALUE}`, 'gi'),
  // Environment variables may go on behind the word (GITHUB_TOKEN_2); `max_tokens=5` is none.
  new RegExp(
    `(?:API_?KEY|ACCESS_?KEY|TOKEN|SECRET|PASSWORD|PASSWD)[A-Z0-9_]{1,64}=${QUOTE}${VALUE}`,
    'g',
  ),
  // `--name value` in a script.
  new RegExp(
    `(?<![\\w-])--(?:[a-z0-9]{1,32}[-_]){0,6}(?:${SECRET_NAME}|credentials?|oauth2-bearer)\\s{1,4}(?!-)${QUOTE}${VALUE}`,
    'gi',
  ),
  // `-u name:password` in a script; numbers are user and group.
  /(?<![\w-])(?:-[A-Za-z0-9#]{0,16}[uU]|--user|--proxy-user)[\s=]{1,4}(?!\d{1,10}:\d{1,10}(?!\S))["']?((?=[^\s"':]{0,256}:)[^\s"']+)/g,
  /\b(?:Bearer|Basic)\s{1,4}([A-Za-z0-9._~+/=-]{8,})/g,
  // User information of a URL, up to the last `@` of its authority: a name alone may be a token.
  /:\/\/([^\s/?#"']+)(?=@)/g,
  /[?&](?:[a-z0-9_.-]{0,64}[-_.])?(?:keys?|(?:api|app|auth|session)[-_.]?key|auth|authorization|bearer|otp|pat|ticket|pass|pwd|passwd|password|secret|sig|signature|(?:access|auth|id|refresh|session)?token|jwt|code|credentials?|session|session_?id|sid)=([^&\s"'#]+)/gi,
  // Shorter than what is a key for certain: on a command line `sk-` begins little else.
  /\bsk-[A-Za-z0-9_-]{8,}/g,
  /\b(?:gh[pousr]_|github_pat_|hf_|gsk_)[A-Za-z0-9_]{16,}/g,
  /\bxox[abeoprs]-[A-Za-z0-9-]{8,}/g,
];

/** Nothing in a text without any of these can match; most arguments have none. */
const MAYBE_SECRET =
  /[=:]|bearer|basic|sk-|gh[pousr]_|github_pat_|hf_|gsk_|xox|[uU]\s|(?:curl|https?|xhs?|sshpass|redis-cli|mysql\w{0,6}|mariadb\w{0,6}|login)\s|--[a-z0-9_-]{1,64}\s/i;

/**
 * One mask can make room for another (a masked word no longer hides the one behind it). Repeated until nothing
 * changes; text that still does after this many rounds is masked whole.
 */
const MAX_ROUNDS = 4;

/**
 * A copy of `argv` of the same number and lengths (UTF-16 units), with what looks like a credential overwritten
 * by `*`. Masking what is masked changes nothing.
 */
export function maskArguments(argv: readonly string[]): string[] {
  let previous = '';
  const rules: ProgramRule[] = [];
  return argv.map((argument, index) => {
    const before = previous;
    const masked = untilSettled(argument, (text) => maskArgumentOnce(text, before, rules));
    rules.push(...rulesOf(argument, argv));
    // A program's own name is no option, whatever it looks like.
    previous = index === 0 ? '' : argument;
    return masked;
  });
}

/** The text with every credential overwritten that its own words give away, as in one argument. */
export function maskSecretsInText(text: string): string {
  return untilSettled(text, maskTextOnce);
}

function untilSettled(text: string, maskOnce: (text: string) => string): string {
  let masked = text;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const before = masked;
    masked = maskOnce(before);
    if (masked === before) {
      return masked;
    }
  }
  return stars(text);
}

function maskArgumentOnce(
  argument: string,
  previous: string,
  rules: readonly ProgramRule[],
): string {
  const isOption = /^--[a-z]/i.test(argument);
  if (!isOption && isSecretOption(previous, rules)) {
    return stars(argument);
  }
  const masked = maskAssigned(maskHeader(maskOptionValue(argument, rules), previous));
  return maskTextOnce(masked);
}

function isSecretOption(option: string, rules: readonly ProgramRule[]): boolean {
  return (
    option.startsWith('-') &&
    option.length <= MAX_NAME_CHARS &&
    (SECRET_OPTION.test(option) || rules.some((rule) => rule.option?.test(option) === true))
  );
}

/** `--api-key=value` and, of programs that take them, `-pvalue`. */
function maskOptionValue(argument: string, rules: readonly ProgramRule[]): string {
  if (!argument.startsWith('-')) {
    return argument;
  }
  const equals = argument.indexOf('=');
  if (equals > 0 && equals <= MAX_NAME_CHARS && SECRET_OPTION.test(argument.slice(0, equals))) {
    return maskFrom(argument, equals + 1);
  }
  for (const { attached } of rules) {
    const head = attached?.exec(argument)?.[1];
    if (head !== undefined) {
      return maskFrom(argument, head.length);
    }
  }
  return argument;
}

/** `Name: value` behind an option that takes header lines, where the name says that the value is secret. */
function maskHeader(argument: string, previous: string): string {
  const attachedAt = ATTACHED_HEADER.exec(argument)?.[0].length ?? 0;
  if (attachedAt === 0 && !HEADER_OPTION.test(previous)) {
    return argument;
  }
  const colon = argument.indexOf(':', attachedAt);
  const isNamed = colon >= attachedAt && colon - attachedAt <= MAX_NAME_CHARS;
  if (isNamed && isSecretHeader(argument.slice(attachedAt, colon))) {
    return maskFrom(argument, skipSpace(argument, colon + 1));
  }
  return argument;
}

function maskAssigned(argument: string): string {
  const head = ASSIGNMENT_ARGUMENT.exec(argument)?.[0];
  return head === undefined ? argument : maskFrom(argument, head.length);
}

/** The rules of a program this argument starts, behind `sudo` or `env` as well. */
function rulesOf(argument: string, argv: readonly string[]): readonly ProgramRule[] {
  if (argument.startsWith('-') || argument.length > 4096) {
    return [];
  }
  const name = argument.slice(argument.lastIndexOf('/') + 1);
  return PROGRAM_RULES.filter(
    ({ program, command }) =>
      program.test(name) && (command === undefined || argv.includes(command)),
  );
}

function maskTextOnce(text: string): string {
  // Shapes first, all of them: text of which those were masked before, as in recorded bytes, comes out the same.
  let masked = untilSettled(text, maskShapes);
  if (!MAYBE_SECRET.test(masked)) {
    return masked;
  }
  for (const rule of TEXT_RULES) {
    masked = masked.replace(rule, (all: string, ...groups: unknown[]) => {
      const secret = typeof groups[0] === 'string' ? groups[0] : all;
      return all.slice(0, all.length - secret.length) + stars(secret);
    });
  }
  return masked;
}

function maskShapes(text: string): string {
  return maskPlaces(text, findSecretsInText(text));
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\t') {
    at += 1;
  }
  return at;
}

function maskFrom(text: string, at: number): string {
  return text.slice(0, at) + stars(text.slice(at));
}

function stars(text: string): string {
  return '*'.repeat(text.length);
}
