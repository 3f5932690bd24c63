/**
 * XXH64 with seed 0, incremental, of which a zstd frame holds the low 32 bits as its checksum.
 * https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
 *
 * 64-bit numbers are two halves of 32: with BigInt it would be slower than the decoding it checks.
 */

/** The primes of the specification, high and low half. */
const P1 = [0x9e3779b1, 0x85ebca87] as const;
const P2 = [0xc2b2ae3d, 0x27d4eb4f] as const;
const P3 = [0x165667b1, 0x9e3779f9] as const;
const P4 = [0x85ebca77, 0xc2b2ae63] as const;
const P5 = [0x27d4eb2f, 0x165667c5] as const;

type Prime = readonly [high: number, low: number];

const STRIPE_BYTES = 32;

/** The number being worked on. */
let high = 0;
let low = 0;

function set(newHigh: number, newLow: number): void {
  high = newHigh | 0;
  low = newLow | 0;
}

function add(otherHigh: number, otherLow: number): void {
  const sum = (low >>> 0) + (otherLow >>> 0);
  low = sum | 0;
  high = (high + otherHigh + (sum > 0xffffffff ? 1 : 0)) | 0;
}

function multiply([primeHigh, primeLow]: Prime): void {
  const a0 = low & 0xffff;
  const a1 = low >>> 16;
  const b0 = primeLow & 0xffff;
  const b1 = primeLow >>> 16;
  const bottom = a0 * b0;
  const middle = a1 * b0 + (bottom >>> 16);
  const middle2 = a0 * b1 + (middle & 0xffff);
  const carry = a1 * b1 + Math.floor(middle / 65_536) + Math.floor(middle2 / 65_536);
  high = (Math.imul(high, primeLow) + Math.imul(low, primeHigh) + carry) | 0;
  low = ((middle2 & 0xffff) << 16) | (bottom & 0xffff);
}

function rotate(bits: number): void {
  const oldHigh = high;
  high = (high << bits) | (low >>> (32 - bits));
  low = (low << bits) | (oldHigh >>> (32 - bits));
}

/** One 64-bit lane of input into an accumulator that is put back in place. */
function round(lanes: Int32Array, lane: number, inputHigh: number, inputLow: number): void {
  set(inputHigh, inputLow);
  multiply(P2);
  add(lanes[lane * 2] as number, lanes[lane * 2 + 1] as number);
  rotate(31);
  multiply(P1);
  lanes[lane * 2] = high;
  lanes[lane * 2 + 1] = low;
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

export interface Xxh64 {
  update(bytes: Uint8Array): void;
  /** The low 32 bits, unsigned, of the hash of everything so far. */
  low32(): number;
}

export function createXxh64(): Xxh64 {
  const lanes = new Int32Array(8);
  set(P1[0], P1[1]);
  add(P2[0], P2[1]);
  lanes.set([high, low]);
  lanes.set(P2, 2);
  lanes.set([0, 0], 4);
  // The negative of the first prime.
  lanes.set([~P1[0], -P1[1]], 6);
  const held = new Uint8Array(STRIPE_BYTES);
  let heldBytes = 0;
  let totalBytes = 0;

  function stripe(bytes: Uint8Array, at: number): void {
    for (let lane = 0; lane < 4; lane += 1) {
      const from = at + lane * 8;
      round(lanes, lane, word(bytes, from + 4), word(bytes, from));
    }
  }

  function mergeLanes(): void {
    set(0, 0);
    const rotations = [1, 7, 12, 18] as const;
    let sumHigh = 0;
    let sumLow = 0;
    for (let lane = 0; lane < 4; lane += 1) {
      set(lanes[lane * 2] as number, lanes[lane * 2 + 1] as number);
      rotate(rotations[lane] as number);
      add(sumHigh, sumLow);
      sumHigh = high;
      sumLow = low;
    }
    const scratch = new Int32Array(2);
    for (let lane = 0; lane < 4; lane += 1) {
      const accumulatorHigh = sumHigh;
      const accumulatorLow = sumLow;
      scratch.fill(0);
      round(scratch, 0, lanes[lane * 2] as number, lanes[lane * 2 + 1] as number);
      set(accumulatorHigh ^ (scratch[0] as number), accumulatorLow ^ (scratch[1] as number));
      multiply(P1);
      add(P4[0], P4[1]);
      sumHigh = high;
      sumLow = low;
    }
    set(sumHigh, sumLow);
  }

  function addRest(): void {
    let at = 0;
    const scratch = new Int32Array(2);
    for (; at + 8 <= heldBytes; at += 8) {
      const sumHigh = high;
      const sumLow = low;
      scratch.fill(0);
      round(scratch, 0, word(held, at + 4), word(held, at));
      set(sumHigh ^ (scratch[0] as number), sumLow ^ (scratch[1] as number));
      rotate(27);
      multiply(P1);
      add(P4[0], P4[1]);
    }
    if (at + 4 <= heldBytes) {
      const sumHigh = high;
      const sumLow = low;
      set(0, word(held, at));
      multiply(P1);
      set(high ^ sumHigh, low ^ sumLow);
      rotate(23);
      multiply(P2);
      add(P3[0], P3[1]);
      at += 4;
    }
    for (; at < heldBytes; at += 1) {
      const sumHigh = high;
      const sumLow = low;
      set(0, held[at] as number);
      multiply(P5);
      set(high ^ sumHigh, low ^ sumLow);
      rotate(11);
      multiply(P1);
    }
  }

  /** Each: the number XOR itself shifted right. */
  function avalanche(): void {
    set(high, low ^ (high >>> 1));
    multiply(P2);
    set(high ^ (high >>> 29), low ^ ((low >>> 29) | (high << 3)));
    multiply(P3);
    set(high, low ^ high);
  }

  return {
    update(bytes) {
      totalBytes += bytes.length;
      let at = 0;
      if (heldBytes > 0) {
        at = Math.min(bytes.length, STRIPE_BYTES - heldBytes);
        held.set(bytes.subarray(0, at), heldBytes);
        heldBytes += at;
        if (heldBytes < STRIPE_BYTES) {
          return;
        }
        stripe(held, 0);
        heldBytes = 0;
      }
      for (; at + STRIPE_BYTES <= bytes.length; at += STRIPE_BYTES) {
        stripe(bytes, at);
      }
      held.set(bytes.subarray(at));
      heldBytes = bytes.length - at;
    },
    low32() {
      if (totalBytes >= STRIPE_BYTES) {
        mergeLanes();
      } else {
        set(P5[0], P5[1]);
      }
      add(Math.floor(totalBytes / 2 ** 32), totalBytes | 0);
      addRest();
      avalanche();
      return low >>> 0;
    },
  };
}
