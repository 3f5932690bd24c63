/**
 * Reads a file of OTLP JSON lines (what a Collector's file exporter writes, https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding)
 * into flat spans, log records and metric points. Strict: what is no OTLP is an error that names the line.
 */
import { readFileSync } from 'node:fs';

export type AttributeValue =
  | string
  | boolean
  | number
  | bigint
  | null
  | AttributeValue[]
  | { [key: string]: AttributeValue };

export type Attributes = Record<string, AttributeValue>;

export interface FlatEvent {
  name: string;
  timeNs: bigint;
  attributes: Attributes;
}

export interface FlatLink {
  traceId: string;
  spanId: string;
  attributes: Attributes;
}

export interface FlatSpan {
  name: string;
  traceId: string;
  spanId: string;
  /** Absent on the root of a trace. */
  parentSpanId?: string;
  kind: 'UNSPECIFIED' | 'INTERNAL' | 'SERVER' | 'CLIENT' | 'PRODUCER' | 'CONSUMER';
  /** Nanoseconds since 1970. */
  startNs: bigint;
  endNs: bigint;
  attributes: Attributes;
  events: FlatEvent[];
  links: FlatLink[];
  status: { code: 'UNSET' | 'OK' | 'ERROR'; message?: string };
  resource: Attributes;
  scope: { name: string; version: string };
  schemaUrl: string;
}

export interface FlatLog {
  eventName: string;
  timeNs: bigint;
  severityNumber: number;
  body: AttributeValue;
  attributes: Attributes;
  traceId: string;
  spanId: string;
  resource: Attributes;
}

/** One point of a metric. Exactly one of `value` and `histogram` is there. */
export interface FlatPoint {
  metric: string;
  unit: string;
  startNs: bigint;
  timeNs: bigint;
  attributes: Attributes;
  value?: number;
  histogram?: { count: number; sum: number; bounds: number[]; bucketCounts: number[] };
  temporality: 'UNSPECIFIED' | 'DELTA' | 'CUMULATIVE';
  resource: Attributes;
}

export interface OtlpContent {
  spans: FlatSpan[];
  logs: FlatLog[];
  points: FlatPoint[];
}

type Json = Record<string, unknown>;

const KINDS = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'] as const;
const STATUS_CODES = ['UNSET', 'OK', 'ERROR'] as const;
const TEMPORALITIES = ['UNSPECIFIED', 'DELTA', 'CUMULATIVE'] as const;

function record(value: unknown): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`an object was expected, not ${JSON.stringify(value)?.slice(0, 80)}`);
  }
  return value as Json;
}

/** Protobuf's JSON form leaves empty fields out. */
function list(value: unknown): Json[] {
  if (value === undefined) {
    return [];
  }
  if (!Array.isArray(value)) {
    throw new Error(`a list was expected, not ${JSON.stringify(value).slice(0, 80)}`);
  }
  return value.map(record);
}

function text(value: unknown): string {
  if (value !== undefined && typeof value !== 'string') {
    throw new Error(`text was expected, not ${JSON.stringify(value).slice(0, 80)}`);
  }
  return value ?? '';
}

/** 64-bit integers are decimal strings; a number is taken only where it is exact. */
function integer(value: unknown): bigint {
  if (typeof value === 'string' && /^-?\d+$/.test(value)) {
    return BigInt(value);
  }
  if (typeof value === 'number' && Number.isSafeInteger(value)) {
    return BigInt(value);
  }
  if (value === undefined) {
    return 0n;
  }
  throw new Error(`a 64-bit integer was expected, not ${JSON.stringify(value)?.slice(0, 80)}`);
}

function identifier(value: unknown, digits: number): string {
  const id = text(value);
  if (id !== '' && !new RegExp(`^[0-9a-f]{${digits}}$`).test(id)) {
    throw new Error(`an id of ${digits} lower-case hex digits was expected, not "${id}"`);
  }
  return id;
}

function anyValue(value: unknown): AttributeValue {
  const wrapped = record(value);
  const keys = Object.keys(wrapped);
  if (keys.length > 1) {
    throw new Error(`a value has one type, not ${keys.join(' and ')}`);
  }
  const kind = keys[0];
  const inner = wrapped[kind ?? ''];
  switch (kind) {
    case undefined:
      return null;
    case 'stringValue':
      return text(inner);
    case 'boolValue':
      return inner === true;
    case 'intValue': {
      const exact = integer(inner);
      const number = Number(exact);
      return Number.isSafeInteger(number) ? number : exact;
    }
    case 'doubleValue':
      return Number(inner);
    case 'bytesValue':
      return text(inner);
    case 'arrayValue':
      return list(record(inner).values).map(anyValue);
    case 'kvlistValue':
      return attributesOf(record(inner).values);
    default:
      throw new Error(`OTLP has no value type "${kind}"`);
  }
}

function attributesOf(value: unknown): Attributes {
  // Arguments of tools are in it: "toString" and "__proto__" are names like any other.
  const found = new Map<string, AttributeValue>();
  for (const entry of list(value)) {
    const key = text(entry.key);
    if (found.has(key)) {
      throw new Error(`the attribute "${key}" is there twice`);
    }
    found.set(key, anyValue(entry.value ?? {}));
  }
  return Object.fromEntries(found);
}

function enumOf<T extends string>(names: readonly T[], value: unknown): T {
  const name = names[typeof value === 'number' ? value : value === undefined ? 0 : -1];
  if (name === undefined) {
    throw new Error(`an enum number below ${names.length} was expected, not ${String(value)}`);
  }
  return name;
}

function spanOf(span: Json, resource: Attributes, scope: Json, schemaUrl: string): FlatSpan {
  const status = record(span.status ?? {});
  const parentSpanId = identifier(span.parentSpanId, 16);
  return {
    name: text(span.name),
    traceId: identifier(span.traceId, 32),
    spanId: identifier(span.spanId, 16),
    ...(parentSpanId === '' ? {} : { parentSpanId }),
    kind: enumOf(KINDS, span.kind),
    startNs: integer(span.startTimeUnixNano),
    endNs: integer(span.endTimeUnixNano),
    attributes: attributesOf(span.attributes),
    events: list(span.events).map((event) => ({
      name: text(event.name),
      timeNs: integer(event.timeUnixNano),
      attributes: attributesOf(event.attributes),
    })),
    links: list(span.links).map((link) => ({
      traceId: identifier(link.traceId, 32),
      spanId: identifier(link.spanId, 16),
      attributes: attributesOf(link.attributes),
    })),
    status: {
      code: enumOf(STATUS_CODES, status.code),
      ...(status.message === undefined || status.message === ''
        ? {}
        : { message: text(status.message) }),
    },
    resource,
    scope: { name: text(scope.name), version: text(scope.version) },
    schemaUrl,
  };
}

function logOf(log: Json, resource: Attributes): FlatLog {
  return {
    eventName: text(log.eventName),
    timeNs: integer(log.timeUnixNano),
    severityNumber: Number(integer(log.severityNumber)),
    body: log.body === undefined ? null : anyValue(log.body),
    attributes: attributesOf(log.attributes),
    traceId: identifier(log.traceId, 32),
    spanId: identifier(log.spanId, 16),
    resource,
  };
}

function pointsOf(metric: Json, resource: Attributes): FlatPoint[] {
  const kind = ['sum', 'gauge', 'histogram'].find((name) => name in metric);
  if (kind === undefined) {
    throw new Error(`the metric "${text(metric.name)}" is no sum, gauge or histogram`);
  }
  const data = record(metric[kind]);
  const numbers = (value: unknown): number[] => (Array.isArray(value) ? value.map(Number) : []);
  return list(data.dataPoints).map((point) => {
    const flat: FlatPoint = {
      metric: text(metric.name),
      unit: text(metric.unit),
      startNs: integer(point.startTimeUnixNano),
      timeNs: integer(point.timeUnixNano),
      attributes: attributesOf(point.attributes),
      temporality: enumOf(TEMPORALITIES, data.aggregationTemporality),
      resource,
    };
    if (kind === 'histogram') {
      flat.histogram = {
        count: Number(integer(point.count)),
        sum: Number(point.sum ?? 0),
        bounds: numbers(point.explicitBounds),
        bucketCounts: numbers(point.bucketCounts),
      };
    } else {
      flat.value =
        point.asInt === undefined ? Number(point.asDouble) : Number(integer(point.asInt));
    }
    return flat;
  });
}

/** Adds what one line holds. Throws on anything that is no OTLP export request. */
function readLine(line: string, into: OtlpContent): void {
  const request = record(JSON.parse(line));
  if (!('resourceSpans' in request || 'resourceLogs' in request || 'resourceMetrics' in request)) {
    throw new Error('neither spans nor logs nor metrics');
  }
  for (const group of list(request.resourceSpans)) {
    const resource = attributesOf(record(group.resource ?? {}).attributes);
    for (const scoped of list(group.scopeSpans)) {
      const scope = record(scoped.scope ?? {});
      for (const span of list(scoped.spans)) {
        into.spans.push(spanOf(span, resource, scope, text(scoped.schemaUrl)));
      }
    }
  }
  for (const group of list(request.resourceLogs)) {
    const resource = attributesOf(record(group.resource ?? {}).attributes);
    for (const scoped of list(group.scopeLogs)) {
      for (const log of list(scoped.logRecords)) {
        into.logs.push(logOf(log, resource));
      }
    }
  }
  for (const group of list(request.resourceMetrics)) {
    const resource = attributesOf(record(group.resource ?? {}).attributes);
    for (const scoped of list(group.scopeMetrics)) {
      for (const metric of list(scoped.metrics)) {
        into.points.push(...pointsOf(metric, resource));
      }
    }
  }
}

/** `lines` is the text of such a file. A last line without its newline counts: it must be whole. */
export function parseOtlpLines(lines: string): OtlpContent {
  const content: OtlpContent = { spans: [], logs: [], points: [] };
  lines.split('\n').forEach((line, index) => {
    if (line.trim() === '') {
      return;
    }
    try {
      readLine(line, content);
    } catch (error) {
      throw new Error(`line ${index + 1} is no OTLP JSON: ${(error as Error).message}`);
    }
  });
  return content;
}

/** Everything in the file at `path`. */
export function readOtlpFile(path: string): OtlpContent {
  return parseOtlpLines(readFileSync(path, 'utf8'));
}
