/** Streams of JSON: lines and array elements, whole and split at every byte, cut, lost and too large. */
import assert from 'node:assert/strict';
import type { BodySink } from '../../../src/http/exchange.ts';
import { createJsonArrayDecoder } from '../../../src/http/json-array-decoder.ts';
import { createNdjsonDecoder } from '../../../src/http/ndjson-decoder.ts';
import { createStreamFormatDetector, streamFormatOf } from '../../../src/http/stream-format.ts';
import { createStreamReader, type RecordFormat } from '../../../src/http/stream-reader.ts';

interface Result {
  texts: string[];
  incomplete: string[];
  limits: number;
  invalid: number;
  /** Records known after each piece. */
  progress: number[];
}

type Make = (result: Result, maxBytes?: number) => BodySink;

const ndjson: Make = (result, maxBytes) =>
  createNdjsonDecoder({
    onLine: ({ text, complete }) => (complete ? result.texts : result.incomplete).push(text),
    onLimit: () => {
      result.limits += 1;
    },
    ...(maxBytes === undefined ? {} : { maxLineBytes: maxBytes }),
  });

const jsonArray: Make = (result, maxBytes) =>
  createJsonArrayDecoder({
    onElement: ({ text, complete }) => (complete ? result.texts : result.incomplete).push(text),
    onLimit: () => {
      result.limits += 1;
    },
    onInvalid: () => {
      result.invalid += 1;
    },
    ...(maxBytes === undefined ? {} : { maxElementBytes: maxBytes }),
  });

/** `null` among the pieces is a gap. */
function read(
  make: Make,
  pieces: readonly (Uint8Array | string | null)[],
  options: { complete?: boolean; maxBytes?: number } = {},
): Result {
  const result: Result = { texts: [], incomplete: [], limits: 0, invalid: 0, progress: [] };
  const sink = make(result, options.maxBytes);
  for (const piece of pieces) {
    if (piece === null) {
      sink.gap(1n);
    } else {
      const lent = Buffer.from(piece);
      sink.data(lent, 1n);
      lent.fill(0xee);
    }
    result.progress.push(result.texts.length);
  }
  sink.end(options.complete ?? true, 2n);
  return result;
}

function everySplit(make: Make, body: string, expected: string[], options = {}): void {
  const bytes = Buffer.from(body);
  assert.deepEqual(read(make, [bytes], options).texts, expected);
  const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
  assert.deepEqual(read(make, single, options).texts, expected);
  for (let at = 0; at <= bytes.length; at += 1) {
    const pieces = [bytes.subarray(0, at), bytes.subarray(at)];
    assert.deepEqual(read(make, pieces, options).texts, expected, `split at ${at}`);
  }
}

describe('ndjson decoder', () => {
  it('line ends, blank lines, and a last line without one, at every split', () => {
    everySplit(ndjson, '{"a":1}\n\r\n  \n{"b":"ü\u20ac😀"}\r\n\n{"c":[1,\t2]}', [
      '{"a":1}',
      '{"b":"ü\u20ac😀"}',
      '{"c":[1,\t2]}',
    ]);
    everySplit(ndjson, '', []);
    everySplit(ndjson, '\n\n', []);
  });

  it('hands out a line with the read that ends it', () => {
    const pieces = ['{"a"', ':1}\n', '{"b":1}\n{"c":1}\n', '{"d":1}'];
    assert.deepEqual(read(ndjson, pieces).progress, [0, 1, 3, 3]);
  });

  it('says of a last line whether it may be cut', () => {
    const result = read(ndjson, ['{"a":1}\n{"b"'], { complete: false });
    assert.deepEqual(result.texts, ['{"a":1}']);
    assert.deepEqual(result.incomplete, ['{"b"']);
  });

  it('skips a line over the limit, once, and goes on', () => {
    const body = `{"a":1}\n${'x'.repeat(100)}\n{"b":1}\n`;
    everySplit(ndjson, body, ['{"a":1}', '{"b":1}'], { maxBytes: 50 });
    const single = Array.from(Buffer.from(body), (byte) => Uint8Array.of(byte));
    assert.equal(read(ndjson, single, { maxBytes: 50 }).limits, 1);
    assert.equal(read(ndjson, [body], { maxBytes: 50 }).limits, 1);
    everySplit(ndjson, `${'y'.repeat(50)}\n`, ['y'.repeat(50)], { maxBytes: 50 });
  });

  it('drops what a gap touched, and nothing else', () => {
    const lines = (pieces: (string | null)[]) => read(ndjson, pieces).texts;
    assert.deepEqual(lines(['{"a":1}\n{"a":', null, '2}\n{"a":3}\n']), ['{"a":1}', '{"a":3}']);
    assert.deepEqual(lines(['{"a":1}\n', null, '{"a":3}\n{"a":4}\n']), [
      '{"a":1}',
      '{"a":3}',
      '{"a":4}',
    ]);
    assert.deepEqual(lines(['{"a":1}\n', null, '{"b":3}}\n{"a":4}\n']), ['{"a":1}', '{"a":4}']);
    assert.deepEqual(lines([null, '{"a":3}\n{"a":4}\n']), ['{"a":4}']);
    assert.deepEqual(lines(['{"a":1}\n{"a":2}', null]), ['{"a":1}']);
  });

  it('a line of 1 GB passes in constant memory', function () {
    this.timeout(60_000);
    assertConstantMemory(ndjson, '', '\n{"next":1}\n', ['{"next":1}']);
  });
});

describe('json array decoder', () => {
  it('elements of every kind, nested, with brackets and escapes in strings, at every split', () => {
    const elements = [
      '{"a":[1,{"b":"]}"}],"c":"\\\\"}',
      '{}',
      '[[],"\\"[{,",[1,2]]',
      '"plain ] , \\" { text"',
      '-1.5e3',
      'null',
      '"ü\u20ac😀"',
      'true',
    ];
    everySplit(jsonArray, `[${elements.join(',')}]`, elements);
    everySplit(jsonArray, ` \n[\r\n ${elements.join(' \n,\t')} \n]\r\n\n`, elements);
    everySplit(jsonArray, '\ufeff[1]', ['1']);
    everySplit(jsonArray, '[]', []);
    everySplit(jsonArray, ' [ \n ] ', []);
  });

  it('hands out an element with its last byte, not with the comma', () => {
    const pieces = ['[{"a":1}', ',\r\n{"b":[1', ']}', ',"s"', '\n]'];
    assert.deepEqual(read(jsonArray, pieces).progress, [1, 1, 2, 3, 3]);
  });

  it('an element that is cut is marked', () => {
    for (const [body, rest] of [
      ['[{"a":1},{"b":', '{"b":'],
      ['[{"a":1},"te', '"te'],
      ['[{"a":1},12', '12'],
    ] as const) {
      const result = read(jsonArray, [body], { complete: false });
      assert.deepEqual(result.texts, ['{"a":1}']);
      assert.deepEqual(result.incomplete, [rest]);
    }
  });

  it('says once that it is no array', () => {
    for (const body of ['{"a":1}', '[1,,2]', '[1}', '[1,]', '[1] 2', '[,1]', 'x', '[1 2]']) {
      assert.equal(read(jsonArray, [body]).invalid, 1, body);
      const single = Array.from(Buffer.from(body), (byte) => Uint8Array.of(byte));
      assert.equal(read(jsonArray, single).invalid, 1, body);
    }
  });

  it('skips an element over the limit, once, and goes on', () => {
    for (const large of [`{"x":"${'x'.repeat(100)}"}`, `"${'],['.repeat(40)}"`, '1'.repeat(100)]) {
      const body = `[{"a":1},${large},{"b":1}]`;
      everySplit(jsonArray, body, ['{"a":1}', '{"b":1}'], { maxBytes: 50 });
      assert.equal(read(jsonArray, [body], { maxBytes: 50 }).limits, 1);
    }
  });

  it('drops what a gap touched, and goes on where elements begin as before', () => {
    const elements = (pieces: (string | null)[]) => read(jsonArray, pieces).texts;
    assert.deepEqual(elements(['[{"a":1}\n', null, ',\r\n{"a":3}', ',{"a":4}]']), [
      '{"a":1}',
      '{"a":3}',
      '{"a":4}',
    ]);
    assert.deepEqual(elements(['[{"a":1},{"a":', null, '2}', ',{"a":3}]']), ['{"a":1}', '{"a":3}']);
    assert.deepEqual(elements(['[{"a":1},{"a":', null, '{"b":2}', ',{"c":3}]']), ['{"a":1}']);
  });

  it('an element of 1 GB passes in constant memory', function () {
    this.timeout(60_000);
    assertConstantMemory(jsonArray, '[{"x":"', '"},{"next":1}]', ['{"next":1}']);
  });
});

function assertConstantMemory(make: Make, before: string, after: string, expected: string[]): void {
  const result: Result = { texts: [], incomplete: [], limits: 0, invalid: 0, progress: [] };
  const sink = make(result);
  const block = Buffer.alloc(65_536, 'x');
  const heldBefore = process.memoryUsage().arrayBuffers;
  let peak = 0;
  sink.data(Buffer.from(before), 1n);
  for (let index = 0; index < 2 ** 30 / block.length; index += 1) {
    sink.data(block, 1n);
    peak = Math.max(peak, process.memoryUsage().arrayBuffers - heldBefore);
  }
  sink.data(Buffer.from(after), 1n);
  sink.end(true, 2n);
  assert.deepEqual(result.texts, expected);
  assert.equal(result.limits, 1);
  // The limit of 16 MiB, twice while the buffer grows, and what was not collected yet.
  assert.ok(peak < 80_000_000, `array buffers grew by ${peak}`);
}

describe('stream format', () => {
  const cases: [string | undefined, string, string][] = [
    ['application/json', '{"a":1}', 'json'],
    ['application/json', '\n\n  {"a":1}', 'json'],
    ['application/json; charset=UTF-8', '[{"a":1}', 'json-array'],
    ['application/json', 'data: {"a":1}\n\n', 'sse'],
    ['application/json', ': OPENROUTER PROCESSING\n\n', 'sse'],
    ['application/json', 'event: message_start\n', 'sse'],
    ['text/event-stream', '{"error":{}}', 'json'],
    ['text/event-stream; charset=utf-8', 'data: x', 'sse'],
    ['text/event-stream', '\ufeffdata: x', 'sse'],
    ['text/event-stream', 'whatever', 'sse'],
    ['application/x-ndjson', '{"a":1}\n', 'ndjson'],
    ['application/stream+json', '{"a":1}\n', 'ndjson'],
    ['application/vnd.amazon.eventstream', '\0\0\0\x10\0\0\0\0', 'aws-event-stream'],
    ['application/vnd.amazon.eventstream', '{"message":"denied"}', 'json'],
    [undefined, '\0\0\0\x10\0\0\0\0\x05\xc2\x48\xeb', 'aws-event-stream'],
    [undefined, '\0\0\0\x10\0\0\0\0\x05\xc2\x48\xec', 'other'],
    ['multipart/form-data; boundary=x', '--x\r\n', 'multipart'],
    ['text/html', '<html>', 'other'],
    [undefined, 'data\n', 'sse'],
    [undefined, 'date', 'other'],
    [undefined, '', 'empty'],
    ['application/json', ' \r\n', 'empty'],
  ];
  for (const [contentType, body, expected] of cases) {
    it(`${contentType ?? 'no type'}, ${JSON.stringify(body)}: ${expected}`, () => {
      const isBinary = body.startsWith('\0');
      const bytes = Buffer.from(body, isBinary ? 'latin1' : 'utf8');
      for (const pieces of [[bytes], Array.from(bytes, (byte) => Uint8Array.of(byte))]) {
        const detector = createStreamFormatDetector(contentType);
        let format: string | undefined;
        for (const piece of pieces) {
          format ??= detector.push(piece);
        }
        assert.equal(format ?? detector.end(), expected);
      }
      const first = streamFormatOf(contentType, bytes);
      assert.ok(first === undefined || first === expected);
    });
  }
});

describe('stream reader', () => {
  const cases: [RecordFormat, string, unknown[]][] = [
    [
      'sse',
      'event: a\ndata: 1\n\ndata: 2\n\n',
      [
        ['a', '1'],
        ['message', '2'],
      ],
    ],
    [
      'ndjson',
      '1\n2\n',
      [
        ['', '1'],
        ['', '2'],
      ],
    ],
    [
      'json-array',
      '[1,2]',
      [
        ['', '1'],
        ['', '2'],
      ],
    ],
  ];
  for (const [format, body, expected] of cases) {
    it(`gives the records of ${format}, and its damage`, () => {
      const seen: unknown[] = [];
      const damage: string[] = [];
      const reader = createStreamReader(format, {
        onRecord: ({ name, text, complete }) => {
          assert.ok(complete);
          seen.push([name, text]);
        },
        onDamage: (kind) => damage.push(kind),
        maxRecordBytes: 10,
      });
      reader.data(Buffer.from(body), 1n);
      assert.deepEqual(seen, expected);
      assert.equal(damage.length, 0);
      const large = createStreamReader(format, {
        onRecord: () => assert.fail('too large'),
        onDamage: (kind) => damage.push(kind),
        maxRecordBytes: 10,
      });
      const [start, end] = format === 'json-array' ? ['["', '"]'] : ['data: ', '\n\n'];
      large.data(Buffer.from(`${start}${'x'.repeat(20)}${end}`), 1n);
      large.end(true, 1n);
      assert.deepEqual(damage, ['limit']);
    });
  }
});
