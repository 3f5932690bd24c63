/**
 * Searches files whose functions have no names, one after another on another thread: a large program takes a third of
 * a second, and the thread that events are handled on must not wait for that.
 */
import type { LocatedFile, Locator } from './locators.ts';

/** A host that is met for the first time has some hundred programs and libraries. */
export const DEFAULT_MAX_WAITING_SEARCHES = 2048;

export interface DeepSearchOptions {
  locator: Pick<Locator, 'locate'>;
  /** More files than this at once are not searched now, but when they are met again. */
  maxWaiting?: number;
}

export interface DeepSearch {
  /** Calls `onDone` later with what is in the file, or with the error. False when there are too many already. */
  add(path: string, onDone: (result: LocatedFile | Error) => void): boolean;
  /** Nothing is called any more. */
  stop(): void;
}

interface Waiting {
  path: string;
  onDone(result: LocatedFile | Error): void;
}

export function createDeepSearch(options: DeepSearchOptions): DeepSearch {
  const maxWaiting = options.maxWaiting ?? DEFAULT_MAX_WAITING_SEARCHES;
  const waiting: Waiting[] = [];
  let isSearching = false;
  let isStopped = false;

  function next(): void {
    const first = waiting.shift();
    if (first === undefined) {
      isSearching = false;
      return;
    }
    isSearching = true;
    const finish = (result: LocatedFile | Error): void => {
      if (!isStopped) {
        first.onDone(result);
        next();
      }
    };
    search(first.path).then(finish);
  }

  /** Never rejects, and throws nothing although the look at the file's head is on this thread. */
  async function search(path: string): Promise<LocatedFile | Error> {
    try {
      return await options.locator.locate(path);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  return {
    add(path, onDone) {
      if (isStopped || waiting.length >= maxWaiting) {
        return false;
      }
      waiting.push({ path, onDone });
      if (!isSearching) {
        next();
      }
      return true;
    },
    stop() {
      isStopped = true;
      waiting.length = 0;
    },
  };
}
