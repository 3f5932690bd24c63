/** Whatever the order of events, masks and releases: nothing secret is written, nothing else is changed. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { CaptureEvent, ConnectionRef, DataEvent } from '../../src/capture/events.ts';
import { createScrubbingRecorder } from '../../src/capture/scrubbing-recorder.ts';

const CONNECTIONS: ConnectionRef[] = [1, 2, 3].map((number) => ({
  process: { pid: 7, startNs: 1n },
  stack: 'openssl',
  object: 4096 * Math.min(number, 2),
  generation: BigInt(number),
}));

interface Step {
  stream: number;
  /** Bytes of the next data event of the stream. */
  size: number;
  /** Secrets told once this event was handed over: start, relative to what is unreleased, and length. */
  secrets: { start: number; length: number }[];
  /** How far of what was seen is released then, in per cent. */
  release: number;
  /** Events of other kinds in between. */
  ticks: number;
}

const step = (): fc.Arbitrary<Step> =>
  fc.record({
    stream: fc.nat(5),
    size: fc.nat(40),
    secrets: fc.array(fc.record({ start: fc.nat(60), length: fc.nat(60) }), { maxLength: 2 }),
    release: fc.nat(100),
    ticks: fc.nat(1),
  });

describe('the scrubbing recorder', () => {
  it('keeps the order, and masks what is secret and what nobody vouched for', () => {
    fc.assert(
      fc.property(fc.array(step(), { maxLength: 60 }), fc.boolean(), (steps, isLate) => {
        const written: CaptureEvent[] = [];
        const expectedOrder: string[] = [];
        const recorder = createScrubbingRecorder({
          write: (event) =>
            written.push(
              event.type === 'data' ? { ...event, bytes: new Uint8Array(event.bytes) } : event,
            ),
        });
        /** Truth per stream: secret positions, how far was seen and released. */
        const streams = Array.from({ length: 6 }, () => ({
          secret: new Set<number>(),
          seen: 0,
          released: 0,
        }));
        let timeNs = 0n;
        for (const { stream: index, size, secrets, release, ticks } of steps) {
          const stream = streams[index]!;
          timeNs += 1n;
          const event = dataEvent(index, timeNs, stream.seen, size);
          const reused = event.bytes;
          if (!isLate) {
            recorder.event(event);
          }
          stream.seen += size;
          for (const { start, length } of secrets) {
            const from = stream.released + start;
            recorder.mask(event.connection, event.direction, from, length);
            for (let at = from; at < from + length; at += 1) {
              stream.secret.add(at);
            }
          }
          stream.released += Math.floor(((stream.seen - stream.released) * release) / 100);
          recorder.release(event.connection, event.direction, stream.released);
          if (isLate) {
            recorder.event(event);
          }
          reused.fill(0);
          expectedOrder.push(`data ${timeNs}`);
          for (let tick = 0; tick < ticks; tick += 1) {
            timeNs += 1n;
            recorder.event({ type: 'drops', timeNs, records: {}, bytes: 0 });
            expectedOrder.push(`drops ${timeNs}`);
          }
        }
        recorder.flush();
        assert.deepEqual(
          written.map((event) => `${event.type} ${event.timeNs}`),
          expectedOrder,
        );
        assert.equal(recorder.counters().heldBytes, 0);
        for (const event of written) {
          if (event.type !== 'data') {
            continue;
          }
          const index = streamIndex(event);
          const { secret, released } = streams[index]!;
          event.bytes.forEach((byte, offset) => {
            const at = event.position + offset;
            const shall = secret.has(at) || at >= released ? 0x2a : plain(index, at);
            assert.equal(byte, shall, `stream ${index} position ${at}`);
          });
        }
      }),
      { numRuns: 300 },
    );
  });

  it('never holds more than its limit, nor lets an unreleased byte out for it', () => {
    fc.assert(
      fc.property(fc.array(step(), { maxLength: 80 }), (steps) => {
        const maxHeldBytes = 2000;
        let shown = 0;
        const recorder = createScrubbingRecorder({
          maxHeldBytes,
          write(event) {
            if (event.type === 'data') {
              shown += event.bytes.filter((byte) => byte !== 0x2a).length;
            }
          },
        });
        const seen = new Map<number, number>();
        steps.forEach(({ stream, size }, number) => {
          const position = seen.get(stream) ?? 0;
          seen.set(stream, position + size);
          recorder.event(dataEvent(stream, BigInt(number), position, size));
          assert.ok(recorder.counters().heldBytes <= maxHeldBytes);
        });
        recorder.flush();
        assert.equal(shown, 0);
      }),
      { numRuns: 100 },
    );
  });
});

function dataEvent(index: number, timeNs: bigint, position: number, size: number): DataEvent {
  return {
    type: 'data',
    timeNs,
    enterNs: timeNs,
    tid: 7,
    connection: CONNECTIONS[index >> 1]!,
    direction: index % 2 === 0 ? 'read' : 'write',
    position,
    callBytes: size,
    callOffset: 0,
    sequence: 0,
    bytes: Uint8Array.from({ length: size }, (_, offset) => plain(index, position + offset)),
  };
}

function streamIndex(event: DataEvent): number {
  return (Number(event.connection.generation) - 1) * 2 + (event.direction === 'read' ? 0 : 1);
}

/** Never the mask's own value. */
function plain(index: number, position: number): number {
  return 0x80 + ((index * 31 + position * 7) % 0x7f);
}
