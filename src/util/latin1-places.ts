/** Runs a finder of places over UTF-8 bytes that are at hand as Latin-1 text, one character a byte. */
import type { SecretFinder } from './key-shapes.ts';

/** A character of UTF-8 of more than one byte (RFC 3629 §4, somewhat wider). What is none stays as it is. */
const LONG_CHARACTER =
  /[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}/g;

/** The same finder with Latin-1 text for its argument, and places in bytes. */
export function inLatin1(find: SecretFinder): SecretFinder {
  return (latin1) => {
    const text = latin1.replace(LONG_CHARACTER, decode);
    const found = find(text);
    if (found.length === 0 || text === latin1) {
      return found;
    }
    const starts = byteStarts(latin1, text.length);
    return found.map(({ index, length }) => {
      const start = starts[index] ?? latin1.length;
      return { index: start, length: (starts[index + length] ?? latin1.length) - start };
    });
  };
}

function decode(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** Where each UTF-16 unit of the decoded text begins, in bytes. */
function byteStarts(latin1: string, length: number): Uint32Array {
  const starts = new Uint32Array(length);
  let unit = 0;
  let byte = 0;
  function passTo(index: number): void {
    while (byte < index) {
      starts[unit] = byte;
      unit += 1;
      byte += 1;
    }
  }
  for (const match of latin1.matchAll(LONG_CHARACTER)) {
    passTo(match.index);
    const units = decode(match[0]).length;
    starts.fill(byte, unit, unit + units);
    unit += units;
    byte += match[0].length;
  }
  passTo(latin1.length);
  return starts;
}
