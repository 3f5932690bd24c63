/**
 * Counts of Sightline's own work: events, bytes, drops, failures. The one place they are kept; rooms are handed
 * the counters they add to, and the own telemetry exports all of them.
 */

/** Names and meanings of everything that is counted. Attribute values come from small fixed sets. */
export const COUNTERS = {
  'sightline.events': {
    unit: '{event}',
    description: 'Capture events by type.',
    attributes: ['type'],
  },
  'sightline.bytes': {
    unit: 'By',
    description: 'Plaintext bytes captured, by direction.',
    attributes: ['direction'],
  },
  'sightline.drops': {
    unit: '{item}',
    description: 'What was dropped, by place (kernel, transport, http, telemetry, …) and reason.',
    attributes: ['place', 'reason'],
  },
  'sightline.dropped_bytes': {
    unit: 'By',
    description: 'Bytes dropped, by place and reason.',
    attributes: ['place', 'reason'],
  },
  'sightline.left_out': {
    unit: '{record}',
    description:
      'Kernel records of processes that are not observed, from before the kernel was told, by reason (no-target, excluded).',
    attributes: ['reason'],
  },
  'sightline.left_out_bytes': {
    unit: 'By',
    description: 'Plaintext bytes in such records, which nothing else of Sightline gets to see.',
    attributes: ['reason'],
  },
  'sightline.parse_failures': {
    unit: '{failure}',
    description: 'Bytes that contradict the protocol they seemed to be, by stage.',
    attributes: ['stage'],
  },
  'sightline.faults': {
    unit: '{fault}',
    description: 'Errors of our own that cost one connection, by place.',
    attributes: ['place'],
  },
  'sightline.limits': {
    unit: '{time}',
    description: 'How often a named limit was reached, by limit.',
    attributes: ['limit'],
  },
  'sightline.attaches': {
    unit: '{attach}',
    description: 'Attempts to attach to a TLS library, by stack and result.',
    attributes: ['stack', 'result'],
  },
  'sightline.late_attaches': {
    unit: '{process}',
    description:
      'Processes that ran a TLS stack before its probes were in place, by stack and by how long at most.',
    attributes: ['stack', 'within'],
  },
  'sightline.rests': {
    unit: '{rest}',
    description:
      'Times that the probes of a file were taken away because there was nothing to see, by level.',
    attributes: ['level'],
  },
  'sightline.wakes': {
    unit: '{wake}',
    description:
      'Times that they were put back, by reason and by how long that took at most after what called for it.',
    attributes: ['reason', 'within'],
  },
  'sightline.missed_files': {
    unit: '{file}',
    description:
      'New files that a process ran code of and that it took with it before they could be examined.',
    attributes: [],
  },
  'sightline.http_filtered': {
    unit: '{exchange}',
    description: 'HTTP exchanges that SIGHTLINE_HTTP_FILTER dropped.',
    attributes: [],
  },
  'sightline.http_filter_errors': {
    unit: '{exchange}',
    description: 'HTTP exchanges for which SIGHTLINE_HTTP_FILTER had no answer; they are kept.',
    attributes: [],
  },
  'sightline.http_unknown_requests': {
    unit: '{exchange}',
    description: 'HTTP exchanges without a span because their request was not seen.',
    attributes: [],
  },
  'sightline.export_failures': {
    unit: '{item}',
    description: 'Spans, log records and metric exports that were given up, by signal.',
    attributes: ['signal'],
  },
  'sightline.plugin_errors': {
    unit: '{error}',
    description:
      'Plugins that were switched off, by plugin, hook and reason (threw, wrong-answer, promise, slow, ended).',
    attributes: ['plugin', 'hook', 'reason'],
  },
  'sightline.plugin_drops': {
    unit: '{item}',
    description: 'What plugins dropped, by plugin and hook.',
    attributes: ['plugin', 'hook'],
  },
} as const;

export type CounterName = keyof typeof COUNTERS;

type AttributeName<N extends CounterName> = (typeof COUNTERS)[N]['attributes'][number];

type CounterAttributes<N extends CounterName> = {
  readonly [K in AttributeName<N>]: string;
};

/** A single series. Adding is one addition: fetch the counter once, not per event. */
export interface Counter {
  add(amount?: number): void;
  readonly value: number;
}

/** A value that is read when it is looked at, such as the number of open connections. */
interface GaugeReading {
  name: string;
  unit: string;
  description: string;
  read(): number;
}

interface CounterReading {
  name: CounterName;
  attributes: Readonly<Record<string, string>>;
  value: number;
}

export interface Counters {
  /** The series of these attributes; the same ones give the same counter. */
  counter<N extends CounterName>(name: N, attributes: CounterAttributes<N>): Counter;
  /** Registers a gauge; a second one of the same name takes the first's place. */
  gauge(gauge: GaugeReading): void;
  /** Every series that exists, in order of first use. */
  snapshot(): CounterReading[];
  gauges(): readonly GaugeReading[];
}

export interface CountersOptions {
  /** Series kept per name; further ones share a series whose attributes all read `other`. */
  maxSeriesPerName?: number;
}

const DEFAULT_MAX_SERIES_PER_NAME = 200;

class Series implements Counter {
  readonly attributes: Readonly<Record<string, string>>;
  value = 0;

  constructor(attributes: Readonly<Record<string, string>>) {
    this.attributes = attributes;
  }

  add(amount = 1): void {
    this.value += amount;
  }
}

export function createCounters(options: CountersOptions = {}): Counters {
  const { maxSeriesPerName = DEFAULT_MAX_SERIES_PER_NAME } = options;
  const byName = new Map<CounterName, Map<string, Series>>();
  const gauges = new Map<string, GaugeReading>();

  function counter(name: CounterName, attributes: Readonly<Record<string, string>>): Counter {
    let all = byName.get(name);
    if (all === undefined) {
      all = new Map();
      byName.set(name, all);
    }
    const key = seriesKey(name, attributes);
    const known = all.get(key);
    if (known !== undefined) {
      return known;
    }
    const isFull = all.size >= maxSeriesPerName;
    const kept = isFull ? othersOf(name) : pick(name, attributes);
    const keptKey = isFull ? seriesKey(name, kept) : key;
    const series = all.get(keptKey) ?? new Series(kept);
    all.set(keptKey, series);
    return series;
  }

  return {
    counter,
    gauge: (reading) => {
      gauges.set(reading.name, reading);
    },
    snapshot: () => {
      const readings: CounterReading[] = [];
      for (const [name, all] of byName) {
        for (const { attributes, value } of all.values()) {
          readings.push({ name, attributes, value });
        }
      }
      return readings;
    },
    gauges: () => [...gauges.values()],
  };
}

function seriesKey(name: CounterName, attributes: Readonly<Record<string, string>>): string {
  return COUNTERS[name].attributes.map((attribute) => attributes[attribute] ?? '').join('\0');
}

function pick(
  name: CounterName,
  attributes: Readonly<Record<string, string>>,
): Record<string, string> {
  const names: readonly string[] = COUNTERS[name].attributes;
  return Object.fromEntries(names.map((attribute) => [attribute, attributes[attribute] ?? '']));
}

function othersOf(name: CounterName): Record<string, string> {
  return Object.fromEntries(COUNTERS[name].attributes.map((attribute) => [attribute, 'other']));
}
