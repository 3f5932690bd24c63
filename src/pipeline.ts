/**
 * The analyzer chain, wired in one place: capture events in, pieces of the story out. It is a function of the
 * events alone: no clock, no randomness, no look-ups, so that a recording gives what the live run gave.
 */
import { basename } from 'node:path';
import type {
  CaptureEvent,
  ConnectionRef,
  DecodedPiece,
  Direction,
  HostEvent,
} from './capture/events.ts';
import type { VerdictSink } from './capture/verdict.ts';
import type { LlmHost } from './config/llm-hosts.ts';
import type { Exchange, ExchangeHandler } from './http/exchange.ts';
import { createExchangeFilter, type ExchangeFilter } from './http/exchange-filter.ts';
import { createHttpCounters } from './http/http-options.ts';
import { createHttpStage } from './http/http-stage.ts';
import type { HttpLimits } from './http/limits.ts';
import type { WebSocketLimits } from './http/websocket/limits.ts';
import type { WebSocketHandler } from './http/websocket/websocket.ts';
import { estimateCostUsd } from './llm/call-cost.ts';
import { filterCalls, filterSockets } from './llm/filtered-calls.ts';
import { createHostRules } from './llm/host-rules.ts';
import type { LlmLimits } from './llm/limits.ts';
import { createLlmSocketStage } from './llm/llm-socket-stage.ts';
import { createLlmStage, type LlmStageOptions } from './llm/llm-stage.ts';
import type { ModelCall, ModelCallObserver } from './llm/model-call.ts';
import type { PriceTable } from './llm/price-table.ts';
import type { Process } from './process/process.ts';
import { createProcessTable, type ProcessTableLimits } from './process/process-table.ts';
import type { Counters } from './self/counters.ts';
import { createTotalsFeed } from './self/totals-feed.ts';
import type { HttpSpans } from './session/http-exchanges.ts';
import type { SessionLimits } from './session/limits.ts';
import { createSessionStage } from './session/session-stage.ts';
import type { HandshakePiece, HttpPiece, ServedCall, StoryPiece } from './session/story.ts';
import { knownAgent, type WorkloadSubject, workloadName } from './targets/workload-name.ts';
import type { ConnectionParserFactory } from './transport/connection.ts';
import type { TransportLimits } from './transport/limits.ts';
import { createTransport } from './transport/transport.ts';
import type { CelCondition } from './util/cel/cel-expression.ts';
import type { SecretFinder } from './util/key-shapes.ts';

export interface PipelineSettings {
  streamTimeoutNs: bigint;
  turnTimeoutNs: bigint;
  /** Message content is kept, each field up to `maxContentBytes`. */
  keepContent: boolean;
  maxContentBytes: number;
  /** Hosts of model APIs beyond those that are known. */
  llmHosts?: readonly LlmHost[];
  /** Calls are measured on the server's side too. */
  followsServers?: boolean;
  /** Credentials beside those of the built-in rules, in bytes read as Latin-1. */
  findAddedSecrets?: SecretFinder;
  /** Exchanges for which it is false are dropped. Absent: none is. */
  httpFilter?: CelCondition;
  /** Nobody wants to know of connections on which a process only answers. */
  leavesOutServed?: boolean;
  /** Whose HTTP exchanges are told that are no model calls. Absent: nobody's. */
  httpSpans?: HttpSpans;
  /** What models cost; absent: no cost is estimated. */
  prices?: PriceTable;
  limits: {
    transport: Partial<TransportLimits>;
    http: Partial<HttpLimits>;
    webSocket?: Partial<WebSocketLimits>;
    llm: Partial<LlmLimits>;
    process: Partial<ProcessTableLimits>;
    session: Partial<SessionLimits>;
  };
}

/** What comes out of the chain, and what may look into it on the way. */
export interface PipelineOutput {
  host(event: HostEvent): void;
  piece(piece: StoryPiece): void;
  servedCall?(served: ServedCall): void;
  /** It is known how a connection's TLS handshake came out. */
  handshake?(piece: HandshakePiece): void;
  tick?(timeNs: bigint): void;
  /** Where credentials are in the captured streams, and up to where that has been judged. */
  secret?(
    connection: ConnectionRef,
    direction: Direction,
    position: number,
    length: number,
    replacement?: Uint8Array,
  ): void;
  /** What is to stand in a recording for compressed bytes. Without it all of them are in `secret`. */
  decoded?(connection: ConnectionRef, direction: Direction, piece: DecodedPiece): void;
  released?(connection: ConnectionRef, direction: Direction, upToPosition: number): void;
  /** `processOf` gives its process: asked for, one that was not known yet is made. */
  exchange?(exchange: Exchange, timeNs: bigint, processOf: () => Process): void;
  /** An exchange that is no piece of its own, because its parent has too many. */
  exchangeLeftOut?(piece: HttpPiece): void;
  call?(call: ModelCall): void;
  /** Told which bytes nobody wants, so that the kernel need not copy them. */
  verdict?: VerdictSink;
  /** Told of connections with an exchange that somebody looks at, or that will be told. */
  wanted?(connection: ConnectionRef): void;
  /** Sees every ordered stream that is taken apart. */
  wrapParser?(factory: ConnectionParserFactory): ConnectionParserFactory;
  /** Sees every exchange with its bodies. */
  wrapHandler?(handler: ExchangeHandler): ExchangeHandler;
  /** A defect of ours cost this connection. */
  fault?(error: unknown, connection: ConnectionRef): void;
}

export interface PipelineTotals {
  exchanges: number;
  calls: number;
}

export interface Pipeline {
  /** Takes the events of one source in order, `host` first and `end` last. Synchronous. */
  push(event: CaptureEvent): void;
  totals(): PipelineTotals;
}

export function createPipeline(
  settings: PipelineSettings,
  output: PipelineOutput,
  counters: Counters,
): Pipeline {
  const totals: PipelineTotals = { exchanges: 0, calls: 0 };
  const httpCounters = createHttpCounters();

  const processes = createProcessTable({
    limits: settings.limits.process,
    counters,
    onExec: (process, program) => session.executed(process, program.startNs),
    onExit: (process) => session.exited(process, process.exit?.timeNs ?? process.startNs),
  });
  const session = createSessionStage({
    sink: (piece) => output.piece(piece),
    onServedCall: (served) => output.servedCall?.(served),
    processes,
    workloadName: (process) => workloadName(subjectOf(process)),
    isKnownAgent: (process) => knownAgent(subjectOf(process)) !== undefined,
    turnTimeoutNs: settings.turnTimeoutNs,
    ...(settings.httpSpans === undefined ? {} : { httpSpans: settings.httpSpans }),
    onExchangeLeftOut: (piece) => output.exchangeLeftOut?.(piece),
    limits: settings.limits.session,
    counters,
  });
  const filter = settings.httpFilter && openFilter(settings.httpFilter);
  const filtered = counters.counter('sightline.http_filtered', {});
  /** Exchanges that model calls were made in, and those that opened their sockets. */
  const modelExchanges = new WeakSet<Exchange>();
  /** What ends now is no longer observed, whatever becomes of it. */
  let isGivingUp = false;
  const calls = observeCalls(session, settings.prices, (call) => {
    totals.calls += 1;
    output.call?.(call);
  });
  const keptCalls = filter === undefined ? calls : filterCalls(filter, calls);
  const llmOptions: LlmStageOptions = {
    observer: {
      ...keptCalls,
      started(call) {
        modelExchanges.add(call.exchange);
        keptCalls.started(call);
      },
    },
    limits: settings.limits.llm,
    followsServers: settings.followsServers ?? false,
    keepContent: settings.keepContent,
    maxContentBytes: settings.maxContentBytes,
    hosts: createHostRules(settings.llmHosts ?? []),
    onLimit: (limit) => counters.counter('sightline.limits', { limit: `llm.${limit}` }).add(),
    onParseFailure: (stage) => counters.counter('sightline.parse_failures', { stage }).add(),
  };
  const llm = createLlmStage(llmOptions);
  const observed = output.wrapHandler?.(llm) ?? llm;
  const sockets = withModelSockets(createLlmSocketStage(llmOptions));
  const http = createHttpStage({
    handler: withFacts(filter?.wrap(observed) ?? observed),
    webSocket: filter === undefined ? sockets : filterSockets(filter, sockets),
    limits: settings.limits.http,
    webSocketLimits: settings.limits.webSocket ?? {},
    streamTimeoutNs: settings.streamTimeoutNs,
    counters: httpCounters,
    ...(settings.findAddedSecrets === undefined
      ? {}
      : { findAddedSecrets: settings.findAddedSecrets }),
    onExchange: (exchange, timeNs) => {
      if (filter?.isDropped(exchange)) {
        filtered.add();
        return;
      }
      totals.exchanges += 1;
      output.exchange?.(exchange, timeNs, () => processes.ensure(exchange.connection.process));
      if (!modelExchanges.has(exchange)) {
        session.exchangeEnded(exchange, isGivingUp);
      }
    },
    ...(output.secret === undefined ? {} : { onSecret: output.secret }),
    ...(output.decoded === undefined ? {} : { onDecoded: output.decoded }),
    ...(output.released === undefined ? {} : { onRelease: output.released }),
    leavesOutServed: settings.leavesOutServed ?? false,
    ...(output.verdict === undefined ? {} : { onVerdict: output.verdict }),
  });
  const transport = createTransport({
    createParser: output.wrapParser?.(http) ?? http,
    limits: settings.limits.transport,
    idleTimeoutNs: settings.streamTimeoutNs,
    onHandshake: (connection, facts) => {
      if (facts.handshake !== undefined) {
        output.handshake?.(session.handshake(connection, facts.handshake, facts));
      }
    },
    onFault: (error, connection) => {
      counters.counter('sightline.faults', { place: 'transport' }).add();
      output.fault?.(error, connection);
    },
  });
  /** An exchange refers to all that is known of its connection, also what will be known only later. */
  function withFacts(next: ExchangeHandler): ExchangeHandler {
    return (exchange) => {
      const facts = transport.factsOf(exchange.connection);
      if (facts) {
        exchange.facts = facts;
      }
      const isTold = session.exchangeBegan(exchange);
      const observer = next(exchange);
      if (isTold || observer !== undefined) {
        output.wanted?.(exchange.connection);
      }
      return observer;
    };
  }

  /** What opened a socket of model calls is told by them. */
  function withModelSockets(next: WebSocketHandler): WebSocketHandler {
    return (socket) => {
      const observer = next(socket);
      if (observer !== undefined) {
        output.wanted?.(socket.connection);
        if (socket.upgrade !== undefined) {
          modelExchanges.add(socket.upgrade);
        }
      }
      return observer;
    };
  }

  function openFilter(condition: CelCondition): ExchangeFilter {
    const unanswered = counters.counter('sightline.http_filter_errors', {});
    return createExchangeFilter({
      condition,
      processOf: ({ connection }) => {
        const process = processes.ensure(connection.process);
        const program = process.programs.at(-1);
        const executable = program?.executable ?? '';
        return {
          pid: process.ref.pid,
          name: executable === '' ? (program?.comm ?? '') : basename(executable),
          executable,
        };
      },
      onUnanswered: () => unanswered.add(),
    });
  }

  registerGauges();
  const totalsFeed = createTotalsFeed();
  followLimits();

  function followLimits(): void {
    const { http2, webSocket } = httpCounters;
    const reached = {
      'transport.maxConnections': () => transport.counters().evictions,
      'http.head': () => httpCounters.headLimits,
      'http.decode': () => httpCounters.decodeLimits,
      'http.formParts': () => httpCounters.formLimits,
      'http.pendingExchanges': () => httpCounters.pendingLimits,
      'http2.headerBlock': () => http2.blockLimits,
      'http2.table': () => http2.tableLimits,
      'http2.frame': () => http2.frameLimits,
      'http2.streams': () => http2.streamLimits,
      'websocket.message': () => webSocket.messageLimits,
    };
    for (const [limit, read] of Object.entries(reached)) {
      totalsFeed.follow(counters.counter('sightline.limits', { limit }), read);
    }
  }

  function registerGauges(): void {
    const read = {
      'sightline.connections.open': () => transport.counters().openConnections,
      'sightline.connections.evicted': () => transport.counters().evictions,
      'sightline.exchanges.damaged': () => httpCounters.damagedExchanges,
      'sightline.http.framing_errors': () => httpCounters.framingErrors,
      'sightline.http.head_limits': () => httpCounters.headLimits,
      'sightline.websocket.damaged_messages': () => httpCounters.webSocket.damagedMessages,
      'sightline.turns.open': () => session.openTurns,
      'sightline.processes.open': () => session.openProcesses,
      'sightline.processes.known': () => processes.size,
    };
    for (const [name, value] of Object.entries(read)) {
      const description = `${name.slice('sightline.'.length).replaceAll(/[._]/g, ' ')}, as counted now`;
      counters.gauge({ name, unit: '1', description, read: value });
    }
  }

  /** Whatever reports on a process comes before whatever refers to it; its end comes after its last bytes. */
  function push(event: CaptureEvent): void {
    switch (event.type) {
      case 'host':
        session.host(event);
        output.host(event);
        break;
      case 'data':
      case 'loss':
      case 'skip':
      case 'close':
      case 'peer':
      case 'handshake':
      case 'server-name':
        transport.push(event);
        break;
      case 'fork':
      case 'snapshot':
      case 'details':
        processes.push(event);
        break;
      // Both end the process's connections: what was on them belongs to the program that is going.
      case 'exec':
      case 'exit':
        transport.push(event);
        processes.push(event);
        break;
      case 'tick':
        giveUp(event);
        session.tick(event.timeNs);
        totalsFeed.update();
        output.tick?.(event.timeNs);
        break;
      case 'end':
        giveUp(event);
        session.end(event.timeNs);
        totalsFeed.update();
        break;
      case 'drops':
        break;
    }
  }

  function giveUp(event: CaptureEvent): void {
    isGivingUp = true;
    transport.push(event);
    isGivingUp = false;
  }

  return { push, totals: () => totals };
}

function observeCalls(
  next: Required<ModelCallObserver>,
  prices: PriceTable | undefined,
  onFinished: (call: ModelCall) => void,
): ModelCallObserver {
  return {
    started: (call) => next.started(call),
    toolCall: (call, toolCall) => next.toolCall(call, toolCall),
    finished: (call) => {
      if (call.exchange.role === 'server') {
        next.finished(call);
        return;
      }
      const costUsd = prices && estimateCostUsd(call, prices);
      if (costUsd !== undefined) {
        call.costUsd = costUsd;
      }
      onFinished(call);
      next.finished(call);
    },
  };
}

/** What decides a workload's name; a process of which no program is known yet has only its pid. */
function subjectOf(process: Process): WorkloadSubject {
  const program = process.programs.at(-1);
  return {
    executable: program?.executable ?? '',
    argv: program?.argv ?? [],
    comm: program?.comm,
    serviceName: process.serviceName,
    packageName: process.packageName,
  };
}
