/**
 * Parses JSON whose numbers may have more digits than a double holds: such a number becomes a string of its own text,
 * as protobuf's JSON mapping writes 64-bit integers. https://protobuf.dev/programming-guides/json/
 */

/** Without a match every number is a double's. */
const MAYBE_INEXACT = /[\d.]{16}|\d[eE]/;

/** A string, or (group 1) a number. */
const STRING_OR_NUMBER = /"[^"\\]*(?:\\[\s\S][^"\\]*)*"|(-?\d[\d.eE+-]*)/g;

/** Throws a SyntaxError, as JSON.parse does. */
export function parseExactJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (!MAYBE_INEXACT.test(text)) {
    return value;
  }
  const exact = text.replace(STRING_OR_NUMBER, (part: string, number: string | undefined) =>
    number === undefined || isExact(number) ? part : `"${number}"`,
  );
  return exact === text ? value : JSON.parse(exact);
}

/** The number has the same digits when it is written again. */
function isExact(text: string): boolean {
  const number = Number(text);
  return Number.isFinite(number) && digitsOf(String(number)) === digitsOf(text);
}

/** The digits that say something, without the point's place. */
function digitsOf(number: string): string {
  const mantissa = number.replace(/e.*$/i, '').replace(/[-.]/g, '');
  return mantissa.replace(/^0+/, '').replace(/0+$/, '');
}
