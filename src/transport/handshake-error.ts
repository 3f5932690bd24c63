/** Names for why a handshake failed, from the numbers that the libraries give. Few: they are values of a metric. */
import type { HandshakeCodeKind, HandshakeEvent } from '../capture/events.ts';

/** RFC 8446, 6; https://www.iana.org/assignments/tls-parameters#tls-parameters-6 */
const ALERTS: Readonly<Record<number, string>> = {
  0: 'close_notify',
  10: 'unexpected_message',
  20: 'bad_record_mac',
  22: 'record_overflow',
  40: 'handshake_failure',
  42: 'bad_certificate',
  43: 'unsupported_certificate',
  44: 'certificate_revoked',
  45: 'certificate_expired',
  46: 'certificate_unknown',
  47: 'illegal_parameter',
  48: 'unknown_ca',
  49: 'access_denied',
  50: 'decode_error',
  51: 'decrypt_error',
  70: 'protocol_version',
  71: 'insufficient_security',
  80: 'internal_error',
  86: 'inappropriate_fallback',
  90: 'user_canceled',
  109: 'missing_extension',
  110: 'unsupported_extension',
  112: 'unrecognized_name',
  113: 'bad_certificate_status_response',
  115: 'unknown_psk_identity',
  116: 'certificate_required',
  120: 'no_application_protocol',
};

/** openssl/sslerr.h: those that a misconfigured client or server meets. */
const OPENSSL: Readonly<Record<number, string>> = {
  134: 'certificate_verify_failed',
  156: 'http_request',
  193: 'no_shared_cipher',
  199: 'peer_did_not_return_a_certificate',
  258: 'unsupported_protocol',
  267: 'wrong_version_number',
  294: 'unexpected_eof_while_reading',
};

/** openssl/ssl.h of BoringSSL, whose numbers are its own. */
const BORINGSSL: Readonly<Record<number, string>> = {
  125: 'certificate_verify_failed',
  184: 'no_shared_cipher',
  240: 'unsupported_protocol',
  247: 'wrong_version_number',
};

/** From here on a reason of OpenSSL or BoringSSL is an alert of the other side (SSL_AD_REASON_OFFSET). */
const OPENSSL_ALERTS = 1000;

/** X509_V_ERR_... of openssl/x509_vfy.h, as OpenSSL names them. */
const X509: Readonly<Record<number, string>> = {
  2: 'unable_to_get_issuer_cert',
  9: 'cert_not_yet_valid',
  10: 'cert_has_expired',
  18: 'depth_zero_self_signed_cert',
  19: 'self_signed_cert_in_chain',
  20: 'unable_to_get_issuer_cert_locally',
  21: 'unable_to_verify_leaf_signature',
  23: 'cert_revoked',
  26: 'invalid_purpose',
  27: 'cert_untrusted',
  28: 'cert_rejected',
  62: 'hostname_mismatch',
  64: 'ip_address_mismatch',
  66: 'ee_key_too_small',
  67: 'ca_key_too_small',
  68: 'ca_md_too_weak',
  79: 'invalid_ca',
};

/** gnutls/gnutls.h, without the sign. */
const GNUTLS: Readonly<Record<number, string>> = {
  8: 'unsupported_version_packet',
  9: 'unexpected_packet_length',
  12: 'fatal_alert_received',
  15: 'unexpected_packet',
  21: 'unknown_cipher_suite',
  43: 'certificate_error',
  53: 'push_error',
  54: 'pull_error',
  87: 'no_cipher_suites',
  110: 'premature_termination',
  348: 'certificate_verification_error',
};

/** gnutls_certificate_status_t, the telling bits first: the first one says only that one of the others is set. */
const GNUTLS_STATUS: readonly (readonly [bit: number, name: string])[] = [
  [1 << 5, 'cert_revoked'],
  [1 << 10, 'cert_has_expired'],
  [1 << 9, 'cert_not_yet_valid'],
  [1 << 14, 'hostname_mismatch'],
  [1 << 6, 'signer_not_found'],
  [1 << 7, 'signer_not_ca'],
  [1 << 8, 'insecure_algorithm'],
  [1 << 1, 'cert_invalid'],
];

/** secerr.h and sslerr.h of NSS, without the sign: SEC_ERROR_ from 8192 down, SSL_ERROR_ from 12288 down. */
const NSS: Readonly<Record<number, string>> = {
  5961: 'connection_reset',
  8156: 'ca_cert_invalid',
  8172: 'untrusted_issuer',
  8179: 'unknown_issuer',
  8180: 'revoked_certificate',
  8181: 'expired_certificate',
  12190: 'alert_protocol_version',
  12263: 'rx_record_too_long',
  12276: 'bad_cert_domain',
  12286: 'no_cypher_overlap',
  12195: 'alert_unknown_ca',
  12227: 'alert_handshake_failure',
  12271: 'alert_bad_certificate',
};

const NAMES: Readonly<Record<HandshakeCodeKind, (code: number) => string>> = {
  openssl: (code) => opensslName(code, OPENSSL),
  boringssl: (code) => opensslName(code, BORINGSSL),
  x509: (code) => X509[code] ?? `x509_error_${code}`,
  gnutls: (code) => GNUTLS[code] ?? `gnutls_error_${code}`,
  'gnutls-status': (code) =>
    GNUTLS_STATUS.find(([bit]) => (code & bit) !== 0)?.[1] ?? `gnutls_status_${code}`,
  nss: (code) => NSS[code] ?? `nss_error_${code}`,
  'alert-sent': (code) => `sent_alert_${ALERTS[code] ?? code}`,
  'alert-received': (code) => `alert_${ALERTS[code] ?? code}`,
};

function opensslName(code: number, reasons: Readonly<Record<number, string>>): string {
  return code >= OPENSSL_ALERTS
    ? `alert_${ALERTS[code - OPENSSL_ALERTS] ?? code - OPENSSL_ALERTS}`
    : (reasons[code] ?? `ssl_error_${code}`);
}

/** `error.type` of a handshake that was not completed; `_OTHER` where the library's reason was not seen. */
export function handshakeErrorType({ outcome, codeKind, code }: HandshakeEvent): string {
  if (codeKind !== undefined && code !== undefined) {
    return NAMES[codeKind](code);
  }
  return outcome === 'abandoned' ? 'abandoned' : '_OTHER';
}
