/** A certificate authority made at run time with the `openssl` program: no key is in the tree. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface IssuedCertificate {
  certificateFile: string;
  keyFile: string;
  certificatePem: Buffer;
  keyPem: Buffer;
}

export interface Authority {
  directory: string;
  /** PEM file of the authority's own certificate. */
  caFile: string;
  /** `extensions` in the form of openssl's configuration. Throws when `openssl` fails. */
  issue(name: string, commonName: string, extensions: string): IssuedCertificate;
  /** Deletes the directory that holds all of it. */
  remove(): void;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const DAYS = ['-days', '2'];

function configuration(commonName: string): string {
  return `[req]
distinguished_name=name
x509_extensions=authority
prompt=no
[name]
CN=${commonName}
[authority]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
`;
}

export function createAuthority(commonName: string): Authority {
  const directory = mkdtempSync(join(tmpdir(), 'test-authority-'));
  const file = (name: string): string => join(directory, name);
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  };
  writeFileSync(file('authority.cnf'), configuration(commonName));
  openssl(
    ...['req', '-x509', ...NEW_KEY, ...DAYS, '-config', 'authority.cnf'],
    ...['-keyout', 'ca.key', '-out', 'ca.pem'],
  );
  return {
    directory,
    caFile: file('ca.pem'),
    issue(name, subject, extensions) {
      writeFileSync(file(`${name}.ext`), extensions);
      openssl(
        ...['req', ...NEW_KEY, '-subj', `/CN=${subject}`, '-config', 'authority.cnf'],
        ...['-keyout', `${name}.key`, '-out', `${name}.csr`],
      );
      openssl(
        ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', ...DAYS],
        ...['-CAcreateserial', '-extfile', `${name}.ext`, '-out', `${name}.pem`],
      );
      return {
        certificateFile: file(`${name}.pem`),
        keyFile: file(`${name}.key`),
        certificatePem: readFileSync(file(`${name}.pem`)),
        keyPem: readFileSync(file(`${name}.key`)),
      };
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
