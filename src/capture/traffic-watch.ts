/** Follows what the TLS calls of each process are worth, to find those in which there is nothing to see. */
import type { CaptureEvent, ConnectionRef, DataEvent, Direction, SkipEvent } from './events.ts';
import type { ConnectionVerdict } from './verdict.ts';

/**
 * What probes are taken away: `reads` leaves those in place that see what a process asks of others; `everything` is
 * for programs that only answer.
 */
export type RestLevel = 'reads' | 'everything';

/** Calls of a process that nobody wanted, in one window, that make its probes worth taking away. */
export const DEFAULT_MIN_UNWANTED_CALLS = 250;

/** Length of a window: as often as the kernel reports what it left out. */
const WINDOW_NS = 250_000_000n;

/** Windows in a row after which a program that only answers is believed to go on so. */
const SERVING_WINDOWS = 4;

/** A connection without a verdict that was silent for so long has nothing under way. */
const SILENCE_NS = 5_000_000_000n;

/** Connections followed, of all processes. Of a process that has more, the probes are never taken away. */
export const DEFAULT_MAX_FOLLOWED_CONNECTIONS = 16_384;

export interface TrafficWatchOptions {
  minUnwantedCalls?: number;
  maxConnections?: number;
  /** The process makes many calls, and nobody wants what they carry. Told again for every window of which that is true. */
  onUnwanted(pid: number, level: RestLevel, timeNs: bigint): void;
}

export interface TrafficWatch {
  push(event: CaptureEvent): void;
  judged(connection: ConnectionRef, verdict: ConnectionVerdict): void;
  /** Somebody looks at the bodies of an exchange on it. */
  wanted(connection: ConnectionRef): void;
  /** Nothing of this process was ever wanted, and nothing is under way that may be. */
  isQuiet(pid: number, timeNs: bigint): boolean;
  /** And it was seen to answer, and to ask nobody. */
  onlyServes(pid: number, timeNs: bigint): boolean;
  /** The process was the first to send something on this connection. */
  isAsking(connection: ConnectionRef): boolean;
  /** Connections that are known and not over. */
  connectionsOf(pid: number): ConnectionRef[];
  /** Their next call begins another connection. */
  forget(connection: ConnectionRef): void;
  /** It has ended, and no record of it will follow. */
  forgetProcess(pid: number): void;
}

interface Followed {
  ref: ConnectionRef;
  /** Return of its last call that was copied. */
  lastDataNs: bigint;
  firstDirection: Direction | undefined;
  standing: 'undecided' | 'unwanted' | 'served';
}

interface ProcessTraffic {
  connections: Map<number, Followed>;
  unwantedCalls: number;
  windowFromNs: bigint;
  /** Windows in a row with many unwanted calls. */
  busyWindows: number;
  /** A connection of it was of interest, or there were more than are followed: its probes stay. */
  isOfInterest: boolean;
  hasServed: boolean;
}

export function createTrafficWatch(options: TrafficWatchOptions): TrafficWatch {
  const minCalls = options.minUnwantedCalls ?? DEFAULT_MIN_UNWANTED_CALLS;
  const maxConnections = options.maxConnections ?? DEFAULT_MAX_FOLLOWED_CONNECTIONS;
  const processes = new Map<number, ProcessTraffic>();
  let connectionCount = 0;

  function trafficOf(pid: number, timeNs: bigint): ProcessTraffic {
    let traffic = processes.get(pid);
    if (traffic === undefined) {
      traffic = {
        connections: new Map(),
        unwantedCalls: 0,
        windowFromNs: timeNs,
        busyWindows: 0,
        isOfInterest: false,
        hasServed: false,
      };
      processes.set(pid, traffic);
    }
    return traffic;
  }

  function follow(ref: ConnectionRef, timeNs: bigint): Followed | undefined {
    const traffic = trafficOf(ref.process.pid, timeNs);
    const known = traffic.connections.get(ref.object);
    if (known?.ref.generation === ref.generation) {
      return known;
    }
    if (known === undefined) {
      if (connectionCount >= maxConnections) {
        traffic.isOfInterest = true;
        return undefined;
      }
      connectionCount += 1;
    }
    const followed: Followed = {
      ref,
      lastDataNs: timeNs,
      standing: 'undecided',
      firstDirection: undefined,
    };
    traffic.connections.set(ref.object, followed);
    return followed;
  }

  function known(ref: ConnectionRef): Followed | undefined {
    const followed = processes.get(ref.process.pid)?.connections.get(ref.object);
    return followed?.ref.generation === ref.generation ? followed : undefined;
  }

  function forget(ref: ConnectionRef): void {
    if (
      known(ref) !== undefined &&
      processes.get(ref.process.pid)?.connections.delete(ref.object)
    ) {
      connectionCount -= 1;
    }
  }

  function forgetProcess(pid: number): void {
    connectionCount -= processes.get(pid)?.connections.size ?? 0;
    processes.delete(pid);
  }

  function carry({ connection, timeNs, direction }: DataEvent): void {
    const followed = follow(connection, timeNs);
    if (followed === undefined) {
      return;
    }
    followed.lastDataNs = timeNs;
    followed.firstDirection ??= direction;
    if (followed.standing === 'unwanted') {
      // Something that the verdict did not cover: what that becomes is open.
      followed.standing = 'undecided';
    }
  }

  function skip({ connection, timeNs, calls }: SkipEvent): void {
    const followed = follow(connection, timeNs);
    if (followed === undefined || calls === undefined) {
      return;
    }
    if (followed.standing === 'undecided') {
      // The verdict holds: what was copied since had been on its way.
      followed.standing = 'unwanted';
    }
    const { pid } = connection.process;
    const traffic = trafficOf(pid, timeNs);
    traffic.unwantedCalls += calls;
    if (timeNs - traffic.windowFromNs < WINDOW_NS) {
      return;
    }
    const isBusy = traffic.unwantedCalls >= minCalls;
    traffic.busyWindows = isBusy ? traffic.busyWindows + 1 : 0;
    traffic.unwantedCalls = 0;
    traffic.windowFromNs = timeNs;
    if (!isBusy || !isQuiet(pid, timeNs)) {
      return;
    }
    if (!onlyServes(pid, timeNs)) {
      options.onUnwanted(pid, 'reads', timeNs);
    } else if (traffic.busyWindows >= SERVING_WINDOWS) {
      options.onUnwanted(pid, 'everything', timeNs);
    }
  }

  function connectionsAreIdle({ connections }: ProcessTraffic, timeNs: bigint): boolean {
    return [...connections.values()].every(
      ({ standing, lastDataNs }) => standing !== 'undecided' || timeNs - lastDataNs > SILENCE_NS,
    );
  }

  function isQuiet(pid: number, timeNs: bigint): boolean {
    const traffic = processes.get(pid);
    return traffic !== undefined && !traffic.isOfInterest && connectionsAreIdle(traffic, timeNs);
  }

  function onlyServes(pid: number, timeNs: bigint): boolean {
    const traffic = processes.get(pid);
    return (
      traffic?.hasServed === true &&
      isQuiet(pid, timeNs) &&
      [...traffic.connections.values()].every(({ standing }) => standing !== 'unwanted')
    );
  }

  return {
    push(event) {
      switch (event.type) {
        case 'data':
          if (event.connection.stack !== 'plain') {
            carry(event);
          }
          break;
        case 'skip':
          if (event.connection.stack !== 'plain') {
            skip(event);
          }
          break;
        case 'close':
          forget(event.connection);
          break;
        case 'exec':
        case 'exit':
          forgetProcess(event.process.pid);
          break;
        default:
          break;
      }
    },
    judged(connection, verdict) {
      const followed = known(connection);
      if (followed === undefined || followed.standing === 'served') {
        return;
      }
      if (verdict.readStream !== undefined || verdict.writeStream !== undefined) {
        // Of one stream among others that may be wanted.
        return;
      }
      followed.standing = verdict.isServed ? 'served' : 'unwanted';
      if (verdict.isServed) {
        trafficOf(connection.process.pid, followed.lastDataNs).hasServed = true;
      }
    },
    wanted(connection) {
      if (connection.stack !== 'plain') {
        const { pid } = connection.process;
        trafficOf(pid, connection.generation).isOfInterest = true;
      }
    },
    isQuiet,
    onlyServes,
    isAsking: (connection) => known(connection)?.firstDirection === 'write',
    connectionsOf: (pid) =>
      [...(processes.get(pid)?.connections.values() ?? [])].map(({ ref }) => ref),
    forget,
    forgetProcess,
  };
}
