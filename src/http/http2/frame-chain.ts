/**
 * Recognises frames in bytes whose place is unknown: a chain of headers, each as software really writes them,
 * each beginning where the one before ends. Used when a connection is joined midway, and after a loss.
 */
import {
  FRAME_HEADER_BYTES,
  FrameFlag,
  type FrameHeader,
  FrameType,
  INITIAL_MAX_FRAME_BYTES,
  isLegalFrame,
  readFrameHeader,
} from './frame.ts';

export interface ChainContext {
  /** Largest payload the receiver allows. */
  maxFrameBytes: number;
  /** How well the stream is known: `open` is evidence of its own, `impossible` speaks against the frame. */
  judgeStream(streamId: number): 'open' | 'possible' | 'impossible';
}

/** Settings beyond these are rare, and a count that is large would be no SETTINGS frame. */
const MAX_SETTINGS_BYTES = 240;
const MAX_GOAWAY_BYTES = 1024;

/** Flags that a frame of each type may carry, by type. */
const DEFINED_FLAGS: readonly number[] = [
  FrameFlag.endStream | FrameFlag.padded,
  FrameFlag.endStream | FrameFlag.endHeaders | FrameFlag.padded | FrameFlag.priority,
  0,
  0,
  FrameFlag.ack,
  FrameFlag.endHeaders | FrameFlag.padded,
  FrameFlag.ack,
  0,
  0,
  FrameFlag.endHeaders,
];

/** Where nothing is known of a connection: streams of a client, and no larger frames than allowed from the start. */
export const UNKNOWN_CONNECTION: ChainContext = {
  maxFrameBytes: INITIAL_MAX_FRAME_BYTES,
  judgeStream: (streamId) => (streamId % 2 === 1 ? 'possible' : 'impossible'),
};

const header: FrameHeader = { length: 0, type: 0, flags: 0, streamId: 0 };

/**
 * Whether frames begin at the front of `bytes` (the start of a TLS call). True when all of it is one whole chain,
 * when at least two headers fit, or when the one header there is belongs to a stream that is known to be open (or
 * opens one, and is followed by what begins like another).
 */
export function isFrameChain(bytes: Uint8Array, context: ChainContext): boolean {
  let at = 0;
  let headers = 0;
  /** The first frame alone is evidence: `open` even when it goes on beyond these bytes. */
  let first: 'open' | 'head' | 'weak' = 'weak';
  while (at + FRAME_HEADER_BYTES <= bytes.length) {
    readFrameHeader(bytes, at, header);
    const isReserved = ((bytes[at + 5] as number) & 0x80) !== 0;
    if (isReserved || !isOrdinary(header, context)) {
      return false;
    }
    if (headers === 0) {
      if (isVoid(header)) {
        return false;
      }
      first = weightOf(header, context);
    }
    headers += 1;
    at += FRAME_HEADER_BYTES + header.length;
  }
  if (headers === 0) {
    return false;
  }
  // What is left is the beginning of a header: of a frame under 64 KiB, so it begins with 0.
  const isTail = at < bytes.length && bytes[at] === 0;
  return at === bytes.length || headers >= 2 || first === 'open' || (isTail && first === 'head');
}

/** Zeros before a length look like an empty frame without flags: one of those is no evidence. */
function isVoid({ length, flags, streamId }: FrameHeader): boolean {
  return length === 0 && flags === 0 && streamId !== 0;
}

function weightOf({ length, type, streamId }: FrameHeader, context: ChainContext) {
  if (streamId === 0 || length === 0) {
    return 'weak';
  }
  if (context.judgeStream(streamId) === 'open') {
    return 'open';
  }
  return type === FrameType.headers ? 'head' : 'weak';
}

function isOrdinary(frame: FrameHeader, context: ChainContext): boolean {
  const flags = DEFINED_FLAGS[frame.type];
  if (flags === undefined || (frame.flags & ~flags) !== 0 || !isLegalFrame(frame)) {
    return false;
  }
  if (frame.length > context.maxFrameBytes) {
    return false;
  }
  if (frame.streamId !== 0 && context.judgeStream(frame.streamId) === 'impossible') {
    return false;
  }
  switch (frame.type) {
    case FrameType.settings: {
      const isAck = (frame.flags & FrameFlag.ack) !== 0;
      return isAck ? frame.length === 0 : frame.length <= MAX_SETTINGS_BYTES;
    }
    case FrameType.goaway:
      return frame.length <= MAX_GOAWAY_BYTES;
    case FrameType.headers:
      return frame.length > 0;
    default:
      return true;
  }
}
