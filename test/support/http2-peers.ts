/** Node's own HTTP/2 client and server over a recorded pair of streams: every write in order, as TLS calls. */
import { once } from 'node:events';
import http2 from 'node:http2';
import { Duplex } from 'node:stream';
import type { Call, Side } from './http-generator.ts';

/** One end of a pair. What is written to it is recorded, and read at the other end. */
class End extends Duplex {
  peer: End | undefined;
  private readonly side: Side;
  private readonly calls: Call[];

  constructor(side: Side, calls: Call[]) {
    super();
    this.side = side;
    this.calls = calls;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.calls.push({ side: this.side, bytes: Buffer.from(chunk) });
    setImmediate(() => this.peer?.push(chunk));
    callback();
  }

  override _final(callback: () => void): void {
    setImmediate(() => this.peer?.push(null));
    callback();
  }
}

export interface Peers {
  /** Everything that both ends wrote so far. */
  calls: Call[];
  client: http2.ClientHttp2Session;
  close(): Promise<void>;
}

export interface PeerOptions {
  client?: http2.SecureClientSessionOptions;
  server?: http2.ServerOptions;
}

/** Connects a client to a server that answers with `onStream`. */
export function connectPeers(
  onStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
  options: PeerOptions = {},
): Peers {
  const calls: Call[] = [];
  const near = new End('request', calls);
  const far = new End('response', calls);
  near.peer = far;
  far.peer = near;
  const server = http2.createServer(options.server ?? {});
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    onStream(stream, headers);
  });
  server.on('sessionError', () => {});
  // The client writes its preface first, as over TCP.
  setImmediate(() => server.emit('connection', far));
  const client = http2.connect('http://h.example', {
    ...options.client,
    createConnection: () => near,
  });
  client.on('error', () => {});
  return {
    calls,
    client,
    async close() {
      const closed = once(client, 'close');
      client.close();
      await closed;
    },
  };
}

export interface PeerAnswer {
  headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader;
  body: Buffer;
  trailers?: http2.IncomingHttpHeaders;
}

/** Sends one request and reads its answer to the end. */
export async function ask(
  client: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body?: Uint8Array,
): Promise<PeerAnswer> {
  const stream = client.request(headers, { endStream: body === undefined });
  if (body !== undefined) {
    stream.end(body);
  }
  const parts: Buffer[] = [];
  const answer: PeerAnswer = { headers: {}, body: Buffer.alloc(0) };
  stream.on('response', (fields) => {
    answer.headers = fields;
  });
  stream.on('trailers', (fields) => {
    answer.trailers = fields;
  });
  stream.on('data', (bytes: Buffer) => parts.push(bytes));
  await new Promise<void>((resolve, reject) => {
    stream.on('close', resolve);
    stream.on('error', reject);
  });
  answer.body = Buffer.concat(parts);
  return answer;
}
