/**
 * A real Collector, Jaeger and Prometheus with the files that the project ships, on loopback addresses of their
 * own so that nothing else on the machine is in the way. `scripts/real/backends.sh` builds the programs.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const COLLECTOR_HOST = '127.0.0.41';
const JAEGER_HOST = '127.0.0.42';
const PROMETHEUS_HOST = '127.0.0.43';

const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 200;

interface Program {
  name: string;
  child: ChildProcess;
  log: string;
}

/** Tags and references of a span as Jaeger's HTTP API gives them. */
export interface JaegerSpan {
  traceID: string;
  spanID: string;
  operationName: string;
  references: { refType: string; traceID: string; spanID: string }[];
  /** Microseconds since the epoch. */
  startTime: number;
  duration: number;
  tags: { key: string; type: string; value: unknown }[];
  processID: string;
}

export interface JaegerTrace {
  traceID: string;
  spans: JaegerSpan[];
  processes: Record<string, { serviceName: string; tags: { key: string; value: unknown }[] }>;
}

export interface PrometheusSeries {
  metric: Record<string, string>;
  value: [number, string];
}

export interface Backends {
  /** OTLP over gRPC and over HTTP, at the collector. */
  grpcEndpoint: string;
  httpEndpoint: string;
  traces(service: string): Promise<JaegerTrace[]>;
  query(expression: string): Promise<PrometheusSeries[]>;
  stop(): Promise<void>;
}

async function isAnswering(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** Asks again until `probe` gives something, or the time is over. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined>,
  timeoutMs = READY_TIMEOUT_MS,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const result = await probe();
    if (result !== undefined) {
      return result;
    }
    if (Date.now() > deadline) {
      throw new Error(`${what}: not after ${timeoutMs} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Starts all three from the programs in `binFolder` and waits until each says that it is ready. */
export async function startBackends(binFolder: string): Promise<Backends> {
  const directory = mkdtempSync(join(tmpdir(), 'sightline-backends-'));
  const programs: Program[] = [];

  function start(name: string, args: string[], env: Record<string, string> = {}): void {
    const log = join(directory, `${name}.log`);
    const fd = openSync(log, 'w');
    const child = spawn(join(binFolder, name), args, {
      cwd: directory,
      env: { ...process.env, ...env },
      stdio: ['ignore', fd, fd],
    });
    closeSync(fd);
    programs.push({ name, child, log });
  }

  async function stop(): Promise<void> {
    await Promise.all(programs.map(stopProgram));
    rmSync(directory, { recursive: true, force: true });
  }

  start('prometheus', [
    `--config.file=${join(ROOT, 'deploy/prometheus/prometheus.yml')}`,
    `--storage.tsdb.path=${join(directory, 'prometheus')}`,
    `--web.listen-address=${PROMETHEUS_HOST}:9090`,
    '--web.enable-otlp-receiver',
    '--enable-feature=exemplar-storage',
  ]);
  start('jaeger', [`--config=${join(ROOT, 'deploy/jaeger/config.yaml')}`], {
    JAEGER_OTLP_LISTEN: `${JAEGER_HOST}:4317`,
    JAEGER_UI_LISTEN: `${JAEGER_HOST}:16686`,
    JAEGER_QUERY_GRPC_LISTEN: `${JAEGER_HOST}:16685`,
  });
  start('otelcol', [`--config=${join(ROOT, 'otel-collector-config.yaml')}`], {
    OTLP_LISTEN_HOST: COLLECTOR_HOST,
    JAEGER_OTLP_ENDPOINT: `${JAEGER_HOST}:4317`,
    PROMETHEUS_OTLP_ENDPOINT: `http://${PROMETHEUS_HOST}:9090/api/v1/otlp`,
    HEALTH_CHECK_ENDPOINT: `${COLLECTOR_HOST}:13133`,
  });

  const readiness: [string, string][] = [
    ['prometheus', `http://${PROMETHEUS_HOST}:9090/-/ready`],
    ['jaeger', `http://${JAEGER_HOST}:16686/api/services`],
    ['otelcol', `http://${COLLECTOR_HOST}:13133/`],
  ];
  try {
    for (const [name, url] of readiness) {
      await eventually(`${name} is ready`, async () =>
        (await isAnswering(url)) ? true : undefined,
      );
    }
  } catch (error) {
    const logs = programs.map(
      ({ name, log }) => `${name}: ${readFileSync(log, 'utf8').slice(-800)}`,
    );
    await stop();
    throw new Error(`${String(error)}\n${logs.join('\n')}`);
  }

  return {
    grpcEndpoint: `http://${COLLECTOR_HOST}:4317`,
    httpEndpoint: `http://${COLLECTOR_HOST}:4318`,
    async traces(service) {
      const url = `http://${JAEGER_HOST}:16686/api/traces?limit=1000&service=${encodeURIComponent(service)}`;
      const body = (await (await fetch(url)).json()) as { data?: JaegerTrace[] };
      return body.data ?? [];
    },
    async query(expression) {
      const url = `http://${PROMETHEUS_HOST}:9090/api/v1/query?query=${encodeURIComponent(expression)}`;
      const body = (await (await fetch(url)).json()) as {
        status: string;
        error?: string;
        data?: { result: PrometheusSeries[] };
      };
      if (body.status !== 'success') {
        throw new Error(`Prometheus refuses ${expression}: ${body.error}`);
      }
      return body.data?.result ?? [];
    },
    stop,
  };
}

/** Jaeger takes long over SIGTERM, and nothing of it is to be kept: after a moment it is killed. */
function stopProgram({ child }: Program): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), 1000);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
