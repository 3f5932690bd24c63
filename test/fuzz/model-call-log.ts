/** Keeps what the llm room tells of model calls, in a form that can be compared. */
import assert from 'node:assert/strict';
import type { ModelCall, ModelCallObserver } from '../../src/llm/model-call.ts';

export interface CallLog {
  observer: ModelCallObserver;
  calls: readonly ModelCall[];
  /** All but times, which depend on how bytes came. */
  account(): unknown;
  /** Throws when a call is not over, or was over twice. */
  check(): void;
}

export function createCallLog(): CallLog {
  const calls: ModelCall[] = [];
  const order: string[] = [];
  return {
    calls,
    observer: {
      started(call) {
        calls.push(call);
        order.push('started');
      },
      toolCall: (_call, toolCall) => order.push(`tool ${toolCall.name}`),
      finished: () => order.push('finished'),
    },
    account: () => ({ order, calls: calls.map(withoutTimes) }),
    check() {
      const ends = order.filter((step) => step === 'finished').length;
      assert.equal(ends, calls.length, 'every call that began is over once');
    },
  };
}

/** Throws when a number of tokens is none. */
export function checkUsage(calls: readonly ModelCall[]): void {
  for (const { response } of calls) {
    for (const [name, value] of Object.entries(response?.usage ?? {})) {
      const isCount = typeof value !== 'number' || (Number.isSafeInteger(value) && value >= 0);
      assert.ok(isCount, `${name} is a count of tokens: ${value}`);
    }
  }
}

function withoutTimes(call: ModelCall): string {
  const { exchange: _, startNs, endNs, firstChunkNs, chunkGapsNs, ...rest } = call;
  const facts = { ...rest, gaps: chunkGapsNs.length, hasFirst: firstChunkNs !== undefined };
  return JSON.stringify(facts, (key, value: unknown) => {
    if (value instanceof Set) {
      return [...(value as Set<unknown>)];
    }
    const isTime = key === 'timeNs' || key === 'exchange';
    return isTime ? undefined : typeof value === 'bigint' ? String(value) : value;
  });
}
