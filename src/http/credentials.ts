/**
 * What of an HTTP message is a credential: header names, query parameters, and shapes of well-known keys in text.
 *
 * Every pattern is linear in the text: one class repeated after a fixed prefix, nothing nested.
 */

import {
  findSecretsInLine,
  maskPlaces,
  type SecretFinder,
  type SecretPlace,
} from '../util/key-shapes.ts';

const SECRET_PARAMETER =
  /^(?:key|keys|auth|auth[-_]?key|app[-_]?key|session[-_]?key|authorization|bearer|otp|pat|ticket|pass|pwd|passwd|password|secret|sig|signature|token|jwt|code|code_verifier|client_assertion|assertion|credential|credentials|session|sessionid|session_id|sid|awsaccesskeyid|googleaccessid|x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature|x-goog-credential|.*[-_.]?(?:api[-_.]?key|apitoken|subscription[-_.]?key|access[-_.]?key|private[-_.]?key|secret[-_.]?key)|.*[-_.](?:token|secret|password|signature|key)|.*(?:accesstoken|authtoken|refreshtoken|idtoken|sessiontoken|clientsecret|apikey))$/i;

/** Whether the value of this query parameter (percent-encoding already undone) is a credential. */
function isSecretParameter(name: string): boolean {
  return name.length <= 128 && SECRET_PARAMETER.test(name);
}

/** The credentials in a request target or URL: userinfo, secret parameters of query and fragment, key shapes. */
export function findSecretsInTarget(target: string, findAdded?: SecretFinder): SecretPlace[] {
  const places = findUserinfo(target);
  const query = target.search(/[?#]/);
  if (query >= 0) {
    findSecretParameters(target, query + 1, places);
  }
  for (const place of findInDecoded(target, findSecretsInLine)) {
    places.push(place);
  }
  return findAdded === undefined ? places : places.concat(findInDecoded(target, findAdded));
}

const HEX_PAIR = /^[0-9A-Fa-f]{2}$/;

/** Looks in the target as it is and, where it has percent-encoding, with that undone. Places are the target's. */
function findInDecoded(target: string, find: SecretFinder): SecretPlace[] {
  const places = find(target);
  if (!target.includes('%')) {
    return places;
  }
  /** Where each character of the decoded text begins. */
  const starts: number[] = [];
  let decoded = '';
  for (let at = 0; at < target.length; ) {
    const digits = target[at] === '%' ? target.slice(at + 1, at + 3) : '';
    const isEncoded = HEX_PAIR.test(digits);
    starts.push(at);
    decoded += isEncoded ? String.fromCharCode(Number.parseInt(digits, 16)) : target[at];
    at += isEncoded ? 3 : 1;
  }
  starts.push(target.length);
  for (const { index, length } of find(decoded)) {
    const start = starts[index] ?? 0;
    places.push({ index: start, length: (starts[index + length] ?? target.length) - start });
  }
  return places;
}

/** The target with every credential replaced by as many `*`. Scrubbing twice changes nothing. */
export function scrubTarget(target: string): string {
  return maskPlaces(target, findSecretsInTarget(target));
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
