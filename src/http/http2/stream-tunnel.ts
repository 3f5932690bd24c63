/**
 * A stream that left HTTP: the DATA of both its directions is a WebSocket.
 * RFC 8441 §5, https://www.rfc-editor.org/rfc/rfc8441#section-5
 */
import type { Direction } from '../../capture/events.ts';
import type { ChunkTime } from '../../transport/connection.ts';
import type { Exchange } from '../exchange.ts';
import type { HttpContext } from '../http-options.ts';

export interface StreamTunnel {
  data(direction: Direction, bytes: Uint8Array, at: ChunkTime, position: number): void;
  /** An unknown number of bytes are missing when `size` is undefined. */
  gap(direction: Direction, size: number | undefined, at: ChunkTime): void;
  /** Nothing came for long; more may. */
  rest(timeNs: bigint): void;
  end(timeNs: bigint): void;
}

/** What the tunnel holds back of one direction, as the connection asks scanners for it. */
interface Pending {
  letGo(): void;
  pendingPosition: number | undefined;
}

/** Undefined when the exchange opens no WebSocket, or nobody wants it. `scanners` are the connection's. */
export function openStreamTunnel(
  exchange: Exchange,
  context: HttpContext,
  scanners: Record<Direction, Set<Pending>>,
): StreamTunnel | undefined {
  const letGo = (): void => parser?.letGo?.();
  const pending: Record<Direction, Pending> = {
    read: { letGo, pendingPosition: undefined },
    write: { letGo, pendingPosition: undefined },
  };
  const ends = { read: 0, write: 0 };
  // Other streams share the connection: how far it is released is not this one's to say.
  const parser = context.webSockets.upgrade(exchange, (_connection, direction, upTo) => {
    pending[direction].pendingPosition = upTo < ends[direction] ? upTo : undefined;
  });
  if (parser === undefined) {
    return undefined;
  }
  return {
    data(direction, bytes, at, position) {
      ends[direction] = position + bytes.length;
      scanners[direction].add(pending[direction]);
      parser.data(direction, bytes, at, position);
    },
    gap: (direction, size, at) => parser.gap(direction, size, at),
    rest: (timeNs) => parser.end('timeout', timeNs),
    end(timeNs) {
      parser.end('closed', timeNs);
      scanners.read.delete(pending.read);
      scanners.write.delete(pending.write);
    },
  };
}
