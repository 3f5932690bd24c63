/** Reads HTTP/1.1 requests (RFC 9112) from one connection, pipelined ones included, and keeps what the truth needs. */
import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';

/** Larger ones end the connection: a test that needs more has a mistake in it. */
const MAX_HEAD_BYTES = 256 * 1024;
const MAX_BODY_BYTES = 256 * 1024 * 1024;
/** Above this much unread input the socket is paused. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;

export interface IncomingRequest {
  method: string;
  target: string;
  version: string;
  headers: [string, string][];
  body: Buffer;
  bodySha256: string;
  wireBytes: number;
  /** Monotonic clock. */
  firstByteNs: bigint;
  lastByteNs: bigint;
}

/** Value of the first header called `name` (lower case). */
export function headerOf(headers: readonly [string, string][], name: string): string | undefined {
  return headers.find(([headerName]) => headerName.toLowerCase() === name)?.[1];
}

export class RequestError extends Error {
  override readonly name = 'RequestError';
}

export interface RequestReader {
  /** The next request; undefined once the client has closed. Throws a `RequestError` on anything that is no HTTP/1.1. */
  next(): Promise<IncomingRequest | undefined>;
  /** Ends the reading, for another protocol. Gives what was read and belongs to no request. */
  handOver(): Buffer;
  /** The client sent its end, or the connection failed. */
  readonly isOver: boolean;
  /** Resolves when `isOver` becomes true. */
  over(): Promise<void>;
}

/** `onContinue` is called between head and body of a request that expects `100-continue`. */
export function createRequestReader(socket: Duplex, onContinue: () => void): RequestReader {
  let buffered: Buffer = Buffer.alloc(0);
  let bufferedAtNs = 0n;
  let isOver = false;
  let wake: (() => void) | undefined;
  const overWaiters: (() => void)[] = [];

  function take(bytes: Buffer): void {
    bufferedAtNs = process.hrtime.bigint();
    pieces.push(bytes);
    piecesBytes += bytes.length;
    if (piecesBytes > MAX_BUFFERED_BYTES) {
      socket.pause();
    }
    wake?.();
  }
  socket.on('data', take);
  // Joined only when someone looks, so that a large body costs one copy and not one a read.
  let pieces: Buffer[] = [];
  let piecesBytes = 0;

  function finish(): void {
    if (!isOver) {
      isOver = true;
      for (const waiter of overWaiters) {
        waiter();
      }
    }
    wake?.();
  }
  socket.on('end', finish);
  socket.on('close', finish);
  socket.on('error', finish);

  function join(): void {
    if (pieces.length > 0) {
      buffered =
        buffered.length === 0 && pieces.length === 1
          ? pieces[0]!
          : Buffer.concat([buffered, ...pieces]);
      pieces = [];
      piecesBytes = 0;
      socket.resume();
    }
  }

  /** Waits for input; false when there will be none. */
  async function more(): Promise<boolean> {
    while (pieces.length === 0) {
      if (isOver) {
        return false;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      wake = undefined;
    }
    return true;
  }

  async function readLine(limit: number): Promise<string> {
    for (;;) {
      const end = buffered.indexOf('\r\n');
      if (end >= 0) {
        const line = buffered.toString('latin1', 0, end);
        buffered = buffered.subarray(end + 2);
        return line;
      }
      if (buffered.length > limit) {
        throw new RequestError('a line of the request is too long');
      }
      if (!(await more())) {
        throw new RequestError('the request ends in the middle of a line');
      }
      join();
    }
  }

  async function readExactly(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let missing = length;
    while (missing > 0) {
      if (buffered.length === 0) {
        if (!(await more())) {
          throw new RequestError('the request ends in the middle of its body');
        }
        join();
      }
      const part = buffered.subarray(0, missing);
      buffered = buffered.subarray(part.length);
      missing -= part.length;
      parts.push(part);
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  async function readChunked(): Promise<{ body: Buffer; framingBytes: number }> {
    const chunks: Buffer[] = [];
    let framingBytes = 0;
    let total = 0;
    for (;;) {
      const line = await readLine(MAX_HEAD_BYTES);
      framingBytes += line.length + 2;
      const size = /^([0-9a-fA-F]+)\s*(;.*)?$/.exec(line)?.[1];
      if (size === undefined) {
        throw new RequestError(`not a chunk size: ${line.slice(0, 40)}`);
      }
      const length = Number.parseInt(size, 16);
      if (length === 0) {
        break;
      }
      total += length;
      if (total > MAX_BODY_BYTES) {
        throw new RequestError('the request body is too large');
      }
      chunks.push(await readExactly(length));
      await readExactly(2);
      framingBytes += 2;
    }
    for (;;) {
      const trailer = await readLine(MAX_HEAD_BYTES);
      framingBytes += trailer.length + 2;
      if (trailer === '') {
        return { body: Buffer.concat(chunks), framingBytes };
      }
    }
  }

  async function next(): Promise<IncomingRequest | undefined> {
    join();
    if (buffered.length === 0) {
      if (!(await more())) {
        return undefined;
      }
    }
    const firstByteNs = bufferedAtNs;
    join();
    const requestLine = await readLine(MAX_HEAD_BYTES);
    let wireBytes = requestLine.length + 2;
    const match = /^([!-~]+) (\S+) HTTP\/(1\.[01])$/.exec(requestLine);
    if (match === null) {
      throw new RequestError(`not an HTTP/1.1 request line: ${requestLine.slice(0, 80)}`);
    }
    const headers: [string, string][] = [];
    for (;;) {
      const line = await readLine(MAX_HEAD_BYTES);
      wireBytes += line.length + 2;
      if (line === '') {
        break;
      }
      const colon = line.indexOf(':');
      if (colon <= 0) {
        throw new RequestError(`not a header field: ${line.slice(0, 80)}`);
      }
      headers.push([line.slice(0, colon), line.slice(colon + 1).trim()]);
      if (wireBytes > MAX_HEAD_BYTES) {
        throw new RequestError('the head of the request is too large');
      }
    }
    if (headerOf(headers, 'expect')?.toLowerCase() === '100-continue') {
      onContinue();
    }
    let body: Buffer = Buffer.alloc(0);
    if (headerOf(headers, 'transfer-encoding')?.toLowerCase() === 'chunked') {
      const chunked = await readChunked();
      body = chunked.body;
      wireBytes += chunked.framingBytes;
    } else {
      const length = headerOf(headers, 'content-length') ?? '0';
      if (!/^\d{1,12}$/.test(length) || Number(length) > MAX_BODY_BYTES) {
        throw new RequestError(`not a usable content length: ${length.slice(0, 40)}`);
      }
      body = await readExactly(Number(length));
    }
    return {
      method: match[1]!,
      target: match[2]!,
      version: match[3]!,
      headers,
      body,
      bodySha256: createHash('sha256').update(body).digest('hex'),
      wireBytes: wireBytes + body.length,
      firstByteNs,
      lastByteNs: bufferedAtNs,
    };
  }

  return {
    next,
    handOver() {
      socket.off('data', take);
      join();
      return buffered;
    },
    get isOver() {
      return isOver;
    },
    over: () =>
      isOver
        ? Promise.resolve()
        : new Promise((resolve) => {
            overWaiters.push(resolve);
          }),
  };
}
