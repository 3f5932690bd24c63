/** Compares what was observed of an exchange with what a fixture expects. */
import assert from 'node:assert/strict';
import type { ModelCall, OutputMessage, ToolCall } from '../../../src/llm/model-call.ts';
import type { Expected, ExpectedToolCall } from './fixture.ts';
import type { Observed } from './run-exchange.ts';

export interface CheckOptions {
  keepContent: boolean;
}

export function checkCall(observed: Observed, expected: Expected, options: CheckOptions): void {
  const call = observed.call;
  assert.ok(call, 'no call was seen');
  if (expected.provider !== undefined) {
    assert.equal(call.provider, expected.provider);
  }
  assert.equal(call.complete, expected.complete ?? true, 'complete');
  assert.deepEqual([...call.damage.kinds], expected.damage ?? [], 'damage');
  assert.deepEqual(call.error, expected.error, 'error');
  assert.deepEqual(observed.failures, [], 'parse failures');
  checkOrder(observed, expected);
  if (expected.noResponse) {
    assert.equal(call.response, undefined);
    return;
  }
  const response = call.response;
  assert.ok(response, 'no response');
  assert.equal(response.id, expected.id);
  assert.equal(response.model, expected.model);
  assert.deepEqual(response.usage, expected.usage);
  assert.deepEqual(response.finishReasons, expected.finishReasons);
  assert.equal(response.serviceTier, expected.serviceTier);
  assert.equal(response.systemFingerprint, expected.systemFingerprint);
  assert.equal(response.messages.length, expected.messages.length);
  assert.equal(response.fingerprints.length, expected.messages.length);
  assert.deepEqual(response.toolCalls.map(plain), [
    ...(expected.toolCalls ?? []),
    ...(expected.tornToolCalls ?? []),
  ]);
  checkMessages(call, expected, options);
}

function checkOrder(observed: Observed, expected: Expected): void {
  assert.deepEqual(observed.order, [
    'started',
    ...(expected.toolCalls ?? []).map((toolCall) => `toolCall ${toolCall.name}`),
    'finished',
  ]);
  assert.deepEqual(observed.toolCalls.map(plain), expected.toolCalls ?? []);
}

function checkMessages(call: ModelCall, expected: Expected, options: CheckOptions): void {
  expected.messages.forEach((wanted, index) => {
    const message = call.response!.messages[index]!;
    assert.equal(message.role, wanted.role ?? 'assistant');
    if (wanted.finishReason !== undefined) {
      assert.equal(message.finish_reason, wanted.finishReason);
    }
    if (!options.keepContent) {
      assert.deepEqual(message.parts, []);
      return;
    }
    assert.equal(contentOf(message, 'text'), wanted.text ?? '');
    assert.equal(contentOf(message, 'reasoning'), wanted.reasoning ?? '');
    assert.equal(contentOf(message, 'refusal'), wanted.refusal ?? '');
    if (wanted.partTypes !== undefined) {
      assert.deepEqual(
        message.parts.map((part) => part.type),
        wanted.partTypes,
      );
    }
  });
}

/** The joined content of a message's parts of one type. */
export function contentOf(message: OutputMessage, type: string): string {
  return message.parts
    .filter((part) => part.type === type)
    .map((part) => (part as { content: string }).content)
    .join('');
}

function plain(toolCall: ToolCall): ExpectedToolCall {
  const { id, name, argumentsText } = toolCall;
  return id === undefined ? { name, argumentsText } : { id, name, argumentsText };
}
