/**
 * Finite state entropy: the tables of its decoder.
 * RFC 8878 §4.1, https://www.rfc-editor.org/rfc/rfc8878#section-4.1
 */

export interface FseTable {
  /** The table has 2^log states. */
  log: number;
  /** Of each state: its symbol, the bits to read for the next state, and what to add to them. */
  symbols: Uint8Array;
  bits: Uint8Array;
  bases: Uint16Array;
}

/** A table read, and the index after its description. */
export interface ReadFseTable {
  table: FseTable;
  next: number;
}

const MAX_SYMBOLS = 256;
const probabilities = new Int16Array(MAX_SYMBOLS);
const nextStates = new Uint16Array(MAX_SYMBOLS);

function floorLog2(value: number): number {
  return 31 - Math.clz32(value);
}

/** Undefined when the description is malformed, or its table larger than 2^maxLog or with more symbols. */
export function readFseTable(
  bytes: Uint8Array,
  from: number,
  end: number,
  maxLog: number,
  maxSymbol: number,
): ReadFseTable | undefined {
  const log = ((bytes[from] as number) & 0x0f) + 5;
  if (from >= end || log > maxLog) {
    return undefined;
  }
  let bit = from * 8 + 4;
  const peek = (): number => {
    const at = bit >> 3;
    const word = (bytes[at] as number) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
    return word >> (bit & 7);
  };
  let remaining = 1 << log;
  let symbols = 0;
  while (remaining > 0) {
    if (symbols > maxSymbol || bit >= end * 8) {
      return undefined;
    }
    const bits = floorLog2(remaining + 1) + 1;
    const lowMask = (1 << (bits - 1)) - 1;
    const threshold = (1 << bits) - 2 - remaining;
    let value = peek() & ((1 << bits) - 1);
    if ((value & lowMask) < threshold) {
      value &= lowMask;
      bit += bits - 1;
    } else {
      value -= value > lowMask ? threshold : 0;
      bit += bits;
    }
    const probability = value - 1;
    probabilities[symbols] = probability;
    symbols += 1;
    remaining -= Math.abs(probability);
    if (probability === 0) {
      let repeats = 3;
      while (repeats === 3) {
        repeats = peek() & 3;
        bit += 2;
        if (symbols + repeats > maxSymbol + 1 || bit > end * 8) {
          return undefined;
        }
        probabilities.fill(0, symbols, symbols + repeats);
        symbols += repeats;
      }
    }
  }
  const next = (bit + 7) >> 3;
  return remaining < 0 || next > end
    ? undefined
    : { table: buildFseTable(probabilities.subarray(0, symbols), log), next };
}

/** -1 stands for a probability below one (§4.1.1). They add up to 2^log. */
export function buildFseTable(distribution: ArrayLike<number>, log: number): FseTable {
  const size = 1 << log;
  const symbols = new Uint8Array(size);
  const bits = new Uint8Array(size);
  const bases = new Uint16Array(size);
  let high = size;
  for (let symbol = 0; symbol < distribution.length; symbol += 1) {
    const probability = distribution[symbol] as number;
    nextStates[symbol] = Math.abs(probability);
    if (probability === -1) {
      high -= 1;
      symbols[high] = symbol;
    }
  }
  const step = (size >> 1) + (size >> 3) + 3;
  let place = 0;
  for (let symbol = 0; symbol < distribution.length; symbol += 1) {
    for (let count = distribution[symbol] as number; count > 0; count -= 1) {
      symbols[place] = symbol;
      do {
        place = (place + step) & (size - 1);
      } while (place >= high);
    }
  }
  for (let state = 0; state < size; state += 1) {
    const symbol = symbols[state] as number;
    const count = nextStates[symbol] as number;
    nextStates[symbol] = count + 1;
    const width = log - floorLog2(count);
    bits[state] = width;
    bases[state] = (count << width) - size;
  }
  return { log, symbols, bits, bases };
}

/** A table that gives one symbol and reads nothing. */
export function singleSymbolTable(symbol: number): FseTable {
  return {
    log: 0,
    symbols: Uint8Array.of(symbol),
    bits: new Uint8Array(1),
    bases: new Uint16Array(1),
  };
}
