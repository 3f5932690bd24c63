/** Any split of a conversation into TLS calls, and any legal interleaving of them, gives the same exchanges. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  type Call,
  cut,
  type ExchangeDescription,
  exchangeDescription,
  expectedBodies,
  fractions,
  run,
  type Seen,
  summary,
  type WireExchange,
  wireOf,
} from '../support/http-generator.ts';

const conversation = fc.array(exchangeDescription, { minLength: 1, maxLength: 5 });

function wires(descriptions: readonly ExchangeDescription[]): WireExchange[] {
  return descriptions.map((description, number) => wireOf(description, number));
}

function wholeCalls(exchanges: readonly WireExchange[]): Call[] {
  return exchanges.flatMap(({ request, response }) => [
    { side: 'request', bytes: request },
    { side: 'response', bytes: response },
  ]);
}

function assertExact(seen: readonly Seen[], descriptions: readonly ExchangeDescription[]): void {
  assert.equal(seen.length, descriptions.length);
  seen.forEach((one, number) => {
    const description = descriptions[number] as ExchangeDescription;
    const expected = expectedBodies(description);
    assert.ok(one.isEnded);
    assert.equal(one.exchange.ordinal, number);
    assert.deepEqual([...one.exchange.damage.kinds], []);
    assert.equal(one.exchange.request?.method, description.method);
    assert.match(one.exchange.request?.target ?? '', new RegExp(`n=${number}$`));
    assert.deepEqual(one.exchange.request?.headers.all('x-two'), ['a', 'b']);
    assert.equal(one.exchange.response?.status, description.status);
    assert.equal(one.exchange.response?.headers.get('x-number'), String(number));
    assert.ok(one.requestBody.equals(expected.request));
    assert.ok(one.responseBody.equals(expected.response));
  });
}

describe('http property: splits and interleavings', () => {
  it('random splits of random conversations', () => {
    fc.assert(
      fc.property(
        conversation,
        fc.array(fractions, { minLength: 1, maxLength: 6 }),
        fc.constantFrom<'client' | 'server'>('client', 'server'),
        (descriptions, cuts, role) => {
          const exchanges = wires(descriptions);
          const calls = wholeCalls(exchanges).flatMap((call, index) =>
            cut(call.bytes, cuts[index % cuts.length] ?? []).map((bytes) => ({ ...call, bytes })),
          );
          const seen = run(calls, { role });
          assertExact(seen, descriptions);
          assert.deepEqual(summary(seen), summary(run(wholeCalls(exchanges), { role })));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('every split of a conversation into one-byte calls', () => {
    fc.assert(
      fc.property(conversation, (descriptions) => {
        const calls = wholeCalls(wires(descriptions)).flatMap((call) =>
          Array.from(call.bytes, (byte) => ({ ...call, bytes: Uint8Array.of(byte) })),
        );
        assertExact(run(calls), descriptions);
      }),
      { numRuns: 40 },
    );
  });

  it('pipelining: requests ahead of responses, all in calls of any size', () => {
    fc.assert(
      fc.property(
        conversation,
        fractions,
        fractions,
        fc.infiniteStream(fc.boolean()),
        (descriptions, one, two, order) => {
          const exchanges = wires(descriptions);
          const requests = cut(Buffer.concat(exchanges.map(({ request }) => request)), one);
          // Where each response begins, and how many request bytes must have been sent by then.
          const calls: Call[] = [];
          let sent = 0;
          let needed = 0;
          const ends = exchanges.map(({ request }) => {
            needed += request.length;
            return needed;
          });
          const responses = exchanges.flatMap(({ response }, number) =>
            cut(response, two).map((bytes) => ({ bytes, after: ends[number] ?? 0 })),
          );
          while (requests.length > 0 || responses.length > 0) {
            const next = responses[0];
            const mayRespond = next !== undefined && sent >= next.after;
            const request = requests[0];
            if (request !== undefined && (!mayRespond || order.next().value)) {
              calls.push({ side: 'request', bytes: request });
              sent += request.length;
              requests.shift();
            } else if (next) {
              calls.push({ side: 'response', bytes: next.bytes });
              responses.shift();
            }
          }
          assertExact(run(calls), descriptions);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('a response that starts before the request is over', () => {
    fc.assert(
      fc.property(exchangeDescription, fractions, fractions, (description, one, two) => {
        fc.pre(description.requestBody !== undefined);
        const wire = wireOf(description, 0);
        const headEnd = wire.request.indexOf('\r\n\r\n') + 4;
        const tail = cut(wire.request.subarray(headEnd), one);
        const answer = cut(wire.response, two);
        const calls: Call[] = [{ side: 'request', bytes: wire.request.subarray(0, headEnd) }];
        for (let index = 0; index < Math.max(tail.length, answer.length); index += 1) {
          for (const [side, pieces] of [
            ['response', answer],
            ['request', tail],
          ] as const) {
            const bytes = pieces[index];
            if (bytes) {
              calls.push({ side, bytes });
            }
          }
        }
        assertExact(run(calls), [description]);
      }),
      { numRuns: 100 },
    );
  });
});
