/** What runs in a plugin's thread: loads its module, says what it has, and answers questions from then on. */
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { deepFreeze } from '../util/deep-freeze.ts';
import { messageOf } from '../util/errors.ts';
import {
  ANSWERS,
  ENDED,
  type LoadReport,
  type PluginThreadData,
  type Question,
} from './plugin-thread-messages.ts';
import { type LoadedPlugin, pluginError, readPlugin } from './read-plugin.ts';

const ONE_DAY_MS = 86_400_000;

const { from, path, fileName, port, state } = workerData as PluginThreadData;

// Stdout is for programs: it has the lines of --print, or what the observed command writes.
Object.defineProperty(process, 'stdout', { value: process.stderr });

function report(said: LoadReport): void {
  parentPort?.postMessage(said);
}

/** Wakes the thread that waits. What it finds then is an answer, or nothing: the plugin ended. */
function wake(): void {
  Atomics.add(state, ANSWERS, 1);
  Atomics.notify(state, ANSWERS);
}

async function load(): Promise<LoadedPlugin> {
  let module: object;
  // A module that awaits what never comes is told from one that ended: by who waits for it.
  const alive = setInterval(() => {}, ONE_DAY_MS);
  try {
    module = (await import(pathToFileURL(path).href)) as object;
  } catch (error) {
    throw pluginError(from, `it cannot be loaded: ${messageOf(error)}${placeHint(error)}`);
  } finally {
    clearInterval(alive);
  }
  return readPlugin(from, module, fileName);
}

/** A syntax error does not say where it is. */
function placeHint(error: unknown): string {
  return error instanceof SyntaxError ? ` ("node --check ${path}" shows where)` : '';
}

// Also when the plugin calls process.exit, or an error of its timers is nobody's.
process.on('exit', () => {
  Atomics.store(state, ENDED, 1);
  wake();
});

try {
  const plugin = await load();
  port.on('message', ({ hook, view }: Question) => {
    port.postMessage(plugin.ask(hook, deepFreeze(view), Number.POSITIVE_INFINITY));
    wake();
  });
  const { name, guardsContent, hookNames } = plugin;
  report({ kind: 'loaded', name, guardsContent, hookNames: [...hookNames] });
} catch (error) {
  report({ kind: 'refused', message: messageOf(error) });
}
