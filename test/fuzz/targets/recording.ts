/**
 * Recordings. An input is one without its compression, which would keep every change from what lies behind it: the
 * preamble with its header, then frames.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { CaptureEvent } from '../../../src/capture/events.ts';
import { createRecordingWriter } from '../../../src/capture/recording.ts';
import {
  dataFrameBytes,
  decodeFrame,
  encodeData,
  encodeJsonEvent,
  PREAMBLE_BYTES,
} from '../../../src/capture/recording-codec.ts';
import { createReplaySource } from '../../../src/capture/replay-source.ts';
import { SightlineError } from '../../../src/util/errors.ts';
import { captureEvent } from '../../support/capture-arbitraries.ts';
import type { FuzzTarget, MutationTools } from '../target.ts';

const folder = mkdtempSync(join(tmpdir(), 'sightline-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'recording');
const MAX_BYTES = 16_384;

function bodyStart(input: Uint8Array): number {
  const bytes = Buffer.from(input);
  const headerBytes = bytes.length >= PREAMBLE_BYTES ? bytes.readUInt32LE(12) : 0;
  return Math.min(bytes.length, PREAMBLE_BYTES + headerBytes);
}

function seeds(): Uint8Array[] {
  const HOST: CaptureEvent = {
    type: 'host',
    timeNs: 1n,
    bootId: 'b',
    hostName: 'h',
    arch: 'amd64',
    osDescription: 'Linux',
    clockOffsetNs: -5n,
  };
  return fc
    .sample(fc.array(captureEvent(), { maxLength: 12 }), { numRuns: 30, seed: 3 })
    .map((events) => {
      rmSync(path, { force: true });
      const writer = createRecordingWriter({ path });
      for (const event of [
        HOST,
        ...events.filter(({ type }) => type !== 'end' && type !== 'host'),
      ]) {
        writer.write(event);
      }
      writer.write({ type: 'end', timeNs: 2n });
      writer.close();
      const file = readFileSync(path);
      const start = bodyStart(file);
      return Buffer.concat([file.subarray(0, start), gunzipSync(file.subarray(start))]);
    });
}

/** Changes a frame, and mostly keeps its length true. */
function mutate(input: Uint8Array, tools: MutationTools): Uint8Array {
  const bytes = Buffer.from(input);
  const starts: number[] = [];
  for (let at = bodyStart(bytes); at + 4 < bytes.length; at += 4 + bytes.readUInt32LE(at)) {
    starts.push(at);
  }
  const start = starts[tools.random.uint32() % Math.max(1, starts.length)];
  if (start === undefined) {
    return tools.mutateBytes(bytes);
  }
  const end = Math.min(bytes.length, start + 4 + bytes.readUInt32LE(start));
  const content = tools.mutateBytes(bytes.subarray(start + 4, end));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(content.length);
  return Buffer.concat([bytes.subarray(0, start), length, content, bytes.subarray(end)]);
}

/** What decodes must come out the same when it is written and read again. */
function checkFrames(bytes: Buffer): void {
  for (let at = bodyStart(bytes); at + 4 < bytes.length; ) {
    const size = bytes.readUInt32LE(at);
    const frame = bytes.subarray(at + 4, at + 4 + size);
    at += 4 + size;
    if (size === 0 || frame.length < size) {
      break;
    }
    const decoded = decodeFrame(frame);
    if (decoded.kind === 'event') {
      const { event } = decoded;
      let written: Buffer;
      if (event.type === 'data') {
        written = Buffer.alloc(dataFrameBytes(event));
        encodeData(event, written, 0);
      } else {
        written = encodeJsonEvent(event);
      }
      const again = decodeFrame(written.subarray(4));
      assert.deepEqual(again, decoded, 'an event survives being written');
    }
  }
}

export const RECORDING: FuzzTarget = {
  name: 'recording',
  seeds,
  mutate,
  maxInputBytes: MAX_BYTES,
  words: ['"type":"', '"timeNs":"', '"18446744073709551616"', '"startNs":"1"', '-1', '1e3'],
  async run(input) {
    const bytes = Buffer.from(input);
    checkFrames(bytes);
    const start = bodyStart(bytes);
    writeFileSync(
      path,
      Buffer.concat([bytes.subarray(0, start), gzipSync(bytes.subarray(start), { level: 1 })]),
    );
    let ends = 0;
    try {
      await createReplaySource({ paths: [path] }).start((event) => {
        ends += event.type === 'end' ? 1 : 0;
      });
    } catch (error) {
      assert.ok(error instanceof SightlineError, `no error of ours: ${String(error)}`);
      assert.match(error.code, /^SL_RECORDING_/);
      assert.ok(!error.message.includes('\n'), 'the error is one line');
    }
    assert.ok(ends <= 1, 'a recording ends once');
  },
};
