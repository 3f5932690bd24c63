/** Runs one of `bench/clients/` against a model server and reads what it measured of itself. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const CLIENT_KINDS = ['node', 'python'] as const;
export type ClientKind = (typeof CLIENT_KINDS)[number];

export interface StreamingClientOptions {
  kind: ClientKind;
  /** Of the server, without a path. */
  url: string;
  /** Empty for a server without TLS. */
  caPath: string;
  /** Requests at a time. */
  streams: number;
  /** Requests altogether. */
  exchanges: number;
}

export interface StreamReport {
  /** Server-sent events read, `[DONE]` included. */
  events: number;
  /** Streams that ended with `[DONE]`. */
  complete: number;
  outputTokens: number;
  /** From the first request to the last answer's end, without the program's start. */
  wallMs: number;
  userMs: number;
  systemMs: number;
  /** Between neighbouring events of one stream. */
  gapP50Ms: number;
  gapP99Ms: number;
}

const CLIENTS = fileURLToPath(new URL('../clients/', import.meta.url));
const TIMEOUT_MS = 300_000;

/** Rejects when the client fails, with what it wrote to stderr. */
export async function runStreamingClient(options: StreamingClientOptions): Promise<StreamReport> {
  const url = `${options.url}/v1/chat/completions`;
  const args = [url, String(options.streams), String(options.exchanges)];
  const [program, ...rest] =
    options.kind === 'python'
      ? ['/usr/bin/python3', `${CLIENTS}streaming_client.py`, ...args, options.caPath]
      : [process.execPath, `${CLIENTS}streaming-client.mjs`, ...args];
  const { stdout } = await promisify(execFile)(program, rest, {
    timeout: TIMEOUT_MS,
    env: {
      ...process.env,
      // The bench's own loader must not be part of the client.
      NODE_OPTIONS: undefined,
      PYTHONDONTWRITEBYTECODE: '1',
      ...(options.caPath === '' ? {} : { NODE_EXTRA_CA_CERTS: options.caPath }),
    },
  });
  return JSON.parse(stdout) as StreamReport;
}
