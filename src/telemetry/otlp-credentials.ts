/** The PEM files and headers of an OTLP endpoint. https://opentelemetry.io/docs/specs/otel/protocol/exporter/ */
import { readFileSync } from 'node:fs';
import { credentials, Metadata } from '@grpc/grpc-js';
import { ExitCode, SightlineError } from '../util/errors.ts';
import type { OtlpSettings } from './options.ts';

export interface OtlpCertificates {
  /** Authorities the server is checked against; absent: the system's. */
  ca?: Buffer;
  key?: Buffer;
  cert?: Buffer;
}

/** Reads them all; throws a SightlineError that names the file that cannot be read. */
export function readCertificates(settings: OtlpSettings): OtlpCertificates {
  const { certificateFile, clientKeyFile, clientCertificateFile } = settings;
  if ((clientKeyFile === undefined) !== (clientCertificateFile === undefined)) {
    throw new SightlineError(
      'SL_OTLP_CLIENT_CERTIFICATE',
      'a client key and a client certificate only work together: set both OTEL_EXPORTER_OTLP_CLIENT_KEY and OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE, or neither',
      { exitCode: ExitCode.usage },
    );
  }
  return {
    ...(certificateFile === undefined ? {} : { ca: readPem(certificateFile) }),
    ...(clientKeyFile === undefined ? {} : { key: readPem(clientKeyFile) }),
    ...(clientCertificateFile === undefined ? {} : { cert: readPem(clientCertificateFile) }),
  };
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new SightlineError(
      'SL_OTLP_CERTIFICATE',
      `cannot read the certificate file ${path} of the OTLP endpoint: ${(cause as Error).message}`,
      { exitCode: ExitCode.usage, cause },
    );
  }
}

export function grpcCredentials(settings: OtlpSettings, isTls: boolean) {
  if (!isTls) {
    return credentials.createInsecure();
  }
  const { ca, key, cert } = readCertificates(settings);
  return credentials.createSsl(ca ?? null, key ?? null, cert ?? null);
}

export function grpcMetadata(settings: OtlpSettings): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(settings.headers ?? {})) {
    metadata.set(name, value);
  }
  return metadata;
}
