/** What is held back from a recording for what may follow is let go when nothing does, over every protocol. */
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import type { CaptureEvent, DecodedPiece, Direction } from '../../../src/capture/events.ts';
import { LET_GO_AFTER_NS } from '../../../src/transport/limits.ts';
import { type Call, callsOf, captureEvents, observe } from '../../support/http-generator.ts';
import { frame, headers, PREFACE, settings, TestEncoder } from '../../support/http2-writer.ts';
import {
  createCompressor,
  handshake,
  frame as webSocketFrame,
} from '../../support/websocket-wire.ts';

const TEXT = 'data: {"delta":"a text that goes on"}\n\n';
const GET = '>GET / HTTP/1.1\r\n\r\n';

const response = (bytes: Uint8Array): Call => ({ side: 'response', bytes });
const encoder = new TestEncoder();
const overHttp2 = (body: Uint8Array, ...fields: [string, string][]): Call[] => [
  { side: 'request', bytes: Buffer.concat([PREFACE, settings()]) },
  {
    side: 'request',
    bytes: headers(
      1,
      encoder.block([
        [':method', 'GET'],
        [':path', '/'],
      ]),
      5,
    ),
  },
  response(Buffer.concat([settings(), headers(1, encoder.block([[':status', '200'], ...fields]))])),
  response(frame('DATA', 0, 1, body)),
];

/** The last call of each is in the middle of an answer. */
const CASES: Readonly<Record<string, readonly Call[]>> = {
  'HTTP/1.1': callsOf(GET, `<HTTP/1.1 200 OK\r\n\r\n${TEXT}`),
  'HTTP/1.1, compressed': [
    ...callsOf(GET, '<HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n'),
    response(gzipSync(TEXT).subarray(0, -8)),
  ],
  'HTTP/2': overHttp2(Buffer.from(TEXT)),
  'HTTP/2, compressed': overHttp2(gzipSync(TEXT).subarray(0, -8), ['content-encoding', 'gzip']),
  'a WebSocket': [
    ...handshake(),
    response(webSocketFrame({ opcode: 1, fin: false, payload: Buffer.from(TEXT) })),
  ],
  'a WebSocket, compressed': [
    ...handshake('permessage-deflate'),
    response(
      webSocketFrame({
        opcode: 1,
        fin: false,
        rsv1: true,
        payload: createCompressor(true)(Buffer.from(TEXT)),
      }),
    ),
  ],
};

interface Recorded {
  /** Up to where. */
  released: Record<Direction, number>;
  /** What compressed bytes decode to. */
  content: string;
}

function record(events: readonly CaptureEvent[]): Recorded {
  const released = { read: 0, write: 0 };
  const pieces: DecodedPiece[] = [];
  observe(events, {
    onSecret() {},
    onDecoded: (_connection, _direction, piece) => pieces.push(piece),
    onRelease(_connection, direction, upTo) {
      released[direction] = Math.max(released[direction], upTo);
    },
  });
  return { released, content: Buffer.concat(pieces.map((piece) => piece.content)).toString() };
}

describe('a silence', () => {
  for (const [name, calls] of Object.entries(CASES)) {
    it(`lets go what was held of ${name}`, () => {
      // Neither closed nor at the end of the source.
      const events = captureEvents(calls).slice(0, -2);
      const sent = { read: 0, write: 0 };
      for (const event of events) {
        if (event.type === 'data') {
          sent[event.direction] += event.bytes.length;
        }
      }
      assert.ok(record(events).released.read < sent.read, 'something is held');
      const timeNs = (events.at(-1)?.timeNs ?? 0n) + LET_GO_AFTER_NS + 1n;
      const { released, content } = record([...events, { type: 'tick', timeNs }]);
      assert.deepEqual(released, sent);
      assert.equal(content, name.endsWith(', compressed') ? TEXT : '');
    });
  }
});
