/** Fills in fields that are absent unless the wire gave them a value. */

/** Sets `target[field]`, unless the value is undefined. */
export function setField<Target, Field extends keyof Target>(
  target: Target,
  field: Field,
  value: Exclude<Target[Field], undefined> | undefined,
): void {
  if (value !== undefined) {
    target[field] = value;
  }
}
