/**
 * Exchanges shaped as the services' own recorded ones, through the whole chain: the span, the log event and the metrics
 * of each, as they are written. SIGHTLINE_TEST_UPDATE=1 writes down what comes out, to be read before it is kept.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import {
  conversationOf,
  readShapedExchanges,
  type ShapedExchange,
  type ShapedTelemetry,
} from '../support/llm-fixtures/shaped-exchanges.ts';
import { type Attributes, parseOtlpLines } from '../support/otlp-file.ts';
import { runChain } from '../support/secrets/chain.ts';

const UPDATES = process.env.SIGHTLINE_TEST_UPDATE === '1';

/** JSON's own values: whole numbers are numbers, and content is what its text says. */
function plain(attributes: Attributes): Record<string, unknown> {
  const entries = Object.entries(attributes).map(([name, value]) => [name, plainValue(value)]);
  return Object.fromEntries(entries) as Record<string, unknown>;
}

function plainValue(value: unknown): unknown {
  const text = JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? Number(one) : one));
  if (typeof value === 'string' && /^[[{]/.test(value)) {
    return JSON.parse(value) as unknown;
  }
  return JSON.parse(text) as unknown;
}

async function telemetryOf(exchange: ShapedExchange): Promise<ShapedTelemetry> {
  const conversations = [conversationOf(exchange)];
  const env = { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'EVENT_ONLY' };
  const { file } = await runChain({ conversations, sizes: [37, 4096], env });
  const { spans, logs, points } = parseOtlpLines(file);
  // Beside it are the turn and the tools of an agent.
  const calls = spans.filter(({ kind }) => kind === 'CLIENT');
  assert.equal(calls.length, 1, 'one span');
  const { name, kind, status, attributes } = calls[0]!;
  return {
    span: { name, kind, status, attributes: plain(attributes) },
    events: logs.map((log) => ({ name: log.eventName, attributes: plain(log.attributes) })),
    metrics: points
      .filter(({ metric }) => metric.startsWith('gen_ai.client.'))
      .map(({ metric, unit, histogram, attributes: of }) => ({
        metric,
        unit,
        attributes: plain(of),
        count: histogram?.count,
        ...(unit === 's' ? {} : { sum: histogram?.sum }),
      })),
  };
}

describe('exchanges as services shape them', function () {
  this.timeout(120_000);
  for (const { name, path, list } of readShapedExchanges()) {
    for (const exchange of list) {
      it(`${name}: ${exchange.name}`, async () => {
        const seen = await telemetryOf(exchange);
        if (UPDATES) {
          exchange.expected = seen;
          writeFileSync(path, `${JSON.stringify(list, null, 2)}\n`);
        }
        assert.deepEqual(JSON.parse(JSON.stringify(seen)), exchange.expected);
      });
    }
  }
});
