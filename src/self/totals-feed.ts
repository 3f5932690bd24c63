/** Carries totals that a room keeps by itself into the counters: what each grew by since the last look. */
import type { Counter } from './counters.ts';

export interface TotalsFeed {
  /** `read` gives a number that only grows. */
  follow(counter: Counter, read: () => number): void;
  /** Adds what is new. To be called now and then, and once at the end. */
  update(): void;
}

export function createTotalsFeed(): TotalsFeed {
  const followed: { counter: Counter; read: () => number; seen: number }[] = [];
  return {
    follow: (counter, read) => {
      followed.push({ counter, read, seen: 0 });
    },
    update: () => {
      for (const entry of followed) {
        const total = entry.read();
        if (total !== entry.seen) {
          entry.counter.add(total - entry.seen);
          entry.seen = total;
        }
      }
    },
  };
}
