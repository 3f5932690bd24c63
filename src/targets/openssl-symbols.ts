/**
 * Locates the functions of OpenSSL's interface by their symbols: in libssl, and in executables and libraries
 * that carry it and export it (Node). https://docs.openssl.org/3.0/man3/SSL_read/
 */
import type { NativeBinding } from '../capture/binding.ts';

/** Without both of these a connection cannot be followed. */
const REQUIRED = ['SSL_read', 'SSL_write'] as const;

/** The _ex forms since OpenSSL 1.1.1; SSL_free tells when a connection's object is given up. */
const OPTIONAL = ['SSL_read_ex', 'SSL_write_ex', 'SSL_free'] as const;

const NAMES: readonly string[] = [...REQUIRED, ...OPTIONAL];

export type OpensslLocation =
  | { kind: 'found'; offsets: Record<string, number>; buildId: string | undefined }
  /** No file with TLS of this kind; `reason` is undefined when there is nothing to tell about it. */
  | { kind: 'none'; reason: string }
  | { kind: 'refused'; reason: string; buildId: string | undefined };

/** Throws what `locateSymbols` throws for a file that is no proper ELF file. */
export function locateOpenssl(
  binding: Pick<NativeBinding, 'locateSymbols'>,
  path: string,
): OpensslLocation {
  const { offsets, buildId } = binding.locateSymbols(path, NAMES);
  const has = (name: string): boolean => Object.hasOwn(offsets, name);
  const missing = REQUIRED.filter((name) => !has(name));
  if (missing.length === 0) {
    return { kind: 'found', offsets, buildId };
  }
  if (!NAMES.some(has)) {
    return { kind: 'none', reason: 'defines no function of OpenSSL' };
  }
  return {
    kind: 'refused',
    reason: `defines ${NAMES.filter(has).join(', ')} but not ${missing.join(' and ')}`,
    buildId,
  };
}
