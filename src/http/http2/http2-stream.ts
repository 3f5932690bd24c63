/**
 * One stream of an HTTP/2 connection: an exchange on its way from its first frame to its last.
 * RFC 9113 §5.1 and §8.1, https://www.rfc-editor.org/rfc/rfc9113#section-8.1
 */
import type { ConnectionRef, Direction } from '../../capture/events.ts';
import type { ChunkTime } from '../../transport/connection.ts';
import { Damage, type DamageKind } from '../../util/damage.ts';
import {
  createEncodedScanner,
  createHeadlessScanner,
  createPlainScanner,
} from '../body-scanners.ts';
import type { BodySecretScanner } from '../body-secret-scanner.ts';
import type { DecodingScanner } from '../decoding-scanner.ts';
import {
  type BodySink,
  type Exchange,
  type ExchangeObserver,
  Headers,
  type MessageBase,
  type RequestMessage,
  type Role,
} from '../exchange.ts';
import { withFormParts } from '../form-parts.ts';
import type { HttpContext } from '../http-options.ts';
import { createMessageBody, isEncoded, type MessageBody } from '../message-body.ts';
import { listOf } from '../message-framing.ts';
import { isWorthSkipping, MIN_ONE_SIDED_BYTES } from '../verdicts.ts';
import { GrpcMessages } from './grpc-messages.ts';
import type { HeaderList } from './header-list.ts';
import { openStreamTunnel, type StreamTunnel } from './stream-tunnel.ts';

/** What holds text back until it is searched. */
export type HoldingScanner = Pick<BodySecretScanner, 'letGo' | 'pendingPosition'>;

/** What the streams of a connection share. */
export interface StreamContext {
  http: HttpContext;
  connection: ConnectionRef;
  role: Role;
  /** Scanners that hold text back, by direction: recordings wait for them. */
  scanners: Record<Direction, Set<HoldingScanner>>;
}

/** One message of the exchange. */
interface Half {
  readonly direction: Direction;
  /** The final head, or that there is none to come. */
  hasHead: boolean;
  isOver: boolean;
  /** Something of it may be missing, which explains that it is not complete. */
  isLost: boolean;
  /** Why its head may never come: set when frames were lost before it. */
  lackCause: DamageKind | undefined;
  body: MessageBody | undefined;
  scanner: BodySecretScanner | undefined;
  /** In its place, of a body that is encoded. */
  decodingScanner: DecodingScanner | undefined;
  grpc: GrpcMessages | undefined;
  /** It was decided whether a verdict on its body is worth giving. */
  isJudged: boolean;
}

const NO_FIELDS = new Headers([]);

export class Http2Stream {
  readonly id: number;
  readonly exchange: Exchange;
  /** Time of its last frame. */
  lastNs: bigint;
  isEnded = false;
  private readonly context: StreamContext;
  private readonly request: Half;
  private readonly response: Half;
  private observer: ExchangeObserver | undefined;
  private isHandled = false;
  private tunnel: StreamTunnel | undefined;

  constructor(id: number, ordinal: number, context: StreamContext, timeNs: bigint) {
    const { connection, role } = context;
    this.id = id;
    this.context = context;
    this.lastNs = timeNs;
    this.exchange = { connection, role, version: '2', ordinal, damage: new Damage() };
    const requestDirection: Direction = role === 'client' ? 'write' : 'read';
    this.request = createHalf(requestDirection);
    this.response = createHalf(requestDirection === 'write' ? 'read' : 'write');
  }

  private half(direction: Direction): Half {
    return direction === this.request.direction ? this.request : this.response;
  }

  private message(half: Half): MessageBase | undefined {
    return half === this.request ? this.exchange.request : this.exchange.response;
  }

  hasHead(direction: Direction): boolean {
    return this.half(direction).hasHead;
  }

  /** The message of this direction has not ended. */
  isOpen(direction: Direction): boolean {
    return !this.half(direction).isOver;
  }

  // ---- heads -----------------------------------------------------------------------------------------------

  requestHead(list: HeaderList, start: ChunkTime, at: ChunkTime, isEndStream: boolean): void {
    const headers = list.request();
    this.exchange.request = {
      startNs: start.enterNs,
      endNs: at.timeNs,
      // CONNECT has no path: its target is the authority, as on a request line (RFC 9113 §8.5).
      method: list.method ?? '',
      target: list.path ?? list.authority ?? '',
      headers,
      bodyBytes: 0,
      complete: false,
    };
    this.request.hasHead = true;
    this.noteHead(list, headers);
    this.handle();
    if (!isEndStream) {
      const { request, damage } = this.exchange;
      const sink = withFormParts(request, this.observer?.requestBody, damage, this.context.http);
      this.beginBody(this.request, sink, headers);
    }
  }

  /** The request came before HTTP/2 did (h2c upgrade), whole. */
  takeRequest(request: RequestMessage): void {
    this.exchange.request = { ...request };
    this.request.hasHead = true;
    this.request.isOver = true;
    this.handle();
    this.observer?.requestBody?.end(request.bodyBytes === 0, request.endNs);
  }

  responseHead(list: HeaderList, start: ChunkTime, at: ChunkTime): void {
    this.setResponse(list.status ?? 0, list.regular(), start, at);
    this.noteHead(list, this.exchange.response?.headers ?? NO_FIELDS);
    this.tunnel = openStreamTunnel(this.exchange, this.context.http, this.context.scanners);
    if (this.tunnel !== undefined) {
      for (const half of [this.request, this.response]) {
        this.endScanner(half);
        half.scanner = undefined;
        half.isJudged = true;
      }
    }
  }

  /** Long silence ends an exchange, but not a WebSocket. False: it is none. */
  rest(timeNs: bigint): boolean {
    this.tunnel?.rest(timeNs);
    this.lastNs = timeNs;
    return this.tunnel !== undefined;
  }

  /** A response whose head was not seen: its status is 0. */
  private setResponse(status: number, headers: Headers, start: ChunkTime, at: ChunkTime): void {
    const response = {
      startNs: start.enterNs,
      endNs: at.timeNs,
      status,
      headers,
      bodyBytes: 0,
      complete: false,
    };
    this.exchange.response = response;
    this.response.hasHead = true;
    this.handle();
    this.beginBody(
      this.response,
      this.observer?.response?.(response),
      headers,
      headers !== NO_FIELDS,
    );
  }

  /** Its head was lost, or could not be read; `lostBytes` of it are missing. A later one may still come. */
  loseHead(direction: Direction, kind: DamageKind, lostBytes: number): void {
    const half = this.half(direction);
    this.exchange.damage.add(kind, lostBytes);
    half.lackCause = kind;
    half.isLost ||= half === this.request;
  }

  trailers(direction: Direction, list: HeaderList, at: ChunkTime): void {
    const message = this.message(this.half(direction));
    if (message) {
      message.trailers = list.regular();
      message.endNs = at.timeNs;
    }
    this.noteList(list);
  }

  private noteHead(list: HeaderList, headers: Headers): void {
    this.noteList(list);
    if (headers.get('content-type')?.startsWith('application/grpc')) {
      this.exchange.protocol = 'grpc';
    }
  }

  private noteList(list: HeaderList): void {
    const { damage } = this.exchange;
    if (list.droppedFields > 0) {
      damage.add('limit');
      this.context.http.counters.headLimits += 1;
    }
    if (list.malformedFields > 0) {
      damage.add('decode-error');
    }
  }

  private handle(): void {
    if (!this.isHandled) {
      this.isHandled = true;
      this.observer = this.context.http.handler(this.exchange);
    }
  }

  // ---- bodies ----------------------------------------------------------------------------------------------

  private beginBody(
    half: Half,
    sink: BodySink | undefined,
    headers: Headers,
    isHeadKnown = true,
  ): void {
    const { http } = this.context;
    const codings = listOf(headers, 'content-encoding');
    const { connection } = this.context;
    const place = { connection, direction: half.direction, isAnswer: half === this.response };
    if (isEncoded(codings)) {
      half.decodingScanner = createEncodedScanner(place, http);
    } else {
      const create = isHeadKnown ? createPlainScanner : createHeadlessScanner;
      half.scanner = create(place, http);
    }
    const { damage } = this.exchange;
    half.body = createMessageBody({ sink, codings, http, damage, scanner: half.decodingScanner });
  }

  /** The first frame seen of this direction was no head. `start` is when it began. */
  adopt(direction: Direction, cause: DamageKind, start: ChunkTime): void {
    const half = this.half(direction);
    if (half.hasHead) {
      return;
    }
    this.exchange.damage.add(half.lackCause ?? cause);
    half.isLost = true;
    half.hasHead = true;
    if (half === this.response) {
      this.setResponse(0, NO_FIELDS, start, start);
    } else {
      this.handle();
      this.beginBody(half, this.observer?.requestBody, NO_FIELDS, false);
    }
  }

  data(direction: Direction, bytes: Uint8Array, at: ChunkTime, position: number): void {
    const half = direction === this.request.direction ? this.request : this.response;
    const message = half === this.request ? this.exchange.request : this.exchange.response;
    if (message) {
      if (this.exchange.protocol === 'grpc') {
        this.countMessages(half, message, bytes, position);
      }
      message.bodyBytes += bytes.length;
      message.endNs = at.timeNs;
    }
    this.lastNs = at.timeNs;
    half.body?.data(bytes, at, position);
    this.tunnel?.data(direction, bytes, at, position);
    if (half.decodingScanner !== undefined) {
      this.context.scanners[direction].add(half.decodingScanner);
    }
    if (half.scanner !== undefined) {
      half.scanner.push(bytes, position);
      this.context.scanners[direction].add(half.scanner);
    }
  }

  private countMessages(
    half: Half,
    message: MessageBase,
    bytes: Uint8Array,
    position: number,
  ): void {
    if (half.grpc === undefined && message.bodyBytes === 0 && !half.isLost) {
      half.grpc = new GrpcMessages();
    }
    if (half.grpc) {
      half.grpc.push(bytes, (from, to) => this.overwrite(half, position + from, to - from));
      message.grpcMessages = half.grpc.count;
    } else if (!isUncompressed(message.headers.get('grpc-encoding'))) {
      this.overwrite(half, position, bytes.length);
    }
  }

  /** Nobody looks into these bytes. */
  private overwrite(half: Half, position: number, length: number): void {
    this.context.http.onSecret?.(this.context.connection, half.direction, position, length);
  }

  /** Bytes of the body are missing: where its messages begin is not known any more. */
  private loseMessages(half: Half): void {
    half.grpc = undefined;
    delete this.message(half)?.grpcMessages;
  }

  /** Whether what is left of this body is worth a verdict. True at most once. */
  judge(direction: Direction): boolean {
    const half = this.half(direction);
    const message = this.message(half);
    if (half.isJudged || message === undefined) {
      return false;
    }
    if (message.headers === NO_FIELDS && message.bodyBytes < MIN_ONE_SIDED_BYTES) {
      // Its head was lost: what it is, its length must tell.
      return false;
    }
    half.isJudged = true;
    if (half.body?.isWanted) {
      return false;
    }
    if (message.headers === NO_FIELDS) {
      return true;
    }
    const length = Number(message.headers.get('content-length') ?? Infinity);
    return isWorthSkipping(message.headers, length - message.bodyBytes);
  }

  /** `size` bytes of the body were left out because nobody wanted them. */
  dataSkip(direction: Direction, size: number, at: ChunkTime): void {
    const half = this.half(direction);
    const message = this.message(half);
    this.lastNs = at.timeNs;
    if (message) {
      message.bodyBytes += size;
      message.skippedBytes = (message.skippedBytes ?? 0) + size;
      message.endNs = at.timeNs;
    }
    this.loseMessages(half);
    this.tunnel?.gap(direction, size, at);
    this.endScanner(half);
    if (half.body?.isWanted) {
      // Somebody wants it after all: another chain than the one that judged it reads this recording.
      this.exchange.damage.add('gap');
    }
    half.body?.gap(at.timeNs);
  }

  /** `size` bytes of the body are missing, and the place of what follows is known. */
  dataGap(direction: Direction, size: number, kind: DamageKind, at: ChunkTime): void {
    const half = this.half(direction);
    const message = this.message(half);
    this.exchange.damage.add(kind, size);
    if (message) {
      message.bodyBytes += size;
      message.endNs = at.timeNs;
    }
    this.loseMessages(half);
    this.endScanner(half);
    this.tunnel?.gap(direction, size, at);
    half.body?.gap(at.timeNs);
  }

  private endScanner(half: Half): void {
    if (half.scanner !== undefined) {
      half.scanner.end();
      this.context.scanners[half.direction].delete(half.scanner);
    }
  }

  /** Once its body is over: that hands over what the scanner held. */
  private dropDecodingScanner(half: Half): void {
    if (half.decodingScanner !== undefined) {
      this.context.scanners[half.direction].delete(half.decodingScanner);
    }
  }

  // ---- ends ------------------------------------------------------------------------------------------------

  /** Its side said that it is over. True when the whole exchange is. */
  endHalf(direction: Direction, at: ChunkTime): boolean {
    const half = this.half(direction);
    if (half.isOver) {
      return false;
    }
    this.adopt(direction, 'gap', at);
    half.isOver = true;
    this.endScanner(half);
    const message = this.message(half);
    if (message) {
      message.endNs = at.timeNs;
      message.complete = true;
    }
    if (half.body) {
      half.body.end(true, at.timeNs);
    } else if (half === this.request) {
      this.observer?.requestBody?.end(true, at.timeNs);
    }
    this.dropDecodingScanner(half);
    return this.isOver;
  }

  /** The exchange gets nothing more that matters. */
  private get isOver(): boolean {
    const { request, response } = this;
    return response.isOver && (request.isOver || request.isLost);
  }

  /** Frames of this direction were lost, perhaps some of this stream. True when the exchange is over thereby. */
  lose(direction: Direction, kind: DamageKind, at: ChunkTime): boolean {
    const half = this.half(direction);
    if (half.isOver) {
      return false;
    }
    if (!half.hasHead) {
      // A head that comes after all proves that nothing of the message was in the loss.
      half.lackCause ??= kind;
      return false;
    }
    half.isLost = true;
    this.exchange.damage.add(kind);
    this.loseMessages(half);
    this.endScanner(half);
    this.tunnel?.gap(direction, undefined, at);
    half.body?.gap(at.timeNs);
    return this.isOver;
  }

  /** Ends it, whatever is unfinished. `kind` says why, unless a loss explains it already. */
  finish(kind: DamageKind, timeNs: bigint): void {
    if (this.isEnded) {
      return;
    }
    this.isEnded = true;
    const { request, response, exchange } = this;
    for (const half of [request, response]) {
      if (!half.isOver && !half.isLost) {
        exchange.damage.add(half.lackCause ?? kind);
      }
    }
    this.endScanner(request);
    this.endScanner(response);
    this.tunnel?.end(timeNs);
    request.body?.end(false, timeNs);
    response.body?.end(false, timeNs);
    this.dropDecodingScanner(request);
    this.dropDecodingScanner(response);
    const { counters } = this.context.http;
    if (!this.isHandled) {
      counters.unreadableRequests += 1;
      return;
    }
    counters.exchanges += 1;
    if (exchange.damage.any) {
      counters.damagedExchanges += 1;
    }
    this.observer?.end?.(exchange, timeNs);
    this.context.http.onExchange?.(exchange, timeNs);
  }
}

function isUncompressed(encoding: string | undefined): boolean {
  return encoding === undefined || encoding === 'identity';
}

function createHalf(direction: Direction): Half {
  return {
    direction,
    hasHead: false,
    isOver: false,
    isLost: false,
    lackCause: undefined,
    body: undefined,
    scanner: undefined,
    decodingScanner: undefined,
    grpc: undefined,
    isJudged: false,
  };
}
