/** Watches from another thread that every run of a target comes back. */
import { Worker } from 'node:worker_threads';

/** A busy machine and its collector of garbage may stop a process for seconds. */
const HANG_LIMIT_MS = 30_000;

export interface Watchdog {
  begin(input: Uint8Array): void;
  end(): void;
}

/** The input that hangs is written to `path`, and the process is killed. */
export function startWatchdog(path: string, maxInputBytes: number): Watchdog {
  const state = new Int32Array(new SharedArrayBuffer(12));
  const input = new Uint8Array(new SharedArrayBuffer(maxInputBytes));
  const worker = new Worker(new URL('./watchdog.mjs', import.meta.url), {
    workerData: { state, input, path, limitMs: HANG_LIMIT_MS },
    execArgv: [],
  });
  worker.unref();
  return {
    begin(bytes) {
      input.set(bytes.subarray(0, maxInputBytes));
      Atomics.store(state, 2, Math.min(bytes.length, maxInputBytes));
      Atomics.add(state, 0, 1);
      Atomics.store(state, 1, 1);
    },
    end() {
      Atomics.store(state, 1, 0);
    },
  };
}
