/**
 * Real OTLP receivers for tests, over gRPC and over HTTP. What they get is decoded with code generated from the
 * official definitions (https://github.com/open-telemetry/opentelemetry-proto), and handed out as OTLP JSON.
 */
import { createServer as createHttpServer, type IncomingHttpHeaders } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import { type OtlpContent, parseOtlpLines } from './otlp-file.ts';

export type OtlpSignal = 'traces' | 'metrics' | 'logs';

export interface OtlpRequest {
  signal: OtlpSignal;
  /** Header name in lower case → value. */
  headers: Record<string, string>;
  /** Content-Encoding or grpc-encoding, `identity` when none. */
  encoding: string;
  /** In the JSON form of OTLP. */
  json: Record<string, unknown>;
}

/** What to answer with instead of success. */
export interface OtlpRefusal {
  grpcCode?: number;
  httpStatus?: number;
  message: string;
}

export interface OtlpReceiverOptions {
  /** 0: any free one. */
  port?: number;
  /** PEM; with `clientCa` a client certificate is required. */
  tls?: { key: Buffer; certificate: Buffer; clientCa?: Buffer };
  /** Called for each request; a refusal is sent back in place of success. */
  refuse?: (signal: OtlpSignal, request: OtlpRequest) => OtlpRefusal | undefined;
}

export interface OtlpReceiver {
  port: number;
  /** Every request accepted, in order, but those with nothing in them. */
  requests: OtlpRequest[];
  /** Requests with nothing in them: probes. */
  probes(): number;
  /** All that was received, flat. */
  content(): OtlpContent;
  close(): Promise<void>;
}

interface ProtobufType {
  decode(bytes: Uint8Array): unknown;
  toObject(message: unknown, options: object): Record<string, unknown>;
}

const require = createRequire(import.meta.url);
const definitions = require('otlp-definitions/build/src/generated/root.js');
const collector = definitions.opentelemetry.proto.collector;

const REQUEST_TYPES: Record<OtlpSignal, ProtobufType> = {
  traces: collector.trace.v1.ExportTraceServiceRequest,
  metrics: collector.metrics.v1.ExportMetricsServiceRequest,
  logs: collector.logs.v1.ExportLogsServiceRequest,
};

const GRPC_SERVICES: Record<OtlpSignal, string> = {
  traces: 'opentelemetry.proto.collector.trace.v1.TraceService',
  metrics: 'opentelemetry.proto.collector.metrics.v1.MetricsService',
  logs: 'opentelemetry.proto.collector.logs.v1.LogsService',
};

const SIGNALS = Object.keys(GRPC_SERVICES) as OtlpSignal[];

/** Bytes of an id become hex, as OTLP JSON has them; other bytes stay base64. */
const ID_FIELDS = new Set(['traceId', 'spanId', 'parentSpanId']);

function toOtlpJson(signal: OtlpSignal, bytes: Uint8Array): Record<string, unknown> {
  const type = REQUEST_TYPES[signal];
  const object = type.toObject(type.decode(bytes), { longs: String, bytes: String });
  return hexIds(object) as Record<string, unknown>;
}

function hexIds(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(hexIds);
  }
  if (value === null || typeof value !== 'object') {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      ID_FIELDS.has(key) && typeof item === 'string'
        ? Buffer.from(item, 'base64').toString('hex')
        : hexIds(item),
    ]),
  );
}

function createRecorder(options: OtlpReceiverOptions) {
  const requests: OtlpRequest[] = [];
  let probes = 0;
  return {
    requests,
    probes: () => probes,
    /** Takes a request, or says why not. */
    take(
      signal: OtlpSignal,
      bytes: Uint8Array,
      headers: Record<string, string>,
      encoding: string,
    ): OtlpRefusal | undefined {
      const request = { signal, headers, encoding, json: toOtlpJson(signal, bytes) };
      const refusal = options.refuse?.(signal, request);
      if (refusal !== undefined) {
        return refusal;
      }
      if (bytes.length === 0) {
        probes += 1;
      } else {
        requests.push(request);
      }
      return undefined;
    },
    content: () => parseOtlpLines(requests.map(({ json }) => JSON.stringify(json)).join('\n')),
  };
}

/** Listens on loopback. */
export async function startGrpcReceiver(options: OtlpReceiverOptions = {}): Promise<OtlpReceiver> {
  const recorder = createRecorder(options);
  const server = new Server();
  for (const signal of SIGNALS) {
    const definition: ServiceDefinition = {
      export: {
        path: `/${GRPC_SERVICES[signal]}/Export`,
        requestStream: false,
        responseStream: false,
        requestSerialize: (bytes: Buffer) => bytes,
        requestDeserialize: (bytes: Buffer) => bytes,
        responseSerialize: (bytes: Buffer) => bytes,
        responseDeserialize: (bytes: Buffer) => bytes,
      },
    };
    server.addService(definition, {
      export(
        call: { request: Buffer; metadata: Metadata },
        done: (error: Partial<ServiceError> | null, answer?: Buffer) => void,
      ) {
        const headers = grpcHeaders(call.metadata);
        const refusal = recorder.take(
          signal,
          call.request,
          headers,
          headers['grpc-encoding'] ?? 'identity',
        );
        if (refusal === undefined) {
          done(null, Buffer.alloc(0));
        } else {
          done({ code: refusal.grpcCode ?? 14, details: refusal.message });
        }
      },
    });
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${options.port ?? 0}`, grpcCredentials(options), (error, bound) => {
      if (error === null) {
        resolve(bound);
      } else {
        reject(error);
      }
    });
  });
  return {
    port,
    requests: recorder.requests,
    probes: recorder.probes,
    content: recorder.content,
    async close() {
      server.forceShutdown();
    },
  };
}

function grpcCredentials({ tls }: OtlpReceiverOptions): ServerCredentials {
  if (tls === undefined) {
    return ServerCredentials.createInsecure();
  }
  return ServerCredentials.createSsl(
    tls.clientCa ?? null,
    [{ private_key: tls.key, cert_chain: tls.certificate }],
    tls.clientCa !== undefined,
  );
}

function grpcHeaders(metadata: Metadata): Record<string, string> {
  return Object.fromEntries(
    Object.entries(metadata.getMap()).map(([name, value]) => [name, value.toString()]),
  );
}

/** Listens on loopback; the signals' standard paths. */
export async function startHttpReceiver(options: OtlpReceiverOptions = {}): Promise<OtlpReceiver> {
  const recorder = createRecorder(options);
  const { tls } = options;
  const server =
    tls === undefined
      ? createHttpServer()
      : createHttpsServer({
          key: tls.key,
          cert: tls.certificate,
          ...(tls.clientCa === undefined
            ? {}
            : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }),
        });
  server.on('request', (request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const signal = SIGNALS.find((name) => request.url === `/v1/${name}`);
      if (signal === undefined || request.headers['content-type'] !== 'application/x-protobuf') {
        response.writeHead(404).end();
        return;
      }
      const encoding = request.headers['content-encoding'] ?? 'identity';
      const body = Buffer.concat(parts);
      const bytes = encoding === 'gzip' ? gunzipSync(body) : body;
      const refusal = recorder.take(signal, bytes, httpHeaders(request.headers), encoding);
      if (refusal === undefined) {
        response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
      } else {
        response.writeHead(refusal.httpStatus ?? 503).end(refusal.message);
      }
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    requests: recorder.requests,
    probes: recorder.probes,
    content: recorder.content,
    close() {
      return new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

function httpHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}
