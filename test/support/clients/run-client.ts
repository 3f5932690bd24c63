/** Starts one of the client programs of this folder and collects what it printed. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Scenario } from '../model-server/scenario.ts';

export const NODE_CLIENTS = [
  'node-fetch',
  'node-https',
  'openai-sdk',
  'anthropic-sdk',
  'curl',
] as const;
/** OpenAI's SDK with its newer API. */
export const RESPONSES_CLIENT = 'openai-responses-sdk';
/** The same SDK over WebSockets, and what speaks to those without one. */
export const SOCKET_CLIENTS = [
  'openai-responses-socket',
  'openai-realtime',
  'websockets_client',
  'aiohttp_socket_client',
] as const;
/** The SDKs of vendors whose APIs only they speak. */
export const VENDOR_CLIENTS = [
  'genai-sdk',
  'genai-interactions-sdk',
  'ollama-sdk',
  'cohere-sdk',
  'bedrock-sdk',
  'mistral-sdk',
  'mistral-conversations-sdk',
] as const;
export const PYTHON_CLIENTS = [
  'requests_client',
  'httpx_client',
  'httpx_async_client',
  'aiohttp_client',
] as const;
/** These need the environment that `scripts/real/python-sdks.sh` makes. */
export const PYTHON_SDK_CLIENTS = ['openai_client', 'anthropic_client'] as const;

export type ClientProgram =
  | (typeof NODE_CLIENTS)[number]
  | typeof RESPONSES_CLIENT
  | (typeof SOCKET_CLIENTS)[number]
  | (typeof VENDOR_CLIENTS)[number]
  | (typeof PYTHON_CLIENTS)[number]
  | (typeof PYTHON_SDK_CLIENTS)[number];

export interface ClientOptions {
  program: ClientProgram;
  /** Of the server, without a path. */
  url: string;
  caPath: string;
  /** `invoke`: Bedrock's InvokeModel instead of Converse. */
  api?: 'openai' | 'anthropic' | 'invoke';
  count?: number;
  connections?: number;
  concurrency?: number;
  stream?: boolean;
  includeUsage?: boolean;
  /** Value of Accept-Encoding. */
  encoding?: string;
  bodyBytes?: number;
  model?: string;
  prompt?: string;
  /** One for all requests, or a list that they take in turn. */
  scenario?: Scenario | readonly Scenario[];
  /** File of lines `METHOD PATH [BODY-BYTES]`. */
  targetsPath?: string;
  /** Words before the command, such as `sightline exec --`. */
  prefix?: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** Default Debian's, whose modules are distribution packages. */
  pythonPath?: string;
  timeoutMs?: number;
}

export interface ClientToolCall {
  id?: string;
  name: string;
  argumentsText: string;
}

export interface ClientChoice {
  /** Absent when it is very long. */
  text?: string;
  textBytes: number;
  textSha256: string;
  reasoning?: string;
  toolCalls: ClientToolCall[];
  finishReason?: string;
}

/** What a client got from one request. */
export interface ClientResult {
  request: number;
  status?: number;
  bodyBytes?: number;
  bodySha256?: string;
  id?: string;
  model?: string;
  choices?: ClientChoice[];
  usage?: Record<string, unknown>;
  error?: Record<string, unknown>;
  /** curl: the process that made the request. */
  pid?: number;
  exitCode?: number;
}

export interface ClientRun {
  /** Of the process started here: with a prefix that one's. */
  pid: number;
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  /** In the order of the requests. */
  results: ClientResult[];
  /** Lines on stdout that are no result, such as a prefix's own. */
  otherLines: string[];
  stderr: string;
}

const HERE = fileURLToPath(new URL('.', import.meta.url));

function flags(options: ClientOptions): string[] {
  const out = ['--url', options.url];
  const add = (name: string, value: string | number | undefined): void => {
    if (value !== undefined) {
      out.push(`--${name}`, String(value));
    }
  };
  add('ca', options.caPath === '' ? undefined : options.caPath);
  add('api', options.api);
  add('count', options.count);
  add('connections', options.connections);
  add('concurrency', options.concurrency);
  add('encoding', options.encoding);
  add('body-bytes', options.bodyBytes);
  add('model', options.model);
  add('prompt', options.prompt);
  add('scenario', options.scenario && JSON.stringify(options.scenario));
  add('targets', options.targetsPath);
  if (options.stream === true) {
    out.push('--stream');
  }
  if (options.includeUsage === true) {
    out.push('--include-usage');
  }
  return out;
}

/** The command without its prefix: what an observer is asked to run. */
export function clientCommand(options: ClientOptions): string[] {
  const isPython = options.program.endsWith('_client');
  const program = isPython
    ? [options.pythonPath ?? '/usr/bin/python3', `${HERE}python/${options.program}.py`]
    : [process.execPath, `${HERE}${options.program}.mjs`];
  return [...program, ...flags(options)];
}

/** The environment a client needs to trust the server. */
export function clientEnvironment(options: ClientOptions): Record<string, string | undefined> {
  return {
    ...process.env,
    // The tests' own loader must not be part of the client.
    NODE_OPTIONS: undefined,
    ...(options.caPath === '' ? {} : { NODE_EXTRA_CA_CERTS: options.caPath }),
    PYTHONDONTWRITEBYTECODE: '1',
    ...options.env,
  };
}

/** Rejects only when the program cannot be started or takes longer than `timeoutMs`. */
export async function runClient(options: ClientOptions): Promise<ClientRun> {
  const [program = '', ...args] = [...(options.prefix ?? []), ...clientCommand(options)];
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: clientEnvironment(options),
  });
  const out: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on('data', (bytes: Buffer) => out.push(bytes));
  child.stderr.on('data', (bytes: Buffer) => errors.push(bytes));
  const timeoutMs = options.timeoutMs ?? 60_000;
  const ended = await new Promise<{ exitCode: number | null; signal: NodeJS.Signals | null }>(
    (resolve, reject) => {
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        const stderr = Buffer.concat(errors).toString('utf8');
        reject(new Error(`${options.program} took longer than ${timeoutMs} ms: ${stderr}`));
      }, timeoutMs);
      child.once('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      child.once('close', (exitCode, signal) => {
        clearTimeout(timer);
        resolve({ exitCode, signal });
      });
    },
  );
  const results: ClientResult[] = [];
  const otherLines: string[] = [];
  for (const line of Buffer.concat(out).toString('utf8').split('\n')) {
    if (line.startsWith('{"request":')) {
      results.push(JSON.parse(line) as ClientResult);
    } else if (line !== '') {
      otherLines.push(line);
    }
  }
  results.sort((a, b) => a.request - b.request);
  return {
    pid: child.pid ?? 0,
    ...ended,
    results,
    otherLines,
    stderr: Buffer.concat(errors).toString('utf8'),
  };
}
