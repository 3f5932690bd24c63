/** Undoes what a test has done as soon as it has done it, so that nothing is left open where a later step fails. */

/** Has `undo` called after the test that runs now, however it ends. */
export type Defer = (undo: () => unknown) => void;

/** Called in a suite. What was deferred last is undone first; a failure in there does not keep the others from it. */
export function deferToAfterEach(): Defer {
  let pending: (() => unknown)[] = [];
  afterEach(async () => {
    const all = pending.reverse();
    pending = [];
    const errors: unknown[] = [];
    for (const undo of all) {
      try {
        await undo();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) {
      throw errors[0];
    }
  });
  return (undo) => {
    pending.push(undo);
  };
}
