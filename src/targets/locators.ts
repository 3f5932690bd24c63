/** Finds the TLS functions in a file and where to probe them, from the cache or by searching the file. */
import type {
  AttachRequest,
  EntryPlace,
  FileIdentity,
  LocatedStack,
  LocateRefusal,
  NativeBinding,
  ResultPlace,
} from '../capture/binding.ts';
import type { LocatorCache } from './locator-cache.ts';

export interface LocatedFile {
  buildId: string | undefined;
  stacks: LocatedStack[];
  /** Stacks that are in the file, but not clearly enough to probe them. */
  refusals: LocateRefusal[];
  isCached: boolean;
}

export interface LocatorOptions {
  binding: Pick<NativeBinding, 'identify' | 'locate' | 'locateSync'>;
  /** Default: nothing is remembered. */
  cache?: LocatorCache;
  /** Most time to search one file; default: the addon's. */
  timeMs?: number;
}

export interface Locator {
  /**
   * Searches on another thread. Rejects with `code` SL_ELF_… for what is no proper ELF file of this machine. `name`
   * is what the file is called, where `path` is another way to it.
   */
  locate(path: string, name?: string): Promise<LocatedFile>;
  /** Throws what `locate` rejects with. */
  locateSync(path: string, name?: string): LocatedFile;
  /** As `locateSync`, but undefined when the file is larger than `maxBytes` and not in the cache. */
  locateWithin(path: string, maxBytes: number, name?: string): LocatedFile | undefined;
}

export function createLocator(options: LocatorOptions): Locator {
  const { binding, cache } = options;
  const limits = options.timeMs === undefined ? {} : { timeMs: options.timeMs };

  function remembered(identity: FileIdentity): LocatedFile | undefined {
    const found = cache?.get(identity);
    return found && { buildId: identity.buildId, ...found, isCached: true };
  }

  function remember(
    locations: Awaited<ReturnType<NativeBinding['locate']>>,
    name: string,
  ): LocatedFile {
    const { identity, stacks, refusals } = locations;
    if (locations.isComplete) {
      cache?.put(identity, { stacks, refusals }, name);
    }
    return { buildId: identity.buildId, stacks, refusals, isCached: false };
  }

  return {
    async locate(path, name = path) {
      return (
        remembered(binding.identify(path)) ?? remember(await binding.locate(path, limits), name)
      );
    },
    locateSync(path, name = path) {
      return remembered(binding.identify(path)) ?? remember(binding.locateSync(path, limits), name);
    },
    locateWithin(path, maxBytes, name = path) {
      const identity = binding.identify(path);
      const found = remembered(identity);
      if (found || identity.sizeBytes > maxBytes) {
        return found;
      }
      return remember(binding.locateSync(path, limits), name);
    },
  };
}

/** What to attach for a located stack: those of its functions that there are probes for. */
export function attachRequest(
  path: string,
  located: LocatedStack,
  probed: readonly string[],
): AttachRequest {
  const offsets: Record<string, number> = {};
  const returns: Record<string, readonly number[]> = {};
  const results: Record<string, readonly ResultPlace[]> = {};
  const entries: Record<string, readonly EntryPlace[]> = {};
  for (const { name, offset, returns: ends, ...known } of located.functions) {
    if (!probed.includes(name.replace(/#\d+$/, ''))) {
      continue;
    }
    offsets[name] = offset;
    if (ends.length > 0) {
      returns[name] = ends;
    }
    if (known.results.length > 0) {
      results[name] = known.results;
    }
    if (known.entries.length > 0) {
      entries[name] = known.entries;
    }
  }
  const { stack, convention } = located;
  return {
    stack,
    path,
    offsets,
    ...(Object.keys(returns).length > 0 ? { returns } : {}),
    ...(Object.keys(results).length > 0 ? { results } : {}),
    ...(Object.keys(entries).length > 0 ? { entries } : {}),
    ...(convention === 'go-register' || convention === 'go-stack' ? { convention } : {}),
  };
}
