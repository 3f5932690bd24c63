/**
 * The connections that are open, found by object address, listed by process, and ordered by last activity.
 *
 * One address can belong to several processes (a fork shares its parent's addresses), so an address leads to
 * a short chain. Every list is intrusive: finding, touching and removing a connection allocates nothing.
 */
import type { ConnectionRef, Direction, ProcessRef } from '../capture/events.ts';
import type { ConnectionParser } from './connection.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import type { HandshakeFollower } from './handshake.ts';

/** One connection with the next position expected in each direction. */
export interface ConnectionEntry {
  readonly ref: ConnectionRef;
  /** Absent after a fault: what else comes of this connection is skipped. */
  parser: ConnectionParser | undefined;
  readonly facts: ConnectionFacts;
  /** While it is not known how the handshake came out. */
  handshake: HandshakeFollower | undefined;
  readNext: number;
  writeNext: number;
  /** Time of its last event. */
  lastNs: bigint;
  /** Ended as idle; its positions are kept, because it may speak again. */
  isResting: boolean;
  /** Nothing came since it let go what it held. */
  hasLetGo: boolean;
  sameAddress: ConnectionEntry | undefined;
  sameProcess: ConnectionEntry | undefined;
  older: ConnectionEntry | undefined;
  newer: ConnectionEntry | undefined;
}

export interface ConnectionTable {
  readonly size: number;
  /** The entry of this process and address, whatever its generation. */
  find(ref: ConnectionRef): ConnectionEntry | undefined;
  add(ref: ConnectionRef, parser: ConnectionParser | undefined, timeNs: bigint): ConnectionEntry;
  /** Makes `entry` the most recently active one. */
  touch(entry: ConnectionEntry, timeNs: bigint): void;
  remove(entry: ConnectionEntry): void;
  /** The entry that was silent longest. */
  oldest(): ConnectionEntry | undefined;
  /** Every entry of one process, in no particular order. */
  ofProcess(process: ProcessRef): ConnectionEntry[];
}

export function createConnectionTable(): ConnectionTable {
  const byAddress = new Map<number, ConnectionEntry>();
  const byPid = new Map<number, ConnectionEntry>();
  let oldest: ConnectionEntry | undefined;
  let newest: ConnectionEntry | undefined;
  let size = 0;

  function find(ref: ConnectionRef): ConnectionEntry | undefined {
    let entry = byAddress.get(ref.object);
    while (entry !== undefined && !isSameOwner(entry.ref, ref)) {
      entry = entry.sameAddress;
    }
    return entry;
  }

  function appendNewest(entry: ConnectionEntry): void {
    entry.older = newest;
    entry.newer = undefined;
    if (newest) {
      newest.newer = entry;
    } else {
      oldest = entry;
    }
    newest = entry;
  }

  function unlinkAge(entry: ConnectionEntry): void {
    if (entry.older) {
      entry.older.newer = entry.newer;
    } else {
      oldest = entry.newer;
    }
    if (entry.newer) {
      entry.newer.older = entry.older;
    } else {
      newest = entry.older;
    }
  }

  function add(
    ref: ConnectionRef,
    parser: ConnectionParser | undefined,
    timeNs: bigint,
  ): ConnectionEntry {
    const entry: ConnectionEntry = {
      ref,
      parser,
      facts: {},
      handshake: undefined,
      readNext: 0,
      writeNext: 0,
      lastNs: timeNs,
      isResting: false,
      hasLetGo: false,
      sameAddress: byAddress.get(ref.object),
      sameProcess: byPid.get(ref.process.pid),
      older: undefined,
      newer: undefined,
    };
    byAddress.set(ref.object, entry);
    byPid.set(ref.process.pid, entry);
    appendNewest(entry);
    size += 1;
    return entry;
  }

  function touch(entry: ConnectionEntry, timeNs: bigint): void {
    entry.lastNs = timeNs;
    entry.hasLetGo = false;
    if (entry !== newest) {
      unlinkAge(entry);
      appendNewest(entry);
    }
  }

  function remove(entry: ConnectionEntry): void {
    unlinkAge(entry);
    unchain(byAddress, entry.ref.object, entry, 'sameAddress');
    unchain(byPid, entry.ref.process.pid, entry, 'sameProcess');
    size -= 1;
  }

  function ofProcess(process: ProcessRef): ConnectionEntry[] {
    const entries: ConnectionEntry[] = [];
    let entry = byPid.get(process.pid);
    while (entry) {
      if (entry.ref.process.startNs === process.startNs) {
        entries.push(entry);
      }
      entry = entry.sameProcess;
    }
    return entries;
  }

  return {
    get size() {
      return size;
    },
    find,
    add,
    touch,
    remove,
    oldest: () => oldest,
    ofProcess,
  };
}

/** Position expected next in `direction`. */
export function nextPosition(entry: ConnectionEntry, direction: Direction): number {
  return direction === 'read' ? entry.readNext : entry.writeNext;
}

export function setNextPosition(entry: ConnectionEntry, direction: Direction, next: number): void {
  if (direction === 'read') {
    entry.readNext = next;
  } else {
    entry.writeNext = next;
  }
}

function isSameOwner(one: ConnectionRef, other: ConnectionRef): boolean {
  return (
    one.process.pid === other.process.pid &&
    one.process.startNs === other.process.startNs &&
    one.stack === other.stack
  );
}

function unchain(
  heads: Map<number, ConnectionEntry>,
  key: number,
  entry: ConnectionEntry,
  link: 'sameAddress' | 'sameProcess',
): void {
  const head = heads.get(key);
  if (head === entry) {
    const next = entry[link];
    if (next) {
      heads.set(key, next);
    } else {
      heads.delete(key);
    }
    return;
  }
  let before = head;
  while (before && before[link] !== entry) {
    before = before[link];
  }
  if (before) {
    before[link] = entry[link];
  }
}
