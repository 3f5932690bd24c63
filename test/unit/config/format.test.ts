import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import {
  boolean,
  choice,
  choices,
  count,
  duration,
  endpoint,
  type Format,
  methods,
  outputFile,
  pairs,
  Refusal,
  ratio,
  readableFile,
  size,
  timeout,
} from '../../../src/config/format.ts';

/** What a format reads a text as; undefined: it must refuse it. */
type Table = readonly (readonly [text: string, expected: unknown])[];

function tableTests(name: string, format: Format<unknown>, table: Table): void {
  describe(name, () => {
    for (const [text, expected] of table) {
      const title = expected === undefined ? 'is refused' : `is ${JSON.stringify(expected)}`;
      it(`${JSON.stringify(text)} ${title}`, () => {
        const value = format.parse(text);
        if (expected === undefined) {
          assert.ok(value instanceof Refusal, `read as ${JSON.stringify(value)}`);
          assert.notEqual(value.reason, '');
          assert.ok(!value.reason.includes('\n'));
        } else {
          assert.deepEqual(value, expected);
        }
      });
    }
  });
}

describe('configuration formats', () => {
  tableTests('duration', duration({ min: 1, max: 3_600_000 }), [
    ['1', 1],
    ['250', 250],
    ['500ms', 500],
    ['5m', 300_000],
    ['2s', 2000],
    ['1h', 3_600_000],
    ['0', undefined],
    ['2h', undefined],
    ['3600001', undefined],
    ['-5', undefined],
    ['1.5s', undefined],
    ['5 m', undefined],
    ['5M', undefined],
    ['5min', undefined],
    ['12abc', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    ['m', undefined],
    ['５', undefined],
    ['constructor', undefined],
    ['5constructor', undefined],
    ['99999999999999999999', undefined],
  ]);

  tableTests('timeout', timeout(), [
    ['10000', 10_000],
    ['10s', 10_000],
    ['0', 2 ** 31 - 1],
    ['-1', undefined],
    ['forever', undefined],
  ]);

  tableTests('size', size({ min: 1, max: 1024 ** 3 }), [
    ['4096', 4096],
    ['64KiB', 65_536],
    ['16MiB', 16_777_216],
    ['10MB', 10_000_000],
    ['1kB', 1000],
    ['1KB', 1000],
    ['7B', 7],
    ['1GiB', 1024 ** 3],
    ['16', 16],
    ['0', undefined],
    ['2GiB', undefined],
    ['16M', undefined],
    ['16mib', undefined],
    ['16 MiB', undefined],
    ['1.5MiB', undefined],
    ['12abc', undefined],
    ['-1', undefined],
  ]);

  tableTests('size, a power of two', size({ min: 65_536, max: 1024 ** 3, powerOfTwo: true }), [
    ['64KiB', 65_536],
    ['16777216', 16_777_216],
    ['32KiB', undefined],
    ['65537', undefined],
    ['10MB', undefined],
    ['96KiB', undefined],
  ]);

  tableTests('count', count({ min: 1, max: 10 }), [
    ['1', 1],
    ['10', 10],
    ['007', 7],
    ['0', undefined],
    ['11', undefined],
    ['3.0', undefined],
    ['3x', undefined],
    ['1KiB', undefined],
  ]);

  tableTests('ratio', ratio(), [
    ['0', 0],
    ['1', 1],
    ['1.0', 1],
    ['0.25', 0.25],
    ['.5', 0.5],
    ['1e-3', 0.001],
    ['1.1', undefined],
    ['-0.1', undefined],
    ['10%', undefined],
    ['NaN', undefined],
    ['0,5', undefined],
  ]);

  tableTests('boolean', boolean(), [
    ['true', true],
    ['TRUE', true],
    ['False', false],
    ['0', undefined],
    ['1', undefined],
    ['no', undefined],
    ['yes', undefined],
    ['maybe', undefined],
  ]);

  tableTests('methods', methods(), [
    ['GET', ['GET']],
    ['GET, PROPFIND,get', ['GET', 'PROPFIND', 'get']],
    ['M-SEARCH', ['M-SEARCH']],
    ['GET POST', undefined],
    ['GET;POST', undefined],
    ['M'.repeat(65), undefined],
  ]);

  tableTests('choice', choice(['grpc', 'http/protobuf'], { aliases: { http: 'http/protobuf' } }), [
    ['grpc', 'grpc'],
    ['GRPC', 'grpc'],
    ['http', 'http/protobuf'],
    ['http/json', undefined],
    ['grpc,', undefined],
    ['toString', undefined],
  ]);

  tableTests('choices', choices(['tls', 'process'], { unavailable: ['plain'] }), [
    ['tls', ['tls']],
    ['process, TLS', ['process', 'tls']],
    ['tls,tls', undefined],
    ['tls,', undefined],
    ['tls process', undefined],
    ['tls,plain', undefined],
  ]);

  it('says of a value of another version that it is not available', () => {
    const refusal = choices(['tls'], { unavailable: ['plain'] }).parse('plain');
    assert.ok(refusal instanceof Refusal);
    assert.match(refusal.reason, /"plain" is not available in this version/);
  });

  tableTests('header pairs', pairs('header'), [
    ['a=1', [['a', '1']]],
    [
      'api-key=a%20b, X-Other = c ,',
      [
        ['api-key', 'a b'],
        ['X-Other', 'c'],
      ],
    ],
    ['a=b=c', [['a', 'b=c']]],
    ['a=', [['a', '']]],
    ['a', undefined],
    ['=b', undefined],
    ['a=1,b', undefined],
    ['a b=c', undefined],
    ['a=%zz', undefined],
    ['a=%0d%0aX:1', undefined],
    ['a=%00', undefined],
    ['a=%E2%82%AC', undefined],
  ]);

  it('says which header cannot be one, and shows nothing of it', () => {
    const reasonOf = (text: string): string => {
      const refusal = pairs('header').parse(text);
      assert.ok(refusal instanceof Refusal);
      return refusal.reason;
    };
    assert.match(reasonOf('a=1, b=k%E2%82%ACy'), /^pair 2 has a value with a character that no/);
    assert.match(reasonOf('ke y=1'), /^pair 1 has a name that no header can have; allowed is /);
  });

  tableTests('attribute pairs', pairs('attribute'), [
    ['deployment.environment.name=prod', [['deployment.environment.name', 'prod']]],
    ['team=%E2%82%AC', [['team', '€']]],
    ['team', undefined],
    ['team=%', undefined],
  ]);

  tableTests('endpoint', endpoint(), [
    ['http://127.0.0.1:4317', 'http://127.0.0.1:4317'],
    ['https://otlp.example/base?x=1', 'https://otlp.example/base?x=1'],
    ['HTTP://h', 'HTTP://h'],
    ['collector:4317', 'collector:4317'],
    ['[::1]:4317', '[::1]:4317'],
    ['unix:/run/otlp.sock', 'unix:/run/otlp.sock'],
    ['collector', undefined],
    ['collector:', undefined],
    ['collector:0', undefined],
    ['collector:70000', undefined],
    ['ftp://h', undefined],
    ['http://', undefined],
    ['http://user:pass@h', undefined],
    ['http://h#x', undefined],
    ['a b:1', undefined],
  ]);

  describe('files', () => {
    let folder = '';
    before(() => {
      folder = mkdtempSync(join(tmpdir(), 'sightline-format-'));
      writeFileSync(join(folder, 'there.pem'), 'x');
    });
    after(() => rmSync(folder, { recursive: true }));

    it('reads the path of a file that is there, and refuses a folder and a missing file', () => {
      const format = readableFile();
      assert.equal(format.parse(join(folder, 'there.pem')), join(folder, 'there.pem'));
      assert.ok(format.parse(folder) instanceof Refusal);
      assert.ok(format.parse(join(folder, 'missing.pem')) instanceof Refusal);
    });

    it('takes a new or existing file to write, and refuses a folder and a missing folder', () => {
      const format = outputFile();
      assert.equal(format.parse(join(folder, 'new.jsonl')), join(folder, 'new.jsonl'));
      assert.equal(format.parse(join(folder, 'there.pem')), join(folder, 'there.pem'));
      assert.equal(format.parse('new.jsonl'), 'new.jsonl');
      assert.ok(format.parse(folder) instanceof Refusal);
      assert.ok(format.parse(join(folder, 'no', 'new.jsonl')) instanceof Refusal);
    });
  });

  it('show quantities so that they are read back as they were', () => {
    const bytes = size({ min: 0, max: 2 ** 50 });
    const ms = duration({ min: 0, max: 2 ** 50 });
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 31 - 2 }), fc.integer({ min: 0, max: 10 }), (n, shift) => {
        const value = n * 2 ** shift;
        assert.equal(bytes.parse(bytes.show(value)), value);
        const time = n * (shift % 2 === 0 ? 1000 : 1);
        assert.equal(ms.parse(ms.show(time)), time);
      }),
    );
  });

  it('never throw and never read a number from a text with anything else in it', () => {
    const formats = [
      duration({ min: 0 }),
      size({ min: 0, max: 2 ** 40 }),
      count({ min: 0, max: 9 }),
    ];
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const format of formats) {
          const value = format.parse(text);
          assert.ok(value instanceof Refusal || /^\d+[A-Za-z]*$/.test(text));
        }
        pairs('header').parse(text);
        endpoint().parse(text);
      }),
    );
  });
});
