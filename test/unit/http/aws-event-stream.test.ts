/** AWS event streams against the codec of the AWS SDK, and what that does not read: splits, damage, limits. */
import assert from 'node:assert/strict';
import { EventStreamCodec } from '@smithy/eventstream-codec';
import fc from 'fast-check';
import {
  type AwsHeaderValue,
  createAwsEventStreamDecoder,
} from '../../../src/http/aws-event-stream.ts';
import { createStreamReader } from '../../../src/http/stream-reader.ts';

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString('utf8'),
  (text) => Buffer.from(text, 'utf8'),
);

type Headers = Parameters<EventStreamCodec['encode']>[0]['headers'];

interface Result {
  messages: { headers: [string, AwsHeaderValue][]; payload: string }[];
  corrupt: number;
  limits: number;
}

/** `null` among the pieces is a gap. */
function read(pieces: readonly (Uint8Array | null)[], maxMessageBytes?: number): Result {
  const result: Result = { messages: [], corrupt: 0, limits: 0 };
  const decoder = createAwsEventStreamDecoder({
    onMessage: ({ headers, payload }) =>
      result.messages.push({
        headers: [...headers],
        payload: Buffer.from(payload).toString('latin1'),
      }),
    onCorrupt: () => {
      result.corrupt += 1;
    },
    onLimit: () => {
      result.limits += 1;
    },
    ...(maxMessageBytes === undefined ? {} : { maxMessageBytes }),
  });
  for (const piece of pieces) {
    if (piece === null) {
      decoder.gap(1n);
    } else {
      const lent = Buffer.from(piece);
      decoder.data(lent, 1n);
      lent.fill(0xee);
    }
  }
  decoder.end(true, 2n);
  return result;
}

function event(text: string, type = 'contentBlockDelta'): Buffer {
  const headers: Headers = {
    ':event-type': { type: 'string', value: type },
    ':content-type': { type: 'string', value: 'application/json' },
    ':message-type': { type: 'string', value: 'event' },
  };
  return Buffer.from(codec.encode({ headers, body: Buffer.from(text) }));
}

function payloads(pieces: readonly (Uint8Array | null)[]): string[] {
  return read(pieces).messages.map(({ payload }) => payload);
}

const name = fc.string({ minLength: 1, maxLength: 20 });
const headerValue = fc.oneof(
  fc.record({ type: fc.constant('boolean' as const), value: fc.boolean() }),
  fc.record({ type: fc.constant('byte' as const), value: fc.integer({ min: -128, max: 127 }) }),
  fc.record({
    type: fc.constant('short' as const),
    value: fc.integer({ min: -32_768, max: 32_767 }),
  }),
  fc.record({ type: fc.constant('integer' as const), value: fc.integer() }),
  fc.record({ type: fc.constant('binary' as const), value: fc.uint8Array({ maxLength: 40 }) }),
  fc.record({ type: fc.constant('string' as const), value: fc.string({ unit: 'grapheme' }) }),
  fc.record({
    type: fc.constant('timestamp' as const),
    value: fc.integer({ min: 0, max: 2 ** 41 }).map((ms) => new Date(ms)),
  }),
  fc.record({ type: fc.constant('uuid' as const), value: fc.uuid() }),
);

function asOurs(value: Headers[string]): unknown {
  switch (value.type) {
    case 'binary':
      return { type: 'bytes', value: new Uint8Array(value.value) };
    case 'timestamp':
      return { type: 'timestamp', value: BigInt(value.value.getTime()) };
    default:
      return { type: value.type, value: value.value };
  }
}

describe('aws event stream', () => {
  it('reads the bytes of a message as the specification builds them', () => {
    // The shortest there is: 16 bytes, no headers, no payload.
    const bytes = Buffer.from(codec.encode({ headers: {}, body: new Uint8Array(0) }));
    assert.equal(bytes.toString('hex'), '000000100000000005c248eb7d98c8ff');
    assert.deepEqual(read([bytes]), {
      messages: [{ headers: [], payload: '' }],
      corrupt: 0,
      limits: 0,
    });
  });

  it('reads what the SDK writes, headers of every type, at any split', () => {
    const message = fc.record({
      headers: fc.dictionary(name, headerValue, { maxKeys: 6 }),
      body: fc.uint8Array({ maxLength: 200 }),
    });
    const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 10 });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 4 }), cuts, (messages, fractions) => {
        const bytes = Buffer.concat(
          messages.map((one) => codec.encode({ headers: one.headers as Headers, body: one.body })),
        );
        const places = fractions.map((at) => Math.floor(at * bytes.length)).sort((a, b) => a - b);
        const pieces: Uint8Array[] = [];
        let from = 0;
        for (const to of [...places, bytes.length]) {
          pieces.push(bytes.subarray(from, to));
          from = to;
        }
        const result = read(pieces);
        assert.equal(result.corrupt, 0);
        assert.deepEqual(
          result.messages,
          messages.map((one) => ({
            headers: Object.entries(one.headers).map(([key, value]) => [
              key,
              asOurs(value as Headers[string]),
            ]),
            payload: Buffer.from(one.body).toString('latin1'),
          })),
        );
      }),
      { numRuns: 200 },
    );
  });

  it('reads longs', () => {
    const header = Buffer.from([1, 0x6c, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]);
    // The codec is given the header as bytes of another type of the same size, and the type is put right.
    const encoded = Buffer.from(
      codec.encode({
        headers: { l: { type: 'timestamp', value: new Date(0) } },
        body: new Uint8Array(0),
      }),
    );
    header.copy(encoded, 12);
    const fixed = withCrc(encoded);
    assert.deepEqual(read([fixed]).messages[0]?.headers, [['l', { type: 'long', value: -2n }]]);
  });

  it('a flipped bit anywhere costs one message and is marked, and the rest is exact', () => {
    const stream = Buffer.concat([event('one'), event('two'), event('three')]);
    const start = event('one').length;
    const end = start + event('two').length;
    for (let at = start; at < end; at += 1) {
      const broken = Buffer.from(stream);
      broken[at] = (broken[at] as number) ^ 0x10;
      const result = read([broken]);
      assert.deepEqual(
        result.messages.map(({ payload }) => payload),
        ['one', 'three'],
        `byte ${at - start}`,
      );
      assert.equal(result.corrupt, 1, `byte ${at - start}`);
    }
  });

  it('finds the next message behind a gap, wherever it begins', () => {
    const [one, two, three] = [event('one'), event('two'), event('three')] as const;
    for (let at = 0; at <= two.length; at += 1) {
      assert.deepEqual(
        payloads([one, two.subarray(0, at), null, two.subarray(at + 1), three]),
        ['one', 'three'].toSpliced(1, 0, ...(at >= two.length ? ['two'] : [])),
        `lost byte ${at}`,
      );
    }
    assert.deepEqual(payloads([null, three]), ['three']);
  });

  it('headers that contradict themselves are corrupt', () => {
    const good = Buffer.from(
      codec.encode({ headers: { ab: { type: 'string', value: 'cd' } }, body: Buffer.from('x') }),
    );
    for (const [at, value] of [
      [12, 200],
      [15, 10],
      [15, 9],
      [17, 9],
    ] as const) {
      const broken = Buffer.from(good);
      broken[at] = value;
      assert.deepEqual(read([withCrc(broken), event('next')]).corrupt, 1, `${at}`);
      assert.deepEqual(payloads([withCrc(broken), event('next')]), ['next']);
    }
  });

  it('reads over a message beyond the limit, and over 16 MiB of nothing, in constant memory', () => {
    const large = event('x'.repeat(5000));
    const result = read([event('a'), large.subarray(0, 90), large.subarray(90), event('b')], 1000);
    assert.deepEqual(
      result.messages.map(({ payload }) => payload),
      ['a', 'b'],
    );
    assert.equal(result.limits, 1);
    const noise = Buffer.alloc(16_777_216, 'noise');
    assert.equal(read([noise, event('b')]).corrupt, 1);
    assert.deepEqual(payloads([noise, event('b')]), ['b']);
  });

  it('a body that ends within a message is corrupt', () => {
    const one = event('one');
    for (let size = 1; size < one.length; size += 1) {
      assert.equal(read([one.subarray(0, size)]).corrupt, 1, `${size}`);
    }
    assert.equal(read([one]).corrupt, 0);
  });

  it('names events and exceptions for the stream reader', () => {
    const exception = Buffer.from(
      codec.encode({
        headers: {
          ':message-type': { type: 'string', value: 'exception' },
          ':exception-type': { type: 'string', value: 'throttlingException' },
        },
        body: Buffer.from('{"message":"slow down"}'),
      }),
    );
    const seen: unknown[] = [];
    const reader = createStreamReader('aws-event-stream', {
      onRecord: ({ name: eventName, text, isException }) =>
        seen.push([eventName, text, isException]),
      onDamage: (kind) => assert.fail(kind),
    });
    reader.data(Buffer.concat([event('{"ü":1}'), exception]), 1n);
    assert.deepEqual(seen, [
      ['contentBlockDelta', '{"ü":1}', false],
      ['throttlingException', '{"message":"slow down"}', true],
    ]);
  });
});

function withCrc(message: Buffer): Buffer {
  const body = message.subarray(0, -4);
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crcOf(body));
  return Buffer.concat([body, crc]);
}

/** CRC-32 bit by bit, apart from the one under test. */
function crcOf(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
  }
  return (crc ^ 0xffffffff) >>> 0;
}
