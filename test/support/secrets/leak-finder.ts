/** Finds planted credentials, and parts of them, in what came out of the product. */
import { PASSWORD, type PlantedSecret } from './corpus.ts';

/** A part of a credential of this many characters is a leak. */
const LEAK_CHARS = 10;
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
  return (text) => {
    for (const { 0: run, index } of text.matchAll(/[A-Za-z0-9+/_=.~-]{10,}/g)) {
      for (let at = 0; at + LEAK_CHARS <= run.length; at += 1) {
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

/**
 * Whether the part may stand elsewhere too: prefixes and headers of tokens are shared, and digits alone are also
 * those of a time. (One token of the corpus has 5292627202 in it, which is 1795292627.202 s from its fourth digit on.)
 */
function isCommon(part: string): boolean {
  return /[-_.]$|^(?:sk-|eyJ|pypi-|ATATT3|dp\.)|^\d+$/.test(part);
}
