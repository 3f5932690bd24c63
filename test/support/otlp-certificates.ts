/** An authority with a server's and a client's certificate for an OTLP receiver. */
import { readFileSync } from 'node:fs';
import { createAuthority } from './openssl-authority.ts';

export interface OtlpTestCertificates {
  caFile: string;
  serverKey: Buffer;
  serverCertificate: Buffer;
  clientKeyFile: string;
  clientCertificateFile: string;
  ca: Buffer;
  remove(): void;
}

export function makeOtlpCertificates(): OtlpTestCertificates {
  const authority = createAuthority('OTLP receiver test authority');
  const server = authority.issue(
    'server',
    'server',
    'extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n',
  );
  const client = authority.issue('client', 'client', 'extendedKeyUsage=clientAuth\n');
  return {
    caFile: authority.caFile,
    ca: readFileSync(authority.caFile),
    serverKey: server.keyPem,
    serverCertificate: server.certificatePem,
    clientKeyFile: client.keyFile,
    clientCertificateFile: client.certificateFile,
    remove: authority.remove,
  };
}
