/** Endpoints that refuse, never answer or speak something else: the command goes on, and one warning names them. */
import assert from 'node:assert/strict';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { runClient } from '../../support/clients/run-client.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { type ModelServer, startModelServer } from '../../support/model-server/server.ts';
import { makeOtlpCertificates } from '../../support/otlp-certificates.ts';
import { startGrpcReceiver, startHttpReceiver } from '../../support/otlp-receiver.ts';
import { runSightline, sightlineArguments } from '../../support/sightline.ts';

interface Place {
  url: string;
  close(): Promise<void>;
}

/** Takes connections and never says a word. */
async function startSilence(): Promise<Place> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    url: `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) {
          socket.destroy();
        }
        server.close(() => resolve());
      }),
  };
}

async function placeOf(
  receiver: Promise<{ port: number; close(): Promise<void> }>,
): Promise<Place> {
  const { port, close } = await receiver;
  return { url: `127.0.0.1:${port}`, close };
}

/** The same for a receiver that speaks TLS. */
function secure(start: typeof startHttpReceiver): Promise<Place> {
  const made = makeOtlpCertificates();
  made.remove();
  return placeOf(start({ tls: { key: made.serverKey, certificate: made.serverCertificate } }));
}

const CASES: readonly (readonly [
  what: string,
  protocol: 'grpc' | 'http/protobuf',
  scheme: 'http' | 'https',
  start: () => Promise<Place>,
  reason: RegExp,
])[] = [
  [
    'refuses',
    'grpc',
    'http',
    async () => ({ url: '127.0.0.1:9', close: async () => {} }),
    /connect ECONNREFUSED 127\.0\.0\.1:9/,
  ],
  [
    'refuses',
    'http/protobuf',
    'http',
    async () => ({ url: '127.0.0.1:9', close: async () => {} }),
    /connect ECONNREFUSED 127\.0\.0\.1:9/,
  ],
  ['never answers', 'grpc', 'http', startSilence, /no answer|DEADLINE|deadline/i],
  ['never answers', 'http/protobuf', 'http', startSilence, /no answer within 1000 ms/],
  ['speaks HTTP', 'grpc', 'http', () => placeOf(startHttpReceiver()), /it speaks no gRPC/],
  ['speaks gRPC', 'http/protobuf', 'http', () => placeOf(startGrpcReceiver()), /for gRPC set/],
  [
    'has a certificate nobody knows',
    'grpc',
    'https',
    () => secure(startGrpcReceiver),
    /certificate/,
  ],
  [
    'has a certificate nobody knows',
    'http/protobuf',
    'https',
    () => secure(startHttpReceiver),
    /certificate; name the authority's file/,
  ],
  ['speaks no TLS', 'grpc', 'https', () => placeOf(startGrpcReceiver()), /write http:\/\//],
  [
    'speaks no TLS',
    'http/protobuf',
    'https',
    () => placeOf(startHttpReceiver()),
    /write http:\/\//,
  ],
  ['wants TLS', 'http/protobuf', 'http', () => secure(startHttpReceiver), /needs https:\/\//],
];

/** Short only where it is waited for: a busy machine must not take the place of the reason. */
function timeoutOf(what: string): string {
  return what === 'never answers' ? '1000' : '8000';
}

describe('an OTLP endpoint that takes nothing', function () {
  this.timeout(90_000);
  let server: ModelServer;

  before(async function () {
    requireKernel(this);
    server = await startModelServer();
  });
  after(async () => {
    await server?.stop();
  });

  for (const [what, protocol, scheme, start, reason] of CASES) {
    it(`${protocol} over ${scheme}: one that ${what} costs one warning, and the tree is printed`, async () => {
      const place = await start();
      try {
        const startMs = performance.now();
        const run = await runClient({
          program: 'curl',
          url: server.url,
          caPath: server.caPath,
          count: 1,
          prefix: [process.execPath, ...sightlineArguments(['exec', '--'])],
          env: {
            OTEL_EXPORTER_OTLP_ENDPOINT: `${scheme}://${place.url}`,
            OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
            OTEL_EXPORTER_OTLP_TIMEOUT: timeoutOf(what),
          },
        });
        assert.ok(performance.now() - startMs < 20_000, 'it ends soon');
        assert.equal(run.exitCode, 0, run.stderr);
        const warnings = run.stderr.match(/^.*warning: the OTLP endpoint .*$/gm) ?? [];
        assert.equal(warnings.length, 1, run.stderr);
        const [warning = ''] = warnings;
        assert.ok(warning.includes(`${scheme}://${place.url}`), warning);
        assert.match(warning, reason);
        assert.match(warning, /Traces are printed here meanwhile/);
        assert.match(run.stderr, /chat /, 'the tree');
        assert.doesNotMatch(run.stderr, /^\s+at |internal error|Unhandled/m);
      } finally {
        await place.close();
      }
    });

    it(`${protocol} over ${scheme}: check fails for one that ${what}`, async () => {
      const place = await start();
      try {
        const { code, stdout, stderr } = await runSightline(['check'], {
          OTEL_EXPORTER_OTLP_ENDPOINT: `${scheme}://${place.url}`,
          OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
          OTEL_EXPORTER_OTLP_TIMEOUT: timeoutOf(what),
        });
        assert.match(
          stdout,
          /^fail {2}otlp traces +[^\n]+ — start the receiver, or correct OTEL_/m,
        );
        assert.match(stdout, reason);
        assert.doesNotMatch(stderr, /^\s+at /m);
        assert.equal(code, 1);
      } finally {
        await place.close();
      }
    });
  }
});
