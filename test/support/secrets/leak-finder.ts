/** Finds planted credentials, and parts of them, in what came out of the product. */
import { PASSWORD, type PlantedSecret } from './corpus.ts';

/** A part of a credential of this many characters is a leak. */
const LEAK_CHARS = 10;
/** Most runs of characters have nothing that begins like a part: that is seen without making a string of them. */
const FILTER_BITS = 20;
/** Before it stands the issuer's prefix, which is no secret. */
const PREFIX_CHARS = 4;

export interface Leak {
  /** Of the credential: of `SECRET_RULES`. */
  rule: string;
  /** What was found, and where. */
  part: string;
  index: number;
}

/** Looks for every credential, or a part of one. */
export function createLeakFinder(
  secrets: readonly PlantedSecret[],
): (text: string) => Leak | undefined {
  const rules = new Map<string, string>();
  for (const { rule, secret } of [...secrets, PASSWORD]) {
    for (let at = secret.length - LEAK_CHARS; at >= PREFIX_CHARS; at -= 1) {
      const part = secret.slice(at, at + LEAK_CHARS);
      if (!isCommon(part)) {
        rules.set(part, rule);
      }
    }
  }
  const mayBegin = new Uint8Array(1 << FILTER_BITS);
  for (const part of rules.keys()) {
    mayBegin[filterIndex(part, 0)] = 1;
  }
  return (text) => {
    for (const { 0: run, index } of text.matchAll(/[A-Za-z0-9+/_=.~-]{10,}/g)) {
      for (let at = 0; at + LEAK_CHARS <= run.length; at += 1) {
        if (mayBegin[filterIndex(run, at)] === 0) {
          continue;
        }
        const part = run.slice(at, at + LEAK_CHARS);
        const rule = rules.get(part);
        if (rule !== undefined) {
          return { rule, part, index: index + at };
        }
      }
    }
    return undefined;
  };
}

/** Of four characters, which are of seven bits each. */
function filterIndex(text: string, at: number): number {
  const code =
    (text.charCodeAt(at) << 21) |
    (text.charCodeAt(at + 1) << 14) |
    (text.charCodeAt(at + 2) << 7) |
    text.charCodeAt(at + 3);
  return Math.imul(code, 0x9e3779b1) >>> (32 - FILTER_BITS);
}

/**
 * Whether the part may stand elsewhere too: prefixes and headers of tokens are shared, and digits alone are also
 * those of a time. (One token of the corpus has 5292627202 in it, which is 1795292627.202 s from its fourth digit on.)
 */
function isCommon(part: string): boolean {
  return /[-_.]$|^(?:sk-|eyJ|pypi-|ATATT3|dp\.)|^\d+$/.test(part);
}
