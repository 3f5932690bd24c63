/** Metrics and log events as readable lines, for `OTEL_METRICS_EXPORTER=console` and `OTEL_LOGS_EXPORTER=console`. */
import type { Attributes } from '@opentelemetry/api';
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import { DataPointType, type ResourceMetrics } from '@opentelemetry/sdk-metrics';
import { Attr } from './semconv.ts';
import { printable } from './terminal-text.ts';

/** One line per series: name, labels, count and sum. */
export function metricLines(metrics: ResourceMetrics): string {
  const service = String(metrics.resource.attributes[Attr.serviceName] ?? '');
  let lines = '';
  for (const scope of metrics.scopeMetrics) {
    for (const metric of scope.metrics) {
      if (metric.dataPointType !== DataPointType.HISTOGRAM) {
        continue;
      }
      for (const { attributes, value } of metric.dataPoints) {
        const { name, unit } = metric.descriptor;
        const text = `${service}  ${name}{${labels(attributes)}}  count ${value.count}  sum ${value.sum ?? ''} ${unit}`;
        lines += `${printable(text)}\n`;
      }
    }
  }
  return lines;
}

/** One line per event: its name, its span, its attributes as JSON. */
export function eventLine(record: ReadableLogRecord): string {
  const span = record.spanContext === undefined ? '' : `  ${record.spanContext.traceId}`;
  return `${printable(`${record.eventName ?? 'log'}${span}  ${JSON.stringify(record.attributes)}`)}\n`;
}

function labels(attributes: Attributes): string {
  return Object.entries(attributes)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(' ');
}
