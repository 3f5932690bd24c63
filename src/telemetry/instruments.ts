/** Makes the instruments of a table of metrics. */
import { type Counter, type Histogram, type Meter, ValueType } from '@opentelemetry/api';
import type { MetricDefinition } from './semconv.ts';

/** What takes a value of a metric: a counter adds it, a histogram records it. */
export type Instrument = Pick<Histogram, 'record'>;

export function createInstruments<Name extends string>(
  meter: Meter,
  table: Readonly<Record<Name, MetricDefinition>>,
): Record<Name, Instrument> {
  return Object.fromEntries(
    Object.entries<MetricDefinition>(table).map(([key, definition]) => [
      key,
      createInstrument(meter, definition),
    ]),
  ) as Record<Name, Instrument>;
}

function createInstrument(meter: Meter, definition: MetricDefinition): Instrument {
  const { name, unit, description } = definition;
  const valueType = definition.whole ? ValueType.INT : ValueType.DOUBLE;
  if (definition.instrument === 'counter') {
    const counter: Counter = meter.createCounter(name, { unit, description, valueType });
    return { record: (value, attributes) => counter.add(value, attributes) };
  }
  return meter.createHistogram(name, {
    unit,
    description,
    valueType,
    advice: { explicitBucketBoundaries: [...definition.buckets] },
  });
}
