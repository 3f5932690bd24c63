/**
 * zstd, incremental: every block is handed out once it is whole, so every flush is. Checksums are checked.
 * RFC 8878 §3, https://www.rfc-editor.org/rfc/rfc8878#section-3; as a content coding RFC 9659.
 */
import type { DecodeOutcome, Emit, StreamDecoder } from './content-decoder.ts';
import {
  createFrameState,
  decodeBlock,
  type FrameState,
  MAX_BLOCK_BYTES,
} from './zstd/block-decoder.ts';
import { createXxh64, type Xxh64 } from './zstd/xxh64.ts';

/** RFC 9659 §3: what a content coding may ask a decoder to remember. */
const MAX_WINDOW_BYTES = 8_388_608;

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a5;
const INITIAL_OUTPUT_BYTES = 65_536;

/**
 * Memory of all decoders at work together: what matches may refer to is up to 10 MiB a stream, which a thousand
 * hostile ones would make 10 GiB. A stream that needs more than is left is given up as `limit`.
 */
const MAX_HISTORY_BYTES = 268_435_456;

let historyBytes = 0;

/** A decoder that nobody disposed of (its connection was dropped after a fault) gives its share back when collected. */
const abandoned = new FinalizationRegistry<{ bytes: number }>((share) => {
  historyBytes -= share.bytes;
});

const State = {
  magic: 0,
  descriptor: 1,
  frameHeader: 2,
  blockHeader: 3,
  block: 4,
  checksum: 5,
  skippableSize: 6,
  skippable: 7,
} as const;

const BlockType = { raw: 0, run: 1, compressed: 2 } as const;

export function createZstdDecoder(emit: Emit): StreamDecoder {
  let state: number = State.magic;
  /** Bytes that the state needs at once, and those of them that came in earlier pushes. */
  let needed = 4;
  let held = new Uint8Array(1024);
  let heldBytes = 0;
  let toSkip = 0;
  let hasFrame = false;
  let descriptor = 0;
  let windowBytes = 0;
  /** What the frame header says the frame decodes to. */
  let announcedBytes: number | undefined;
  let frameBytes = 0;
  let frame: FrameState = createFrameState();
  let checksum: Xxh64 | undefined;
  let blockType = 0;
  let blockBytes = 0;
  let isLastBlock = false;
  /** What matches may refer to, then what is decoded. */
  let output = new Uint8Array(0);
  let outputEnd = 0;
  /** Where the frame's output begins in it. */
  let historyStart = 0;
  let isStopped = false;
  /** Its part of `historyBytes`. */
  const share = { bytes: 0 };

  function expect(next: number, bytes: number): void {
    state = next;
    needed = bytes;
  }

  function maxBlockBytes(): number {
    return Math.min(windowBytes, MAX_BLOCK_BYTES);
  }

  /** Makes room for one more block behind a window's worth of history. False when there is none left. */
  function makeRoom(bytes: number): boolean {
    if (outputEnd + bytes <= output.length) {
      return true;
    }
    const full = windowBytes + Math.max(windowBytes >> 2, MAX_BLOCK_BYTES * 2);
    const wanted = Math.min(
      full,
      Math.max(INITIAL_OUTPUT_BYTES, output.length * 2, outputEnd + bytes),
    );
    if (wanted > output.length) {
      if (historyBytes + wanted - share.bytes > MAX_HISTORY_BYTES) {
        return false;
      }
      historyBytes += wanted - share.bytes;
      share.bytes = wanted;
      const grown = new Uint8Array(wanted);
      grown.set(output.subarray(0, outputEnd));
      output = grown;
    }
    if (outputEnd + bytes > output.length) {
      const dropped = outputEnd - windowBytes;
      output.copyWithin(0, dropped, outputEnd);
      outputEnd -= dropped;
      historyStart = Math.max(0, historyStart - dropped);
    }
    return true;
  }

  function handOut(from: number): void {
    const bytes = output.subarray(from, outputEnd);
    frameBytes += bytes.length;
    checksum?.update(bytes);
    if (bytes.length > 0) {
      isStopped = !emit(bytes);
    }
  }

  function endBlock(): boolean {
    if (!isLastBlock) {
      expect(State.blockHeader, 3);
      return true;
    }
    if (checksum) {
      expect(State.checksum, 4);
    } else {
      expect(State.magic, 4);
    }
    return announcedBytes === undefined || announcedBytes === frameBytes;
  }

  function readMagic(bytes: Uint8Array, at: number): boolean {
    const magic = numberAt(bytes, at, 4);
    if (magic === MAGIC) {
      expect(State.descriptor, 1);
      return true;
    }
    expect(State.skippableSize, 4);
    return Math.floor(magic / 16) === SKIPPABLE_MAGIC;
  }

  /** §3.1.1.1.1 */
  function readDescriptor(bytes: Uint8Array, at: number): boolean {
    descriptor = bytes[at] as number;
    const isSingleSegment = (descriptor & 0x20) !== 0;
    const dictionaryIdBytes = dictionaryIdSize(descriptor);
    const needs = (isSingleSegment ? 0 : 1) + dictionaryIdBytes + contentSizeSize(descriptor);
    expect(State.frameHeader, needs);
    return (descriptor & 0x08) === 0;
  }

  function readFrameHeader(bytes: Uint8Array, from: number): DecodeOutcome {
    const isSingleSegment = (descriptor & 0x20) !== 0;
    let at = from;
    if (!isSingleSegment) {
      const byte = bytes[at] as number;
      const base = 2 ** (10 + (byte >> 3));
      windowBytes = base + (base / 8) * (byte & 7);
      at += 1;
    }
    const idSize = dictionaryIdSize(descriptor);
    const dictionaryId = numberAt(bytes, at, idSize);
    at += idSize;
    const size = contentSizeSize(descriptor);
    announcedBytes = size === 0 ? undefined : numberAt(bytes, at, size) + (size === 2 ? 256 : 0);
    if (isSingleSegment) {
      windowBytes = announcedBytes ?? 0;
    }
    frame = createFrameState();
    frameBytes = 0;
    checksum = (descriptor & 0x04) === 0 ? undefined : createXxh64();
    outputEnd = 0;
    historyStart = 0;
    hasFrame = true;
    expect(State.blockHeader, 3);
    if (windowBytes > MAX_WINDOW_BYTES) {
      return 'limit';
    }
    // Nobody has told us a dictionary.
    return dictionaryId === 0 ? 'ok' : 'corrupt';
  }

  function readBlockHeader(bytes: Uint8Array, at: number): boolean {
    const header = numberAt(bytes, at, 3);
    isLastBlock = (header & 1) !== 0;
    blockType = (header >> 1) & 3;
    blockBytes = header >> 3;
    const isWithinLimit = blockBytes <= maxBlockBytes();
    expect(State.block, blockType === BlockType.run ? 1 : blockBytes);
    return blockType <= BlockType.compressed && isWithinLimit;
  }

  function readBlock(bytes: Uint8Array, at: number): DecodeOutcome {
    const roomBytes = blockType === BlockType.compressed ? maxBlockBytes() : blockBytes;
    if (!makeRoom(roomBytes)) {
      return 'limit';
    }
    const start = outputEnd;
    if (blockType === BlockType.raw) {
      output.set(bytes.subarray(at, at + blockBytes), start);
      outputEnd += blockBytes;
    } else if (blockType === BlockType.run) {
      output.fill(bytes[at] as number, start, start + blockBytes);
      outputEnd += blockBytes;
    } else {
      const end = at + blockBytes;
      const next = decodeBlock(bytes, at, end, frame, output, start, historyStart, roomBytes);
      if (next < 0) {
        return 'corrupt';
      }
      outputEnd = next;
    }
    handOut(start);
    return endBlock() ? 'ok' : 'corrupt';
  }

  /** Takes `needed` bytes at `at`. */
  function step(bytes: Uint8Array, at: number): DecodeOutcome {
    switch (state) {
      case State.magic:
        return readMagic(bytes, at) ? 'ok' : 'corrupt';
      case State.descriptor:
        return readDescriptor(bytes, at) ? 'ok' : 'corrupt';
      case State.frameHeader:
        return readFrameHeader(bytes, at);
      case State.blockHeader:
        return readBlockHeader(bytes, at) ? 'ok' : 'corrupt';
      case State.block:
        return readBlock(bytes, at);
      case State.checksum:
        expect(State.magic, 4);
        return checksum?.low32() === numberAt(bytes, at, 4) ? 'ok' : 'corrupt';
      default:
        toSkip = numberAt(bytes, at, 4);
        hasFrame = true;
        expect(toSkip > 0 ? State.skippable : State.magic, toSkip > 0 ? 0 : 4);
        return 'ok';
    }
  }

  /** Keeps what a later push completes. */
  function hold(bytes: Uint8Array, from: number, to: number): void {
    const size = heldBytes + to - from;
    if (size > held.length) {
      const grown = new Uint8Array(Math.min(Math.max(size, held.length * 2), MAX_BLOCK_BYTES));
      grown.set(held.subarray(0, heldBytes));
      held = grown;
    }
    held.set(bytes.subarray(from, to), heldBytes);
    heldBytes = size;
  }

  function push(bytes: Uint8Array): DecodeOutcome {
    let at = 0;
    // A state that needs no bytes (an empty block) is done at once.
    while (!isStopped && (at < bytes.length || (needed === 0 && state !== State.skippable))) {
      if (state === State.skippable) {
        const size = Math.min(toSkip, bytes.length - at);
        toSkip -= size;
        at += size;
        if (toSkip === 0) {
          expect(State.magic, 4);
        }
        continue;
      }
      const end = at + needed - heldBytes;
      if (end > bytes.length) {
        hold(bytes, at, bytes.length);
        return 'ok';
      }
      let outcome: DecodeOutcome;
      if (heldBytes > 0) {
        hold(bytes, at, end);
        heldBytes = 0;
        outcome = step(held, 0);
      } else {
        outcome = step(bytes, at);
      }
      at = end;
      if (outcome !== 'ok') {
        return outcome;
      }
    }
    return 'ok';
  }

  const decoder: StreamDecoder = {
    push,
    finish() {
      const isAtEnd = hasFrame && state === State.magic && heldBytes === 0;
      return isAtEnd || isStopped ? 'ok' : 'corrupt';
    },
    dispose() {
      abandoned.unregister(decoder);
      historyBytes -= share.bytes;
      share.bytes = 0;
      output = new Uint8Array(0);
      outputEnd = 0;
      isStopped = true;
    },
  };
  abandoned.register(decoder, share, decoder);
  return decoder;
}

/** Little-endian; exact up to 2^53. */
function numberAt(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let index = size - 1; index >= 0; index -= 1) {
    value = value * 256 + (bytes[at + index] as number);
  }
  return value;
}

function dictionaryIdSize(descriptor: number): number {
  const flag = descriptor & 3;
  return flag === 3 ? 4 : flag;
}

function contentSizeSize(descriptor: number): number {
  const flag = descriptor >> 6;
  return flag === 0 ? (descriptor >> 5) & 1 : 2 ** flag;
}
