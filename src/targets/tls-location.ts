/** Finds what to probe in one file: the functions of every TLS stack in it that can be followed in both directions. */
import type { AttachRequest, LocatedStack, NativeBinding } from '../capture/binding.ts';
import type { TlsStack } from '../capture/events.ts';
import type { LocatorCache } from './locator-cache.ts';
import { attachRequest, createLocator, type LocatedFile } from './locators.ts';

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

/** What OpenSSL's other library has: only why something failed. */
const REASON = /^ERR_/;

/** GnuTLS's imitation of OpenSSL's interface: its calls go on to GnuTLS and would be captured twice. */
const WRAPPER = /\/libgnutls-openssl\.so[^/]*$/;
const WRAPPED: TlsLocation = {
  kind: 'none',
  reason: 'offers another interface to a library that is probed itself',
};

/** A search takes some 0.4 ms a MiB: libraries are answered within 2 ms, runtimes and agents are not. */
export const DEFAULT_MAX_QUICK_BYTES = 4 * 1024 * 1024;

export interface TlsLocatorOptions {
  binding: Pick<NativeBinding, 'identify' | 'locate' | 'locateSync' | 'probedFunctions'>;
  /** Default: nothing is remembered beyond this process. */
  cache?: LocatorCache;
  /** Files up to this size are searched at once. */
  maxQuickBytes?: number;
}

/** Judges files. Never throws or rejects. Verdicts are remembered by the caller. */
export interface TlsLocator {
  /** `name` is what the file is called, where `path` is another way to it. */
  locateNow(path: string, name?: string): TlsLocation;
  /** What is small or remembered at once; undefined for what is to be searched on another thread. */
  locateIfQuick(path: string, name?: string): TlsLocation | undefined;
  /** Searches on another thread. */
  locate(path: string, name?: string): Promise<TlsLocation>;
}

export function createTlsLocator(options: TlsLocatorOptions): TlsLocator {
  const { binding, cache } = options;
  const maxQuickBytes = options.maxQuickBytes ?? DEFAULT_MAX_QUICK_BYTES;
  const locator = createLocator({ binding, ...(cache === undefined ? {} : { cache }) });
  const probed = new Map(Object.entries(binding.probedFunctions()));

  function judge({ stacks, refusals, buildId }: LocatedFile, name: string): TlsLocation {
    const probes: LocatedProbes[] = [];
    const reasons: string[] = [];
    for (const { stack, reason } of refusals) {
      reasons.push(stack === undefined ? reason : `${stack}: ${reason}`);
    }
    for (const located of stacks) {
      const found = probesOf(name, located, probed.get(located.stack) ?? []);
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

  return {
    locateNow(path, name = path) {
      try {
        return isWrapper(name) ? WRAPPED : judge(locator.locateSync(path, name), name);
      } catch (error) {
        return failureOf(error);
      }
    },
    locateIfQuick(path, name = path) {
      try {
        if (isWrapper(name)) {
          return WRAPPED;
        }
        const found = locator.locateWithin(path, maxQuickBytes, name);
        return found && judge(found, name);
      } catch (error) {
        return failureOf(error);
      }
    },
    async locate(path, name = path) {
      try {
        return isWrapper(name) ? WRAPPED : judge(await locator.locate(path, name), name);
      } catch (error) {
        return failureOf(error);
      }
    },
  };
}

function isWrapper(name: string): boolean {
  return WRAPPER.test(name);
}

function failureOf(error: unknown): TlsLocation {
  const reason = error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error);
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  // Scripts and data are mapped, too; only what claims to be ELF and is not is worth a word.
  return { kind: code?.startsWith('SL_ELF_') ? 'none' : 'failed', reason };
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
  if (stack === 'nss' || names.every((name) => REASON.test(name))) {
    return true;
  }
  return names.some((name) => OUT.test(name)) && names.some((name) => IN.test(name));
}
