/**
 * What the next rooms see of a WebSocket: its messages, each in its direction.
 * RFC 6455, https://www.rfc-editor.org/rfc/rfc6455
 */
import type { ConnectionRef, Direction } from '../../capture/events.ts';
import type { EndReason } from '../../transport/connection.ts';
import type { Damage } from '../../util/damage.ts';
import type { BodySink, Exchange, Role } from '../exchange.ts';

/**
 * - `none`: messages are sent as they are.
 * - `permessage-deflate`: RFC 7692.
 * - `unknown`: an extension we do not know, or observation began after the handshake.
 */
export type WebSocketCompression = 'none' | 'permessage-deflate' | 'unknown';

export interface WebSocketConnection {
  connection: ConnectionRef;
  /** The side the observed process is on: the one that opened the WebSocket is the client. */
  role: Role;
  /** The exchange that opened it: URL, subprotocol and headers are there. Absent when joined midway. */
  upgrade?: Exchange;
  compression: WebSocketCompression;
}

export interface WebSocketMessage {
  direction: Direction;
  sender: Role;
  opcode: 'text' | 'binary';
  /** Number of the message in its direction, counted from 0 over those of which the beginning was seen. */
  ordinal: number;
  isCompressed: boolean;
  /** Entry of the call that carried the first byte of its first frame. */
  startNs: bigint;
  /** Return of the call that carried its last byte so far. */
  endNs: bigint;
  /** Payload bytes on the wire so far, before decompression, lost ones included. */
  wireBytes: number;
  /** Payload bytes handed out so far, after decompression. */
  contentBytes: number;
  /** Its last frame was read to its end. */
  complete: boolean;
  /**
   * Also why a compressed message could not be decoded: the kind of what was lost before, that it refers to.
   */
  damage: Damage;
}

export interface WebSocketClose {
  direction: Direction;
  sender: Role;
  /** As in the frame, RFC 6455 §7.4; absent when the frame has none. */
  code?: number;
  /** UTF-8 as sent. */
  reason: string;
}

/** What a later stage wants to know of one WebSocket. Every method is optional. */
export interface WebSocketObserver {
  /**
   * A message began. The sink gets its payload, unmasked and decompressed, as it arrives; `gap` where bytes of it
   * are missing or cannot be decoded. Bytes are valid only during the call. Undefined: the payload is not wanted.
   */
  message?(message: WebSocketMessage): BodySink | undefined;
  /** The message is over, after its sink's `end`. Called once for every message begun. */
  messageEnd?(message: WebSocketMessage, timeNs: bigint): void;
  /** Bytes are missing between messages: whole messages of this direction may not have been seen. */
  gap?(direction: Direction, lostBytes: number | undefined, timeNs: bigint): void;
  close?(close: WebSocketClose, timeNs: bigint): void;
  /** The connection is over. After `timeout` alone more messages may follow. */
  end?(reason: EndReason, timeNs: bigint): void;
}

/** Called when a WebSocket is opened, or recognised; returns who looks at it further. */
export type WebSocketHandler = (socket: WebSocketConnection) => WebSocketObserver | undefined;

export interface WebSocketCounters {
  sockets: number;
  messages: number;
  damagedMessages: number;
  /** Messages of which a limit kept something back. */
  messageLimits: number;
  /** Places where a frame should have begun but none did. */
  framingErrors: number;
  /** Frame boundaries found again after a loss. */
  resynchronisations: number;
  /** Frames of messages whose beginning was lost: they are read over. */
  orphanFrames: number;
}

export function createWebSocketCounters(): WebSocketCounters {
  return {
    sockets: 0,
    messages: 0,
    damagedMessages: 0,
    messageLimits: 0,
    framingErrors: 0,
    resynchronisations: 0,
    orphanFrames: 0,
  };
}
