/** The last bytes of a text that comes in pieces, with their places in the stream: chunk framing may lie between two. */
import { latin1Text } from './latin1.ts';

export interface ScannedTail {
  /** Bytes held. */
  readonly bytes: number;
  /** Stream position of the first of them; undefined when there is none. */
  readonly position: number | undefined;
  /** What is held, one character a byte. */
  text(): string;
  /** So many bytes at `position` come behind what is held; until `settle` nothing is dropped for them. */
  begin(position: number, length: number): void;
  /** Calls with the places in the stream of a stretch of what is held and what was begun, by its index. */
  places(index: number, length: number, onPlace: (position: number, length: number) => void): void;
  /** `bytes[from, to)` is what was begun: it is copied, and what is too much at the front goes. */
  settle(bytes: Uint8Array, from: number, to: number): void;
  clear(): void;
}

/** Many are of a few short values. */
const FIRST_CAPACITY_BYTES = 64;

const MAX_UNUSED_RUNS = 64;

/** Fewer are copied faster one by one. */
const MIN_BLOCK_BYTES = 48;

/** Holds up to `maxBytes`. */
export function createScannedTail(maxBytes: number): ScannedTail {
  let buffer = new Uint8Array(Math.min(FIRST_CAPACITY_BYTES, 2 * maxBytes));
  /** What is held is `buffer[start, end)`. */
  let start = 0;
  let end = 0;
  /** Bytes that stand one behind the other in the stream: their positions and lengths, the first in use at `head`. */
  const positions: number[] = [];
  const lengths: number[] = [];
  let head = 0;

  /** Makes room for so many bytes behind the end, and drops what must go for them. */
  function makeRoom(added: number): void {
    start = Math.max(start, end - (maxBytes - added));
    if (end + added <= buffer.length) {
      return;
    }
    const kept = end - start;
    let capacity = buffer.length;
    while (capacity < kept + added || (capacity < 2 * maxBytes && capacity < 2 * kept)) {
      capacity *= 2;
    }
    if (capacity === buffer.length) {
      buffer.copyWithin(0, start, end);
    } else {
      const grown = new Uint8Array(capacity);
      grown.set(buffer.subarray(start, end));
      buffer = grown;
    }
    start = 0;
    end = kept;
  }

  function dropRuns(excess: number): void {
    let left = excess;
    while (left > 0 && head < lengths.length) {
      const length = lengths[head] as number;
      if (length > left) {
        lengths[head] = length - left;
        positions[head] = (positions[head] as number) + left;
        break;
      }
      left -= length;
      head += 1;
    }
    if (head > MAX_UNUSED_RUNS) {
      positions.splice(0, head);
      lengths.splice(0, head);
      head = 0;
    }
  }

  return {
    get bytes() {
      return end - start;
    },
    get position() {
      return head < positions.length ? positions[head] : undefined;
    },
    text: () => latin1Text(buffer, start, end),
    begin(position, length) {
      const last = lengths.length - 1;
      if (last >= head && (positions[last] as number) + (lengths[last] as number) === position) {
        lengths[last] = (lengths[last] as number) + length;
      } else if (length > 0) {
        positions.push(position);
        lengths.push(length);
      }
    },
    places(index, length, onPlace) {
      let runStart = 0;
      for (let run = head; run < lengths.length; run += 1) {
        const runEnd = runStart + (lengths[run] as number);
        const from = Math.max(index, runStart);
        const to = Math.min(index + length, runEnd);
        if (from < to) {
          onPlace((positions[run] as number) + from - runStart, to - from);
        }
        runStart = runEnd;
      }
    },
    settle(bytes, from, to) {
      dropRuns(end - start + (to - from) - maxBytes);
      const first = Math.max(from, to - maxBytes);
      makeRoom(to - first);
      if (to - first >= MIN_BLOCK_BYTES) {
        buffer.set(bytes.subarray(first, to), end);
      } else {
        for (let at = first; at < to; at += 1) {
          buffer[end + at - first] = bytes[at] as number;
        }
      }
      end += to - first;
    },
    clear() {
      start = 0;
      end = 0;
      positions.length = 0;
      lengths.length = 0;
      head = 0;
    },
  };
}
