/**
 * Decodes the kernel's binary records into capture events. The layout is that of `bpf/abi/events.h`, repeated here as
 * offsets; `test/contract/abi.test.ts` compares them with what the compiler made of the header.
 */
import { isIP } from 'node:net';
import type {
  CaptureEvent,
  ConnectionRef,
  Direction,
  ExecEvent,
  HandshakeCodeKind,
  HandshakeOutcome,
  LossReason,
  ProcessRef,
  TlsStack,
} from './events.ts';
import { ipAddressText } from './ip-address.ts';

/** Offsets and constants of the ABI header, under the names by which the addon's `abi()` reports them. */
export const KERNEL_ABI = {
  SL_ABI_VERSION: 7,
  SL_CHUNK_MAX: 65536,
  SL_CALL_MAX: 4194304,
  SL_ARGV_MAX: 524288,
  SL_COMM_BYTES: 16,
  SL_SERVICE_NAME_MAX: 256,
  SL_PATH_MAX: 4096,
  SL_RECORD_DATA: 1,
  SL_RECORD_LOSS: 2,
  SL_RECORD_CLOSE: 3,
  SL_RECORD_FORK: 4,
  SL_RECORD_ARGV: 5,
  SL_RECORD_EXEC: 6,
  SL_RECORD_EXIT: 7,
  SL_RECORD_SKIP: 8,
  SL_RECORD_MAPPING: 9,
  SL_RECORD_PEER: 10,
  SL_RECORD_HANDSHAKE: 11,
  SL_RECORD_SERVER_NAME: 12,
  SL_RECORD_RENAME: 13,
  SL_RECORD_WAKE: 14,
  SL_SIDE_UNKNOWN: 0,
  SL_SIDE_CLIENT: 1,
  SL_SIDE_SERVER: 2,
  SL_HANDSHAKE_COMPLETED: 1,
  SL_HANDSHAKE_FAILED: 2,
  SL_HANDSHAKE_ABANDONED: 3,
  SL_HANDSHAKE_UNVERIFIED: 4,
  SL_CODE_NONE: 0,
  SL_CODE_OPENSSL: 1,
  SL_CODE_X509: 2,
  SL_CODE_GNUTLS: 3,
  SL_CODE_GNUTLS_STATUS: 4,
  SL_CODE_NSS: 5,
  SL_CODE_ALERT_SENT: 6,
  SL_CODE_ALERT_RECEIVED: 7,
  SL_CODE_BORINGSSL: 8,
  SL_SERVER_NAME_MAX: 256,
  SL_DIRECTION_READ: 0,
  SL_DIRECTION_WRITE: 1,
  SL_STACK_OPENSSL: 1,
  SL_STACK_BORINGSSL: 2,
  SL_STACK_GNUTLS: 3,
  SL_STACK_NSS: 4,
  SL_STACK_GO: 5,
  SL_STACK_RUSTLS: 6,
  SL_STACK_PLAIN: 7,
  SL_DROP_COUNT: 11,
  SL_EXEC_PATH_CUT: 1,
  SL_EXEC_ENVIRONMENT_CUT: 2,

  'sizeof.sl_record_header': 8,
  'sl_record_header.size': 0,
  'sl_record_header.kind': 4,
  'sl_record_header.flags': 6,

  'sizeof.sl_process': 16,
  'sl_process.start_ns': 0,
  'sl_process.pid': 8,
  'sl_process.tid': 12,

  'sizeof.sl_stream_record': 104,
  'sl_stream_record.time_ns': 8,
  'sl_stream_record.enter_ns': 16,
  'sl_stream_record.process': 24,
  'sl_stream_record.object': 40,
  'sl_stream_record.generation': 48,
  'sl_stream_record.position': 56,
  'sl_stream_record.sequence': 64,
  'sl_stream_record.call_bytes': 72,
  'sl_stream_record.call_offset': 80,
  'sl_stream_record.bytes': 88,
  'sl_stream_record.direction': 96,
  'sl_stream_record.stack': 97,
  'sl_stream_record.reason': 98,
  'sl_stream_record.frame_stream': 100,

  'sizeof.sl_close_record': 72,
  'sl_close_record.time_ns': 8,
  'sl_close_record.process': 16,
  'sl_close_record.object': 32,
  'sl_close_record.generation': 40,
  'sl_close_record.read_position': 48,
  'sl_close_record.write_position': 56,
  'sl_close_record.stack': 64,

  'sizeof.sl_peer_record': 88,
  'sl_peer_record.time_ns': 8,
  'sl_peer_record.process': 16,
  'sl_peer_record.object': 32,
  'sl_peer_record.generation': 40,
  'sl_peer_record.address': 48,
  'sl_peer_record.local_address': 64,
  'sl_peer_record.port': 80,
  'sl_peer_record.local_port': 82,
  'sl_peer_record.ip_version': 84,
  'sl_peer_record.stack': 85,
  'sl_peer_record.is_inferred': 86,

  'sizeof.sl_handshake_record': 64,
  'sl_handshake_record.time_ns': 8,
  'sl_handshake_record.begin_ns': 16,
  'sl_handshake_record.process': 24,
  'sl_handshake_record.object': 40,
  'sl_handshake_record.generation': 48,
  'sl_handshake_record.code': 56,
  'sl_handshake_record.code_kind': 60,
  'sl_handshake_record.outcome': 61,
  'sl_handshake_record.side': 62,
  'sl_handshake_record.stack': 63,

  'sizeof.sl_server_name_record': 312,
  'sl_server_name_record.time_ns': 8,
  'sl_server_name_record.process': 16,
  'sl_server_name_record.object': 32,
  'sl_server_name_record.generation': 40,
  'sl_server_name_record.name_bytes': 48,
  'sl_server_name_record.stack': 50,
  'sl_server_name_record.name': 56,

  'sizeof.sl_fork_record': 48,
  'sl_fork_record.time_ns': 8,
  'sl_fork_record.process': 16,
  'sl_fork_record.parent': 32,

  'sizeof.sl_file': 24,
  'sl_file.inode': 0,
  'sl_file.bytes': 8,
  'sl_file.device': 16,
  'sl_file.generation': 20,

  'sizeof.sl_rename_record': 56,
  'sl_rename_record.time_ns': 8,
  'sl_rename_record.process': 16,
  'sl_rename_record.exec_id': 32,
  'sl_rename_record.comm': 40,

  'sizeof.sl_mapping_record': 56,
  'sl_mapping_record.time_ns': 8,
  'sl_mapping_record.process': 16,
  'sl_mapping_record.file': 32,

  'sizeof.sl_wake_record': 32,
  'sl_wake_record.time_ns': 8,
  'sl_wake_record.process': 16,

  'sizeof.sl_exit_record': 40,
  'sl_exit_record.time_ns': 8,
  'sl_exit_record.process': 16,
  'sl_exit_record.code': 32,
  'sl_exit_record.signal': 36,

  'sizeof.sl_argv_record': 48,
  'sl_argv_record.time_ns': 8,
  'sl_argv_record.process': 16,
  'sl_argv_record.offset': 32,
  'sl_argv_record.bytes': 40,

  'sizeof.sl_exec_record': 4712,
  'sl_exec_record.time_ns': 8,
  'sl_exec_record.process': 16,
  'sl_exec_record.parent': 32,
  'sl_exec_record.cgroup_id': 48,
  'sl_exec_record.argv_bytes': 56,
  'sl_exec_record.exec_id': 64,
  'sl_exec_record.uid': 72,
  'sl_exec_record.gid': 76,
  'sl_exec_record.service_name_bytes': 80,
  'sl_exec_record.path_bytes': 84,
  'sl_exec_record.comm': 88,
  'sl_exec_record.service_name': 104,
  'sl_exec_record.path': 360,

  'drop.ring_full': 1,
  'drop.fault': 2,
  'drop.call_limit': 3,
  'drop.control': 4,
  'drop.argv': 5,
  'drop.orphan': 6,
  'drop.table': 7,
  'drop.bad_length': 8,
  'drop.layout': 9,
  'drop.sequence': 10,
} as const;

/** Connections whose `ConnectionRef` is kept to be handed out again. More are decoded as well, with fresh ones. */
export const DEFAULT_MAX_CACHED_CONNECTIONS = 8192;
/** Argument bytes kept of execs whose own record has not come yet, over all processes. */
export const DEFAULT_MAX_PENDING_ARGV_BYTES = 4 * 1024 * 1024;

export type MalformedReason = 'size' | 'kind' | 'field';

/** A record that contradicts the ABI. After reason `size` the rest of its slab is skipped: where it goes on is unknown. */
export interface MalformedRecord {
  reason: MalformedReason;
  /** As the record says; -1 when not even that is there. */
  kind: number;
  skippedBytes: number;
}

/** A file that is about to be mapped executable. */
export interface MappedFile {
  timeNs: bigint;
  pid: number;
  inode: bigint;
  /** For `setFileKnown`. */
  key: Uint8Array;
}

/** A process that has just been given another name, by itself. */
export interface RenamedProcess {
  process: ProcessRef;
  comm: string;
  /** The kernel's number of the program in its process. */
  execId: bigint;
}

export interface RecordDecoderOptions {
  onEvent(event: CaptureEvent): void;
  onMalformed(record: MalformedRecord): void;
  /** A process maps a file that is not known, to run code from it. No event: it says nothing of what is observed. */
  onMapping?(mapping: MappedFile): void;
  /** No event either: it decides over what is observed. */
  onRename?(renamed: RenamedProcess): void;
  /** A process that rests (`setResting`) connects to a host, or forks. */
  onWake?(pid: number, timeNs: bigint): void;
  /** Gets exec events instead of `onEvent`, with the kernel's number of the program in its process. */
  onProgram?(event: ExecEvent, execId: bigint): void;
  maxCachedConnections?: number;
  maxPendingArgvBytes?: number;
}

export interface RecordDecoder {
  /** Decodes whole records, back to back, each padded to 8 bytes. Payloads in events are views into `slab`. */
  push(slab: Uint8Array): void;
}

interface CachedConnection {
  ref: ConnectionRef;
  pid: number;
  startLow: number;
  startHigh: number;
  generationLow: number;
  generationHigh: number;
}

/** Arguments of one exec, in order, until its exec record comes. */
interface PendingArgv {
  timeNs: bigint;
  parts: Uint8Array[];
  bytes: number;
}

const abi = KERNEL_ABI;
const HEADER_BYTES = abi['sizeof.sl_record_header'];
const HIGH = 2 ** 32;
const ADDRESS_BYTES = 16;

/** By the kernel's numbers for them. */
const OUTCOMES: readonly (HandshakeOutcome | undefined)[] = [
  undefined,
  'completed',
  'failed',
  'abandoned',
  'unverified',
];
const SIDES = [undefined, 'client', 'server'] as const;
const CODE_KINDS: readonly (HandshakeCodeKind | undefined)[] = [
  undefined,
  'openssl',
  'x509',
  'gnutls',
  'gnutls-status',
  'nss',
  'alert-sent',
  'alert-received',
  'boringssl',
];

/** By the kernel's number for it. */
const STACKS: readonly (TlsStack | undefined)[] = [
  undefined,
  'openssl',
  'boringssl',
  'gnutls',
  'nss',
  'go',
  'rustls',
  'plain',
];
const NOTHING = new Uint8Array(0);

/** One decoder belongs to one ring: it joins records that follow one another. */
export function createRecordDecoder(options: RecordDecoderOptions): RecordDecoder {
  const maxCachedConnections = options.maxCachedConnections ?? DEFAULT_MAX_CACHED_CONNECTIONS;
  const maxPendingArgvBytes = options.maxPendingArgvBytes ?? DEFAULT_MAX_PENDING_ARGV_BYTES;
  const { onEvent, onProgram, onMalformed } = options;
  const connections = new Map<number, CachedConnection>();
  const pendingArgv = new Map<number, PendingArgv>();
  let pendingArgvBytes = 0;
  let bytes: Uint8Array = NOTHING;
  let view: DataView = new DataView(new ArrayBuffer(0));

  /** Exact up to 2^53, which no stream position or user-space address reaches. */
  function readNumber(at: number): number {
    return view.getUint32(at, true) + view.getUint32(at + 4, true) * HIGH;
  }

  function readTime(at: number): bigint {
    return view.getBigUint64(at, true);
  }

  function readProcess(at: number): ProcessRef {
    return {
      pid: view.getUint32(at + abi['sl_process.pid'], true),
      startNs: readTime(at + abi['sl_process.start_ns']),
    };
  }

  /** The same object for the same connection, as long as it is cached. */
  function readConnection(
    processAt: number,
    objectAt: number,
    generationAt: number,
    stack: TlsStack,
  ): ConnectionRef {
    const object = readNumber(objectAt);
    const startAt = processAt + abi['sl_process.start_ns'];
    const pid = view.getUint32(processAt + abi['sl_process.pid'], true);
    const startLow = view.getUint32(startAt, true);
    const startHigh = view.getUint32(startAt + 4, true);
    const generationLow = view.getUint32(generationAt, true);
    const generationHigh = view.getUint32(generationAt + 4, true);
    const cached = connections.get(object);
    if (
      cached !== undefined &&
      cached.pid === pid &&
      cached.generationLow === generationLow &&
      cached.generationHigh === generationHigh &&
      cached.startLow === startLow &&
      cached.startHigh === startHigh
    ) {
      return cached.ref;
    }
    const ref: ConnectionRef = {
      process: readProcess(processAt),
      stack,
      object,
      generation: readTime(generationAt),
    };
    if (connections.size >= maxCachedConnections) {
      connections.clear();
    }
    connections.set(object, { ref, pid, startLow, startHigh, generationLow, generationHigh });
    return ref;
  }

  function decodeStream(at: number, size: number, kind: number): boolean {
    const payloadAt = at + abi['sizeof.sl_stream_record'];
    const directionCode = view.getUint8(at + abi['sl_stream_record.direction']);
    const stack = STACKS[view.getUint8(at + abi['sl_stream_record.stack'])];
    const count = readNumber(at + abi['sl_stream_record.bytes']);
    if (directionCode > abi.SL_DIRECTION_WRITE || stack === undefined) {
      return false;
    }
    const direction: Direction = directionCode === abi.SL_DIRECTION_READ ? 'read' : 'write';
    const connection = readConnection(
      at + abi['sl_stream_record.process'],
      at + abi['sl_stream_record.object'],
      at + abi['sl_stream_record.generation'],
      stack,
    );
    if (kind === abi.SL_RECORD_SKIP) {
      const frameStream = view.getUint32(at + abi['sl_stream_record.frame_stream'], true);
      onEvent({
        type: 'skip',
        timeNs: readTime(at + abi['sl_stream_record.time_ns']),
        connection,
        direction,
        position: readNumber(at + abi['sl_stream_record.position']),
        skippedBytes: count,
        ...(frameStream === 0
          ? { calls: readNumber(at + abi['sl_stream_record.call_offset']) }
          : {
              frameStream,
              frameHeaders: readNumber(at + abi['sl_stream_record.call_offset']),
              frameRemainderBytes: readNumber(at + abi['sl_stream_record.call_bytes']),
            }),
      });
      return true;
    }
    if (kind === abi.SL_RECORD_LOSS) {
      const reason = lossReason(view.getUint8(at + abi['sl_stream_record.reason']));
      if (reason === undefined) {
        return false;
      }
      onEvent({
        type: 'loss',
        timeNs: readTime(at + abi['sl_stream_record.time_ns']),
        connection,
        direction,
        position: readNumber(at + abi['sl_stream_record.position']),
        lostBytes: count,
        reason,
      });
      return true;
    }
    if (abi['sizeof.sl_stream_record'] + count !== size) {
      return false;
    }
    onEvent({
      type: 'data',
      timeNs: readTime(at + abi['sl_stream_record.time_ns']),
      enterNs: readTime(at + abi['sl_stream_record.enter_ns']),
      tid: view.getUint32(at + abi['sl_stream_record.process'] + abi['sl_process.tid'], true),
      connection,
      direction,
      position: readNumber(at + abi['sl_stream_record.position']),
      callBytes: readNumber(at + abi['sl_stream_record.call_bytes']),
      callOffset: readNumber(at + abi['sl_stream_record.call_offset']),
      sequence: readNumber(at + abi['sl_stream_record.sequence']),
      bytes: bytes.subarray(payloadAt, payloadAt + count),
    });
    return true;
  }

  function decodeClose(at: number): boolean {
    const stack = STACKS[view.getUint8(at + abi['sl_close_record.stack'])];
    if (stack === undefined) {
      return false;
    }
    const connection = readConnection(
      at + abi['sl_close_record.process'],
      at + abi['sl_close_record.object'],
      at + abi['sl_close_record.generation'],
      stack,
    );
    connections.delete(connection.object);
    onEvent({
      type: 'close',
      timeNs: readTime(at + abi['sl_close_record.time_ns']),
      connection,
      readPosition: readNumber(at + abi['sl_close_record.read_position']),
      writePosition: readNumber(at + abi['sl_close_record.write_position']),
    });
    return true;
  }

  function decodePeer(at: number): boolean {
    const stack = STACKS[view.getUint8(at + abi['sl_peer_record.stack'])];
    const version = view.getUint8(at + abi['sl_peer_record.ip_version']);
    if (stack === undefined || (version !== 4 && version !== 6)) {
      return false;
    }
    const addressOf = (field: number) =>
      ipAddressText(bytes.subarray(at + field, at + field + ADDRESS_BYTES), version);
    onEvent({
      type: 'peer',
      timeNs: readTime(at + abi['sl_peer_record.time_ns']),
      connection: readConnection(
        at + abi['sl_peer_record.process'],
        at + abi['sl_peer_record.object'],
        at + abi['sl_peer_record.generation'],
        stack,
      ),
      address: addressOf(abi['sl_peer_record.address']),
      port: view.getUint16(at + abi['sl_peer_record.port'], true),
      localAddress: addressOf(abi['sl_peer_record.local_address']),
      localPort: view.getUint16(at + abi['sl_peer_record.local_port'], true),
      isInferred: view.getUint8(at + abi['sl_peer_record.is_inferred']) !== 0,
    });
    return true;
  }

  function decodeHandshake(at: number): boolean {
    const stack = STACKS[view.getUint8(at + abi['sl_handshake_record.stack'])];
    const outcome = OUTCOMES[view.getUint8(at + abi['sl_handshake_record.outcome'])];
    const kindCode = view.getUint8(at + abi['sl_handshake_record.code_kind']);
    const sideCode = view.getUint8(at + abi['sl_handshake_record.side']);
    if (
      stack === undefined ||
      outcome === undefined ||
      kindCode >= CODE_KINDS.length ||
      sideCode >= SIDES.length
    ) {
      return false;
    }
    const side = SIDES[sideCode];
    const codeKind = CODE_KINDS[kindCode];
    onEvent({
      type: 'handshake',
      timeNs: readTime(at + abi['sl_handshake_record.time_ns']),
      connection: readConnection(
        at + abi['sl_handshake_record.process'],
        at + abi['sl_handshake_record.object'],
        at + abi['sl_handshake_record.generation'],
        stack,
      ),
      beginNs: readTime(at + abi['sl_handshake_record.begin_ns']),
      outcome,
      ...(side === undefined ? {} : { side }),
      ...(codeKind === undefined
        ? {}
        : { codeKind, code: view.getUint32(at + abi['sl_handshake_record.code'], true) }),
    });
    return true;
  }

  function decodeServerName(at: number): boolean {
    const stack = STACKS[view.getUint8(at + abi['sl_server_name_record.stack'])];
    const nameBytes = view.getUint16(at + abi['sl_server_name_record.name_bytes'], true);
    if (stack === undefined || nameBytes > abi.SL_SERVER_NAME_MAX) {
      return false;
    }
    const nameAt = at + abi['sl_server_name_record.name'];
    const name = textOf(bytes.subarray(nameAt, nameAt + nameBytes));
    // Go is asked for a name with an address as well, and then sends none.
    if (stack === 'go' && isIP(name) !== 0) {
      return true;
    }
    onEvent({
      type: 'server-name',
      timeNs: readTime(at + abi['sl_server_name_record.time_ns']),
      connection: readConnection(
        at + abi['sl_server_name_record.process'],
        at + abi['sl_server_name_record.object'],
        at + abi['sl_server_name_record.generation'],
        stack,
      ),
      name,
    });
    return true;
  }

  function decodeFork(at: number): boolean {
    onEvent({
      type: 'fork',
      timeNs: readTime(at + abi['sl_fork_record.time_ns']),
      process: readProcess(at + abi['sl_fork_record.process']),
      parent: readProcess(at + abi['sl_fork_record.parent']),
    });
    return true;
  }

  function decodeMapping(at: number): boolean {
    const fileAt = at + abi['sl_mapping_record.file'];
    options.onMapping?.({
      timeNs: readTime(at + abi['sl_mapping_record.time_ns']),
      pid: view.getUint32(at + abi['sl_mapping_record.process'] + abi['sl_process.pid'], true),
      inode: readTime(fileAt + abi['sl_file.inode']),
      key: bytes.slice(fileAt, fileAt + abi['sizeof.sl_file']),
    });
    return true;
  }

  function decodeRename(at: number): boolean {
    const commAt = at + abi['sl_rename_record.comm'];
    options.onRename?.({
      process: readProcess(at + abi['sl_rename_record.process']),
      comm: stringsOf(bytes.subarray(commAt, commAt + abi.SL_COMM_BYTES))[0] ?? '',
      execId: readTime(at + abi['sl_rename_record.exec_id']),
    });
    return true;
  }

  function decodeWake(at: number): boolean {
    const processAt = at + abi['sl_wake_record.process'];
    const pid = view.getUint32(processAt + abi['sl_process.pid'], true);
    options.onWake?.(pid, readTime(at + abi['sl_wake_record.time_ns']));
    return true;
  }

  function decodeExit(at: number): boolean {
    const process = readProcess(at + abi['sl_exit_record.process']);
    const timeNs = readTime(at + abi['sl_exit_record.time_ns']);
    const signal = view.getUint32(at + abi['sl_exit_record.signal'], true);
    forgetArgv(process.pid);
    if (signal !== 0) {
      onEvent({ type: 'exit', timeNs, process, signal });
    } else {
      const exitCode = view.getUint32(at + abi['sl_exit_record.code'], true);
      onEvent({ type: 'exit', timeNs, process, exitCode });
    }
    return true;
  }

  function forgetArgv(pid: number): void {
    const pending = pendingArgv.get(pid);
    if (pending !== undefined) {
      pendingArgvBytes -= pending.bytes;
      pendingArgv.delete(pid);
    }
  }

  function decodeArgv(at: number, size: number): boolean {
    const count = readNumber(at + abi['sl_argv_record.bytes']);
    if (abi['sizeof.sl_argv_record'] + count !== size) {
      return false;
    }
    const pid = view.getUint32(at + abi['sl_argv_record.process'] + abi['sl_process.pid'], true);
    const timeNs = readTime(at + abi['sl_argv_record.time_ns']);
    const offset = readNumber(at + abi['sl_argv_record.offset']);
    let pending = pendingArgv.get(pid);
    if (pending !== undefined && pending.timeNs !== timeNs) {
      forgetArgv(pid);
      pending = undefined;
    }
    // What does not follow on is left out, and so counted as lost when the exec record comes.
    if (offset !== (pending?.bytes ?? 0) || pendingArgvBytes + count > maxPendingArgvBytes) {
      return true;
    }
    if (pending === undefined) {
      pending = { timeNs, parts: [], bytes: 0 };
      pendingArgv.set(pid, pending);
    }
    const start = at + abi['sizeof.sl_argv_record'];
    pending.parts.push(bytes.slice(start, start + count));
    pending.bytes += count;
    pendingArgvBytes += count;
    return true;
  }

  function decodeExec(at: number, size: number): boolean {
    const nameBytes = view.getUint32(at + abi['sl_exec_record.service_name_bytes'], true);
    const pathBytes = view.getUint32(at + abi['sl_exec_record.path_bytes'], true);
    if (abi['sl_exec_record.path'] + pathBytes !== size || nameBytes > abi.SL_SERVICE_NAME_MAX) {
      return false;
    }
    const flags = view.getUint16(at + abi['sl_record_header.flags'], true);
    const process = readProcess(at + abi['sl_exec_record.process']);
    const timeNs = readTime(at + abi['sl_exec_record.time_ns']);
    const argvBytes = readNumber(at + abi['sl_exec_record.argv_bytes']);
    const pending = pendingArgv.get(process.pid);
    const text = pending?.timeNs === timeNs ? join(pending) : NOTHING;
    forgetArgv(process.pid);
    const pathAt = at + abi['sl_exec_record.path'];
    const commAt = at + abi['sl_exec_record.comm'];
    const nameAt = at + abi['sl_exec_record.service_name'];
    const isCut = (flags & abi.SL_EXEC_PATH_CUT) !== 0;
    const event: ExecEvent = {
      type: 'exec',
      timeNs,
      process,
      parent: readProcess(at + abi['sl_exec_record.parent']),
      executable: pathFrom(bytes.subarray(pathAt, pathAt + pathBytes), isCut),
      argv: stringsOf(text),
      argvLostBytes: Math.max(0, argvBytes - text.length),
      uid: view.getUint32(at + abi['sl_exec_record.uid'], true),
      gid: view.getUint32(at + abi['sl_exec_record.gid'], true),
      cgroupId: readTime(at + abi['sl_exec_record.cgroup_id']),
      comm: stringsOf(bytes.subarray(commAt, commAt + abi.SL_COMM_BYTES))[0] ?? '',
      ...(nameBytes > 0 && { serviceName: textOf(bytes.subarray(nameAt, nameAt + nameBytes)) }),
    };
    if (onProgram) {
      onProgram(event, readTime(at + abi['sl_exec_record.exec_id']));
    } else {
      onEvent(event);
    }
    return true;
  }

  function decode(kind: number, at: number, size: number): boolean {
    switch (kind) {
      case abi.SL_RECORD_DATA:
        return size >= abi['sizeof.sl_stream_record'] && decodeStream(at, size, kind);
      case abi.SL_RECORD_LOSS:
      case abi.SL_RECORD_SKIP:
        return size === abi['sizeof.sl_stream_record'] && decodeStream(at, size, kind);
      case abi.SL_RECORD_CLOSE:
        return size === abi['sizeof.sl_close_record'] && decodeClose(at);
      case abi.SL_RECORD_PEER:
        return size === abi['sizeof.sl_peer_record'] && decodePeer(at);
      case abi.SL_RECORD_HANDSHAKE:
        return size === abi['sizeof.sl_handshake_record'] && decodeHandshake(at);
      case abi.SL_RECORD_SERVER_NAME:
        return size === abi['sizeof.sl_server_name_record'] && decodeServerName(at);
      case abi.SL_RECORD_FORK:
        return size === abi['sizeof.sl_fork_record'] && decodeFork(at);
      case abi.SL_RECORD_EXIT:
        return size === abi['sizeof.sl_exit_record'] && decodeExit(at);
      case abi.SL_RECORD_ARGV:
        return size >= abi['sizeof.sl_argv_record'] && decodeArgv(at, size);
      case abi.SL_RECORD_RENAME:
        return size === abi['sizeof.sl_rename_record'] && decodeRename(at);
      case abi.SL_RECORD_WAKE:
        return size === abi['sizeof.sl_wake_record'] && decodeWake(at);
      case abi.SL_RECORD_MAPPING:
        return size === abi['sizeof.sl_mapping_record'] && decodeMapping(at);
      default:
        return size >= abi['sl_exec_record.path'] && decodeExec(at, size);
    }
  }

  return {
    push(slab: Uint8Array): void {
      // Not as a Buffer, whose `slice` would be a view where everyone expects a copy.
      bytes = new Uint8Array(slab.buffer, slab.byteOffset, slab.byteLength);
      view = new DataView(slab.buffer, slab.byteOffset, slab.byteLength);
      const end = slab.byteLength;
      let at = 0;
      while (at < end) {
        if (end - at < HEADER_BYTES) {
          onMalformed({ reason: 'size', kind: -1, skippedBytes: end - at });
          break;
        }
        const size = view.getUint32(at, true);
        const kind = view.getUint16(at + abi['sl_record_header.kind'], true);
        if (size < HEADER_BYTES || size > end - at) {
          onMalformed({ reason: 'size', kind, skippedBytes: end - at });
          break;
        }
        if (kind < abi.SL_RECORD_DATA || kind > abi.SL_RECORD_WAKE) {
          onMalformed({ reason: 'kind', kind, skippedBytes: size });
        } else if (!decode(kind, at, size)) {
          onMalformed({ reason: 'field', kind, skippedBytes: size });
        }
        at += padTo8(size);
      }
      bytes = NOTHING;
    },
  };
}

function padTo8(size: number): number {
  return Math.ceil(size / 8) * 8;
}

function lossReason(drop: number): LossReason | undefined {
  switch (drop) {
    case abi['drop.ring_full']:
      return 'ring-full';
    case abi['drop.fault']:
      return 'fault';
    case abi['drop.call_limit']:
      return 'call-limit';
    case abi['drop.orphan']:
      return 'orphan';
    case abi['drop.bad_length']:
      return 'bad-length';
    default:
      return undefined;
  }
}

function join(pending: PendingArgv): Uint8Array {
  if (pending.parts.length === 1) {
    return pending.parts[0] ?? NOTHING;
  }
  const whole = new Uint8Array(pending.bytes);
  let at = 0;
  for (const part of pending.parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

/** Strings that each end in a NUL; a last one without its NUL was cut and is kept as it is. */
function stringsOf(bytes: Uint8Array): string[] {
  const strings: string[] = [];
  let start = 0;
  while (start < bytes.length) {
    const nul = bytes.indexOf(0, start);
    const end = nul < 0 ? bytes.length : nul;
    strings.push(textOf(bytes.subarray(start, end)));
    start = end + 1;
  }
  return strings;
}

/** The kernel walks from the file up to the root. A cut path misses its beginning, which `…` stands for. */
function pathFrom(components: Uint8Array, isCut: boolean): string {
  const names = stringsOf(components).reverse();
  if (names.length === 0) {
    return '';
  }
  return `${isCut ? '…' : ''}/${names.join('/')}`;
}
