/** The reader of OTLP JSON lines takes what exporters write and refuses what is no OTLP. */
import assert from 'node:assert/strict';
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { parseOtlpLines } from '../../support/otlp-file.ts';

describe('the OTLP file reader', () => {
  it('gives back the spans an OpenTelemetry SDK wrote', async () => {
    const exporter = new InMemorySpanExporter();
    const provider = new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': 'agent' }),
      spanProcessors: [new SimpleSpanProcessor({ exporter })],
    });
    const span = provider.getTracer('scope', '1').startSpan('chat m', {
      kind: 2,
      startTime: [1_760_000_000, 123_456_789],
      attributes: { int: 7, double: 0.5, bool: true, list: ['a', 'b'], text: 'größe' },
    });
    span.addEvent('event', { a: 1 }, [1_760_000_001, 1]);
    span.setStatus({ code: 2, message: 'why' });
    span.end([1_760_000_002, 0]);
    const bytes = JsonTraceSerializer.serializeRequest(exporter.getFinishedSpans());
    const { spans } = parseOtlpLines(`${Buffer.from(bytes!).toString('utf8')}\n`);
    assert.equal(spans.length, 1);
    const read = spans[0]!;
    assert.equal(read.name, 'chat m');
    assert.equal(read.kind, 'CLIENT');
    assert.equal(read.startNs, 1_760_000_000_123_456_789n);
    assert.equal(read.endNs, 1_760_000_002_000_000_000n);
    assert.deepEqual(read.attributes, {
      int: 7,
      double: 0.5,
      bool: true,
      list: ['a', 'b'],
      text: 'größe',
    });
    assert.deepEqual(read.events, [
      { name: 'event', timeNs: 1_760_000_001_000_000_001n, attributes: { a: 1 } },
    ]);
    assert.deepEqual(read.status, { code: 'ERROR', message: 'why' });
    assert.equal(read.resource['service.name'], 'agent');
    assert.deepEqual(read.scope, { name: 'scope', version: '1' });
    assert.equal(read.traceId, span.spanContext().traceId);
    assert.equal('parentSpanId' in read, false);
  });

  it('reads logs and metric points', () => {
    const lines = [
      {
        resourceLogs: [
          {
            scopeLogs: [
              {
                logRecords: [
                  {
                    timeUnixNano: '5',
                    severityNumber: 9,
                    eventName: 'e',
                    attributes: [
                      {
                        key: 'm',
                        value: {
                          arrayValue: {
                            values: [
                              { kvlistValue: { values: [{ key: 'k', value: { intValue: '9' } }] } },
                            ],
                          },
                        },
                      },
                    ],
                  },
                ],
              },
            ],
          },
        ],
      },
      {
        resourceMetrics: [
          {
            scopeMetrics: [
              {
                metrics: [
                  {
                    name: 'h',
                    unit: 's',
                    histogram: {
                      aggregationTemporality: 2,
                      dataPoints: [
                        { count: '2', sum: 3, explicitBounds: [1], bucketCounts: ['1', '1'] },
                      ],
                    },
                  },
                  { name: 'c', sum: { dataPoints: [{ asInt: '4' }] } },
                ],
              },
            ],
          },
        ],
      },
    ];
    const { logs, points } = parseOtlpLines(lines.map((line) => JSON.stringify(line)).join('\n'));
    assert.deepEqual(logs[0]?.attributes, { m: [{ k: 9 }] });
    assert.equal(logs[0]?.timeNs, 5n);
    assert.deepEqual(points[0]?.histogram, {
      count: 2,
      sum: 3,
      bounds: [1],
      bucketCounts: [1, 1],
    });
    assert.equal(points[0]?.temporality, 'CUMULATIVE');
    assert.equal(points[1]?.value, 4);
  });

  it('keeps integers that a number cannot hold', () => {
    const value = { intValue: '9223372036854775807' };
    const line = {
      resourceSpans: [{ scopeSpans: [{ spans: [{ attributes: [{ key: 'big', value }] }] }] }],
    };
    assert.equal(
      parseOtlpLines(JSON.stringify(line)).spans[0]?.attributes.big,
      9_223_372_036_854_775_807n,
    );
  });

  it('refuses what is no OTLP, and names the line', () => {
    const span = (fields: object) =>
      JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [fields] }] }] });
    const bad = [
      '{"resourceSpans":',
      '{"spans":[]}',
      span({ traceId: 'XYZ' }),
      span({ startTimeUnixNano: 1.5 }),
      span({ startTimeUnixNano: 2 ** 60 }),
      span({ kind: 9 }),
      span({ attributes: [{ key: 'a', value: { intValue: '1', stringValue: 'x' } }] }),
      span({
        attributes: [
          { key: 'a', value: {} },
          { key: 'a', value: {} },
        ],
      }),
    ];
    for (const line of bad) {
      assert.throws(
        () => parseOtlpLines(`${span({})}\n${line}\n`),
        /^Error: line 2 is no OTLP/,
        line,
      );
    }
  });
});
