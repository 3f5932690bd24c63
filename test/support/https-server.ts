/** An HTTPS server of a test's own on loopback, with a certificate that only its clients trust. */
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { makeCertificate } from './model-server/certificate.ts';

export interface HttpsServer {
  port: number;
  /** File of the authority to trust. */
  caPath: string;
  /** Ends it, and every connection to it. */
  stop(): Promise<void>;
}

export async function startHttpsServer(handler: RequestListener): Promise<HttpsServer> {
  const certificate = makeCertificate();
  const server = createServer(
    { cert: certificate.certificatePem, key: certificate.keyPem },
    handler,
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    caPath: certificate.caPath,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      certificate.remove();
    },
  };
}
