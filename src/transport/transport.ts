/**
 * Sorts capture events into connections: ordered bytes and gaps for one parser each.
 *
 * The kernel counts positions before it tries to hand bytes over, so a jump in them is a loss of exactly that
 * size, wherever it happened; a loss event says the same earlier. Nothing is reordered or held back.
 */
import type {
  CaptureEvent,
  CloseEvent,
  ConnectionRef,
  DataEvent,
  Direction,
  HandshakeEvent,
  LossEvent,
  PeerEvent,
  ProcessRef,
  ServerNameEvent,
  SkipEvent,
} from '../capture/events.ts';
import {
  type ChunkTime,
  type ConnectionParserFactory,
  type EndReason,
  type SkippedFrames,
  timeFrom,
} from './connection.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import {
  type ConnectionEntry,
  createConnectionTable,
  nextPosition,
  setNextPosition,
} from './connection-table.ts';
import { followHandshake } from './handshake.ts';
import {
  DEFAULT_IDLE_TIMEOUT_NS,
  DEFAULT_TRANSPORT_LIMITS,
  LET_GO_AFTER_NS,
  type TransportLimits,
} from './limits.ts';

export interface TransportOptions {
  createParser: ConnectionParserFactory;
  limits?: Partial<TransportLimits>;
  /** A connection silent for longer is ended as `timeout`. */
  idleTimeoutNs?: bigint;
  /** The handshake of a connection has come out one way or the other: `facts.handshake`. */
  onHandshake?(connection: ConnectionRef, facts: ConnectionFacts): void;
  /** A parser threw: a bug of ours. That connection is skipped from here on, the others are untouched. */
  onFault?(error: unknown, connection: ConnectionRef): void;
}

/** What the transport did so far; every number only grows, but `openConnections`. */
export interface TransportCounters {
  openConnections: number;
  connections: number;
  dataEvents: number;
  dataBytes: number;
  gaps: number;
  lostBytes: number;
  /** Bytes that a verdict kept from being copied. */
  skippedBytes: number;
  /** Bytes that arrived twice and were dropped. */
  duplicateBytes: number;
  /** Events of a connection whose address a newer one has taken over. */
  staleEvents: number;
  idleEnds: number;
  /** Connections forgotten because there were more than `maxConnections`. */
  evictions: number;
  faults: number;
}

export interface Transport {
  /** Never throws. Synchronous: when it returns, the event's bytes are no longer referenced. */
  push(event: CaptureEvent): void;
  /** Of the very object that a parser was made for, also once the connection has ended. */
  factsOf(connection: ConnectionRef): ConnectionFacts | undefined;
  counters(): TransportCounters;
}

export function createTransport(options: TransportOptions): Transport {
  const limits: TransportLimits = { ...DEFAULT_TRANSPORT_LIMITS, ...options.limits };
  const idleTimeoutNs = options.idleTimeoutNs ?? DEFAULT_IDLE_TIMEOUT_NS;
  const table = createConnectionTable();
  const facts = new WeakMap<ConnectionRef, ConnectionFacts>();
  const counts: TransportCounters = {
    openConnections: 0,
    connections: 0,
    dataEvents: 0,
    dataBytes: 0,
    gaps: 0,
    lostBytes: 0,
    skippedBytes: 0,
    duplicateBytes: 0,
    staleEvents: 0,
    idleEnds: 0,
    evictions: 0,
    faults: 0,
  };
  /** Connections in the table whose handshake is followed. */
  const unsettled = new Set<ConnectionEntry>();
  /** No connection becomes idle before this time. */
  let nextIdleCheckNs = 0n;
  /** Youngest generation among the forgotten: an older one without an entry may have been one of them. */
  let forgottenGeneration = -1n;

  function fault(entry: ConnectionEntry, error: unknown): void {
    entry.parser = undefined;
    counts.faults += 1;
    try {
      options.onFault?.(error, entry.ref);
    } catch {
      // A reporter that fails must not take the other connections with it.
    }
  }

  function endParser(entry: ConnectionEntry, reason: EndReason, timeNs: bigint): void {
    if (entry.parser === undefined) {
      return;
    }
    try {
      entry.parser.end(reason, timeNs);
    } catch (error) {
      fault(entry, error);
    }
  }

  function endEntry(entry: ConnectionEntry, reason: EndReason, timeNs: bigint): void {
    table.remove(entry);
    entry.handshake?.end();
    unsettled.delete(entry);
    endParser(entry, reason, timeNs);
  }

  function makeRoom(timeNs: bigint): void {
    while (table.size >= limits.maxConnections) {
      const victim = table.oldest();
      if (victim === undefined) {
        return;
      }
      if (victim.ref.generation > forgottenGeneration) {
        forgottenGeneration = victim.ref.generation;
      }
      counts.evictions += 1;
      endEntry(victim, 'timeout', timeNs);
    }
  }

  function create(ref: ConnectionRef, at: ChunkTime): ConnectionEntry {
    makeRoom(at.timeNs);
    counts.connections += 1;
    const entry = table.add(ref, undefined, at.timeNs);
    facts.set(ref, entry.facts);
    try {
      entry.parser = options.createParser(ref);
    } catch (error) {
      fault(entry, error);
    }
    return entry;
  }

  /** The entry an event belongs to; undefined when the event is of a connection that is over. */
  function resolve(ref: ConnectionRef, at: ChunkTime): ConnectionEntry | undefined {
    const found = table.find(ref);
    if (found === undefined) {
      return create(ref, at);
    }
    if (found.ref.generation === ref.generation) {
      table.touch(found, at.timeNs);
      found.isResting = false;
      return found;
    }
    if (ref.generation < found.ref.generation) {
      counts.staleEvents += 1;
      return undefined;
    }
    // The object was freed and taken again without our seeing the free.
    endEntry(found, 'closed', at.timeNs);
    return create(ref, at);
  }

  /** Tells the parser about the bytes between the expected position and `position`, if there are any. */
  function skipTo(
    entry: ConnectionEntry,
    direction: Direction,
    position: number,
    at: ChunkTime,
  ): void {
    const expected = nextPosition(entry, direction);
    if (position <= expected) {
      return;
    }
    setNextPosition(entry, direction, position);
    const mayHaveBeenForgotten = expected === 0 && entry.ref.generation <= forgottenGeneration;
    gap(entry, direction, mayHaveBeenForgotten ? undefined : position - expected, at);
  }

  function gap(
    entry: ConnectionEntry,
    direction: Direction,
    size: number | undefined,
    at: ChunkTime,
  ): void {
    counts.gaps += 1;
    counts.lostBytes += size ?? 0;
    if (entry.parser === undefined) {
      return;
    }
    try {
      entry.parser.gap(direction, size, at);
    } catch (error) {
      fault(entry, error);
    }
  }

  function pushData(event: DataEvent): void {
    counts.dataEvents += 1;
    counts.dataBytes += event.bytes.length;
    const entry = resolve(event.connection, event);
    if (entry === undefined || event.bytes.length === 0) {
      return;
    }
    const { direction } = event;
    entry.handshake?.data(direction);
    skipTo(entry, direction, event.position, event);
    const expected = nextPosition(entry, direction);
    const overlap = expected - event.position;
    const end = event.position + event.bytes.length;
    if (overlap > 0) {
      counts.duplicateBytes += Math.min(overlap, event.bytes.length);
      if (end <= expected) {
        return;
      }
    }
    setNextPosition(entry, direction, end);
    const parser = entry.parser;
    if (parser === undefined) {
      return;
    }
    try {
      if (overlap > 0) {
        const at = timeFrom(event, event.callOffset + overlap);
        parser.data(direction, event.bytes.subarray(overlap), at, expected);
      } else {
        parser.data(direction, event.bytes, event, event.position);
      }
    } catch (error) {
      fault(entry, error);
    }
  }

  function pushLoss(event: LossEvent): void {
    const at: ChunkTime = { enterNs: event.timeNs, timeNs: event.timeNs };
    const entry = resolve(event.connection, at);
    if (entry === undefined) {
      return;
    }
    skipTo(entry, event.direction, event.position + event.lostBytes, at);
    if (event.lostBytes === 0) {
      gap(entry, event.direction, undefined, at);
    }
  }

  function pushSkip(event: SkipEvent): void {
    const at: ChunkTime = { enterNs: event.timeNs, timeNs: event.timeNs };
    const entry = resolve(event.connection, at);
    if (entry === undefined) {
      return;
    }
    const { direction } = event;
    skipTo(entry, direction, event.position, at);
    const end = event.position + event.skippedBytes;
    const size = end - nextPosition(entry, direction);
    if (size <= 0) {
      return;
    }
    counts.skippedBytes += size;
    setNextPosition(entry, direction, end);
    const parser = entry.parser;
    if (parser === undefined) {
      return;
    }
    try {
      if (parser.skip) {
        parser.skip(direction, size, at, size === event.skippedBytes ? framesOf(event) : undefined);
      } else {
        parser.gap(direction, size, at);
      }
    } catch (error) {
      fault(entry, error);
    }
  }

  function pushPeer(event: PeerEvent): void {
    const entry = resolve(event.connection, { enterNs: event.timeNs, timeNs: event.timeNs });
    if (entry) {
      const { address, port, localAddress, localPort, isInferred } = event;
      entry.facts.peer = { address, port, localAddress, localPort, isInferred };
    }
  }

  function pushServerName(event: ServerNameEvent): void {
    const entry = resolve(event.connection, { enterNs: event.timeNs, timeNs: event.timeNs });
    if (entry) {
      entry.facts.serverName = event.name;
    }
  }

  function pushHandshake(event: HandshakeEvent): void {
    const entry = resolve(event.connection, { enterNs: event.timeNs, timeNs: event.timeNs });
    if (entry === undefined || entry.facts.handshake !== undefined) {
      return;
    }
    entry.handshake ??= followHandshake((handshake) => {
      entry.facts.handshake = handshake;
      entry.handshake = undefined;
      unsettled.delete(entry);
      options.onHandshake?.(entry.ref, entry.facts);
    });
    unsettled.add(entry);
    entry.handshake.event(event);
  }

  function tickHandshakes(timeNs: bigint): void {
    for (const entry of unsettled) {
      entry.handshake?.tick(timeNs);
    }
  }

  function pushClose(event: CloseEvent): void {
    const entry = table.find(event.connection);
    if (entry === undefined) {
      return;
    }
    if (entry.ref.generation !== event.connection.generation) {
      counts.staleEvents += 1;
      return;
    }
    const at: ChunkTime = { enterNs: event.timeNs, timeNs: event.timeNs };
    skipTo(entry, 'write', event.writePosition, at);
    skipTo(entry, 'read', event.readPosition, at);
    endEntry(entry, 'closed', event.timeNs);
  }

  function endProcess(process: ProcessRef, timeNs: bigint): void {
    for (const entry of table.ofProcess(process)) {
      endEntry(entry, 'process-exit', timeNs);
    }
  }

  function endAll(timeNs: bigint): void {
    for (let entry = table.oldest(); entry; entry = table.oldest()) {
      endEntry(entry, 'source-end', timeNs);
    }
  }

  /** Ends what was silent too long. Their entries stay until they close or room is needed. */
  function endIdle(nowNs: bigint): void {
    if (nowNs < nextIdleCheckNs) {
      return;
    }
    const silentSinceNs = nowNs - idleTimeoutNs;
    let entry = table.oldest();
    while (entry && entry.lastNs < silentSinceNs) {
      const next = entry.newer;
      if (!entry.isResting) {
        entry.isResting = true;
        counts.idleEnds += 1;
        endParser(entry, 'timeout', nowNs);
      }
      entry = next;
    }
    // Resting entries at the old end would be walked again and again: look at most 20 times per timeout.
    nextIdleCheckNs = nowNs + idleTimeoutNs / 20n;
  }

  /** Each tick looks at all that are silent: some microseconds for a thousand. */
  function letGoSilent(silentSinceNs: bigint): void {
    for (let entry = table.oldest(); entry && entry.lastNs < silentSinceNs; entry = entry.newer) {
      if (!entry.hasLetGo) {
        entry.hasLetGo = true;
        try {
          entry.parser?.letGo?.();
        } catch (error) {
          fault(entry, error);
        }
      }
    }
  }

  function push(event: CaptureEvent): void {
    endIdle(event.timeNs);
    switch (event.type) {
      case 'data':
        pushData(event);
        break;
      case 'loss':
        pushLoss(event);
        break;
      case 'skip':
        pushSkip(event);
        break;
      case 'close':
        pushClose(event);
        break;
      case 'peer':
        pushPeer(event);
        break;
      case 'handshake':
        pushHandshake(event);
        break;
      case 'server-name':
        pushServerName(event);
        break;
      case 'tick':
        tickHandshakes(event.timeNs);
        letGoSilent(event.timeNs - LET_GO_AFTER_NS);
        break;
      case 'exit':
      // exec(2) replaces the address space, and with it every TLS object of the process.
      case 'exec':
        endProcess(event.process, event.timeNs);
        break;
      case 'end':
        endAll(event.timeNs);
        break;
      default:
        break;
    }
  }

  return {
    push,
    factsOf: (connection) => facts.get(connection),
    counters: () => ({ ...counts, openConnections: table.size }),
  };
}

function framesOf(event: SkipEvent): SkippedFrames | undefined {
  const { frameStream, frameHeaders = 0, frameRemainderBytes = 0 } = event;
  return frameStream === undefined
    ? undefined
    : { stream: frameStream, headers: frameHeaders, remainderBytes: frameRemainderBytes };
}
