/** Ends a fuzzer whose target does not come back from an input, and leaves that input behind. */
import { writeFileSync, writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

const { state, input, path, limitMs } = workerData;
/** Runs begun, running or not, bytes of the input. */
const [BEGUN, RUNNING, BYTES] = [0, 1, 2];
let last = -1;
let sinceMs = 0;

setInterval(() => {
  const begun = Atomics.load(state, BEGUN);
  if (begun !== last || Atomics.load(state, RUNNING) === 0) {
    last = begun;
    sinceMs = Date.now();
  } else if (Date.now() - sinceMs > limitMs) {
    writeFileSync(path, input.slice(0, Atomics.load(state, BYTES)));
    writeSync(2, `a target hangs for more than ${limitMs} ms: its input is in ${path}\n`);
    process.kill(process.pid, 'SIGKILL');
  }
}, 500).unref();
