/** Reads which version of a TLS library is in a file, from the text by which the library tells it itself. */
import { closeSync, openSync, readSync } from 'node:fs';
import { posix } from 'node:path';
import type { TlsStack } from '../capture/events.ts';

const PIECE_BYTES = 4 * 1024 * 1024;
const MAX_FILE_BYTES = 1024 * 1024 * 1024;
/** Of a text that goes from one piece to the next. */
const OVERLAP_BYTES = 256;

interface VersionText {
  /** Looked for first, because it is quick to find. */
  mark: string;
  /** What stands there, the version captured; tried from `before` bytes in front of the mark. */
  pattern: RegExp;
  before: number;
}

const VERSION_TEXTS: Partial<Record<TlsStack, VersionText>> = {
  // https://docs.openssl.org/3.0/man3/OpenSSL_version/
  openssl: {
    mark: 'OpenSSL ',
    pattern: /\0OpenSSL (\d+\.\d+\.\d+[a-z]?(?:[-+][\w.+-]*)?)(?: [^\0]{0,40})?\0/,
    before: 1,
  },
  // gnutls_check_version(3) gives it back; in the file it is a string of its own.
  gnutls: { mark: '3.', pattern: /\0(3\.\d{1,2}\.\d{1,2})\0/, before: 1 },
  nss: { mark: 'Version: NSS ', pattern: /Version: NSS (\d+\.\d+(?:\.\d+)*)/, before: 0 },
};

export interface TlsVersions {
  /**
   * The version of a stack in a file, or in one of the others that the same process runs from: OpenSSL tells it in
   * libcrypto alone. Undefined where none tells it: BoringSSL has no versions.
   */
  find(stack: TlsStack, path: string, others: readonly string[]): string | undefined;
}

/** Each file is read once. Never throws. */
export function createTlsVersions(): TlsVersions {
  const known = new Map<string, string | undefined>();

  function versionIn(stack: TlsStack, text: VersionText, path: string): string | undefined {
    const key = `${stack} ${path}`;
    if (!known.has(key)) {
      known.set(key, search(path, text));
    }
    return known.get(key);
  }

  return {
    find(stack, path, others) {
      const text = VERSION_TEXTS[stack];
      if (text === undefined) {
        return undefined;
      }
      const partners = stack === 'openssl' ? others.filter((other) => isCrypto(other, path)) : [];
      for (const candidate of [path, ...partners]) {
        const version = versionIn(stack, text, candidate);
        if (version !== undefined) {
          return version;
        }
      }
      return undefined;
    },
  };
}

/** The libcrypto that belongs to a libssl: beside it, of the same number. */
function isCrypto(path: string, library: string): boolean {
  const name = posix.basename(library).replace(/^libssl/, 'libcrypto');
  return posix.dirname(path) === posix.dirname(library) && posix.basename(path) === name;
}

function search(path: string, text: VersionText): string | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    return searchOpen(file, text);
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}

function searchOpen(file: number, { mark, pattern, before }: VersionText): string | undefined {
  const piece = Buffer.alloc(PIECE_BYTES);
  for (let at = 0; at < MAX_FILE_BYTES; at += PIECE_BYTES - OVERLAP_BYTES) {
    const bytes = readSync(file, piece, 0, PIECE_BYTES, at);
    const filled = piece.subarray(0, bytes);
    for (let hit = filled.indexOf(mark); hit >= 0; hit = filled.indexOf(mark, hit + 1)) {
      const start = Math.max(hit - before, 0);
      const found = pattern.exec(filled.toString('latin1', start, hit + 128));
      if (found?.index === 0) {
        return found[1];
      }
    }
    if (bytes < PIECE_BYTES) {
      return undefined;
    }
  }
  return undefined;
}
