/** What a wire API must provide whose calls are messages of a WebSocket: one file each, listed in `socket-apis.ts`. */
import type { BodySink } from '../http/exchange.ts';
import type { Damage } from '../util/damage.ts';
import type { JsonObject } from './json-access.ts';
import type { Operation, WireApi } from './model-call.ts';
import type { SocketCalls } from './socket-calls.ts';
import type { CallTarget } from './wire-api.ts';

export interface SocketApi {
  readonly api: WireApi;
  readonly operation: Operation;
  /** gen_ai.provider.name where the host is not known. */
  readonly provider: string;
  /** Whether a socket opened at this target speaks it. */
  matches(target: CallTarget): boolean;
  /** Whether a message can only be one of this API's: asked of a socket whose opening was not seen. */
  recognises(sender: 'client' | 'server', message: JsonObject): boolean;
  /** Makes the reader of one socket. `target` is undefined when its opening was not seen. */
  open(calls: SocketCalls, target: CallTarget | undefined): SocketReader;
}

/** When and with what loss a message came. */
export interface MessageTime {
  /** Entry of the call that carried its first byte. */
  startNs: bigint;
  /** Return of the call that carried its last byte. */
  endNs: bigint;
}

export interface SocketReader {
  /**
   * Reads a message of the client while it arrives, whole or not; it must not be kept as a whole first, because it
   * may carry images. Absent: `client` gets it parsed.
   */
  clientSink?(time: MessageTime, damage: Damage): BodySink;
  /** A whole message of the client. */
  client?(message: JsonObject, time: MessageTime): void;
  /** A whole message of the server. */
  server(message: JsonObject, time: MessageTime): void;
}
