/** Runs a connection's events through transport and http, and accounts for all that comes out. */
import assert from 'node:assert/strict';
import type { CaptureEvent, Direction } from '../../src/capture/events.ts';
import { createHttpCounters, type HttpStageOptions } from '../../src/http/http-options.ts';
import { createHttpStage } from '../../src/http/http-stage.ts';
import { createTransport } from '../../src/transport/transport.ts';
import type { Damage } from '../../src/util/damage.ts';
import { createWitness, type Seen, summary } from '../support/http-generator.ts';

/** Small enough that short inputs reach them. */
export const SMALL_LIMITS = {
  maxHeadBytes: 2048,
  maxHeaderFields: 24,
  maxPendingExchanges: 8,
  maxDecodedBytes: 65_536,
  maxFrameBytes: 8192,
  maxHeaderBlockBytes: 2048,
  maxContinuations: 6,
  maxHeaderTableBytes: 1024,
  maxOpenStreams: 8,
};

/** Kept beyond the limit of fields, as far as the head's bytes go; HTTP/2 puts two in front. */
const FRAMING_FIELD =
  /^(?:host|:protocol|content-length|transfer-encoding|content-encoding|connection|upgrade|content-type|expect)$/i;

export interface Observed {
  seen: Seen[];
  /** Every byte was understood, and none is missing: where messages begin was not guessed. */
  isPlaced: boolean;
  /** All that must be the same however the calls are cut. */
  account: unknown;
}

/** Throws what a parser threw, and when an exchange is not over, or not bounded, at the end. */
export function observeConnection(
  events: readonly CaptureEvent[],
  options: Partial<HttpStageOptions> = {},
): Observed {
  const witness = createWitness();
  const secrets = createSecretLog();
  const counters = createHttpCounters();
  let ended = 0;
  let fault: unknown;
  const transport = createTransport({
    createParser: createHttpStage({
      handler: witness.handler,
      limits: SMALL_LIMITS,
      onExchange: () => {
        ended += 1;
      },
      onSecret: (_connection, direction, position, length) =>
        secrets.add(direction, position, length),
      onDecoded: (_connection, direction, { position, length }) =>
        secrets.add(direction, position, length),
      onRelease: (_connection, direction, upToPosition) => secrets.release(direction, upToPosition),
      onVerdict: () => {},
      counters,
      ...options,
    }),
    onFault: (error) => {
      fault = error;
    },
  });
  for (const event of events) {
    if (event.type === 'data') {
      // As the live source does it: the bytes are gone once push returns.
      const bytes = Buffer.from(event.bytes);
      transport.push({ ...event, bytes });
      bytes.fill(0xee);
    } else {
      transport.push(event);
    }
    if (fault !== undefined) {
      throw fault;
    }
  }
  assert.ok(
    witness.seen.every(({ isEnded }) => isEnded),
    'every exchange that began is over',
  );
  assert.equal(ended, witness.seen.length, 'every exchange is over once');
  for (const { exchange, requestBody, responseBody } of witness.seen) {
    assert.ok(requestBody.length <= SMALL_LIMITS.maxDecodedBytes, 'the request is bounded');
    assert.ok(responseBody.length <= SMALL_LIMITS.maxDecodedBytes, 'the response is bounded');
    for (const message of [exchange.request, exchange.response]) {
      const fields = (message?.headers.fields ?? []).filter(([name]) => !FRAMING_FIELD.test(name));
      assert.ok(fields.length <= SMALL_LIMITS.maxHeaderFields, 'the header is bounded');
    }
  }
  const isFound = counters.http1Connections + counters.http2Connections > 0;
  const isRead = counters.framingErrors + counters.unreadableRequests === 0;
  return {
    seen: witness.seen,
    isPlaced: isFound && isRead && witness.seen.every(({ exchange }) => isPlaced(exchange.damage)),
    account: { exchanges: summary(witness.seen), secrets: secrets.all() },
  };
}

/** Damage that leaves no doubt where a message is. */
function isPlaced(damage: Damage): boolean {
  return !damage.kinds.has('gap') && !damage.kinds.has('joined-midway');
}

export interface SecretLog {
  add(direction: Direction, position: number, length: number): void;
  release(direction: Direction, upToPosition: number): void;
  all(): unknown;
}

/** Keeps which bytes are overwritten in a recording, and checks that none becomes so after its release. */
export function createSecretLog(): SecretLog {
  const released = { read: 0, write: 0 };
  const ranges: Record<Direction, [start: number, end: number][]> = { read: [], write: [] };
  return {
    add(direction, position, length) {
      assert.ok(length > 0 && position >= 0, 'a secret has bytes');
      assert.ok(position >= released[direction], 'a secret is known before its bytes are released');
      ranges[direction].push([position, position + length]);
    },
    release(direction, upToPosition) {
      released[direction] = Math.max(released[direction], upToPosition);
    },
    all: () => ({ read: joined(ranges.read), write: joined(ranges.write) }),
  };
}

function joined(ranges: readonly [number, number][]): [number, number][] {
  const result: [number, number][] = [];
  for (const [start, end] of [...ranges].sort(([one], [other]) => one - other)) {
    const last = result.at(-1);
    if (last !== undefined && start <= last[1]) {
      last[1] = Math.max(last[1], end);
    } else {
      result.push([start, end]);
    }
  }
  return result;
}
