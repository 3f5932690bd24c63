/** A proxy over TLS that tunnels (CONNECT, RFC 9110 section 9.3.6), and keeps the plaintext of its own connections. */
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { type Certificate, makeCertificate } from '../../support/model-server/certificate.ts';
import { type Conversation, type Tap, tap } from './tapped-server.ts';

export interface TlsProxy {
  port: number;
  certificate: Certificate;
  /** Of every connection, in the order they were opened: a request to connect, then TLS within TLS. */
  conversations(): Conversation[];
  stop(): Promise<void>;
}

const HEAD_END = '\r\n\r\n';

export async function startTlsProxy(): Promise<TlsProxy> {
  const certificate = makeCertificate();
  const taps: Tap[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ cert: certificate.certificatePem, key: certificate.keyPem });
  server.on('secureConnection', (client) => {
    taps.push(tap(client));
    sockets.add(client);
    client.on('error', () => client.destroy());
    tunnel(client, sockets);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    certificate,
    conversations: () =>
      taps.map(({ received, sent }) => ({
        received: Buffer.concat(received),
        sent: Buffer.concat(sent),
      })),
    async stop() {
      for (const socket of sockets) {
        socket.destroy();
      }
      server.close();
      await once(server, 'close');
      certificate.remove();
    },
  };
}

function tunnel(client: TLSSocket, sockets: Set<Socket>): void {
  let head = '';
  const onHead = (bytes: Buffer): void => {
    head += bytes.toString('latin1');
    if (!head.endsWith(HEAD_END)) {
      return;
    }
    client.off('data', onHead);
    const [, host, port] = /^CONNECT ([^ :]+):(\d+) HTTP\/1\.[01]\r\n/.exec(head) ?? [];
    const upstream = connect(Number(port), host);
    sockets.add(upstream);
    upstream.on('error', () => client.destroy());
    upstream.once('connect', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.on('data', (bytes: Buffer) => upstream.write(bytes));
      upstream.on('data', (bytes: Buffer) => client.write(bytes));
      client.on('end', () => upstream.end());
      upstream.on('end', () => client.end());
    });
  };
  client.on('data', onHead);
}
