/** However an exchange comes in pieces, and whatever is lost of it, the call read from it is the same or marked. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { FIXTURES_BY_API } from '../support/llm-fixtures/all-fixtures.ts';
import { checkCall } from '../support/llm-fixtures/check-call.ts';
import { type Observed, runExchange } from '../support/llm-fixtures/run-exchange.ts';

const FIXTURES = FIXTURES_BY_API.flatMap(([, fixtures]) => fixtures);
const fixture = fc.constantFrom(...FIXTURES);
const sizes = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 8 });

/** Everything but times, which depend on the pieces. */
function withoutTimes(observed: Observed): unknown {
  const { exchange: _, startNs, endNs, firstChunkNs, chunkGapsNs, ...call } = observed.call!;
  return JSON.parse(
    JSON.stringify(
      { ...call, gaps: chunkGapsNs.length, hasFirst: firstChunkNs !== undefined },
      (key, value) => (key === 'timeNs' ? undefined : value instanceof Set ? [...value] : value),
    ),
  );
}

describe('llm property: model calls', () => {
  it('are the same under any split', () => {
    fc.assert(
      fc.property(fixture, sizes, fc.boolean(), ({ wire, expected }, pieces, keepContent) => {
        const whole = runExchange(wire, undefined, { keepContent });
        const split = runExchange(wire, { sizes: pieces }, { keepContent });
        checkCall(split, expected, { keepContent });
        assert.deepEqual(withoutTimes(split), withoutTimes(whole));
      }),
      { numRuns: 600 },
    );
  });

  it('are the same whether events are like those before them or are parsed each', () => {
    let compared = 0;
    for (const { wire } of FIXTURES) {
      const { response } = wire;
      if (typeof response !== 'string' || response.split('\n').length < 3) {
        continue;
      }
      // Spaces, as many in no other event, change no value but leave no two events alike.
      let events = 0;
      const unlike = response.replace(/^(data: ?)?\{(?=.*\}\r?$)/gm, (start) => {
        events += 1;
        return start + ' '.repeat(events);
      });
      compared += events > 1 ? 1 : 0;
      for (const keepContent of [true, false]) {
        const alike = runExchange(wire, undefined, { keepContent });
        const each = runExchange({ ...wire, response: unlike }, undefined, { keepContent });
        if (alike.call !== undefined) {
          assert.deepEqual(withoutTimes(each), withoutTimes(alike));
        }
      }
    }
    assert.ok(compared > 40, `${compared} streams`);
  });

  it('say so when bytes of the answer are lost, and invent nothing', () => {
    fc.assert(
      fc.property(
        fixture,
        sizes,
        fc.nat(),
        fc.integer({ min: 1, max: 300 }),
        ({ wire, expected }, pieces, where, lost) => {
          const length = Buffer.byteLength(wire.response ?? '');
          fc.pre(wire.status !== undefined && length > 0);
          const gapAt = where % length;
          const observed = runExchange(wire, { sizes: pieces, gapAt, lost });
          const { call, order } = observed;
          assert.equal(order[0], 'started');
          assert.equal(order.at(-1), 'finished');
          const isBeforeEnd = gapAt < endOfAnswer(wire.response ?? '');
          if (isBeforeEnd) {
            assert.ok(call!.damage.kinds.has('gap'), `no gap at ${gapAt} of ${length}`);
          }
          const known = [...(expected.toolCalls ?? []), ...(expected.tornToolCalls ?? [])];
          for (const toolCall of observed.call!.response?.toolCalls ?? []) {
            const { name, argumentsText } = toolCall;
            const isAnnounced = observed.toolCalls.includes(toolCall);
            const mayBe = isAnnounced ? known : [...known, ...(expected.serverToolCalls ?? [])];
            const isKnown = mayBe.some((whole) =>
              isAnnounced
                ? whole.name === name && whole.argumentsText === argumentsText
                : (whole.name.startsWith(name) || whole.name.endsWith(name)) &&
                  whole.argumentsText.includes(argumentsText),
            );
            assert.ok(isKnown, `invented ${name} ${argumentsText}`);
          }
          // Text on both sides of a hole is never joined.
          const all = expected.messages
            .map(({ text, reasoning, refusal }) => [reasoning, text, refusal].join('\0'))
            .join('\0');
          for (const message of call!.response?.messages ?? []) {
            for (const part of message.parts) {
              if (part.type === 'text' || part.type === 'reasoning' || part.type === 'refusal') {
                const { content } = part as { content: string };
                assert.ok(all.includes(content), `spliced: ${content}`);
              }
            }
          }
        },
      ),
      { numRuns: 1500 },
    );
  });

  it('never throw, whatever the bytes', () => {
    const noise = fc.array(
      fc.oneof(
        fc.string(),
        fc.constantFrom(
          ...[
            'data: ',
            'event: error\n',
            '\n\n',
            '{',
            '}',
            '[',
            ']',
            '"',
            ':',
            ',',
            'null',
            '{"choices":[',
          ],
          ...[
            '"delta":{"content":"',
            '"tool_calls":[{"index":0,"function":{"name":"',
            '"index":-1',
          ],
          ...[
            '"usage":{"prompt_tokens":',
            '{"type":"content_block_delta","index":0,"delta":',
            '1e400',
          ],
          ...['"message":', '{"type":"message_start","message":', '"error":', '"__proto__":{'],
        ),
        fc.json(),
      ),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(fixture, noise, noise, sizes, ({ wire }, request, response, pieces) => {
        const observed = runExchange(
          { ...wire, request: request.join(''), response: response.join('') },
          { sizes: pieces },
        );
        if (observed.call !== undefined) {
          assert.equal(observed.order.at(-1), 'finished');
        }
      }),
      { numRuns: 600 },
    );
  });
});

/** Offset behind which bytes are no part of the answer: after `[DONE]`, `message_stop`, or the JSON's end. */
function endOfAnswer(response: string | Buffer): number {
  if (typeof response !== 'string') {
    return response.length;
  }
  const marks = ['data: [DONE]\n\n', '"type":"message_stop"}\n\n'];
  for (const mark of marks) {
    const at = response.indexOf(mark);
    if (at >= 0) {
      return Buffer.byteLength(response.slice(0, at + mark.length));
    }
  }
  const last = /"type":"response\.(?:completed|failed|incomplete)"/.exec(response);
  if (last !== null) {
    const end = response.indexOf('\n\n', last.index) + 2;
    return Buffer.byteLength(response.slice(0, end));
  }
  return Buffer.byteLength(response.trimEnd());
}
