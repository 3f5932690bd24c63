/** Sends a planned response over one connection and records what really went out. */
import { createHash } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { createContentEncoder, negotiate } from './content-encoder.ts';
import type { ResponseTruth } from './exchange-truth.ts';
import type { Random } from './random.ts';
import { headerOf, type IncomingRequest } from './request-reader.ts';
import type { BodyPiece, ResponsePlan } from './response-plan.ts';
import { createResponseWriter, type ResponseWriter, type Transfer } from './response-writer.ts';

export interface SendContext {
  socket: Duplex;
  request: IncomingRequest;
  random: Random;
  /** Aborted when the server stops: nothing is sent after a wait that ends later. */
  signal: AbortSignal;
  /** Sends a TCP reset. */
  reset: () => void;
  /** Resolves when the client has closed. */
  clientGone: () => Promise<void>;
}

export interface Sent {
  truth: ResponseTruth;
  /** The connection can carry another exchange. */
  keepAlive: boolean;
  /** Every write was taken by the socket. */
  delivered: boolean;
}

/** How a body came to its end. */
type BodyEnd = 'whole' | 'failed' | 'gone';

/** Resolves to false when the server has stopped meanwhile. Does not keep the process alive. */
function wait(ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(!signal.aborted), ms).unref();
  });
}

function reason(status: number): string {
  return status === 529 ? 'Overloaded' : (STATUS_CODES[status] ?? 'Unknown');
}

function headText(status: number, headers: readonly [string, string][]): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `HTTP/1.1 ${status} ${reason(status)}\r\n${lines}\r\n`;
}

/** An encoded piece: what goes out, and the pieces that are complete once it is out. */
interface EncodedPiece {
  bytes: Buffer;
  completes: BodyPiece[];
}

export async function sendResponse(plan: ResponsePlan, context: SendContext): Promise<Sent> {
  const { scenario } = plan;
  const { request, signal } = context;
  const asked = scenario.encoding ?? 'identity';
  const encoding =
    asked === 'negotiate' ? negotiate(headerOf(request.headers, 'accept-encoding')) : asked;
  const encoder = createContentEncoder(encoding);
  const clientCloses =
    request.version === '1.0' || headerOf(request.headers, 'connection')?.toLowerCase() === 'close';
  const transfer: Transfer = !plan.hasBody
    ? 'none'
    : request.version === '1.0'
      ? 'close'
      : (scenario.transfer ?? (plan.isStream ? 'chunked' : 'length'));
  const keepAlive = !clientCloses && scenario.close !== true && transfer !== 'close';
  const cut = plan.isStream ? 'event' : 'whole';
  const writer: ResponseWriter = createResponseWriter({
    socket: context.socket,
    transfer,
    chunkBytes: scenario.chunkBytes ?? 'event',
    writeBytes: scenario.writeBytes ?? cut,
    random: context.random,
  });
  const decodedHash = createHash('sha256');
  let decodedBytes = 0;
  let events = 0;
  let interim: number[] = [];

  /** Without a flush an encoder may keep a piece: it is complete when a later one comes out. */
  const flushes = plan.isStream && scenario.flush !== 'end';
  let waiting: BodyPiece[] = [];
  async function encode(piece: BodyPiece): Promise<EncodedPiece> {
    const bytes = await encoder.push(piece.bytes, flushes);
    waiting.push(piece);
    if (!flushes && encoder.header !== undefined) {
      return { bytes, completes: [] };
    }
    const completes = waiting;
    waiting = [];
    return { bytes, completes };
  }
  async function encodeEnd(): Promise<EncodedPiece> {
    const completes = waiting;
    waiting = [];
    return { bytes: await encoder.end(), completes };
  }

  function write(piece: EncodedPiece): Promise<boolean> {
    return writer.body(piece.bytes, () => {
      for (const complete of piece.completes) {
        decodedBytes += complete.bytes.length;
        decodedHash.update(complete.bytes);
        events += plan.isStream ? 1 : 0;
        complete.effect?.();
      }
    });
  }

  async function writeBody(pieces: AsyncIterable<EncodedPiece> | EncodedPiece[]): Promise<BodyEnd> {
    const startMs = performance.now();
    const intervalMs = scenario.intervalMs ?? 0;
    let position = 0;
    for await (const piece of pieces) {
      if (intervalMs > 0 && position > 0) {
        // Against the start, not the last event: a late timer must not make every later event late too.
        const dueMs = startMs + position * intervalMs;
        if (!(await wait(Math.max(0, dueMs - performance.now()), signal))) {
          return 'gone';
        }
      }
      const fail = scenario.fail;
      if (fail !== undefined && fail.how !== 'error-event' && position === fail.afterEvents) {
        if (fail.midEvent === true) {
          const half = piece.bytes.subarray(0, Math.ceil(piece.bytes.length / 2));
          await writer.body(half);
        }
        await writer.flush();
        return 'failed';
      }
      if (!(await write(piece))) {
        return 'gone';
      }
      position += 1;
    }
    return 'whole';
  }

  async function* encodedPieces(): AsyncGenerator<EncodedPiece> {
    for (const piece of plan.pieces) {
      yield await encode(piece);
    }
    const end = await encodeEnd();
    if (end.bytes.length > 0 || end.completes.length > 0) {
      yield end;
    }
  }

  // A body of announced length has to be encoded before its head can be written.
  let ahead: EncodedPiece[] | undefined;
  if (transfer === 'length' || transfer === 'none') {
    ahead = [];
    for await (const piece of encodedPieces()) {
      ahead.push(piece);
    }
  }
  const headers: [string, string][] = [...plan.headers, ...(scenario.headers ?? [])];
  if (encoder.header !== undefined) {
    headers.push(['content-encoding', encoder.header]);
  }
  if (transfer === 'chunked') {
    headers.push(['transfer-encoding', 'chunked']);
  } else if (ahead !== undefined && plan.status !== 204) {
    const length = ahead.reduce((sum, piece) => sum + piece.bytes.length, 0);
    headers.push(['content-length', String(length)]);
  }
  if (scenario.trailers !== undefined && transfer === 'chunked') {
    headers.push(['trailer', scenario.trailers.map(([name]) => name).join(', ')]);
  }
  headers.push(['connection', keepAlive ? 'keep-alive' : 'close']);

  const run = async (): Promise<BodyEnd> => {
    if (scenario.delayMs !== undefined && !(await wait(scenario.delayMs, signal))) {
      return 'gone';
    }
    for (const status of scenario.interim ?? []) {
      const hint: [string, string][] =
        status === 103 ? [['link', '</style.css>; rel=preload']] : [];
      if (!(await writer.head(headText(status, hint), true))) {
        return 'gone';
      }
      interim = [...interim, status];
    }
    if (!(await writer.head(headText(plan.status, headers), false))) {
      return 'gone';
    }
    if (transfer === 'none') {
      return (await writer.flush()) ? 'whole' : 'gone';
    }
    const end = await writeBody(ahead ?? encodedPieces());
    if (end !== 'whole') {
      return end;
    }
    return (await writer.end(scenario.trailers ?? [])) ? 'whole' : 'gone';
  };

  const end = await run();
  if (end === 'failed') {
    if (scenario.fail?.how === 'reset') {
      context.reset();
    } else if (scenario.fail?.how === 'hang') {
      await context.clientGone();
    }
  }
  const written = writer.state();
  const nowNs = process.hrtime.bigint();
  const truth: ResponseTruth = {
    status: plan.status,
    headers,
    interim,
    encoding: encoder.header ?? 'identity',
    transfer,
    bodyBytes: written.bodyBytes,
    bodySha256: written.bodySha256,
    decodedBytes,
    decodedSha256: decodedHash.digest('hex'),
    wireBytes: written.wireBytes,
    events,
    firstByteNs: String(written.firstByteNs ?? nowNs),
    lastByteNs: String(written.lastByteNs ?? nowNs),
    complete: end === 'whole',
  };
  if (written.firstBodyByteNs !== undefined) {
    truth.firstBodyByteNs = String(written.firstBodyByteNs);
  }
  return { truth, keepAlive: keepAlive && end === 'whole', delivered: end === 'whole' };
}
