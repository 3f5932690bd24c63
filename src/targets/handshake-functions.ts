/** Whether the handshakes of a TLS stack are seen, by the functions that were located of it. */
import type { LocatedStack } from '../capture/binding.ts';

/** Those that begin or end one: docs/decisions/0024-handshakes.md. rustls has none. */
const HANDSHAKE_FUNCTION =
  /^(?:SSL_do_handshake|SSL_connect|SSL_accept|ossl_statem_\w+|gnutls_handshake|SSL_ForceHandshake)$|\)\.(?:client|server)Handshake$/;

export function showsHandshakes({ functions }: LocatedStack): boolean {
  return functions.some(({ name }) => HANDSHAKE_FUNCTION.test(name));
}
