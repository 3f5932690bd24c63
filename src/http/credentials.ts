/**
 * What of an HTTP message is a credential: header names, query parameters, and shapes of well-known keys in text.
 *
 * Every pattern is linear in the text: one class repeated after a fixed prefix, nothing nested.
 */

/** A place in a text: `index` and `length` in UTF-16 units, which are bytes when the text is latin1. */
export interface SecretPlace {
  index: number;
  length: number;
}

const SECRET_HEADERS: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'authentication-info',
  'proxy-authentication-info',
  'cookie',
  'cookie2',
  'set-cookie',
  'set-cookie2',
  'x-api-key',
  'api-key',
  'apikey',
  'x-apikey',
  'ocp-apim-subscription-key',
  'x-goog-api-key',
  'x-goog-iam-authorization-token',
  'x-amz-security-token',
  'x-amzn-oidc-data',
  'x-amzn-oidc-accesstoken',
  'x-ms-client-principal',
  'x-functions-key',
  'cf-access-client-secret',
  'cf-access-jwt-assertion',
  'x-vercel-oidc-token',
  'private-token',
  'deploy-token',
  'job-token',
  'x-vault-token',
  'x-consul-token',
  'x-forwarded-access-token',
  'dd-api-key',
  'dd-application-key',
  'sec-websocket-protocol',
]);

/** Ends of header names whose values are secret whoever invented them (`openai-api-key`, `x-foo-token`). */
const SECRET_HEADER_ENDING =
  /(?:^|[-_])(?:api[-_]?key|api[-_]?token|auth[-_]?token|access[-_]?token|auth[-_]?key|secret|secret[-_]?key|password|passwd|session[-_]?token|csrf[-_]?token|xsrf[-_]?token|refresh[-_]?token|id[-_]?token|bearer[-_]?token|authorization|credential|credentials|token)$/;

/** Whether the values of this header (any case) are credentials. */
export function isSecretHeader(name: string): boolean {
  const lower = name.toLowerCase();
  return SECRET_HEADERS.has(lower) || SECRET_HEADER_ENDING.test(lower);
}

const SECRET_PARAMETER =
  /^(?:key|keys|auth|authorization|pass|pwd|passwd|password|secret|sig|signature|token|jwt|code|code_verifier|client_assertion|assertion|credential|credentials|session|sessionid|session_id|sid|awsaccesskeyid|googleaccessid|x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature|x-goog-credential|.*[-_.]?(?:api[-_.]?key|apitoken|subscription[-_.]?key|access[-_.]?key|private[-_.]?key|secret[-_.]?key)|.*[-_.](?:token|secret|password|signature|key)|.*(?:accesstoken|authtoken|refreshtoken|idtoken|sessiontoken|clientsecret|apikey))$/i;

/** Whether the value of this query parameter (percent-encoding already undone) is a credential. */
export function isSecretParameter(name: string): boolean {
  return name.length <= 128 && SECRET_PARAMETER.test(name);
}

/** The credentials in a request target or URL: userinfo, secret parameters of query and fragment, key shapes. */
export function findSecretsInTarget(target: string): SecretPlace[] {
  const places = findUserinfo(target);
  const query = target.search(/[?#]/);
  if (query >= 0) {
    findSecretParameters(target, query + 1, places);
  }
  for (const place of findSecretsInText(target)) {
    places.push(place);
  }
  return places;
}

/** The target with every credential replaced by as many `*`. Scrubbing twice changes nothing. */
export function scrubTarget(target: string): string {
  return maskPlaces(target, findSecretsInTarget(target));
}

/** `text` with the places replaced by as many `*`; places may overlap and need no order. */
export function maskPlaces(text: string, places: readonly SecretPlace[]): string {
  if (places.length === 0) {
    return text;
  }
  const sorted = [...places].sort((one, other) => one.index - other.index);
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

/**
 * Each pattern: a prefix that names the issuer, then its alphabet. Group 1, when there is one, is the secret;
 * otherwise the whole match is. A `*` in an alphabet would let masked text match again: none has it.
 */
const KEY_SHAPES: readonly RegExp[] = [
  // OpenAI, Anthropic, OpenRouter, DeepSeek (sk-, sk-proj-, sk-ant-, sk-or-), Stripe (sk_live_).
  /\b(?:sk|rk|pk)-[A-Za-z0-9_-]{16,}/g,
  /\b(?:sk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,}/g,
  // GitHub, GitLab, npm, PyPI, Hugging Face, Groq, xAI, Perplexity, Replicate, NVIDIA, Fireworks, SendGrid.
  /\bgh[opusr]_[A-Za-z0-9]{20,}/g,
  /\bgithub_pat_[A-Za-z0-9_]{20,}/g,
  /\bglpat-[A-Za-z0-9_-]{16,}/g,
  /\bnpm_[A-Za-z0-9]{30,}/g,
  /\bpypi-[A-Za-z0-9_-]{32,}/g,
  /\bhf_[A-Za-z0-9]{20,}/g,
  /\b(?:gsk|pplx|r8|fw|csk)[-_][A-Za-z0-9]{24,}/g,
  /\bxai-[A-Za-z0-9]{24,}/g,
  /\bnvapi-[A-Za-z0-9_-]{24,}/g,
  /\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}/g,
  // AWS key ids, Google API keys and OAuth tokens, Slack.
  /\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}/g,
  /\bAIza[A-Za-z0-9_-]{30,}/g,
  /\bya29\.[A-Za-z0-9_-]{20,}/g,
  /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/g,
  /\bxapp-[A-Za-z0-9-]{10,}/g,
  /\bBearer\s{1,4}([A-Za-z0-9._~+/=-]{16,})/gi,
  // JSON Web Token: the base64url of `{"` begins with eyJ. Looked for only where a run of its alphabet begins,
  // or `eyJ-eyJ-eyJ-…` would be scanned to its end from every part.
  /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?/g,
  // PEM, with real line ends or with the `\n` of JSON. The alphabet has no second hyphen-run, so no backtracking.
  /-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----([A-Za-z0-9+/=\s\\:,.]{16,})/g,
];

/** Something every shape begins with; most texts have none of it, and then nothing else is tried. */
const ANY_SHAPE =
  /[srp]k[-_]|whsec_|gh[opusr]_|github_pat_|glpat-|npm_|pypi-|hf_|gsk[-_]|pplx[-_]|r8[-_]|fw[-_]|xai-|nvapi-|SG\.|AKIA|ASIA|ABIA|ACCA|AIza|ya29\.|xox|xapp-|bearer\s|eyJ|PRIVATE KEY/i;

/** Well-known credentials in `text`, in no particular order, perhaps overlapping. Linear in its length. */
export function findSecretsInText(text: string): SecretPlace[] {
  const places: SecretPlace[] = [];
  if (!ANY_SHAPE.test(text)) {
    return places;
  }
  for (const shape of KEY_SHAPES) {
    shape.lastIndex = 0;
    for (let match = shape.exec(text); match; match = shape.exec(text)) {
      const secret = match[1] ?? match[0];
      places.push({
        index: match.index + match[0].length - secret.length,
        length: secret.length,
      });
    }
  }
  return places;
}

function findUserinfo(target: string): SecretPlace[] {
  const scheme = target.indexOf('://');
  // Only an absolute form has an authority; a path may hold another URL further on (`/proxy/https://u:p@h`).
  if (scheme < 0) {
    return [];
  }
  const places: SecretPlace[] = [];
  const userinfo = /:\/\/([^/?#@\s]{1,1024})@/g;
  for (let match = userinfo.exec(target); match; match = userinfo.exec(target)) {
    const secret = match[1] ?? '';
    places.push({ index: match.index + 3, length: secret.length });
  }
  return places;
}

function findSecretParameters(target: string, from: number, places: SecretPlace[]): void {
  let start = from;
  while (start <= target.length) {
    let end = start;
    let equals = -1;
    while (end < target.length) {
      const char = target.charCodeAt(end);
      // & ; ? # separate parameters (a second ? or a # begins another list).
      if (char === 0x26 || char === 0x3b || char === 0x3f || char === 0x23) {
        break;
      }
      if (char === 0x3d && equals < 0) {
        equals = end;
      }
      end += 1;
    }
    if (equals >= 0 && equals + 1 < end) {
      if (isSecretParameter(decodeName(target.slice(start, equals)))) {
        places.push({ index: equals + 1, length: end - equals - 1 });
      }
    }
    start = end + 1;
  }
}

function decodeName(name: string): string {
  if (!name.includes('%')) {
    return name;
  }
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
