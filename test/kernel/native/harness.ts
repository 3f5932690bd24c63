/** The addon alone against the kernel: no policy, no discovery, no analyzer between a probe and what is asserted. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadBinding, type NativeCapture } from '../../../src/capture/binding.ts';
import type { CaptureEvent, DataEvent, LossEvent } from '../../../src/capture/events.ts';
import { createRecordDecoder, type MalformedRecord } from '../../../src/capture/kernel-record.ts';

export const FUNCTIONS = ['SSL_read', 'SSL_write', 'SSL_read_ex', 'SSL_write_ex', 'SSL_free'];

export interface Session {
  capture: NativeCapture;
  events: CaptureEvent[];
  malformed: MalformedRecord[];
  logs: string[];
}

/** By default only what a test watches is seen: other work on this machine does not disturb it. */
export function openSession(
  options: { ringBytes?: number; watchAll?: boolean; probeLinks?: 'auto' | 'single' } = {},
): Session {
  const events: CaptureEvent[] = [];
  const malformed: MalformedRecord[] = [];
  const logs: string[] = [];
  const decoder = createRecordDecoder({
    onEvent: (event) =>
      events.push(event.type === 'data' ? { ...event, bytes: event.bytes.slice() } : event),
    onMalformed: (record) => malformed.push(record),
  });
  const capture = loadBinding().open({
    ringBytes: options.ringBytes ?? 4 * 1024 * 1024,
    watchAll: options.watchAll ?? false,
    probeLinks: options.probeLinks ?? 'auto',
    onSlab: (slab) => decoder.push(slab),
    onLog: (level, line) => {
      if (level === 0) {
        logs.push(line);
      }
    },
  });
  return { capture, events, malformed, logs };
}

let folder: string | undefined;

/** Compiles `tls-calls.c` once. */
export function buildTlsCalls(): string {
  if (folder === undefined) {
    folder = mkdtempSync(join(tmpdir(), 'sightline-native-'));
    const source = fileURLToPath(new URL('./tls-calls.c', import.meta.url));
    // At fixed addresses, so that the program after an exec has its objects where the one before had them.
    const flags = ['-O2', '-Wall', '-Werror', '-no-pie'];
    execFileSync('gcc', [...flags, '-o', join(folder, 'tls-calls'), source]);
  }
  return join(folder, 'tls-calls');
}

export function removeTlsCalls(): void {
  if (folder !== undefined) {
    rmSync(folder, { recursive: true, force: true });
    folder = undefined;
  }
}

export function attachTo(session: Session, path: string): number {
  const { offsets } = loadBinding().locateSymbols(path, FUNCTIONS);
  assert.deepEqual(Object.keys(offsets).sort(), [...FUNCTIONS].sort());
  return session.capture.attach({ stack: 'openssl', path, offsets });
}

/** Starts a program that waits for a line, watches it, and gives it the line. */
export function startWatched(session: Session, command: string, args: string[]): ChildProcess {
  const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'inherit'] });
  session.capture.setProcess(child.pid as number, 'watched');
  child.stdin?.write('\n');
  return child;
}

export async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    await once(child, 'exit');
  }
  child.stdin?.destroy();
  return child.exitCode;
}

/** Runs `tls-calls` to its end, watched. */
export async function runTlsCalls(session: Session, commands: string[]): Promise<number> {
  const child = startWatched(session, buildTlsCalls(), commands);
  assert.equal(await ended(child), 0);
  return child.pid as number;
}

/** The byte that `tls-calls` has at a place of a stream. */
export function byteAt(object: number, direction: 'read' | 'write', at: number): number {
  return (object * 31 + at + Math.floor(at / 256) * 7 + (direction === 'write' ? 13 : 0)) & 0xff;
}

/** Asserts that an event carries exactly the bytes of its place. */
export function assertBytes(event: DataEvent, object: number): void {
  for (let i = 0; i < event.bytes.length; i++) {
    if (event.bytes[i] !== byteAt(object, event.direction, event.position + i)) {
      assert.fail(`wrong byte at ${event.position + i} of object ${object}`);
    }
  }
}

export function dataOf(session: Session): DataEvent[] {
  return session.events.filter((event) => event.type === 'data');
}

export function lossesOf(session: Session): LossEvent[] {
  return session.events.filter((event) => event.type === 'loss');
}

/** Closes, and asserts what holds after every run: nothing undecodable, nothing that libbpf warned of. */
export function closeSession(session: Session): void {
  session.capture.close();
  assert.deepEqual(session.malformed, []);
  assert.deepEqual(session.logs, []);
}
