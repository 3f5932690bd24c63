/** An HTTPS server that keeps, for each connection, the plaintext it received and sent: the truth to compare with. */
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type Certificate, makeCertificate } from '../../support/model-server/certificate.ts';

export interface Conversation {
  received: Buffer;
  sent: Buffer;
}

export interface TappedServer {
  port: number;
  certificate: Certificate;
  /** Of every connection that carried something, in the order they were opened. */
  conversations(): Conversation[];
  requests(): number;
  /** The clients' ports, one of each connection that came so far, in order. */
  clientPorts(): number[];
  stop(): Promise<void>;
}

export interface TappedServerOptions {
  /** Of each answer's body, sent in events of different sizes. */
  answerBytes?: number;
  /** Address to listen at; default 127.0.0.1. */
  host?: string;
}

export interface Tap {
  received: Buffer[];
  sent: Buffer[];
}

export async function startTappedServer(options: TappedServerOptions = {}): Promise<TappedServer> {
  const certificate = makeCertificate();
  const taps: Tap[] = [];
  const clientPorts: number[] = [];
  let requests = 0;
  const server = createServer(
    { cert: certificate.certificatePem, key: certificate.keyPem },
    (request, response) => {
      request.resume();
      request.on('end', () => {
        requests += 1;
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        const total = options.answerBytes ?? 2000;
        let done = 0;
        for (let i = 1; done < total; i++) {
          const size = Math.min(total - done, (i * 137) % 4096 || 1);
          response.write(`data: ${'x'.repeat(size)}${requests}\n\n`);
          done += size;
        }
        response.end();
      });
    },
  );
  server.on('secureConnection', (socket) => taps.push(tap(socket)));
  server.on('connection', (socket: Socket) => clientPorts.push(socket.remotePort ?? 0));
  server.listen(0, options.host ?? '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    certificate,
    conversations: () =>
      taps
        .map(({ received, sent }) => ({
          received: Buffer.concat(received),
          sent: Buffer.concat(sent),
        }))
        .filter(({ received, sent }) => received.length + sent.length > 0),
    requests: () => requests,
    clientPorts: () => clientPorts,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      certificate.remove();
    },
  };
}

/** Keeps what is received and sent from now on, before anything else reads or writes. */
export function tap(socket: TLSSocket): Tap {
  const kept: Tap = { received: [], sent: [] };
  socket.on('data', (bytes: Buffer) => kept.received.push(Buffer.from(bytes)));
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  socket.write = ((data: string | Uint8Array, ...rest: unknown[]) => {
    const encoding = typeof rest[0] === 'string' ? (rest[0] as BufferEncoding) : 'utf8';
    kept.sent.push(typeof data === 'string' ? Buffer.from(data, encoding) : Buffer.from(data));
    return write(data, ...rest);
  }) as typeof socket.write;
  return kept;
}
