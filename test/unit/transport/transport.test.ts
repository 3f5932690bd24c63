/** The transport with a toy parser that writes down what it is told. */
import assert from 'node:assert/strict';
import type { CaptureEvent, ConnectionRef, DataEvent } from '../../../src/capture/events.ts';
import { createHttpStage } from '../../../src/http/http-stage.ts';
import type { ConnectionParserFactory } from '../../../src/transport/connection.ts';
import { LET_GO_AFTER_NS } from '../../../src/transport/limits.ts';
import { createTransport, type TransportOptions } from '../../../src/transport/transport.ts';
import { CONNECTION, createWitness } from '../../support/http-generator.ts';

function journal(): { lines: string[]; createParser: ConnectionParserFactory } {
  const lines: string[] = [];
  return {
    lines,
    createParser: (ref) => {
      const name = `${ref.process.pid}/${ref.object}/${ref.generation}`;
      return {
        data(direction, bytes, at, position) {
          const text = Buffer.from(bytes).toString('latin1');
          if (text === 'BUG') {
            throw new Error('a bug');
          }
          lines.push(`${name} ${direction} ${position}+${at.callOffset} ${text}`);
        },
        gap: (direction, size) => lines.push(`${name} ${direction} gap ${size}`),
        end: (reason) => lines.push(`${name} end ${reason}`),
      };
    },
  };
}

function ref(pid: number, object: number, generation = 1n, startNs = 1n): ConnectionRef {
  return { process: { pid, startNs }, stack: 'openssl', object, generation };
}

function data(
  connection: ConnectionRef,
  text: string,
  position: number,
  more: Partial<DataEvent> = {},
): DataEvent {
  return {
    type: 'data',
    timeNs: 100n,
    enterNs: 90n,
    tid: 1,
    connection,
    direction: 'read',
    position,
    callBytes: text.length,
    callOffset: 0,
    sequence: 0,
    bytes: Buffer.from(text, 'latin1'),
    ...more,
  };
}

function run(events: readonly CaptureEvent[], options: Partial<TransportOptions> = {}) {
  const { lines, createParser } = journal();
  const transport = createTransport({ createParser, ...options });
  for (const event of events) {
    transport.push(event);
  }
  return { lines, counters: transport.counters() };
}

const A = ref(1, 8);

describe('transport', () => {
  it('keeps connections apart: same address in another process, other addresses, one thread', () => {
    const { lines } = run([
      data(ref(1, 8), 'a', 0),
      data(ref(2, 8), 'b', 0),
      data(ref(1, 16), 'c', 0),
      data(ref(1, 8, 1n, 2n), 'other start', 0),
      data(ref(1, 8), 'a', 1),
      data(ref(1, 8), 'w', 0, { direction: 'write' }),
    ]);
    assert.deepEqual(lines, [
      '1/8/1 read 0+0 a',
      '2/8/1 read 0+0 b',
      '1/16/1 read 0+0 c',
      '1/8/1 read 0+0 other start',
      '1/8/1 read 1+0 a',
      '1/8/1 write 0+0 w',
    ]);
  });

  it('keeps whom a connection is with, also beyond its end, and takes the newest', () => {
    const known: ConnectionRef[] = [];
    const transport = createTransport({
      createParser: (connection) => {
        known.push(connection);
        return { data: () => undefined, gap: () => undefined, end: () => undefined };
      },
    });
    const peer = (connection: ConnectionRef, port: number): CaptureEvent => ({
      type: 'peer',
      timeNs: 50n,
      connection,
      address: '192.0.2.1',
      port,
      localAddress: '192.0.2.2',
      localPort: 50_000,
      isInferred: false,
    });
    transport.push(peer(ref(1, 8), 443));
    transport.push(data(ref(1, 8), 'a', 0));
    transport.push(data(ref(1, 16), 'b', 0));
    transport.push(peer(ref(1, 8), 8443));
    transport.push(peer(ref(1, 8, 0n), 1));
    transport.push({ type: 'end', timeNs: 200n });
    assert.deepEqual(
      known.map((connection) => transport.factsOf(connection)?.peer?.port),
      [8443, undefined],
    );
  });

  it('a new generation ends the old one, whose late events are dropped', () => {
    const { lines, counters } = run([
      data(A, 'a', 0),
      data(ref(1, 8, 2n), 'b', 0),
      data(A, 'late', 1),
      { type: 'close', timeNs: 1n, connection: A, readPosition: 9, writePosition: 0 },
    ]);
    assert.deepEqual(lines, ['1/8/1 read 0+0 a', '1/8/1 end closed', '1/8/2 read 0+0 b']);
    assert.equal(counters.staleEvents, 2);
  });

  it('a jump in position is a gap, a loss event is one once, overlap is dropped', () => {
    const loss = {
      type: 'loss',
      timeNs: 1n,
      connection: A,
      direction: 'read',
      reason: 'ring-full',
    } as const;
    const { lines, counters } = run([
      data(A, 'abc', 0),
      data(A, 'jkl', 9),
      { ...loss, position: 12, lostBytes: 3 },
      { ...loss, position: 10, lostBytes: 2 },
      data(A, 'pq', 15),
      data(A, 'pqr', 15),
      data(A, 'p', 15),
      { ...loss, position: 20, lostBytes: 5 },
    ]);
    assert.deepEqual(lines, [
      '1/8/1 read 0+0 abc',
      '1/8/1 read gap 6',
      '1/8/1 read 9+0 jkl',
      '1/8/1 read gap 3',
      '1/8/1 read 15+0 pq',
      '1/8/1 read 17+2 r',
      '1/8/1 read gap 7',
    ]);
    assert.equal(counters.lostBytes, 16);
    assert.equal(counters.gaps, 3);
    assert.equal(counters.duplicateBytes, 3);
  });

  it('a loss of unknown size is a gap of unknown size, at its place', () => {
    const { lines, counters } = run([
      data(A, 'abc', 0),
      {
        type: 'loss',
        timeNs: 1n,
        connection: A,
        direction: 'read',
        reason: 'orphan',
        position: 3,
        lostBytes: 0,
      },
      data(A, 'def', 3),
    ]);
    assert.deepEqual(lines, [
      '1/8/1 read 0+0 abc',
      '1/8/1 read gap undefined',
      '1/8/1 read 3+0 def',
    ]);
    assert.equal(counters.lostBytes, 0);
    assert.equal(counters.gaps, 1);
  });

  it('tells a parser once of each silence that is long', () => {
    const told: bigint[] = [];
    let nowNs = 0n;
    const transport = createTransport({
      createParser: () => ({ data() {}, gap() {}, end() {}, letGo: () => told.push(nowNs) }),
    });
    const tick = (timeNs: bigint): void => {
      nowNs = timeNs;
      transport.push({ type: 'tick', timeNs });
    };
    transport.push(data(A, 'a', 0, { timeNs: 100n }));
    for (const timeNs of [LET_GO_AFTER_NS, LET_GO_AFTER_NS + 101n, LET_GO_AFTER_NS + 200n]) {
      tick(timeNs);
    }
    transport.push(data(A, 'b', 1, { timeNs: LET_GO_AFTER_NS + 300n }));
    tick(LET_GO_AFTER_NS + 400n);
    tick(3n * LET_GO_AFTER_NS);
    assert.deepEqual(told, [LET_GO_AFTER_NS + 101n, 3n * LET_GO_AFTER_NS]);
  });

  it('a first position above 0 is a loss at the beginning', () => {
    assert.deepEqual(run([data(A, 'x', 5)]).lines, ['1/8/1 read gap 5', '1/8/1 read 5+0 x']);
  });

  it('the close uncovers a loss at the end', () => {
    const { lines, counters } = run([
      data(A, 'abc', 0),
      { type: 'close', timeNs: 1n, connection: A, readPosition: 10, writePosition: 2 },
    ]);
    assert.deepEqual(lines, [
      '1/8/1 read 0+0 abc',
      '1/8/1 write gap 2',
      '1/8/1 read gap 7',
      '1/8/1 end closed',
    ]);
    assert.equal(counters.openConnections, 0);
  });

  it('exit and exec end the connections of that process alone', () => {
    const exit = { type: 'exit', timeNs: 1n, process: { pid: 1, startNs: 1n } } as const;
    const { lines } = run([
      data(ref(1, 8), 'a', 0),
      data(ref(1, 16), 'b', 0),
      data(ref(2, 8), 'c', 0),
      exit,
      data(ref(2, 8), 'd', 1),
      { type: 'end', timeNs: 2n },
    ]);
    assert.deepEqual(lines.slice(3), [
      '1/16/1 end process-exit',
      '1/8/1 end process-exit',
      '2/8/1 read 1+0 d',
      '2/8/1 end source-end',
    ]);
  });

  it('idle connections end once, on event time, and may speak again', () => {
    const tick = (timeNs: bigint): CaptureEvent => ({ type: 'tick', timeNs });
    const { lines, counters } = run(
      [
        data(A, 'a', 0),
        tick(900n),
        data(ref(1, 16), 'young', 0, { timeNs: 1000n }),
        tick(1200n),
        tick(1400n),
        data(A, 'b', 1, { timeNs: 1500n }),
        tick(9000n),
      ],
      { idleTimeoutNs: 1000n },
    );
    assert.deepEqual(lines, [
      '1/8/1 read 0+0 a',
      '1/16/1 read 0+0 young',
      '1/8/1 end timeout',
      '1/8/1 read 1+0 b',
      '1/16/1 end timeout',
      '1/8/1 end timeout',
    ]);
    assert.equal(counters.idleEnds, 3);
    assert.equal(counters.openConnections, 2);
  });

  it('forgets the connection that was silent longest when there are too many', () => {
    const { lines, counters } = run(
      [
        data(ref(1, 8), 'a', 0),
        data(ref(1, 16), 'b', 0),
        data(ref(1, 8), 'a', 1),
        data(ref(1, 24, 5n), 'c', 0),
        data(ref(1, 16), 'b', 7),
      ],
      { limits: { maxConnections: 2 } },
    );
    assert.deepEqual(lines.slice(3), [
      '1/16/1 end timeout',
      '1/24/5 read 0+0 c',
      '1/8/1 end timeout',
      // Forgotten, so nobody knows how much of these 7 bytes was seen.
      '1/16/1 read gap undefined',
      '1/16/1 read 7+0 b',
    ]);
    assert.equal(counters.evictions, 2);
    assert.equal(counters.openConnections, 2);
  });

  it('stays within its limit with many connections, addresses and processes', () => {
    const events: CaptureEvent[] = [];
    for (let index = 0; index < 5000; index += 1) {
      events.push(data(ref(index % 7, (index % 11) * 8, BigInt(index)), 'x', 0));
      events.push(data(ref(index, 800, 1n), 'x', 0));
    }
    assert.ok(run(events, { limits: { maxConnections: 50 } }).counters.openConnections <= 50);
  });

  it('a parser that throws costs its own connection only', () => {
    const faults: string[] = [];
    const { lines, counters } = run(
      [
        data(A, 'BUG', 0),
        data(A, 'more', 3),
        data(ref(1, 16), 'fine', 0),
        { type: 'end', timeNs: 1n },
      ],
      { onFault: (error, connection) => faults.push(`${connection.object} ${String(error)}`) },
    );
    assert.deepEqual(lines, ['1/16/1 read 0+0 fine', '1/16/1 end source-end']);
    assert.deepEqual(faults, ['8 Error: a bug']);
    assert.equal(counters.faults, 1);
  });

  it('a factory or a reporter that throws does no more harm', () => {
    const transport = createTransport({
      createParser: () => {
        throw new Error('no parser');
      },
      onFault: () => {
        throw new Error('no reporter');
      },
    });
    transport.push(data(A, 'a', 0));
    transport.push(data(A, 'a', 1));
    transport.push({ type: 'end', timeNs: 1n });
    assert.equal(transport.counters().faults, 1);
  });

  it('a keep-alive connection that rested goes on with the next ordinal', () => {
    const { handler, seen } = createWitness();
    const transport = createTransport({
      createParser: createHttpStage({ handler }),
      idleTimeoutNs: 1000n,
    });
    const get = 'GET / HTTP/1.1\r\n\r\n';
    const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
    for (let turn = 0; turn < 3; turn += 1) {
      const timeNs = BigInt(turn) * 10_000n;
      transport.push(data(CONNECTION, get, turn * get.length, { direction: 'write', timeNs }));
      if (turn !== 1) {
        transport.push(data(CONNECTION, ok, turn * ok.length, { timeNs }));
      }
      transport.push({ type: 'tick', timeNs: timeNs + 5000n });
      transport.push({ type: 'tick', timeNs: timeNs + 6000n });
    }
    transport.push({ type: 'end', timeNs: 90_000n });
    assert.deepEqual(
      seen.map(({ exchange }) => [
        exchange.ordinal,
        exchange.response?.status,
        [...exchange.damage.kinds],
      ]),
      [
        [0, 200, []],
        [1, undefined, ['truncated']],
        [2, 200, ['gap']],
      ],
    );
  });
});
