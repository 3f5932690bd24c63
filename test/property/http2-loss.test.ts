/**
 * Lost calls of connections that carry many streams: an exchange without a mark is exact, one that no loss could
 * have touched has no mark, and the connection recovers with the next call that begins a frame.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Call, run, type Seen } from '../support/http-generator.ts';
import {
  cutCalls,
  type Http2Call,
  idOf,
  interleave,
  observed,
  type Step,
  type StreamDescription,
  streamDescription,
  truthOf,
  wholeCalls,
} from '../support/http2-generator.ts';

const anyForm = fc.constantFrom('indexed' as const, 'added' as const, 'plain' as const);
/** Without a header table a loss costs only what it touches. */
const plainForm = fc.constant('plain' as const);
const streamsOf = (form: typeof anyForm | typeof plainForm) =>
  fc.array(streamDescription(form), { minLength: 2, maxLength: 14 });
const order = fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 60 });
const sizes = fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1, maxLength: 12 });
const losses = fc.array(fc.nat({ max: 400 }), { minLength: 1, maxLength: 4 });
const maxOpen = fc.integer({ min: 1, max: 5 });

function lose(calls: Call[], lost: readonly number[], silent: boolean): void {
  for (const place of lost) {
    // The beginning stays, so that the connection is known to be seen from there.
    const call = calls[2 + (place % (calls.length - 2))];
    if (call) {
      call.isLost = silent ? 'silent' : 'announced';
    }
  }
}

function assertHonest(seen: readonly Seen[], streams: readonly StreamDescription[]): void {
  for (const one of seen) {
    assert.ok(one.isEnded, 'every exchange ends');
    const id = idOf(one);
    if (!one.exchange.damage.any) {
      assert.ok(id !== undefined, 'undamaged, so its head is there');
      const description = streams[(id - 1) / 2];
      assert.ok(description);
      assert.deepEqual(observed(one), truthOf(description, id));
      assert.equal(one.holes, 0);
    }
  }
}

/** Streams that had no message under way in the direction of any loss, from the loss to the recovery. */
function untouched(calls: readonly Http2Call[], steps: readonly Step[]): Set<number> {
  const ids = new Set(steps.map((step) => step.streamId));
  for (const side of ['request', 'response'] as const) {
    const mine = calls.filter((call) => call.side === side);
    const bytesBefore = (index: number): number =>
      mine.slice(0, index).reduce((sum, call) => sum + call.bytes.length, 0);
    let isSearching = false;
    for (const [index, call] of mine.entries()) {
      isSearching = call.isLost !== undefined || (isSearching && !call.isAligned);
      if (isSearching) {
        const from = bytesBefore(index);
        for (const id of underWay(steps, side, mine, from, from + call.bytes.length)) {
          ids.delete(id);
        }
      }
    }
  }
  return ids;
}

/** Streams whose message of this side has begun, but not ended, at some byte of `[from, to)` of it. */
function underWay(
  steps: readonly Step[],
  side: Step['side'],
  mine: readonly Http2Call[],
  from: number,
  to: number,
): Set<number> {
  const total = mine.reduce((sum, call) => sum + call.bytes.length, 0);
  const own = steps.filter((step) => step.side === side);
  let at = total - own.reduce((sum, step) => sum + step.bytes.length, 0);
  const ranges = new Map<number, { start: number; end: number }>();
  for (const step of own) {
    const range = ranges.get(step.streamId) ?? { start: at, end: Number.POSITIVE_INFINITY };
    at += step.bytes.length;
    if (step.isLast) {
      range.end = at;
    }
    ranges.set(step.streamId, range);
  }
  const result = new Set<number>();
  for (const [id, range] of ranges) {
    if (range.start < to && range.end > from) {
      result.add(id);
    }
  }
  return result;
}

function assertUntouchedExact(
  seen: readonly Seen[],
  streams: readonly StreamDescription[],
  ids: ReadonlySet<number>,
): void {
  for (const id of ids) {
    const mine = seen.filter((one) => idOf(one) === id);
    assert.equal(mine.length, 1, `stream ${id} is there once`);
    const one = mine[0] as Seen;
    assert.deepEqual([...one.exchange.damage.kinds], [], `stream ${id} has no mark`);
    assert.deepEqual(observed(one), truthOf(streams[(id - 1) / 2] as StreamDescription, id));
  }
}

describe('http2 property: lost calls', () => {
  for (const silent of [false, true]) {
    const how = silent ? 'noticed by position only' : 'announced';
    it(`${how}: what has no mark is exact`, () => {
      fc.assert(
        fc.property(
          streamsOf(anyForm),
          order,
          sizes,
          losses,
          maxOpen,
          (streams, turns, cuts, lost, open) => {
            const steps = interleave(streams, turns, open);
            for (const calls of [wholeCalls(steps), cutCalls(steps, cuts)]) {
              lose(calls, lost, silent);
              assertHonest(run(calls), streams);
            }
          },
        ),
        { numRuns: 300 },
      );
    });

    it(`${how}: what no loss could touch is exact and has no mark`, () => {
      fc.assert(
        fc.property(
          streamsOf(plainForm),
          order,
          sizes,
          losses,
          maxOpen,
          (streams, turns, cuts, lost, open) => {
            const steps = interleave(streams, turns, open);
            for (const calls of [wholeCalls(steps), cutCalls(steps, cuts)]) {
              lose(calls, lost, silent);
              const seen = run(calls, { role: open % 2 === 0 ? 'client' : 'server' });
              assertHonest(seen, streams);
              assertUntouchedExact(seen, streams, untouched(calls, steps));
            }
          },
        ),
        { numRuns: 300 },
      );
    });
  }

  it('joined midway, anywhere: what has no mark is exact', () => {
    fc.assert(
      fc.property(
        streamsOf(anyForm),
        order,
        sizes,
        fc.nat({ max: 200 }),
        (streams, turns, cuts, start) => {
          const steps = interleave(streams, turns);
          for (const calls of [wholeCalls(steps), cutCalls(steps, cuts)]) {
            assertHonest(run(calls.slice(start % calls.length)), streams);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
