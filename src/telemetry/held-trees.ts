/** Decides which finished trees are printed: all, none, or those whose spans the endpoint did not take. */
import type { HealthState } from './endpoint-health.ts';

export interface HeldTrees {
  /** A finished tree. */
  add(text: string): void;
  /** The endpoint's health changed. */
  changed(state: HealthState): void;
  /** Everything finished so far has arrived. */
  delivered(): void;
}

/**
 * `fallback`: a tree is held until its spans arrived, and printed when they do not. What does not fit is let go:
 * its spans are still queued.
 */
export function createHeldTrees(
  mode: 'fallback' | 'always' | 'never',
  maxHeld: number,
  write: (text: string) => void,
): HeldTrees {
  const held: string[] = [];
  let isDown = false;
  return {
    add(text) {
      if (mode === 'always' || (mode === 'fallback' && isDown)) {
        write(text);
      } else if (mode === 'fallback') {
        held.push(text);
        if (held.length > maxHeld) {
          held.shift();
        }
      }
    },
    changed(state) {
      isDown = state === 'down';
      if (isDown) {
        for (const text of held) {
          write(text);
        }
        held.length = 0;
      }
    },
    delivered() {
      held.length = 0;
    },
  };
}
