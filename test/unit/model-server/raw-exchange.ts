/** Sends bytes to the server and gives back every byte it answered, with the borders of what arrived. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { jsonText } from '../../support/model-server/sse-framing.ts';

export interface RawAnswer {
  bytes: Buffer;
  /** Sizes of the pieces that arrived, as the socket handed them over. */
  pieces: number[];
  /** The connection ended with a reset. */
  wasReset: boolean;
}

/** Waits until the server closes, or until `until` says that enough has arrived. With `ca` over TLS. */
export function rawExchange(
  port: number,
  request: string | Buffer,
  until?: (text: string) => boolean,
  ca?: Buffer,
): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const socket: Socket =
      ca === undefined ? connect(port, '127.0.0.1') : connectTls({ port, host: '127.0.0.1', ca });
    const parts: Buffer[] = [];
    let wasReset = false;
    socket.on('data', (bytes) => {
      parts.push(bytes);
      if (until?.(Buffer.concat(parts).toString('latin1')) === true) {
        socket.destroy();
      }
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      wasReset = error.code === 'ECONNRESET';
    });
    socket.on('close', () => {
      resolve({ bytes: Buffer.concat(parts), pieces: parts.map((part) => part.length), wasReset });
    });
    socket.write(request);
  });
}

/** A model call as bytes. */
export function modelRequest(options: {
  api?: 'openai' | 'anthropic';
  scenario?: unknown;
  stream?: boolean;
  extra?: Record<string, unknown>;
  headers?: readonly string[];
  prompt?: string;
}): string {
  const path = options.api === 'anthropic' ? '/v1/messages' : '/v1/chat/completions';
  const body = JSON.stringify({
    model: 'm',
    messages: [{ role: 'user', content: options.prompt ?? 'hello' }],
    stream: options.stream ?? false,
    ...options.extra,
  });
  const head = [
    `POST ${path} HTTP/1.1`,
    'host: localhost',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    ...(options.scenario === undefined ? [] : [`x-scenario: ${jsonText(options.scenario, true)}`]),
    ...(options.headers ?? []),
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
