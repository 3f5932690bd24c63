/** The whole chain over given bytes, as the agent composes it, with everything that comes out of it kept. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { pipelineSettings, telemetryOptions } from '../../../src/agent-settings.ts';
import type { CaptureEvent } from '../../../src/capture/events.ts';
import { createRecordingWriter } from '../../../src/capture/recording.ts';
import { createReplaySource } from '../../../src/capture/replay-source.ts';
import { createScrubbingRecorder } from '../../../src/capture/scrubbing-recorder.ts';
import { PRINT_STAGES } from '../../../src/cli/agent-surface.ts';
import { printLine } from '../../../src/cli/print.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { Config } from '../../../src/config/schema.ts';
import { createHttpStage } from '../../../src/http/http-stage.ts';
import { createPipeline, type Pipeline, type PipelineOutput } from '../../../src/pipeline.ts';
import { createPrinter, type Printer } from '../../../src/print-view.ts';
import { createRedaction } from '../../../src/redaction.ts';
import { createCounters } from '../../../src/self/counters.ts';
import { contentPolicy } from '../../../src/telemetry/content.ts';
import { CONVENTIONS } from '../../../src/telemetry/semconv.ts';
import { createTelemetry } from '../../../src/telemetry/telemetry.ts';
import { createTransport } from '../../../src/transport/transport.ts';
import { HOST } from '../story-pieces.ts';
import type { Conversation } from './conversations.ts';

/** What came out, each place by itself. */
export interface Outputs {
  /** OTLP JSON lines: spans, metrics, log records. */
  file: string;
  /** Tree, metrics and events as a terminal gets them. */
  console: string;
  notices: string;
  print: string;
  /** Decompressed. */
  recording: string;
  /** Bodies and messages as they are read from the recording, what is Base64 in them decoded too. */
  recorded: string;
  /** The OTLP file of a replay of that recording. */
  replayed: string;
  maskedBytes: number;
  unreleasedBytes: number;
}

export interface Chain {
  conversations: readonly Conversation[];
  /** Sizes of the reads and writes, in turn. */
  sizes: readonly number[];
  /** Arguments of the processes, one each. */
  argv?: readonly string[];
  env?: Readonly<Record<string, string>>;
}

export async function runChain(chain: Chain): Promise<Outputs> {
  const directory = mkdtempSync(join(tmpdir(), 'sightline-secrets-'));
  try {
    const recording = join(directory, 'run.slrec');
    const live = await runLive(eventsOf(chain), directory, chain.env, recording);
    const bytes = readFileSync(recording);
    const frames = gunzipSync(bytes.subarray(bytes.indexOf(Buffer.of(0x1f, 0x8b))));
    const events: CaptureEvent[] = [];
    await createReplaySource({ paths: [recording] }).start((event) => {
      events.push(event.type === 'data' ? { ...event, bytes: Buffer.from(event.bytes) } : event);
    });
    const recorded = contentsOf(events);
    return {
      ...live,
      recording: frames.toString('latin1'),
      recorded: isAnythingDecoded(events)
        ? recorded + contentsOf(events.map(withoutDecoded))
        : recorded,
      replayed: await replay(events, directory, chain.env),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function isAnythingDecoded(events: readonly CaptureEvent[]): boolean {
  return events.some((event) => event.type === 'data' && (event.decoded?.length ?? 0) > 0);
}

/** As if compressed bytes were those that were sent. */
function withoutDecoded(event: CaptureEvent): CaptureEvent {
  if (event.type !== 'data') {
    return event;
  }
  const { decoded: _decoded, ...rest } = event;
  return rest;
}

/** Every body and message that a reader without rules and limits finds in the events. */
function contentsOf(events: readonly CaptureEvent[]): string {
  let contents = '';
  const keep = (bytes: Uint8Array): void => {
    contents += Buffer.from(bytes).toString('latin1');
  };
  const sink = { data: keep, gap() {}, end: () => keep(Buffer.from('\n')) };
  const transport = createTransport({
    createParser: createHttpStage({
      handler: () => ({ requestBody: sink, response: () => sink }),
      webSocket: () => ({ message: () => sink }),
    }),
    onFault(error) {
      throw error;
    },
  });
  for (const event of events) {
    transport.push(event);
  }
  const decoded = [...contents.matchAll(/[A-Za-z0-9+/]{24,}={0,2}/g)].map(([text]) =>
    Buffer.from(text, 'base64').toString('latin1'),
  );
  return contents + decoded.join('\n');
}

/** Everything that can come out at once, and a recording. */
async function runLive(
  events: Iterable<CaptureEvent>,
  directory: string,
  env: Readonly<Record<string, string>> = {},
  recordTo: string,
) {
  const path = join(directory, 'live.jsonl');
  const config = configFor(path, {
    OTEL_TRACES_EXPORTER: 'console',
    OTEL_METRICS_EXPORTER: 'console',
    OTEL_LOGS_EXPORTER: 'console',
    ...env,
  });
  let terminal = '';
  let notices = '';
  const telemetry = createTelemetry(
    telemetryOptions(config, {
      ...SILENT,
      terminal: {
        write(text) {
          terminal += text;
        },
      },
      notice(_level, message) {
        notices += `${message}\n`;
      },
    }),
  );
  const writer = createRecordingWriter({ path: recordTo, overwrite: true });
  const scrubber = createScrubbingRecorder({ write: writer.write });
  const lines: string[] = [];
  const printers = openPrinters(config, lines);
  const taps = Object.assign({}, ...printers.map((printer) => printer.taps)) as Printer['taps'];
  const pipeline = openPipeline(config, {
    ...taps,
    host: telemetry.host,
    tick: telemetry.tick,
    piece(piece) {
      for (const printer of printers) {
        printer.piece(piece);
      }
      telemetry.piece(piece);
    },
    secret: scrubber.mask,
    decoded: scrubber.decoded,
    released: scrubber.release,
  });
  for (const event of events) {
    for (const printer of printers) {
      printer.event(event);
    }
    scrubber.event(event);
    pipeline.push(event);
  }
  scrubber.flush();
  writer.close();
  await telemetry.shutdown();
  const { maskedBytes, unreleasedBytes } = scrubber.counters();
  return {
    file: readFileSync(path, 'utf8'),
    console: terminal,
    notices,
    print: lines.join('\n'),
    maskedBytes,
    unreleasedBytes,
  };
}

/** The OTLP file alone, which has all that is exported. */
async function replay(
  events: Iterable<CaptureEvent>,
  directory: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const path = join(directory, 'replay.jsonl');
  const config = configFor(path, {
    OTEL_TRACES_EXPORTER: 'none',
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_LOGS_EXPORTER: 'none',
    ...env,
  });
  const telemetry = createTelemetry(telemetryOptions(config, SILENT));
  const { host, tick, piece } = telemetry;
  const pipeline = openPipeline(config, { host, tick, piece });
  for (const event of events) {
    pipeline.push(event);
  }
  await telemetry.shutdown();
  return readFileSync(path, 'utf8');
}

const SILENT = {
  version: '9.9.9',
  terminal: { write() {} },
  notice() {},
  fileOwner: undefined,
};

function configFor(path: string, env: Readonly<Record<string, string>>): Config {
  return loadConfig({
    OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'SPAN_AND_EVENT',
    SIGHTLINE_FILE: path,
    ...env,
  });
}

function openPipeline(config: Config, output: PipelineOutput): Pipeline {
  return createPipeline(
    pipelineSettings(config),
    {
      ...output,
      fault(error) {
        throw error;
      },
    },
    createCounters(),
  );
}

/** All stages at once; of the bodies' two taps the one that shows bodies. */
function openPrinters(config: Config, lines: string[]): Printer[] {
  const content = contentPolicy(config.content.capture, createRedaction(config).text);
  return PRINT_STAGES.map((stage) =>
    createPrinter(
      {
        stage,
        sink: (at, value) => lines.push(printLine(at, value, { showBodies: true })),
      },
      content,
      CONVENTIONS[config.semantics.conventions],
      config.content.maxBytes,
    ),
  );
}

/** Each conversation on a connection of a process of its own, whose arguments are masked as the capture does it. */
function* eventsOf({ conversations, sizes, argv, env }: Chain): Generator<CaptureEvent> {
  const mask = createRedaction(loadConfig(env ?? {})).argv;
  let timeNs = HOST.timeNs;
  yield HOST;
  for (const [index, conversation] of conversations.entries()) {
    timeNs += 1_000_000n;
    const process = { pid: 1000 + index, startNs: timeNs };
    yield {
      type: 'exec',
      timeNs,
      process,
      parent: { pid: 1, startNs: 1n },
      executable: '/usr/bin/app',
      argv: mask(['app', ...(argv ?? []).slice(index, index + 1)]),
      argvLostBytes: 0,
      uid: 0,
      gid: 0,
      cgroupId: 1n,
      comm: 'app',
    };
    const connection = { process, stack: 'openssl', object: 4096, generation: timeNs } as const;
    const positions = { read: 0, write: 0 };
    for (const [direction, bytes] of turnsOf(conversation)) {
      for (let at = 0, turn = index, sequence = 0; at < bytes.length; turn += 1) {
        const piece = Buffer.from(bytes.subarray(at, at + (sizes[turn % sizes.length] ?? 1)));
        timeNs += 1000n;
        yield {
          type: 'data',
          timeNs,
          enterNs: timeNs - 500n,
          tid: process.pid,
          connection,
          direction,
          position: positions[direction],
          callBytes: piece.length,
          callOffset: 0,
          sequence,
          bytes: piece,
        };
        piece.fill(0x7e);
        at += piece.length;
        positions[direction] += piece.length;
        sequence += 1;
      }
    }
    timeNs += 1000n;
    yield {
      type: 'close',
      timeNs,
      connection,
      readPosition: positions.read,
      writePosition: positions.write,
    };
    yield { type: 'exit', timeNs: timeNs + 1n, process, exitCode: 0 };
  }
  yield { type: 'tick', timeNs: timeNs + 1000n };
  yield { type: 'end', timeNs: timeNs + 2000n };
}

function turnsOf({ opening, request, response }: Conversation): ['read' | 'write', Buffer][] {
  const before = opening === undefined ? [] : turnsOf(opening);
  return [...before, ['write', request], ['read', response]];
}
