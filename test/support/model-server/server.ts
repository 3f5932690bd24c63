/**
 * A model server for tests: speaks HTTP/1.1 over TLS or plain, answers as OpenAI's and Anthropic's services do in
 * any of the shapes a `Scenario` names, and keeps the truth of every exchange.
 */
import { createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, TLSSocket } from 'node:tls';
import { type Certificate, makeCertificate } from './certificate.ts';
import type { ClientEnd, ExchangeTruth, RequestTruth } from './exchange-truth.ts';
import { createRandom, seedOf } from './random.ts';
import { createRequestReader, type IncomingRequest } from './request-reader.ts';
import { type RoutedPlan, route } from './routes.ts';
import { checkScenario, type Scenario } from './scenario.ts';
import { type Sent, sendResponse } from './send-response.ts';
import { isSocketRequest, serveSocket } from './socket-endpoint.ts';

export interface ModelServerOptions {
  /** Default true. */
  tls?: boolean;
  /** Default 127.0.0.1. */
  host?: string;
  /** Default 0: the kernel chooses. */
  port?: number;
  /** Draws everything the scenarios leave open. Default 1. */
  seed?: number;
  /** Names besides localhost that the certificate is valid for. */
  hostNames?: readonly string[];
  /** For requests that name no scenario; keys of a named one come on top. */
  defaultScenario?: Scenario;
  /** Called when an exchange is over, and again when `clientEnd` becomes known. */
  onExchange?: (truth: ExchangeTruth) => void;
  /** Default: errors of the server itself are thrown. */
  onError?: (error: unknown) => void;
}

export interface ModelServer {
  /** `https://127.0.0.1:PORT`, without a path. */
  url: string;
  port: number;
  /** PEM file of the authority to trust; empty without TLS. */
  caPath: string;
  /** Every exchange that is over, in the order the requests arrived. */
  truth(): ExchangeTruth[];
  /** Resolves when no exchange is running; with `count` also not before so many are over. */
  settle(count?: number, timeoutMs?: number): Promise<ExchangeTruth[]>;
  /** Scenarios for the next model calls that name none themselves, one each. */
  script(scenarios: readonly Scenario[]): void;
  /** Forgets truth and script; numbering goes on. */
  reset(): void;
  stop(): Promise<void>;
}

const CREDENTIAL_HEADERS = new Set(['authorization', 'x-api-key', 'api-key', 'cookie']);

function requestTruth(request: IncomingRequest, routed: RoutedPlan): RequestTruth {
  const view = routed.plan.view;
  return {
    method: request.method,
    target: request.target,
    headers: request.headers.map(([name, value]) => [
      name,
      CREDENTIAL_HEADERS.has(name.toLowerCase()) ? `(${value.length} characters)` : value,
    ]),
    bodyBytes: request.body.length,
    bodySha256: request.bodySha256,
    wireBytes: request.wireBytes,
    firstByteNs: String(request.firstByteNs),
    lastByteNs: String(request.lastByteNs),
    ...(view === undefined
      ? {}
      : {
          stream: view.stream,
          messages: view.messages,
          toolResults: view.toolResults,
          ...(view.model === undefined ? {} : { model: view.model }),
        }),
  };
}

/**
 * Ends a connection with a TCP reset and nothing before it. `resetAndDestroy()` alone would first send the ordinary
 * end on a plain socket, so its flag is set and the socket destroyed without its detour.
 */
function resetNow(raw: Socket): void {
  Object.assign(raw, { resetAndClosing: true });
  raw.destroy();
}

/** Starts a server. Rejects when the port is taken or `openssl` cannot make the certificate. */
export async function startModelServer(options: ModelServerOptions = {}): Promise<ModelServer> {
  const hasTls = options.tls ?? true;
  const host = options.host ?? '127.0.0.1';
  const serverSeed = options.seed ?? 1;
  const defaultScenario = checkScenario(options.defaultScenario ?? {});
  const certificate: Certificate | undefined = hasTls
    ? makeCertificate(options.hostNames)
    : undefined;
  const secureContext =
    certificate === undefined
      ? undefined
      : createSecureContext({ cert: certificate.certificatePem, key: certificate.keyPem });
  const epochOffsetNs = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();

  const stopping = new AbortController();
  const sockets = new Set<Socket>();
  let truths: ExchangeTruth[] = [];
  let scripted: Scenario[] = [];
  let exchanges = 0;
  let connections = 0;
  let running = 0;
  let port = 0;
  let changed: (() => void)[] = [];

  function notify(): void {
    const waiters = changed;
    changed = [];
    for (const waiter of waiters) {
      waiter();
    }
  }

  /** Keeps the order of arrival: exchanges mostly end in it, so the search from the end is short. */
  function insert(truth: ExchangeTruth): void {
    let at = truths.length;
    while (at > 0 && truths[at - 1]!.exchange > truth.exchange) {
      at -= 1;
    }
    truths.splice(at, 0, truth);
  }

  async function serve(raw: Socket, socket: Duplex): Promise<void> {
    connections += 1;
    const connection = connections;
    const clientPort = raw.remotePort ?? 0;
    const reader = createRequestReader(socket, () => socket.write('HTTP/1.1 100 Continue\r\n\r\n'));
    let previous: ExchangeTruth | undefined;

    function resolvePrevious(clientEnd: ClientEnd): void {
      if (previous !== undefined && previous.clientEnd === 'open') {
        previous.clientEnd = clientEnd;
        options.onExchange?.(previous);
      }
    }

    for (let ordinal = 0; ; ordinal += 1) {
      const request = await reader.next();
      if (request === undefined) {
        break;
      }
      resolvePrevious('next-request');
      if (isSocketRequest(request)) {
        await serveSocket(socket, request, reader.handOver(), {
          serverSeed,
          defaultScenario,
          nextScripted: () => scripted.shift(),
          beginExchange() {
            running += 1;
            exchanges += 1;
            return exchanges;
          },
          endExchange(answered) {
            insert({
              ...answered,
              connection,
              tls: hasTls,
              serverPort: port,
              clientPort,
              epochOffsetNs: String(epochOffsetNs),
            });
            running -= 1;
            notify();
          },
        });
        return;
      }
      exchanges += 1;
      running += 1;
      const exchange = exchanges;
      try {
        const routed = route(request, {
          serverSeed,
          exchange,
          defaultScenario,
          nextScripted: () => scripted.shift(),
        });
        const sent: Sent = await sendResponse(routed.plan, {
          socket,
          request,
          random: createRandom(seedOf(serverSeed, exchange, 'wire')),
          signal: stopping.signal,
          reset: () => resetNow(raw),
          clientGone: () => reader.over(),
        });
        const { scenario, answer } = routed.plan;
        const truth: ExchangeTruth = {
          exchange,
          connection,
          ordinal,
          tls: hasTls,
          serverPort: port,
          clientPort,
          ...(scenario.label === undefined ? {} : { label: scenario.label }),
          ...(routed.api === undefined ? {} : { api: routed.api }),
          epochOffsetNs: String(epochOffsetNs),
          request: requestTruth(request, routed),
          response: sent.truth,
          ...(answer === undefined ? {} : { answer }),
          clientEnd: !sent.delivered || reader.isOver ? 'closed-early' : 'open',
        };
        insert(truth);
        previous = truth;
        options.onExchange?.(truth);
        if (!sent.keepAlive) {
          break;
        }
      } finally {
        running -= 1;
        notify();
      }
    }
    socket.end();
    await reader.over();
    resolvePrevious('closed');
    notify();
  }

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (raw) => {
    sockets.add(raw);
    raw.on('close', () => sockets.delete(raw));
    raw.on('error', () => {});
    const socket: Duplex =
      secureContext === undefined
        ? raw
        : new TLSSocket(raw, { isServer: true, secureContext, ALPNProtocols: ['http/1.1'] });
    // A client that goes away is part of the tests: what it missed is in the truth.
    socket.on('error', () => raw.destroy());
    serve(raw, socket)
      .catch((error: unknown) => {
        if (stopping.signal.aborted || (error as Error).name === 'RequestError') {
          return;
        }
        if (options.onError === undefined) {
          throw error;
        }
        options.onError(error);
      })
      .finally(() => socket.destroy());
  });

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, host, () => resolve());
  });
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;

  async function settle(count = 0, timeoutMs = 10_000): Promise<ExchangeTruth[]> {
    const deadlineMs = performance.now() + timeoutMs;
    while (running > 0 || truths.length < count) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) {
        throw new Error(
          `the model server saw ${truths.length} of ${count} exchanges end, ${running} are running`,
        );
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        changed.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return truths;
  }

  return {
    url: `${hasTls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    caPath: certificate?.caPath ?? '',
    truth: () => truths,
    settle,
    script(scenarios) {
      scripted = [...scripted, ...scenarios.map((scenario) => checkScenario(scenario))];
    },
    reset() {
      truths = [];
      scripted = [];
    },
    async stop() {
      stopping.abort();
      for (const socket of sockets) {
        socket.destroy();
      }
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      certificate?.remove();
    },
  };
}
