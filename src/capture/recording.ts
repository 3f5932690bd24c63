/** Writes capture events to a recording file (docs/recording-format.md). */
import { closeSync, writeSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { SightlineError } from '../util/errors.ts';
import type { CaptureEvent, DataEvent } from './events.ts';
import {
  dataFrameBytes,
  encodeData,
  encodeDecoded,
  encodeEnd,
  encodeJsonEvent,
  FRAME_HEAD_BYTES,
  MAX_FRAME_BYTES,
  PREAMBLE_BYTES,
  RECORDING_MAGIC,
  RECORDING_VERSION,
} from './recording-codec.ts';
import { openRecordingForWriting, type RecordingOwner, reasonOf } from './recording-file.ts';

/**
 * Frames are collected to this size and compressed as one gzip member. Each member is whole by itself, so a
 * recorder that is killed loses only the last one; 256 KiB compress in about 3 ms and lose no ratio to speak of.
 */
export const DEFAULT_BLOCK_BYTES = 256 * 1024;

/** A block is written at the latest when events span this much time, so that a crash costs about a second. */
export const DEFAULT_FLUSH_INTERVAL_NS = 1_000_000_000n;

/** Fastest level: recording shares the thread with the capture it must not hold up. */
const COMPRESSION_LEVEL = 1;

export interface RecordingWriterOptions {
  path: string;
  /** Default false: an existing file is an error. True: a plain file of ours is overwritten. */
  overwrite?: boolean;
  /** Who gets the file, for `sudo`. Default: whoever runs this. */
  owner?: RecordingOwner;
  /** Goes into the header, for whoever examines the file. */
  writerVersion?: string;
  blockBytes?: number;
  flushIntervalNs?: bigint;
  /** Called once, when the file can no longer be written (disk full); what follows is not recorded. */
  onError?(error: SightlineError): void;
}

export interface RecordingSummary {
  events: number;
  /** Events that do not fit in a frame, or hold numbers the format has no room for; they were left out. */
  skippedEvents: number;
  fileBytes: number;
  /** Set when writing failed: the recording ends before the capture did. */
  error: SightlineError | undefined;
}

export interface RecordingWriter {
  /** Takes a copy of the event. Never throws: a failure is reported once and ends the recording. */
  write(event: CaptureEvent): void;
  /** Writes what is collected and the end frame, and closes the file. A second call changes nothing. */
  close(): RecordingSummary;
}

/** Creates the file. Throws a SightlineError when that cannot be done safely. */
export function createRecordingWriter(options: RecordingWriterOptions): RecordingWriter {
  const blockBytes = options.blockBytes ?? DEFAULT_BLOCK_BYTES;
  const flushIntervalNs = options.flushIntervalNs ?? DEFAULT_FLUSH_INTERVAL_NS;
  const fd = openRecordingForWriting({
    path: options.path,
    overwrite: options.overwrite ?? false,
    owner: options.owner,
  });
  const block = Buffer.allocUnsafe(blockBytes);
  const summary: RecordingSummary = {
    events: 0,
    skippedEvents: 0,
    fileBytes: 0,
    error: undefined,
  };
  let usedBytes = 0;
  let blockStartNs = 0n;
  let isOpen = true;

  try {
    put(preamble(options.writerVersion));
  } catch (cause) {
    closeSync(fd);
    throw writeError(cause);
  }

  function write(event: CaptureEvent): void {
    if (!isOpen || summary.error) {
      return;
    }
    if (usedBytes > 0 && event.timeNs - blockStartNs >= flushIntervalNs) {
      flushBlock();
    }
    if (usedBytes === 0) {
      blockStartNs = event.timeNs;
    }
    try {
      if (event.type === 'data') {
        writeData(event);
      } else {
        writeOther(encodeJsonEvent(event));
      }
    } catch {
      // A number out of range: only a defective source makes one, and it must not end the capture.
      summary.skippedEvents += 1;
    }
  }

  function writeData(event: DataEvent): void {
    for (const piece of event.decoded ?? []) {
      for (const frame of encodeDecoded(piece)) {
        writePart(frame);
      }
    }
    const frameBytes = dataFrameBytes(event);
    const target = reserve(frameBytes);
    if (target) {
      encodeData(event, target.buffer, target.offset);
      commit(target, frameBytes);
    }
  }

  function writeOther(frame: Buffer): void {
    const target = reserve(frame.byteLength);
    if (target) {
      target.buffer.set(frame, target.offset);
      commit(target, frame.byteLength);
    }
  }

  /** A frame that is no event by itself. */
  function writePart(frame: Buffer): void {
    const { events } = summary;
    writeOther(frame);
    summary.events = events;
  }

  /** Room for a frame: in the block, or for one larger than any block in a buffer of its own. */
  function reserve(frameBytes: number): { buffer: Buffer; offset: number } | undefined {
    if (frameBytes - FRAME_HEAD_BYTES + 1 > MAX_FRAME_BYTES) {
      summary.skippedEvents += 1;
      return undefined;
    }
    if (usedBytes + frameBytes > blockBytes) {
      flushBlock();
    }
    if (frameBytes > blockBytes) {
      return { buffer: Buffer.allocUnsafe(frameBytes), offset: 0 };
    }
    return { buffer: block, offset: usedBytes };
  }

  function commit(target: { buffer: Buffer }, frameBytes: number): void {
    if (target.buffer === block) {
      usedBytes += frameBytes;
    } else {
      compress(target.buffer);
    }
    if (!summary.error) {
      summary.events += 1;
    }
  }

  function flushBlock(): void {
    const bytes = usedBytes;
    usedBytes = 0;
    if (bytes > 0) {
      compress(block.subarray(0, bytes));
    }
  }

  function compress(bytes: Uint8Array): void {
    if (summary.error) {
      return;
    }
    try {
      put(gzipSync(bytes, { level: COMPRESSION_LEVEL }));
    } catch (cause) {
      summary.error = writeError(cause);
      options.onError?.(summary.error);
    }
  }

  function put(bytes: Uint8Array): void {
    let offset = 0;
    while (offset < bytes.byteLength) {
      const written = writeSync(fd, bytes, offset, bytes.byteLength - offset);
      offset += written;
      summary.fileBytes += written;
    }
  }

  function close(): RecordingSummary {
    if (isOpen) {
      isOpen = false;
      flushBlock();
      compress(encodeEnd(summary.events));
      try {
        closeSync(fd);
      } catch (cause) {
        summary.error ??= writeError(cause);
      }
    }
    return summary;
  }

  function writeError(cause: unknown): SightlineError {
    return new SightlineError(
      'SL_RECORDING_WRITE',
      `writing the recording ${options.path} failed: ${reasonOf(cause)}`,
      { cause },
    );
  }

  return { write, close };
}

function preamble(writerVersion: string | undefined): Buffer {
  const header = Buffer.from(
    JSON.stringify({
      format: 'sightline-recording',
      writer: 'sightline',
      ...(writerVersion === undefined ? {} : { writerVersion }),
    }),
  );
  const bytes = Buffer.alloc(PREAMBLE_BYTES);
  bytes.set(RECORDING_MAGIC, 0);
  bytes.writeUInt16LE(RECORDING_VERSION, 8);
  bytes.writeUInt32LE(header.byteLength, 12);
  return Buffer.concat([bytes, header]);
}
