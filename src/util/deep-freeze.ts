/** Freezes what is given to others, so that nothing that they do to it is seen elsewhere. */

/** Freezes a value that is ours alone, with all that is in it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const item of Object.values(value)) {
      deepFreeze(item);
    }
  }
  return value;
}
