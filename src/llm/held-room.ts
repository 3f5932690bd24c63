/** Room for what the reader of a streamed answer holds of the steps that are not over yet, all of them together. */
import type { CallContext } from './wire-api.ts';

export interface HeldRoom {
  /** False, and damage of the call, when there is no room for that many characters. */
  take(chars: number): boolean;
  /** What was taken is held no longer. */
  release(chars: number): void;
}

/** As many characters as the call may keep bytes of content. */
export function createHeldRoom({ call, limits }: CallContext): HeldRoom {
  let roomChars = limits.maxCallContentBytes;
  return {
    take(chars) {
      if (chars > roomChars) {
        call.damage.add('limit');
        return false;
      }
      roomChars -= chars;
      return true;
    },
    release(chars) {
      roomChars += chars;
    },
  };
}
