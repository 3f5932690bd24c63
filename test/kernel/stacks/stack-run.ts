/** Runs a real program on a real TLS library beside a tapped server, and compares what the kernel side saw of it. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { loadBinding } from '../../../src/capture/binding.ts';
import type { DataEvent, TlsStack } from '../../../src/capture/events.ts';
import { attachRequest } from '../../../src/targets/locators.ts';
import { dataOf, ended, lossesOf, type Session } from '../native/harness.ts';
import type { Conversation, TappedServer } from './tapped-server.ts';

/** Attaches to a stack of a file at the places that the locators found. Gives the names that were probed. */
export function attachLocated(session: Session, path: string, stack: TlsStack): string[] {
  const binding = loadBinding();
  const result = binding.locateSync(path);
  const located = result.stacks.find((found) => found.stack === stack);
  assert.ok(located, `${path}: no ${stack}; ${JSON.stringify(result.refusals)}`);
  const request = attachRequest(path, located, binding.probedFunctions()[stack]);
  session.capture.attach(request);
  const names = located.functions
    .filter(({ name }) => name in request.offsets)
    .flatMap(({ name, covers }) => [name, ...covers]);
  return [...new Set(names)].sort();
}

/** Starts a program that is watched before its first instruction. */
export function startProgram(
  session: Session,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): ChildProcess {
  const child = spawn('/bin/sh', ['-c', 'read line; exec "$@"', 'sh', command, ...args], {
    stdio: ['pipe', 'ignore', 'inherit'],
    env: { ...process.env, ...env },
  });
  session.capture.setProcess(child.pid as number, 'watched');
  child.stdin?.write('\n');
  return child;
}

export async function runProgram(
  session: Session,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  assert.equal(await ended(startProgram(session, command, args, env)), 0, command);
}

/** What the program wrote and read, by connection, each byte at the place that its event names. */
export function capturedConversations(session: Session, stack: TlsStack): Conversation[] {
  const byConnection = new Map<string, DataEvent[]>();
  for (const event of dataOf(session)) {
    const { process, object, generation } = event.connection;
    const key = `${process.pid} ${process.startNs} ${object} ${generation}`;
    assert.equal(event.connection.stack, stack);
    byConnection.set(key, [...(byConnection.get(key) ?? []), event]);
  }
  return [...byConnection.values()].map((events) => ({
    received: streamOf(events.filter(({ direction }) => direction === 'write')),
    sent: streamOf(events.filter(({ direction }) => direction === 'read')),
  }));
}

function streamOf(events: readonly DataEvent[]): Buffer {
  let position = 0;
  for (const [index, event] of events.entries()) {
    assert.equal(event.position, position);
    assert.equal(event.sequence, index);
    position += event.bytes.length;
  }
  return Buffer.concat(events.map(({ bytes }) => bytes));
}

/** Every connection of the server was captured to the byte in both directions, and nothing else was. */
export function assertSame(session: Session, server: TappedServer, stack: TlsStack): void {
  assert.deepEqual(lossesOf(session), []);
  const { drops, droppedBytes } = session.capture.counters();
  assert.equal(droppedBytes, 0);
  assert.deepEqual(
    Object.entries(drops).filter(([, records]) => records > 0),
    [],
  );
  const inText = (all: Conversation[]): string[] => all.map(textOf).sort();
  assert.deepEqual(inText(capturedConversations(session, stack)), inText(server.conversations()));
}

export function textOf({ received, sent }: Conversation): string {
  return `${received.toString('latin1')}\n<<<\n${sent.toString('latin1')}`;
}
