/** An authority with a server's and a client's certificate, made at run time by `openssl`: no key is in the tree. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface OtlpTestCertificates {
  caFile: string;
  serverKey: Buffer;
  serverCertificate: Buffer;
  clientKeyFile: string;
  clientCertificateFile: string;
  ca: Buffer;
  remove(): void;
}

const CONFIG = `[req]
distinguished_name=name
x509_extensions=authority
prompt=no
[name]
CN=OTLP receiver test authority
[authority]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
`;

const EXTENSIONS = {
  server: 'extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n',
  client: 'extendedKeyUsage=clientAuth\n',
} as const;

export function makeOtlpCertificates(): OtlpTestCertificates {
  const directory = mkdtempSync(join(tmpdir(), 'otlp-receiver-'));
  const file = (name: string): string => join(directory, name);
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  writeFileSync(file('authority.cnf'), CONFIG);
  openssl(
    ...['req', '-x509', ...newKey, '-days', '2', '-config', 'authority.cnf'],
    ...['-keyout', 'ca.key', '-out', 'ca.pem'],
  );
  for (const [name, extensions] of Object.entries(EXTENSIONS)) {
    writeFileSync(file(`${name}.ext`), extensions);
    openssl(
      ...['req', ...newKey, '-subj', `/CN=${name}`, '-config', 'authority.cnf'],
      ...['-keyout', `${name}.key`, '-out', `${name}.csr`],
    );
    openssl(
      ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key'],
      ...['-CAcreateserial', '-days', '2', '-extfile', `${name}.ext`, '-out', `${name}.pem`],
    );
  }
  return {
    caFile: file('ca.pem'),
    ca: readFileSync(file('ca.pem')),
    serverKey: readFileSync(file('server.key')),
    serverCertificate: readFileSync(file('server.pem')),
    clientKeyFile: file('client.key'),
    clientCertificateFile: file('client.pem'),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
