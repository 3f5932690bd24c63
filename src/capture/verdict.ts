/** What the stages behind can tell the kernel side: which bytes of a connection nobody wants. */
import type { ConnectionRef } from './events.ts';

/**
 * Bytes not to be copied, by direction: those of calls that end at the position `until` or before it. They are
 * counted, and reported as one `skip` event. A later verdict on the connection takes the place of this one.
 */
export interface ConnectionVerdict {
  /** 0: everything is wanted. Infinity: nothing ever is. */
  readUntil: number;
  writeUntil: number;
  /** The verdict on what is read holds while exactly this many bytes have been written; undefined: always. */
  whileWrittenBytes?: number | undefined;
  /** The same the other way round: bytes read, for the verdict on what is written. */
  whileReadBytes?: number | undefined;
  /**
   * HTTP/2: of what is read, only calls that carry nothing but DATA frames of this stream are left out (without
   * flags, so that the one that ends the stream is copied). Undefined: all bytes.
   */
  readStream?: number | undefined;
  /** The same of what is written. */
  writeStream?: number | undefined;
  /** The process only answers on this connection, and nobody wants what it answers. */
  isServed?: boolean;
}

/** Nothing of the connection is wanted any more, whatever comes. */
export const NEVER_COPY: ConnectionVerdict = { readUntil: Infinity, writeUntil: Infinity };

/** The same because the process is the server. */
export const NEVER_COPY_SERVED: ConnectionVerdict = { ...NEVER_COPY, isServed: true };

/** Takes a verdict; never throws. */
export type VerdictSink = (connection: ConnectionRef, verdict: ConnectionVerdict) => void;
