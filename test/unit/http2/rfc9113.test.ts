/**
 * What RFC 9113 forbids, section by section: https://www.rfc-editor.org/rfc/rfc9113
 *
 * An endpoint answers these with an error and often gives up the connection. An observer goes on: the frame is counted,
 * its stream is marked, and the stream beside it on the connection is exact.
 */
import assert from 'node:assert/strict';
import { createHttpCounters } from '../../../src/http/http-options.ts';
import { run, splitEveryByte } from '../../support/http-generator.ts';
import { Script, view } from '../../support/http2-script.ts';
import {
  ACK,
  END_HEADERS,
  END_STREAM,
  frame,
  headers,
  PADDED,
  PRIORITY,
  requestFields,
  settings,
  uint32,
} from '../../support/http2-writer.ts';

interface Case {
  section: string;
  title: string;
  /** What the server (`answer`) or the client (`send`) puts between the frames of two open streams, 1 and 3. */
  put(script: Script): void;
  /** Damage of stream 1, in the middle of whose answer it comes. */
  damage?: string[];
  /** Frames that count as wrong. */
  wrong?: number;
}

const EIGHT = Buffer.alloc(8);

const CASES: Case[] = [
  {
    section: '4.1',
    title: 'the reserved bit is set',
    put: (script) => {
      const bytes = frame('WINDOW_UPDATE', 0, 0, uint32(1));
      bytes[5] = 0x80;
      script.answer(bytes);
    },
  },
  {
    section: '4.1',
    title: 'flags that the type does not define',
    put: (script) => script.answer(frame('PING', 0xfe, 0, EIGHT)),
  },
  {
    section: '4.2',
    title: 'DATA longer than SETTINGS_MAX_FRAME_SIZE',
    put: (script) => script.answer(frame('DATA', 0, 1, Buffer.alloc(16_385))),
    damage: ['decode-error'],
    wrong: 1,
  },
  {
    section: '4.3',
    title: 'a frame between those of a header block',
    put: (script) =>
      script
        .send(frame('HEADERS', END_STREAM, 5, script.client.block(requestFields('/cut'))))
        .send(frame('PING', 0, 0, EIGHT)),
    wrong: 1,
  },
  {
    section: '5.1',
    title: 'DATA on an idle stream',
    put: (script) => script.answer(frame('DATA', 0, 9, 'idle')),
  },
  {
    section: '5.1',
    title: 'DATA and HEADERS on a stream that is over',
    put: (script) =>
      script
        .request(5, '/over')
        .response(5, 200, 'over')
        .answer(frame('DATA', END_STREAM, 5, 'late'), headers(5, script.head(500))),
  },
  {
    section: '5.1.1',
    title: 'a stream of the client with an even number',
    put: (script) =>
      script.send(headers(4, script.client.block(requestFields('/even')), END_STREAM)),
  },
  {
    section: '5.5',
    title: 'a frame of an unknown type',
    put: (script) => script.answer(frame(0xbe, 0xff, 1, 'extension')),
  },
  {
    section: '6.1',
    title: 'DATA on stream 0',
    put: (script) => script.answer(frame('DATA', 0, 0, 'nobody')),
    wrong: 1,
  },
  {
    section: '6.1',
    title: 'padding as long as the frame',
    put: (script) => script.answer(frame('DATA', PADDED, 1, Buffer.from([3, 1, 2]))),
    damage: ['decode-error'],
  },
  {
    section: '6.2',
    title: 'HEADERS on stream 0',
    put: (script) => script.send(frame('HEADERS', END_HEADERS, 0, '\x82')),
    wrong: 1,
  },
  {
    section: '6.2',
    title: 'a priority that does not fit',
    put: (script) => script.send(frame('HEADERS', END_HEADERS | PRIORITY | END_STREAM, 5, 'abc')),
  },
  {
    section: '6.3',
    title: 'PRIORITY on stream 0, and of four bytes',
    put: (script) =>
      script
        .send(frame('PRIORITY', 0, 0, Buffer.alloc(5)))
        .send(frame('PRIORITY', 0, 1, Buffer.alloc(4)), frame('PING', 0, 0, EIGHT)),
    damage: ['decode-error'],
    wrong: 2,
  },
  {
    section: '6.4',
    title: 'RST_STREAM on stream 0, on an idle stream, and of three bytes',
    put: (script) =>
      script
        .answer(frame('RST_STREAM', 0, 0, uint32(0)))
        .answer(frame('RST_STREAM', 0, 99, uint32(0)))
        .answer(frame('RST_STREAM', 0, 1, 'abc')),
    damage: ['decode-error'],
    wrong: 2,
  },
  {
    section: '6.5',
    title: 'SETTINGS of five bytes, on a stream, and acknowledged with a payload',
    put: (script) =>
      script
        .answer(frame('SETTINGS', 0, 0, 'five5'))
        .answer(frame('SETTINGS', 0, 1, Buffer.alloc(6)))
        .answer(frame('SETTINGS', ACK, 0, Buffer.alloc(6))),
    damage: ['decode-error'],
    wrong: 2,
  },
  {
    section: '6.5.2',
    title: 'settings with values that they cannot have',
    put: (script) =>
      script.send(
        settings([
          [2, 2],
          [4, 0xffff_ffff],
          [5, 1],
          [0xff, 1],
        ]),
      ),
  },
  {
    section: '6.6',
    title: 'PUSH_PROMISE on stream 0, and of three bytes',
    put: (script) =>
      script
        .answer(frame('PUSH_PROMISE', END_HEADERS, 0, uint32(2)))
        .answer(frame('PUSH_PROMISE', END_HEADERS, 1, 'abc')),
    damage: ['decode-error'],
    wrong: 2,
  },
  {
    section: '6.7',
    title: 'PING on a stream, and of five bytes',
    put: (script) => script.answer(frame('PING', 0, 1, EIGHT)).answer(frame('PING', 0, 0, 'five5')),
    damage: ['decode-error'],
    wrong: 2,
  },
  {
    section: '6.8',
    title: 'GOAWAY on a stream, and of four bytes',
    put: (script) =>
      script.answer(frame('GOAWAY', 0, 1, EIGHT)).answer(frame('GOAWAY', 0, 0, 'four')),
    damage: ['decode-error'],
    wrong: 2,
  },
  {
    section: '6.9',
    title: 'WINDOW_UPDATE of nothing, and of five bytes',
    put: (script) =>
      script
        .send(frame('WINDOW_UPDATE', 0, 1, uint32(0)))
        .send(frame('WINDOW_UPDATE', 0, 0, 'five5')),
    wrong: 1,
  },
  {
    section: '6.10',
    title: 'CONTINUATION without a header block',
    put: (script) => script.answer(frame('CONTINUATION', END_HEADERS, 1, '\x88')),
    damage: ['decode-error'],
    wrong: 1,
  },
  {
    section: '6.10',
    title: 'CONTINUATION of another stream than the block, and what is left of the block',
    put: (script) =>
      script
        .send(frame('HEADERS', END_STREAM, 5, script.client.block(requestFields('/cut'))))
        .send(frame('CONTINUATION', END_HEADERS, 1, ''), frame('CONTINUATION', END_HEADERS, 5, '')),
    damage: ['decode-error'],
    wrong: 2,
  },
  {
    section: '8.1.1',
    title: 'a content-length that is wrong',
    put: (script) =>
      script.request(5, '/length').response(5, 200, 'four', [['content-length', '400']]),
  },
  {
    section: '8.2.1',
    title: 'a field name in upper case, and one with a control character',
    put: (script) =>
      script.request(5, '/names', undefined, [
        ['X-Upper', 'v'],
        ['x-\u0001', 'v'],
      ]),
  },
  {
    section: '8.3',
    title: 'a pseudo-header field that is none, and one behind the others',
    put: (script) =>
      script.request(5, '/pseudo', undefined, [
        [':nothing', 'v'],
        [':path', '/second'],
      ]),
  },
  {
    section: '8.3.2',
    title: 'a response without a status, and one that is no number',
    put: (script) =>
      script
        .request(5, '/none')
        .answer(headers(5, script.server.block([['x-a', 'b']]), END_STREAM))
        .request(7, '/text')
        .answer(headers(7, script.server.block([[':status', 'two']]), END_STREAM)),
  },
  {
    section: '8.4',
    title: 'a promise that nobody allowed',
    put: (script) =>
      script.answer(
        frame(
          'PUSH_PROMISE',
          END_HEADERS,
          1,
          Buffer.concat([uint32(2), script.server.block(requestFields('/pushed'))]),
        ),
        headers(2, script.head(200)),
        frame('DATA', END_STREAM, 2, 'pushed'),
      ),
  },
];

function conversation(put: Case['put']): Script {
  const script = new Script().request(1, '/first').request(3, '/beside', 'sent');
  script.answer(headers(1, script.head(200, [['x-a', '1']])), frame('DATA', 0, 1, 'one '));
  script.answer(headers(3, script.head(200, [['x-b', '2']])), frame('DATA', 0, 3, 'left '));
  put(script);
  return script
    .answer(frame('DATA', END_STREAM, 1, 'two'))
    .answer(frame('DATA', END_STREAM, 3, 'right'))
    .request(21, '/after', undefined, [['x-c', '3']])
    .response(21, 200, 'fine', [['x-b', '2']]);
}

describe('http2: what RFC 9113 forbids', () => {
  for (const { section, title, put, damage = [], wrong = 0 } of CASES) {
    it(`§${section}: ${title}`, () => {
      const counters = createHttpCounters();
      const seen = conversation(put).run({ http: { counters } });
      const of = (target: string) =>
        view(seen.find((one) => one.exchange.request?.target === target));
      assert.deepEqual(of('/first'), {
        request: 'GET /first',
        status: 200,
        body: 'one two',
        damage,
      });
      assert.deepEqual(of('/beside'), {
        request: 'POST /beside',
        status: 200,
        body: 'left right',
        damage: [],
      });
      assert.equal(of('/after').body, 'fine');
      assert.equal(counters.framingErrors, wrong);
      // However it is cut, nothing throws, and bytes are never put into a place where they were not.
      for (const one of run(splitEveryByte(conversation(put).calls))) {
        if (!one.exchange.damage.any && one.exchange.request?.target === '/beside') {
          assert.equal(one.responseBody.toString(), 'left right');
        }
      }
    });
  }
});
