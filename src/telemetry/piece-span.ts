/**
 * Turns a finished piece of a story into the span that tells it.
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/gen-ai/gen-ai-spans.md
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/gen-ai/gen-ai-agent-spans.md
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/cli/cli-spans.md
 */
import type { Attributes } from '@opentelemetry/api';
import type { Exchange } from '../http/exchange.ts';
import type { ModelCall, Usage } from '../llm/model-call.ts';
import type {
  CallPiece,
  HttpPiece,
  ProcessPiece,
  SpanIds,
  StoryPiece,
  ToolPiece,
  TurnPiece,
} from '../session/story.ts';
import { parseTraceparent } from '../session/traceparent.ts';
import { Damage } from '../util/damage.ts';
import { callAttributes, putCacheUsage, putUsage } from './call-attributes.ts';
import {
  type ContentPolicy,
  callContent,
  putContentText,
  redactJsonText,
  turnContent,
} from './content.ts';
import { putDamage } from './damage-attributes.ts';
import { handshakeSpanEvent } from './handshake-signals.ts';
import { httpAttributes, httpErrorType, httpSpanName } from './http-span.ts';
import { currentProgram, executableName, putProcess } from './process-attributes.ts';
import { processEnd } from './process-end.ts';
import {
  Attr,
  type Conventions,
  ERROR_OTHER,
  ERROR_TIMEOUT,
  ERROR_TOOL,
  Operations,
} from './semconv.ts';
import {
  put,
  putExtra,
  type SpanDescription,
  type SpanLink,
  spanName,
} from './span-description.ts';
import { sumCostUsd, sumUsage } from './usage-sum.ts';

/** Longest status description; a provider's error message comes from the wire. */
const MAX_STATUS_CHARS = 1024;

export function describePiece(
  piece: StoryPiece,
  content: ContentPolicy,
  conventions: Conventions,
): SpanDescription {
  const span = describe(piece, content, conventions);
  if ('extraAttributes' in piece) {
    putExtra(span.attributes, piece.extraAttributes);
  }
  return span;
}

function describe(
  piece: StoryPiece,
  content: ContentPolicy,
  conventions: Conventions,
): SpanDescription {
  switch (piece.kind) {
    case 'call':
      return describeCall(piece, content, conventions);
    case 'tool':
      return describeTool(piece, content);
    case 'process':
      return describeProcess(piece, content);
    case 'http':
      return describeHttp(piece, content, conventions);
    case 'turn':
      return describeTurn(piece, content, conventions);
  }
}

function describeCall(
  piece: CallPiece,
  content: ContentPolicy,
  conventions: Conventions,
): SpanDescription {
  const { call } = piece;
  const attributes = callAttributes(call, conventions);
  putCaller(attributes, piece);
  if (content.isOnSpans) {
    putContentText(attributes, callContent(call, content.redact, conventions));
  }
  const remoteFlags = remoteParentFlags(call.traceparent, piece.ids);
  return {
    name: spanName(call.operation, call.request.model),
    kind: 'client',
    ids: piece.ids,
    ...(remoteFlags === undefined ? {} : { remoteParentFlags: remoteFlags }),
    startNs: call.startNs,
    endNs: call.endNs,
    attributes,
    ...(call.error === undefined ? {} : { error: callError(call.error, content) }),
    links: callLinks(piece),
    ...connectionEvents(call.exchange),
  };
}

/** The resource tells of the workload's root; a child that calls a server says so itself. */
function putCaller(attributes: Attributes, { process, workload }: CallPiece | HttpPiece): void {
  if (process.key !== workload.root.key) {
    attributes[Attr.processPid] = process.ref.pid;
    put(attributes, Attr.processExecutableName, executableName(process));
  }
}

function describeHttp(
  piece: HttpPiece,
  content: ContentPolicy,
  conventions: Conventions,
): SpanDescription {
  const { exchange, ids, place } = piece;
  const attributes = httpAttributes(piece, content.redact, conventions);
  putCaller(attributes, piece);
  const traceparent = exchange.request?.headers.get('traceparent');
  const remoteFlags = remoteParentFlags(traceparent, ids);
  const isBelow = place === undefined || place.ids.spanId === ids.parentSpanId;
  return {
    name: httpSpanName(piece, conventions),
    kind: 'client',
    ids,
    ...(remoteFlags === undefined ? {} : { remoteParentFlags: remoteFlags }),
    startNs: piece.startNs,
    endNs: piece.endNs,
    attributes,
    ...(httpErrorType(piece) === undefined ? {} : { error: {} }),
    links: isBelow ? [] : [{ ids: place.ids, kind: place.kind }],
    ...connectionEvents(exchange),
  };
}

/** The first exchange of a connection says how the connection came about. */
function connectionEvents(exchange: Exchange): Pick<SpanDescription, 'events'> {
  const handshake = exchange.facts?.handshake;
  return handshake === undefined || exchange.ordinal > 0
    ? {}
    : { events: [handshakeSpanEvent(handshake)] };
}

/** Where the flags stand in a `traceparent` header. */
const FLAGS_AT = 53;

/** The W3C flags of the application's span that is this span's parent, if one is. */
function remoteParentFlags(traceparent: string | undefined, ids: SpanIds): number | undefined {
  const parent = parseTraceparent(traceparent);
  if (parent?.traceId !== ids.traceId || parent.spanId !== ids.parentSpanId) {
    return undefined;
  }
  return Number.parseInt((traceparent ?? '').trim().slice(FLAGS_AT, FLAGS_AT + 2), 16);
}

/** A call that joined the application's trace is linked to its turn, whose child it would be otherwise. */
function callLinks({ ids, turn }: CallPiece): SpanLink[] {
  return turn === undefined || turn.spanId === ids.parentSpanId
    ? []
    : [{ ids: turn, kind: 'turn' }];
}

/**
 * What a provider calls a key or token in its message, to the end of its quotes or word: it repeats what it was
 * sent, which need not look like a key. The last group is the secret.
 */
const NAMED_SECRET =
  /(?:key|token)(?: (?:provided|passed|received|used))?["'`]?\s{0,4}[=:]\s{0,4}((?:["'][^"'\r\n]+|[^\s"',;]+))/gi;

function maskNamedSecrets(message: string): string {
  return message.replace(NAMED_SECRET, (all: string, secret: string) => {
    const quote = /^["']/.test(secret) ? 1 : 0;
    return all.slice(0, all.length - secret.length + quote) + '*'.repeat(secret.length - quote);
  });
}

export function callError(error: NonNullable<ModelCall['error']>, content: ContentPolicy) {
  // Providers repeat parts of a rejected key in their message.
  return error.message === undefined
    ? {}
    : { message: maskNamedSecrets(content.redact(error.message)).slice(0, MAX_STATUS_CHARS) };
}

function describeTool(piece: ToolPiece, content: ContentPolicy): SpanDescription {
  const { toolCall, result } = piece;
  const attributes: Attributes = {
    [Attr.operationName]: Operations.executeTool,
    [Attr.toolName]: toolCall.name,
    [Attr.toolType]: 'function',
    [Attr.evidence]: piece.evidence,
  };
  put(attributes, Attr.toolCallId, toolCall.id);
  const isError = result?.isError === true;
  if (isError) {
    attributes[Attr.errorType] = ERROR_TOOL;
  }
  putDamage(attributes, piece.damage);
  if (content.isOnSpans) {
    put(attributes, Attr.toolDescription, piece.description && content.redact(piece.description));
    putText(attributes, Attr.toolCallArguments, toolCall.argumentsText, content);
    putText(attributes, Attr.toolCallResult, result?.text ?? '', content);
  }
  return {
    name: spanName(Operations.executeTool, toolCall.name),
    kind: 'internal',
    ids: piece.ids,
    startNs: piece.startNs,
    endNs: piece.endNs,
    attributes,
    ...(isError ? { error: {} } : {}),
    links: [],
  };
}

/** A text that is empty says nothing. */
function putText(attributes: Attributes, name: string, text: string, content: ContentPolicy): void {
  if (text !== '') {
    attributes[name] = redactJsonText(text, content.redact);
  }
}

function describeProcess(piece: ProcessPiece, content: ContentPolicy): SpanDescription {
  const { process } = piece;
  const attributes: Attributes = {};
  putProcess(attributes, process, content.redact);
  put(attributes, Attr.processParentPid, process.parentRef?.pid);
  attributes[Attr.evidence] = piece.evidence;
  const end = processEnd(process);
  put(attributes, Attr.processExitCode, end.exitCode);
  put(attributes, Attr.errorType, end.errorType);
  put(attributes, Attr.exchangesLeftOut, piece.exchangesLeftOut);
  putDamage(attributes, processDamage(piece));
  return {
    name: spanName(executableName(process) ?? 'process', undefined),
    kind: 'internal',
    ids: piece.ids,
    startNs: piece.startNs,
    endNs: piece.endNs,
    attributes,
    ...(end.errorType === undefined ? {} : { error: {} }),
    links: [],
  };
}

/** Arguments that were cut are missing from the span too. */
function processDamage(piece: ProcessPiece): Damage {
  const damage = new Damage();
  if (piece.damage !== undefined) {
    damage.merge(piece.damage);
  }
  const argvLostBytes = currentProgram(piece.process)?.argvLostBytes ?? 0;
  if (argvLostBytes > 0) {
    damage.add('limit', argvLostBytes);
  }
  return damage;
}

function describeTurn(
  piece: TurnPiece,
  content: ContentPolicy,
  conventions: Conventions,
): SpanDescription {
  const { calls } = piece;
  const attributes: Attributes = { [Attr.operationName]: Operations.invokeAgent };
  // Of several models none is the turn's, and the provider is the first call's: each call says its own.
  if (conventions.isTurnDetailed) {
    put(attributes, Attr.providerName, calls[0]?.provider);
  }
  put(attributes, Attr.agentName, piece.agentName === '' ? undefined : piece.agentName);
  put(attributes, Attr.requestModel, onlyValue(calls.map((call) => call.request.model)));
  // Calls that were not kept are missing from every sum.
  const isWhole = calls.length >= callCountOf(piece);
  const conversation = onlyValue(calls.map((call) => call.request.conversationId));
  put(attributes, Attr.conversationId, isWhole ? conversation : undefined);
  const usage: Usage = isWhole ? sumUsage(calls) : {};
  putUsage(attributes, usage);
  put(attributes, Attr.costEstimate, isWhole ? sumCostUsd(calls) : undefined);
  if (conventions.isTurnDetailed) {
    putCacheUsage(attributes, usage, conventions);
  }
  put(attributes, Attr.responseFinishReasons, calls.at(-1)?.response?.finishReasons);
  attributes[Attr.turnEndedBy] = piece.endedBy;
  const errorType = turnErrorType(piece);
  put(attributes, Attr.errorType, errorType);
  put(attributes, Attr.exchangesLeftOut, piece.exchangesLeftOut);
  putDamage(attributes, piece.damage);
  if (content.isOnSpans) {
    putContentText(attributes, turnContent(piece, content.redact, conventions));
  }
  return {
    name: spanName(Operations.invokeAgent, piece.agentName),
    kind: 'internal',
    ids: piece.ids,
    startNs: piece.startNs,
    endNs: piece.endNs,
    attributes,
    ...(errorType === undefined ? {} : { error: {} }),
    links: turnLinks(piece),
  };
}

export function callCountOf(piece: TurnPiece): number {
  return piece.callCount ?? piece.calls.length;
}

/** A turn that its process's exit or the end of observation cut off did not fail; we only saw no more of it. */
export function turnErrorType(piece: TurnPiece): string | undefined {
  switch (piece.endedBy) {
    case 'error':
      return piece.calls.at(-1)?.error?.type ?? ERROR_OTHER;
    case 'timeout':
      return ERROR_TIMEOUT;
    default:
      return undefined;
  }
}

function turnLinks(piece: TurnPiece): SpanLink[] {
  return piece.previous === undefined ? [] : [{ ids: piece.previous, kind: 'previous_turn' }];
}

function onlyValue(values: readonly (string | undefined)[]): string | undefined {
  const [first] = values;
  return values.every((value) => value === first) ? first : undefined;
}
