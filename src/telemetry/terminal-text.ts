/** Text for a terminal: safe, coloured where that is wanted, and no wider than the window. */

type Colour = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** SGR parameters, ECMA-48 §8.3.117. */
const CODES: Record<Colour, readonly [on: number, off: number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

/** A piece of a line. */
export interface Chunk {
  text: string;
  colour?: Colour;
}

/**
 * Replaces what could move a terminal's cursor or turn its text around: names and arguments come from the
 * programs observed, and from their servers.
 */
export function printable(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to be removed.
      .replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
      .replace(/[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, '')
  );
}

/** Joins the chunks of a line; cut at `columns` with an ellipsis. Colours count for nothing. */
export function renderLine(
  chunks: readonly Chunk[],
  columns: number | undefined,
  isColoured: boolean,
): string {
  const total = chunks.reduce((sum, chunk) => sum + width(chunk.text), 0);
  const isCut = columns !== undefined && total > columns;
  let left = isCut ? Math.max(columns - 1, 0) : Number.POSITIVE_INFINITY;
  let line = '';
  for (const chunk of chunks) {
    const text = left === Number.POSITIVE_INFINITY ? chunk.text : cut(chunk.text, left);
    left -= width(text);
    line += colour(text, isColoured ? chunk.colour : undefined);
    if (left <= 0) {
      break;
    }
  }
  return isCut ? `${line}…` : line;
}

function colour(text: string, name: Colour | undefined): string {
  if (name === undefined || text === '') {
    return text;
  }
  const [on, off] = CODES[name];
  return `\u001b[${on}m${text}\u001b[${off}m`;
}

/** East Asian wide characters and emoji take two columns (Unicode TR 11, roughly). */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

function width(text: string): number {
  let columns = 0;
  for (const character of text) {
    columns += WIDE.test(character) ? 2 : 1;
  }
  return columns;
}

function cut(text: string, columns: number): string {
  let left = columns;
  let kept = '';
  for (const character of text) {
    left -= WIDE.test(character) ? 2 : 1;
    if (left < 0) {
      break;
    }
    kept += character;
  }
  return kept;
}

/** `950µs`, `12ms`, `3.4s`, `2m05s`. */
export function durationText(ns: bigint): string {
  const seconds = Number(ns) / 1e9;
  if (seconds < 0.001) {
    return `${Math.round(seconds * 1e6)}µs`;
  }
  if (seconds < 0.9995) {
    return `${Math.round(seconds * 1e3)}ms`;
  }
  if (seconds < 59.95) {
    return `${seconds.toFixed(1)}s`;
  }
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, '0')}s`;
}

/** Thousands apart, for reading: `12,345`. */
export function countText(count: number): string {
  return count.toString().replace(/\B(?=(?:\d{3})+$)/g, ',');
}
