/** Masks credentials in command-line arguments with as many `*`, before they are written to a file. */

/** Flags whose value, in the same or the next argument, is a secret. */
const SECRET_FLAG =
  /^--?(?:[a-z0-9-]*-)?(?:api[-_]?key|token|password|passwd|secret|access[-_]?key|auth|oauth2-bearer)$/i;

/** Flags whose next argument may be an HTTP header. */
const HEADER_FLAG = /^(?:-H|--header|--proxy-header)$/;

/** curl's short forms of --user and --proxy-user; other programs mean other things by them. */
const CURL_USER_FLAG = /^-[uU]$/;
const CURL = /(?:^|\/)curl$/;

const SECRET_HEADER =
  /^([a-z0-9-]{0,64}(?:authorization|api-key|token|secret|cookie)[a-z0-9-]{0,64}\s*:\s*)(.+)$/is;

/**
 * Secrets recognised by their own shape, or by a name right before them. The last capture group is the secret;
 * a pattern without one is secret as a whole. Every quantifier before a required part is bounded: arguments can
 * be megabytes long, and an unbounded one would take time in the square of that.
 */
const SECRET_PATTERNS: readonly RegExp[] = [
  /\b(?:Bearer|Basic)\s+([A-Za-z0-9._~+/=-]{8,})/g,
  /\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s/:@]{0,256}:([^\s/@]{1,1024})@/gi,
  /[?&](?:key|api[-_]?key|token|access[-_]?token|sig|signature|password|secret)=([^&\s"'#]+)/gi,
  /\b[A-Za-z0-9_]{0,64}(?:API_?KEY|TOKEN|SECRET|PASSWORD|PASSWD|ACCESS_?KEY)[A-Za-z0-9_]{0,64}=("[^"]*"|'[^']*'|[^\s"';&|]+)/g,
  /(?:authorization|api-key|cookie)\s{0,8}:\s*([^"'\r\n]+)/gi,
  /\bsk-[A-Za-z0-9_-]{16,}/g,
  /\bgh[pousr]_[A-Za-z0-9]{20,}/g,
  /\bgithub_pat_[A-Za-z0-9_]{20,}/g,
  /\bxox[abeprs]-[A-Za-z0-9-]{10,}/g,
  /\bA(?:KIA|SIA)[A-Z0-9]{16}\b/g,
  /\bAIza[A-Za-z0-9_-]{30,}/g,
  /\bhf_[A-Za-z0-9]{20,}/g,
  /\beyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,8192}\.[A-Za-z0-9_-]*/g,
];

/** Returns the arguments with what looks like a credential masked. */
export function scrubArguments(argv: readonly string[]): string[] {
  const isCurl = CURL.test(argv[0] ?? '');
  return argv.map((argument, index) => {
    const previous = index > 0 ? (argv[index - 1] ?? '') : '';
    if ((isCurl && CURL_USER_FLAG.test(previous)) || /^--(?:proxy-)?user$/.test(previous)) {
      return maskAfter(argument, ':');
    }
    if (SECRET_FLAG.test(previous)) {
      return mask(argument);
    }
    if (HEADER_FLAG.test(previous)) {
      return argument.replace(SECRET_HEADER, (_all, name: string, value: string) => {
        return name + mask(value);
      });
    }
    const equals = argument.indexOf('=');
    if (equals > 0 && argument.startsWith('-') && SECRET_FLAG.test(argument.slice(0, equals))) {
      return argument.slice(0, equals + 1) + mask(argument.slice(equals + 1));
    }
    return scrubText(argument);
  });
}

function scrubText(text: string): string {
  let result = text;
  for (const pattern of SECRET_PATTERNS) {
    result = result.replace(pattern, (all: string, ...rest: unknown[]) => {
      const secret = typeof rest[0] === 'string' ? rest[0] : all;
      const at = all.lastIndexOf(secret);
      return all.slice(0, at) + mask(secret) + all.slice(at + secret.length);
    });
  }
  return result;
}

/** `name:password` keeps the name; a bare name is no secret. */
function maskAfter(text: string, separator: string): string {
  const at = text.indexOf(separator);
  return at < 0 ? text : text.slice(0, at + 1) + mask(text.slice(at + 1));
}

function mask(text: string): string {
  return '*'.repeat(text.length);
}
