/**
 * Inputs that are TLS calls of one connection, both sides in turn. Each call: a byte (1: of the response side; 2: lost,
 * and said so; 4: lost without a word; 8: goes on with the call before; 16: not copied), its size (u16, little endian),
 * its bytes.
 */
import { createHash } from 'node:crypto';
import type { CaptureEvent, Direction } from '../../src/capture/events.ts';
import { CONNECTION } from '../support/http-generator.ts';
import { createRandom, type Random } from '../support/model-server/random.ts';
import type { MutationTools } from './target.ts';

export interface InputCall {
  flags: number;
  bytes: Uint8Array;
}

export const RESPONSE = 1;
const LOST = 2;
const LOST_SILENTLY = 4;
const CONTINUES = 8;
const SKIPPED = 16;
/** Bits that take bytes away. */
const GONE = LOST | LOST_SILENTLY | SKIPPED;
const MAX_CALLS = 200;

export function encodeCalls(calls: readonly InputCall[]): Buffer {
  return Buffer.concat(
    calls.flatMap(({ flags, bytes }) => {
      const part = bytes.subarray(0, 0xffff);
      return [Buffer.from([flags, part.length & 0xff, part.length >> 8]), part];
    }),
  );
}

/** Any bytes are calls: what is missing of the last one was never there. */
export function decodeCalls(input: Uint8Array): InputCall[] {
  const calls: InputCall[] = [];
  for (let at = 0; at + 3 <= input.length && calls.length < MAX_CALLS; ) {
    const flags = input[at] as number;
    const size = (input[at + 1] as number) | ((input[at + 2] as number) << 8);
    calls.push({ flags, bytes: input.subarray(at + 3, at + 3 + size) });
    at += 3 + size;
  }
  return calls;
}

/** Calls from what tests elsewhere describe. */
export function callsFrom(
  calls: readonly { side: 'request' | 'response'; bytes: Uint8Array }[],
): Buffer {
  return encodeCalls(
    calls.map(({ side, bytes }) => ({ flags: side === 'response' ? RESPONSE : 0, bytes })),
  );
}

export function isWhole(calls: readonly InputCall[]): boolean {
  return calls.every(({ flags }) => (flags & GONE) === 0);
}

/** The bytes of one side, one behind the other. */
export function sideOf(calls: readonly InputCall[], side: 'request' | 'response'): Buffer {
  const wanted = side === 'response' ? RESPONSE : 0;
  return Buffer.concat(
    calls.filter(({ flags }) => (flags & RESPONSE) === wanted).map(({ bytes }) => bytes),
  );
}

/** Sizes of the pieces that bytes are cut into. */
export type Pieces = () => number;

/** Pieces that the input itself decides on, so that it fails again as it failed. */
export function piecesFor(input: Uint8Array): Pieces {
  const random = createRandom(createHash('md5').update(input).digest().readUInt32LE(0));
  const longest = [1, 3, 20, 200][random.uint32() % 4] as number;
  return () => 1 + (random.uint32() % longest);
}

/**
 * The capture events of the calls. With `pieces` each call comes in several records, as large ones do: the times are
 * the same, only what is there at once differs.
 */
export function eventsOf(calls: readonly InputCall[], pieces?: Pieces): CaptureEvent[] {
  const positions = { read: 0, write: 0 };
  const offsets = { read: 0, write: 0 };
  const sequences = { read: 0, write: 0 };
  const events: CaptureEvent[] = [];
  let timeNs = 1_000_000n;
  for (const { flags, bytes } of calls) {
    timeNs += 1000n;
    const direction: Direction = (flags & RESPONSE) === 0 ? 'write' : 'read';
    const position = positions[direction];
    if ((flags & CONTINUES) === 0) {
      offsets[direction] = 0;
      sequences[direction] += 1;
    }
    positions[direction] += bytes.length;
    const stream = { timeNs, connection: CONNECTION, direction, position };
    if ((flags & LOST) !== 0) {
      events.push({ type: 'loss', ...stream, lostBytes: bytes.length, reason: 'ring-full' });
    } else if ((flags & SKIPPED) !== 0) {
      events.push({ type: 'skip', ...stream, skippedBytes: bytes.length });
    } else if ((flags & LOST_SILENTLY) === 0) {
      for (let at = 0; at < bytes.length || at === 0; ) {
        const size = pieces === undefined ? Math.max(1, bytes.length) : pieces();
        events.push({
          type: 'data',
          ...stream,
          position: position + at,
          enterNs: timeNs - 400n,
          tid: 4243,
          callBytes: bytes.length,
          callOffset: offsets[direction] + at,
          sequence: sequences[direction],
          bytes: bytes.subarray(at, at + size),
        });
        at += size;
      }
    }
    offsets[direction] += bytes.length;
  }
  timeNs += 1000n;
  const { read, write } = positions;
  const connection = CONNECTION;
  events.push({ type: 'close', timeNs, connection, readPosition: read, writePosition: write });
  events.push({ type: 'end', timeNs: timeNs + 1000n });
  return events;
}

/** Changes the order, the sides, the cuts and the fates of calls; or the bytes of one, with `mutateOne`. */
export function mutateCalls(
  input: Uint8Array,
  tools: MutationTools,
  mutateOne: (bytes: Uint8Array) => Uint8Array = tools.mutateBytes,
): Buffer {
  const { random } = tools;
  const below = (count: number): number => random.uint32() % Math.max(1, count);
  const calls = decodeCalls(input);
  if (calls.length === 0) {
    return encodeCalls([{ flags: below(2), bytes: tools.mutateBytes(new Uint8Array(0)) }]);
  }
  for (let change = 1 + below(3); change > 0; change -= 1) {
    mutateOneCall(calls, random, tools, mutateOne);
  }
  return encodeCalls(calls);
}

function mutateOneCall(
  calls: InputCall[],
  random: Random,
  tools: MutationTools,
  mutateOne: (bytes: Uint8Array) => Uint8Array,
): void {
  const below = (count: number): number => random.uint32() % Math.max(1, count);
  const index = below(calls.length);
  const call = calls[index] as InputCall | undefined;
  if (call === undefined) {
    return;
  }
  switch (below(12)) {
    case 0:
      calls.splice(index, 1);
      break;
    case 1:
      calls.splice(below(calls.length), 0, { ...call });
      break;
    case 2:
      calls.splice(index, 1);
      calls.splice(below(calls.length + 1), 0, call);
      break;
    case 3: {
      const at = below(call.bytes.length);
      calls.splice(
        index,
        1,
        { ...call, bytes: call.bytes.subarray(0, at) },
        { flags: call.flags | (below(2) * CONTINUES), bytes: call.bytes.subarray(at) },
      );
      break;
    }
    case 4:
      call.flags ^= [RESPONSE, LOST, LOST_SILENTLY, CONTINUES, SKIPPED][below(5)] as number;
      break;
    case 5: {
      const others = decodeCalls(tools.other());
      const start = below(others.length);
      calls.splice(index, below(2), ...others.slice(start, start + 1 + below(4)));
      break;
    }
    default:
      call.bytes = mutateOne(call.bytes);
  }
}
