/**
 * Keeps one ProcessRef per process, whether /proc or the kernel told of it first.
 *
 * /proc knows the start of a process in ticks of 10 ms, the kernel in nanoseconds, and nothing in /proc tells the
 * nanoseconds. A process found in /proc is therefore given its tick as start time, and when the kernel first
 * speaks of that pid with a start time that falls into the same tick, the two are the same process: for another
 * one the pid would have to be reused within 10 ms, while the kernel hands out pids in turn through the whole pid
 * space. From then on every reference of the kernel's to it is replaced by the one handed out first, so that
 * events, recordings and derived ids know one identity.
 */
import type { ConnectionRef, ProcessRef } from './events.ts';
import { TICK_NS } from './proc-stat.ts';

interface Known {
  ref: ProcessRef;
  isFromProc: boolean;
  /** The kernel's start time, once it was seen. */
  exactNs: bigint | undefined;
  /** Replacements of its connections' references, by TLS object, so that one is made per connection. */
  connections: Map<number, ConnectionRef> | undefined;
}

/** Connections of one process whose replaced reference is kept; beyond it one is made per event. */
const MAX_KEPT_CONNECTIONS = 4096;

export interface ProcessIdentities {
  /** Processes found in /proc and not known to be gone. */
  readonly size: number;
  /** The reference of a process found in /proc; the kernel's own one when the kernel spoke of it before. */
  fromProc(pid: number, startTicks: bigint): ProcessRef;
  /** Remembers the kernel's reference of a process that began under observation. */
  fromKernel(ref: ProcessRef): void;
  /** True when /proc told of this process before the kernel did. */
  isFromProc(ref: ProcessRef): boolean;
  /** The reference handed out for the process that the kernel calls `ref`. */
  resolve(ref: ProcessRef): ProcessRef;
  /** The same for a connection. */
  resolveConnection(ref: ConnectionRef): ConnectionRef;
  /** The process is gone; its pid may be another's soon. */
  forget(ref: ProcessRef): void;
}

export function createProcessIdentities(): ProcessIdentities {
  const known = new Map<number, Known>();

  function lookUp(ref: ProcessRef): Known | undefined {
    const entry = known.get(ref.pid);
    if (!entry) {
      return undefined;
    }
    if (entry.exactNs === undefined) {
      if (ref.startNs / TICK_NS !== entry.ref.startNs / TICK_NS) {
        return undefined;
      }
      entry.exactNs = ref.startNs;
      return entry;
    }
    return entry.exactNs === ref.startNs || entry.ref.startNs === ref.startNs ? entry : undefined;
  }

  return {
    get size() {
      return known.size;
    },
    fromProc(pid, startTicks) {
      const entry = known.get(pid);
      if (entry && entry.ref.startNs / TICK_NS === startTicks) {
        return entry.ref;
      }
      const ref = { pid, startNs: startTicks * TICK_NS };
      known.set(pid, { ref, isFromProc: true, exactNs: undefined, connections: undefined });
      return ref;
    },
    fromKernel(ref) {
      if (!lookUp(ref)) {
        known.set(ref.pid, {
          ref,
          isFromProc: false,
          exactNs: ref.startNs,
          connections: undefined,
        });
      }
    },
    isFromProc(ref) {
      return lookUp(ref)?.isFromProc === true;
    },
    resolve(ref) {
      return lookUp(ref)?.ref ?? ref;
    },
    resolveConnection(ref) {
      const entry = lookUp(ref.process);
      if (!entry || entry.ref.startNs === ref.process.startNs) {
        return ref;
      }
      const kept = entry.connections?.get(ref.object);
      if (kept && kept.generation === ref.generation && kept.stack === ref.stack) {
        return kept;
      }
      const replaced = { ...ref, process: entry.ref };
      entry.connections ??= new Map();
      if (entry.connections.size < MAX_KEPT_CONNECTIONS || kept) {
        entry.connections.set(ref.object, replaced);
      }
      return replaced;
    },
    forget(ref) {
      if (lookUp(ref)) {
        known.delete(ref.pid);
      }
    },
  };
}
