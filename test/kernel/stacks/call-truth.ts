/** What a test program wrote down of its connections (calls/truth.h), against what was captured of them. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lossesOf, type Session } from '../native/harness.ts';
import type { Conversation } from './tapped-server.ts';

const compare = (left: Conversation, right: Conversation): number =>
  Buffer.compare(left.received, right.received) || Buffer.compare(left.sent, right.sent);

/** By the name of the connection's side. */
export function truthOf(at: string): Map<string, Conversation> {
  const names = new Set(readdirSync(at).map((name) => name.replace(/\.(written|read)$/, '')));
  const bytes = (name: string): Buffer =>
    existsSync(join(at, name)) ? readFileSync(join(at, name)) : Buffer.alloc(0);
  return new Map(
    [...names].map((name) => [
      name,
      { received: bytes(`${name}.written`), sent: bytes(`${name}.read`) },
    ]),
  );
}

/** Every byte of every connection once, and nothing lost, dropped or marked. Sorts `seen`. */
export function assertExact(
  truth: Iterable<Conversation>,
  seen: Conversation[],
  session: Session,
): void {
  assert.deepEqual(lossesOf(session), []);
  assert.equal(
    Object.values(session.capture.counters().drops).reduce((sum, records) => sum + records, 0),
    0,
  );
  const wanted = [...truth].sort(compare);
  const sizes = (all: Conversation[]): number[][] =>
    all.map(({ received, sent }) => [received.length, sent.length]);
  seen.sort(compare);
  assert.deepEqual(sizes(seen), sizes(wanted));
  for (const [index, conversation] of wanted.entries()) {
    assert.ok(conversation.received.equals(seen[index]?.received ?? Buffer.alloc(0)));
    assert.ok(conversation.sent.equals(seen[index]?.sent ?? Buffer.alloc(0)));
  }
}
