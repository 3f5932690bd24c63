/** Connections through transport and http: HTTP/1.1, HTTP/2 and WebSocket, one TLS call an event. */
import type { BodySink } from '../../src/http/exchange.ts';
import type { HttpStageOptions } from '../../src/http/http-options.ts';
import { type Call, captureEvents } from '../../test/support/http-generator.ts';
import {
  END_STREAM,
  headers,
  frame as http2Frame,
  PREFACE,
  requestFields,
  settings,
  TestEncoder,
} from '../../test/support/http2-writer.ts';
import { createCompressor, frame, handshake } from '../../test/support/websocket-wire.ts';
import type { Build } from '../support/build.ts';
import { deltaEvent, everyOf, totalBytes, type Work } from './work.ts';

const EVENTS = 4000;
const KEY = Uint8Array.of(1, 2, 3, 4);

function sseEvent(index: number, textBytes: number): Buffer {
  return Buffer.concat([Buffer.from('data: '), deltaEvent(index, textBytes), Buffer.from('\n\n')]);
}

/** Sends the calls through a transport; `found` is asked at the end. */
function throughHttp(
  { transport, httpStage }: Build,
  name: string,
  calls: readonly Call[],
  events: number,
  observe: () => { options: HttpStageOptions; found: () => number },
): Work {
  const captured = captureEvents(calls);
  return {
    name,
    bytes: totalBytes(calls.map(({ bytes }) => bytes)),
    events,
    pass(look) {
      const { options, found } = observe();
      const one = transport.createTransport({
        createParser: httpStage.createHttpStage(options),
        onFault: (error) => {
          throw error;
        },
      });
      everyOf(captured, one.push, look);
      return found();
    },
  };
}

/** Counts pieces of response bodies; or exchanges, each as `events`, when bodies are not wanted. */
function bodyCounter(isWanted: boolean, events: number) {
  return () => {
    let pieces = 0;
    let ended = 0;
    const sink: BodySink = {
      data: () => {
        pieces += 1;
      },
      gap() {},
      end() {},
    };
    const options: HttpStageOptions = {
      handler: () => (isWanted ? { response: () => sink } : undefined),
      onExchange: () => {
        ended += 1;
      },
    };
    return { options, found: () => (isWanted ? pieces : ended * events) };
  };
}

function http1(build: Build, name: string, textBytes: number, isWanted: boolean): Work {
  const chunks = Array.from({ length: EVENTS }, (_, index): Call => {
    const event = sseEvent(index, textBytes);
    const size = Buffer.from(`${event.length.toString(16)}\r\n`);
    return { side: 'response', bytes: Buffer.concat([size, event, Buffer.from('\r\n')]) };
  });
  const head =
    'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
  const calls: Call[] = [
    {
      side: 'request',
      bytes: Buffer.from('POST /v1/responses HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}'),
    },
    { side: 'response', bytes: Buffer.from(head) },
    ...chunks,
    { side: 'response', bytes: Buffer.from('0\r\n\r\n') },
  ];
  return throughHttp(build, name, calls, EVENTS, bodyCounter(isWanted, EVENTS));
}

/** `streams` answers at a time, whose frames take turns. */
function http2(build: Build, name: string, streams: number, isWanted: boolean): Work {
  const client = new TestEncoder();
  const server = new TestEncoder();
  const ids = Array.from({ length: streams }, (_, index) => index * 2 + 1);
  const requests = ids.map((id) =>
    Buffer.concat([
      headers(id, client.block(requestFields('/v1/responses'))),
      http2Frame('DATA', END_STREAM, id, '{}'),
    ]),
  );
  const each = EVENTS / streams;
  const answers: Buffer[] = ids.map((id) =>
    headers(
      id,
      server.block([
        [':status', '200'],
        ['content-type', 'text/event-stream'],
      ]),
    ),
  );
  for (let round = 0; round < each; round += 1) {
    for (const id of ids) {
      const flags = round === each - 1 ? END_STREAM : 0;
      answers.push(http2Frame('DATA', flags, id, sseEvent(round, 20)));
    }
  }
  const calls: Call[] = [
    { side: 'request', bytes: Buffer.concat([PREFACE, settings(), ...requests]) },
    { side: 'response', bytes: settings() },
    ...answers.map((bytes): Call => ({ side: 'response', bytes })),
  ];
  return throughHttp(build, name, calls, EVENTS, bodyCounter(isWanted, each));
}

function webSocket(
  build: Build,
  name: string,
  textBytes: number,
  isClient: boolean,
  isDeflating = false,
): Work {
  const compress = createCompressor(true);
  const calls = Array.from({ length: EVENTS }, (_, index): Call => {
    const plain = deltaEvent(index, textBytes);
    const payload = isDeflating ? compress(plain) : plain;
    const masking = isClient ? { key: KEY } : {};
    const bytes = frame({ opcode: 1, payload, rsv1: isDeflating, ...masking });
    return { side: isClient ? 'request' : 'response', bytes };
  });
  const opening = handshake(isDeflating ? 'permessage-deflate' : undefined);
  return throughHttp(build, name, [...opening, ...calls], EVENTS, () => {
    let seen = 0;
    const sink: BodySink = { data() {}, gap() {}, end() {} };
    const options: HttpStageOptions = {
      handler: () => undefined,
      webSocket: () => ({
        message: () => sink,
        messageEnd: () => {
          seen += 1;
        },
      }),
    };
    return { options, found: () => seen };
  });
}

function transportAlone({ transport }: Build): Work {
  const calls = Array.from({ length: EVENTS }, (_, index): Call => {
    return { side: 'response', bytes: sseEvent(index, 20) };
  });
  const captured = captureEvents(calls);
  return {
    name: 'transport',
    bytes: totalBytes(calls.map(({ bytes }) => bytes)),
    events: EVENTS,
    pass(look) {
      let seen = 0;
      const one = transport.createTransport({
        createParser: () => ({
          data: () => {
            seen += 1;
          },
          gap() {},
          end() {},
        }),
      });
      everyOf(captured, one.push, look);
      return seen;
    },
  };
}

export function connectionWorks(build: Build): Work[] {
  return [
    transportAlone(build),
    http1(build, 'http/1.1, chunks, body unwanted', 20, false),
    http1(build, 'http/1.1, chunks', 20, true),
    http1(build, 'http/1.1, chunks of 16 KB', 16_000, true),
    http2(build, 'http/2, one stream, body unwanted', 1, false),
    http2(build, 'http/2, one stream', 1, true),
    http2(build, 'http/2, 100 streams in turns', 100, true),
    webSocket(build, 'websocket, from the server', 20, false),
    webSocket(build, 'websocket, from the client (masked)', 20, true),
    webSocket(build, 'websocket, masked, 16 KB', 16_000, true),
    webSocket(build, 'websocket, permessage-deflate', 20, false, true),
  ];
}
