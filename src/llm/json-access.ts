/** Looks into JSON values of unknown shape: each function gives undefined when the value is something else. */

export type JsonObject = Record<string, unknown>;

export function asObject(value: unknown): JsonObject | undefined {
  const isPlain = typeof value === 'object' && value !== null;
  return isPlain && Object.getPrototypeOf(value) === Object.prototype
    ? (value as JsonObject)
    : undefined;
}

/** The object that a JSON text is. */
export function parseObject(text: string): JsonObject | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined;
  }
}

export function asArray(value: unknown): unknown[] | undefined {
  return Array.isArray(value) ? value : undefined;
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
