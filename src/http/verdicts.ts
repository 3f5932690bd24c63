/** Judges which bytes of a connection are worth being copied out of the kernel: what nobody looks at is not. */
import type { Direction } from '../capture/events.ts';
import { type ConnectionVerdict, NEVER_COPY } from '../capture/verdict.ts';
import type { Headers } from './exchange.ts';

/** A body with less left to come is copied: a verdict takes about a millisecond to reach the kernel. */
const MIN_SKIPPED_BODY_BYTES = 65_536;

/** What neither direction could be recognised by, before a connection is given up as no HTTP. */
const MIN_FOREIGN_BYTES = 4096;

/** The same of one direction alone, which may be the middle of a body whose head came before observation began. */
export const MIN_ONE_SIDED_BYTES = 65_536;

/** Types of which nobody reads a part; only these are skipped where the body does not tell its length. */
const OPAQUE_TYPE =
  /^(?:(?:image|audio|video|font)\/|application\/(?:octet-stream|gzip|zip|zstd|wasm|pdf|x-git-|x-gzip|x-tar|x-xz|x-bzip|x-7z|java-archive|vnd\.(?:oci|docker|rar|ms-|openxml)))/;

/** A body of which no observer wants a byte, when its head is known. */
export interface UnwantedBody {
  direction: Direction;
  headers: Headers;
  /** Bytes of its direction so far. */
  position: number;
  /** Bytes of the other direction so far. */
  otherPosition: number;
  /** What is still to come; Infinity when the head does not say. */
  remainingBytes: number;
}

/** Undefined: not worth a verdict. A message in the other direction lifts it in the kernel itself. */
export function judgeBody(body: UnwantedBody): ConnectionVerdict | undefined {
  if (!isWorthSkipping(body.headers, body.remainingBytes)) {
    return undefined;
  }
  return skip(body.direction, body.position + body.remainingBytes, body.otherPosition);
}

/** Whether what is left of a body that nobody looks at is worth a verdict. */
export function isWorthSkipping(headers: Headers, remainingBytes: number): boolean {
  if (remainingBytes === Infinity) {
    return OPAQUE_TYPE.test(headers.get('content-type')?.trim().toLowerCase() ?? '');
  }
  return remainingBytes >= MIN_SKIPPED_BODY_BYTES;
}

/** Streams of an HTTP/2 connection, by direction, of whose DATA frames nothing is wanted any more. */
export interface UnwantedStreams {
  read: number | undefined;
  write: number | undefined;
}

/** Every other frame is copied, the one that ends the stream too: so this holds whatever else happens. */
export function leaveOutStreams({ read, write }: UnwantedStreams): ConnectionVerdict {
  return {
    readUntil: read === undefined ? 0 : Infinity,
    writeUntil: write === undefined ? 0 : Infinity,
    readStream: read,
    writeStream: write,
  };
}

/** Bytes of both directions in which no protocol was found. */
export interface ForeignBytes {
  read: number;
  write: number;
}

/** Undefined: too early to say. `positions` are the bytes that each direction has had. */
export function judgeForeign(
  foreign: ForeignBytes,
  positions: ForeignBytes,
): ConnectionVerdict | undefined {
  if (foreign.read > 0 && foreign.write > 0) {
    return foreign.read + foreign.write >= MIN_FOREIGN_BYTES ? NEVER_COPY : undefined;
  }
  if (foreign.read >= MIN_ONE_SIDED_BYTES) {
    return skip('read', Infinity, positions.write);
  }
  return foreign.write >= MIN_ONE_SIDED_BYTES ? skip('write', Infinity, positions.read) : undefined;
}

function skip(direction: Direction, until: number, otherPosition: number): ConnectionVerdict {
  return direction === 'read'
    ? { readUntil: until, writeUntil: 0, whileWrittenBytes: otherPosition }
    : { readUntil: 0, writeUntil: until, whileReadBytes: otherPosition };
}
