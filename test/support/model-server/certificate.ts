/** The model server's certificate, made at run time by an authority of its own. */
import { chmodSync } from 'node:fs';
import { createAuthority } from '../openssl-authority.ts';

export interface Certificate {
  /** PEM file of the authority, for NODE_EXTRA_CA_CERTS, SSL_CERT_FILE, `curl --cacert` and the like. */
  caPath: string;
  certificatePem: Buffer;
  keyPem: Buffer;
  /** Deletes the directory that holds all of it. */
  remove(): void;
}

function leafExtensions(hostNames: readonly string[]): string {
  const names = ['localhost', ...hostNames].map((name) => `DNS:${name}`);
  const alternatives = [...names, 'IP:127.0.0.1', 'IP:::1'].join(',');
  return `basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
subjectAltName=${alternatives}
`;
}

/** `hostNames` are names besides localhost that the certificate is valid for. Throws when `openssl` fails. */
export function makeCertificate(hostNames: readonly string[] = []): Certificate {
  const authority = createAuthority('Model server test authority');
  const { certificatePem, keyPem } = authority.issue(
    'leaf',
    'localhost',
    leafExtensions(hostNames),
  );
  // An agent may run as another user than the server: the authority is for all to read, the keys stay 0600.
  chmodSync(authority.directory, 0o711);
  chmodSync(authority.caFile, 0o644);
  return { caPath: authority.caFile, certificatePem, keyPem, remove: authority.remove };
}
