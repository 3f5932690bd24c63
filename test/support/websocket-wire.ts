/**
 * WebSocket conversations for tests: frames written here independently of the code under test, sent through
 * transport and http behind a handshake, and observed.
 */
import { constants, deflateRawSync } from 'node:zlib';
import type { Direction } from '../../src/capture/events.ts';
import type { Role } from '../../src/http/exchange.ts';
import type { WebSocketLimits } from '../../src/http/websocket/limits.ts';
import type {
  WebSocketClose,
  WebSocketConnection,
  WebSocketHandler,
  WebSocketMessage,
} from '../../src/http/websocket/websocket.ts';
import { createWebSocketCounters } from '../../src/http/websocket/websocket.ts';
import {
  createWebSocketStage,
  type WebSocketStageOptions,
} from '../../src/http/websocket/websocket-upgrade.ts';
import { type Call, captureEvents, observe, type RunOptions } from './http-generator.ts';

export interface FrameDescription {
  opcode: number;
  payload: Uint8Array;
  fin?: boolean;
  rsv1?: boolean;
  /** Absent: not masked. */
  key?: Uint8Array;
}

export function frame({ opcode, payload, fin, rsv1, key }: FrameDescription): Buffer {
  const first = (fin === false ? 0 : 0x80) | (rsv1 ? 0x40 : 0) | opcode;
  const mask = key ? 0x80 : 0;
  const { length } = payload;
  let head: Buffer;
  if (length < 126) {
    head = Buffer.from([first, mask | length]);
  } else if (length < 65_536) {
    head = Buffer.from([first, mask | 126, length >> 8, length & 0xff]);
  } else {
    head = Buffer.alloc(10);
    head.set([first, mask | 127]);
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  if (key === undefined) {
    return Buffer.concat([head, payload]);
  }
  const masked = Buffer.from(payload).map((byte, index) => byte ^ (key[index & 3] as number));
  return Buffer.concat([head, key, masked]);
}

/** A sender's compressor, as RFC 7692 §7.2.1 says: the window of earlier messages is a dictionary. */
export function createCompressor(keepsContext: boolean): (payload: Uint8Array) => Buffer {
  let window = Buffer.alloc(0);
  return (payload) => {
    const deflated = deflateRawSync(payload, {
      finishFlush: constants.Z_SYNC_FLUSH,
      ...(window.length > 0 ? { dictionary: window } : {}),
    });
    if (keepsContext) {
      window = Buffer.concat([window, payload]).subarray(-32_768);
    }
    return deflated.subarray(0, -4);
  };
}

export function handshake(extensions?: string, path = '/v1/realtime'): Call[] {
  const offer = extensions === undefined ? '' : 'Sec-WebSocket-Extensions: permessage-deflate\r\n';
  const agreed = extensions === undefined ? '' : `Sec-WebSocket-Extensions: ${extensions}\r\n`;
  const common = 'Upgrade: websocket\r\nConnection: Upgrade\r\n';
  return [
    {
      side: 'request',
      bytes: Buffer.from(
        `GET ${path} HTTP/1.1\r\nHost: h.example\r\n${common}` +
          `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n${offer}\r\n`,
      ),
    },
    {
      side: 'response',
      bytes: Buffer.from(
        `HTTP/1.1 101 Switching Protocols\r\n${common}` +
          `Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n${agreed}\r\n`,
      ),
    },
  ];
}

export interface SeenMessage {
  message: WebSocketMessage;
  content: Buffer;
  holes: number;
  isEnded: boolean;
  times: bigint[];
}

export interface SeenSocket {
  socket: WebSocketConnection;
  messages: SeenMessage[];
  closes: WebSocketClose[];
  gaps: { direction: Direction; lostBytes: number | undefined }[];
  ends: string[];
}

/** A handler that keeps everything. */
export function createSocketWitness(): { handler: WebSocketHandler; sockets: SeenSocket[] } {
  const sockets: SeenSocket[] = [];
  return {
    sockets,
    handler(socket) {
      const seen: SeenSocket = { socket, messages: [], closes: [], gaps: [], ends: [] };
      sockets.push(seen);
      const open = new Map<WebSocketMessage, SeenMessage>();
      return {
        message(message) {
          const parts: Buffer[] = [];
          const one: SeenMessage = {
            message,
            content: Buffer.alloc(0),
            holes: 0,
            isEnded: false,
            times: [],
          };
          seen.messages.push(one);
          open.set(message, one);
          return {
            data(bytes, timeNs) {
              parts.push(Buffer.from(bytes));
              one.times.push(timeNs);
            },
            gap() {
              one.holes += 1;
            },
            end() {
              one.content = Buffer.concat(parts);
            },
          };
        },
        messageEnd(message) {
          const one = open.get(message);
          if (one === undefined || one.isEnded) {
            throw new Error('a message ended twice, or never began');
          }
          one.isEnded = true;
        },
        gap: (direction, lostBytes) => seen.gaps.push({ direction, lostBytes }),
        close: (close) => seen.closes.push(close),
        end: (reason) => seen.ends.push(reason),
      };
    },
  };
}

export interface SocketRunOptions extends RunOptions {
  limits?: Partial<WebSocketLimits>;
  extensions?: string;
  stage?: Partial<WebSocketStageOptions>;
}

/** Sends the calls behind a handshake; returns what was seen of the one WebSocket. */
export function runSocket(calls: readonly Call[], options: SocketRunOptions = {}) {
  const witness = createSocketWitness();
  const counters = createWebSocketCounters();
  const stage = createWebSocketStage({
    handler: witness.handler,
    counters,
    ...(options.limits ? { limits: options.limits } : {}),
    ...options.stage,
  });
  const events = captureEvents([...handshake(options.extensions), ...calls], options);
  observe(events, { upgrade: stage.upgrade, ...options.http });
  const [seen] = witness.sockets;
  if (seen === undefined) {
    throw new Error('no WebSocket was seen');
  }
  return { ...seen, counters };
}

/** Messages of one sender as text or latin1, with their damage. */
export function summaryOf(seen: Pick<SeenSocket, 'messages'>, sender: Role): unknown[] {
  return seen.messages
    .filter(({ message }) => message.sender === sender)
    .map(({ message, content, holes }) => ({
      opcode: message.opcode,
      content: content.toString('latin1'),
      complete: message.complete,
      holes,
      damage: [...message.damage.kinds],
      lostBytes: message.damage.lostBytes,
    }));
}
