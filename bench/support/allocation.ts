/** Bytes that a piece of work allocates on the JavaScript heap, garbage included. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/**
 * Sums the growth of the heap between looks; `look` is to be called often enough (every few hundred kilobytes).
 * What was allocated between the last look and a collection of garbage is missed: a few per cent, never more counted.
 */
export interface AllocationMeter {
  look(): void;
  bytes(): number;
}

export function startAllocationMeter(): AllocationMeter {
  collectGarbage();
  let last = getHeapStatistics().used_heap_size;
  let total = 0;
  return {
    look() {
      const now = getHeapStatistics().used_heap_size;
      total += Math.max(0, now - last);
      last = now;
    },
    bytes: () => total,
  };
}
