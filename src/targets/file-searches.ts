/**
 * Searches large files on other threads, a few at a time. Each is opened when it is found: its process, and with that
 * every path to it, may be gone when its turn comes.
 */
import { closeSync, constants, openSync } from 'node:fs';
import type { TlsLocation, TlsLocator } from './tls-location.ts';

/** As many as leave a thread of the pool for everything else. */
const PARALLEL_SEARCHES = 2;

/** Each holds a file descriptor. A host that is met for the first time runs from some hundred files. */
export const DEFAULT_MAX_WAITING_SEARCHES = 512;

export interface FileSearchesOptions {
  locate: TlsLocator['locate'];
  /** Gets what `onDone` throws. */
  onDefect(error: unknown): void;
  maxWaiting?: number;
}

export interface FileSearches {
  /**
   * `onDone` is called later, with a path that leads to the file during that call. `isUrgent`: a program runs from it.
   * Returns why not, when the search does not take place.
   */
  add(search: FileSearch): string | undefined;
  /** Resolves when all that was added by now is done. */
  settled(): Promise<void>;
  /** Nobody is called any more. */
  stop(): void;
}

export interface FileSearch {
  path: string;
  name: string;
  isUrgent: boolean;
  onDone(location: TlsLocation, path: string): void;
}

interface Waiting extends FileSearch {
  descriptor: number;
}

export function createFileSearches(options: FileSearchesOptions): FileSearches {
  const maxWaiting = options.maxWaiting ?? DEFAULT_MAX_WAITING_SEARCHES;
  /** Urgent ones come first, the newest of them before all: its program is the one that has done least. */
  const urgent: Waiting[] = [];
  const others: Waiting[] = [];
  let running = 0;
  let isStopped = false;
  let idle: (() => void)[] = [];

  async function run(one: Waiting): Promise<void> {
    const path = `/proc/self/fd/${one.descriptor}`;
    try {
      const location = await options.locate(path, one.name);
      if (!isStopped) {
        one.onDone(location, path);
      }
    } catch (error) {
      options.onDefect(error);
    } finally {
      closeSync(one.descriptor);
    }
  }

  function next(): void {
    while (running < PARALLEL_SEARCHES) {
      const one = urgent.pop() ?? others.shift();
      if (one === undefined) {
        break;
      }
      running += 1;
      run(one).finally(() => {
        running -= 1;
        next();
      });
    }
    if (running === 0) {
      for (const resolve of idle) {
        resolve();
      }
      idle = [];
    }
  }

  return {
    add(search) {
      if (isStopped) {
        return 'nothing captures any more';
      }
      if (urgent.length + others.length >= maxWaiting) {
        return `${maxWaiting} files wait to be searched already, which is the limit`;
      }
      let descriptor: number;
      try {
        descriptor = openSync(search.path, constants.O_RDONLY | constants.O_NONBLOCK);
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
      (search.isUrgent ? urgent : others).push({ ...search, descriptor });
      next();
      return undefined;
    },
    settled: () =>
      new Promise((resolve) => {
        idle.push(resolve);
        next();
      }),
    stop() {
      isStopped = true;
      for (const { descriptor } of [...urgent.splice(0), ...others.splice(0)]) {
        closeSync(descriptor);
      }
    },
  };
}
