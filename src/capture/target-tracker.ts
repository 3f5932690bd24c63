/** What a live capture needs of the room that knows where TLS libraries are (src/targets/). */
import type { AttachRequest, LocatedBy, LocatedStack } from './binding.ts';
import type { TlsStack } from './events.ts';

/**
 * - `attached`: its probes are in place.
 * - `attachable`: they could be; nothing captures at the moment.
 * - `searching`: its search goes on, on another thread.
 * - `no-tls`: it defines no function of a known TLS stack.
 * - `refused`: it has some of them, but not what is needed to follow a connection, or a limit was reached.
 * - `failed`: the kernel did not take the probes, or the file could not be read.
 */
export type TargetVerdict =
  | 'attached'
  | 'attachable'
  | 'searching'
  | 'no-tls'
  | 'refused'
  | 'failed';

/** One executable or library, by inode, and what came of it. */
export interface TargetFile {
  /** Where it was first found; may go through /proc/PID/root for a container's file. */
  path: string;
  device: bigint;
  inode: bigint;
  verdict: TargetVerdict;
  /** One line: why. */
  reason: string;
  /** The TLS stacks in it that can be followed. */
  stacks?: TlsStack[];
  buildId?: string;
  /** How the functions were located, and which were. */
  locatedBy?: LocatedBy[];
  functions?: string[];
  /** Each of its stacks with the functions that are probed: at which instruction, and why at that one. */
  located?: readonly LocatedStack[];
}

export interface AttachPort {
  /** Executable mappings are told of by `mapped`: nobody need look again for them. */
  readonly reportsMappings?: boolean;
  attach(request: AttachRequest): number;
  detach(id: number): void;
}

export interface TargetTracker {
  /** Attaches to what later programs will use: system libraries, runtimes on the PATH. */
  begin(port: AttachPort): void;
  /** Examines a running process's executable and mapped libraries, now. */
  examine(pid: number): void;
  /**
   * A process started a program, at `timeNs` (boot clock): examines the executable now, and its libraries as they
   * get mapped.
   */
  executed(pid: number, timeNs: bigint): void;
  /**
   * A process maps a file to run code from it, at `timeNs` (boot clock). `onFound` is called once the file was truly looked at, now or a
   * few milliseconds later: the mapping is reported just before it is there.
   */
  mapped(pid: number, inode: bigint, timeNs: bigint, onFound: () => void): void;
  /** Examines a file that is about to be run, so that it is covered from its first instruction. */
  examineFile(path: string): TargetFile | undefined;
  /** Resolves when all files found by now have been searched. */
  settled(): Promise<void>;
  /** Every file with TLS in it that was found, and why others of interest were refused. */
  discoveries(): TargetFile[];
  /** Ends what is scheduled. Probes are removed by the capture itself. */
  stop(): void;
}
