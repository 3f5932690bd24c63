/** What the first bytes of a connection are taken for is the same in however many records a call comes. */
import assert from 'node:assert/strict';
import type { CaptureEvent } from '../../../src/capture/events.ts';
import { callsOf, captureEvents, observe, summary } from '../../support/http-generator.ts';

/** Every call in records of `sizes` bytes, in turn. */
function inRecords(events: readonly CaptureEvent[], sizes: readonly number[]): CaptureEvent[] {
  return events.flatMap((event) => {
    if (event.type !== 'data') {
      return [event];
    }
    const records: CaptureEvent[] = [];
    for (let at = 0, turn = 0; at < event.bytes.length; turn += 1) {
      const bytes = event.bytes.subarray(at, at + (sizes[turn % sizes.length] ?? 1));
      records.push({ ...event, bytes, position: event.position + at, callOffset: at });
      at += bytes.length;
    }
    return records;
  });
}

/** The exchanges, and which bytes a recorder overwrites. */
function account(events: readonly CaptureEvent[]): unknown {
  const secret = { read: new Set<number>(), write: new Set<number>() };
  const seen = observe(events, {
    onSecret(_connection, direction, position, length) {
      for (let at = position; at < position + length; at += 1) {
        secret[direction].add(at);
      }
    },
    onRelease() {},
  });
  const sorted = (positions: Set<number>) => [...positions].sort((one, other) => one - other);
  return { seen: summary(seen), read: sorted(secret.read), write: sorted(secret.write) };
}

const CONNECT = 'CONNECT h:443 HTTP/1.1\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\n\r\n';

const CASES: Readonly<Record<string, readonly string[]>> = {
  'a request': [`>${CONNECT}`, `<${OK}`],
  'a request behind line ends': [`>\r\n${CONNECT}`, `<${OK}`],
  'a request behind what could be the beginning of one': ['>CONNEC', `>${CONNECT}`, `<${OK}`],
  'a request behind half a method': ['>C', `>${CONNECT}`, `<${OK}`],
  'a request in two calls': ['>CONNEC', `>${CONNECT.slice(6)}`, `<${OK}`],
  'a request of an unknown method in two calls': ['>FIN', '>D / HTTP/1.1\r\n\r\n', `<${OK}`],
  'a response behind half a method': ['<HT', `<${OK}`],
  'a preface behind half a method': ['>PU', '>PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  'a request after a loss, behind half a method': ['>POST / HTTP/1.1\r\n\r', `>PU`, `>${CONNECT}`],
};

describe('the first bytes of a connection', () => {
  for (const [name, texts] of Object.entries(CASES)) {
    it(`${name}: the same in however many records`, () => {
      const calls = callsOf(...texts);
      if (name.includes('after a loss')) {
        calls.splice(1, 0, { side: 'request', bytes: Buffer.alloc(9), isLost: 'announced' });
      }
      const events = captureEvents(calls);
      const whole = account(events);
      const longest = Math.max(...calls.map(({ bytes }) => bytes.length));
      for (let first = 1; first < longest; first += 1) {
        for (const rest of [1, 3, longest]) {
          assert.deepEqual(account(inRecords(events, [first, rest])), whole, `${first}, ${rest}`);
        }
      }
    });
  }

  it('a method continued gives way to a whole one that a call begins with', () => {
    const { seen } = account(captureEvents(callsOf('>CONNEC', `>${CONNECT}`, `<${OK}`))) as {
      seen: { request: { method: string } }[];
    };
    assert.deepEqual(
      seen.map(({ request }) => request.method),
      ['CONNECT'],
    );
  });
});
