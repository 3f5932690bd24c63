/**
 * The events that leave the capture room: everything the analyzer chain knows comes from these, so that a
 * recording of them replays to the same result. Times are nanoseconds of CLOCK_BOOTTIME.
 */

/** A process, told apart from a later one with the same pid by its start time (task start_boottime). */
export interface ProcessRef {
  pid: number;
  startNs: bigint;
}

/** The kind of TLS library a probe belongs to; one kernel program per stack. */
export type TlsStack = 'openssl' | 'boringssl' | 'gnutls' | 'nss' | 'go' | 'rustls' | 'plain';

/** `write`: bytes the process handed to its TLS library; `read`: bytes it got from it. */
export type Direction = 'read' | 'write';

/**
 * Identifies one connection: the address of the process's TLS object, and a generation that tells apart two
 * connections which used the same address one after the other (the boot time of its first captured call).
 */
export interface ConnectionRef {
  process: ProcessRef;
  stack: TlsStack;
  /** User-space address; a multiple of 8 below 2^57, so exact as a double. */
  object: number;
  generation: bigint;
}

/** Plaintext of one TLS call, or of one part of a large call. */
export interface DataEvent {
  type: 'data';
  /** Return of the call. */
  timeNs: bigint;
  /** Entry of the call. */
  enterNs: bigint;
  tid: number;
  connection: ConnectionRef;
  direction: Direction;
  /** Offset of the first byte in this direction's stream, counted from the connection's first captured call. */
  position: number;
  /** Plaintext bytes the whole call carried. */
  callBytes: number;
  /** Offset of this part in the call. */
  callOffset: number;
  /** Per connection and direction, taken before the kernel tries to reserve ring space. */
  sequence: number;
  /** Valid only until `push` returns: whoever keeps bytes copies them. */
  bytes: Uint8Array;
  /**
   * What the compressed ones among the bytes decoded to when they were recorded: the bytes themselves were overwritten.
   * Absent: compressed bytes are there. Present, and without a piece for some: nobody knows what those were.
   */
  decoded?: readonly DecodedPiece[];
}

/**
 * How decoding a piece of a compressed body or message came out. Other than `ok`: the rest of it was not decoded; of the
 * last piece also what was found when the body ended.
 */
export type DecodedOutcome = 'ok' | 'corrupt' | 'limit';

/** A stretch of a stream that was compressed, and what it decoded to, credentials masked. */
export interface DecodedPiece {
  /** Of its first byte in this direction's stream. */
  position: number;
  /** Bytes that it took there. */
  length: number;
  /** May be kept. */
  content: Uint8Array;
  outcome: DecodedOutcome;
}

/**
 * Bytes of a connection that the kernel could not hand over.
 * `ring-full`: no space in the ring; `fault`: the process's memory was not readable; `call-limit`: beyond the
 * largest size copied of one call; `orphan`: the beginning and the end of a call were not both seen; `bad-length`:
 * a call claimed more than its buffer has; `rested`: the probes had
 * been taken away, so that bytes, none or many, may be missing here.
 */
export interface LossEvent {
  type: 'loss';
  timeNs: bigint;
  connection: ConnectionRef;
  direction: Direction;
  position: number;
  /** 0: how many is not known. */
  lostBytes: number;
  reason: LossReason;
}

/**
 * Bytes of a connection that were not copied because a verdict said that nobody wants them. Reported when the
 * verdict's end was reached, before anything else of the connection, and at times within a long skip.
 */
export interface SkipEvent {
  type: 'skip';
  /** Return of the last call that carried some of them. */
  timeNs: bigint;
  connection: ConnectionRef;
  direction: Direction;
  position: number;
  skippedBytes: number;
  /** Calls that carried them, where the kernel has just counted them; not of one HTTP/2 stream. */
  calls?: number;
  /** HTTP/2: the bytes are DATA frames of this stream, and nothing else. */
  frameStream?: number;
  /** HTTP/2: frame headers among the bytes. */
  frameHeaders?: number;
  /** HTTP/2: bytes from their end to the next frame header. */
  frameRemainderBytes?: number;
}

export type LossReason = 'ring-full' | 'fault' | 'call-limit' | 'orphan' | 'bad-length' | 'rested';

/** The TLS object was freed. The final positions uncover a loss at the very end. */
export interface CloseEvent {
  type: 'close';
  timeNs: bigint;
  connection: ConnectionRef;
  readPosition: number;
  writePosition: number;
}

/**
 * Whom a connection is with: its socket was found. Comes once, before or among the connection's first bytes; again
 * when another socket has taken the place of one that was closed.
 */
export interface PeerEvent {
  type: 'peer';
  timeNs: bigint;
  connection: ConnectionRef;
  /** Of the other end, as in RFC 5952; an IPv4 peer of an IPv6 socket by its IPv4 address. */
  address: string;
  port: number;
  localAddress: string;
  localPort: number;
  /**
   * False: the socket was used in a TLS call of the connection. True: the same thread then sent what such a call
   * had encrypted, as its length says.
   */
  isInferred: boolean;
}

/**
 * - `completed`, `failed`: as the library said at the return of a handshake function.
 * - `abandoned`: the connection was given up before either.
 * - `unverified`: beside one of these. The program asked the library about the other side's certificate and was told
 *   what is wrong with it. Some programs go on all the same.
 */
export type HandshakeOutcome = 'completed' | 'failed' | 'abandoned' | 'unverified';

/** Whose number a code is: see `enum sl_code` in bpf/abi/events.h. */
export type HandshakeCodeKind =
  | 'openssl'
  | 'x509'
  | 'gnutls'
  | 'gnutls-status'
  | 'nss'
  | 'alert-sent'
  | 'alert-received'
  | 'boringssl';

export interface HandshakeEvent {
  type: 'handshake';
  timeNs: bigint;
  connection: ConnectionRef;
  /** First call of a handshake function. */
  beginNs: bigint;
  outcome: HandshakeOutcome;
  side?: 'client' | 'server';
  /** Why, where the library gave a reason. Absent together. */
  codeKind?: HandshakeCodeKind;
  code?: number;
}

/** The name of the server that a client asked its library to connect to (server name indication, RFC 6066). */
export interface ServerNameEvent {
  type: 'server-name';
  timeNs: bigint;
  connection: ConnectionRef;
  name: string;
}

export interface ForkEvent {
  type: 'fork';
  timeNs: bigint;
  process: ProcessRef;
  parent: ProcessRef;
}

/** A program started in a process (one process may do this several times). Read in the kernel at exec. */
export interface ExecEvent {
  type: 'exec';
  timeNs: bigint;
  process: ProcessRef;
  parent: ProcessRef;
  /** Absolute path of the executable as its mount namespace names it. */
  executable: string;
  /** Complete unless `argvLostBytes` is above 0. Invalid UTF-8 is replaced by U+FFFD. */
  argv: string[];
  argvLostBytes: number;
  uid: number;
  gid: number;
  cgroupId: bigint;
  comm: string;
  /** The target's own OTEL_SERVICE_NAME, when set. */
  serviceName?: string;
}

export interface ExitEvent {
  type: 'exit';
  timeNs: bigint;
  process: ProcessRef;
  /** The value given to exit(2), absent when a signal ended the process. */
  exitCode?: number;
  signal?: number;
}

/** A process that already ran when observation began, as /proc describes it. */
export interface SnapshotEvent {
  type: 'snapshot';
  timeNs: bigint;
  process: ProcessRef;
  parent: ProcessRef;
  executable: string;
  argv: string[];
  uid: number;
  gid: number;
  comm: string;
  serviceName?: string;
}

/** What user space looked up about a process from files (/proc, /etc/passwd, package.json), when it could. */
export interface DetailsEvent {
  type: 'details';
  timeNs: bigint;
  process: ProcessRef;
  owner?: string;
  containerId?: string;
  podUid?: string;
  /** Name of the npm or Python package that the process's script belongs to. */
  packageName?: string;
  packageVersion?: string;
}

/** First event of every source: the host and how to turn boot time into wall time. */
export interface HostEvent {
  type: 'host';
  timeNs: bigint;
  bootId: string;
  /** Content of /etc/machine-id, when there is one. */
  machineId?: string;
  hostName: string;
  arch: string;
  osDescription: string;
  /** CLOCK_REALTIME minus CLOCK_BOOTTIME. */
  clockOffsetNs: bigint;
}

/** Time passed. Timeouts are judged on these and on the other events' times, never on a clock. */
export interface TickEvent {
  type: 'tick';
  timeNs: bigint;
}

/** Kernel drop counters grew by this much since the last such event. */
export interface DropsEvent {
  type: 'drops';
  timeNs: bigint;
  /** Reason, as in `bpf/abi/events.h`, → records dropped. */
  records: Record<string, number>;
  bytes: number;
}

/** Last event of every source: whatever is open now stays unfinished. */
export interface EndEvent {
  type: 'end';
  timeNs: bigint;
}

export type CaptureEvent =
  | DataEvent
  | LossEvent
  | SkipEvent
  | CloseEvent
  | PeerEvent
  | HandshakeEvent
  | ServerNameEvent
  | ForkEvent
  | ExecEvent
  | ExitEvent
  | SnapshotEvent
  | DetailsEvent
  | HostEvent
  | TickEvent
  | DropsEvent
  | EndEvent;
