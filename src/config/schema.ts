/**
 * Every setting of Sightline: its variable, format, default and meaning. The one source of truth, from which the
 * `Config` type, the documentation and the `--help` texts follow.
 */
import {
  boolean,
  choice,
  choices,
  count,
  counts,
  duration,
  endpoint,
  globs,
  methods,
  modules,
  outputFile,
  pairs,
  ratio,
  readableFile,
  size,
  timeout,
  users,
} from './format.ts';
import { httpFilter } from './http-filter.ts';
import type { Key, RequiredKey } from './key.ts';
import { optional, required } from './key.ts';
import { limitKeys } from './limits.ts';
import { llmHosts } from './llm-hosts.ts';
import { redactions } from './redaction-format.ts';

const PROTOCOLS = ['grpc', 'http/protobuf'] as const;
const COMPRESSIONS = ['none', 'gzip'] as const;
const EXPORTERS = ['otlp', 'console', 'none'] as const;
const LOG_LEVELS = ['none', 'error', 'warn', 'info', 'debug', 'verbose', 'all'] as const;

const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

/** https://opentelemetry.io/docs/specs/otel/protocol/exporter/#configuration-options */
const otlp = {
  endpoint: optional(
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    endpoint(),
    'http://localhost:4317, or port 4318 with http/protobuf; while nothing answers, finished traces are printed as a tree',
    'Where an OTLP receiver listens. With http/protobuf, v1/traces, v1/metrics or v1/logs is appended to its path.',
  ),
  protocol: required(
    'OTEL_EXPORTER_OTLP_PROTOCOL',
    choice(PROTOCOLS),
    'grpc',
    'How OTLP is sent: grpc (receivers listen on port 4317) or http/protobuf (port 4318).',
  ),
  headers: {
    ...required(
      'OTEL_EXPORTER_OTLP_HEADERS',
      pairs('header'),
      [],
      'Headers sent with every export, such as an API key. Never shown.',
    ),
    sensitive: true,
  },
  timeoutMs: required(
    'OTEL_EXPORTER_OTLP_TIMEOUT',
    timeout(),
    10_000,
    'How long one export may take, its retries included.',
  ),
  compression: required(
    'OTEL_EXPORTER_OTLP_COMPRESSION',
    choice(COMPRESSIONS),
    'none',
    'Compression of what is exported.',
  ),
  certificate: optional(
    'OTEL_EXPORTER_OTLP_CERTIFICATE',
    readableFile(),
    "the system's authorities",
    "PEM file of the authorities that the receiver's certificate is checked against.",
  ),
  clientKey: optional(
    'OTEL_EXPORTER_OTLP_CLIENT_KEY',
    readableFile(),
    'no client certificate',
    "PEM file of the private key to the client's certificate (mTLS).",
  ),
  clientCertificate: optional(
    'OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE',
    readableFile(),
    'no client certificate',
    "PEM file of the client's certificate (mTLS).",
  ),
  insecure: required(
    'OTEL_EXPORTER_OTLP_INSECURE',
    boolean(),
    false,
    'True: gRPC without TLS where the endpoint has no scheme. A scheme decides by itself.',
  ),
} as const;

/** The same settings for one signal alone; whatever is unset falls back to the common one. */
function otlpSignal<const S extends 'TRACES' | 'METRICS' | 'LOGS'>(signal: S) {
  const prefix = `OTEL_EXPORTER_OTLP_${signal}`;
  const name = signal.toLowerCase();
  const common = (key: { env: string }): string => `as ${key.env}`;
  return {
    endpoint: optional(
      `${prefix}_ENDPOINT`,
      endpoint(),
      common(otlp.endpoint),
      `Where ${name} are sent. With http/protobuf the URL is taken as it is.`,
    ),
    protocol: optional(
      `${prefix}_PROTOCOL`,
      choice(PROTOCOLS),
      common(otlp.protocol),
      `How ${name} are sent.`,
    ),
    headers: optional(
      `${prefix}_HEADERS`,
      pairs('header'),
      common(otlp.headers),
      `Headers sent with ${name}, besides the common ones; of the same name, this one counts. Never shown.`,
      true,
    ),
    timeoutMs: optional(
      `${prefix}_TIMEOUT`,
      timeout(),
      common(otlp.timeoutMs),
      `How long one export of ${name} may take.`,
    ),
    compression: optional(
      `${prefix}_COMPRESSION`,
      choice(COMPRESSIONS),
      common(otlp.compression),
      `Compression of exported ${name}.`,
    ),
    certificate: optional(
      `${prefix}_CERTIFICATE`,
      readableFile(),
      common(otlp.certificate),
      `Authorities for the receiver of ${name}.`,
    ),
    clientKey: optional(
      `${prefix}_CLIENT_KEY`,
      readableFile(),
      common(otlp.clientKey),
      `Client key for the receiver of ${name}.`,
    ),
    clientCertificate: optional(
      `${prefix}_CLIENT_CERTIFICATE`,
      readableFile(),
      common(otlp.clientCertificate),
      `Client certificate for the receiver of ${name}.`,
    ),
    insecure: optional(
      `${prefix}_INSECURE`,
      boolean(),
      common(otlp.insecure),
      `gRPC without TLS for ${name}.`,
    ),
  } as const;
}

function exporter(signal: 'TRACES' | 'METRICS' | 'LOGS') {
  const name = signal.toLowerCase();
  return required(
    `OTEL_${signal}_EXPORTER`,
    choice(EXPORTERS),
    'otlp',
    `Where ${name} go: to an OTLP receiver, to the terminal, or nowhere.`,
  );
}

/** https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#batch-span-processor */
function batch(prefix: 'OTEL_BSP' | 'OTEL_BLRP', name: string, delayMs: number) {
  return {
    scheduleDelayMs: required(
      `${prefix}_SCHEDULE_DELAY`,
      duration({ min: 1 }),
      delayMs,
      `How long ${name} wait to be exported together.`,
    ),
    exportTimeoutMs: required(
      `${prefix}_EXPORT_TIMEOUT`,
      timeout(),
      30_000,
      `How long the export of one batch of ${name} may take.`,
    ),
    maxQueueSize: required(
      `${prefix}_MAX_QUEUE_SIZE`,
      count({ min: 1, max: 1_000_000 }),
      2048,
      `How many ${name} may wait; more are dropped and counted.`,
    ),
    maxExportBatchSize: required(
      `${prefix}_MAX_EXPORT_BATCH_SIZE`,
      count({ min: 1, max: 1_000_000 }),
      512,
      `How many ${name} one export may carry; at most ${prefix}_MAX_QUEUE_SIZE.`,
    ),
  } as const;
}

/** Which processes are observed, or left out: the same five variables for both. */
function processes(prefix: 'SIGHTLINE_TARGET' | 'SIGHTLINE_EXCLUDE', whose: string, else_: string) {
  return {
    pids: required(
      `${prefix}_PID`,
      counts({ min: 1, max: 4_194_304, of: 'process ids' }),
      [],
      `${whose} processes that run with these ids when Sightline begins.${else_}`,
    ),
    comms: required(
      `${prefix}_COMM`,
      globs({ maxLength: 15 }),
      [],
      `${whose} processes by their name, as ps -o comm shows it: at their start, when they start a program, and when they give themselves another one. Names of threads do not count.`,
    ),
    executables: required(
      `${prefix}_EXE`,
      globs(),
      [],
      `${whose} processes by the path of their executable. A pattern that does not begin with / may begin at any directory: claude is any executable of that name.`,
    ),
    uids: required(
      `${prefix}_UID`,
      users(),
      [],
      `${whose} processes by the user they run as (the real user id).`,
    ),
    cgroups: required(
      `${prefix}_CGROUP`,
      globs(),
      [],
      `${whose} processes in a control group with this path, or below it. A pattern that does not begin with / may begin at any part: docker-*.scope.`,
    ),
  } as const;
}

export const schema = {
  capture: {
    kinds: required(
      'SIGHTLINE_CAPTURE',
      choices(['tls', 'plain', 'server', 'process'], {
        unavailable: ['stdio', 'file', 'network', 'system'],
      }),
      ['tls', 'plain', 'process'],
      "What is captured: tls (plaintext of TLS connections), plain (unencrypted HTTP), server (the server's side of model calls too, for metrics of servers), process (programs that start and end).",
    ),
    probeRest: required(
      'SIGHTLINE_PROBE_REST',
      boolean(),
      true,
      'True: probes are taken away from programs while all that they do over TLS is a download that is no model call, or answering requests, and put back when they connect to another host.',
    ),
    ringBytes: required(
      'SIGHTLINE_RING_BYTES',
      size({ min: 64 * 1024, max: 1024 ** 3, powerOfTwo: true }),
      16 * 1024 ** 2,
      'Size of the ring buffer by which the kernel hands events over. When it is full, events are dropped and counted.',
    ),
    streamTimeoutMs: required(
      'SIGHTLINE_STREAM_TIMEOUT',
      duration({ min: 1 }),
      5 * 60_000,
      'An exchange on which nothing moved for so long is closed as incomplete.',
    ),
    turnTimeoutMs: required(
      'SIGHTLINE_TURN_TIMEOUT',
      duration({ min: 1 }),
      10 * 60_000,
      'An agent turn in which nothing happened for so long is closed as incomplete.',
    ),
  },
  semantics: {
    conventions: required(
      'SIGHTLINE_SEMCONV',
      choice(['1.41', 'latest']),
      '1.41',
      'Which OpenTelemetry semantic conventions for generative AI the names of attributes and metrics follow: 1.41 (the last published set, which backends know) or latest (those written since, which may still change).',
    ),
  },
  llm: {
    hosts: required(
      'SIGHTLINE_LLM_HOSTS',
      llmHosts(),
      [],
      'Hosts of model APIs beyond those that are known, each with the API that is spoken there and, after a colon, the name of its provider. In hosts and paths * and ? stand for characters, in paths not for slashes, for which ** does. With a path and the name of one API, every POST to that path is one of its calls; without a path, or with a family (openai, anthropic, gemini, ollama, cohere, bedrock), the API has the paths of its maker.',
    ),
  },
  cost: {
    prices: optional(
      'SIGHTLINE_PRICES',
      readableFile(),
      'the built-in table',
      'A JSON file of model prices, from which the cost of calls is estimated.',
    ),
  },
  plugins: {
    modules: required(
      'SIGHTLINE_PLUGINS',
      modules(),
      [],
      'Modules whose hooks may add attributes to what is exported, redact it or drop it. They run inside Sightline, with all its rights.',
    ),
    budgetMs: required(
      'SIGHTLINE_PLUGIN_BUDGET',
      duration({ min: 1, max: 10_000 }),
      1,
      'What a hook of a plugin may take on average; a plugin that takes longer, or 250 times as long once, is switched off; one that gives no answer for 1000 times as long (at most 30 s) is ended.',
    ),
  },
  target: processes(
    'SIGHTLINE_TARGET',
    'Observe only',
    ' With any SIGHTLINE_TARGET_ variable, only processes that match one of them and their descendants are observed.',
  ),
  exclude: processes(
    'SIGHTLINE_EXCLUDE',
    'Leave out',
    ' What any SIGHTLINE_EXCLUDE_ variable matches is left out with its descendants, targets among them.',
  ),
  http: {
    filter: optional(
      'SIGHTLINE_HTTP_FILTER',
      httpFilter(),
      'every exchange is kept',
      'Which HTTP exchanges are kept, model calls among them: where it is false, no span, metric or event is made. Where it has no answer, as for a header that is missing, the exchange is kept and counted.',
    ),
    spans: required(
      'SIGHTLINE_HTTP_SPANS',
      choice(['off', 'agents', 'all']),
      'agents',
      "Spans for HTTP exchanges that are no model calls: off, those of processes in an agent's tree (agents), or those of every process (all).",
    ),
    knownMethods: optional(
      'OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS',
      methods(),
      'CONNECT,DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT,QUERY,TRACE',
      'The methods that spans and metrics of HTTP exchanges tell as they are; any other is _OTHER. A list takes the place of the whole default.',
    ),
  },
  content: {
    capture: required(
      'OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT',
      choice(['NO_CONTENT', 'SPAN_ONLY', 'EVENT_ONLY', 'SPAN_AND_EVENT'], {
        aliases: { true: 'SPAN_ONLY', false: 'NO_CONTENT' },
      }),
      'NO_CONTENT',
      'Whether messages, prompts and tool arguments are exported, and where: on spans, on log events, or both. true is read as SPAN_ONLY, false as NO_CONTENT. Credentials are never exported.',
    ),
    maxBytes: required(
      'SIGHTLINE_MAX_CONTENT_BYTES',
      size({ min: 0, max: 1024 ** 3 }),
      64 * 1024,
      'Captured content of one message field beyond this is cut. Usage, ids and tool names never are.',
    ),
    redact: required(
      'SIGHTLINE_REDACT',
      redactions(),
      [],
      'What is masked besides credentials: email and card (optional rules), and patterns of your own.',
    ),
  },
  file: {
    path: optional(
      'SIGHTLINE_FILE',
      outputFile(),
      'no file',
      "Also write what is exported to this file as OTLP JSON lines (the format of the Collector's otlpjsonfile receiver), whatever the exporters are.",
    ),
    maxBytes: required(
      'SIGHTLINE_FILE_MAX_BYTES',
      size({ min: 64 * 1024, max: 1024 ** 4 }),
      100 * 1024 ** 2,
      'When the file would grow beyond this it is renamed to FILE.1, FILE.1 to FILE.2 and so on, and a new one begun.',
    ),
    maxRotated: required(
      'SIGHTLINE_FILE_MAX_ROTATED',
      count({ min: 1, max: 1000 }),
      3,
      'How many renamed files are kept; the oldest is deleted.',
    ),
  },
  otel: {
    disabled: required(
      'OTEL_SDK_DISABLED',
      boolean(),
      false,
      'True: nothing is exported, neither by OTLP nor to the console or a file.',
    ),
    resourceAttributes: required(
      'OTEL_RESOURCE_ATTRIBUTES',
      pairs('attribute'),
      [],
      'Attributes added to the resource of everything that is exported, such as deployment.environment.name=prod.',
    ),
    attributeCountLimit: required(
      'OTEL_ATTRIBUTE_COUNT_LIMIT',
      count({ min: 1, max: 100_000 }),
      128,
      'Attributes that one span or log record may have; more are dropped and counted.',
    ),
    attributeValueLengthLimit: optional(
      'OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT',
      count({ min: 0, max: 2 ** 31 - 1 }),
      'no limit',
      'Text attributes longer than this many characters are cut.',
    ),
    logLevel: required(
      'OTEL_LOG_LEVEL',
      choice(LOG_LEVELS),
      'info',
      "Level of Sightline's own log, which goes to stderr. verbose and all add what the loader of the kernel programs says.",
    ),
  },
  log: {
    format: required(
      'SIGHTLINE_LOG_FORMAT',
      choice(['text', 'json']),
      'text',
      "Sightline's own log as readable lines or as JSON lines.",
    ),
  },
  traces: {
    exporter: exporter('TRACES'),
    sampler: required(
      'OTEL_TRACES_SAMPLER',
      choice(SAMPLERS),
      'parentbased_always_on',
      'Which traces are exported.',
    ),
    samplerRatio: required(
      'OTEL_TRACES_SAMPLER_ARG',
      ratio(),
      1,
      'Share of the traces that the traceidratio samplers keep.',
    ),
    batch: batch('OTEL_BSP', 'spans', 5000),
  },
  metrics: {
    exporter: exporter('METRICS'),
    exportIntervalMs: required(
      'OTEL_METRIC_EXPORT_INTERVAL',
      duration({ min: 1 }),
      60_000,
      'Time between two exports of metrics.',
    ),
    exportTimeoutMs: required(
      'OTEL_METRIC_EXPORT_TIMEOUT',
      timeout(),
      30_000,
      'How long one export of metrics may take; never longer than the interval.',
    ),
    temporality: required(
      'OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE',
      choice(['cumulative', 'delta', 'lowmemory']),
      'cumulative',
      'Whether sums are exported since the start or since the last export.',
    ),
  },
  logs: {
    exporter: exporter('LOGS'),
    batch: batch('OTEL_BLRP', 'log records', 1000),
  },
  otlp: {
    ...otlp,
    traces: otlpSignal('TRACES'),
    metrics: otlpSignal('METRICS'),
    logs: otlpSignal('LOGS'),
  },
  limits: limitKeys,
} as const;

/** The schema's values, deeply readonly. Settings that may stay unset are `undefined` then. */
type Values<G> = {
  readonly [K in keyof G]: G[K] extends RequiredKey<infer T>
    ? T
    : G[K] extends Key<infer T>
      ? T | undefined
      : Values<G[K]>;
};

export type Config = Values<typeof schema>;

/** A setting with the place where the configuration keeps it, such as `otlp.traces.endpoint`. */
export interface Setting {
  readonly path: string;
  readonly key: Key<unknown>;
}

/** All settings, in the order of the schema. */
export function settings(): readonly Setting[] {
  return settingsOf(schema, '');
}

function settingsOf(group: object, prefix: string): Setting[] {
  const found: Setting[] = [];
  for (const [name, node] of Object.entries(group) as [string, object][]) {
    const path = `${prefix}${name}`;
    if (isKey(node)) {
      found.push({ path, key: node });
    } else {
      found.push(...settingsOf(node, `${path}.`));
    }
  }
  return found;
}

function isKey(node: object): node is Key<unknown> {
  return 'env' in node && typeof node.env === 'string';
}
