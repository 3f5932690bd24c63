/** The native addon: its typed surface, and the one place that loads it. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { ExitCode, SightlineError } from '../util/errors.ts';
import type { ConnectionRef, TlsStack } from './events.ts';
import type { RestLevel } from './traffic-watch.ts';
import type { ConnectionVerdict } from './verdict.ts';

/**
 * What a process's traffic and lifecycle is worth to the kernel side.
 * - `watched`: seen, with all its descendants.
 * - `excluded`: not seen; its children have the default. `tree-excluded`: nor are its descendants.
 * - `unwanted`: not seen until it starts another program than the one that was judged.
 */
export type ProcessPolicy = 'default' | 'watched' | 'excluded' | 'tree-excluded' | 'unwanted';

export interface NativeCaptureOptions {
  /** Size of the kernel ring: a power of two, at least 64 KiB. */
  ringBytes: number;
  /** True: every process is watched unless excluded. False: only watched ones and their descendants. */
  watchAll: boolean;
  /**
   * Of what is not watched, each program that starts is reported, and its process seen until `setProcess` says whether
   * it is wanted. Default: false.
   */
  judgesPrograms?: boolean;
  /** The names that programs give themselves are reported. Default: false. */
  judgesNames?: boolean;
  /**
   * Called on the JavaScript thread with whole records back to back (layout: `bpf/abi/events.h`). The memory is
   * reused after it returns. While it is busy, a bounded number of slabs queue up; then the ring fills, and the
   * kernel drops and counts.
   */
  onSlab(slab: Buffer): void;
  /**
   * `auto` (the default): one link holds all places of a file where the kernel can (Linux 6.6), which ends ten
   * times as fast. `single`: a link for each place, as on older kernels.
   */
  probeLinks?: 'auto' | 'single';
  /** Executable mappings of unknown files are reported, where the kernel can. Default: false. */
  mappings?: boolean;
  /** Socket calls that carry unencrypted HTTP are captured, where the kernel can. Default: false. */
  plain?: boolean;
  /**
   * The programs of every TLS stack are loaded in the background, which takes the kernel about a second. Default:
   * false, each when the first file with its stack is attached to.
   */
  loadAhead?: boolean;
  /** A line of libbpf's log; level 0 warning, 1 info, 2 debug. */
  onLog(level: number, line: string): void;
}

export interface AttachRequest {
  stack: TlsStack;
  /** File whose inode gets the probes; may be a /proc/PID/root path. */
  path: string;
  /**
   * Function name → file offset of the instruction to probe. `probedFunctions()` lists the names; where a file has
   * several functions of one kind, `#` and a number behind the name tell them apart.
   */
  offsets: Record<string, number>;
  /** Function name → file offsets of all its return instructions: needed for Go, where no return address may change. */
  returns?: Record<string, readonly number[]>;
  /** Function name → where its result is known before some of these; used where the kernel tells programs apart by place. */
  results?: Record<string, readonly ResultPlace[]>;
  /** Function name → places through which all its calls come, probed instead of `offsets`; used in the same case. */
  entries?: Record<string, readonly EntryPlace[]>;
  /** How arguments are passed, where that is not one way for the whole stack: Go before and since 1.17. */
  convention?: 'go-register' | 'go-stack';
}

export interface NativeCounters {
  /** Records and bytes the kernel put on the ring. */
  records: number;
  bytes: number;
  /** Dropped records by reason, names as in the ABI header's enum, lower case without prefix. */
  drops: Record<string, number>;
  droppedBytes: number;
  /** How probes are attached: see `NativeCaptureOptions.probeLinks`. */
  probeLinks: 'multi' | 'single';
  ringBytes: number;
  ringPendingBytes: number;
}

/** What not every kernel can do. */
export interface NativeFeatures {
  /** Executable mappings are reported as they are made. */
  mappings: boolean;
  /** Plain HTTP is captured; never true unless asked for. */
  plain: boolean;
  /** Processes that rest are reported: `setResting`. */
  resting: boolean;
  /** Why something that was wanted is missing; empty when nothing is. */
  missing: string;
}

export interface NativeCapture {
  /** Attaches to one file; every error is a SightlineError-shaped Error with `code` and a one-line message. */
  attach(request: AttachRequest): number;
  detach(id: number): void;
  /** `execId`: with `unwanted`, the program that was judged. */
  setProcess(pid: number, policy: ProcessPolicy, execId?: bigint): void;
  /** Two map operations: cheap enough for every response. Of an unknown connection it changes nothing. */
  setVerdict(connection: ConnectionRef, verdict: ConnectionVerdict): void;
  /** `file` is that of a mapping record, whose file is not reported again, or is from now on. */
  setFileKnown(file: Uint8Array, isKnown: boolean): void;
  /**
   * Takes probes of one attachment away, or puts them back: then they are in place when it returns, which may take a tenth of a
   * second if they were taken away just before. Returns whether any of its probes rests now.
   */
  setRest(id: number, rest: RestLevel | 'nothing'): boolean;
  /** A process that rests is reported when it connects to a host or forks: see `RecordDecoderOptions.onWake`. */
  setResting(pid: number, isResting: boolean): void;
  /** The next call on this TLS object begins another connection. */
  forgetConnection(pid: number, object: number): void;
  features(): NativeFeatures;
  counters(): NativeCounters;
  /** Detaches, then hands over, synchronously through onSlab, all that the ring still holds; frees everything. */
  close(): void;
}

export interface LocatedSymbols {
  buildId: string | undefined;
  /** Symbol → file offset; names that the file does not define as functions are absent. */
  offsets: Record<string, number>;
}

/** What tells one file from another, and one state of it from a later one. */
export interface FileIdentity {
  /** Raised when the same file may be judged differently than before. */
  locatorsRevision: number;
  /** Lower-case hex. */
  buildId: string | undefined;
  sizeBytes: number;
  /** Of the ELF and program headers. */
  layoutDigest: bigint;
  /** User id. */
  owner: number;
  device: bigint;
  inode: bigint;
  modifiedNs: bigint;
}

/** One function, and where to probe it. */
export interface LocatedFunction {
  /** As in `probedFunctions()`, with `#` and a number where a file has several of one kind. */
  name: string;
  /** The documented function whose arguments and result it has; another one's for an internal function. */
  signature: string;
  /** Documented functions whose calls all come through it, when those are not just its own. */
  covers: string[];
  /** File offset of the function's first instruction. */
  functionOffset: number;
  /** File offset of the instruction to probe. */
  offset: number;
  chosen: 'entry' | 'after-endbr64' | 'past-start' | 'internal';
  why: string;
  /** The instruction to probe, in Intel's notation; undefined where this machine's code is not decoded. */
  instruction: string | undefined;
  /** The kernel emulates the instruction instead of single-stepping it: ten to twenty times as cheap. */
  isEmulated: boolean;
  /** At that instruction the return address is on top of the stack, and may be replaced. */
  canReturnProbe: boolean;
  /** File offsets of all its return instructions, where those are to be probed (Go). */
  returns: number[];
  /** Emulated instructions at which the result is known, before returns that then need no probe. */
  results: ResultPlace[];
  /**
   * Emulated instructions through which all calls come that may succeed, where the function's beginning would be
   * single-stepped. `returns` are then those behind the ones that cannot have a return probe.
   */
  entries: EntryPlace[];
  /** Why the returns are probed so; undefined where they are not instructions. */
  returnsWhy?: string | undefined;
}

/** An instruction at which a kernel program is told where it finds what it looks for. */
interface KnownPlace {
  /** Its file offset. */
  offset: number;
  /** bpf/abi/place.h. */
  cookie: number;
  instruction: string;
  /** The same in words. */
  value: string;
}

/** An instruction at which a function's arguments are in known registers. */
export interface EntryPlace extends KnownPlace {
  /** The return address is on top of the stack there, and is probed. */
  canReturnProbe: boolean;
}

/** An instruction at which a function's result is known. */
export interface ResultPlace extends KnownPlace {
  /** File offsets of the return instructions behind it, which are reached only through it. */
  covers: number[];
}

export interface LocatedStack {
  stack: TlsStack;
  /** As the file says it. */
  version: string | undefined;
  locatedBy: LocatedBy;
  convention: 'sysv' | 'go-register' | 'go-stack' | 'rust';
  functions: LocatedFunction[];
  /** One line: what was found that makes it so. */
  evidence: string;
}

/**
 * - `symbol`: by name. `pclntab`: by name, in Go's own table.
 * - `error-calls`: by the set of errors that a function reports (BoringSSL).
 * - `function-names`, `function-numbers`: by what a function calls itself in its errors (OpenSSL 3, 1.1).
 * - `panic-locations`: by the source lines that a function may panic at (rustls).
 */
export type LocatedBy =
  | 'symbol'
  | 'pclntab'
  | 'error-calls'
  | 'function-names'
  | 'function-numbers'
  | 'panic-locations';

/** A stack that is in the file, but not clearly enough; no `stack`: the file as a whole. */
export interface LocateRefusal {
  stack: TlsStack | undefined;
  reason: string;
}

export interface NativeLocations {
  identity: FileIdentity;
  stacks: LocatedStack[];
  refusals: LocateRefusal[];
  /** False when a limit was reached, or the file changed meanwhile: another search may find more. */
  isComplete: boolean;
}

export interface LocateOptions {
  /** After this the search is given up with a refusal; default 5000. */
  timeMs?: number;
}

export interface NativeBinding {
  open(options: NativeCaptureOptions): NativeCapture;
  /** Reads .dynsym and .symtab of an ELF file. Throws an Error with `code` SL_ELF_… on anything malformed. */
  locateSymbols(path: string, names: readonly string[]): LocatedSymbols;
  /** Reads the headers only. Throws as `locateSymbols`. */
  identify(path: string): FileIdentity;
  /** Finds the functions of every TLS stack in a file, on a thread of its own. Rejects with what `locateSymbols` throws. */
  locate(path: string, options?: LocateOptions): Promise<NativeLocations>;
  /** The same on the calling thread: up to a third of a second for a file of 300 MB. */
  locateSync(path: string, options?: LocateOptions): NativeLocations;
  /** Processes of this host that run code of the files with these inodes, for each; looks on a thread of its own. */
  findUsers(inodes: readonly bigint[]): Promise<number[][]>;
  /**
   * TLS stack → names of the functions that there are probes for, as their documentation has them. Beside those:
   * - openssl: `ssl_read_internal`, `ssl_write_internal` and, with flags before the count (3.3), `ssl_write_internal_flags`,
   *   which the documented ones call. One of them stands for all that it is called by: probe it or those, not both.
   * - nss: NSPR's functions and `SSL_ImportFD`, which may be in different files.
   */
  probedFunctions(): Record<TlsStack, string[]>;
  /** Constants, record sizes and field offsets of the ABI header, for the decoder and its contract test. */
  abi(): Record<string, number>;
}

let loaded: NativeBinding | undefined;

/** Loads the addon. Throws SL_ADDON_MISSING when it is not built or does not load here. */
export function loadBinding(): NativeBinding {
  if (loaded) {
    return loaded;
  }
  const path = fileURLToPath(new URL('../../build/Release/sightline.node', import.meta.url));
  try {
    loaded = createRequire(import.meta.url)(path) as NativeBinding;
    return loaded;
  } catch (cause) {
    throw new SightlineError(
      'SL_ADDON_MISSING',
      `the native addon cannot be loaded from ${path}: run "npm run setup" to build it (${firstLine(cause)})`,
      { exitCode: ExitCode.captureImpossible, cause },
    );
  }
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n', 1)[0] ?? '';
}
