/** Finds what to probe in one file: the functions of every TLS stack in it that can be followed in both directions. */
import type { AttachRequest, LocatedStack, NativeBinding } from '../capture/binding.ts';
import type { TlsStack } from '../capture/events.ts';
import type { LocatorCache } from './locator-cache.ts';
import { attachRequest, createLocator } from './locators.ts';

export interface LocatedProbes {
  /** What is to be attached; the path may be another one each time. */
  request: Omit<AttachRequest, 'path'>;
  /** How it was found, with those of its functions that are probed. */
  located: LocatedStack;
}

export type TlsLocation =
  | { kind: 'found'; probes: LocatedProbes[]; buildId: string | undefined }
  /** No file with TLS that is known. */
  | { kind: 'none'; reason: string }
  | { kind: 'refused'; reason: string; buildId: string | undefined }
  /** The file could not be read. */
  | { kind: 'failed'; reason: string };

/** Bytes that go out pass one of these, and bytes that come in one of those. */
const OUT = /write|send|encrypt/i;
const IN = /read|recv|decrypt/i;

/** GnuTLS's imitation of OpenSSL's interface: its calls go on to GnuTLS and would be captured twice. */
const WRAPPER = /\/libgnutls-openssl\.so[^/]*$/;

export interface TlsLocatorOptions {
  binding: Pick<NativeBinding, 'identify' | 'locate' | 'locateSync' | 'probedFunctions'>;
  /** Default: nothing is remembered beyond this process. */
  cache?: LocatorCache;
}

/** A function that judges one file; it never throws. The file's verdict is remembered by the caller. */
export function createTlsLocator(options: TlsLocatorOptions): (path: string) => TlsLocation {
  const { binding, cache } = options;
  const locator = createLocator({ binding, ...(cache === undefined ? {} : { cache }) });
  const probed = new Map(Object.entries(binding.probedFunctions()));

  function locate(path: string): TlsLocation {
    if (WRAPPER.test(path)) {
      return {
        kind: 'none',
        reason: 'offers another interface to a library that is probed itself',
      };
    }
    const { stacks, refusals, buildId } = locator.locateSync(path);
    const probes: LocatedProbes[] = [];
    const reasons: string[] = [];
    for (const { stack, reason } of refusals) {
      reasons.push(stack === undefined ? reason : `${stack}: ${reason}`);
    }
    for (const located of stacks) {
      const found = probesOf(path, located, probed.get(located.stack) ?? []);
      if (typeof found === 'string') {
        reasons.push(`${located.stack}: ${found}`);
      } else {
        probes.push(found);
      }
    }
    if (probes.length > 0) {
      return { kind: 'found', probes, buildId };
    }
    return reasons.length > 0
      ? { kind: 'refused', reason: reasons.join('; '), buildId }
      : { kind: 'none', reason: 'has no function of a known TLS stack' };
  }

  return (path) => {
    try {
      return locate(path);
    } catch (error) {
      const reason =
        error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error);
      const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
      // Scripts and data are mapped, too; only what claims to be ELF and is not is worth a word.
      return { kind: code?.startsWith('SL_ELF_') ? 'none' : 'failed', reason };
    }
  };
}

/** Why the stack cannot be followed, or what to probe. */
function probesOf(
  path: string,
  located: LocatedStack,
  probed: readonly string[],
): LocatedProbes | string {
  const { path: _path, ...request } = attachRequest(path, located, probed);
  const names = Object.keys(request.offsets);
  if (names.length === 0) {
    return 'none of its functions can be probed in this version';
  }
  if (!isFollowed(located.stack, names)) {
    return `has ${names.join(', ')}, which do not cover both directions`;
  }
  const functions = located.functions.filter(({ name }) => name in request.offsets);
  return { request, located: { ...located, functions } };
}

/** NSS keeps its functions in two libraries: reading and writing in NSPR's, what makes them TLS in its own. */
function isFollowed(stack: TlsStack, names: readonly string[]): boolean {
  if (stack === 'nss') {
    return true;
  }
  return names.some((name) => OUT.test(name)) && names.some((name) => IN.test(name));
}
