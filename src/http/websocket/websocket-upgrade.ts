/**
 * Opens the parser of a WebSocket: behind the exchange that agreed on it, or where frames are recognised in a
 * connection that was joined midway.
 * RFC 6455 §4, https://www.rfc-editor.org/rfc/rfc6455#section-4
 */

import type { ConnectionRef, DecodedPiece, Direction } from '../../capture/events.ts';
import type { ConnectionParser } from '../../transport/connection.ts';
import type { SecretFinder } from '../../util/key-shapes.ts';
import type { Exchange, Role } from '../exchange.ts';
import { type AgreedExtensions, agreedExtensions, UNKNOWN_EXTENSIONS } from './extensions.ts';
import { DEFAULT_WEBSOCKET_LIMITS, type WebSocketLimits } from './limits.ts';
import {
  createWebSocketCounters,
  type WebSocketConnection,
  type WebSocketCounters,
  type WebSocketHandler,
} from './websocket.ts';
import { createWebSocketParser, type WebSocketParserContext } from './websocket-parser.ts';

export type ReleaseSink = (
  connection: ConnectionRef,
  direction: Direction,
  upToPosition: number,
) => void;

export interface WebSocketStageOptions {
  handler: WebSocketHandler;
  limits?: Partial<WebSocketLimits>;
  /**
   * As of the http room: bytes that are a credential or could not be examined. Given, messages that are not
   * compressed are searched for keys. `replacement` is there for masked frames: the star, masked.
   */
  onSecret?(
    connection: ConnectionRef,
    direction: Direction,
    position: number,
    length: number,
    replacement?: Uint8Array,
  ): void;
  /** As of the http room: what pieces of compressed messages decode to. Without it all of them are in that. */
  onDecoded?(connection: ConnectionRef, direction: Direction, piece: DecodedPiece): void;
  onRelease?: ReleaseSink;
  /** What is secret besides what the built-in rules find. */
  findAddedSecrets?: SecretFinder;
  /** Counted in place. */
  counters?: WebSocketCounters;
}

export interface WebSocketStage {
  /**
   * The parser of what follows `exchange`; undefined when that agreed on no WebSocket, or nobody wants it. It
   * reports every secret and release of its bytes itself, releases to `onRelease` when that is given.
   */
  upgrade(exchange: Exchange, onRelease?: ReleaseSink): ConnectionParser | undefined;
  /** The parser of a connection on which frames were recognised (`webSocketSender`), observed side `role`. */
  join(connection: ConnectionRef, role: Role): ConnectionParser | undefined;
}

export function createWebSocketStage(options: WebSocketStageOptions): WebSocketStage {
  const context: WebSocketParserContext = {
    limits: { ...DEFAULT_WEBSOCKET_LIMITS, ...options.limits },
    counters: options.counters ?? createWebSocketCounters(),
  };
  if (options.findAddedSecrets) {
    context.findAddedSecrets = options.findAddedSecrets;
  }
  if (options.onSecret) {
    context.onSecret = options.onSecret;
  }
  if (options.onDecoded) {
    context.onDecoded = options.onDecoded;
  }
  if (options.onRelease) {
    context.onRelease = options.onRelease;
  }

  function open(
    socket: WebSocketConnection,
    extensions: AgreedExtensions,
    onRelease?: ReleaseSink,
  ): ConnectionParser | undefined {
    const observer = options.handler(socket);
    // For a recording, messages that nobody else wants are searched for keys all the same.
    return observer === undefined && options.onSecret === undefined
      ? undefined
      : createWebSocketParser(
          socket,
          extensions,
          observer ?? {},
          onRelease === undefined ? context : { ...context, onRelease },
        );
  }

  return {
    upgrade(exchange, onRelease) {
      if (!opensWebSocket(exchange)) {
        return undefined;
      }
      const extensions = agreedExtensions(
        exchange.response?.headers.get('sec-websocket-extensions'),
      );
      const { connection, role } = exchange;
      const { compression } = extensions;
      return open({ connection, role, upgrade: exchange, compression }, extensions, onRelease);
    },
    join: (connection, role) =>
      open({ connection, role, compression: 'unknown' }, UNKNOWN_EXTENSIONS),
  };
}

/** Whether the exchange is an opening handshake that the server accepted (RFC 6455 §4.2.2, RFC 8441 §5). */
function opensWebSocket(exchange: Exchange): boolean {
  const { request, response } = exchange;
  if (exchange.version === '2') {
    const protocol = request?.headers.get(':protocol');
    return request?.method === 'CONNECT' && protocol === 'websocket' && response?.status === 200;
  }
  const upgrade = response?.headers.get('upgrade') ?? '';
  return response?.status === 101 && /(?:^|[\s,])websocket(?:$|[\s,/])/i.test(upgrade);
}
