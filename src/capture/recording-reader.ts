/** Reads a recording in constant memory (docs/recording-format.md). */
import { closeSync, createReadStream, readSync } from 'node:fs';
import { pipeline } from 'node:stream';
import { constants, createGunzip } from 'node:zlib';
import { SightlineError } from '../util/errors.ts';
import type { CaptureEvent, DecodedPiece } from './events.ts';
import {
  DECODED_SINCE_VERSION,
  decodeFrame,
  MAX_DECODED_EVENT_BYTES,
  MAX_FRAME_BYTES,
  MAX_HEADER_BYTES,
  PREAMBLE_BYTES,
  RECORDING_MAGIC,
  RECORDING_VERSION,
} from './recording-codec.ts';
import { openRecordingForReading, reasonOf, unreadable } from './recording-file.ts';

/** Read at once. Of a damaged stretch of this size nothing comes out, not even what lies before the damage. */
const READ_BYTES = 4096;

export interface ReadOutcome {
  path: string;
  events: number;
  /** True when the recording stops before its end frame: its writer was killed, or the file was cut. */
  truncated: boolean;
  /** The reader was asked to stop. */
  stopped: boolean;
}

export interface ReadRecordingOptions {
  path: string;
  /** A data event's bytes are valid only until it returns. What it throws ends the reading. */
  onEvent(event: CaptureEvent): void;
  /** Asked before every event. */
  shouldStop?(): boolean;
}

/**
 * Reads one recording and resolves when all that is whole was delivered. Throws SL_RECORDING_UNREADABLE,
 * SL_RECORDING_FOREIGN, SL_RECORDING_VERSION or SL_RECORDING_CORRUPT; of a corrupt file, what could be
 * decompressed before the damage has been delivered by then.
 */
export async function readRecording(options: ReadRecordingOptions): Promise<ReadOutcome> {
  const { path } = options;
  const { fd, sizeBytes } = openRecordingForReading(path);
  let preamble: Preamble | undefined;
  try {
    preamble = readPreamble(fd, path);
  } catch (error) {
    closeSync(fd);
    throw error instanceof SightlineError ? error : unreadable(path, reasonOf(error), error);
  }
  const outcome: ReadOutcome = { path, events: 0, truncated: true, stopped: false };
  if (preamble === undefined || preamble.bodyStart >= sizeBytes) {
    closeSync(fd);
    return outcome;
  }
  await readBody(fd, preamble, sizeBytes - preamble.bodyStart, options, outcome);
  return outcome;
}

interface Preamble {
  version: number;
  /** Where the frames begin. */
  bodyStart: number;
}

/** Undefined when the file stops within its header. */
function readPreamble(fd: number, path: string): Preamble | undefined {
  const preamble = Buffer.alloc(PREAMBLE_BYTES);
  const got = readFully(fd, preamble, 0);
  const magicBytes = Math.min(got, RECORDING_MAGIC.byteLength);
  const isOurs = RECORDING_MAGIC.subarray(0, magicBytes).every((byte, at) => preamble[at] === byte);
  if (!isOurs || got === 0) {
    throw new SightlineError(
      'SL_RECORDING_FOREIGN',
      `${path} is no Sightline recording: give a file that "sightline record" wrote`,
    );
  }
  if (got < PREAMBLE_BYTES) {
    return undefined;
  }
  const version = preamble.readUInt16LE(8);
  if (version > RECORDING_VERSION) {
    throw new SightlineError(
      'SL_RECORDING_VERSION',
      `${path} has recording format ${version}, this Sightline reads up to ${RECORDING_VERSION}: use a newer Sightline`,
    );
  }
  const headerBytes = preamble.readUInt32LE(12);
  if (version === 0 || preamble.readUInt16LE(10) !== 0 || headerBytes > MAX_HEADER_BYTES) {
    throw corrupt(path, 'its header makes no sense');
  }
  const header = Buffer.alloc(headerBytes);
  if (readFully(fd, header, PREAMBLE_BYTES) < headerBytes) {
    return undefined;
  }
  try {
    JSON.parse(header.toString());
  } catch {
    throw corrupt(path, 'its header is no JSON');
  }
  return { version, bodyStart: PREAMBLE_BYTES + headerBytes };
}

function readFully(fd: number, target: Buffer, position: number): number {
  let got = 0;
  while (got < target.byteLength) {
    const bytes = readSync(fd, target, got, target.byteLength - got, position + got);
    if (bytes === 0) {
      break;
    }
    got += bytes;
  }
  return got;
}

async function readBody(
  fd: number,
  { version, bodyStart }: Preamble,
  bodyBytes: number,
  options: ReadRecordingOptions,
  outcome: ReadOutcome,
): Promise<void> {
  const { path } = options;
  const file = createReadStream(path, { fd, start: bodyStart, highWaterMark: READ_BYTES });
  // Z_SYNC_FLUSH: a file that was cut hands out what can be decompressed instead of failing.
  const gunzip = createGunzip({ finishFlush: constants.Z_SYNC_FLUSH });
  let problem: string | undefined;
  let isEnded = false;
  /** Of the next data event. */
  let decodedPieces: DecodedPiece[] = [];
  let decodedBytes = 0;
  /** What the consumer threw, kept apart from what the file is blamed for. */
  let consumerError: { error: unknown } | undefined;

  const frames = createFrameSplitter({
    onFrame(frame) {
      if (isEnded) {
        problem = 'something follows its end';
        return false;
      }
      if (options.shouldStop?.()) {
        outcome.stopped = true;
        return false;
      }
      const decoded = decodeFrame(frame);
      if (decoded.kind === 'invalid') {
        problem = `it holds ${decoded.reason}`;
        return false;
      }
      if (decoded.kind === 'decoded') {
        decodedPieces.push(decoded.piece);
        decodedBytes += decoded.piece.content.byteLength + frame.byteLength;
        if (decodedBytes > MAX_DECODED_EVENT_BYTES * 2) {
          problem = 'it holds more decoded content than one event can have';
        }
        return problem === undefined;
      }
      if (decoded.kind === 'end') {
        isEnded = true;
        if (decoded.events !== outcome.events) {
          problem = `it says it has ${decoded.events} events and has ${outcome.events}`;
          return false;
        }
        return true;
      }
      outcome.events += 1;
      const { event } = decoded;
      if (event.type === 'data' && version >= DECODED_SINCE_VERSION) {
        event.decoded = decodedPieces;
        decodedPieces = [];
        decodedBytes = 0;
      }
      try {
        options.onEvent(event);
      } catch (error) {
        consumerError = { error };
        return false;
      }
      return true;
    },
  });

  // Listening instead of iterating: an error of the decompressor would discard what it had put out before.
  const fileError = await new Promise<unknown>((resolve) => {
    gunzip.on('data', (chunk: Buffer) => {
      const goesOn = problem === undefined && frames.push(chunk);
      if (frames.oversized) {
        problem = 'it holds a frame of impossible size';
      }
      if (!goesOn) {
        gunzip.removeAllListeners('data');
        resolve(undefined);
      }
    });
    pipeline(file, gunzip, (error) => resolve(error ?? undefined));
  });
  file.destroy();
  gunzip.destroy();
  if (fileError !== undefined) {
    problem ??= describeStreamError(fileError);
  }
  if (consumerError) {
    throw consumerError.error;
  }
  if (problem) {
    throw corrupt(path, problem, fileError);
  }
  outcome.truncated = !isEnded && !outcome.stopped;
  // The decompressor ignores what is no further gzip member, whether that is garbage or a damaged one.
  const isUnread = !outcome.stopped && gunzip.bytesWritten < bodyBytes;
  if (isUnread || (isEnded && frames.pendingBytes > 0)) {
    throw corrupt(path, isEnded ? 'something follows its end' : 'its compressed data is damaged');
  }
}

function describeStreamError(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code?.startsWith('Z_')
    ? 'its compressed data is damaged'
    : `reading stopped (${reasonOf(error)})`;
}

function corrupt(path: string, problem: string, cause?: unknown): SightlineError {
  return new SightlineError(
    'SL_RECORDING_CORRUPT',
    `the recording ${path} is damaged: ${problem}; use a sound copy`,
    { cause },
  );
}

interface FrameSplitter {
  /** False when the reading shall stop. */
  push(chunk: Buffer): boolean;
  readonly pendingBytes: number;
  readonly oversized: boolean;
}

/**
 * Cuts the decompressed stream into frames. A frame that lies in one chunk is handed over as a view of it; one
 * that straddles chunks is gathered in a buffer of exactly its size.
 */
function createFrameSplitter(options: { onFrame(frame: Buffer): boolean }): FrameSplitter {
  const lengthField = Buffer.alloc(4);
  let lengthBytes = 0;
  let partial: Buffer | undefined;
  let partialBytes = 0;
  let oversized = false;

  function push(chunk: Buffer): boolean {
    let at = 0;
    while (at < chunk.byteLength) {
      if (partial) {
        const bytes = Math.min(partial.byteLength - partialBytes, chunk.byteLength - at);
        chunk.copy(partial, partialBytes, at, at + bytes);
        partialBytes += bytes;
        at += bytes;
        if (partialBytes < partial.byteLength) {
          return true;
        }
        const frame = partial;
        partial = undefined;
        partialBytes = 0;
        if (!options.onFrame(frame)) {
          return false;
        }
        continue;
      }
      lengthField[lengthBytes] = chunk[at] ?? 0;
      lengthBytes += 1;
      at += 1;
      if (lengthBytes < 4) {
        continue;
      }
      lengthBytes = 0;
      const length = lengthField.readUInt32LE(0);
      if (length === 0 || length > MAX_FRAME_BYTES) {
        oversized = true;
        return false;
      }
      if (at + length > chunk.byteLength) {
        partial = Buffer.allocUnsafe(length);
        continue;
      }
      const frame = chunk.subarray(at, at + length);
      at += length;
      if (!options.onFrame(frame)) {
        return false;
      }
    }
    return true;
  }

  return {
    push,
    get pendingBytes() {
      return lengthBytes + partialBytes + (partial ? 4 : 0);
    },
    get oversized() {
      return oversized;
    },
  };
}
