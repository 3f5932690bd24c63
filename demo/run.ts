/**
 * Runs the demo: starts the local model server, runs the agent against it under the command that observes, stops
 * everything, and ends with that command's exit code.
 *
 *     tsx demo/run.ts node dist/cli/main.js exec --
 *
 * Without arguments the agent runs unobserved. The agent's environment holds what it needs to find and trust the
 * server: the names are in `AGENT_VARIABLES`, for an observer that `sudo` starts.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const AGENT_VARIABLES = ['NODE_EXTRA_CA_CERTS', 'OPENAI_BASE_URL', 'OPENAI_API_KEY'] as const;

/** A start of tsx and one run of `openssl` fit many times over. */
const READY_TIMEOUT_MS = 30_000;
/** What a shell reports for a command that could not be started. */
const CANNOT_START = 127;

interface Ready {
  url: string;
  caPath: string;
}

function startServer(): ChildProcess {
  const path = fileURLToPath(new URL('./server.ts', import.meta.url));
  return spawn(process.execPath, [`--import=${import.meta.resolve('tsx')}`, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
}

function untilReady(server: ChildProcess): Promise<Ready> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`the model server was not ready after ${READY_TIMEOUT_MS} ms`)),
      READY_TIMEOUT_MS,
    );
    // When the server fails first, nothing must keep waiting.
    timer.unref();
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`the model server ended with ${code}`)));
    createInterface({ input: server.stdout! }).once('line', (line) => {
      clearTimeout(timer);
      resolve(JSON.parse(line) as Ready);
    });
  });
}

/** The exit code a shell would report: 128 and the signal's number for a killed command. */
function runAgent(prefix: readonly string[], ready: Ready): Promise<number> {
  const agent = fileURLToPath(new URL('./agent.mjs', import.meta.url));
  const [program = process.execPath, ...args] = [...prefix, process.execPath, agent];
  const environment: Record<(typeof AGENT_VARIABLES)[number], string> = {
    NODE_EXTRA_CA_CERTS: ready.caPath,
    OPENAI_BASE_URL: `${ready.url}/v1`,
    OPENAI_API_KEY: 'sk-demo-not-a-real-key',
  };
  const child = spawn(program, args, {
    stdio: 'inherit',
    env: { ...process.env, ...environment },
  });
  // The terminal sends Ctrl-C to the whole group: the observer ends itself, and we wait for it.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve) => {
    child.once('error', (error) => {
      process.stderr.write(`demo: cannot start ${program}: ${error.message}\n`);
      resolve(CANNOT_START);
    });
    child.once('close', (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

const server = startServer();
let exitCode = 1;
try {
  const ready = await untilReady(server);
  exitCode = await runAgent(process.argv.slice(2), ready);
} catch (error) {
  process.stderr.write(`demo: ${(error as Error).message}\n`);
} finally {
  // The server ends when its stdin does, also when this process is killed.
  server.removeAllListeners('exit');
  const ended = new Promise<void>((resolve) => {
    if (server.exitCode !== null || server.signalCode !== null) {
      resolve();
    } else {
      server.once('exit', () => resolve());
    }
  });
  server.stdin?.end();
  await ended;
}
process.exitCode = exitCode;
