/** What is known of a connection beside its bytes. */

import type { Handshake } from './handshake.ts';

/** The other end of a connection's socket. */
export interface Peer {
  /** RFC 5952; an IPv4 peer of an IPv6 socket by its IPv4 address. */
  address: string;
  port: number;
  localAddress: string;
  localPort: number;
  /** The socket was used next to the connection's calls, not in them: it is very likely the connection's. */
  isInferred: boolean;
}

/** Filled in while the connection lasts: what is not known yet may be so later. */
export interface ConnectionFacts {
  peer?: Peer;
  /** The server's name that a client asked its TLS library for. */
  serverName?: string;
  /** Once it is known how it came out. */
  handshake?: Handshake;
}
