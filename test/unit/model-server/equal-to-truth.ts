/** Asserts that what a client printed is what the server says it sent. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { ClientResult } from '../../support/clients/run-client.ts';
import type { ExchangeTruth } from '../../support/model-server/exchange-truth.ts';

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function parsed(text: string): unknown {
  return JSON.parse(text === '' ? '{}' : text);
}

/** Without keys that are null on one side only: SDKs leave those out. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(withoutNulls);
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  const entries = Object.entries(value).filter(([, entry]) => entry !== null);
  return Object.fromEntries(entries.map(([key, entry]) => [key, withoutNulls(entry)]));
}

/** Pairs results and exchanges by response id, and compares each pair in everything both know. */
export function assertEqualToTruth(
  results: readonly ClientResult[],
  truth: readonly ExchangeTruth[],
): void {
  const byId = new Map(truth.map((exchange) => [exchange.answer?.id, exchange]));
  assert.equal(byId.size, results.length, 'as many different answers as requests');
  for (const result of results) {
    const exchange = byId.get(result.id);
    assert.ok(exchange?.answer, `the server knows ${result.id}: ${JSON.stringify(result)}`);
    const { answer } = exchange;
    assert.equal(result.model, answer.model);
    assert.deepEqual(withoutNulls(result.usage), withoutNulls(answer.wireUsage));
    assert.equal(result.choices?.length, answer.choices.length);
    answer.choices.forEach((choice, index) => {
      const seen = result.choices![index]!;
      assert.equal(seen.textSha256, sha256(choice.text), `text of choice ${index}`);
      assert.equal(seen.finishReason, choice.finishReason);
      assert.deepEqual(
        seen.toolCalls.map((call) => ({ ...call, argumentsText: parsed(call.argumentsText) })),
        choice.toolCalls.map((call) => ({ ...call, argumentsText: parsed(call.argumentsText) })),
      );
    });
    if (result.bodySha256 !== undefined) {
      assert.equal(result.status, exchange.response.status);
      assert.equal(result.bodyBytes, exchange.response.decodedBytes);
      assert.equal(result.bodySha256, exchange.response.decodedSha256);
      // Who takes events alone may hang up behind the last one.
      assert.ok(exchange.response.complete, 'the server sent all of it');
    }
    assert.ok(answer.complete, 'the server sent the whole answer');
  }
}
