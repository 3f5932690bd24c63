/** Any events, in any line ends, split anywhere, come out as they went in; a gap costs only what it touches. */
import assert from 'node:assert/strict';
import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import { createSseDecoder } from '../../src/http/sse-decoder.ts';
import { cut, fractions } from '../support/http-generator.ts';

interface Written {
  name: string | undefined;
  data: string[];
  comment: boolean;
}

const lineText = fc
  .string({ unit: 'binary', maxLength: 40 })
  .map((text) => text.replace(/[\r\n\0]/g, '_'));
const event: fc.Arbitrary<Written> = fc.record({
  name: fc.option(fc.constantFrom('delta', 'message_stop'), { nil: undefined }),
  data: fc.array(lineText, { minLength: 1, maxLength: 3 }),
  comment: fc.boolean(),
});

function write(events: readonly Written[], lineEnd: string): string[] {
  return events.map(({ name, data, comment }) => {
    const lines = [
      ...(comment ? [': note'] : []),
      ...(name === undefined ? [] : [`event: ${name}`]),
      ...data.map((line) => `data: ${line}`),
    ];
    return `${lines.join(lineEnd)}${lineEnd}${lineEnd}`;
  });
}

describe('sse property', () => {
  it('any events under any split, as written and as eventsource-parser reads them', () => {
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 6 }),
        fc.constantFrom('\n', '\r\n', '\r'),
        fractions,
        (events, lineEnd, cuts) => {
          const text = write(events, lineEnd).join('');
          const seen: [string, string][] = [];
          const decoder = createSseDecoder({ onEvent: (one) => seen.push([one.event, one.data]) });
          for (const piece of cut(Buffer.from(text), cuts)) {
            decoder.data(piece, 1n);
          }
          decoder.end(true, 1n);
          const expected = events.map(({ name, data }) => [
            name ?? 'message',
            Buffer.from(data.join('\n')).toString(),
          ]);
          assert.deepEqual(seen, expected);
          const oracle: [string, string][] = [];
          const parser = createParser({
            onEvent: (one) => oracle.push([one.event ?? 'message', one.data]),
          });
          // Fed whole, with the final line end it needs for a stream of bare CRs.
          parser.feed(`${Buffer.from(text).toString()}\n`);
          assert.deepEqual(seen, oracle);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('a lost piece costs the events it touches and no other', () => {
    fc.assert(
      fc.property(
        fc.array(event, { minLength: 2, maxLength: 8 }),
        fractions,
        fc.nat(),
        (events, cuts, lostSeed) => {
          const numbered = events.map((one, index) => ({
            ...one,
            data: [`${index}`, ...one.data],
          }));
          const texts = write(numbered, '\n').map((text) => Buffer.from(text));
          const pieces = cut(Buffer.concat(texts), cuts);
          const lost = lostSeed % pieces.length;
          const seen: string[] = [];
          const decoder = createSseDecoder({ onEvent: (one) => seen.push(one.data) });
          let position = 0;
          let from = 0;
          let to = 0;
          pieces.forEach((piece, index) => {
            if (index === lost) {
              from = position;
              to = position + piece.length;
              decoder.gap(1n);
            } else {
              decoder.data(piece, 1n);
            }
            position += piece.length;
          });
          decoder.end(true, 1n);
          let start = 0;
          const certain: string[] = [];
          const possible: string[] = [];
          numbered.forEach(({ data }, index) => {
            const end = start + (texts[index]?.length ?? 0);
            const whole = Buffer.from(data.join('\n')).toString();
            const isTouched = start < to && end > from;
            // Right behind the gap nobody can know that an event begins there: it may go with the gap.
            if (!isTouched) {
              possible.push(whole);
              if (start !== to) {
                certain.push(whole);
              }
            }
            start = end;
          });
          for (const one of seen) {
            assert.ok(possible.includes(one), 'nothing spliced or half');
          }
          for (const one of certain) {
            assert.ok(seen.includes(one), 'nothing else lost');
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
