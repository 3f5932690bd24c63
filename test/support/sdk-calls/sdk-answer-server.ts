/** An HTTPS server, HTTP/1.1 and HTTP/2, that answers `/NUMBER/…` as the case with that number says. */
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { makeCertificate } from '../model-server/certificate.ts';
import type { SdkAnswer, SdkCase } from './sdk-case.ts';

export interface SdkAnswerServer {
  url: string;
  port: number;
  caPath: string;
  /** `METHOD PATH` of every request, a list for each case. */
  requests: readonly string[][];
  stop(): Promise<void>;
}

export async function startSdkAnswerServer(cases: readonly SdkCase[]): Promise<SdkAnswerServer> {
  const certificate = makeCertificate();
  const requests = cases.map((): string[] => []);
  const server = createSecureServer(
    { key: certificate.keyPem, cert: certificate.certificatePem, allowHTTP1: true },
    (request, response) => {
      const [, number = '', path = ''] = /^\/(\d+)(\/.*)$/.exec(request.url) ?? [];
      const seen = requests[Number(number)];
      const answer = seen && cases[Number(number)]?.answers[seen.length];
      seen?.push(`${request.method} ${path}`);
      request.resume();
      request.once('end', () => send(answer, request, response));
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://localhost:${port}`,
    port,
    caPath: certificate.caPath,
    requests,
    async stop() {
      await new Promise((resolve) => server.close(resolve));
      certificate.remove();
    },
  };
}

function send(
  answer: SdkAnswer | undefined,
  request: Http2ServerRequest,
  response: Http2ServerResponse,
): void {
  if (answer === undefined) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(answer.status ?? 200, {
    'content-type': answer.contentType ?? 'application/json',
    ...answer.headers,
  });
  const [...pieces] = answer.pieces;
  function next(): void {
    const piece = pieces.shift();
    if (piece !== undefined) {
      response.write(piece, () => setImmediate(next));
    } else if (answer?.isCut !== true) {
      response.end();
    } else if (request.httpVersionMajor === 2) {
      response.stream.close(2);
    } else {
      request.socket.destroy();
    }
  }
  next();
}
