/**
 * Every exchange of the fixtures through the whole chain, in both generations of the conventions: no span, log record or
 * metric breaks their rules.
 */
import assert from 'node:assert/strict';
import { conventionViolations } from '../support/conventions/check.ts';
import { FIXTURES_BY_API } from '../support/llm-fixtures/all-fixtures.ts';
import type { WireExchange } from '../support/llm-fixtures/run-exchange.ts';
import { conversationOf, readShapedExchanges } from '../support/llm-fixtures/shaped-exchanges.ts';
import { parseOtlpLines } from '../support/otlp-file.ts';
import { runChain } from '../support/secrets/chain.ts';
import type { Conversation } from '../support/secrets/conversations.ts';

/** Whoever opens the connection writes the request here. */
const FIXTURES = FIXTURES_BY_API.flatMap(([, fixtures]) => fixtures.map(({ wire }) => wire)).filter(
  ({ role }) => role !== 'server',
);
const SHAPED = readShapedExchanges().flatMap(({ list }) => list);

function fieldsOf(headers: Readonly<Record<string, string>> = {}): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
}

/** A body that is not complete is a byte short of its length. */
function messageOf(head: string, body: Buffer, isComplete = true): Buffer {
  const length = body.length + (isComplete ? 0 : 1);
  return Buffer.concat([Buffer.from(`${head}Content-Length: ${length}\r\n\r\n`), body]);
}

function conversationOfWire(wire: WireExchange): Conversation {
  const { method = 'POST', target, host = 'localhost:8443', request, status } = wire;
  const body = Buffer.from(typeof request === 'string' ? request : JSON.stringify(request));
  const asked = `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${fieldsOf(wire.requestHeaders)}`;
  const answered =
    `HTTP/1.1 ${status} Said\r\nContent-Type: ${wire.contentType ?? 'application/json'}\r\n` +
    fieldsOf(wire.responseHeaders);
  const answer = Buffer.from(wire.response ?? '');
  return {
    request: messageOf(asked, body, wire.isRequestComplete),
    response:
      status === undefined ? Buffer.of() : messageOf(answered, answer, wire.isResponseComplete),
  };
}

describe('the fixtures of every model API, exported', function () {
  this.timeout(120_000);
  const conversations = [...SHAPED.map(conversationOf), ...FIXTURES.map(conversationOfWire)];
  for (const generation of ['1.41', 'latest'] as const) {
    for (const capture of ['SPAN_AND_EVENT', 'NO_CONTENT']) {
      it(`are as the conventions ${generation} have it, with ${capture}`, async () => {
        const env = {
          SIGHTLINE_SEMCONV: generation,
          OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: capture,
        };
        const { file } = await runChain({ conversations, sizes: [4096], env });
        const content = parseOtlpLines(file);
        const calls = content.spans.filter(({ kind }) => kind === 'CLIENT');
        assert.ok(calls.length > 0.95 * conversations.length, `${calls.length} spans of calls`);
        assert.equal(content.logs.length > 0, capture === 'SPAN_AND_EVENT');
        assert.deepEqual([...new Set(conventionViolations(content, generation))], []);
      });
    }
  }
});
