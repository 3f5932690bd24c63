/** Holds what was exported against the semantic conventions, and says each way in which it differs. */
import type {
  Attributes,
  AttributeValue,
  FlatLog,
  FlatPoint,
  FlatSpan,
  OtlpContent,
} from '../otlp-file.ts';
import {
  type AttributeRule,
  EVENT_ATTRIBUTES,
  METRICS,
  type Only,
  spanRule,
  type ValueType,
} from './model.ts';

const SCHEMA_URLS: Readonly<Record<Only, string>> = {
  '1.41': 'https://opentelemetry.io/schemas/1.41.0',
  latest: 'https://opentelemetry.io/schemas/gen-ai/1.42.0',
};

const EVENT = 'gen_ai.client.inference.operation.details';

/** Metrics of these names are the conventions' or the project's; there may be others beside them. */
const JUDGED_METRICS = /^(?:gen_ai\.|http\.|sightline\.cost\.)/;

const CONTENT =
  /^gen_ai\.(?:system_instructions|input\.messages|output\.messages|tool\.definitions)$/;

/** Empty when everything is as the conventions of that generation want it. */
export function conventionViolations(content: OtlpContent, generation: Only = '1.41'): string[] {
  return [
    ...content.spans.flatMap((span) => spanViolations(span, generation)),
    ...content.logs.flatMap((log) => eventViolations(log, generation)),
    ...content.points.flatMap((point) => pointViolations(point, generation)),
  ];
}

function spanViolations(span: FlatSpan, generation: Only): string[] {
  const rule = spanRule(span.attributes);
  const found = attributeViolations(span.attributes, rule.attributes, generation, 'text');
  if (span.kind !== rule.kind) {
    found.push(`its kind is ${span.kind}, not ${rule.kind}`);
  }
  const name = nameOf(rule.name, span.attributes);
  if (name !== '' && span.name !== name.slice(0, 255)) {
    found.push(`its name is not "${name}"`);
  }
  const isError = span.status.code === 'ERROR';
  if (isError !== (span.attributes['error.type'] !== undefined)) {
    found.push(`its status is ${span.status.code} and its error.type is not so`);
  }
  if (span.status.code === 'OK') {
    found.push('its status is OK, which is for applications to set');
  }
  if (span.schemaUrl !== SCHEMA_URLS[generation]) {
    found.push(`its schema is ${span.schemaUrl}`);
  }
  if (span.attributes['server.port'] !== undefined && !('server.address' in span.attributes)) {
    found.push('it has a server.port without its address');
  }
  found.push(...messageViolations(span.attributes, generation), ...urlViolations(span));
  return found.map((text) => `span "${span.name}": ${text}`);
}

function nameOf(name: readonly string[] | string, attributes: Attributes): string {
  if (typeof name === 'string') {
    return name;
  }
  return name
    .map((attribute) => attributes[attribute])
    .filter((part) => part !== undefined)
    .join(' ');
}

/** A query's credentials by the names that the conventions list, and user information. */
const URL_SECRET =
  /(?:AWSAccessKeyId|Signature|sig|X-Goog-Signature)=(?!REDACTED)[^&]|\/\/(?!REDACTED:REDACTED@)[^/?]*@/;

function urlViolations({ attributes }: FlatSpan): string[] {
  const url = attributes['url.full'];
  const found: string[] = [];
  if (typeof url === 'string' && (!URL.canParse(url) || URL_SECRET.test(url))) {
    found.push(`its url.full is no URL, or holds a credential`);
  }
  const isOther = attributes['http.request.method'] === '_OTHER';
  if (!isOther && attributes['http.request.method_original'] !== undefined) {
    found.push('it has the original of a method that is known');
  }
  const status = Number(attributes['http.response.status_code'] ?? 0);
  if (status >= 400 && attributes['error.type'] !== String(status)) {
    found.push(`its status is ${status} and its error.type is not`);
  }
  return found;
}

function eventViolations(log: FlatLog, generation: Only): string[] {
  if (log.eventName !== EVENT) {
    return [];
  }
  return [
    ...attributeViolations(log.attributes, EVENT_ATTRIBUTES, generation, 'structured'),
    ...messageViolations(log.attributes, generation),
  ].map((text) => `event ${log.eventName}: ${text}`);
}

function pointViolations(point: FlatPoint, generation: Only): string[] {
  const { metric, histogram } = point;
  const rule = METRICS[metric];
  if (rule === undefined) {
    return JUDGED_METRICS.test(metric) ? [`metric ${metric}: it is not in the conventions`] : [];
  }
  const found = attributeViolations(point.attributes, rule.attributes, generation, 'text');
  if (rule.only !== undefined && rule.only !== generation) {
    found.push(`it belongs to the conventions ${rule.only}`);
  }
  if (point.unit !== rule.unit) {
    found.push(`its unit is "${point.unit}", not "${rule.unit}"`);
  }
  if ((histogram !== undefined) !== (rule.kind === 'histogram')) {
    found.push(`it is no ${rule.kind}`);
  }
  if (histogram !== undefined && String(histogram.bounds) !== String(rule.buckets)) {
    found.push(`its buckets are ${histogram.bounds.join(', ')}`);
  }
  const value = histogram?.sum ?? point.value ?? 0;
  if (rule.isWhole && !Number.isInteger(value)) {
    found.push(`its value ${value} is no whole number`);
  }
  return found.map((text) => `metric ${metric}: ${text}`);
}

function attributeViolations(
  attributes: Attributes,
  rules: Readonly<Record<string, AttributeRule>>,
  generation: Only,
  content: 'text' | 'structured',
): string[] {
  const found: string[] = [];
  for (const [name, rule] of Object.entries(rules)) {
    if (rule.isRequired === true && attributes[name] === undefined) {
      found.push(`${name} is missing`);
    }
  }
  for (const [name, value] of Object.entries(attributes)) {
    const rule = rules[name] ?? rules[name.replace(/^(gen_ai\.prompt\.variable\.).+$/, '$1*')];
    if (rule === undefined) {
      found.push(`${name} does not belong there`);
    } else if (rule.only !== undefined && rule.only !== generation) {
      found.push(`${name} belongs to the conventions ${rule.only}`);
    } else if (!isOfType(value, typeOf(rule, generation), content)) {
      const told = JSON.stringify(value)?.slice(0, 80);
      found.push(`${name} is ${told}, no ${typeOf(rule, generation)}`);
    } else if (rule.values !== undefined && !rule.values.includes(value as string)) {
      found.push(`${name} is ${String(value)}, not one of ${rule.values.join(', ')}`);
    }
  }
  return found;
}

function typeOf({ type, latestType }: AttributeRule, generation: Only): ValueType {
  return generation === 'latest' ? (latestType ?? type) : type;
}

function isOfType(value: AttributeValue, type: ValueType, content: 'text' | 'structured'): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string' && value !== '';
    case 'boolean':
      return typeof value === 'boolean';
    case 'int':
      return typeof value === 'bigint' || Number.isInteger(value);
    case 'double':
      return typeof value === 'number';
    case 'string[]':
      return Array.isArray(value) && value.every((item) => typeof item === 'string');
    case 'json':
      return content === 'text' ? isJsonList(value) : Array.isArray(value);
  }
}

function isJsonList(value: AttributeValue): boolean {
  try {
    return typeof value === 'string' && Array.isArray(JSON.parse(value));
  } catch {
    return false;
  }
}

type Json = Record<string, unknown>;

/** https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/gen-ai/gen-ai-input-messages.json */
function messageViolations(attributes: Attributes, generation: Only): string[] {
  const found: string[] = [];
  for (const [name, value] of Object.entries(attributes).filter(([key]) => CONTENT.test(key))) {
    const items = (typeof value === 'string' ? JSON.parse(value) : value) as Json[];
    for (const item of items) {
      found.push(...itemViolations(name, item, generation).map((text) => `${name}: ${text}`));
    }
  }
  return found;
}

function itemViolations(name: string, item: Json, generation: Only): string[] {
  if (name === 'gen_ai.tool.definitions') {
    const isNamed = typeof item.type === 'string' && typeof item.name === 'string';
    return isNamed ? [] : ['a tool without type or name'];
  }
  if (name === 'gen_ai.system_instructions') {
    return partViolations(item);
  }
  if (typeof item.role !== 'string' || !Array.isArray(item.parts)) {
    return ['a message without role or parts'];
  }
  const found = (item.parts as Json[]).flatMap(partViolations);
  const needsReason = name === 'gen_ai.output.messages' && generation === '1.41';
  if ((typeof item.finish_reason === 'string') !== needsReason) {
    found.push(needsReason ? 'no finish_reason' : 'a finish_reason');
  }
  return found;
}

/** The fields that each type of part must have, as texts unless it is said otherwise. */
const PART_FIELDS: Readonly<Record<string, readonly string[]>> = {
  text: ['content'],
  reasoning: ['content'],
  tool_call: ['name'],
  tool_call_response: ['response'],
  server_tool_call: ['name', 'server_tool_call'],
  server_tool_call_response: ['server_tool_call_response'],
  blob: ['modality', 'content'],
  file: ['modality', 'file_id'],
  uri: ['modality', 'uri'],
};

function partViolations(part: Json): string[] {
  if (typeof part.type !== 'string') {
    return ['a part without type'];
  }
  const found = (PART_FIELDS[part.type] ?? [])
    .filter((field) => part[field] === undefined)
    .map((field) => `a part of type ${part.type as string} without ${field}`);
  if (part.type === 'uri' && String(part.uri).startsWith('data:')) {
    found.push('a data: URL, which is a blob');
  }
  return found;
}
