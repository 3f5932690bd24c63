/** What a live capture needs of the room that knows where TLS libraries are (src/targets/). */
import type { AttachRequest, LocatedBy, LocatedStack } from './binding.ts';
import type { TlsStack } from './events.ts';
import type { RestLevel } from './traffic-watch.ts';

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
  /** Processes whose probes were taken away say so before they have a new connection. */
  readonly canRest?: boolean;
  attach(request: AttachRequest): number;
  detach(id: number): void;
  /** See `NativeCapture`. */
  setRest(id: number, rest: RestLevel | 'nothing'): boolean;
  setResting(pid: number, isResting: boolean): void;
  /** See `NativeBinding`. */
  findUsers(inodes: readonly bigint[]): Promise<number[][]>;
  setFileKnown(file: Uint8Array, isKnown: boolean): void;
}

/**
 * Why probes are put back: the process connects to another host or forks (`connect`), or was seen to send something
 * (`traffic`); another process began to use the file (`user`); nobody uses it any more (`exit`); they could not be taken
 * away (`failed`); the kernel had no room to report something, which may have been one of these (`lost`).
 */
export type WakeReason = 'connect' | 'traffic' | 'user' | 'exit' | 'failed' | 'lost';

export interface RestOptions {
  /** Nothing that is known of this process would be missed. */
  isQuiet(pid: number, timeNs: bigint): boolean;
  /** And it was seen to do nothing but answer. */
  onlyServes(pid: number, timeNs: bigint): boolean;
  onRest(file: TargetFile, level: RestLevel, pids: readonly number[]): void;
  /** The probes of these processes are about to be put back. */
  beforeWake(pids: readonly number[], level: RestLevel): void;
  /** They are back, also for who began to use the file just now, `lateNs` after what called for them. */
  onWake(file: TargetFile, reason: WakeReason, pids: readonly number[], lateNs: bigint): void;
}

/** Takes probes away where there is nothing to see. */
export interface ProbeRest {
  /** Until this is called, nothing rests. */
  follow(options: RestOptions): void;
  /** Nothing is changed any more. */
  stop(): void;
  /** There is nothing to see in this process: takes away what no other process needs of its probes. */
  begin(pid: number, level: RestLevel): void;
  /** Puts back every probe of the files that the process uses, because of something at `timeNs` (boot clock). */
  wake(pid: number, reason: WakeReason, timeNs: bigint): void;
  wakeAll(reason: WakeReason, timeNs: bigint): void;
  /** A process runs code of this file. False: it is none that the file rests for, or the file does not rest. */
  mapped(pid: number, inode: bigint, timeNs: bigint): boolean;
  exited(pid: number, timeNs: bigint): void;
  /** The mappings of this file are not reported any more. */
  fileKnown(inode: bigint, key: Uint8Array): void;
  /** Files that rest, or may in a moment. */
  readonly count: number;
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
  /** Absent where probes stay as long as the capture runs. */
  readonly rest?: ProbeRest | undefined;
  /** Ends what is scheduled. Probes are removed by the capture itself. */
  stop(): void;
}
