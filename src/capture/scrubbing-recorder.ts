/**
 * Holds capture events back from a recording until it is known which of their bytes are secret, and overwrites
 * those with as many `*`, so that lengths and positions stay true.
 */
import { createEventQueue, type EventQueue } from './event-queue.ts';
import type {
  CaptureEvent,
  ConnectionRef,
  DataEvent,
  DecodedPiece,
  Direction,
  ProcessRef,
} from './events.ts';
import { MAX_DECODED_EVENT_BYTES } from './recording-codec.ts';

/** Beyond this the oldest events are written with every byte masked that nobody has vouched for. */
export const DEFAULT_MAX_HELD_BYTES = 64 * 1024 * 1024;

/**
 * Connections tracked at once. Then one that was not used lately makes room; where all hold bytes, those of a
 * further connection are masked as they come.
 */
export const DEFAULT_MAX_CONNECTIONS = 16_384;

/** Connections looked at for one to make room. */
const EVICTION_TRIES = 64;

/** Secrets announced beyond the bytes seen so far, per direction; more are joined to one that covers all. */
const MAX_PENDING_MASKS = 64;

/** What a held event costs beside its payload, roughly: the object, its references, its place in two queues. */
const HELD_EVENT_BYTES = 400;

/** The same of a decoded piece beside its content. */
const HELD_PIECE_BYTES = 200;

/**
 * A connection that was closed, or whose process is gone, gets this many ticks for its last bytes to be released
 * before they are masked: the stages behind may deliver the end of a stream a moment later.
 */
const TICKS_AFTER_CLOSE = 2;

const MASK = 0x2a;

export interface ScrubbingRecorderOptions {
  /** Gets every event once, in the order they came. A data event's bytes are valid only during the call. */
  write(event: CaptureEvent): void;
  maxHeldBytes?: number;
  maxConnections?: number;
}

export interface ScrubbingCounters {
  heldEvents: number;
  heldBytes: number;
  /** Bytes overwritten because a stage said so. */
  maskedBytes: number;
  /** Compressed bytes in whose place stands what they decoded to. */
  decodedBytes: number;
  /** Bytes overwritten because no stage ever vouched for them. */
  unreleasedBytes: number;
}

export interface ScrubbingRecorder {
  /** Takes the next event, before or after the stages that judge its bytes saw it; copies what it keeps. */
  event(event: CaptureEvent): void;
  /**
   * Bytes `position` to `position + length` of a stream are secret. To be called before they are released; may
   * reach beyond the bytes seen so far, up to `Infinity`. `replacement`, as long as the secret, is written over it
   * instead of asterisks, where the stream could not be decoded with those; it reaches only bytes seen.
   */
  mask(
    connection: ConnectionRef,
    direction: Direction,
    position: number,
    length: number,
    replacement?: Uint8Array,
  ): void;
  /** `piece` was compressed: it is overwritten, and what it decoded to goes with its event. To be called before its release. */
  decoded(connection: ConnectionRef, direction: Direction, piece: DecodedPiece): void;
  /** Every secret before `upToPosition` has been told. */
  release(connection: ConnectionRef, direction: Direction, upToPosition: number): void;
  /** Writes everything held; bytes never released are masked. */
  flush(): void;
  counters(): ScrubbingCounters;
}

interface Held {
  event: CaptureEvent;
  stream: Stream | undefined;
  costBytes: number;
}

interface HeldData extends Held {
  event: DataEvent;
  decoded: DecodedPiece[];
  decodedBytes: number;
}

interface Range {
  start: number;
  end: number;
}

interface Stream {
  connection: TrackedConnection;
  releasedTo: number;
  seenTo: number;
  /** Secrets that reach beyond `seenTo`. */
  pending: Range[];
  /** Pieces of bytes not seen yet. */
  pendingPieces: DecodedPiece[];
  held: EventQueue<HeldData>;
}

interface TrackedConnection {
  ref: ConnectionRef;
  read: Stream;
  write: Stream;
  /** Ticks left until its unreleased bytes are masked; undefined while it is open. */
  ticksLeft: number | undefined;
  /** Used since it was last considered for making room. */
  isRecent: boolean;
}

export function createScrubbingRecorder(options: ScrubbingRecorderOptions): ScrubbingRecorder {
  const maxHeldBytes = options.maxHeldBytes ?? DEFAULT_MAX_HELD_BYTES;
  const maxConnections = options.maxConnections ?? DEFAULT_MAX_CONNECTIONS;
  const queue = createEventQueue<Held>();
  /** By address of the TLS object: different processes and generations share an address. */
  const byObject = new Map<number, TrackedConnection[]>();
  const byPid = new Map<number, Set<TrackedConnection>>();
  /** In the order in which they are considered for making room. */
  const tracked = new Set<TrackedConnection>();
  const ending = new Set<TrackedConnection>();
  const counters: ScrubbingCounters = {
    heldEvents: 0,
    heldBytes: 0,
    maskedBytes: 0,
    decodedBytes: 0,
    unreleasedBytes: 0,
  };

  function event(incoming: CaptureEvent): void {
    switch (incoming.type) {
      case 'data':
        holdData(incoming);
        break;
      case 'close': {
        const connection = find(incoming.connection);
        if (connection) {
          beginEnding(connection);
        }
        hold({ event: incoming, stream: undefined, costBytes: HELD_EVENT_BYTES });
        break;
      }
      case 'exit':
        endProcess(incoming.process);
        hold({ event: incoming, stream: undefined, costBytes: HELD_EVENT_BYTES });
        break;
      case 'exec':
      case 'snapshot':
        hold({
          event: incoming,
          stream: undefined,
          costBytes: HELD_EVENT_BYTES + incoming.argv.join('').length * 2,
        });
        break;
      case 'tick':
        countTick();
        hold({ event: incoming, stream: undefined, costBytes: HELD_EVENT_BYTES });
        break;
      default:
        hold({ event: incoming, stream: undefined, costBytes: HELD_EVENT_BYTES });
    }
    drain();
    while (counters.heldBytes > maxHeldBytes) {
      writeFirst();
      drain();
    }
  }

  function holdData(incoming: DataEvent): void {
    const stream = streamOf(incoming.connection, incoming.direction);
    // Copied: the source reuses its memory, and masking must not change what the other stages see.
    const bytes = Uint8Array.prototype.slice.call(incoming.bytes);
    const kept: DataEvent = { ...incoming, bytes };
    const held: HeldData = {
      event: kept,
      stream,
      costBytes: HELD_EVENT_BYTES + bytes.byteLength,
      decoded: [],
      decodedBytes: 0,
    };
    if (stream) {
      const end = kept.position + bytes.byteLength;
      for (const range of stream.pending) {
        overwrite(kept, range.start, range.end);
      }
      stream.connection.isRecent = true;
      stream.seenTo = Math.max(stream.seenTo, end);
      stream.pending = stream.pending.filter((range) => range.end > stream.seenTo);
      stream.held.push(held);
    } else {
      counters.unreleasedBytes += bytes.byteLength;
      bytes.fill(MASK);
    }
    hold(held);
    if (stream !== undefined && stream.pendingPieces.length > 0) {
      const pieces = stream.pendingPieces;
      stream.pendingPieces = [];
      for (const piece of pieces) {
        attach(stream, piece);
      }
    }
  }

  function hold(held: Held): void {
    queue.push(held);
    counters.heldEvents += 1;
    counters.heldBytes += held.costBytes;
  }

  /** Writes from the front while nothing there waits for a release. */
  function drain(): void {
    for (let held = queue.first(); held && isReady(held); held = queue.first()) {
      writeFirst();
    }
  }

  function isReady(held: Held): boolean {
    if (held.event.type !== 'data' || !held.stream) {
      return true;
    }
    const end = held.event.position + held.event.bytes.byteLength;
    return held.stream.releasedTo >= end || held.stream.connection.ticksLeft === 0;
  }

  /** Writes the oldest event, with whatever of it was not released masked. */
  function writeFirst(): void {
    const held = queue.shift();
    if (!held) {
      return;
    }
    counters.heldEvents -= 1;
    counters.heldBytes -= held.costBytes;
    if (held.event.type === 'data' && held.stream) {
      const { event: kept, stream } = held as { event: DataEvent; stream: Stream };
      const openFrom = Math.max(stream.releasedTo - kept.position, 0);
      if (openFrom < kept.bytes.byteLength) {
        counters.unreleasedBytes += kept.bytes.byteLength - openFrom;
        kept.bytes.fill(MASK, openFrom);
      }
      stream.held.shift();
    }
    options.write(held.event);
  }

  function mask(
    connection: ConnectionRef,
    direction: Direction,
    position: number,
    length: number,
    replacement?: Uint8Array,
  ): void {
    const stream = streamOf(connection, direction);
    if (!stream || !(length > 0)) {
      return;
    }
    const end = position + length;
    for (let index = stream.held.size - 1; index >= 0; index -= 1) {
      const kept = stream.held.at(index)?.event;
      if (!kept || kept.position + kept.bytes.byteLength <= position) {
        break;
      }
      overwrite(kept, position, end, replacement);
    }
    if (end > stream.seenTo) {
      stream.pending.push({ start: position, end });
      if (stream.pending.length > MAX_PENDING_MASKS) {
        const start = Math.min(...stream.pending.map((range) => range.start));
        const last = Math.max(...stream.pending.map((range) => range.end));
        stream.pending = [{ start: Math.max(start, stream.seenTo), end: last }];
      }
    }
  }

  function decoded(connection: ConnectionRef, direction: Direction, piece: DecodedPiece): void {
    const stream = streamOf(connection, direction);
    if (stream) {
      attach(stream, piece);
    }
  }

  /** Of an event that had to be written already, all was masked. */
  function attach(stream: Stream, piece: DecodedPiece): void {
    const { position, length } = piece;
    if (position >= stream.seenTo) {
      stream.pendingPieces.push(piece);
      return;
    }
    for (let index = stream.held.size - 1; index >= 0; index -= 1) {
      const held = stream.held.at(index);
      if (held && held.event.position <= position) {
        const from = position - held.event.position;
        const to = Math.min(from + length, held.event.bytes.byteLength);
        if (from < to) {
          held.event.bytes.fill(MASK, from, to);
          counters.decodedBytes += to - from;
          keepPiece(held, piece);
        }
        return;
      }
    }
  }

  function keepPiece(held: HeldData, piece: DecodedPiece): void {
    const isTooLarge = held.decodedBytes + piece.content.byteLength > MAX_DECODED_EVENT_BYTES;
    const kept: DecodedPiece = isTooLarge
      ? { ...piece, content: new Uint8Array(0), outcome: 'limit' }
      : piece;
    held.decoded.push(kept);
    held.event.decoded = held.decoded;
    held.decodedBytes += kept.content.byteLength;
    held.costBytes += HELD_PIECE_BYTES + kept.content.byteLength;
    counters.heldBytes += HELD_PIECE_BYTES + kept.content.byteLength;
  }

  function overwrite(kept: DataEvent, start: number, end: number, replacement?: Uint8Array): void {
    const from = Math.max(start - kept.position, 0);
    const to = Math.min(end - kept.position, kept.bytes.byteLength);
    if (from < to) {
      if (replacement === undefined) {
        kept.bytes.fill(MASK, from, to);
      } else {
        const skipped = kept.position + from - start;
        kept.bytes.set(replacement.subarray(skipped, skipped + to - from), from);
      }
      counters.maskedBytes += to - from;
    }
  }

  function release(connection: ConnectionRef, direction: Direction, upToPosition: number): void {
    const stream = streamOf(connection, direction);
    if (stream && upToPosition > stream.releasedTo) {
      stream.releasedTo = upToPosition;
      drain();
    }
  }

  function streamOf(ref: ConnectionRef, direction: Direction): Stream | undefined {
    const connection = find(ref) ?? track(ref);
    return direction === 'read' ? connection?.read : connection?.write;
  }

  function find(ref: ConnectionRef): TrackedConnection | undefined {
    return byObject.get(ref.object)?.find((connection) => isSame(connection.ref, ref));
  }

  function track(ref: ConnectionRef): TrackedConnection | undefined {
    if (tracked.size >= maxConnections && !makeRoom()) {
      return undefined;
    }
    const connection = {
      ref,
      ticksLeft: undefined,
      isRecent: true,
    } as unknown as TrackedConnection;
    connection.read = newStream(connection);
    connection.write = newStream(connection);
    tracked.add(connection);
    const sharers = byObject.get(ref.object) ?? [];
    byObject.set(ref.object, sharers);
    for (const older of sharers) {
      // The process reused the address: whatever was there before is over.
      if (older.ref.process.pid === ref.process.pid) {
        beginEnding(older);
      }
    }
    sharers.push(connection);
    const siblings = byPid.get(ref.process.pid) ?? new Set();
    byPid.set(ref.process.pid, siblings);
    siblings.add(connection);
    return connection;
  }

  /** Second chance: a connection used since the last look goes to the end of the line. */
  function makeRoom(): boolean {
    let tries = 0;
    for (const connection of tracked) {
      if (!connection.isRecent && !isHolding(connection)) {
        forget(connection);
        return true;
      }
      connection.isRecent = false;
      tracked.delete(connection);
      tracked.add(connection);
      tries += 1;
      if (tries >= EVICTION_TRIES * 2) {
        return false;
      }
    }
    return false;
  }

  function endProcess(process: ProcessRef): void {
    for (const connection of byPid.get(process.pid) ?? []) {
      if (connection.ref.process.startNs === process.startNs) {
        beginEnding(connection);
      }
    }
  }

  function beginEnding(connection: TrackedConnection): void {
    connection.ticksLeft ??= TICKS_AFTER_CLOSE;
    ending.add(connection);
  }

  function countTick(): void {
    for (const connection of ending) {
      connection.ticksLeft = Math.max((connection.ticksLeft ?? 0) - 1, 0);
    }
    drain();
    for (const connection of ending) {
      if (connection.ticksLeft === 0 && !isHolding(connection)) {
        forget(connection);
      }
    }
  }

  function forget(connection: TrackedConnection): void {
    const { object, process } = connection.ref;
    tracked.delete(connection);
    ending.delete(connection);
    const sharers = byObject.get(object)?.filter((other) => other !== connection) ?? [];
    if (sharers.length > 0) {
      byObject.set(object, sharers);
    } else {
      byObject.delete(object);
    }
    const siblings = byPid.get(process.pid);
    siblings?.delete(connection);
    if (siblings?.size === 0) {
      byPid.delete(process.pid);
    }
  }

  function flush(): void {
    while (queue.size > 0) {
      writeFirst();
    }
  }

  return { event, mask, decoded, release, flush, counters: () => ({ ...counters }) };
}

function isHolding(connection: TrackedConnection): boolean {
  return connection.read.held.size + connection.write.held.size > 0;
}

function newStream(connection: TrackedConnection): Stream {
  return {
    connection,
    releasedTo: 0,
    seenTo: 0,
    pending: [],
    pendingPieces: [],
    held: createEventQueue(),
  };
}

function isSame(left: ConnectionRef, right: ConnectionRef): boolean {
  return (
    left.generation === right.generation &&
    left.process.pid === right.process.pid &&
    left.process.startNs === right.process.startNs &&
    left.stack === right.stack
  );
}
