/**
 * Which HTTP headers carry credentials, judged by name alone: in messages, and in header lines in arguments.
 *
 * Gateways invent names of their own (`x-portkey-virtual-key`, `helicone-auth`), so any part of a name that speaks
 * of a credential makes it one, but for well-known names that only sound like it.
 */

const SECRET_HEADERS: ReadonlySet<string> = new Set([
  'authentication-info',
  'proxy-authentication-info',
  'x-amzn-oidc-data',
  'x-ms-client-principal',
  'sec-websocket-protocol',
]);

const HARMLESS_HEADER =
  /^(?:(?:x-)?idempotency-key(?:-.*)?|sec-websocket-(?:key|accept)|surrogate-key|x-cache-key|access-control-.*|traceparent|x-stainless-.*|anthropic-(?!.*(?:key|auth|token$|secret)).*|.*-token-count)$/;

/** One of the parts of a name between `-` and `_`. */
const SECRET_PART =
  /(?:^|[-_])(?:[a-z]{0,32}(?:apikey|accesskey|secretkey|token|secret|password|signature)|key|auth|authori[sz]ation|authentication|jwt|passwd|passphrase|credentials?|cookie2?|session|sessionid)(?:$|[-_])/;

/** Longer names are no known ones; what is this long is treated as secret. */
const MAX_NAME_CHARS = 256;

/** Whether the values of this header (any case) are credentials. */
export function isSecretHeader(name: string): boolean {
  if (name.length > MAX_NAME_CHARS) {
    return true;
  }
  const lower = name.toLowerCase();
  return SECRET_HEADERS.has(lower) || (SECRET_PART.test(lower) && !HARMLESS_HEADER.test(lower));
}
