/** Counts the branches that the modules of `src/` take, from the moment on at which it is started. */
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('../../src/', import.meta.url));
/** The whole of `src/` has some 20,000 branches. */
const MAX_BRANCHES = 262_144;

export interface Coverage {
  /** One counter a branch, modulo 256; grows as modules are loaded. */
  counters(): Uint8Array;
  /** Sets all counters to 0. */
  clear(): void;
  /** Strings that the loaded modules have in their code: what their formats are made of. */
  words(): readonly string[];
}

/** Every module of `src/` that is imported later is counted. To be called once. */
export function startCoverage(): Coverage {
  const all = new Uint8Array(MAX_BRANCHES);
  const words = new Set<string>();
  let used = 0;
  const host = globalThis as unknown as Record<string, unknown>;
  host.sightlineBranches = (count: number, added: readonly string[]): Uint8Array => {
    if (used + count > MAX_BRANCHES) {
      throw new Error(
        `more than ${MAX_BRANCHES} branches: raise MAX_BRANCHES in ${import.meta.url}`,
      );
    }
    const part = all.subarray(used, used + count);
    used += count;
    for (const word of added) {
      words.add(word);
    }
    return part;
  };
  register('./coverage-loader.mjs', import.meta.url, { data: { folder: SOURCE } });
  return {
    counters: () => all.subarray(0, used),
    clear: () => all.fill(0, 0, used),
    words: () => [...words],
  };
}
