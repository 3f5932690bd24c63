/** A live source with everything it delivered kept, and a TLS server of another make to talk to. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadBinding } from '../../../src/capture/binding.ts';
import type { CaptureEvent, DataEvent, Direction } from '../../../src/capture/events.ts';
import { createLiveSource, type LiveSource } from '../../../src/capture/live-source.ts';
import type { ProcessSelection } from '../../../src/capture/process-selection.ts';
import type { TargetFile } from '../../../src/capture/target-tracker.ts';
import { createTargetFinder, type LateAttach } from '../../../src/targets/target-finder.ts';
import { createTlsLocator } from '../../../src/targets/tls-location.ts';

export interface Observation {
  source: LiveSource;
  events: CaptureEvent[];
  verdicts: TargetFile[];
  /** Processes that were faster than the attaching. */
  late: LateAttach[];
  /** Processes that were gone before their new files could be examined. */
  missed: number[];
  defects: unknown[];
  /** Waits until an event is there, which the kernel hands over within some tens of ms. */
  /** Records that came before the kernel knew that they are not wanted. */
  leftOut: string[];
  until(found: (event: CaptureEvent) => boolean): Promise<CaptureEvent>;
  ofType<Type extends CaptureEvent['type']>(
    type: Type,
    pid?: number,
  ): Extract<CaptureEvent, { type: Type }>[];
  /** All bytes of a process in one direction, in the order they came. */
  text(pid: number, direction: Direction): string;
}

export async function observe(options: {
  watchAll: boolean;
  roots?: number[];
  selection?: ProcessSelection | undefined;
}): Promise<Observation> {
  const events: CaptureEvent[] = [];
  const verdicts: TargetFile[] = [];
  const late: LateAttach[] = [];
  const missed: number[] = [];
  const defects: unknown[] = [];
  const leftOut: string[] = [];
  const binding = loadBinding();
  const targets = createTargetFinder({
    locator: createTlsLocator({ binding }),
    onVerdict: (file) => verdicts.push(file),
    onLate: (attach) => late.push(attach),
    onMissed: (pid) => missed.push(pid),
    onDefect: (error) => defects.push(error),
  });
  const source = createLiveSource({
    binding,
    targets,
    watchAll: options.watchAll,
    selection: options.selection,
    onLeftOut: (kind) => leftOut.push(kind),
    // Large: on the whole host, other programs' traffic must not push out what a test is about.
    ringBytes: 128 * 1024 * 1024,
    onMalformed: (record) => defects.push(record),
    onDefect: (error) => defects.push(error),
  });
  options.roots?.forEach(source.watch);
  await source.start((event) => {
    events.push(event.type === 'data' ? { ...event, bytes: Uint8Array.from(event.bytes) } : event);
  });

  return {
    source,
    events,
    verdicts,
    late,
    missed,
    defects,
    leftOut,
    async until(found) {
      for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 10) {
        const event = events.find(found);
        if (event) {
          return event;
        }
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      throw new Error(`no such event among ${events.length}`);
    },
    ofType(type, pid) {
      return events.filter(
        (event): event is Extract<CaptureEvent, { type: typeof type }> =>
          event.type === type && (pid === undefined || pidOf(event) === pid),
      );
    },
    text(pid, direction) {
      const parts = events.filter(
        (event): event is DataEvent =>
          event.type === 'data' && event.direction === direction && pidOf(event) === pid,
      );
      return Buffer.concat(parts.map(({ bytes }) => bytes)).toString('latin1');
    },
  };
}

export function pidOf(event: CaptureEvent): number | undefined {
  if ('process' in event) {
    return event.process.pid;
  }
  return 'connection' in event ? event.connection.process.pid : undefined;
}

export interface TestServer {
  port: number;
  url: string;
  stop(): Promise<void>;
}

/** `openssl s_server -www`: answers any request with a page about the connection, then closes. */
export async function startServer(): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), 'sightline-server-'));
  const key = join(folder, 'key.pem');
  const certificate = join(folder, 'cert.pem');
  execFileSync(
    'openssl',
    `req -x509 -newkey rsa:2048 -nodes -keyout ${key} -out ${certificate} -days 2 -subj /CN=localhost`.split(
      ' ',
    ),
    { stdio: 'ignore' },
  );
  const port = 20_000 + (process.pid % 20_000);
  const server = spawn(
    'openssl',
    ['s_server', '-accept', `${port}`, '-cert', certificate, '-key', key, '-www', '-quiet'],
    { stdio: 'ignore' },
  );
  await accepting(port);
  return {
    port,
    url: `https://localhost:${port}/`,
    async stop() {
      await ended(server, () => server.kill());
      rmSync(folder, { recursive: true });
    },
  };
}

async function accepting(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (isOpen) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('the server does not accept');
}

/** Resolves with the exit code. */
export function ended(
  child: ChildProcess,
  act: () => void = () => undefined,
): Promise<number | null> {
  return new Promise((resolve) => {
    child.once('exit', resolve);
    act();
  });
}

/** Runs a program to its end and gives its pid and exit code. */
export async function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ pid: number; code: number | null }> {
  const child = spawn(command, args, { stdio: 'ignore', env });
  const code = await ended(child);
  return { pid: child.pid ?? 0, code };
}
