/**
 * A plugin in a thread of its own, asked and waited for: what it does to its thread (a loop without end, a process.exit,
 * an error of a timer, memory without bound) it does to itself alone.
 */
import { once } from 'node:events';
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from 'node:worker_threads';
import { ExitCode, messageOf, SightlineError } from '../util/errors.ts';
import type { Asked, HookFailure } from './hook-call.ts';
import { PLUGIN_HEAP_MIB } from './limits.ts';
import {
  ANSWERS,
  ENDED,
  type LoadReport,
  type PluginThreadData,
  type Question,
  STATE_LENGTH,
} from './plugin-thread-messages.ts';
import { type LoadedPlugin, pluginError } from './read-plugin.ts';

interface PluginThreadOptions extends Pick<PluginThreadData, 'from' | 'path' | 'fileName'> {
  /** Until it is loaded, with what it awaits. */
  timeoutMs: number;
}

/** In the tests, which run the sources as they are. */
const isTypeScript = import.meta.url.endsWith('.ts');
const THREAD_MAIN = new URL(`./plugin-thread-main.${isTypeScript ? 'ts' : 'js'}`, import.meta.url);

const TYPESCRIPT_ARGUMENTS = [
  '--import',
  new URL('../../test/support/typescript-thread.mjs', import.meta.url).href,
];

/** Throws a SightlineError (SL_PLUGIN). */
export async function startPluginThread(options: PluginThreadOptions): Promise<LoadedPlugin> {
  const { from, path, fileName } = options;
  const { port1: port, port2: otherPort } = new MessageChannel();
  const state = new Int32Array(new SharedArrayBuffer(STATE_LENGTH * Int32Array.BYTES_PER_ELEMENT));
  const data: PluginThreadData = { from, path, fileName, port: otherPort, state };
  const worker = new Worker(THREAD_MAIN, {
    name: `plugin ${fileName}`,
    workerData: data,
    transferList: [otherPort],
    ...(isTypeScript && { execArgv: TYPESCRIPT_ARGUMENTS }),
    resourceLimits: { maxOldGenerationSizeMb: PLUGIN_HEAP_MIB },
  });
  let report: LoadReport;
  try {
    report = await firstReport(worker, options);
  } catch (error) {
    void worker.terminate();
    throw error;
  }
  // Sightline ends when its own work is done, whatever a plugin still has open.
  worker.unref();
  port.unref();
  if (report.kind === 'refused') {
    void worker.terminate();
    throw new SightlineError('SL_PLUGIN', report.message, { exitCode: ExitCode.usage });
  }
  return loadedPlugin(report, { worker, port, state });
}

/** Rejects when there will be none. */
async function firstReport(worker: Worker, options: PluginThreadOptions): Promise<LoadReport> {
  const { from, timeoutMs } = options;
  const given = new AbortController();
  const { signal } = given;
  try {
    return await Promise.race([
      once(worker, 'message', { signal }).then(([report]) => report as LoadReport),
      once(worker, 'exit', { signal }).then(([code]) => {
        throw pluginError(from, `its thread ended while it was loaded (exit code ${code})`);
      }),
      tooLate(from, timeoutMs, signal),
    ]);
  } catch (error) {
    if (error instanceof SightlineError) {
      throw error;
    }
    throw pluginError(from, `it cannot be loaded: ${messageOf(error)}`, error);
  } finally {
    given.abort();
  }
}

function tooLate(from: string, timeoutMs: number, signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const timer = setTimeout(
      () =>
        reject(pluginError(from, `it cannot be loaded: it was not loaded within ${timeoutMs} ms`)),
      timeoutMs,
    );
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  });
}

interface Thread {
  worker: Worker;
  port: MessagePort;
  state: Int32Array;
}

function loadedPlugin(
  { name, guardsContent, hookNames }: Extract<LoadReport, { kind: 'loaded' }>,
  { worker, port, state }: Thread,
): LoadedPlugin {
  let ended: string | undefined;
  let listener: ((why: string) => void) | undefined;

  function noteEnd(why: string): void {
    if (ended === undefined) {
      ended = why;
      listener?.(why);
    }
  }

  worker.on('error', (error) => noteEnd(`its thread ended: ${messageOf(error)}`));
  worker.on('exit', (code) => noteEnd(`its thread ended with exit code ${code}`));

  function end(): void {
    ended ??= 'it was ended';
    port.close();
    void worker.terminate();
  }

  return {
    name,
    guardsContent,
    hookNames: new Set(hookNames),
    ask(hook, view, deadlineMs) {
      const startNs = process.hrtime.bigint();
      const before = Atomics.load(state, ANSWERS);
      port.postMessage({ hook, view } satisfies Question);
      const isInTime =
        Atomics.load(state, ENDED) === 1 ||
        Atomics.wait(state, ANSWERS, before, deadlineMs) !== 'timed-out';
      const asked = isInTime ? receiveMessageOnPort(port) : undefined;
      if (asked !== undefined) {
        return asked.message as Asked;
      }
      const tookNs = Number(process.hrtime.bigint() - startNs);
      return { kind: 'failed', tookNs, failure: isInTime ? ENDED_ITSELF : noAnswerIn(deadlineMs) };
    },
    whenEnded(given) {
      listener = given;
      if (ended !== undefined) {
        given(ended);
      }
    },
    end,
  };
}

const ENDED_ITSELF: HookFailure = { reason: 'ended', why: 'it ended its thread' };

function noAnswerIn(deadlineMs: number): HookFailure {
  return { reason: 'slow', why: `it gave no answer in ${deadlineMs} ms and was ended` };
}
