/** Looks into JSON values of unknown shape: each function gives undefined when the value is something else. */

export type JsonObject = Record<string, unknown>;

export function asObject(value: unknown): JsonObject | undefined {
  const isPlain = typeof value === 'object' && value !== null;
  return isPlain && Object.getPrototypeOf(value) === Object.prototype
    ? (value as JsonObject)
    : undefined;
}

/** Nesting of a record that is parsed at once; what goes deeper, no later stage could walk. */
const MAX_RECORD_DEPTH = 512;

/** The object that a JSON text is, unless it is nested too deep. */
export function parseObject(text: string): JsonObject | undefined {
  const value = asObject(parse(text));
  // Each level takes two brackets: a short text need not be looked through.
  const mayBeDeep = text.length > 2 * MAX_RECORD_DEPTH;
  return mayBeDeep && isNestedBeyond(value, MAX_RECORD_DEPTH) ? undefined : value;
}

/** The text is JSON, and what `parseObject` has against it is its depth. */
export function isTooDeepRecord(text: string): boolean {
  return isNestedBeyond(parse(text), MAX_RECORD_DEPTH);
}

/** Undefined when the text is no JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether `value` has objects or arrays within each other on more levels than that. */
export function isNestedBeyond(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  return levels === 0 || Object.values(value).some((member) => isNestedBeyond(member, levels - 1));
}

export function asArray(value: unknown): unknown[] | undefined {
  return Array.isArray(value) ? value : undefined;
}

/** The texts of a list, or one that stands for a list; undefined when there is none. */
export function asTexts(value: unknown): string[] | undefined {
  const texts = (asArray(value) ?? [value]).filter((text) => typeof text === 'string');
  return texts.length === 0 ? undefined : texts;
}

/** A whole string that is not empty. */
export function asName(value: unknown): string | undefined {
  return typeof value === 'string' && value.length > 0 ? value : undefined;
}

export function asNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** A count: a whole number that is not negative. */
export function asCount(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** The first of `values` that is a count. */
export function firstCount(...values: unknown[]): number | undefined {
  for (const value of values) {
    const count = asCount(value);
    if (count !== undefined) {
      return count;
    }
  }
  return undefined;
}
