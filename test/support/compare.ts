/**
 * Compares exported `chat` spans with the model server's truth: exactly one span an exchange, equal in every count,
 * id and name, and in content when that is on. Attribute names: GenAI semantic conventions v1.41.
 */
import type { AnswerTruth, ExchangeTruth, WireApi } from './model-server/exchange-truth.ts';
import { finishReasonsOf } from './model-server/exchange-truth.ts';
import type { Attributes, AttributeValue, FlatSpan } from './otlp-file.ts';

export interface CompareOptions {
  /** Content is expected on the spans; otherwise it is expected to be absent. Default false. */
  content?: boolean;
  /** How far the two clocks (exporter's and server's conversion to 1970) may differ. Default 50 ms. */
  toleranceMs?: number;
  /** Exchanges whose client left early are compared only by id and model: it has read less than was sent. */
  lenientWhenClosedEarly?: boolean;
  /** Spans marked as damaged may lack what was lost; what they do say must still be true. */
  allowDamage?: boolean;
  /** Exchanges may have no span, as when the capture lost them whole. */
  allowMissing?: boolean;
  /** What the clients connect to, where that is a proxy. Default the server itself. */
  peerPort?: number;
}

const OPERATION = 'gen_ai.operation.name';
const CONTENT_ATTRIBUTES = [
  'gen_ai.input.messages',
  'gen_ai.output.messages',
  'gen_ai.system_instructions',
];
const PROVIDERS = {
  'openai.chat_completions': 'openai',
  'openai.responses': 'openai',
  'anthropic.messages': 'anthropic',
  'gemini.generate_content': 'gcp.gemini',
  'gemini.interactions': 'gcp.gemini',
  'ollama.chat': 'ollama',
  'cohere.chat': 'cohere',
  'mistral.conversations': 'mistral_ai',
  'bedrock.converse': 'aws.bedrock',
  'bedrock.invoke_model': 'aws.bedrock',
} as const;
/** Names of the operations that run a model; what Gemini's is called depends on the API. */
const MODEL_OPERATIONS: ReadonlySet<AttributeValue | undefined> = new Set([
  'chat',
  'generate_content',
]);

function operationOf(api: WireApi): string {
  return api.startsWith('gemini.') ? 'generate_content' : 'chat';
}

/** Spans of model calls, in the order of their start. */
export function chatSpans(spans: readonly FlatSpan[]): FlatSpan[] {
  return spans
    .filter((span) => MODEL_OPERATIONS.has(span.attributes[OPERATION]))
    .sort((a, b) => (a.startNs < b.startNs ? -1 : a.startNs > b.startNs ? 1 : 0));
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(ordered(a)) === JSON.stringify(ordered(b));
}

/** With object keys in order, so that two values that mean the same are written the same. */
function ordered(value: unknown): unknown {
  if (typeof value === 'bigint') {
    return `${value}n`;
  }
  if (Array.isArray(value)) {
    return value.map(ordered);
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries.map(([key, entry]) => [key, ordered(entry)]));
  }
  return value;
}

function show(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(ordered(value));
  return text.length > 200 ? `${text.slice(0, 200)}… (${text.length} characters)` : text;
}

function epochNs(truth: ExchangeTruth, monotonicNs: string): bigint {
  return BigInt(monotonicNs) + BigInt(truth.epochOffsetNs);
}

/** How an exchange is called in a difference. */
function nameOf(truth: ExchangeTruth): string {
  const label = truth.label === undefined ? '' : ` "${truth.label}"`;
  return `exchange ${truth.exchange}${label}`;
}

function isNear(span: FlatSpan, truth: ExchangeTruth, toleranceNs: bigint): boolean {
  const firstNs = epochNs(truth, truth.request.firstByteNs);
  const lastNs = epochNs(truth, truth.response.lastByteNs);
  if (isDamaged(span)) {
    // Its beginning or its end may be what was lost: what was seen of it lies within the exchange.
    return span.startNs - toleranceNs <= lastNs && span.endNs + toleranceNs >= firstNs;
  }
  return span.startNs - toleranceNs <= firstNs && span.endNs + toleranceNs >= lastNs;
}

function isDamaged(span: FlatSpan): boolean {
  return span.attributes['sightline.damage'] !== undefined;
}

/** Takes the span with the exchange's response id: of several with one id, the earliest left. */
function takeById(truth: ExchangeTruth, spans: FlatSpan[]): FlatSpan | undefined {
  const id = truth.answer?.id;
  const index =
    id === undefined ? -1 : spans.findIndex((span) => span.attributes['gen_ai.response.id'] === id);
  return index < 0 ? undefined : spans.splice(index, 1)[0];
}

/** Takes a span without a response id, by model, port and time. */
function takeByTime(
  truth: ExchangeTruth,
  spans: FlatSpan[],
  options: CompareOptions,
  toleranceNs: bigint,
): FlatSpan | undefined {
  const mayBeDamaged = options.allowDamage === true;
  const index = spans.findIndex((span) => {
    const { attributes } = span;
    const model = attributes['gen_ai.request.model'];
    return (
      attributes['gen_ai.response.id'] === undefined &&
      (truth.answer?.id === undefined || (mayBeDamaged && isDamaged(span))) &&
      (model === truth.request.model || (mayBeDamaged && model === undefined)) &&
      (attributes['server.port'] ?? truth.serverPort) === truth.serverPort &&
      isNear(span, truth, toleranceNs)
    );
  });
  return index < 0 ? undefined : spans.splice(index, 1)[0];
}

/** A JSON attribute: structured, or its text where the SDK has no structured attributes. */
function structured(value: AttributeValue | undefined): unknown {
  if (typeof value !== 'string') {
    return value;
  }
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

interface OutputMessage {
  role?: unknown;
  finish_reason?: unknown;
  parts?: {
    type?: unknown;
    content?: unknown;
    name?: unknown;
    id?: unknown;
    arguments?: unknown;
  }[];
}

function parsedArguments(argumentsText: string): unknown {
  if (argumentsText === '') {
    return {};
  }
  try {
    return JSON.parse(argumentsText);
  } catch {
    return argumentsText;
  }
}

function compareOutput(
  value: AttributeValue | undefined,
  answer: AnswerTruth,
  differ: (what: string, seen: unknown, truth: unknown) => void,
): void {
  const messages = structured(value);
  const wanted = answer.choices;
  if (!Array.isArray(messages)) {
    if (wanted.some((choice) => choice.text !== '' || choice.toolCalls.length > 0)) {
      differ('gen_ai.output.messages', value, 'a list of messages');
    }
    return;
  }
  if (messages.length !== wanted.length) {
    differ('the number of output messages', messages.length, wanted.length);
    return;
  }
  messages.forEach((entry: OutputMessage, index) => {
    const choice = wanted[index]!;
    const parts = entry.parts ?? [];
    const textOf = (type: string): string =>
      parts
        .filter((part) => part.type === type)
        .map((part) => part.content)
        .join('');
    if (textOf('text') !== choice.text) {
      differ(`text of output message ${index}`, textOf('text'), choice.text);
    }
    if (textOf('reasoning') !== choice.reasoning) {
      differ(`reasoning of output message ${index}`, textOf('reasoning'), choice.reasoning);
    }
    const calls = parts
      .filter((part) => part.type === 'tool_call')
      .map((part) => ({ id: part.id, name: part.name, arguments: part.arguments ?? {} }));
    const wantedCalls = choice.toolCalls.map((call) => ({
      id: call.id,
      name: call.name,
      arguments: parsedArguments(call.argumentsText),
    }));
    if (!same(calls, wantedCalls)) {
      differ(`tool calls of output message ${index}`, calls, wantedCalls);
    }
  });
}

function compareOne(span: FlatSpan, truth: ExchangeTruth, options: CompareOptions): string[] {
  const differences: string[] = [];
  const { attributes } = span;
  const answer = truth.answer!;
  const differ = (what: string, seen: unknown, wanted: unknown): void => {
    differences.push(`${nameOf(truth)}: ${what} is ${show(seen)}, not ${show(wanted)}`);
  };
  const mayLack = options.allowDamage === true && isDamaged(span);
  const expect = (name: string, wanted: AttributeValue | undefined): void => {
    const seen = attributes[name];
    if (!same(seen, wanted) && !(mayLack && seen === undefined)) {
      differ(name, seen, wanted);
    }
  };

  const model = truth.request.model;
  const operation = operationOf(truth.api!);
  const name = model === undefined ? operation : `${operation} ${model}`;
  if (span.name !== name && !(mayLack && span.name === operation)) {
    differ('the name', span.name, name);
  }
  if (span.kind !== 'CLIENT') {
    differ('the kind', span.kind, 'CLIENT');
  }
  expect('gen_ai.provider.name', PROVIDERS[truth.api!]);
  expect('gen_ai.request.model', model);
  expect('server.port', truth.serverPort);
  const peerPort = attributes['network.peer.port'];
  const wantedPeer = options.peerPort ?? truth.serverPort;
  if (peerPort !== undefined && peerPort !== wantedPeer) {
    differ('network.peer.port', peerPort, wantedPeer);
  }
  expect('gen_ai.response.id', answer.id);
  expect('gen_ai.response.model', answer.model);

  const startNs = epochNs(truth, truth.request.firstByteNs);
  const toleranceNs = BigInt(options.toleranceMs ?? 50) * 1_000_000n;
  if (span.startNs - toleranceNs > startNs) {
    differ('the start', span.startNs, `at most ${startNs}`);
  }
  if (span.endNs < span.startNs) {
    differ('the end', span.endNs, `at least the start, ${span.startNs}`);
  }

  if (options.lenientWhenClosedEarly === true && truth.clientEnd === 'closed-early') {
    return differences;
  }
  const finishReasons = finishReasonsOf(answer);
  expect('gen_ai.response.finish_reasons', finishReasons.length === 0 ? undefined : finishReasons);
  expect('gen_ai.usage.input_tokens', answer.usage.inputTokens);
  expect('gen_ai.usage.output_tokens', answer.usage.outputTokens);
  expect('gen_ai.usage.cache_read.input_tokens', answer.usage.cacheReadInputTokens);
  expect('gen_ai.usage.cache_creation.input_tokens', answer.usage.cacheCreationInputTokens);
  expect('gen_ai.usage.reasoning.output_tokens', answer.usage.reasoningOutputTokens);

  if (mayLack) {
    return differences;
  }
  compareError(span, truth, answer, differ);
  if (truth.response.complete) {
    const endNs = epochNs(truth, truth.response.lastByteNs);
    // The client can have everything before the server's write returns, so only what came before counts.
    const firstNs = epochNs(truth, truth.response.firstByteNs);
    if (span.endNs + toleranceNs < firstNs) {
      differ('the end', span.endNs, `about ${endNs}`);
    }
  }
  if (options.content === true) {
    compareOutput(attributes['gen_ai.output.messages'], answer, differ);
  } else {
    for (const name of CONTENT_ATTRIBUTES) {
      expect(name, undefined);
    }
  }
  return differences;
}

function compareError(
  span: FlatSpan,
  truth: ExchangeTruth,
  answer: AnswerTruth,
  differ: (what: string, seen: unknown, truth: unknown) => void,
): void {
  const type = span.attributes['error.type'];
  const { error } = answer;
  const { status } = truth.response;
  if (error === undefined) {
    // A stream that broke off may be called an error or just damaged; a whole answer is neither.
    if (answer.complete) {
      if (type !== undefined) {
        differ('error.type', type, undefined);
      }
      if (span.status.code !== 'UNSET') {
        differ('the status', span.status.code, 'UNSET');
      }
      if (truth.response.complete && span.attributes['sightline.damage'] !== undefined) {
        differ('sightline.damage', span.attributes['sightline.damage'], undefined);
      }
    } else if (type === undefined && span.attributes['sightline.damage'] === undefined) {
      differ('sightline.damage', undefined, 'something: the answer is not whole');
    }
    return;
  }
  const allowed = [error.code, error.type, ...(status >= 400 ? [String(status)] : [])];
  if (typeof type !== 'string' || !allowed.includes(type)) {
    differ('error.type', type, allowed);
  }
  if (span.status.code !== 'ERROR') {
    differ('the status', span.status.code, 'ERROR');
  }
}

/**
 * All differences between the `chat` spans among `spans` and the model calls in `truth`, each a sentence; an empty
 * list when there is exactly one span for each call and all are equal.
 */
export function compareSpansWithTruth(
  spans: readonly FlatSpan[],
  truth: readonly ExchangeTruth[],
  options: CompareOptions = {},
): string[] {
  const toleranceNs = BigInt(options.toleranceMs ?? 50) * 1_000_000n;
  const left = chatSpans(spans);
  const calls = truth
    .filter((exchange) => exchange.answer !== undefined)
    .sort((a, b) => a.exchange - b.exchange);
  const differences: string[] = [];
  const ids = new Set<string>();
  for (const span of left) {
    const key = `${span.traceId} ${span.spanId}`;
    if (ids.has(key)) {
      differences.push(`two spans have the ids ${key}`);
    }
    ids.add(key);
  }
  // Ids first, so that a search by time cannot take another exchange's span.
  const found = new Map<ExchangeTruth, FlatSpan | undefined>();
  for (const exchange of calls) {
    found.set(exchange, takeById(exchange, left));
  }
  for (const exchange of calls) {
    const span = found.get(exchange) ?? takeByTime(exchange, left, options, toleranceNs);
    if (span === undefined) {
      if (options.allowMissing === true) {
        continue;
      }
      const id = exchange.answer?.id ?? `no id, status ${exchange.response.status}`;
      differences.push(`${nameOf(exchange)} (${id}) has no span`);
      continue;
    }
    differences.push(...compareOne(span, exchange, options));
  }
  for (const span of left) {
    const id = show(span.attributes['gen_ai.response.id']);
    differences.push(`the span "${span.name}" ${span.spanId} (${id}) belongs to no exchange`);
  }
  return differences;
}

/** The attributes a span of this exchange must have, for tests that build one. */
export function expectedAttributes(truth: ExchangeTruth): Attributes {
  const answer = truth.answer!;
  const finishReasons = finishReasonsOf(answer);
  const all: Record<string, AttributeValue | undefined> = {
    [OPERATION]: operationOf(truth.api!),
    'gen_ai.provider.name': PROVIDERS[truth.api!],
    'gen_ai.request.model': truth.request.model,
    'server.port': truth.serverPort,
    'gen_ai.response.id': answer.id,
    'gen_ai.response.model': answer.model,
    'gen_ai.response.finish_reasons': finishReasons.length === 0 ? undefined : finishReasons,
    'gen_ai.usage.input_tokens': answer.usage.inputTokens,
    'gen_ai.usage.output_tokens': answer.usage.outputTokens,
    'gen_ai.usage.cache_read.input_tokens': answer.usage.cacheReadInputTokens,
    'gen_ai.usage.cache_creation.input_tokens': answer.usage.cacheCreationInputTokens,
    'gen_ai.usage.reasoning.output_tokens': answer.usage.reasoningOutputTokens,
  };
  const out: Attributes = {};
  for (const [name, value] of Object.entries(all)) {
    if (value !== undefined) {
      out[name] = value;
    }
  }
  return out;
}
