/** What the http room is composed with, and what it counts. */
import type { ConnectionRef, DecodedPiece, Direction } from '../capture/events.ts';
import type { VerdictSink } from '../capture/verdict.ts';
import type { ConnectionParser } from '../transport/connection.ts';
import type { SecretFinder } from '../util/key-shapes.ts';
import type { Exchange, ExchangeHandler } from './exchange.ts';
import { createHttp2Counters, type Http2Counters } from './http2/counters.ts';
import type { HttpLimits } from './limits.ts';
import type { WebSocketLimits } from './websocket/limits.ts';
import {
  createWebSocketCounters,
  type WebSocketCounters,
  type WebSocketHandler,
} from './websocket/websocket.ts';
import type { WebSocketStage } from './websocket/websocket-upgrade.ts';

export interface HttpStageOptions {
  handler: ExchangeHandler;
  limits?: Partial<HttpLimits>;
  /** A stream of a connection that carries many is ended as unfinished when it was silent for longer. */
  streamTimeoutNs?: bigint;
  /** Every exchange when it is over, seen by an observer or not. */
  onExchange?(exchange: Exchange, timeNs: bigint): void;
  /**
   * `length` bytes at `position` of this direction's stream are a credential, or cannot be examined for any.
   * Called before the bytes are released. Given, unencoded bodies are searched for keys too. `replacement` has
   * as many bytes: where the stream would not be decodable with anything else in their place (a Huffman code).
   */
  onSecret?(
    connection: ConnectionRef,
    direction: Direction,
    position: number,
    length: number,
    replacement?: Uint8Array,
  ): void;
  /**
   * Of a compressed body or message: what a piece of it decodes to, credentials masked. Whoever is told overwrites the
   * piece's own bytes. Called before they are released. Every compressed byte is in one of these or in `onSecret`.
   */
  onDecoded?(connection: ConnectionRef, direction: Direction, piece: DecodedPiece): void;
  /** What is secret besides what the built-in rules find, in Latin-1 text of headers, targets and bodies. */
  findAddedSecrets?: SecretFinder;
  /**
   * Every secret before `upToPosition` of this direction's stream has been reported. A position that is lower than
   * one before says nothing new.
   */
  onRelease?(connection: ConnectionRef, direction: Direction, upToPosition: number): void;
  /**
   * Makes the parser of a connection that turns out to speak HTTP/2; it gets everything from the preface on
   * (RFC 9113 §3.4), or from frames that were recognised. Absent: the http room's own.
   */
  http2?(connection: ConnectionRef): ConnectionParser;
  /** Asked about every WebSocket, opened before our eyes or recognised by its frames. */
  webSocket?: WebSocketHandler;
  webSocketLimits?: Partial<WebSocketLimits>;
  /**
   * Makes the parser of what follows an exchange whose connection left HTTP (101 Switching Protocols, CONNECT),
   * before the http room's own are asked (WebSocket, HTTP/2). It reports every secret and release of its bytes
   * itself. Undefined, of all of them: the bytes are skipped.
   */
  upgrade?(exchange: Exchange): ConnectionParser | undefined;
  /** Nobody wants anything of connections on which the process only answers. */
  leavesOutServed?: boolean;
  /** Told which bytes nobody wants: of bodies without an observer, and of connections that are no HTTP. */
  onVerdict?: VerdictSink;
  /** Counted in place. */
  counters?: HttpCounters;
}

export interface HttpCounters {
  http1Connections: number;
  http2Connections: number;
  /** Connections that left HTTP. */
  upgrades: number;
  exchanges: number;
  /** Exchanges with any damage. */
  damagedExchanges: number;
  /** Requests of which no head was read and that got no response: no exchange is reported of them. */
  unreadableRequests: number;
  /** Places where a message or chunk should have begun but none did, and HTTP/2 frames that none may send. */
  framingErrors: number;
  /** Heads cut by `maxHeadBytes` or `maxHeaderFields`. */
  headLimits: number;
  /** Bodies not decoded to their end: `maxDecodedBytes`, `maxDecodeRatio`, `maxContentEncodings`. */
  decodeLimits: number;
  /** Forms of more parts than `maxFormParts`, or with a larger head than `maxFormPartHeadBytes`. */
  formLimits: number;
  /** Connections on which more than `maxPendingExchanges` waited for their responses. */
  pendingLimits: number;
  http2: Http2Counters;
  webSocket: WebSocketCounters;
}

export function createHttpCounters(): HttpCounters {
  return {
    http1Connections: 0,
    http2Connections: 0,
    upgrades: 0,
    exchanges: 0,
    damagedExchanges: 0,
    unreadableRequests: 0,
    framingErrors: 0,
    headLimits: 0,
    decodeLimits: 0,
    formLimits: 0,
    pendingLimits: 0,
    http2: createHttp2Counters(),
    webSocket: createWebSocketCounters(),
  };
}

/** The options with every default in its place. */
export interface HttpContext extends HttpStageOptions {
  limits: HttpLimits;
  streamTimeoutNs: bigint;
  counters: HttpCounters;
  webSockets: WebSocketStage;
}
