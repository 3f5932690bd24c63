/** Streams of records in a body: server-sent events, lines of JSON, JSON arrays, AWS event streams. */
import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import { EventStreamCodec } from '@smithy/eventstream-codec';
import { createParser } from 'eventsource-parser';
import { createStreamFormatDetector } from '../../../src/http/stream-format.ts';
import { createStreamReader, type RecordFormat } from '../../../src/http/stream-reader.ts';
import { type Pieces, piecesFor } from '../calls-input.ts';
import type { FuzzTarget, MutationTools } from '../target.ts';

interface Record {
  name: string;
  text: string;
  isException: boolean;
  complete: boolean;
}

interface Reading {
  records: Record[];
  damage: string[];
}

const MAX_RECORD_BYTES = 2000;

function read(format: RecordFormat, bytes: Uint8Array, pieces?: Pieces, gapAt = -1): Reading {
  const records: Record[] = [];
  const damage: string[] = [];
  const reader = createStreamReader(format, {
    onRecord: (record) => records.push({ ...record }),
    onDamage: (kind) => damage.push(kind),
    maxRecordBytes: MAX_RECORD_BYTES,
  });
  for (let at = 0; at < bytes.length; ) {
    const size = pieces?.() ?? bytes.length;
    const piece = Buffer.from(bytes.subarray(at, at + size));
    at += size;
    if (gapAt >= at - size && gapAt < at) {
      reader.gap(1n);
    } else {
      reader.data(piece, 1n);
      piece.fill(0xee);
    }
  }
  reader.end(true, 2n);
  return { records, damage };
}

/** What is true of every format; returns the reading in one piece. */
function check(format: RecordFormat, input: Uint8Array): Reading {
  const whole = read(format, input);
  const split = read(format, input, piecesFor(input));
  assert.deepEqual(split, whole, 'cut into pieces, the body gives something else');
  const { records, damage } = read(format, input, piecesFor(input), input.length >> 1);
  for (const list of [records, whole.records]) {
    const bytes = list.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
    // A byte that is no UTF-8 becomes three, and a line end joins the lines of an event.
    assert.ok(bytes <= 3 * input.length + list.length, 'records are not larger than the body');
    assert.ok(
      list.every(({ text }) => text.length <= MAX_RECORD_BYTES),
      'a record is bounded',
    );
  }
  assert.ok(damage.length <= input.length + 1, 'damage is bounded');
  const detector = createStreamFormatDetector(undefined);
  const pieces = piecesFor(input);
  let early: string | undefined;
  for (let at = 0; at < input.length && early === undefined; ) {
    const size = pieces();
    early = detector.push(input.subarray(at, at + size));
    at += size;
  }
  const whatever = createStreamFormatDetector(undefined);
  const atOnce = whatever.push(input) ?? whatever.end();
  assert.equal(early ?? detector.end(), atOnce, 'the format is told from the same bytes');
  return whole;
}

function texts(...lines: string[]): Buffer[] {
  return lines.map((line) => Buffer.from(line));
}

export const SSE: FuzzTarget = {
  name: 'sse',
  seeds: () =>
    texts(
      'data: {"a":1}\n\ndata: [DONE]\n\n',
      '\ufeffevent: message_start\r\ndata: {"type":\r\ndata: "x"}\r\nid: 7\r\nretry: 10\r\n\r\n',
      ': comment\rdata\rdata:x\r\revent: e\rdata: y\r\r',
      'data:no end',
      'event:only\n\ndata: after\n\n:\n\n',
    ),
  words: ['\n\n', '\r\n', '\r', 'data:', 'data: ', 'event: ', 'id: \0\n', '\ufeff', ':'],
  run(input) {
    const { records, damage } = check('sse', input);
    const text = new TextDecoder().decode(input);
    // The oracle takes a lone CR for a line end only when something follows.
    if (damage.length > 0 || text.includes('\r')) {
      return;
    }
    const expected: [string, string][] = [];
    const parser = createParser({
      onEvent: ({ event, data }) => expected.push([event ?? 'message', data]),
    });
    parser.feed(text);
    assert.deepEqual(
      records.filter(({ complete }) => complete).map(({ name, text }) => [name, text]),
      expected,
      'events as eventsource-parser reads them',
    );
  },
};

export const NDJSON: FuzzTarget = {
  name: 'ndjson',
  seeds: () =>
    texts(
      '{"model":"m","done":false}\n{"model":"m","done":true}\n',
      '{"a":1}\r\n\r\n {"b":2}\r\n',
      '[1,2]\nnull\n"x"\n{"cut":',
    ),
  words: ['\n', '\r\n', '{"model":"', '"done":true}'],
  run(input) {
    const { records, damage } = check('ndjson', input);
    if (damage.length === 0) {
      // JSON's white space alone is blank (RFC 8259 §2).
      const trim = (text: string): string => text.replace(/^[ \t\r]+|[ \t\r]+$/g, '');
      const lines = Buffer.from(input)
        .toString('utf8')
        .replace(/^\ufeff/, '')
        .split('\n');
      assert.deepEqual(
        records.map(({ text }) => trim(text)),
        lines.map(trim).filter((line) => line !== ''),
        'lines as they are split',
      );
    }
  },
};

export const JSON_ARRAY: FuzzTarget = {
  name: 'json-array',
  seeds: () =>
    texts(
      '[{"candidates":[{"content":{"parts":[{"text":"a\\"]"}]}}]}\n,\r\n{"usageMetadata":{}}]\n',
      ' [ 1 , "a" , [ [ ] ] , null ] ',
      '[]',
      '[{"a":1},{"b":',
      '{"not":"an array"}',
    ),
  words: [',\r\n', '[{', '}]', '\\"', '\\u0022', '"]'],
  run(input) {
    const { records, damage } = check('json-array', input);
    const value = parsed(input);
    if (Array.isArray(value) && damage.length === 0) {
      assert.deepEqual(
        records.map(({ text }) => JSON.parse(text)),
        value,
        'elements as JSON.parse reads them',
      );
    } else if (Array.isArray(value)) {
      assert.ok(
        value.some((element) => JSON.stringify(element).length > 100),
        'a proper array of small elements has no damage',
      );
    }
  },
};

/** Undefined for what is no JSON in UTF-8. */
function parsed(input: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(input));
  } catch {
    return undefined;
  }
}

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString(),
  (text) => Buffer.from(text),
);

function awsMessage(headers: Parameters<typeof codec.encode>[0]['headers'], body: string): Buffer {
  return Buffer.from(codec.encode({ headers, body: Buffer.from(body) }));
}

function awsSeeds(): Buffer[] {
  const event = (type: string, body: string) =>
    awsMessage(
      {
        ':message-type': { type: 'string', value: 'event' },
        ':event-type': { type: 'string', value: type },
      },
      body,
    );
  return [
    Buffer.concat([event('chunk', '{"bytes":"e30="}'), event('messageStop', '{}')]),
    awsMessage(
      {
        a: { type: 'boolean', value: true },
        b: { type: 'byte', value: 1 },
        c: { type: 'short', value: 2 },
        d: { type: 'integer', value: 3 },
        e: { type: 'binary', value: Buffer.from('x') },
        f: { type: 'timestamp', value: new Date(5) },
        g: { type: 'uuid', value: '01234567-89ab-cdef-0123-456789abcdef' },
      },
      '',
    ),
    awsMessage(
      {
        ':message-type': { type: 'string', value: 'exception' },
        ':exception-type': { type: 'string', value: 'throttlingException' },
      },
      '{"message":"slow down"}',
    ),
  ];
}

/** Whole messages at the beginning, by their lengths. */
function awsMessages(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at + 16 <= bytes.length; ) {
    const size = bytes.readUInt32BE(at);
    if (size < 16 || at + size > bytes.length) {
      break;
    }
    messages.push(bytes.subarray(at, at + size));
    at += size;
  }
  return messages;
}

/** Changes bytes, then makes the checksums right again: or nothing behind them would ever be tried. */
function mutateAws(input: Uint8Array, tools: MutationTools): Uint8Array {
  const bytes = Buffer.from(tools.mutateBytes(input));
  if (tools.random.uint32() % 8 !== 0) {
    for (const message of awsMessages(bytes)) {
      message.writeUInt32BE(crc32(message.subarray(0, 8)), 8);
      message.writeUInt32BE(crc32(message.subarray(0, -4)), message.length - 4);
    }
  }
  return bytes;
}

export const AWS_EVENT_STREAM: FuzzTarget = {
  name: 'aws-event-stream',
  seeds: awsSeeds,
  mutate: mutateAws,
  run(input) {
    const { records, damage } = check('aws-event-stream', input);
    if (damage.length > 0) {
      return;
    }
    const messages = awsMessages(Buffer.from(input));
    assert.equal(records.length, messages.length, 'as many records as messages');
    for (const [index, message] of messages.entries()) {
      const { headers, body } = codec.decode(message);
      assert.equal(records[index]?.text, Buffer.from(body).toString(), 'the payload');
      const type = headers[':event-type'];
      if (type?.type === 'string' && records[index]?.isException === false) {
        assert.equal(records[index]?.name, type.value, 'the event type');
      }
    }
  },
};
