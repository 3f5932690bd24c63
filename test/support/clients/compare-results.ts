/** Compares what a client's SDK made of its answers with what was exported of them. */
import assert from 'node:assert/strict';
import { chatSpans } from '../compare.ts';
import type { FlatSpan } from '../otlp-file.ts';
import type { ClientResult } from './run-client.ts';

interface ExportedPart {
  type: string;
  content?: string;
  id?: string;
  name?: string;
  arguments?: unknown;
}

const COUNTS = {
  inputTokens: 'gen_ai.usage.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  cacheReadInputTokens: 'gen_ai.usage.cache_read.input_tokens',
  reasoningOutputTokens: 'gen_ai.usage.reasoning.output_tokens',
} as const;

/** One span a result, in the order of the requests, each saying the same. The client made one call at a time. */
export function assertSameAsSdk(
  results: readonly ClientResult[],
  spans: readonly FlatSpan[],
): void {
  const calls = chatSpans(spans);
  assert.equal(calls.length, results.length);
  results.forEach((result, index) => {
    const span = calls[index]!;
    const where = `request ${index}`;
    if (result.error !== undefined) {
      assert.notEqual(span.attributes['error.type'], undefined, `${where}: an error`);
      return;
    }
    compareOne(result, span, where);
  });
}

function compareOne(result: ClientResult, span: FlatSpan, where: string): void {
  const { attributes } = span;
  assert.equal(attributes['error.type'], undefined, `${where}: no error`);
  assert.equal(attributes['gen_ai.response.id'], result.id, `${where}: id`);
  assert.equal(attributes['gen_ai.response.model'], result.model, `${where}: model`);
  const [choice] = result.choices ?? [];
  assert.ok(choice, `${where}: a choice`);
  assert.deepEqual(
    attributes['gen_ai.response.finish_reasons'],
    choice.finishReason === undefined ? undefined : [choice.finishReason],
    `${where}: finish reasons`,
  );
  for (const [name, attribute] of Object.entries(COUNTS)) {
    const counted = result.usage?.[name];
    if (counted === null) {
      // The SDK has no name for it.
      continue;
    }
    const exported = attributes[attribute];
    assert.equal(
      exported === undefined ? undefined : Number(exported),
      counted,
      `${where}: ${name}`,
    );
  }
  const parts = partsOf(span);
  const textOf = (type: string): string =>
    parts
      .filter((part) => part.type === type)
      .map((part) => part.content)
      .join('');
  assert.equal(textOf('text'), choice.text, `${where}: text`);
  assert.equal(textOf('reasoning'), choice.reasoning ?? '', `${where}: reasoning`);
  assert.deepEqual(
    parts
      .filter((part) => part.type === 'tool_call')
      .map(({ id, name, arguments: given }) => ({ ...(id && { id }), name, given })),
    choice.toolCalls.map(({ id, name, argumentsText }) => ({
      ...(id && { id }),
      name,
      given: JSON.parse(argumentsText) as unknown,
    })),
    `${where}: tool calls`,
  );
}

/** Parts of the only output message. */
function partsOf(span: FlatSpan): ExportedPart[] {
  const value = span.attributes['gen_ai.output.messages'];
  const messages: unknown = typeof value === 'string' ? JSON.parse(value) : value;
  return (messages as { parts: ExportedPart[] }[])[0]?.parts ?? [];
}
