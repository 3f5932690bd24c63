/**
 * Writes one HTTP/1.1 response byte by byte as told: the transfer framing, the cut into chunks, and the cut into
 * writes to the socket (so TLS records) are independent of one another.
 */
import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Random } from './random.ts';

export type Cut = 'event' | 'whole' | 'random' | number;
export type Transfer = 'chunked' | 'length' | 'close' | 'none';

/** Largest drawn size of a chunk or a write: small, so that every event is cut several times. */
const MAX_RANDOM_CUT_BYTES = 61;

export interface ResponseWriterOptions {
  socket: Duplex;
  transfer: Transfer;
  chunkBytes: Cut;
  writeBytes: Cut;
  random: Random;
}

/** What has been handed to the socket so far. */
export interface Written {
  wireBytes: number;
  bodyBytes: number;
  bodySha256: string;
  firstByteNs: bigint | undefined;
  firstBodyByteNs: bigint | undefined;
  lastByteNs: bigint | undefined;
}

/** Every method resolves to false once the client is gone; what follows is then not written. */
export interface ResponseWriter {
  /** `text` is a whole head, interim or final. An interim one is always a write of its own. */
  head(text: string, isInterim: boolean): Promise<boolean>;
  /** A piece of the body. `written` is called when the last of its bytes has been handed to the socket. */
  body(bytes: Buffer, written?: () => void): Promise<boolean>;
  end(trailers: readonly [string, string][]): Promise<boolean>;
  /** Hands out what is held back by the cuts, without any end. */
  flush(): Promise<boolean>;
  state(): Written;
}

interface Part {
  bytes: Buffer;
  isBody: boolean;
}

export function createResponseWriter(options: ResponseWriterOptions): ResponseWriter {
  const { socket, transfer, chunkBytes, writeBytes, random } = options;
  const hash = createHash('sha256');
  let wireBytes = 0;
  let bodyBytes = 0;
  let firstByteNs: bigint | undefined;
  let firstBodyByteNs: bigint | undefined;
  let lastByteNs: bigint | undefined;
  let isGone = false;

  /** Body bytes that are not in a chunk yet; joined only when a chunk is cut. */
  let unframed: Buffer[] = [];
  /** Framed bytes that are not written yet. */
  const held: Part[] = [];
  let heldBytes = 0;
  let acceptedBodyBytes = 0;
  /** Calls due once so many body bytes are written, in order. */
  const dues: { bodyBytes: number; written: () => void }[] = [];

  function settle(): void {
    while (dues.length > 0 && dues[0]!.bodyBytes <= bodyBytes) {
      dues.shift()!.written();
    }
  }

  async function write(length: number): Promise<boolean> {
    const parts: Buffer[] = [];
    const bodies: Buffer[] = [];
    let missing = length;
    while (missing > 0) {
      const part = held[0]!;
      const bytes = part.bytes.subarray(0, missing);
      missing -= bytes.length;
      heldBytes -= bytes.length;
      parts.push(bytes);
      if (part.isBody) {
        bodies.push(bytes);
      }
      if (bytes.length === part.bytes.length) {
        held.shift();
      } else {
        part.bytes = part.bytes.subarray(bytes.length);
      }
    }
    const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    const atNs = process.hrtime.bigint();
    const isWritten = await new Promise<boolean>((resolve) => {
      if (isGone || socket.destroyed || !socket.writable) {
        resolve(false);
        return;
      }
      const onClose = (): void => resolve(false);
      socket.once('close', onClose);
      socket.write(bytes, (error) => {
        socket.removeListener('close', onClose);
        resolve(!error);
      });
    });
    if (!isWritten) {
      isGone = true;
      return false;
    }
    firstByteNs ??= atNs;
    lastByteNs = process.hrtime.bigint();
    wireBytes += bytes.length;
    for (const body of bodies) {
      firstBodyByteNs ??= atNs;
      bodyBytes += body.length;
      hash.update(body);
    }
    settle();
    return true;
  }

  function size(cut: Cut): number {
    return typeof cut === 'number' ? cut : random.int(1, MAX_RANDOM_CUT_BYTES);
  }

  function hold(bytes: Buffer, isBody: boolean): void {
    if (bytes.length > 0) {
      held.push({ bytes, isBody });
      heldBytes += bytes.length;
    }
  }

  /** Writes what the policy lets go of now; with `everything` also the rest. */
  async function release(everything: boolean): Promise<boolean> {
    if (typeof writeBytes === 'number' || writeBytes === 'random') {
      while (heldBytes > 0) {
        const length = size(writeBytes);
        if (length > heldBytes && !everything) {
          break;
        }
        if (!(await write(Math.min(length, heldBytes)))) {
          return false;
        }
      }
      return !isGone;
    }
    if (heldBytes > 0 && (everything || writeBytes === 'event')) {
      return write(heldBytes);
    }
    return !isGone;
  }

  function frame(bytes: Buffer): void {
    if (transfer !== 'chunked') {
      hold(bytes, true);
      return;
    }
    if (bytes.length > 0) {
      hold(Buffer.from(`${bytes.length.toString(16)}\r\n`, 'latin1'), false);
      hold(bytes, true);
      hold(Buffer.from('\r\n', 'latin1'), false);
    }
  }

  function frameUnframed(everything: boolean): void {
    if (chunkBytes === 'whole' && !everything) {
      return;
    }
    let bytes = unframed.length === 1 ? unframed[0]! : Buffer.concat(unframed);
    unframed = [];
    if (chunkBytes === 'event' || chunkBytes === 'whole') {
      frame(bytes);
      return;
    }
    while (bytes.length > 0) {
      const length = size(chunkBytes);
      if (length > bytes.length && !everything) {
        unframed.push(bytes);
        return;
      }
      frame(bytes.subarray(0, length));
      bytes = bytes.subarray(length);
    }
  }

  return {
    async head(text, isInterim) {
      hold(Buffer.from(text, 'latin1'), false);
      return release(isInterim);
    },

    async body(bytes, written) {
      acceptedBodyBytes += bytes.length;
      if (written !== undefined) {
        dues.push({ bodyBytes: acceptedBodyBytes, written });
      }
      unframed.push(bytes);
      frameUnframed(false);
      const isThere = await release(false);
      settle();
      return isThere;
    },

    async end(trailers) {
      frameUnframed(true);
      if (transfer === 'chunked') {
        const lines = trailers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
        hold(Buffer.from(`0\r\n${lines}\r\n`, 'latin1'), false);
      }
      return release(true);
    },

    async flush() {
      frameUnframed(true);
      return release(true);
    },

    state: () => ({
      wireBytes,
      bodyBytes,
      bodySha256: hash.copy().digest('hex'),
      firstByteNs,
      firstBodyByteNs,
      lastByteNs,
    }),
  };
}
