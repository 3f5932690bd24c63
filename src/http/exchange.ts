/** An HTTP exchange: one request and its response, whatever the protocol version that carried them. */
import type { ConnectionRef } from '../capture/events.ts';
import type { ConnectionFacts } from '../transport/connection-facts.ts';
import type { Damage } from '../util/damage.ts';
import type { MultipartPart } from './multipart-reader.ts';

/** Name as sent and value with surrounding white space removed; bytes read as latin1 (RFC 9110 §5.5). */
export type HeaderField = readonly [name: string, value: string];

/**
 * Header fields in the order sent; several of one name stay several. Values that are credentials
 * (`isSecretHeader`, key shapes, parameters of URLs) are replaced by as many `*`.
 */
export class Headers {
  readonly fields: readonly HeaderField[];

  constructor(fields: readonly HeaderField[]) {
    this.fields = fields;
  }

  /** All values of `name` (lower case), joined by ", " as RFC 9110 §5.3 allows; undefined when absent. */
  get(name: string): string | undefined {
    const values = this.all(name);
    return values.length === 0 ? undefined : values.join(', ');
  }

  /** Every value of `name` (lower case), in order. */
  all(name: string): string[] {
    const values: string[] = [];
    for (const [fieldName, value] of this.fields) {
      if (fieldName.toLowerCase() === name) {
        values.push(value);
      }
    }
    return values;
  }
}

/** The side of the exchange the observed process is on: the one that writes the request is the client. */
export type Role = 'client' | 'server';

export interface MessageBase {
  /** Entry of the call that carried the message's first byte. */
  startNs: bigint;
  /** Return of the call that carried its last byte so far. */
  endNs: bigint;
  headers: Headers;
  trailers?: Headers;
  /** Body bytes on the wire, after transfer framing and before content decoding. */
  bodyBytes: number;
  /** Of those, what was not looked at because nobody wanted it: no damage. Absent: none. */
  skippedBytes?: number;
  /** gRPC: whole length-prefixed messages in the body. Absent where some of the body was not seen. */
  grpcMessages?: number;
  /** The protocol said that the message is over. */
  complete: boolean;
}

export interface RequestMessage extends MessageBase {
  /** Of a multipart/form-data body, as far as it was seen: its parts, without their content. */
  parts?: readonly MultipartPart[];
  /** Empty, as is `target`, when an HTTP/2 head refers to fields sent before observation began. */
  method: string;
  /** As on the request line, or `:path`, with credentials replaced by as many `*` (`scrubTarget`). */
  target: string;
}

export interface ResponseMessage extends MessageBase {
  /** 0 when the body was seen (HTTP/2) but not the head. */
  status: number;
}

export interface Exchange {
  connection: ConnectionRef;
  /** What is known of the connection beside its bytes; filled in while it lasts. */
  facts?: ConnectionFacts;
  role: Role;
  /** `1.0`, `1.1` or `2`: the value of network.protocol.version. */
  version: string;
  /** Number of the exchange on its connection, counted from 0; with the connection it names the exchange. */
  ordinal: number;
  /** What the bodies are framed in, where that is no text of any kind: gRPC messages. */
  protocol?: 'grpc';
  /** Absent when observation joined after the request. */
  request?: RequestMessage;
  response?: ResponseMessage;
  damage: Damage;
}

/** Decoded body bytes (transfer framing and content encodings removed), or a hole in them. */
export interface BodySink {
  /** `bytes` are valid only during the call. */
  data(bytes: Uint8Array, timeNs: bigint): void;
  /** Body bytes are missing from here; of a compressed body nothing more follows. */
  gap(timeNs: bigint): void;
  /** The body is over: `complete` when its framing said so. */
  end(complete: boolean, timeNs: bigint): void;
}

/** What a later stage wants to know of one exchange. Every method is optional; absent bodies are not decoded. */
export interface ExchangeObserver {
  requestBody?: BodySink;
  /** Called when the response's final head (not a 1xx) is known; gives the sink for its body. */
  response?(response: ResponseMessage): BodySink | undefined;
  /** Called once, last. Messages that were not complete are in `exchange.damage`. */
  end?(exchange: Exchange, timeNs: bigint): void;
}

/** Called when a request head is known (or a response without its request); returns who looks at it further. */
export type ExchangeHandler = (exchange: Exchange) => ExchangeObserver | undefined;
