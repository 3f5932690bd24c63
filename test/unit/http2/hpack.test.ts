/** The examples of RFC 7541 Appendix C, and what an observer meets beyond them. */
import assert from 'node:assert/strict';
import { secretsOfField } from '../../../src/http/head.ts';
import { createHpackDecoder, type HpackDecoder } from '../../../src/http/http2/hpack-decoder.ts';
import type { TableEntry } from '../../../src/http/http2/hpack-table.ts';
import { decodeHuffman } from '../../../src/http/http2/huffman.ts';
import { HUFFMAN_CODES, HUFFMAN_LENGTHS } from '../../../src/http/http2/huffman-code.ts';
import { maskHuffman } from '../../../src/http/http2/huffman-mask.ts';
import { isSecretHeader } from '../../../src/util/secret-headers.ts';
import { huffman, integer, TestEncoder } from '../../support/http2-writer.ts';

interface Secret {
  offset: number;
  length: number;
  replacement: Uint8Array | undefined;
}

function createDecoder(limitBytes = 65_536, seesCredentials = false): HpackDecoder {
  return seesCredentials
    ? createHpackDecoder(limitBytes, secretsOfField, isSecretHeader)
    : createHpackDecoder(
        limitBytes,
        () => [],
        () => false,
      );
}

function decode(
  decoder: HpackDecoder,
  block: Uint8Array | string,
): { fields: string[]; secrets: Secret[]; outcome: string } {
  const fields: string[] = [];
  const secrets: Secret[] = [];
  const bytes = typeof block === 'string' ? hex(block) : block;
  const outcome = decoder.decode(bytes, {
    field: (name, value) => fields.push(`${name}: ${value}`),
    secret: (offset, length, replacement) => secrets.push({ offset, length, replacement }),
  });
  return { fields, secrets, outcome };
}

function hex(digits: string): Buffer {
  return Buffer.from(digits.replace(/\s/g, ''), 'hex');
}

function dynamicTable(decoder: HpackDecoder): string[] {
  const entries: string[] = [];
  for (let index = 62; index < 62 + decoder.table.count; index += 1) {
    const { name, value, size } = decoder.table.get(index) as TableEntry;
    entries.push(`(${size}) ${name}: ${value}`);
  }
  return entries;
}

interface Step {
  block: string;
  fields: string[];
  table: string[];
  tableBytes: number;
}

function runSteps(steps: readonly Step[], maxBytes?: number): void {
  const decoder = createDecoder();
  if (maxBytes !== undefined) {
    decoder.table.resize(maxBytes);
  }
  for (const { block, fields, table, tableBytes } of steps) {
    const decoded = decode(decoder, block);
    assert.deepEqual(decoded, { fields, secrets: [], outcome: 'ok' });
    assert.deepEqual(dynamicTable(decoder), table);
    assert.equal(decoder.table.sizeBytes, tableBytes);
  }
}

const REQUESTS: Omit<Step, 'block'>[] = [
  {
    fields: [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'],
    table: ['(57) :authority: www.example.com'],
    tableBytes: 57,
  },
  {
    fields: [
      ':method: GET',
      ':scheme: http',
      ':path: /',
      ':authority: www.example.com',
      'cache-control: no-cache',
    ],
    table: ['(53) cache-control: no-cache', '(57) :authority: www.example.com'],
    tableBytes: 110,
  },
  {
    fields: [
      ':method: GET',
      ':scheme: https',
      ':path: /index.html',
      ':authority: www.example.com',
      'custom-key: custom-value',
    ],
    table: [
      '(54) custom-key: custom-value',
      '(53) cache-control: no-cache',
      '(57) :authority: www.example.com',
    ],
    tableBytes: 164,
  },
];

const DATE = 'date: Mon, 21 Oct 2013 20:13:21 GMT';
const LATER = 'date: Mon, 21 Oct 2013 20:13:22 GMT';
const LOCATION = 'location: https://www.example.com';
const COOKIE = 'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';

const RESPONSES: Omit<Step, 'block'>[] = [
  {
    fields: [':status: 302', 'cache-control: private', DATE, LOCATION],
    table: [`(63) ${LOCATION}`, `(65) ${DATE}`, '(52) cache-control: private', '(42) :status: 302'],
    tableBytes: 222,
  },
  {
    fields: [':status: 307', 'cache-control: private', DATE, LOCATION],
    table: ['(42) :status: 307', `(63) ${LOCATION}`, `(65) ${DATE}`, '(52) cache-control: private'],
    tableBytes: 222,
  },
  {
    fields: [
      ':status: 200',
      'cache-control: private',
      LATER,
      LOCATION,
      'content-encoding: gzip',
      COOKIE,
    ],
    table: [`(98) ${COOKIE}`, '(52) content-encoding: gzip', `(65) ${LATER}`],
    tableBytes: 215,
  },
];

function withBlocks(steps: readonly Omit<Step, 'block'>[], blocks: readonly string[]): Step[] {
  return steps.map((step, index) => ({ ...step, block: blocks[index] ?? '' }));
}

describe('HPACK: RFC 7541 Appendix C', () => {
  it('C.1: integers', () => {
    const table: [number, number, string][] = [
      [10, 5, '0a'],
      [1337, 5, '1f9a0a'],
      [42, 8, '2a'],
    ];
    for (const [value, bits, bytes] of table) {
      assert.equal(integer(value, bits, 0).toString('hex'), bytes);
    }
    const decoder = createDecoder();
    decode(decoder, hex('3f9a0a'));
    decode(decoder, new TestEncoder().field(['name', 'v'.repeat(1337 - 36)], 'added'));
    assert.equal(decoder.table.count, 1, 'an entry of 1337 bytes fits');
    decode(decoder, new TestEncoder().field(['name', 'v'.repeat(1338 - 36)], 'added'));
    assert.equal(decoder.table.count, 0, 'one of 1338 does not');
  });

  it('C.2.1: literal with indexing', () => {
    runSteps([
      {
        block: '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
        fields: ['custom-key: custom-header'],
        table: ['(55) custom-key: custom-header'],
        tableBytes: 55,
      },
    ]);
  });

  it('C.2.2 to C.2.4: literal without indexing, never indexed, and an indexed field', () => {
    runSteps([
      {
        block: '040c 2f73 616d 706c 652f 7061 7468',
        fields: [':path: /sample/path'],
        table: [],
        tableBytes: 0,
      },
      {
        block: '1008 7061 7373 776f 7264 0673 6563 7265 74',
        fields: ['password: secret'],
        table: [],
        tableBytes: 0,
      },
      { block: '82', fields: [':method: GET'], table: [], tableBytes: 0 },
    ]);
  });

  it('C.3: requests without Huffman coding', () => {
    runSteps(
      withBlocks(REQUESTS, [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ]),
    );
  });

  it('C.4: requests with Huffman coding', () => {
    runSteps(
      withBlocks(REQUESTS, [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ]),
    );
  });

  it('C.5: responses without Huffman coding, with evictions', () => {
    runSteps(
      withBlocks(RESPONSES, [
        `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
         2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70
         6c65 2e63 6f6d`,
        '4803 3330 37c1 c0bf',
        `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
         54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
         5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e
         3d31`,
      ]),
      256,
    );
  });

  it('C.6: responses with Huffman coding, with evictions', () => {
    runSteps(
      withBlocks(RESPONSES, [
        `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
         2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
        '4883 640e ffc1 c0bf',
        `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
         77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
         9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
      ]),
      256,
    );
  });
});

describe('HPACK: Huffman code', () => {
  it('is the one of Appendix B at its corners', () => {
    const corners: [number, number, number][] = [
      [0, 0x1ff8, 13],
      [0x20, 0x14, 6],
      [0x2a, 0xf9, 8],
      [0x30, 0x0, 5],
      [0x5c, 0x7fff0, 19],
      [0x7a, 0x7b, 7],
      [0xff, 0x3ffffee, 26],
      [22, 0x3ffffffe, 30],
      [256, 0x3fffffff, 30],
    ];
    for (const [symbol, code, length] of corners) {
      assert.equal(HUFFMAN_CODES[symbol], code);
      assert.equal(HUFFMAN_LENGTHS[symbol], length);
    }
  });

  it('every byte, alone and beside every other', () => {
    for (let one = 0; one < 256; one += 1) {
      for (let other = 0; other < 256; other += 1) {
        const value = String.fromCharCode(one, other);
        const bytes = huffman(value);
        assert.equal(decodeHuffman(bytes, 0, bytes.length), value);
      }
    }
  });

  it('padding: at most seven bits, all of them ones, and no end-of-string', () => {
    const table: [string, string | undefined][] = [
      ['07', '0'],
      ['00', undefined],
      ['06', undefined],
      ['07ff', undefined],
      ['ff', undefined],
      ['fffffffc', undefined],
      ['ffffffff', undefined],
      ['', ''],
    ];
    for (const [bytes, value] of table) {
      const encoded = hex(bytes);
      assert.equal(decodeHuffman(encoded, 0, encoded.length), value, bytes);
    }
  });

  it('secrets are overwritten bit for bit, and what is around them stays', () => {
    const secrets = ['x', 'no', 'AIzaSyB', 'a{|}~\\b', 'Zz9-_.~', '\u00ff\u0001', 'secretsecret'];
    for (const secret of secrets) {
      for (const [before, after] of [
        ['', ''],
        ['/v1?key=', '&alt=sse'],
        ['a', ''],
      ]) {
        const value = `${before}${secret}${after}`;
        const encoded = huffman(value);
        const place = { index: before?.length ?? 0, length: secret.length };
        const masked = maskHuffman(value, [place], encoded.length);
        assert.equal(masked.bytes.length, encoded.length);
        assert.equal(decodeHuffman(masked.bytes, 0, encoded.length), masked.text);
        assert.ok(masked.text.startsWith(before ?? '') && masked.text.endsWith(after ?? ''));
        const middle = masked.text.slice(before?.length, masked.text.length - (after ?? '').length);
        assert.match(middle, /^\**[0.:]{0,3}$/);
      }
    }
  });
});

describe('HPACK: beyond the examples', () => {
  it('integers that do not end, or are too large, break the block and nothing else', () => {
    for (const block of [
      'ff',
      'ffff',
      'ff80808080808080808001',
      'ffffffffffffffffffff',
      '3fffffffffffffffff',
    ]) {
      const decoder = createDecoder();
      assert.equal(decode(decoder, block).outcome, 'broken', block);
      assert.equal(decode(decoder, '82').fields[0], ':method: GET');
    }
  });

  it('strings that run beyond the block break it', () => {
    for (const block of ['40', '4005', '400561', '4001610561', '0001617f', '00016180']) {
      const { outcome } = decode(createDecoder(), block);
      assert.equal(outcome, block === '00016180' ? 'ok' : 'broken', block);
    }
  });

  it('index 0 and indices beyond the table are errors that cost one field', () => {
    assert.deepEqual(decode(createDecoder(), '80 82').fields, [
      'undefined: undefined',
      ':method: GET',
    ]);
    const { fields, outcome } = decode(createDecoder(), 'be 82');
    assert.deepEqual(fields, ['undefined: undefined', ':method: GET']);
    assert.equal(outcome, 'error');
  });

  it('a table that was never seen: newer entries resolve, older ones are unknown', () => {
    const encoder = new TestEncoder();
    const decoder = createDecoder();
    encoder.block([
      ['x-old', 'a'],
      ['x-older', 'b'],
    ]);
    decoder.table.forget();
    assert.deepEqual(decode(decoder, encoder.block([['x-new', 'c']])).fields, ['x-new: c']);
    const { fields, outcome } = decode(
      decoder,
      encoder.block([
        ['x-new', 'c'],
        ['x-old', 'a'],
        ['x-older', 'b'],
        ['x-newer', 'd'],
        ['x-new', 'c'],
      ]),
    );
    assert.deepEqual(fields, [
      'x-new: c',
      'undefined: undefined',
      'undefined: undefined',
      'x-newer: d',
      'x-new: c',
    ]);
    assert.equal(outcome, 'ok');
  });

  it('a literal whose name is unknown is counted in the table all the same', () => {
    const encoder = new TestEncoder();
    const decoder = createDecoder();
    encoder.block([['x-old', 'a']]);
    decoder.table.forget();
    const block = encoder.block([
      ['x-before', 'p'],
      ['x-old', 'changed'],
      ['x-after', 'q'],
    ]);
    assert.deepEqual(decode(decoder, block).fields, [
      'x-before: p',
      'undefined: undefined',
      'x-after: q',
    ]);
    assert.deepEqual(
      decode(
        decoder,
        encoder.block([
          ['x-before', 'p'],
          ['x-after', 'q'],
        ]),
      ).fields,
      ['x-before: p', 'x-after: q'],
    );
  });

  it('a size update to 0 makes an unknown table known', () => {
    const encoder = new TestEncoder();
    const decoder = createDecoder();
    decoder.table.forget();
    const block = Buffer.concat([
      encoder.resize(0),
      encoder.resize(4096),
      encoder.block([['a', 'b']]),
    ]);
    assert.deepEqual(decode(decoder, block).fields, ['a: b']);
    assert.equal(decoder.table.isPartial, false);
    assert.equal(decode(decoder, 'bf').outcome, 'error');
  });

  it('size updates evict as the encoder does', () => {
    const encoder = new TestEncoder();
    const decoder = createDecoder();
    const fields = ['a', 'b', 'c', 'd'].map((name) => [name, 'x'.repeat(60)] as const);
    decode(decoder, encoder.block(fields));
    assert.equal(decoder.table.count, 4);
    decode(decoder, encoder.resize(200));
    assert.deepEqual(
      dynamicTable(decoder).map((entry) => entry.slice(5, 6)),
      ['d', 'c'],
    );
    decode(decoder, encoder.resize(4096));
    const again = decode(decoder, encoder.block(fields));
    assert.equal(again.fields.length, 4);
    assert.equal(again.outcome, 'ok');
  });

  it('an entry larger than the table empties it', () => {
    const encoder = new TestEncoder();
    const decoder = createDecoder();
    decode(decoder, encoder.block([['a', 'b']]));
    decode(decoder, encoder.block([['big', 'x'.repeat(5000)]]));
    assert.equal(decoder.table.count, 0);
    assert.equal(decoder.table.sizeBytes, 0);
  });

  it('a table larger than our limit keeps its newest entries', () => {
    const encoder = new TestEncoder();
    const decoder = createDecoder(1000);
    decode(decoder, encoder.resize(100_000));
    for (let index = 0; index < 100; index += 1) {
      decode(decoder, encoder.block([[`x-${index}`, 'v']]));
      assert.ok(decoder.table.sizeBytes <= 1000);
    }
    assert.ok(decoder.table.limitDrops > 0);
    const { fields, outcome } = decode(
      decoder,
      encoder.block([
        ['x-99', 'v'],
        ['x-1', 'v'],
      ]),
    );
    assert.deepEqual(fields, ['x-99: v', 'undefined: undefined']);
    assert.equal(outcome, 'ok');
  });

  it('credentials are masked in the field, in the table, and by their place in the block', () => {
    for (const isHuffman of [false, true]) {
      const encoder = new TestEncoder();
      const decoder = createDecoder(65_536, true);
      const block = Buffer.from(
        encoder.block([['authorization', 'Bearer abcdef']], 'added', isHuffman),
      );
      const first = decode(decoder, block);
      assert.match(first.fields[0] ?? '', /^authorization: \*+$/);
      assert.equal(first.secrets.length, 1);
      const again = decode(decoder, encoder.block([['authorization', 'Bearer abcdef']]));
      assert.deepEqual(again.fields, first.fields);
      assert.deepEqual(again.secrets, []);
      for (const { offset, length, replacement } of first.secrets) {
        assert.equal(replacement !== undefined, isHuffman);
        block.set(replacement ?? Buffer.alloc(length, '*'), offset);
      }
      const replayed = decode(createDecoder(65_536, true), block);
      assert.deepEqual(replayed.fields, first.fields);
      assert.equal(replayed.outcome, 'ok');
    }
  });

  it('a Huffman-coded credential that was overwritten with plain asterisks is read as such', () => {
    const block = Buffer.from(
      new TestEncoder().block([['x-api-key', 'sk-0123456789']], 'added', true),
    );
    const decoder = createDecoder(65_536, true);
    const [secret] = decode(decoder, block).secrets;
    block.fill('*', secret?.offset, (secret?.offset ?? 0) + (secret?.length ?? 0));
    const { fields, outcome } = decode(createDecoder(65_536, true), block);
    assert.match(fields[0] ?? '', /^x-api-key: \*+$/);
    assert.equal(outcome, 'ok');
  });

  it('HPACK bomb: thousands of references to one large entry cost one string', () => {
    const encoder = new TestEncoder();
    const decoder = createDecoder();
    const big = encoder.field(['x-bomb', 'b'.repeat(4000)], 'added');
    const block = Buffer.concat([big, Buffer.alloc(100_000, 0xbe)]);
    let fields = 0;
    const before = process.memoryUsage().heapUsed;
    const outcome = decoder.decode(block, {
      field: () => {
        fields += 1;
      },
      secret: () => {},
    });
    assert.equal(outcome, 'ok');
    assert.equal(fields, 100_001);
    assert.ok(process.memoryUsage().heapUsed - before < 32_000_000);
  });
});
