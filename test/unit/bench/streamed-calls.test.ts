import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { makeStreamedCalls, type StreamedCalls } from '../../../bench/support/streamed-calls.ts';
import type { DataEvent } from '../../../src/capture/events.ts';
import type { ModelCall } from '../../../src/llm/model-call.ts';
import { createPipeline } from '../../../src/pipeline.ts';
import { createCounters } from '../../../src/self/counters.ts';

const OPTIONS = {
  seed: 7,
  connections: 6,
  exchangesPerConnection: 4,
  deltas: 40,
  requestWords: 200,
};

function dataOf(made: StreamedCalls): DataEvent[] {
  return made.events.filter((event) => event.type === 'data');
}

function digest(made: StreamedCalls): string {
  const hash = createHash('sha256');
  for (const event of dataOf(made)) {
    hash.update(`${event.timeNs} ${event.connection.object} ${event.direction} ${event.position}`);
    hash.update(event.bytes);
  }
  return hash.digest('hex');
}

describe('the streamed calls that the benches run on', () => {
  const made = makeStreamedCalls(OPTIONS);

  it('are the same for the same seed, and others for another', () => {
    assert.equal(digest(makeStreamedCalls(OPTIONS)), digest(made));
    assert.notEqual(digest(makeStreamedCalls({ ...OPTIONS, seed: 8 })), digest(made));
  });

  it('count what they hold', () => {
    const data = dataOf(made);
    assert.equal(made.dataEvents, data.length);
    assert.equal(
      made.bytes,
      data.reduce((sum, event) => sum + event.bytes.length, 0),
    );
    assert.equal(made.calls.length, OPTIONS.connections * OPTIONS.exchangesPerConnection);
    // Beside the events: two writes, a response head and a last chunk for each exchange.
    assert.equal(made.dataEvents, made.sseEvents + 4 * made.calls.length);
    const blankLines = Buffer.concat(data.map((event) => event.bytes)).toString('latin1');
    assert.equal(blankLines.split('}\n\n').length - 1 + doneMarks(blankLines), made.sseEvents);
  });

  function doneMarks(text: string): number {
    return text.split('data: [DONE]\n\n').length - 1;
  }

  it('have streams without a hole, in the order of time', () => {
    const next = new Map<string, number>();
    let lastNs = 0n;
    for (const event of dataOf(made)) {
      const key = `${event.connection.object} ${event.direction}`;
      assert.equal(event.position, next.get(key) ?? 0);
      next.set(key, event.position + event.bytes.length);
      assert.ok(event.timeNs > lastNs && event.enterNs < event.timeNs);
      lastNs = event.timeNs;
    }
    assert.equal(made.events[0]?.type, 'host');
    assert.equal(made.events.at(-1)?.type, 'end');
  });

  it('are many connections at once, in both wire APIs, with texts and tool calls', () => {
    const first = dataOf(made).slice(0, 100);
    assert.equal(new Set(first.map((event) => event.connection.object)).size, OPTIONS.connections);
    assert.equal(new Set(made.calls.map((call) => call.api)).size, 2);
    const withTools = made.calls.filter((call) => call.truth.choices[0]?.toolCalls.length === 1);
    const withText = made.calls.filter((call) => (call.truth.choices[0]?.text ?? '') !== '');
    assert.equal(withTools.length, made.calls.length / 4);
    assert.equal(withText.length, (made.calls.length * 3) / 4);
    assert.ok(made.calls.every((call) => call.truth.complete));
  });

  it('say what is in them: the chain finds exactly that', () => {
    const calls: ModelCall[] = [];
    const pipeline = createPipeline(
      {
        streamTimeoutNs: 300_000_000_000n,
        turnTimeoutNs: 600_000_000_000n,
        keepContent: true,
        maxContentBytes: 65_536,
        limits: { transport: {}, http: {}, llm: {}, process: {}, session: {} },
      },
      {
        host() {},
        piece() {},
        call: (call) => calls.push(call),
        fault: (error) => {
          throw error;
        },
      },
      createCounters(),
    );
    made.events.forEach(pipeline.push);
    assert.equal(calls.length, made.calls.length);
    const found = new Map(calls.map((call) => [call.response?.id, call]));
    for (const { api, truth } of made.calls) {
      const call = found.get(truth.id);
      assert.ok(call !== undefined, `no call has the id ${truth.id}`);
      assert.equal(call.api, api);
      assert.ok(call.complete && !call.damage.any);
      assert.equal(call.response?.usage.inputTokens, truth.usage.inputTokens);
      assert.equal(call.response?.usage.outputTokens, truth.usage.outputTokens);
      const [choice] = truth.choices;
      const parts = call.response?.messages[0]?.parts ?? [];
      const text = parts.find((part) => part.type === 'text');
      assert.equal(text !== undefined && 'content' in text ? text.content : '', choice?.text);
      assert.equal(call.response?.toolCalls[0]?.argumentsText, choice?.toolCalls[0]?.argumentsText);
    }
  });
});
