/** Makes what hooks are given: frozen copies, in which credentials are masked and content is only when it is on. */
import type { Exchange } from '../http/exchange.ts';
import type { ModelCall } from '../llm/model-call.ts';
import type { Process } from '../process/process.ts';
import type { CallPiece, ToolPiece, TurnPiece, Workload } from '../session/story.ts';
import type { ContentPolicy } from '../telemetry/content.ts';
import { currentProgram } from '../telemetry/process-attributes.ts';
import { deepFreeze } from '../util/deep-freeze.ts';
import { callContentOf, toolContentOf, turnContentOf } from './piece-content.ts';
import type {
  CallView,
  ExchangeView,
  ProcessView,
  ToolCallView,
  TurnView,
  WorkloadView,
} from './plugin.ts';

type Mask = ContentPolicy['redact'];

export function exchangeView(exchange: Exchange, process: Process, mask: Mask): ExchangeView {
  const { request, response, damage } = exchange;
  const first = request ?? response;
  const last = response ?? request;
  return deepFreeze({
    process: processView(process, mask),
    role: exchange.role,
    version: exchange.version,
    ...(request && { method: request.method, target: request.target }),
    requestHeaders: headersOf(request),
    ...(response && { status: response.status }),
    responseHeaders: headersOf(response),
    requestBytes: request?.bodyBytes ?? 0,
    responseBytes: response?.bodyBytes ?? 0,
    startNs: first?.startNs ?? 0n,
    endNs: last?.endNs ?? 0n,
    damage: [...damage.kinds],
  });
}

function headersOf(message: Exchange['request'] | Exchange['response']): [string, string][] {
  return (message?.headers.fields ?? []).map(([name, value]) => [name, value]);
}

export function callView(piece: CallPiece, policy: ContentPolicy): CallView {
  const { call, process } = piece;
  const { request, response } = call;
  return deepFreeze({
    ids: { ...piece.ids },
    workload: workloadView(piece.workload, policy.redact),
    process: processView(process, policy.redact),
    exchange: exchangeView(call.exchange, process, policy.redact),
    api: call.api,
    operation: call.operation,
    provider: call.provider,
    ...given('serverAddress', call.serverAddress),
    ...given('serverPort', call.serverPort),
    ...given('requestModel', request.model),
    ...given('responseModel', response?.model),
    ...given('responseId', response?.id),
    isStreamed: request.stream === true,
    tools: request.toolDefinitions.map(({ name }) => name),
    finishReasons: [...(response?.finishReasons ?? [])],
    usage: structuredClone(response?.usage ?? {}),
    ...given('httpStatus', call.httpStatus),
    ...given('errorType', call.error?.type),
    ...given('costUsd', call.costUsd),
    startNs: call.startNs,
    ...given('firstChunkNs', call.firstChunkNs),
    endNs: call.endNs,
    isComplete: call.complete,
    damage: [...call.damage.kinds],
    isInTurn: piece.turn !== undefined,
    content: callContentOf(call, policy),
  });
}

export function toolCallView(piece: ToolPiece, policy: ContentPolicy): ToolCallView {
  return deepFreeze({
    ids: { ...piece.ids },
    workload: workloadView(piece.workload, policy.redact),
    name: piece.toolCall.name,
    ...given('id', piece.toolCall.id),
    isError: piece.result?.isError === true,
    evidence: piece.evidence,
    startNs: piece.startNs,
    endNs: piece.endNs,
    damage: [...piece.damage.kinds],
    content: toolContentOf(piece, policy),
  });
}

export function turnView(piece: TurnPiece, policy: ContentPolicy): TurnView {
  return deepFreeze({
    ids: { ...piece.ids },
    workload: workloadView(piece.workload, policy.redact),
    agentName: piece.agentName,
    callCount: piece.callCount ?? piece.calls.length,
    toolCallCount: piece.toolCalls,
    models: modelsOf(piece.calls),
    endedBy: piece.endedBy,
    startNs: piece.startNs,
    endNs: piece.endNs,
    damage: [...piece.damage.kinds],
    content: turnContentOf(piece, policy),
  });
}

function modelsOf(calls: readonly ModelCall[]): string[] {
  const models = calls.map(({ request, response }) => request.model ?? response?.model);
  return [...new Set(models.filter((model) => model !== undefined))];
}

function workloadView(workload: Workload, mask: Mask): WorkloadView {
  const { name, isAgent, root } = workload;
  return { name, isAgent, root: processView(root, mask) };
}

function processView(process: Process, mask: Mask): ProcessView {
  const program = currentProgram(process);
  return {
    pid: process.ref.pid,
    startNs: process.ref.startNs,
    executable: program?.executable ?? '',
    argv: (program?.argv ?? []).map(mask),
    ...given('uid', process.uid),
    ...given('gid', process.gid),
    ...given('owner', process.owner),
    ...given('containerId', process.containerId),
    ...given('podUid', process.podUid),
    ...given('packageName', process.packageName),
    ...given('packageVersion', process.packageVersion),
    ...given('serviceName', process.serviceName),
  };
}

/** The field, unless there is nothing to say. */
function given<K extends string, V>(name: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { [P in K]?: V });
}
