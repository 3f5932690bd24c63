/** Starts the built command as a user would, waits until it says that it is ready, and stops it. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** Kernel programs are verified first: half a minute and more where others use all processors. */
const START_TIMEOUT_MS = 90_000;
const STOP_TIMEOUT_MS = 60_000;

/** No exporter but the file. */
const FILE_ALONE = {
  OTEL_TRACES_EXPORTER: 'none',
  OTEL_METRICS_EXPORTER: 'none',
  OTEL_LOGS_EXPORTER: 'none',
};

export interface SightlineOptions {
  command?: 'run' | 'record' | 'exec';
  args?: readonly string[];
  env?: Readonly<Record<string, string>>;
}

export interface FinishedSightline {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunningSightline {
  child: ChildProcess;
  /** Where SIGHTLINE_FILE points: every finished span and log record, one OTLP JSON object a line. */
  file: string;
  directory: string;
  stderr(): string;
  /** SIGTERM, then waits for its end. */
  stop(): Promise<FinishedSightline>;
  /** Removes its folder. */
  remove(): void;
  /** Ends it, whatever it is doing, and removes its folder. */
  discard(): void;
}

/** Environment of a Sightline under test: none of ours but what the test gives, no exporter but the file. */
function cleanEnvironment(extra: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (!name.startsWith('OTEL_') && !name.startsWith('SIGHTLINE_')) {
      env[name] = value;
    }
  }
  return { ...env, ...extra };
}

export function sightlineArguments(args: readonly string[]): string[] {
  if (!existsSync(MAIN)) {
    throw new Error(`${MAIN} is not built: run "npm run setup"`);
  }
  return [MAIN, ...args];
}

/** Runs a command of Sightline to its end. */
export function runSightline(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<FinishedSightline> {
  const child = spawn(process.execPath, sightlineArguments(args), {
    env: cleanEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return collect(child).finished;
}

/** Replays a recording, with nothing exported but to `file`, and fails when that does. */
export async function replayToFile(
  recording: string,
  file: string,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const replayed = await runSightline(['replay', recording], {
    SIGHTLINE_FILE: file,
    ...FILE_ALONE,
    ...env,
  });
  assert.equal(replayed.code, 0, replayed.stderr);
}

function collect(child: ChildProcess): {
  finished: Promise<FinishedSightline>;
  output: { stdout: string; stderr: string };
} {
  const output = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  const finished = new Promise<FinishedSightline>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, ...output }));
  });
  return { finished, output };
}

/** Starts `run` (or `record`) and resolves once it has written its ready line. */
export async function startSightline(options: SightlineOptions = {}): Promise<RunningSightline> {
  const directory = mkdtempSync(join(tmpdir(), 'sightline-test-'));
  const file = join(directory, 'telemetry.jsonl');
  const child = spawn(
    process.execPath,
    sightlineArguments([options.command ?? 'run', ...(options.args ?? [])]),
    {
      env: cleanEnvironment({
        SIGHTLINE_FILE: file,
        ...FILE_ALONE,
        ...options.env,
      }),
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const { finished, output } = collect(child);
  await ready(child, output, finished);
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  return {
    child,
    file,
    directory,
    stderr: () => output.stderr,
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      const result = await finished;
      clearTimeout(timer);
      return result;
    },
    remove,
    discard() {
      child.kill('SIGKILL');
      remove();
    },
  };
}

function ready(
  child: ChildProcess,
  output: { stderr: string },
  finished: Promise<FinishedSightline>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`not ready after ${START_TIMEOUT_MS} ms: ${output.stderr}`));
    }, START_TIMEOUT_MS);
    const settle = (): void => {
      clearTimeout(timer);
      child.stderr?.off('data', look);
    };
    const look = (): void => {
      if (/^sightline ready/m.test(output.stderr)) {
        settle();
        resolve();
      }
    };
    child.stderr?.on('data', look);
    finished.then(
      (result) => {
        settle();
        reject(new Error(`ended before it was ready (code ${result.code}): ${result.stderr}`));
      },
      (error: unknown) => {
        settle();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
