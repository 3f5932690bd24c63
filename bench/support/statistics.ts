/** What several rounds of one measurement say together. */

export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** Of an even number of values the median is the mean of the two in the middle. Throws without any value. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) {
    throw new Error('no round was measured');
  }
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle]!;
  const median = sorted.length % 2 === 1 ? upper : (sorted[middle - 1]! + upper) / 2;
  return { median, min: sorted[0]!, max: sorted[sorted.length - 1]! };
}

/** `median (min–max)`, each with `digits` decimals. */
export function spreadText(spread: Spread, digits: number): string {
  const { median, min, max } = spread;
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
}

/** Pairs of rounds that followed each other, divided: what was on the machine meanwhile weighs on both sides. */
export function ratiosOf(withIt: readonly number[], without: readonly number[]): Spread {
  if (withIt.length !== without.length) {
    throw new Error(`${withIt.length} rounds cannot be paired with ${without.length}`);
  }
  return spreadOf(withIt.map((value, index) => value / without[index]!));
}
