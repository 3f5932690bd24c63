/** The composition root: configuration becomes a running agent, live or over recordings. */
import { readFileSync, rmSync } from 'node:fs';
import {
  pipelineSettings,
  processSelection,
  selectionWarnings,
  telemetryOptions,
} from './agent-settings.ts';
import { loadBinding } from './capture/binding.ts';
import type { CaptureEvent, ConnectionRef, HostEvent } from './capture/events.ts';
import { createLiveSource, type LiveSource, type Wake } from './capture/live-source.ts';
import { readStat } from './capture/proc-process.ts';
import type { Judgement, ProcessSelection } from './capture/process-selection.ts';
import { createRecordingWriter, type RecordingWriter } from './capture/recording.ts';
import { createReplaySource } from './capture/replay-source.ts';
import { createScrubbingRecorder, type ScrubbingRecorder } from './capture/scrubbing-recorder.ts';
import type { TargetFile } from './capture/target-tracker.ts';
import type { RestLevel } from './capture/traffic-watch.ts';
import type { VerdictSink } from './capture/verdict.ts';
import type {
  Agent,
  AgentSummary,
  LiveAgentOptions,
  ReplayOptions,
  ReplayResult,
} from './cli/agent-surface.ts';
import { otlpSettings } from './config/otlp-settings.ts';
import type { Config } from './config/schema.ts';
import { followHealth } from './own-health.ts';
import {
  createPipeline,
  type Pipeline,
  type PipelineOutput,
  type PipelineSettings,
} from './pipeline.ts';
import { loadPlugins } from './plugins/load-plugins.ts';
import { createPluginStage, type PluginStage } from './plugins/plugin-stage.ts';
import type { LoadedPlugin } from './plugins/read-plugin.ts';
import { createPrinter, type Printer } from './print-view.ts';
import { createRedaction } from './redaction.ts';
import { type Counter, type Counters, createCounters } from './self/counters.ts';
import type { Log } from './self/log.ts';
import { ownResource } from './self/own-resource.ts';
import type { SelfTelemetry } from './self/telemetry.ts';
import type { StoryPiece } from './session/story.ts';
import { commandFiles } from './targets/command-files.ts';
import { discoverProcesses } from './targets/discovery.ts';
import { createLocatorCache } from './targets/locator-cache.ts';
import { createTargetFinder, type LateAttach, type TargetFinder } from './targets/target-finder.ts';
import { createTlsLocator } from './targets/tls-location.ts';
import { contentPolicy } from './telemetry/content.ts';
import { serviceInstanceId } from './telemetry/deterministic-uuid.ts';
import { createMetricExporter } from './telemetry/otlp-sender.ts';
import { conventionsOf } from './telemetry/semconv.ts';
import { createTelemetry, type Telemetry } from './telemetry/telemetry.ts';
import { messageOf } from './util/errors.ts';

const NS_PER_MS = 1_000_000;

/** LIBBPF_DEBUG of bpf/libbpf.h: every relocation of every program. */
const LIBBPF_DEBUG = 2;

/** Observes this host: every process (`host`), or those that are told by `watch` and their descendants (`tree`). */
export async function createLiveAgent(config: Config, options: LiveAgentOptions): Promise<Agent> {
  const { log } = options;
  const loaded = await configuredPlugins(config, options);
  const wantsAll = wantsAllExchanges(options, loaded);
  // Before anything is opened: a recording of that name is emptied then.
  const settings = pipelineSettings(config, wantsAll);
  const counters = createCounters();
  const binding = loadBinding();
  for (const warning of selectionWarnings(config, options.mode)) {
    log.warn(warning);
  }
  const telemetry = openTelemetry(config, options);
  const recording = openRecording(config, options, log);
  const plugins = openPlugins(config, { loaded, counters, log });
  const analysis = createAnalysis(config, {
    ...options,
    settings,
    counters,
    telemetry,
    recording,
    plugins,
    verdict: (connection, verdict) => source.setVerdict(connection, verdict),
    wanted: (connection) => source.setWanted(connection),
  });
  const { maxRemembered, maxAttached, maxWaiting } = config.limits.targets;
  const cache = createLocatorCache();
  const targets = createTargetFinder({
    locator: createTlsLocator({ binding, cache }),
    knownPrograms: cache.programs,
    onVerdict: (file) => reportVerdict(file, counters, log),
    onLate: (attach) => reportLate(attach, counters, log),
    onMissed: () => counters.counter('sightline.missed_files', {}).add(),
    onDefect: (error) => {
      counters.counter('sightline.faults', { place: 'targets' }).add();
      log.warnSometimes('defect', `a defect of ours lost a file: ${messageOf(error)}`);
      log.trouble('defect', error);
    },
    maxRemembered,
    maxAttached,
    relook: { maxWaiting },
  });
  const selection = processSelection(config, options.mode);
  const source = createLiveSource({
    binding,
    targets: config.capture.kinds.includes('tls') ? targets : withoutTargets(targets),
    watchAll: options.mode === 'host',
    selection,
    onLeftOut: countLeftOut(counters),
    ringBytes: config.capture.ringBytes,
    plain: config.capture.kinds.includes('plain'),
    loadAhead: config.capture.kinds.includes('tls'),
    letsProbesRest: config.capture.probeRest && !wantsAll,
    onRest: (file, level, wake) => reportRest({ file, level, wake }, counters, log),
    onMissing: (reason) =>
      log.warn(`unencrypted HTTP is not captured: this kernel cannot do it (${reason})`),
    limits: config.limits.capture,
    maskArguments: createRedaction(config).argv,
    // It says itself that it is libbpf's.
    onLog: (level, line) => (level < LIBBPF_DEBUG ? log.debug : log.verbose)(line.trimEnd()),
    onMalformed: (record) => {
      counters.counter('sightline.faults', { place: 'capture' }).add();
      log.warnSometimes('malformed', 'the kernel side sent a record that cannot be understood', {
        reason: record.reason,
      });
    },
    onDefect: (error) => {
      counters.counter('sightline.faults', { place: 'capture' }).add();
      log.warnSometimes('defect', `a defect of ours lost an event: ${messageOf(error)}`);
      log.trouble('defect', error);
    },
  });
  let selfTelemetry: Promise<SelfTelemetry> | undefined;
  let host: HostEvent | undefined;
  let isAbandoned = false;

  /**
   * The process ends in the middle. Probes that are left to the kernel take it a quarter of a minute, in which the
   * process does not go; those that are ended here, all at once, take a second.
   */
  function abandon(): void {
    isAbandoned = true;
    void source.stop();
  }

  return {
    async start() {
      process.once('exit', abandon);
      try {
        await source.start((event) => {
          if (event.type === 'host') {
            host = event;
          }
          if (!isAbandoned) {
            analysis.push(event);
          }
        });
      } catch (error) {
        recording?.discard();
        await telemetry.shutdown();
        throw error;
      }
      selfTelemetry = beginSelfTelemetry(config, counters, host);
    },
    expect(command, env) {
      for (const path of commandFiles(command, { directory: process.cwd(), env })) {
        targets.examineFile(path);
      }
    },
    watch: (pid) => source.watch(pid),
    async stop() {
      await source.stop();
      process.off('exit', abandon);
      recording?.close();
      // Together: an endpoint that never answers then holds the end up once, not twice.
      await Promise.all([
        telemetry.shutdown(),
        selfTelemetry?.then((ofOurselves) => ofOurselves.stop()),
      ]);
      reportLosses(source, log);
    },
    summary: () => summarise(source, targets, selection, analysis.totals()),
  };
}

/** Feeds recordings through the same chain; each file is a source of its own. */
export async function replay(config: Config, options: ReplayOptions): Promise<ReplayResult> {
  const loaded = await configuredPlugins(config, options);
  const settings = pipelineSettings(config, wantsAllExchanges(options, loaded));
  const counters = createCounters();
  const plugins = openPlugins(config, { loaded, counters, log: options.log });
  const telemetry = openTelemetry(config, options);
  const truncated: string[] = [];
  let analysis: Analysis | undefined;
  const source = createReplaySource({
    paths: options.paths,
    onOutcome: (outcome) => {
      if (outcome.truncated) {
        truncated.push(outcome.path);
      }
    },
  });
  try {
    await source.start((event) => {
      if (event.type === 'host') {
        analysis = createAnalysis(config, {
          ...options,
          settings,
          counters,
          telemetry,
          recording: undefined,
          plugins,
        });
      }
      analysis?.push(event);
    });
  } finally {
    await telemetry.shutdown();
  }
  return { truncated };
}

/** Throws a SightlineError for a plugin that cannot be used. */
function configuredPlugins(
  { plugins }: Config,
  { fileOwner }: Pick<LiveAgentOptions, 'fileOwner'>,
): Promise<LoadedPlugin[]> {
  return loadPlugins(plugins.modules, {
    trustedUids: fileOwner === undefined ? [] : [fileOwner.uid],
  });
}

/** One for all recordings of a replay: a plugin that is switched off stays so. */
function openPlugins(
  config: Config,
  parts: { loaded: readonly LoadedPlugin[]; counters: Counters; log: Log },
): PluginStage {
  const { loaded, counters, log } = parts;
  return createPluginStage({
    plugins: loaded,
    content: contentPolicy(config.content.capture, createRedaction(config).text),
    budgetNs: config.plugins.budgetMs * NS_PER_MS,
    counters,
    warn: log.warn,
  });
}

function openTelemetry(
  config: Config,
  { terminal, log, fileOwner }: Pick<LiveAgentOptions, 'terminal' | 'log' | 'fileOwner'>,
): Telemetry {
  return createTelemetry(
    telemetryOptions(config, {
      version: ownVersion(),
      terminal,
      fileOwner,
      notice: (level, message) => {
        if (level === 'warning') {
          log.warn(message);
        } else {
          log.info(message);
        }
      },
    }),
  );
}

/** Somebody looks at every exchange, and at its end. */
function wantsAllExchanges(
  { print, recordTo }: Pick<LiveAgentOptions, 'print' | 'recordTo'>,
  plugins: readonly LoadedPlugin[],
): boolean {
  return print !== undefined || recordTo !== undefined || plugins.length > 0;
}

interface Analysis {
  push(event: CaptureEvent): void;
  totals: Pipeline['totals'];
}

interface AnalysisParts extends Pick<LiveAgentOptions, 'log' | 'print'> {
  settings: PipelineSettings;
  /** Absent where the bytes are there anyway: in a replay. */
  verdict?: VerdictSink;
  wanted?: (connection: ConnectionRef) => void;
  counters: Counters;
  telemetry: Telemetry;
  recording: Recording | undefined;
  plugins: PluginStage;
}

/** The chain with everything that listens to it. */
function createAnalysis(config: Config, parts: AnalysisParts): Analysis {
  const { counters, telemetry, recording, plugins, log } = parts;
  const printer = openPrinter(config, parts);
  const hasProcesses = config.capture.kinds.includes('process');
  const events = countEvents(counters);
  const health = followHealth(counters, telemetry.stats, recording?.scrubber.counters);
  const output: PipelineOutput = {
    ...printer?.taps,
    exchange(exchange, timeNs, processOf) {
      plugins.exchange(exchange, processOf);
      printer?.taps.exchange?.(exchange, timeNs, processOf);
    },
    ...(parts.verdict === undefined ? {} : { verdict: parts.verdict }),
    ...(parts.wanted === undefined ? {} : { wanted: parts.wanted }),
    host: telemetry.host,
    tick: telemetry.tick,
    servedCall(served) {
      if (plugins.isServedCallKept(served)) {
        telemetry.servedCall(served);
      }
    },
    exchangeLeftOut(given) {
      const piece = plugins.piece(given);
      if (piece?.kind === 'http') {
        telemetry.exchangeLeftOut(piece);
      }
    },
    handshake: telemetry.handshake,
    piece(given: StoryPiece) {
      if (given.kind === 'process' && !hasProcesses) {
        return;
      }
      const piece = plugins.piece(given);
      if (piece !== undefined) {
        printer?.piece(piece);
        telemetry.piece(piece);
      }
    },
    fault(error) {
      log.warnSometimes('fault', `a defect of ours lost a connection: ${messageOf(error)}`);
      log.trouble('fault', error);
    },
    ...(recording === undefined
      ? {}
      : {
          secret: recording.scrubber.mask,
          decoded: recording.scrubber.decoded,
          released: recording.scrubber.release,
        }),
  };
  const pipeline = createPipeline(parts.settings, output, counters);
  return {
    push(event) {
      events(event);
      printer?.event(event);
      recording?.scrubber.event(event);
      pipeline.push(event);
      if (event.type === 'tick' || event.type === 'end') {
        health.update();
      }
    },
    totals: pipeline.totals,
  };
}

function openPrinter(config: Config, { print }: AnalysisParts): Printer | undefined {
  if (print === undefined) {
    return undefined;
  }
  const content = contentPolicy(config.content.capture, createRedaction(config).text);
  const conventions = conventionsOf(config.semantics.conventions, config.http.knownMethods);
  return createPrinter(print, content, conventions, config.content.maxBytes);
}

/** Counts what the capture room delivers. The hot ones are looked up once. */
function countEvents(counters: Counters): (event: CaptureEvent) => void {
  const readBytes = counters.counter('sightline.bytes', { direction: 'read' });
  const writeBytes = counters.counter('sightline.bytes', { direction: 'write' });
  const byType = new Map<string, Counter>();

  function counterOf(type: string): Counter {
    let counter = byType.get(type);
    if (counter === undefined) {
      counter = counters.counter('sightline.events', { type });
      byType.set(type, counter);
    }
    return counter;
  }

  return (event) => {
    counterOf(event.type).add();
    if (event.type === 'data') {
      (event.direction === 'read' ? readBytes : writeBytes).add(event.bytes.length);
    } else if (event.type === 'drops') {
      for (const [reason, records] of Object.entries(event.records)) {
        counters.counter('sightline.drops', { place: 'kernel', reason }).add(records);
      }
      counters
        .counter('sightline.dropped_bytes', { place: 'kernel', reason: 'any' })
        .add(event.bytes);
    }
  };
}

/** Of processes that are no targets, or excluded: what the kernel had seen before it was told. */
function countLeftOut(counters: Counters): (kind: Judgement['kind'], bytes: number) => void {
  const unwanted = counters.counter('sightline.left_out', { reason: 'no-target' });
  const excluded = counters.counter('sightline.left_out', { reason: 'excluded' });
  const unwantedBytes = counters.counter('sightline.left_out_bytes', { reason: 'no-target' });
  const excludedBytes = counters.counter('sightline.left_out_bytes', { reason: 'excluded' });
  return (kind, bytes) => {
    (kind === 'excluded' ? excluded : unwanted).add();
    (kind === 'excluded' ? excludedBytes : unwantedBytes).add(bytes);
  };
}

interface Recording {
  scrubber: ScrubbingRecorder;
  writer: RecordingWriter;
  close(): void;
  /** Nothing was captured: leaves no file behind. */
  discard(): void;
}

function openRecording(
  config: Config,
  { recordTo, fileOwner }: LiveAgentOptions,
  log: Log,
): Recording | undefined {
  if (recordTo === undefined) {
    return undefined;
  }
  const writer = createRecordingWriter({
    path: recordTo,
    overwrite: true,
    writerVersion: ownVersion(),
    onError: (error) => log.warn(error.message),
    ...(fileOwner === undefined ? {} : { owner: fileOwner }),
  });
  const scrubber = createScrubbingRecorder({ write: writer.write, ...config.limits.recorder });
  return {
    scrubber,
    writer,
    close() {
      scrubber.flush();
      const { events, skippedEvents, fileBytes, error } = writer.close();
      if (skippedEvents > 0) {
        log.warn(`${skippedEvents} events are not in ${recordTo}: the format has no room for them`);
      }
      if (error === undefined) {
        log.info(`recorded ${events} events in ${recordTo} (${fileBytes} bytes)`);
      } else {
        log.warn(`the recording ${recordTo} ends in the middle, after ${fileBytes} bytes`);
      }
    },
    discard() {
      writer.close();
      rmSync(recordTo, { force: true });
    },
  };
}

/** Own metrics go where the workloads' metrics go; when that is nowhere in particular, nowhere. */
function beginSelfTelemetry(
  config: Config,
  counters: Counters,
  host: HostEvent | undefined,
): Promise<SelfTelemetry> | undefined {
  const settings = otlpSettings(config, 'metrics');
  if (settings === undefined || settings.isDefault) {
    return undefined;
  }
  const exporter = createMetricExporter(settings);
  // The NodeSDK takes a quarter of a second of CPU to load: it is not waited for, and not loaded for nobody.
  return import('./self/telemetry.ts').then(({ startSelfTelemetry }) =>
    startSelfTelemetry({
      counters,
      exporter,
      exportIntervalMs: config.metrics.exportIntervalMs,
      exportTimeoutMs: config.metrics.exportTimeoutMs,
      version: ownVersion(),
      ...(host === undefined
        ? {}
        : {
            resource: ownResource({
              host,
              pid: process.pid,
              startTicks: readStat(process.pid)?.startTicks ?? 0n,
              instanceId: serviceInstanceId,
              extra: config.otel.resourceAttributes,
            }),
          }),
    }),
  );
}

/** Processes are followed, but no TLS library is attached to. */
function withoutTargets(targets: TargetFinder): TargetFinder {
  return {
    ...targets,
    begin: () => {},
    examine: () => {},
    executed: () => {},
    mapped: (_pid, _inode, _timeNs, onFound) => onFound(),
    settled: () => Promise.resolve(),
    examineFile: () => undefined,
  };
}

function reportVerdict(file: TargetFile, counters: Counters, log: Log): void {
  for (const stack of file.stacks ?? ['unknown']) {
    counters.counter('sightline.attaches', { stack, result: file.verdict }).add();
  }
  const line = `${file.path}: ${file.verdict} (${file.reason})`;
  if (file.verdict === 'failed') {
    log.warnSometimes('attach', line);
  } else {
    log.debug(line);
  }
}

/** Upper ends of the classes that what came late (probes that are new, or back) is counted in. */
const LATE_CLASSES_MS: readonly [number, string][] = [
  [10, '10ms'],
  [100, '100ms'],
  [1000, '1s'],
];

function lateClass(timeNs: bigint): string {
  const timeMs = Number(timeNs) / 1e6;
  return LATE_CLASSES_MS.find(([limitMs]) => timeMs <= limitMs)?.[1] ?? 'more';
}

function reportLate({ pid, file, lateNs }: LateAttach, counters: Counters, log: Log): void {
  const lateMs = Number(lateNs) / 1e6;
  const within = lateClass(lateNs);
  for (const stack of file.stacks ?? []) {
    counters.counter('sightline.late_attaches', { stack, within }).add();
  }
  log.info(
    `${file.path} was new: process ${pid} ran it for ${lateMs.toFixed(0)} ms before it could be observed; requests of that time are not seen`,
  );
}

interface RestReport {
  file: TargetFile;
  /** Undefined: the probes are back. */
  level: RestLevel | undefined;
  wake: Wake | undefined;
}

function reportRest({ file, level, wake }: RestReport, counters: Counters, log: Log): void {
  if (level !== undefined) {
    counters.counter('sightline.rests', { level }).add();
    log.debug(`${file.path}: there is nothing to see in it, so its probes rest (${level})`);
  } else if (wake !== undefined) {
    const { reason, lateNs } = wake;
    counters.counter('sightline.wakes', { reason, within: lateClass(lateNs) }).add();
    const lateMs = (Number(lateNs) / 1e6).toFixed(1);
    log.debug(`${file.path}: its probes are back (${reason}), after ${lateMs} ms`);
  }
}

function reportLosses(source: LiveSource, log: Log): void {
  const counters = source.counters();
  if (counters === undefined || counters.droppedBytes === 0) {
    return;
  }
  log.warn(
    `${counters.droppedBytes} captured bytes were lost in the kernel; the spans they belong to are marked. A larger SIGHTLINE_RING_BYTES helps`,
  );
}

function summarise(
  source: LiveSource,
  targets: TargetFinder,
  selection: ProcessSelection | undefined,
  totals: { exchanges: number; calls: number },
): AgentSummary {
  const watches = source
    .discoveries()
    .filter((file) => file.verdict === 'attached')
    .map((file) => `${file.path} (${file.stacks?.join(', ') ?? 'unknown'})`);
  const found = discoverProcesses({ finder: targets, selection })
    .filter(
      ({ state, agent }) =>
        state !== 'left-out' && state !== 'ours' && (state !== 'no-tls' || agent),
    )
    .map((found) => `${found.workload} (pid ${found.pid})`);
  return { watches, found, ...totals };
}

let version: string | undefined;

function ownVersion(): string {
  if (version === undefined) {
    const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
    version = (JSON.parse(text) as { version: string }).version;
  }
  return version;
}
