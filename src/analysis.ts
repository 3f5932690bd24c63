/** The analyzer chain for programs: events of a recording, or of a source of one's own, become calls and turns. */
import { pipelineSettings } from './agent-settings.ts';
import type { CaptureEvent, HostEvent } from './capture/events.ts';
import { createReplaySource } from './capture/replay-source.ts';
import { loadConfig } from './config/load.ts';
import type { Exchange } from './http/exchange.ts';
import type { ModelCall } from './llm/model-call.ts';
import { createPipeline } from './pipeline.ts';
import {
  callContentOf,
  isContentOn,
  toolContentOf,
  withCallContent,
  withToolContent,
} from './plugins/piece-content.ts';
import type { Plugin } from './plugins/plugin.ts';
import { createPluginStage } from './plugins/plugin-stage.ts';
import { type LoadedPlugin, readPlugin } from './plugins/read-plugin.ts';
import type { Process } from './process/process.ts';
import { createRedaction } from './redaction.ts';
import { createCounters } from './self/counters.ts';
import type {
  CallPiece,
  HttpPiece,
  ProcessPiece,
  StoryPiece,
  ToolPiece,
  TurnPiece,
} from './session/story.ts';
import {
  type ContentPolicy,
  contentPolicy,
  redactJsonText,
  redactValue,
} from './telemetry/content.ts';

const NS_PER_MS = 1_000_000;

/** What is told, in the order it becomes known. What a handler throws ends the analysis and is passed on. */
export interface AnalysisHandlers {
  /** The first event of a source: whose recording it is, and how its times become those of a clock. */
  onHost?(host: HostEvent): void;
  /** An HTTP exchange is over. Credentials in its target and headers are masked. */
  onExchange?(exchange: Exchange, process: Process): void;
  /** An HTTP exchange that is no model call and has a span of its own is over; `httpSpans` says which have. */
  onHttp?(piece: HttpPiece): void;
  /** A model call is over. */
  onCall?(piece: CallPiece): void;
  /** A tool call has its result, or was given up. */
  onToolCall?(piece: ToolPiece): void;
  /** A process that belongs to a turn has ended. */
  onProcess?(piece: ProcessPiece): void;
  /** A turn is over, all its calls and tool calls told before. */
  onTurn?(piece: TurnPiece): void;
}

export interface AnalysisOptions extends AnalysisHandlers {
  /** Messages, tool arguments and results are kept, credentials masked. Default: false. */
  keepContent?: boolean;
  /** Bytes kept of one field of content; default 64 KiB. */
  maxContentBytes?: number;
  /** As SIGHTLINE_HTTP_SPANS: exchanges of processes in an agent's tree (the default), all, or none. */
  httpSpans?: 'off' | 'agents' | 'all';
  /** As SIGHTLINE_HTTP_FILTER: of exchanges for which it is false, nothing is told. */
  httpFilter?: string;
  /** As SIGHTLINE_TURN_TIMEOUT and SIGHTLINE_STREAM_TIMEOUT. */
  turnTimeoutMs?: number;
  streamTimeoutMs?: number;
  /** Asked before calls, tool calls and turns are told, as `sightline` asks them before it exports. */
  plugins?: readonly Plugin[];
  /** Told what a person should know: a plugin was switched off. */
  onWarning?(line: string): void;
}

/** How many of each were told, or would have been to a handler. */
export interface AnalysisTotals {
  events: number;
  exchanges: number;
  http: number;
  calls: number;
  toolCalls: number;
  processes: number;
  turns: number;
}

export interface RecordingTotals extends AnalysisTotals {
  /** The recording ends in the middle; it was analysed as far as it goes. */
  isTruncated: boolean;
}

/** Takes the events of one source in order, `host` first and `end` last. */
export interface Analyzer {
  push(event: CaptureEvent): void;
  totals(): AnalysisTotals;
}

/**
 * Reads a recording and tells what is in it. The configuration in the environment has no say. Needs no privilege.
 * Rejects with a SightlineError (SL_RECORDING_…) for a file that is no recording, or a damaged one, after all before
 * the damage was told.
 */
export async function analyzeRecording(
  path: string,
  options: AnalysisOptions = {},
): Promise<RecordingTotals> {
  const analyzer = createAnalyzer(options);
  const source = createReplaySource({ paths: [path] });
  await source.start((event) => analyzer.push(event));
  const isTruncated = source.outcomes().some(({ truncated }) => truncated);
  return { ...analyzer.totals(), isTruncated };
}

/**
 * Makes an analyzer. Throws a SightlineError for a plugin (SL_PLUGIN) or a filter (SL_CONFIG_VALUE) that cannot be used.
 */
export function createAnalyzer(options: AnalysisOptions = {}): Analyzer {
  const config = loadConfig(configuredBy(options));
  const settings = pipelineSettings(config);
  const policy = contentPolicy(
    options.keepContent ? 'SPAN_ONLY' : 'NO_CONTENT',
    createRedaction(config).text,
  );
  const counters = createCounters();
  const totals: AnalysisTotals = {
    events: 0,
    exchanges: 0,
    http: 0,
    calls: 0,
    toolCalls: 0,
    processes: 0,
    turns: 0,
  };
  const plugins = createPluginStage({
    plugins: (options.plugins ?? []).map(asLoaded),
    content: policy,
    budgetNs: config.plugins.budgetMs * NS_PER_MS,
    counters,
    warn: (line) => options.onWarning?.(line),
  });
  const pipeline = createPipeline(
    {
      ...settings,
      keepContent: options.keepContent ?? false,
      maxContentBytes: options.maxContentBytes ?? settings.maxContentBytes,
      turnTimeoutNs: nanoseconds(options.turnTimeoutMs) ?? settings.turnTimeoutNs,
      streamTimeoutNs: nanoseconds(options.streamTimeoutMs) ?? settings.streamTimeoutNs,
    },
    {
      host: (event) => options.onHost?.(event),
      exchange(exchange, _, processOf) {
        totals.exchanges += 1;
        plugins.exchange(exchange, processOf);
        if (options.onExchange !== undefined) {
          guarded(() => options.onExchange?.(exchange, processOf()));
        }
      },
      piece(given) {
        const piece = plugins.piece(given);
        if (piece !== undefined) {
          guarded(() => tell(piece));
        }
      },
    },
    counters,
  );
  let thrown: { error: unknown } | undefined;

  /**
   * The chain takes an error for a defect of its own that costs one connection: a handler's is kept for `push`, and no
   * handler is called after it.
   */
  function guarded(work: () => void): void {
    if (thrown !== undefined) {
      return;
    }
    try {
      work();
    } catch (error) {
      thrown = { error };
    }
  }

  function tell(piece: StoryPiece): void {
    switch (piece.kind) {
      case 'http':
        totals.http += 1;
        options.onHttp?.(piece);
        break;
      case 'call':
        totals.calls += 1;
        options.onCall?.({ ...piece, call: maskedCall(piece.call, policy) });
        break;
      case 'tool':
        totals.toolCalls += 1;
        options.onToolCall?.({
          ...withToolContent(piece, toolContentOf(piece, policy)),
          ...(piece.description && { description: policy.redact(piece.description) }),
        });
        break;
      case 'process':
        totals.processes += 1;
        options.onProcess?.(piece);
        break;
      case 'turn':
        totals.turns += 1;
        options.onTurn?.({
          ...piece,
          calls: piece.calls.map((call) => maskedCall(call, policy)),
        });
        break;
    }
  }

  return {
    push(event) {
      totals.events += 1;
      pipeline.push(event);
      if (thrown !== undefined) {
        throw thrown.error;
      }
    },
    totals: () => ({ ...totals }),
  };
}

/** What the configuration checks as it checks what a user sets. */
function configuredBy({ httpSpans, httpFilter }: AnalysisOptions): Record<string, string> {
  return {
    ...(httpSpans === undefined ? {} : { SIGHTLINE_HTTP_SPANS: httpSpans }),
    ...(httpFilter === undefined ? {} : { SIGHTLINE_HTTP_FILTER: httpFilter }),
  };
}

function nanoseconds(ms: number | undefined): bigint | undefined {
  return ms === undefined ? undefined : BigInt(Math.round(ms * NS_PER_MS));
}

function asLoaded(plugin: Plugin, index: number): LoadedPlugin {
  return readPlugin(`a plugin (number ${index + 1})`, { default: plugin }, `plugin-${index + 1}`);
}

/** A copy without credentials, and without content unless that is on. */
function maskedCall(call: ModelCall, policy: ContentPolicy): ModelCall {
  const { request, response } = call;
  const copy = withCallContent(call, callContentOf(call, policy), policy);
  const isOn = isContentOn(policy);
  copy.request = {
    ...copy.request,
    toolDefinitions: redactValue(
      request.toolDefinitions,
      policy.redact,
    ) as ModelCall['request']['toolDefinitions'],
    ...(request.promptVariables && {
      promptVariables: redactValue(request.promptVariables, policy.redact) as Record<
        string,
        unknown
      >,
    }),
    toolResults: request.toolResults.map((result) => ({
      ...result,
      text: isOn ? redactJsonText(result.text, policy.redact) : '',
    })),
  };
  if (copy.response !== undefined && response !== undefined) {
    copy.response = {
      ...copy.response,
      toolCalls: response.toolCalls.map((toolCall) => ({
        ...toolCall,
        argumentsText: isOn ? redactJsonText(toolCall.argumentsText, policy.redact) : '',
      })),
    };
  }
  return copy;
}
