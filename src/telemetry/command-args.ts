/** Masks credentials in a program's arguments before they become an attribute. */

type Redact = (text: string) => string;

/** Options of widely used programs whose value, in the same argument or the next, is a credential. */
const SECRET_OPTION =
  /^--?(?:[a-z0-9]+[-_])*(?:api[-_]?key|access[-_]?key|private[-_]?key|secret[-_]?key|secret|token|password|passwd|pass|credential|credentials|auth|oauth2-bearer|proxy-user)$/i;

/** curl's `-u user:password` and `-H 'Name: value'` take the next argument too. */
const USER_OPTION = /^(?:-u|--user|-U)$/;

/** `NAME=value` and `"name": "value"` inside an argument, such as `env KEY=… program` or a `bash -c` script. */
const ASSIGNMENT =
  /([A-Za-z0-9_-]{0,64}(?:api[-_]?key|access[-_]?key|secret[-_]?key|private[-_]?key|secret|token|password|passwd)["']?\s{0,4}[=:]\s{0,4}["']?)([^\s"'&;|]{1,4096})/gi;

/** Header lines: the whole value up to the end of the quoted text. */
const HEADER =
  /((?:authorization|proxy-authorization|cookie|set-cookie|x-api-key|api-key|x-goog-api-key)["']?\s{0,4}:\s{0,4}["']?)([^"'\r\n]{1,8192})/gi;

/** `Bearer …` and `Basic …` wherever they stand. */
const SCHEME = /\b((?:Bearer|Basic)\s{1,4})([A-Za-z0-9._~+/=-]{8,8192})/g;

/** `scheme://user:password@host`. */
const USER_INFO = /(:\/\/)([^\s/@]{1,1024})(?=@)/g;

/** Keys that say of themselves what they are. */
const KEY_SHAPE =
  /\b(sk-[A-Za-z0-9_-]{8,512}|gh[pousr]_[A-Za-z0-9]{16,255}|github_pat_\w{16,255}|xox[abprs]-[A-Za-z0-9-]{8,255}|AKIA[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,64}|hf_[A-Za-z0-9]{16,255}|gsk_[A-Za-z0-9]{16,255})/g;

/**
 * A copy of `argv` with credentials replaced by as many `*`. `redact` is applied as well, so that the user's own
 * rules count here too.
 */
export function redactArguments(argv: readonly string[], redact: Redact): string[] {
  const masked: string[] = [];
  let isNextSecret = false;
  for (const [index, argument] of argv.entries()) {
    if (isNextSecret && !argument.startsWith('--')) {
      masked.push(stars(argument));
      isNextSecret = false;
      continue;
    }
    isNextSecret = index > 0 && (SECRET_OPTION.test(argument) || USER_OPTION.test(argument));
    masked.push(redact(redactArgument(argument)));
  }
  return masked;
}

function redactArgument(argument: string): string {
  const equals = argument.indexOf('=');
  if (equals > 0 && SECRET_OPTION.test(argument.slice(0, equals))) {
    return argument.slice(0, equals + 1) + stars(argument.slice(equals + 1));
  }
  return argument
    .replace(HEADER, (_match, head: string, value: string) => head + stars(value))
    .replace(ASSIGNMENT, (_match, head: string, value: string) => head + stars(value))
    .replace(SCHEME, (_match, head: string, value: string) => head + stars(value))
    .replace(USER_INFO, (_match, head: string, value: string) => head + stars(value))
    .replace(KEY_SHAPE, stars);
}

function stars(text: string): string {
  return '*'.repeat(text.length);
}
