/**
 * Lost TLS calls, anywhere and in any number: what was not touched is exact, what was touched says so, and no
 * response is ever paired with another exchange's request without a mark.
 */
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
  wireOf,
} from '../support/http-generator.ts';

const conversation = fc.array(exchangeDescription, { minLength: 1, maxLength: 8 });

function numberOfRequest(one: Seen): number | undefined {
  const match = /[?&]n=(\d+)$/.exec(one.exchange.request?.target ?? '');
  return match ? Number(match[1]) : undefined;
}

function numberOfResponse(one: Seen): number | undefined {
  const value = one.exchange.response?.headers.get('x-number');
  return value === undefined ? undefined : Number(value);
}

function assertExact(one: Seen, description: ExchangeDescription, number: number): void {
  const expected = expectedBodies(description);
  assert.equal(numberOfResponse(one), number, 'paired with its own response');
  assert.equal(one.exchange.request?.method, description.method);
  assert.equal(one.exchange.response?.status, description.status);
  assert.ok(one.exchange.request?.complete && one.exchange.response?.complete, 'complete');
  assert.ok(one.requestBody.equals(expected.request), 'request body');
  assert.ok(one.responseBody.equals(expected.response), 'response body');
  assert.equal(one.holes, 0);
  assert.equal(one.exchange.damage.lostBytes, 0);
}

/** What must hold of every observation, whatever was lost. */
function assertHonest(seen: readonly Seen[], descriptions: readonly ExchangeDescription[]): void {
  for (const one of seen) {
    assert.ok(one.isEnded, 'every exchange ends');
    const request = numberOfRequest(one);
    const response = numberOfResponse(one);
    if (!one.exchange.damage.any) {
      assert.ok(request !== undefined, 'undamaged, so it has its request');
      assertExact(one, descriptions[request] as ExchangeDescription, request);
    } else if (request !== undefined && response !== undefined) {
      // A hole may hide a whole response and the request after it. Then the mark is all that can be asked.
      assert.ok(one.exchange.damage.kinds.has('gap'));
    }
  }
}

const losses = fc.array(fc.nat({ max: 60 }), { minLength: 1, maxLength: 5 });

function loseSome(calls: Call[], lost: readonly number[], silent: boolean): void {
  for (const index of lost) {
    const call = calls[index % calls.length];
    if (call) {
      call.isLost = silent ? 'silent' : 'announced';
    }
  }
}

describe('http property: lost calls', () => {
  for (const silent of [false, true]) {
    it(`of a keep-alive connection, ${silent ? 'noticed by position only' : 'announced'}`, () => {
      fc.assert(
        fc.property(
          conversation,
          fc.array(fractions, { minLength: 1, maxLength: 6 }),
          losses,
          fc.constantFrom<'client' | 'server'>('client', 'server'),
          (descriptions, cuts, lost, role) => {
            let turn = 0;
            const calls: Call[] = descriptions.flatMap((description, owner) => {
              const wire = wireOf(description, owner);
              return (['request', 'response'] as const).flatMap((side) =>
                cut(wire[side], cuts[turn++ % cuts.length] ?? []).map((bytes) => ({
                  side,
                  bytes,
                  owner,
                })),
              );
            });
            loseSome(calls, lost, silent);
            const seen = run(calls, { role });
            assertHonest(seen, descriptions);
            // Two losses nobody announced, one in each direction, can hide a whole exchange and look like the
            // loss of half of another: then an exchange between them may come apart, but each part is marked.
            const isAmbiguous =
              silent &&
              new Set(calls.filter((call) => call.isLost).map((call) => call.side)).size > 1;
            const touched = new Set(calls.filter((call) => call.isLost).map((call) => call.owner));
            descriptions.forEach((description, number) => {
              const mine = seen.filter(
                (one) => numberOfRequest(one) === number || numberOfResponse(one) === number,
              );
              const isApart = isAmbiguous && mine.every((one) => one.exchange.damage.any);
              if (!touched.has(number) && !isApart) {
                assert.equal(mine.length, 1, `exchange ${number} is there once`);
                assertExact(mine[0] as Seen, description, number);
              } else if (touched.has(number)) {
                for (const one of mine) {
                  assert.ok(one.exchange.damage.any, `exchange ${number} is marked`);
                }
              }
            });
          },
        ),
        { numRuns: 400 },
      );
    });
  }

  it('of a pipelining connection: never a wrong pair without a mark', () => {
    fc.assert(
      fc.property(
        conversation,
        fractions,
        losses,
        fc.boolean(),
        (descriptions, cuts, lost, silent) => {
          const wires = descriptions.map((description, number) => wireOf(description, number));
          const calls: Call[] = [
            ...wires.map(({ request }): Call => ({ side: 'request', bytes: request })),
            ...wires.flatMap(({ response }) =>
              cut(response, cuts).map((bytes): Call => ({ side: 'response', bytes })),
            ),
          ];
          loseSome(calls, lost, silent);
          assertHonest(run(calls), descriptions);
        },
      ),
      { numRuns: 300 },
    );
  });
});
