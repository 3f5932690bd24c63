/** Frames of a recording: one capture event to bytes and back (docs/recording-format.md). */
import type {
  CaptureEvent,
  ConnectionRef,
  DataEvent,
  DecodedOutcome,
  DecodedPiece,
  Direction,
  ProcessRef,
  TlsStack,
} from './events.ts';

/**
 * First bytes of every recording. The first is no ASCII and the last two are a line end, so that a copy made in
 * text mode is recognised as damaged instead of being read.
 */
export const RECORDING_MAGIC: Uint8Array = Uint8Array.of(
  0x89,
  0x53,
  0x4c,
  0x52,
  0x45,
  0x43,
  0x0d,
  0x0a,
);

/** Raised whenever an older reader would misunderstand a newer recording. */
export const RECORDING_VERSION = 6;

/** From this version on no compressed byte is recorded: what stood there is, decoded, or nothing. */
export const DECODED_SINCE_VERSION = 6;

/** Magic, version (u16), reserved (u16), length of the JSON header (u32). */
export const PREAMBLE_BYTES = 16;

/** The JSON header only names its writer; more is no header of ours. */
export const MAX_HEADER_BYTES = 64 * 1024;

/**
 * Largest frame. A data event is one kernel record (at most a few MiB), an exec event carries at most the
 * kernel's 2 MiB of arguments, which JSON can make six times as long.
 */
export const MAX_FRAME_BYTES = 16 * 1024 * 1024;

const FrameType = { event: 1, data: 2, end: 3, decoded: 4 } as const;

/** Fixed part of a data frame's payload, before the captured bytes. */
const DATA_FIXED_BYTES = 84;

/** Fixed part of the payload of a frame of decoded content. */
const DECODED_FIXED_BYTES = 16;

/** Content of one such frame; more goes on in further ones. */
const MAX_DECODED_FRAME_BYTES = 4 * 1024 * 1024;

/** Decoded content of one data event. */
export const MAX_DECODED_EVENT_BYTES = 32 * 1024 * 1024;

/** Length field and type. */
export const FRAME_HEAD_BYTES = 5;

/** Payload of the end frame: the number of event and data frames before it, u64. */
const END_PAYLOAD_BYTES = 8;

/** Positions are the numbers in the file: append only. */
const STACKS: readonly TlsStack[] = [
  'openssl',
  'boringssl',
  'gnutls',
  'nss',
  'go',
  'rustls',
  'plain',
];
const DECODED_OUTCOMES: readonly DecodedOutcome[] = ['ok', 'corrupt', 'limit'];
const DIRECTIONS: readonly Direction[] = ['read', 'write'];
const OUTCOMES: readonly string[] = ['completed', 'failed', 'abandoned', 'unverified'];
const SIDES: readonly string[] = ['client', 'server'];
const CODE_KINDS: readonly string[] = [
  'openssl',
  'x509',
  'gnutls',
  'gnutls-status',
  'nss',
  'alert-sent',
  'alert-received',
  'boringssl',
];
const LOSS_REASONS: readonly string[] = [
  'ring-full',
  'fault',
  'call-limit',
  'orphan',
  'bad-length',
  'rested',
];

const MAX_U64 = 0xffff_ffff_ffff_ffffn;
const TWO_32 = 0x1_0000_0000;

type FieldKind =
  | 'nanoseconds'
  | 'offset'
  | 'integer'
  | 'text'
  | 'texts'
  | 'counts'
  | 'flag'
  | 'outcome'
  | 'side'
  | 'code-kind'
  | 'process'
  | 'connection'
  | 'direction'
  | 'loss-reason';

type Kind<Value> = undefined extends Value ? `${FieldKind}?` : FieldKind;
type ShapeOf<Event> = { [Key in Exclude<keyof Event, 'type'>]-?: Kind<Event[Key]> };
type JsonEvent = Exclude<CaptureEvent, DataEvent>;
type Shapes = { [Event in JsonEvent as Event['type']]: ShapeOf<Event> };

/**
 * Every field of every event that is kept as JSON. The types make this table complete: a field added to an event
 * does not compile until it is named here.
 */
const SHAPES: Shapes = {
  loss: {
    timeNs: 'nanoseconds',
    connection: 'connection',
    direction: 'direction',
    position: 'integer',
    lostBytes: 'integer',
    reason: 'loss-reason',
  },
  skip: {
    timeNs: 'nanoseconds',
    connection: 'connection',
    direction: 'direction',
    position: 'integer',
    skippedBytes: 'integer',
    calls: 'integer?',
    frameStream: 'integer?',
    frameHeaders: 'integer?',
    frameRemainderBytes: 'integer?',
  },
  close: {
    timeNs: 'nanoseconds',
    connection: 'connection',
    readPosition: 'integer',
    writePosition: 'integer',
  },
  peer: {
    timeNs: 'nanoseconds',
    connection: 'connection',
    address: 'text',
    port: 'integer',
    localAddress: 'text',
    localPort: 'integer',
    isInferred: 'flag',
  },
  handshake: {
    timeNs: 'nanoseconds',
    connection: 'connection',
    beginNs: 'nanoseconds',
    outcome: 'outcome',
    side: 'side?',
    codeKind: 'code-kind?',
    code: 'integer?',
  },
  'server-name': { timeNs: 'nanoseconds', connection: 'connection', name: 'text' },
  fork: { timeNs: 'nanoseconds', process: 'process', parent: 'process' },
  exec: {
    timeNs: 'nanoseconds',
    process: 'process',
    parent: 'process',
    executable: 'text',
    argv: 'texts',
    argvLostBytes: 'integer',
    uid: 'integer',
    gid: 'integer',
    cgroupId: 'nanoseconds',
    comm: 'text',
    serviceName: 'text?',
  },
  exit: {
    timeNs: 'nanoseconds',
    process: 'process',
    exitCode: 'integer?',
    signal: 'integer?',
  },
  snapshot: {
    timeNs: 'nanoseconds',
    process: 'process',
    parent: 'process',
    executable: 'text',
    argv: 'texts',
    uid: 'integer',
    gid: 'integer',
    comm: 'text',
    serviceName: 'text?',
  },
  details: {
    timeNs: 'nanoseconds',
    process: 'process',
    owner: 'text?',
    containerId: 'text?',
    podUid: 'text?',
    packageName: 'text?',
    packageVersion: 'text?',
  },
  host: {
    timeNs: 'nanoseconds',
    bootId: 'text',
    machineId: 'text?',
    hostName: 'text',
    arch: 'text',
    osDescription: 'text',
    clockOffsetNs: 'offset',
  },
  tick: { timeNs: 'nanoseconds' },
  drops: { timeNs: 'nanoseconds', records: 'counts', bytes: 'integer' },
  end: { timeNs: 'nanoseconds' },
};

/** What a frame turned out to be. `invalid` says what is wrong with it, for a message. */
export type DecodedFrame =
  | { kind: 'event'; event: CaptureEvent }
  | { kind: 'decoded'; piece: DecodedPiece }
  | { kind: 'end'; events: number }
  | { kind: 'invalid'; reason: string };

/** Bytes that `encodeData` writes for this event, frame head included. */
export function dataFrameBytes(event: DataEvent): number {
  return FRAME_HEAD_BYTES + DATA_FIXED_BYTES + event.bytes.byteLength;
}

/** Writes the frame of a data event at `offset` of `target`, which has room for `dataFrameBytes(event)`. */
export function encodeData(event: DataEvent, target: Buffer, offset: number): void {
  const { connection } = event;
  target.writeUInt32LE(1 + DATA_FIXED_BYTES + event.bytes.byteLength, offset);
  target[offset + 4] = FrameType.data;
  const at = offset + FRAME_HEAD_BYTES;
  target.writeBigUInt64LE(event.timeNs, at);
  target.writeBigUInt64LE(event.enterNs, at + 8);
  target.writeBigUInt64LE(connection.process.startNs, at + 16);
  target.writeBigUInt64LE(connection.generation, at + 24);
  writeInteger(target, connection.object, at + 32);
  writeInteger(target, event.position, at + 40);
  writeInteger(target, event.callBytes, at + 48);
  writeInteger(target, event.callOffset, at + 56);
  writeInteger(target, event.sequence, at + 64);
  target.writeUInt32LE(connection.process.pid, at + 72);
  target.writeUInt32LE(event.tid, at + 76);
  target[at + 80] = STACKS.indexOf(connection.stack);
  target[at + 81] = DIRECTIONS.indexOf(event.direction);
  target.writeUInt16LE(0, at + 82);
  target.set(event.bytes, at + DATA_FIXED_BYTES);
}

/** The frames that go before a data event's own, for one of the pieces that it has `decoded`. */
export function* encodeDecoded(piece: DecodedPiece): Generator<Buffer> {
  const { content, outcome } = piece;
  let from = 0;
  do {
    const part = content.subarray(from, from + MAX_DECODED_FRAME_BYTES);
    from += part.byteLength;
    const frame = Buffer.alloc(FRAME_HEAD_BYTES + DECODED_FIXED_BYTES + part.byteLength);
    frame.writeUInt32LE(frame.byteLength - 4, 0);
    frame[4] = FrameType.decoded;
    writeInteger(frame, piece.position, FRAME_HEAD_BYTES);
    frame.writeUInt32LE(piece.length, FRAME_HEAD_BYTES + 8);
    const isLast = from >= content.byteLength;
    frame[FRAME_HEAD_BYTES + 12] = DECODED_OUTCOMES.indexOf(isLast ? outcome : 'ok');
    frame.set(part, FRAME_HEAD_BYTES + DECODED_FIXED_BYTES);
    yield frame;
  } while (from < content.byteLength);
}

/** The whole frame of an event that is kept as JSON. */
export function encodeJsonEvent(event: JsonEvent): Buffer {
  const text = JSON.stringify(event, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
  const bytes = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + bytes);
  frame.writeUInt32LE(1 + bytes, 0);
  frame[4] = FrameType.event;
  frame.write(text, FRAME_HEAD_BYTES);
  return frame;
}

/** The frame that says the recording is whole; `events` counts the frames before it. */
export function encodeEnd(events: number): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + END_PAYLOAD_BYTES);
  frame.writeUInt32LE(1 + END_PAYLOAD_BYTES, 0);
  frame[4] = FrameType.end;
  writeInteger(frame, events, FRAME_HEAD_BYTES);
  return frame;
}

/** Takes a frame without its length field apart. A data event's bytes are a view of `frame`. Never throws. */
export function decodeFrame(frame: Buffer): DecodedFrame {
  switch (frame[0]) {
    case FrameType.data:
      return decodeData(frame);
    case FrameType.event:
      return decodeJsonEvent(frame);
    case FrameType.decoded:
      return decodeDecoded(frame);
    case FrameType.end: {
      if (frame.byteLength !== 1 + END_PAYLOAD_BYTES) {
        return invalid('an end frame of the wrong size');
      }
      const events = readInteger(frame, 1);
      return events === undefined ? invalid('an impossible count') : { kind: 'end', events };
    }
    default:
      return invalid(`a frame of unknown type ${frame[0]}`);
  }
}

function decodeData(frame: Buffer): DecodedFrame {
  const at = 1;
  if (frame.byteLength < at + DATA_FIXED_BYTES) {
    return invalid('a data frame that is too short');
  }
  const object = readInteger(frame, at + 32);
  const position = readInteger(frame, at + 40);
  const callBytes = readInteger(frame, at + 48);
  const callOffset = readInteger(frame, at + 56);
  const sequence = readInteger(frame, at + 64);
  const stack = STACKS[frame[at + 80] ?? 0xff];
  const direction = DIRECTIONS[frame[at + 81] ?? 0xff];
  if (
    object === undefined ||
    position === undefined ||
    callBytes === undefined ||
    callOffset === undefined ||
    sequence === undefined ||
    stack === undefined ||
    direction === undefined
  ) {
    return invalid('a data frame with an impossible field');
  }
  return {
    kind: 'event',
    event: {
      type: 'data',
      timeNs: frame.readBigUInt64LE(at),
      enterNs: frame.readBigUInt64LE(at + 8),
      tid: frame.readUInt32LE(at + 76),
      connection: {
        process: { pid: frame.readUInt32LE(at + 72), startNs: frame.readBigUInt64LE(at + 16) },
        stack,
        object,
        generation: frame.readBigUInt64LE(at + 24),
      },
      direction,
      position,
      callBytes,
      callOffset,
      sequence,
      bytes: frame.subarray(at + DATA_FIXED_BYTES),
    },
  };
}

function decodeDecoded(frame: Buffer): DecodedFrame {
  const at = 1;
  if (frame.byteLength < at + DECODED_FIXED_BYTES) {
    return invalid('a frame of decoded content that is too short');
  }
  const position = readInteger(frame, at);
  const outcome = DECODED_OUTCOMES[frame[at + 12] ?? 0xff];
  if (position === undefined || outcome === undefined) {
    return invalid('a frame of decoded content with an impossible field');
  }
  // Copied: it is handed out with the data event that follows.
  const content = new Uint8Array(frame.subarray(at + DECODED_FIXED_BYTES));
  const length = frame.readUInt32LE(at + 8);
  return { kind: 'decoded', piece: { position, length, content, outcome } };
}

function decodeJsonEvent(frame: Buffer): DecodedFrame {
  let value: unknown;
  try {
    value = JSON.parse(frame.toString('utf8', 1));
  } catch {
    return invalid('an event that is no JSON');
  }
  if (!isRecord(value)) {
    return invalid('an event that is no JSON object');
  }
  const type = value.type;
  if (typeof type !== 'string' || !Object.hasOwn(SHAPES, type)) {
    return invalid('an event of unknown type');
  }
  const event: Record<string, unknown> = { type };
  for (const [name, kind] of Object.entries(SHAPES[type as JsonEvent['type']])) {
    const raw = Object.hasOwn(value, name) ? value[name] : undefined;
    if (raw === undefined && kind.endsWith('?')) {
      continue;
    }
    const field = decodeField(kind.replace('?', '') as FieldKind, raw);
    if (field === undefined) {
      return invalid(`a ${type} event without a proper ${name}`);
    }
    event[name] = field;
  }
  return { kind: 'event', event: event as unknown as CaptureEvent };
}

function decodeField(kind: FieldKind, raw: unknown): unknown {
  switch (kind) {
    case 'nanoseconds':
      return decodeU64(raw);
    case 'offset':
      return decodeOffset(raw);
    case 'integer':
      return isCount(raw) ? raw : undefined;
    case 'text':
      return typeof raw === 'string' ? raw : undefined;
    case 'texts':
      return Array.isArray(raw) && raw.every((item) => typeof item === 'string') ? raw : undefined;
    case 'counts':
      return decodeCounts(raw);
    case 'flag':
      return typeof raw === 'boolean' ? raw : undefined;
    case 'outcome':
      return OUTCOMES.find((outcome) => outcome === raw);
    case 'side':
      return SIDES.find((side) => side === raw);
    case 'code-kind':
      return CODE_KINDS.find((kind) => kind === raw);
    case 'process':
      return decodeProcess(raw);
    case 'connection':
      return decodeConnection(raw);
    case 'direction':
      return DIRECTIONS.find((direction) => direction === raw);
    case 'loss-reason':
      return LOSS_REASONS.find((reason) => reason === raw);
  }
}

function decodeCounts(raw: unknown): Record<string, number> | undefined {
  if (!isRecord(raw)) {
    return undefined;
  }
  const entries = Object.entries(raw);
  if (!entries.every((entry): entry is [string, number] => isCount(entry[1]))) {
    return undefined;
  }
  // fromEntries defines properties, so that a key "__proto__" stays a key.
  return Object.fromEntries(entries);
}

function decodeProcess(raw: unknown): ProcessRef | undefined {
  if (!isRecord(raw)) {
    return undefined;
  }
  const startNs = decodeU64(raw.startNs);
  const pid = raw.pid;
  return startNs !== undefined && isCount(pid) ? { pid, startNs } : undefined;
}

function decodeConnection(raw: unknown): ConnectionRef | undefined {
  if (!isRecord(raw)) {
    return undefined;
  }
  const process = decodeProcess(raw.process);
  const stack = STACKS.find((name) => name === raw.stack);
  const object = raw.object;
  const generation = decodeU64(raw.generation);
  return process && stack && isCount(object) && generation !== undefined
    ? { process, stack, object, generation }
    : undefined;
}

function decodeU64(raw: unknown): bigint | undefined {
  // The length check keeps a hostile file from making BigInt parse megabytes of digits.
  if (typeof raw !== 'string' || raw.length > 20 || !/^\d+$/.test(raw)) {
    return undefined;
  }
  const value = BigInt(raw);
  return value <= MAX_U64 ? value : undefined;
}

/** Like `decodeU64`, but may be below zero: a host whose clock was never set. */
function decodeOffset(raw: unknown): bigint | undefined {
  if (typeof raw === 'string' && raw.startsWith('-')) {
    const magnitude = decodeU64(raw.slice(1));
    return magnitude === undefined ? undefined : -magnitude;
  }
  return decodeU64(raw);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(reason: string): DecodedFrame {
  return { kind: 'invalid', reason };
}

/** Two halves instead of a BigInt: no allocation for five fields of every event. */
function writeInteger(target: Buffer, value: number, offset: number): void {
  target.writeUInt32LE(value >>> 0, offset);
  target.writeUInt32LE(Math.floor(value / TWO_32), offset + 4);
}

function readInteger(source: Buffer, offset: number): number | undefined {
  const value = source.readUInt32LE(offset) + source.readUInt32LE(offset + 4) * TWO_32;
  return Number.isSafeInteger(value) ? value : undefined;
}
