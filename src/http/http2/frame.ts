/**
 * Frame types, flags and the nine bytes that begin every frame.
 * RFC 9113 §4.1 and §6, https://www.rfc-editor.org/rfc/rfc9113#section-4.1
 */

export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FrameFlag = {
  endStream: 0x01,
  ack: 0x01,
  endHeaders: 0x04,
  padded: 0x08,
  priority: 0x20,
} as const;

export const FRAME_HEADER_BYTES = 9;

/** SETTINGS_MAX_FRAME_SIZE before any SETTINGS (RFC 9113 §6.5.2). */
export const INITIAL_MAX_FRAME_BYTES = 16_384;

/** What a client sends first (RFC 9113 §3.4). */
export const PREFACE: Uint8Array = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export interface FrameHeader {
  /** Bytes of the payload. */
  length: number;
  type: number;
  flags: number;
  /** Without the reserved bit. */
  streamId: number;
}

/** Reads the nine bytes at `at` into `header`. */
export function readFrameHeader(bytes: Uint8Array, at: number, header: FrameHeader): void {
  header.length =
    ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
  header.type = bytes[at + 3] as number;
  header.flags = bytes[at + 4] as number;
  header.streamId = readUint31(bytes, at + 5);
}

/** Four bytes without their first bit. */
export function readUint31(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) & 0x7f) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}

/**
 * Whether an endpoint may have sent this frame: the rules whose violation closes a connection (RFC 9113 §6).
 * Flags that a type does not define, and unknown types, are allowed and ignored (§4.1, §5.5).
 */
export function isLegalFrame({ length, type, streamId }: FrameHeader): boolean {
  switch (type) {
    case FrameType.data:
    case FrameType.headers:
    case FrameType.continuation:
      return streamId !== 0;
    case FrameType.pushPromise:
      return streamId !== 0 && length >= 4;
    case FrameType.priority:
      return streamId !== 0 && length === 5;
    case FrameType.rstStream:
      return streamId !== 0 && length === 4;
    case FrameType.settings:
      return streamId === 0 && length % 6 === 0;
    case FrameType.ping:
      return streamId === 0 && length === 8;
    case FrameType.goaway:
      return streamId === 0 && length >= 8;
    case FrameType.windowUpdate:
      return length === 4;
    default:
      return true;
  }
}
