/** Event streams: line ends, fields, ends, gaps and limits. */
import assert from 'node:assert/strict';
import { createSseDecoder, type SseEvent } from '../../../src/http/sse-decoder.ts';

function decode(
  pieces: readonly (string | Uint8Array)[],
  maxEventBytes?: number,
): { events: SseEvent[]; limits: number } {
  const events: SseEvent[] = [];
  let limits = 0;
  const decoder = createSseDecoder({
    onEvent: (event) => events.push(event),
    onLimit: () => {
      limits += 1;
    },
    ...(maxEventBytes === undefined ? {} : { maxEventBytes }),
  });
  for (const piece of pieces) {
    const lent = Buffer.from(piece as string);
    decoder.data(lent, 1n);
    lent.fill(0xee);
  }
  decoder.end(true, 2n);
  return { events, limits };
}

const message = (data: string, more: Partial<SseEvent> = {}): SseEvent => ({
  event: 'message',
  data,
  complete: true,
  ...more,
});

const CASES: [string, string, SseEvent[]][] = [
  ['LF', 'data: a\n\ndata: b\n\n', [message('a'), message('b')]],
  ['CR', 'data: a\r\rdata: b\r\r', [message('a'), message('b')]],
  ['CRLF', 'data: a\r\n\r\ndata: b\r\n\r\n', [message('a'), message('b')]],
  [
    'mixed line ends',
    'data: a\r\n\ndata: b\n\rdata: c\r\n\r',
    [message('a'), message('b'), message('c')],
  ],
  ['several data lines', 'data: a\ndata\ndata:b\ndata:  c\n\n', [message('a\n\nb\n c')]],
  [
    'names and ids',
    'event: x\nid: 1\ndata: a\n\ndata: b\n\n',
    [message('a', { event: 'x', id: '1' }), message('b', { id: '1' })],
  ],
  ['an id with NUL is ignored', 'id: a\0b\ndata: x\n\n', [message('x')]],
  ['an empty name is message', 'event:\ndata: x\n\n', [message('x')]],
  [
    'comments and unknown fields',
    ': OPENROUTER PROCESSING\n\nretry: 10\nfoo: bar\nfoo\ndata: a\n\n',
    [message('a')],
  ],
  ['an event without data is none', 'event: ping\n\ndata: a\n\n', [message('a')]],
  ['names are exact', 'Data: a\ndat: b\ndatas: c\n data: d\ndata: e\n\n', [message('e')]],
  ['byte order mark', '\ufeffdata: a\n\ndata: \ufeffb\n\n', [message('a'), message('\ufeffb')]],
  ['UTF-8 of every length', 'data: ä€😀\n\n', [message('ä€😀')]],
  ['empty data', 'data:\n\ndata\n\n', [message(''), message('')]],
  [
    'the last event without its blank line',
    'data: a\n\ndata: b\n',
    [message('a'), message('b', { complete: false })],
  ],
  ['the last line without its end', 'data: a\ndata: b', [message('a\nb', { complete: false })]],
  ['nothing', '', []],
  ['blank lines only', '\n\r\n\r\n\n', []],
];

describe('sse decoder', () => {
  for (const [title, text, expected] of CASES) {
    it(`${title}, under every split into two and into single bytes`, () => {
      const bytes = Buffer.from(text);
      assert.deepEqual(decode([bytes]).events, expected);
      assert.deepEqual(decode(Array.from(bytes, (byte) => Uint8Array.of(byte))).events, expected);
      for (let at = 0; at <= bytes.length; at += 1) {
        assert.deepEqual(decode([bytes.subarray(0, at), bytes.subarray(at)]).events, expected);
      }
    });
  }

  it('a byte order mark that is none belongs to the first line', () => {
    assert.deepEqual(decode([Uint8Array.of(0xef), Uint8Array.of(0xbb), 'data: a\n\n']).events, []);
  });

  it('malformed UTF-8 becomes U+FFFD', () => {
    const bytes = Buffer.concat([Buffer.from('data: '), Uint8Array.of(0xff), Buffer.from('\n\n')]);
    assert.deepEqual(decode([bytes]).events, [message('\ufffd')]);
  });

  it('an event over the limit is skipped, however it is split, and the next one is whole', () => {
    const bytes = Buffer.from(`data: ${'x'.repeat(200)}\n\ndata: ok\n\n`);
    for (const size of [1, 3, 50, 1000]) {
      const parts: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        parts.push(bytes.subarray(at, at + size));
      }
      assert.deepEqual(decode(parts, 100), { events: [message('ok')], limits: 1 });
    }
    const lines = `data: ${'x'.repeat(60)}\ndata: ${'x'.repeat(60)}\n\ndata: ok\n\n`;
    assert.deepEqual(decode([lines], 100), { events: [message('ok')], limits: 1 });
  });

  it('a gap drops the event it touches and no other', () => {
    const events: string[] = [];
    const decoder = createSseDecoder({ onEvent: (event) => events.push(event.data) });
    decoder.data(Buffer.from('data: a\n\ndata: lost'), 1n);
    decoder.gap(2n);
    decoder.data(Buffer.from('\ndata: rest of another\n\ndata: b\n\n'), 3n);
    decoder.gap(4n);
    decoder.data(Buffer.from('\n'), 5n);
    decoder.data(Buffer.from('data: never whole\n\ndata: c\n\n'), 6n);
    decoder.end(true, 7n);
    assert.deepEqual(events, ['a', 'b', 'c']);
  });

  it('an event that begins right behind a gap is kept, when the stream has shown how its events begin', () => {
    const read = (...pieces: (string | undefined)[]): string[] => {
      const events: string[] = [];
      const decoder = createSseDecoder({ onEvent: (event) => events.push(event.data) });
      for (const piece of pieces) {
        if (piece === undefined) {
          decoder.gap(1n);
        } else {
          decoder.data(Buffer.from(piece), 1n);
        }
      }
      decoder.end(true, 1n);
      return events;
    };
    assert.deepEqual(read('data: a\n\n', undefined, 'data: c\n\n', 'data: d\n\n'), ['a', 'c', 'd']);
    assert.deepEqual(read('event: x\ndata: a\n\n', undefined, 'event: x\ndata: c\n\n'), ['a', 'c']);
    // The rest of an event whose name was lost; several lines an event; nothing known yet.
    assert.deepEqual(read('event: x\ndata: a\n\n', undefined, 'data: c\n\ndata: d\n\n'), [
      'a',
      'd',
    ]);
    assert.deepEqual(read('data: a\ndata: b\n\n', undefined, 'data: c\n\n'), ['a\nb']);
    assert.deepEqual(read(undefined, 'data: c\n\n'), []);
    assert.deepEqual(read('data: a\n\n', 'data: {"x', undefined, '": 1}\n\n', 'data: d\n\n'), [
      'a',
      'd',
    ]);
  });

  it('a gap at the very end delivers nothing half', () => {
    const { length } = decode(['data: a\n\n']).events;
    assert.equal(length, 1);
    const events: string[] = [];
    const decoder = createSseDecoder({ onEvent: (event) => events.push(event.data) });
    decoder.data(Buffer.from('data: half'), 1n);
    decoder.gap(2n);
    decoder.end(false, 3n);
    assert.deepEqual(events, []);
  });

  it('gives the time of the bytes that completed the event', () => {
    const times: bigint[] = [];
    const decoder = createSseDecoder({ onEvent: (_event, timeNs) => times.push(timeNs) });
    decoder.data(Buffer.from('data: a'), 1n);
    decoder.data(Buffer.from('\n'), 2n);
    decoder.data(Buffer.from('\ndata: b\n\n'), 3n);
    assert.deepEqual(times, [3n, 3n]);
  });

  it('a line of 1 GB takes constant memory', function () {
    this.timeout(60_000);
    const events: string[] = [];
    let limits = 0;
    const decoder = createSseDecoder({
      onEvent: (event) => events.push(event.data),
      onLimit: () => {
        limits += 1;
      },
      maxEventBytes: 1_000_000,
    });
    const block = Buffer.alloc(1_048_576, 'x');
    decoder.data(Buffer.from('data: '), 1n);
    const before = process.memoryUsage().arrayBuffers;
    for (let index = 0; index < 1024; index += 1) {
      decoder.data(block, 1n);
    }
    assert.ok(process.memoryUsage().arrayBuffers - before < 16_000_000);
    decoder.data(Buffer.from('\n\ndata: next\n\n'), 2n);
    assert.deepEqual(events, ['next']);
    assert.equal(limits, 1);
  });

  it('a long line that nobody reads costs the event nothing, however it is cut', () => {
    const note = `: ${'-'.repeat(300)}`;
    const text = `data: a\n${note}\nunknown:${'x'.repeat(300)}\ndata: b\n\n`;
    for (const size of [text.length, 100, 3, 1]) {
      const pieces = text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
      const expected = { events: [message('a\nb')], limits: 0 };
      assert.deepEqual(decode(pieces, 50), expected, `in pieces of ${size}`);
    }
  });

  it('a long line of data is a limit, however it is cut', () => {
    const text = `event: e\ndata: ${'x'.repeat(300)}\n\ndata: b\n\n`;
    for (const size of [text.length, 100, 3, 1]) {
      const pieces = text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
      assert.deepEqual(decode(pieces, 50), { events: [message('b')], limits: 1 }, `of ${size}`);
    }
  });
});
