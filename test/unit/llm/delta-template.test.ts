/** The shortcut past the JSON parser must never read anything but what the parser would have. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createDeltaTemplate } from '../../../src/llm/delta-template.ts';

interface Event {
  id: string;
  content: string;
  n: number;
  nested?: { content?: string };
  obfuscation?: string;
  sequence?: number;
}

const place = (value: unknown) => (value as Event).content;

function learned(event: object, member = 'content', find: (value: unknown) => unknown = place) {
  const template = createDeltaTemplate(['obfuscation', 'sequence']);
  const isLearned = template.learn(JSON.stringify(event), member, find);
  return { template, isLearned };
}

describe('the template of a delta', () => {
  const base = { id: 'a', content: 'one', n: 1 };

  it('reads the text of events that differ in nothing else', () => {
    const { template, isLearned } = learned(base);
    assert.equal(isLearned, true);
    for (const content of [
      '',
      'two',
      '"',
      '\\',
      'a"b\\',
      '\n\t\u0001',
      '\\"',
      'é😀',
      '"content":"',
    ]) {
      assert.equal(template.match(JSON.stringify({ ...base, content })), content);
    }
    assert.equal(template.match('{"id":"a","content":"\\ud83d\\u0041","n":1}'), '\ud83dA');
  });

  it('refuses events that differ anywhere else, or are no JSON', () => {
    const { template } = learned(base);
    const others = [
      JSON.stringify({ ...base, n: 2 }),
      JSON.stringify({ ...base, id: 'b' }),
      JSON.stringify({ ...base, more: 1 }),
      JSON.stringify({ ...base, content: null }),
      '{"id":"a","content":"x","content":"y","n":1}',
      '{"id":"a","content":"x\\","n":1}',
      '{"id":"a","content":"x\\q","n":1}',
      '{"id":"a","content":"x\ny","n":1}',
      '{"id":"a","content":"x","n":1} ',
      '{"id":"a","content":"x","n":1',
      '{"id":"a","content":"',
      '{"id":"a","content":"x',
      '',
    ];
    for (const other of others) {
      assert.equal(template.match(other), undefined, other);
    }
  });

  it('reads past random padding', () => {
    const { template, isLearned } = learned({ ...base, obfuscation: 'xy' });
    assert.equal(isLearned, true);
    assert.equal(template.match(JSON.stringify({ ...base, obfuscation: 'other' })), 'one');
    assert.equal(template.match(JSON.stringify({ ...base, content: 'a"', obfuscation: '' })), 'a"');
    assert.equal(template.match(JSON.stringify({ ...base, obfuscation: 'a"b' })), undefined);
    assert.equal(template.match('{"id":"a","content":"x","n":1,"obfuscation":"\\"}'), undefined);
    assert.equal(
      template.match('{"id":"a","content":"x","n":1,"obfuscation":"","content":"y"}'),
      undefined,
    );
  });

  it('reads past numbers that run, on either side of the text', () => {
    const first = { sequence: 7, ...base, obfuscation: 'x' };
    const { template, isLearned } = learned(first);
    assert.equal(isLearned, true);
    for (const sequence of [0, 8, 123_456_789]) {
      const data = JSON.stringify({ ...first, sequence, content: '"two"', obfuscation: 'abc' });
      assert.equal(template.match(data), '"two"');
    }
    const others = ['', '-1', '1.5', '1e3', '01', '"8"', 'null', ' 8', '8 '];
    for (const other of others) {
      const data = JSON.stringify(first).replace('7', other);
      assert.equal(template.match(data), undefined, data);
    }
    const behind = learned({ ...base, sequence: 0 });
    assert.equal(behind.template.match('{"id":"a","content":"b","n":1,"sequence":12}'), 'b');
    assert.equal(behind.template.match('{"id":"a","content":"b","n":1,"sequence":12'), undefined);
    assert.equal(behind.template.match('{"id":"a","content":"b","n":1,"sequence":"x"}'), undefined);
  });

  it('is not made where the text is not the one place', () => {
    assert.equal(learned({ ...base, nested: { content: 'x' } }).isLearned, false);
    assert.equal(learned({ id: 'a', nested: { content: 'x' } }).isLearned, false);
    assert.equal(learned({ id: '"content":"', content: 'x' }).isLearned, true);
    const template = createDeltaTemplate();
    assert.equal(
      template.learn('{"\\u0063ontent":"x","n":{"content":"y"}}', 'content', place),
      false,
    );
  });

  it('costs little where every event is another', () => {
    const template = createDeltaTemplate();
    let attempts = 0;
    for (let n = 0; n < 10_000; n++) {
      const data = JSON.stringify({ ...base, n });
      if (template.match(data) === undefined && template.learn(data, 'content', place)) {
        attempts++;
      }
    }
    assert.ok(attempts < 30, `${attempts} attempts`);
  });

  it('agrees with the parser about anything', () => {
    const event = fc.record(
      {
        id: fc.constantFrom('a', 'b'),
        content: fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('"', '\\')),
        n: fc.constantFrom(1, 2),
        nested: fc.record({ content: fc.string() }),
        obfuscation: fc.string(),
        sequence: fc.oneof(fc.nat(), fc.constantFrom(-1, 0.5)),
      },
      { requiredKeys: ['id', 'content', 'n'] },
    );
    const tampered = fc.tuple(fc.nat(), fc.constantFrom('', '"', '\\', ',', '}', 'x', '0', '-'));
    fc.assert(
      fc.property(event, event, fc.option(tampered), (first, second, tamper) => {
        const { template, isLearned } = learned(first);
        let data = JSON.stringify(second);
        if (tamper !== null) {
          const at = tamper[0] % data.length;
          data = data.slice(0, at) + tamper[1] + data.slice(at + 1);
        }
        const text = template.match(data);
        if (text === undefined) {
          return;
        }
        assert.ok(isLearned);
        const { content, obfuscation: _, sequence: _s, ...rest } = JSON.parse(data) as Event;
        const { content: _c, obfuscation: _o, sequence: _n, ...expected } = first;
        assert.equal(text, content);
        assert.deepEqual(rest, expected);
      }),
      { numRuns: 3000 },
    );
  });
});
