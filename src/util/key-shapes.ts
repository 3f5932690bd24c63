/**
 * Keys and tokens that say of themselves what they are, found in any text by the prefixes their issuers give them.
 *
 * Every pattern is linear in the text: one class repeated after a fixed prefix, nothing nested.
 */

/** A place in a text: `index` and `length` in UTF-16 units, which are bytes when the text is latin1. */
export interface SecretPlace {
  index: number;
  length: number;
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

/** A key is shorter than this; what is looked at of a text's end, in UTF-16 units. */
const MAX_CUT_CHARS = 256;

/** An issuer's prefix and some of its key up to the end of the text; a digit tells it from words (`npm_config`). */
const CUT_KEY =
  /(?<![A-Za-z0-9])(?:gh[opusr]_|github_pat_|glpat-|npm_|pypi-|hf_|(?:sk|rk|whsec|gsk|pplx|r8|fw|csk)[-_]|xai-|nvapi-|SG\.|AKIA|ASIA|AIza|ya29\.|xox[abeoprs]-|xapp-|eyJ)(?=[A-Za-z_.-]{0,48}[0-9])[A-Za-z0-9_.-]{6,}$/;

/** What a limit left of a key at the very end of `text`: too short for its shape, and most of a secret. */
export function findCutSecret(text: string): SecretPlace[] {
  const from = Math.max(0, text.length - MAX_CUT_CHARS);
  const match = CUT_KEY.exec(text.slice(from));
  return match === null ? [] : [{ index: from + match.index, length: match[0].length }];
}
