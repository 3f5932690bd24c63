/** Arbitrary events survive a recording; arbitrary damage to one is an error that says so, or a truncation. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { CaptureEvent } from '../../src/capture/events.ts';
import { createRecordingWriter } from '../../src/capture/recording.ts';
import { RECORDING_MAGIC } from '../../src/capture/recording-codec.ts';
import { readRecording } from '../../src/capture/recording-reader.ts';
import { createReplaySource } from '../../src/capture/replay-source.ts';
import { SightlineError } from '../../src/util/errors.ts';
import { captureEvent } from '../support/capture-arbitraries.ts';

let folder = '';
let fileCount = 0;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'sightline-recording-'));
});

after(() => {
  rmSync(folder, { recursive: true });
});

function newPath(): string {
  fileCount += 1;
  return join(folder, `${fileCount}.rec`);
}

function record(path: string, events: readonly CaptureEvent[], blockBytes?: number): void {
  const writer = createRecordingWriter({ path, ...(blockBytes ? { blockBytes } : {}) });
  for (const event of events) {
    writer.write(event);
  }
  const summary = writer.close();
  assert.equal(summary.events, events.length);
  assert.equal(summary.skippedEvents, 0);
}

/** A copy that outlives the call and compares by value. */
function keep(event: CaptureEvent): CaptureEvent {
  return event.type === 'data' ? { ...event, bytes: new Uint8Array(event.bytes) } : event;
}

async function readAll(path: string): Promise<{ events: CaptureEvent[]; truncated: boolean }> {
  const events: CaptureEvent[] = [];
  const outcome = await readRecording({ path, onEvent: (event) => events.push(keep(event)) });
  assert.equal(outcome.events, events.length);
  return { events, truncated: outcome.truncated };
}

describe('a recording', () => {
  it('gives back any events', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(captureEvent(), { maxLength: 40 }),
        fc.constantFrom(undefined, 1, 100, 5000),
        async (events, blockBytes) => {
          const path = newPath();
          record(path, events, blockBytes);
          const read = await readAll(path);
          assert.equal(read.truncated, false);
          assert.deepEqual(read.events, events.map(keep));
        },
      ),
      { numRuns: 80 },
    );
  });

  it('that was cut anywhere gives what is whole, in order, and says it was cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(captureEvent(), { minLength: 1, maxLength: 20 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        async (events, where) => {
          const path = newPath();
          record(path, events, 300);
          const whole = readFileSync(path);
          const cut = newPath();
          writeFileSync(cut, whole.subarray(0, Math.floor(whole.byteLength * where)));
          let read: Awaited<ReturnType<typeof readAll>>;
          try {
            read = await readAll(cut);
          } catch (error) {
            // An empty file has nothing that makes it a recording.
            assert.equal((error as SightlineError).code, 'SL_RECORDING_FOREIGN');
            assert.equal(readFileSync(cut).byteLength, 0);
            return;
          }
          assert.deepEqual(read.events, events.slice(0, read.events.length).map(keep));
          // Only the trailer of the last gzip member can be missing from a recording that is otherwise whole.
          assert.ok(read.truncated || read.events.length === events.length);
        },
      ),
      { numRuns: 120 },
    );
  });

  it('with any byte changed never makes the reader throw anything but a SightlineError', async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(captureEvent(), { minLength: 1, maxLength: 12 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (events, at, flip) => {
          const path = newPath();
          record(path, [HOST, ...events.filter(({ type }) => type !== 'end')], 300);
          const bytes = readFileSync(path);
          const index = at % bytes.byteLength;
          bytes[index] = (bytes[index] ?? 0) ^ flip;
          const damaged = newPath();
          writeFileSync(damaged, bytes);
          const source = createReplaySource({ paths: [damaged] });
          let ends = 0;
          try {
            await source.start((event) => {
              ends += event.type === 'end' ? 1 : 0;
            });
            seen.add('read');
          } catch (error) {
            assert.ok(error instanceof SightlineError, String(error));
            assert.match(error.code, /^SL_RECORDING_/);
            assert.ok(!error.message.includes('\n'));
            seen.add(error.code);
          }
          assert.ok(ends <= 1);
        },
      ),
      { numRuns: 250 },
    );
    assert.ok(seen.has('SL_RECORDING_CORRUPT'), [...seen].join());
  });

  it('of arbitrary bytes is refused, unless they are the beginning of one', async () => {
    let beginnings = 0;
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const path = newPath();
        writeFileSync(path, bytes);
        // A recording killed while its first bytes were written is cut, as anywhere else.
        if (bytes.length > 0 && Buffer.from(RECORDING_MAGIC).indexOf(bytes) === 0) {
          beginnings += 1;
          assert.deepEqual(await readAll(path), { events: [], truncated: true });
          return;
        }
        await assert.rejects(readAll(path), { code: 'SL_RECORDING_FOREIGN' });
      }),
      {
        numRuns: 50,
        examples: [
          [RECORDING_MAGIC.subarray(0, 1)],
          [RECORDING_MAGIC.subarray(0, 7)],
          [RECORDING_MAGIC.subarray(1)],
        ],
      },
    );
    assert.equal(beginnings >= 2, true);
  });
});

const HOST: CaptureEvent = {
  type: 'host',
  timeNs: 1n,
  bootId: 'b',
  hostName: 'h',
  arch: 'x64',
  osDescription: 'Linux',
  clockOffsetNs: 5n,
};
