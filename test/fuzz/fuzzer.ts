/**
 * Searches for inputs that a target does not bear: changes inputs at random, keeps those that take a branch in a new
 * way, and reports each kind of failure once, with the smallest input that was found for it.
 */
import { setImmediate as nextEvent } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createRandom, type Random, seedOf } from '../support/model-server/random.ts';
import type { Coverage } from './coverage.ts';
import { createMutator } from './mutator.ts';
import type { FuzzTarget } from './target.ts';
import type { Watchdog } from './watchdog.ts';

export interface Finding {
  message: string;
  stack: string;
  input: Uint8Array;
}

export interface FuzzSummary {
  target: string;
  runs: number;
  seconds: number;
  corpusInputs: number;
  /** Branches of the loaded modules that some input took. */
  branches: number;
  findings: number;
}

export interface FuzzerOptions {
  target: FuzzTarget;
  seed: number;
  coverage: Coverage;
  watchdog: Watchdog;
  /** Of earlier runs. */
  corpus: readonly Uint8Array[];
  onNewInput(input: Uint8Array): void;
  /** Once for each kind of failure, at once. */
  onFinding(finding: Finding): void;
}

export interface Fuzzer {
  /** Goes on searching for so long. */
  search(seconds: number): Promise<void>;
  summary(): FuzzSummary;
  /** Inputs that together take every branch that was taken: a small corpus. */
  essentials(maxInputBytes: number): Promise<Uint8Array[]>;
}

export const DEFAULT_MAX_INPUT_BYTES = 16_384;
const SLOW_CPU_MS = 1000;
const MAX_CORPUS_INPUTS = 20_000;
const MAX_FINDINGS = 20;
const RUNS_PER_EVENT = 200;
const GROWTH_CHECK_SECONDS = 10;
/** Compiled code and caches of the engine come and go; a leak grows on. */
const MAX_GROWTH_BYTES = 64 * 1024 * 1024;
const SHRINK_SECONDS = 3;

/** How often a branch was taken, in eight classes: a bit each. */
const CLASS = Uint8Array.from({ length: 256 }, (_, count) => {
  const bounds = [1, 2, 3, 4, 8, 16, 32, 128];
  const index = bounds.findLastIndex((bound) => count >= bound);
  return index < 0 ? 0 : 1 << index;
});

export function createFuzzer(options: FuzzerOptions): Fuzzer {
  const { target, coverage, watchdog } = options;
  const maxBytes = target.maxInputBytes ?? DEFAULT_MAX_INPUT_BYTES;
  const random: Random = createRandom(seedOf(options.seed, target.name));
  const corpus: Uint8Array[] = [];
  /** Classes seen of each branch. */
  let seen = new Uint8Array(0);
  const findings = new Map<string, Finding>();
  let runs = 0;
  let seconds = 0;
  let isLoaded = false;
  let baselineBytes: number | undefined;
  let corpusBytes = 0;
  let nextGrowthCheck = GROWTH_CHECK_SECONDS;

  const other = (): Uint8Array =>
    corpus.length > 0 ? (corpus[random.uint32() % corpus.length] as Uint8Array) : new Uint8Array(0);
  let words: Uint8Array[] = [];
  let mutator = createMutator({ random, maxBytes, words, other });

  /** What the run throws; undefined when all is well. */
  async function failureOf(input: Uint8Array): Promise<Error | undefined> {
    runs += 1;
    watchdog.begin(input);
    const startMs = performance.now();
    const cpu = process.cpuUsage();
    try {
      const pending = target.run(Buffer.from(input));
      if (pending !== undefined) {
        await pending;
      }
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    } finally {
      watchdog.end();
    }
    if (performance.now() - startMs > SLOW_CPU_MS) {
      const { user } = process.cpuUsage(cpu);
      if (user > SLOW_CPU_MS * 1000) {
        return new Error(`slow: ${input.length} bytes took ${Math.round(user / 1000)} ms of CPU`);
      }
    }
    return undefined;
  }

  /** Whether the last run took a branch, or took it so often, as none before. */
  function isNew(): boolean {
    const counters = coverage.counters();
    if (seen.length < counters.length) {
      const grown = new Uint8Array(counters.length);
      grown.set(seen);
      seen = grown;
    }
    let found = false;
    for (let index = 0; index < counters.length; index += 1) {
      const count = counters[index] as number;
      if (count !== 0) {
        const bit = CLASS[count] as number;
        if (((seen[index] as number) & bit) === 0) {
          seen[index] = (seen[index] as number) | bit;
          found = true;
        }
      }
    }
    return found;
  }

  async function add(input: Uint8Array, isFound: boolean): Promise<void> {
    coverage.clear();
    const failure = await failureOf(input);
    if (failure !== undefined) {
      await keepFinding(failure, input);
    }
    if (isNew() && corpus.length < MAX_CORPUS_INPUTS) {
      const kept = Uint8Array.from(input);
      corpus.push(kept);
      corpusBytes += kept.length;
      if (isFound) {
        options.onNewInput(kept);
      }
    }
  }

  async function keepFinding(failure: Error, input: Uint8Array): Promise<void> {
    const kind = kindOf(failure);
    if (findings.has(kind) || findings.size >= MAX_FINDINGS) {
      return;
    }
    const smallest = await shrink(input, kind);
    report(kind, { message: failure.message, stack: failure.stack ?? '', input: smallest });
  }

  function report(kind: string, finding: Finding): void {
    findings.set(kind, finding);
    options.onFinding(finding);
  }

  /** Leaves out what is not needed for the same kind of failure. */
  async function shrink(input: Uint8Array, kind: string): Promise<Uint8Array> {
    const deadlineMs = performance.now() + SHRINK_SECONDS * 1000;
    let best = Uint8Array.from(input);
    for (let size = best.length >> 1; size >= 1; size >>= 1) {
      for (let at = 0; at < best.length && performance.now() < deadlineMs; ) {
        const candidate = Uint8Array.from([
          ...best.subarray(0, at),
          ...best.subarray(Math.min(best.length, at + size)),
        ]);
        const failure = await failureOf(candidate);
        if (failure !== undefined && kindOf(failure) === kind) {
          best = candidate;
        } else {
          at += size;
        }
      }
    }
    return best;
  }

  function checkGrowth(): void {
    nextGrowthCheck = seconds + GROWTH_CHECK_SECONDS;
    const usedBytes = heapBytes() - corpusBytes;
    if (baselineBytes === undefined) {
      baselineBytes = usedBytes;
    } else if (usedBytes > baselineBytes + MAX_GROWTH_BYTES && !findings.has('growth')) {
      const message = `growth: the heap holds ${usedBytes - baselineBytes} bytes more than before`;
      report('growth', { message, stack: '', input: new Uint8Array(0) });
    }
  }

  async function load(): Promise<void> {
    isLoaded = true;
    for (const input of [...target.seeds(), ...options.corpus]) {
      await add(input.subarray(0, maxBytes), false);
    }
    words = [...(target.words ?? []), ...coverage.words()].map((word) =>
      typeof word === 'string' ? Buffer.from(word) : word,
    );
    mutator = createMutator({ random, maxBytes, words, other });
  }

  /** The newest inputs are tried most. */
  function choose(): Uint8Array {
    const newest = Math.max(1, Math.ceil(corpus.length / 10));
    const isNewest = random.uint32() % 2 === 0;
    const index = isNewest
      ? corpus.length - 1 - (random.uint32() % newest)
      : random.uint32() % Math.max(1, corpus.length);
    return corpus[index] ?? new Uint8Array(0);
  }

  return {
    async search(duration) {
      const startMs = performance.now();
      const before = seconds;
      // What other targets have kept meanwhile is no growth of this one's.
      baselineBytes = undefined;
      nextGrowthCheck = seconds + GROWTH_CHECK_SECONDS;
      if (!isLoaded) {
        await load();
      }
      for (;;) {
        seconds = before + (performance.now() - startMs) / 1000;
        if (seconds - before >= duration) {
          break;
        }
        if (runs % RUNS_PER_EVENT === 0) {
          // Node lets go of what its synchronous zlib functions have used only between events.
          await nextEvent();
        }
        if (seconds >= nextGrowthCheck) {
          checkGrowth();
        }
        const from = choose();
        const byFormat = target.mutate !== undefined && random.uint32() % 4 !== 0;
        const input = byFormat
          ? target.mutate!(from, { random, mutateBytes: (bytes) => mutator.mutate(bytes), other })
          : mutator.mutate(from);
        await add(input.subarray(0, maxBytes), true);
      }
    },
    summary: () => ({
      target: target.name,
      runs,
      seconds,
      corpusInputs: corpus.length,
      branches: seen.reduce((count, classes) => count + (classes === 0 ? 0 : 1), 0),
      findings: findings.size,
    }),
    async essentials(maxInputBytes) {
      const taken = new Set<number>();
      const chosen: Uint8Array[] = [];
      const smallFirst = corpus
        .filter((input) => input.length <= maxInputBytes)
        .sort((one, another) => one.length - another.length);
      for (const input of smallFirst) {
        coverage.clear();
        await failureOf(input);
        const counters = coverage.counters();
        let isNeeded = false;
        for (let index = 0; index < counters.length; index += 1) {
          if (counters[index] !== 0 && !taken.has(index)) {
            taken.add(index);
            isNeeded = true;
          }
        }
        if (isNeeded) {
          chosen.push(input);
        }
      }
      return chosen;
    },
  };
}

/** Failures of one kind have the same words and come from the same place. */
function kindOf(error: Error): string {
  const words = error.message.split('\n', 1)[0]!.replace(/\d+/g, '0').slice(0, 80);
  const place = /at [^\n]*\/(?:src|test\/fuzz\/targets)\/[^\n)]*/.exec(error.stack ?? '');
  return `${words} ${place?.[0] ?? ''}`;
}

let collect: (() => void) | undefined;

/** What is in use once all garbage is collected. */
function heapBytes(): number {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
