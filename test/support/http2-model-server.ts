/** The model server's answers over HTTP/2: any number of streams on one connection, and the truth of each. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { makeCertificate } from './model-server/certificate.ts';
import { createContentEncoder, negotiate } from './model-server/content-encoder.ts';
import type { ExchangeTruth } from './model-server/exchange-truth.ts';
import { headerOf, type IncomingRequest } from './model-server/request-reader.ts';
import { route } from './model-server/routes.ts';
import type { Scenario } from './model-server/scenario.ts';

export interface Http2Answers {
  /** Answers one stream. */
  answer(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void;
  /** Every exchange that is over, in the order the requests arrived. */
  truth(): ExchangeTruth[];
  /** Scenarios for the next model calls, one each. */
  script(scenarios: readonly Scenario[]): void;
  port: number;
}

const EPOCH_OFFSET_NS = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();

export function createHttp2Answers(tls: boolean): Http2Answers {
  const truths: ExchangeTruth[] = [];
  let scripted: Scenario[] = [];
  let exchanges = 0;

  async function serve(
    stream: http2.ServerHttp2Stream,
    headers: http2.IncomingHttpHeaders,
  ): Promise<void> {
    exchanges += 1;
    const exchange = exchanges;
    const ordinal = exchange - 1;
    const request = await readRequest(stream, headers);
    const routed = route(request, {
      serverSeed: 1,
      exchange,
      defaultScenario: {},
      nextScripted: () => scripted.shift(),
    });
    const { plan } = routed;
    const { scenario, view, answer } = plan;
    const asked = scenario.encoding ?? 'identity';
    const encoder = createContentEncoder(
      asked === 'negotiate' ? negotiate(headerOf(request.headers, 'accept-encoding')) : asked,
    );
    const firstByteNs = process.hrtime.bigint();
    const hash = createHash('sha256');
    let bodyBytes = 0;
    stream.respond({
      ':status': plan.status,
      ...Object.fromEntries(plan.headers),
      ...(encoder.header === undefined ? {} : { 'content-encoding': encoder.header }),
    });
    const send = async (bytes: Buffer): Promise<void> => {
      bodyBytes += bytes.length;
      hash.update(bytes);
      if (bytes.length > 0 && !stream.write(bytes)) {
        await once(stream, 'drain');
      }
    };
    for (const piece of plan.pieces) {
      if (scenario.intervalMs !== undefined) {
        await new Promise((resolve) => setTimeout(resolve, scenario.intervalMs));
      }
      await send(await encoder.push(piece.bytes, plan.isStream));
      piece.effect?.();
    }
    await send(await encoder.end());
    stream.end();
    await once(stream, 'close');
    truths.push({
      exchange,
      connection: 1,
      ordinal,
      tls,
      serverPort: answers.port,
      clientPort: 0,
      ...(routed.api === undefined ? {} : { api: routed.api }),
      epochOffsetNs: String(EPOCH_OFFSET_NS),
      request: {
        method: request.method,
        target: request.target,
        headers: [],
        bodyBytes: request.body.length,
        bodySha256: request.bodySha256,
        wireBytes: 0,
        firstByteNs: String(request.firstByteNs),
        lastByteNs: String(request.lastByteNs),
        ...(view === undefined ? {} : { stream: view.stream, messages: view.messages }),
        ...(view?.model === undefined ? {} : { model: view.model }),
      },
      response: {
        status: plan.status,
        headers: plan.headers,
        interim: [],
        encoding: encoder.header ?? 'identity',
        transfer: 'none',
        bodyBytes,
        bodySha256: hash.digest('hex'),
        decodedBytes: 0,
        decodedSha256: '',
        wireBytes: 0,
        events: plan.isStream ? plan.pieces.length : 0,
        firstByteNs: String(firstByteNs),
        lastByteNs: String(process.hrtime.bigint()),
        complete: true,
      },
      ...(answer === undefined ? {} : { answer }),
      clientEnd: 'open',
    });
  }

  const answers: Http2Answers = {
    port: 80,
    answer(stream, headers) {
      void serve(stream, headers).catch((error: unknown) => stream.destroy(error as Error));
    },
    truth: () => truths.sort((a, b) => a.exchange - b.exchange),
    script(scenarios) {
      scripted = [...scripted, ...scenarios];
    },
  };
  return answers;
}

async function readRequest(
  stream: http2.ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
): Promise<IncomingRequest> {
  const firstByteNs = process.hrtime.bigint();
  const pieces: Buffer[] = [];
  for await (const piece of stream) {
    pieces.push(piece as Buffer);
  }
  const body = Buffer.concat(pieces);
  return {
    method: String(headers[':method']),
    target: String(headers[':path']),
    version: '2',
    headers: Object.entries(headers)
      .filter(([name]) => !name.startsWith(':'))
      .map(([name, value]) => [name, String(value)]),
    body,
    bodySha256: createHash('sha256').update(body).digest('hex'),
    wireBytes: 0,
    firstByteNs,
    lastByteNs: process.hrtime.bigint(),
  };
}

export interface Http2ModelServer extends Http2Answers {
  url: string;
  caPath: string;
  stop(): Promise<void>;
}

/** Starts it on a port of the kernel's choice, for HTTP/2 over TLS alone. */
export async function startHttp2ModelServer(): Promise<Http2ModelServer> {
  const certificate = makeCertificate();
  const answers = createHttp2Answers(true);
  const sessions = new Set<http2.ServerHttp2Session>();
  const server = http2.createSecureServer({
    cert: certificate.certificatePem,
    key: certificate.keyPem,
    settings: { maxConcurrentStreams: 1000 },
  });
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => {});
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    answers.answer(stream, headers);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  answers.port = port;
  return Object.assign(answers, {
    url: `https://127.0.0.1:${port}`,
    caPath: certificate.caPath,
    async stop() {
      for (const session of sessions) {
        session.destroy();
      }
      await new Promise<void>((resolve) => server.close(() => resolve()));
      certificate.remove();
    },
  });
}
