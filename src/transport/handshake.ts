/**
 * How the TLS handshake of one connection came out. A library may complete it and the program may refuse the other
 * side's certificate all the same (Node does, and programs on GnuTLS), so nothing is said before something follows.
 */
import type { Direction, HandshakeEvent, TlsStack } from '../capture/events.ts';
import { handshakeErrorType } from './handshake-error.ts';

export interface Handshake {
  stack: TlsStack;
  side?: 'client' | 'server';
  beginNs: bigint;
  /** When it was completed, failed or given up; of a refused certificate, when the program asked about it. */
  endNs: bigint;
  /** Absent when it was completed: `handshakeErrorType`. */
  errorType?: string;
}

/** Why is often asked right behind a failure; after this long nobody will. */
const PATIENCE_NS = 1_000_000_000n;

/** Follows one connection's handshake until `settled` is told, once. */
export interface HandshakeFollower {
  /** True until it is settled. */
  readonly isOpen: boolean;
  event(event: HandshakeEvent): void;
  /** Plaintext passed. */
  data(direction: Direction): void;
  tick(timeNs: bigint): void;
  /** The connection ended. */
  end(): void;
}

export function followHandshake(settled: (handshake: Handshake) => void): HandshakeFollower {
  let base: HandshakeEvent | undefined;
  let unverified: HandshakeEvent | undefined;
  let isOpen = true;

  function settle(last: HandshakeEvent, reason: HandshakeEvent | undefined): void {
    isOpen = false;
    const { connection, beginNs, timeNs } = last;
    const side = last.side ?? base?.side;
    settled({
      stack: connection.stack,
      ...(side === undefined ? {} : { side }),
      beginNs,
      endNs: timeNs,
      ...(reason === undefined ? {} : { errorType: handshakeErrorType(reason) }),
    });
  }

  function settleFailed(): void {
    if (base !== undefined && isOpen) {
      settle(base, unverified ?? base);
    }
  }

  /** Nothing more will come that could change it. */
  function settleAsIs(): void {
    if (!isOpen) {
      return;
    }
    if (base === undefined) {
      // Gone within the handshake, right after it was told about the certificate.
      if (unverified !== undefined) {
        settle(unverified, unverified);
      }
      return;
    }
    if (base.outcome !== 'completed') {
      settleFailed();
    } else if (unverified === undefined) {
      settle(base, undefined);
    } else {
      settle(unverified, unverified);
    }
  }

  return {
    get isOpen() {
      return isOpen;
    },
    event(event) {
      if (!isOpen) {
        return;
      }
      if (event.outcome === 'unverified') {
        unverified ??= event;
      } else {
        base ??= event;
      }
      // The certificate is why, and what is wrong with it is asked next.
      const isReasonToCome = base?.codeKind === 'openssl' && base.code === CERTIFICATE_REFUSED;
      if (base !== undefined && base.outcome !== 'completed') {
        if (!isReasonToCome || unverified !== undefined) {
          settleFailed();
        }
      }
    },
    data(direction) {
      // Node hands its request over before it asks about the certificate, and then does not go on to read.
      if (base?.outcome === 'completed' && isOpen && direction === 'read') {
        settle(base, undefined);
      }
    },
    tick(timeNs) {
      if (
        base !== undefined &&
        base.outcome !== 'completed' &&
        base.timeNs + PATIENCE_NS < timeNs
      ) {
        settleFailed();
      }
    },
    end: settleAsIs,
  };
}

/** SSL_R_CERTIFICATE_VERIFY_FAILED of openssl/sslerr.h. */
const CERTIFICATE_REFUSED = 134;
