import assert from 'node:assert/strict';
import {
  CutText,
  createJsonScanner,
  cutToBytes,
  type JsonLimits,
  type JsonPlan,
  RawJson,
  tornTailBytes,
} from '../../../src/util/json-scanner.ts';
import { digestText } from '../../../src/util/text-digest.ts';

function scan(text: string, plan?: JsonPlan, limits?: Partial<JsonLimits>) {
  const items: { name: string; value: unknown; complete: boolean }[] = [];
  const scanner = createJsonScanner({
    ...(plan && { plan }),
    ...(limits && { limits }),
    onItem: (name, value, complete) => items.push({ name, value, complete }),
  });
  scanner.push(Buffer.from(text));
  return { ...scanner.end(), items };
}

const plan = (fields: Record<string, JsonPlan>): JsonPlan => ({
  keep: 'all',
  fields: new Map(Object.entries(fields)),
});

describe('JSON scanner', () => {
  it('reads white space and a byte order mark around the value', () => {
    assert.deepEqual(scan('\ufeff \n\r\t{"a":[1, -2.5e3 ,true,null]} \n').value, {
      a: [1, -2500, true, null],
    });
    assert.equal(scan(' \n ').state, 'empty');
    assert.equal(scan('').state, 'empty');
  });

  it('keeps of a raw value what comes before the byte that is wrong, however it is cut', () => {
    const bytes = Buffer.from('["a\u0001", "b"]');
    for (const size of [bytes.length, 3, 1]) {
      const scanner = createJsonScanner({ plan: { keep: 'raw' } });
      for (let at = 0; at < bytes.length; at += size) {
        scanner.push(bytes.subarray(at, at + size));
      }
      const { value, errorOffset } = scanner.end();
      assert.equal(errorOffset, 3);
      assert.ok(value instanceof RawJson);
      assert.deepEqual([value.text, value.complete], ['["a', false], `in pieces of ${size}`);
    }
  });

  it('says where the text stops being JSON and keeps what came before', () => {
    const result = scan('{"a":1,"b":nope}');
    assert.equal(result.state, 'invalid');
    assert.equal(result.errorOffset, 12);
    assert.deepEqual(result.value, { a: 1 });
    const trailing = scan('{"a":1} x');
    assert.equal(trailing.state, 'invalid');
    assert.deepEqual(trailing.value, { a: 1 });
  });

  it('cuts text, and keeps its length and the digest of the whole', () => {
    const text = `${'é'.repeat(50)}\n😀`;
    const { value, limited } = scan(
      JSON.stringify({ t: text, u: 'short' }),
      {
        keep: 'text',
      },
      { maxTextBytes: 11 },
    );
    const cut = (value as { t: CutText }).t;
    assert.ok(cut instanceof CutText);
    assert.equal(cut.prefix, 'ééééé');
    assert.equal(cut.bytes, Buffer.byteLength(text));
    assert.equal(cut.digest.hex(), digestText(text).hex());
    assert.equal(cut.complete, true);
    assert.equal((value as { u: string }).u, 'short');
    assert.equal(limited, false, 'a cut that was asked for is no reached limit');
  });

  it('keeps nothing of texts when the cut is zero, but their digests', () => {
    const { value } = scan('["", "abc"]', { keep: 'text' }, { maxTextBytes: 0 });
    const [empty, cut] = value as [string, CutText];
    assert.equal(empty, '');
    assert.equal(cut.prefix, '');
    assert.equal(cut.digest.hex(), digestText('abc').hex());
  });

  it('does not split a pair of surrogates, and counts it as four bytes', () => {
    const { value } = scan('"ab\\ud83d\\ude00cd"', { keep: 'text' }, { maxTextBytes: 5 });
    assert.equal((value as CutText).prefix, 'ab');
    assert.equal((value as CutText).bytes, 8);
  });

  it('bounds all texts together, and says that it did', () => {
    const text = JSON.stringify(['aaaa', 'bbbb', 'cccc']);
    const { value, limited } = scan(text, { keep: 'text' }, { maxTotalTextBytes: 6 });
    const [first, second, third] = value as [string, CutText, CutText];
    assert.equal(first, 'aaaa');
    assert.equal(second.prefix, 'bb');
    assert.equal(third.prefix, '');
    assert.equal(limited, true);
  });

  it('never cuts what the plan keeps, whatever the text around it', () => {
    const big = 'x'.repeat(100_000);
    const { value } = scan(
      JSON.stringify({
        junk: [big, { usage: 1 }],
        content: big,
        usage: { n: 3 },
        id: 'a'.repeat(5000),
      }),
      plan({ content: { keep: 'text' }, usage: { keep: 'all' }, id: { keep: 'all' } }),
      { maxTextBytes: 0, maxNodes: 1 },
    ) as { value: { usage: object; id: string } };
    assert.deepEqual(value.usage, {});
    assert.equal(value.id.length, 5000);
    assert.equal('junk' in value, false);
  });

  it('stops at the depth limit and keeps what it has', () => {
    const result = scan('{"a":1,"b":[[[[1]]]]}', undefined, { maxDepth: 3 });
    assert.equal(result.state, 'limit');
    assert.equal(result.limited, true);
    assert.deepEqual(result.value, { a: 1, b: [[]] });
  });

  it('drops values beyond the node limit', () => {
    const result = scan('[1,2,3,4,5]', undefined, { maxNodes: 3 });
    assert.deepEqual(result.value, [1, 2, 3]);
    assert.equal(result.limited, true);
    assert.equal(result.state, 'complete');
  });

  it('hands items over one by one and forgets them', () => {
    const items = plan({ m: { keep: 'all', emit: 'message', items: { keep: 'all' } } });
    const result = scan('{"m":[{"a":[1]},2,"x",[3],{}],"n":1}', items, { maxNodes: 4 });
    assert.deepEqual(
      result.items.map((item) => item.value),
      [{ a: [1] }, 2, 'x', [3], {}],
    );
    assert.ok(result.items.every((item) => item.complete && item.name === 'message'));
    assert.deepEqual(result.value, { m: [] });
    assert.equal(result.limited, false);
  });

  it('hands over a torn last item, marked', () => {
    const items = plan({ m: { keep: 'all', emit: 'message', items: { keep: 'all' } } });
    const result = scan('{"m":[{"a":1},{"b":"tor', items);
    assert.equal(result.state, 'incomplete');
    assert.equal(result.items.length, 2);
    assert.equal(result.items[1]!.complete, false);
    const torn = (result.items[1]!.value as { b: CutText }).b;
    assert.equal(torn.prefix, 'tor');
    assert.equal(torn.complete, false);
  });

  it('keeps a torn raw value, marked', () => {
    const result = scan('{"r":{"a":[1,', plan({ r: { keep: 'raw' } }));
    assert.deepEqual(result.value, { r: new RawJson('{"a":[1,', false) });
  });

  it('cuts a raw value at the string limit, and says so', () => {
    const result = scan('{"r":["ééééé"],"z":1}', plan({ r: { keep: 'raw' }, z: { keep: 'all' } }), {
      maxStringBytes: 5,
    });
    assert.deepEqual(result.value, { r: new RawJson('["é', false), z: 1 });
    assert.equal(result.limited, true);
  });

  it('ignores what follows a gap', () => {
    const scanner = createJsonScanner();
    scanner.push(Buffer.from('{"a":1,"b":"x'));
    scanner.gap();
    scanner.push(Buffer.from('y","c":2}'));
    const result = scanner.end();
    assert.equal(result.state, 'incomplete');
    assert.deepEqual(Object.keys(result.value as object), ['a', 'b']);
    assert.equal(scanner.end(), result);
  });

  it('finds torn UTF-8 tails', () => {
    assert.equal(tornTailBytes(Buffer.from([0x41, 0xe2, 0x82])), 2);
    assert.equal(tornTailBytes(Buffer.from([0xf0, 0x9f, 0x98])), 3);
    assert.equal(tornTailBytes(Buffer.from([0xed, 0xa0])), 0, 'a surrogate is wrong already');
    assert.equal(tornTailBytes(Buffer.from('é')), 0);
    assert.equal(cutToBytes('aéé', 4), 'aé');
    assert.equal(cutToBytes('aéé', 0), '');
  });

  it('reads 100 MB of text in constant memory', function () {
    this.timeout(60_000);
    const scanner = createJsonScanner({
      plan: plan({
        messages: { keep: 'text', emit: 'message', items: { keep: 'text' } },
        usage: { keep: 'all' },
      }),
      limits: { maxTextBytes: 1024 },
    });
    const chunk = Buffer.alloc(1024 * 1024, 'lorem ipsum \\n ');
    scanner.push(Buffer.from('{"messages":['));
    global.gc?.();
    const before = process.memoryUsage().heapUsed;
    for (let message = 0; message < 100; message++) {
      scanner.push(Buffer.from(message === 0 ? '{"content":"' : ',{"content":"'));
      scanner.push(chunk);
      scanner.push(Buffer.from('n"}'));
    }
    const growth = process.memoryUsage().heapUsed - before;
    scanner.push(Buffer.from('],"usage":{"n":7}}'));
    const result = scanner.end();
    assert.equal(result.state, 'complete');
    assert.deepEqual(result.value, { messages: [], usage: { n: 7 } });
    assert.ok(growth < 64 * 1024 * 1024, `heap grew by ${growth} bytes`);
  });
});
