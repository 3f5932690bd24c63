/** Asks an OTLP endpoint whether it would take what we send: an export with nothing in it. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Client } from '@grpc/grpc-js';
import { DEFAULT_OTLP_TIMEOUT_MS, type OtlpSettings, type Signal } from './options.ts';
import { otlpAddress, portHint } from './otlp-address.ts';
import { grpcCredentials, grpcMetadata, readCertificates } from './otlp-credentials.ts';
import { failureOf } from './send-outcome.ts';

export interface EndpointVerdict {
  ok: boolean;
  /** Empty when ok; else what went wrong and, where it is known, how to mend it. One line. */
  reason: string;
}

const GRPC_PATHS: Record<Signal, string> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
};

/** An export request without content encodes to no bytes in protobuf. */
const EMPTY_REQUEST = Buffer.alloc(0);

/** Never rejects: settings that cannot be used come as a verdict too. */
export async function checkEndpoint(settings: OtlpSettings): Promise<EndpointVerdict> {
  try {
    const address = otlpAddress(settings);
    const reason =
      settings.protocol === 'grpc'
        ? await askGrpc(settings, address.isTls)
        : await askHttp(settings, address.isTls);
    return reason === undefined
      ? { ok: true, reason: '' }
      : { ok: false, reason: reason + portHint(settings, address) };
  } catch (error) {
    return { ok: false, reason: (error as Error).message };
  }
}

/** Undefined: it took it. */
function askGrpc(settings: OtlpSettings, isTls: boolean): Promise<string | undefined> {
  const timeoutMs = settings.timeoutMs ?? DEFAULT_OTLP_TIMEOUT_MS;
  const target = settings.url.startsWith('unix:')
    ? settings.url
    : new URL(settings.url.includes('://') ? settings.url : `https://${settings.url}`).host;
  const client = new Client(target, grpcCredentials(settings, isTls));
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      call.cancel();
      finish(`no answer within ${timeoutMs} ms`);
    }, timeoutMs);
    const finish = (reason: string | undefined): void => {
      clearTimeout(timer);
      client.close();
      resolve(reason);
    };
    const call = client.makeUnaryRequest(
      GRPC_PATHS[settings.signal],
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      EMPTY_REQUEST,
      grpcMetadata(settings),
      (error) => {
        const outcome = error === null ? undefined : failureOf(error);
        finish(outcome !== undefined && 'reason' in outcome ? outcome.reason : undefined);
      },
    );
  });
}

function askHttp(settings: OtlpSettings, isTls: boolean): Promise<string | undefined> {
  const timeoutMs = settings.timeoutMs ?? DEFAULT_OTLP_TIMEOUT_MS;
  const send = isTls ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const outgoing = send(
      settings.url,
      {
        method: 'POST',
        headers: { ...settings.headers, 'content-type': 'application/x-protobuf' },
        agent: false,
        ...(isTls ? readCertificates(settings) : {}),
      },
      (response) => {
        response.resume();
        const status = response.statusCode ?? 0;
        finish(status < 300 ? undefined : `HTTP ${status} ${response.statusMessage ?? ''}`.trim());
      },
    );
    const timer = setTimeout(() => {
      finish(`no answer within ${timeoutMs} ms`);
      outgoing.destroy();
    }, timeoutMs);
    const finish = (reason: string | undefined): void => {
      clearTimeout(timer);
      resolve(reason);
    };
    outgoing.on('error', (error) => {
      const outcome = failureOf(error);
      finish('reason' in outcome ? outcome.reason : error.message);
    });
    outgoing.end(EMPTY_REQUEST);
  });
}
