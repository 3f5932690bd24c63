/** Starts the model server as a process of its own and steers it over its stdin, so that no control traffic is observed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ExchangeTruth } from './exchange-truth.ts';
import type { Scenario } from './scenario.ts';

export interface SpawnedModelServerOptions {
  plain?: boolean;
  host?: string;
  port?: number;
  seed?: number;
  hostNames?: readonly string[];
  defaultScenario?: Scenario;
  truthPath?: string;
  /** Words before the command, such as `ip netns exec NAME`. */
  prefix?: readonly string[];
}

export interface SpawnedModelServer {
  url: string;
  port: number;
  caPath: string;
  pid: number;
  /** Waits until no exchange is running and at least `count` are over, then gives the truth. */
  settle(count?: number, timeoutMs?: number): Promise<ExchangeTruth[]>;
  script(scenarios: readonly Scenario[]): Promise<void>;
  reset(): Promise<void>;
  stop(): Promise<void>;
}

interface Reply {
  error?: string;
  truth?: ExchangeTruth[];
  url?: string;
  port?: number;
  caPath?: string;
}

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
/** Found from this file, so that the working directory does not matter. */
const TSX = import.meta.resolve('tsx');

export async function spawnModelServer(
  options: SpawnedModelServerOptions = {},
): Promise<SpawnedModelServer> {
  const args = [`--import=${TSX}`, MAIN, '--control'];
  const add = (name: string, value: string | number | undefined): void => {
    if (value !== undefined) {
      args.push(`--${name}`, String(value));
    }
  };
  add('host', options.host);
  add('port', options.port);
  add('seed', options.seed);
  add('truth', options.truthPath);
  add('scenario', options.defaultScenario && JSON.stringify(options.defaultScenario));
  for (const name of options.hostNames ?? []) {
    add('host-name', name);
  }
  if (options.plain === true) {
    args.push('--plain');
  }
  const [program = process.execPath, ...rest] = [
    ...(options.prefix ?? []),
    process.execPath,
    ...args,
  ];
  const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'inherit'] });

  const waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void }[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    const reply = JSON.parse(line) as Reply;
    const waiter = waiting.shift();
    if (reply.error === undefined) {
      waiter?.resolve(reply);
    } else {
      waiter?.reject(new Error(reply.error));
    }
  });
  const exited = once(child, 'exit');
  child.once('error', (error) => waiting.shift()?.reject(error));
  child.once('exit', (code, signal) => {
    for (const waiter of waiting) {
      waiter.reject(new Error(`the model server ended with ${signal ?? code}`));
    }
  });

  function reply(): Promise<Reply> {
    return new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
    });
  }
  function command(message: Record<string, unknown>): Promise<Reply> {
    const answered = reply();
    child.stdin.write(`${JSON.stringify(message)}\n`);
    return answered;
  }

  const ready = await reply();
  return {
    url: ready.url ?? '',
    port: ready.port ?? 0,
    caPath: ready.caPath ?? '',
    pid: child.pid ?? 0,
    async settle(count = 0, timeoutMs = 10_000) {
      return (await command({ do: 'settle', count, timeoutMs })).truth ?? [];
    },
    async script(scenarios) {
      await command({ do: 'script', scenarios });
    },
    async reset() {
      await command({ do: 'reset' });
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.stdin.end();
        await exited;
      }
    },
  };
}
