/** A certificate authority and a server certificate made at run time with the `openssl` program: no key is in the tree. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  /** PEM file of the authority, for NODE_EXTRA_CA_CERTS, SSL_CERT_FILE, `curl --cacert` and the like. */
  caPath: string;
  certificatePem: Buffer;
  keyPem: Buffer;
  /** Deletes the directory that holds all of it. */
  remove(): void;
}

const AUTHORITY_CONFIG = `[req]
distinguished_name=name
x509_extensions=authority
prompt=no
[name]
CN=Model server test authority
[authority]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
`;

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
  const directory = mkdtempSync(join(tmpdir(), 'model-server-'));
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  writeFileSync(join(directory, 'authority.cnf'), AUTHORITY_CONFIG);
  writeFileSync(join(directory, 'leaf.ext'), leafExtensions(hostNames));
  openssl(
    ...['req', '-x509', ...newKey, '-days', '2', '-config', 'authority.cnf'],
    ...['-keyout', 'ca.key', '-out', 'ca.pem'],
  );
  openssl(
    ...['req', ...newKey, '-subj', '/CN=localhost', '-config', 'authority.cnf'],
    ...['-keyout', 'leaf.key', '-out', 'leaf.csr'],
  );
  openssl(
    ...['x509', '-req', '-in', 'leaf.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
    ...['-days', '2', '-extfile', 'leaf.ext', '-out', 'leaf.pem'],
  );
  // An agent may run as another user than the server: the authority is for all to read, the keys stay 0600.
  chmodSync(directory, 0o711);
  chmodSync(join(directory, 'ca.pem'), 0o644);
  return {
    caPath: join(directory, 'ca.pem'),
    certificatePem: readFileSync(join(directory, 'leaf.pem')),
    keyPem: readFileSync(join(directory, 'leaf.key')),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
