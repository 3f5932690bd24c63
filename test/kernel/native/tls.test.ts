/** TLS calls in the real kernel: which bytes come out, in which order, and what is said of those that do not. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { loadBinding } from '../../../src/capture/binding.ts';
import type { DataEvent } from '../../../src/capture/events.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import {
  assertBytes,
  attachTo,
  buildTlsCalls,
  closeSession,
  dataOf,
  ended,
  FUNCTIONS,
  lossesOf,
  openSession,
  removeTlsCalls,
  runTlsCalls,
  type Session,
  startWatched,
} from './harness.ts';

const MIB = 1024 * 1024;

describe('TLS calls in the kernel', function () {
  this.timeout(60_000);
  let session: Session;

  before(function () {
    requireKernel(this);
    buildTlsCalls();
  });

  beforeEach(() => {
    session = openSession({ ringBytes: 32 * MIB });
    attachTo(session, buildTlsCalls());
  });

  afterEach(() => session?.capture.close());
  after(removeTlsCalls);

  it('hands over every byte of the four functions, in order, at its position', async () => {
    const sizes = [1, 7, 511, 512, 513, 2048, 2049, 4096, 6144, 6145, 16384, 16393, 65536, 200_151];
    const commands = sizes.flatMap((size) => [
      `write:3:${size}`,
      `read:3:${size}`,
      `write_ex:4:${size}`,
      `read_ex:4:${size}`,
    ]);
    const pid = await runTlsCalls(session, [...commands, 'free:3', 'free:4']);
    closeSession(session);
    assert.deepEqual(lossesOf(session), []);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const closes = session.events.filter((event) => event.type === 'close');
    assert.equal(closes.length, 2);
    for (const [index, close] of closes.entries()) {
      const object = 3 + index;
      assert.equal(close.connection.process.pid, pid);
      assert.equal(close.readPosition, total);
      assert.equal(close.writePosition, total);
      for (const direction of ['read', 'write'] as const) {
        let position = 0;
        let sequence = 0;
        for (const event of dataOf(session)) {
          if (event.connection.object !== close.connection.object) {
            continue;
          }
          if (event.direction !== direction) {
            continue;
          }
          assert.equal(event.connection.generation, close.connection.generation);
          assert.equal(event.position, position);
          assert.equal(event.sequence, sequence);
          assert.ok(event.enterNs <= event.timeNs);
          assertBytes(event, object);
          position += event.bytes.length;
          sequence += 1;
        }
        assert.equal(position, total);
      }
    }
  });

  it('takes the functions within OpenSSL in place of the exported ones, and both once', async () => {
    session.capture.close();
    const inner = openSession();
    try {
      const path = buildTlsCalls();
      const { offsets } = loadBinding().locateSymbols(path, FUNCTIONS);
      const { SSL_read_ex: read = 0, SSL_write_ex: write = 0, SSL_write = 0 } = offsets;
      inner.capture.attach({
        stack: 'openssl',
        path,
        offsets: { ssl_read_internal: read, ssl_write_internal: write, SSL_write },
      });
      await runTlsCalls(inner, ['write_ex:1:700', 'read_ex:1:800', 'wrapped:1:90', 'write:1:5']);
      closeSession(inner);
      assert.deepEqual(
        dataOf(inner).map((event) => [event.direction, event.position, event.bytes.length]),
        [
          ['write', 0, 700],
          ['read', 0, 800],
          ['write', 700, 90],
          ['write', 790, 5],
        ],
      );
    } finally {
      inner.capture.close();
    }
  });

  it('splits a call into parts that add up', async () => {
    await runTlsCalls(session, ['write:1:100000']);
    closeSession(session);
    const parts = dataOf(session);
    assert.ok(parts.length > 1);
    let offset = 0;
    for (const part of parts) {
      assert.equal(part.callBytes, 100_000);
      assert.equal(part.callOffset, offset);
      assert.equal(part.timeNs, parts[0]?.timeNs);
      offset += part.bytes.length;
    }
    assert.equal(offset, 100_000);
  });

  it('copies 4 MiB of one call and names the rest as lost', async () => {
    await runTlsCalls(session, [`write:1:${4 * MIB + 123}`, 'write:1:10']);
    closeSession(session);
    const captured = dataOf(session).filter((event) => event.callBytes > 10);
    assert.equal(
      captured.reduce((sum, event) => sum + event.bytes.length, 0),
      4 * MIB,
    );
    const losses = lossesOf(session);
    assert.equal(losses.length, 1);
    assert.equal(losses[0]?.reason, 'call-limit');
    assert.equal(losses[0]?.position, 4 * MIB);
    assert.equal(losses[0]?.lostBytes, 123);
    assert.equal(dataOf(session).at(-1)?.position, 4 * MIB + 123);
    assert.equal(session.capture.counters().drops.call_limit, 1);
  });

  it('keeps TLS within TLS on one thread apart', async () => {
    await runTlsCalls(session, ['nested:1:2:300', 'nested:1:2:40', 'write:1:5']);
    closeSession(session);
    const outer = dataOf(session).at(-1)?.connection.object;
    const ofOuter = dataOf(session).filter((event) => event.connection.object === outer);
    const ofInner = dataOf(session).filter((event) => event.connection.object !== outer);
    assert.deepEqual(
      ofOuter.map((event) => event.bytes.length),
      [300, 40, 5],
    );
    assert.deepEqual(
      ofInner.map((event) => event.bytes.length),
      [305, 45],
    );
    for (const event of ofInner) {
      assertBytes(event, 2);
    }
    // The inner call returned first and began later.
    assert.ok((ofInner[0]?.enterNs ?? 0n) > (ofOuter[0]?.enterNs ?? 0n));
    assert.ok((ofInner[0]?.timeNs ?? 0n) < (ofOuter[0]?.timeNs ?? 0n));
  });

  it('counts a call that is made of another probed one once', async () => {
    await runTlsCalls(session, ['wrapped:1:50', 'wrapped:1:60', 'write:1:7', 'write_ex:1:8']);
    closeSession(session);
    assert.deepEqual(
      dataOf(session).map((event) => [event.position, event.bytes.length]),
      [
        [0, 50],
        [50, 60],
        [110, 7],
        [117, 8],
      ],
    );
  });

  it('takes a refused and retried write once and a partial write for what it took', async () => {
    await runTlsCalls(session, ['retry:1:90', 'partial:1:90']);
    closeSession(session);
    assert.deepEqual(
      dataOf(session).map((event) => [event.position, event.bytes.length, event.callBytes]),
      [
        [0, 90, 90],
        [90, 45, 45],
      ],
    );
    for (const event of dataOf(session)) {
      assertBytes(event, 1);
    }
  });

  it('names unreadable bytes as lost and goes on behind them', async () => {
    await runTlsCalls(session, ['write:1:10', 'fault:1:5000', 'write:1:20']);
    closeSession(session);
    const lost = lossesOf(session);
    assert.ok(lost.every((event) => event.reason === 'fault'));
    assert.equal(
      lost.reduce((sum, event) => sum + event.lostBytes, 0),
      5000,
    );
    assert.equal(lost[0]?.position, 10);
    assert.equal(dataOf(session).at(-1)?.position, 5010);
    assert.equal(session.capture.counters().droppedBytes, 5000);
  });

  it('names a file that the kernel sends as a gap of its size, in its place', async () => {
    const path = buildTlsCalls();
    const { offsets } = loadBinding().locateSymbols(path, ['SSL_sendfile']);
    session.capture.attach({ stack: 'openssl', path, offsets });
    await runTlsCalls(session, ['write:1:10', 'sendfile:1:9000000', 'write:1:20']);
    closeSession(session);
    assert.deepEqual(
      lossesOf(session).map(({ position, lostBytes, reason }) => [position, lostBytes, reason]),
      [[10, 9_000_000, 'fault']],
    );
    assert.deepEqual(
      dataOf(session).map(({ position, bytes }) => [position, bytes.length]),
      [
        [0, 10],
        [9_000_010, 20],
      ],
    );
    assert.equal(session.capture.counters().droppedBytes, 9_000_000);
  });

  it('does not believe a call that claims more than its buffer has', async () => {
    await runTlsCalls(session, ['liar:1']);
    closeSession(session);
    assert.deepEqual(dataOf(session), []);
    assert.equal(session.capture.counters().drops.bad_length, 1);
  });

  for (const [command, reason] of [
    ['liar:1', 'bad_length'],
    ['lost:1:100', 'fault'],
  ] as const) {
    it(`never joins what is before and behind a call of unknown size: ${reason}`, async () => {
      await runTlsCalls(session, ['write:1:10', 'read:1:20', command, 'write:1:30', 'read:1:40']);
      closeSession(session);
      assert.equal(session.capture.counters().drops[reason], 1);
      const seen = dataOf(session);
      assert.deepEqual(
        seen.map(({ position, bytes }) => [position, bytes.length]),
        [
          [0, 10],
          [0, 20],
          [0, 30],
          [0, 40],
        ],
      );
      const [first, , second] = seen.map(({ connection }) => connection.generation);
      assert.ok((second ?? 0) > (first ?? 0));
      assert.equal(new Set(seen.map(({ connection }) => connection.generation)).size, 2);
    });
  }

  it('counts sends again after an uncork that was left without a return, on a new connection', async () => {
    session.capture.close();
    const corked = openSession();
    try {
      const path = buildTlsCalls();
      const names = ['SSL_read', 'SSL_write', 'gnutls_record_uncork'];
      const { offsets } = loadBinding().locateSymbols(path, names);
      const { SSL_read = 0, SSL_write = 0, gnutls_record_uncork = 0 } = offsets;
      corked.capture.attach({
        stack: 'gnutls',
        path,
        offsets: {
          gnutls_record_recv: SSL_read,
          gnutls_record_send: SSL_write,
          gnutls_record_uncork,
        },
      });
      const unseen = ['write:1:20', 'read:1:30'];
      await runTlsCalls(corked, ['write:1:10', 'left:1', ...unseen, 'write:1:40', 'read:1:50']);
      closeSession(corked);
      const seen = dataOf(corked);
      assert.deepEqual(
        seen.map(({ position, bytes }) => [position, bytes.length]),
        [
          [0, 10],
          [0, 40],
          [0, 50],
        ],
      );
      assert.equal(new Set(seen.map(({ connection }) => connection.generation)).size, 2);
      assert.equal(corked.capture.counters().drops.orphan, 1);
      assert.equal(corked.capture.counters().droppedBytes, 30);
    } finally {
      corked.capture.close();
    }
  });

  const losses = () =>
    lossesOf(session).map(({ position, lostBytes, reason }) => [position, lostBytes, reason]);
  const positions = () =>
    dataOf(session)
      .filter((event) => event.connection.object === dataOf(session)[0]?.connection.object)
      .map(({ position, bytes }) => [position, bytes.length]);

  for (const [what, left, ...after] of [
    ['its connection’s next call', 'quit:1:20', 'read:1:30'],
    ['its connection’s next call the other way', 'quit:1:20', 'write:1:30'],
    ['its connection’s next call the other way, above it', 'quit_deep:1:20', 'write:1:30'],
    ['its connection’s next call, deeper on the stack', 'quit:1:20', 'deep:1:30'],
    ['a call on another connection in its place', 'quit:1:20', 'read:2:30'],
    ['the end of its connection', 'quit:1:20', 'free:1'],
  ] as const) {
    it(`names a call that was left without a return as lost, of unknown size, at ${what}`, async () => {
      await runTlsCalls(session, ['read:1:10', left, ...after]);
      closeSession(session);
      assert.deepEqual(losses(), [[10, 0, 'orphan']]);
      assert.equal(session.capture.counters().drops.orphan, 1);
      const [first] = dataOf(session);
      const [loss] = lossesOf(session);
      assert.ok(first && loss);
      assert.equal(loss.direction, 'read');
      assert.deepEqual(loss.connection, first.connection);
      const lossAt = session.events.indexOf(loss);
      assert.ok(session.events.slice(lossAt + 1).some(({ type }) => type !== 'exit'));
    });
  }

  it('names what a call carried that gave way to others as lost, by its size where it returns it', async () => {
    await runTlsCalls(session, ['read:1:10', 'crowd:1:50', 'read:1:30', 'free:1']);
    closeSession(session);
    const object = dataOf(session)[0]?.connection.object;
    assert.deepEqual(
      lossesOf(session)
        .filter(({ connection }) => connection.object === object)
        .map(({ position, lostBytes, reason }) => [position, lostBytes, reason]),
      [[10, 50, 'orphan']],
    );
    assert.deepEqual(positions(), [
      [0, 10],
      [60, 30],
    ]);
    assertBytes(dataOf(session).at(-1) as DataEvent, 1);
  });

  it('names what a call carried that gave way to others as lost, before the other direction goes on', async () => {
    await runTlsCalls(session, ['read:1:10', 'crowd_ex:1:50', 'write:1:30', 'read:1:5']);
    closeSession(session);
    const object = dataOf(session)[0]?.connection.object;
    const seen = session.events.filter(
      (event) =>
        (event.type === 'data' || event.type === 'loss') && event.connection.object === object,
    );
    assert.deepEqual(
      seen.map((event) => event.type),
      ['data', 'loss', 'data', 'data'],
    );
    const [loss] = lossesOf(session).filter(({ connection }) => connection.object === object);
    assert.deepEqual([loss?.direction, loss?.position, loss?.lostBytes], ['read', 10, 0]);
  });

  it('takes no call that returns without bytes for lost', async () => {
    const commands = ['retry:1:10', 'wrapped:1:20', 'nested:1:2:30', 'read:1:5', 'partial:1:8'];
    await runTlsCalls(session, [...commands, ...commands, 'free:1', 'free:2']);
    closeSession(session);
    assert.deepEqual(losses(), []);
    assert.equal(session.capture.counters().drops.orphan ?? 0, 0);
  });

  it('takes no call for lost within which the same object is used the other way', async () => {
    const commands = ['read:1:10', 'answer:1:20:30', 'write:1:5', 'ask:1:40:50', 'read:1:6'];
    await runTlsCalls(session, [...commands, ...commands, 'free:1']);
    closeSession(session);
    assert.deepEqual(losses(), []);
    assert.equal(session.capture.counters().drops.orphan, 0);
    const sizesOf = (wanted: 'read' | 'write') =>
      dataOf(session)
        .filter(({ direction }) => direction === wanted)
        .map(({ bytes }) => bytes.length);
    assert.deepEqual(sizesOf('read'), [10, 20, 50, 6, 10, 20, 50, 6]);
    assert.deepEqual(sizesOf('write'), [30, 5, 40, 30, 5, 40]);
    for (const event of dataOf(session)) {
      assertBytes(event, 1);
    }
  });

  for (const [how, what, isExec] of [
    [0, 'that exits', false],
    [1, 'that is killed', false],
    [2, 'that another thread ends', false],
    [3, 'that starts another program', true],
  ] as const) {
    const finish = async (...commands: string[]): Promise<void> => {
      const child = startWatched(session, buildTlsCalls(), commands);
      if (isExec) {
        child.stdin?.write('\n');
      }
      await ended(child);
      closeSession(session);
    };

    it(`names a write as lost, of unknown size, within a process ${what}`, async () => {
      await finish('write:1:10', 'write:2:5', 'read:1:7', `last:1:20:${how}`, 'write:1:30');
      assert.deepEqual(losses(), [[10, 0, 'orphan']]);
      assert.equal(session.capture.counters().drops.orphan, 1);
      const [loss] = lossesOf(session);
      assert.ok(loss);
      assert.equal(loss.direction, 'write');
      assert.deepEqual(loss.connection, dataOf(session)[0]?.connection);
      const order = session.events.map(({ type }) => type);
      assert.ok(order.indexOf('loss') < order.indexOf(isExec ? 'exec' : 'exit'));
      assert.equal(dataOf(session).length, isExec ? 4 : 3);
    });

    it(`names the first write of a connection so within a process ${what}`, async () => {
      await finish(`last:1:20:${how}`, 'write:1:30');
      assert.deepEqual(losses(), [[0, 0, 'orphan']]);
    });

    it(`takes no read for lost within a process ${what}`, async () => {
      await finish('write:1:10', 'read:1:7', `last_read:1:20:${how}`, 'write:1:30');
      assert.deepEqual(losses(), []);
      assert.equal(session.capture.counters().drops.orphan, 0);
    });
  }

  it('names the write among 300 connections when a process ends', async () => {
    await runTlsCalls(session, ['each:1', 'free:7', 'last:290:20:0']);
    closeSession(session);
    assert.equal(dataOf(session).length, 300);
    assert.deepEqual(losses(), [[1, 0, 'orphan']]);
    assert.equal(session.capture.counters().drops.table, 0);
  });

  it('begins a new connection at a freed address and after an exec', async () => {
    const commands = ['write:1:10', 'free:1', 'write:1:20', 'exec', 'write:1:30', 'free:1'];
    const child = startWatched(session, buildTlsCalls(), commands);
    child.stdin?.write('\n');
    assert.equal(await ended(child), 0);
    closeSession(session);
    const data = dataOf(session);
    assert.deepEqual(
      data.map((event) => [event.position, event.bytes.length]),
      [
        [0, 10],
        [0, 20],
        [0, 30],
      ],
    );
    assert.equal(new Set(data.map((event) => event.connection.object)).size, 1);
    assert.equal(new Set(data.map((event) => event.connection.generation)).size, 3);
    assert.ok(data.every((event) => event.connection.generation === event.enterNs));
    const closes = session.events.filter((event) => event.type === 'close');
    assert.deepEqual(
      closes.map((event) => event.writePosition),
      [10, 30],
    );
  });

  it('sees nothing of a process that is not watched, or is excluded', async () => {
    spawnSync(buildTlsCalls(), ['write:1:10'], { input: '\n' });
    session.capture.close();
    assert.deepEqual(session.events, []);

    const everything = openSession({ watchAll: true });
    attachTo(everything, buildTlsCalls());
    try {
      const child = spawn(buildTlsCalls(), ['write:1:10'], {
        stdio: ['pipe', 'ignore', 'inherit'],
      });
      everything.capture.setProcess(child.pid as number, 'excluded');
      child.stdin.write('\n');
      await ended(child);
      everything.capture.close();
      assert.equal(
        everything.events.some(
          (event) => event.type === 'data' && event.connection.process.pid === child.pid,
        ),
        false,
      );
    } finally {
      everything.capture.close();
    }
  });
});

describe('loss in the kernel', function () {
  this.timeout(60_000);

  before(function () {
    requireKernel(this);
    buildTlsCalls();
  });
  after(removeTlsCalls);

  it('accounts for every byte when a small ring overflows', async () => {
    const session = openSession({ ringBytes: 65_536 });
    try {
      attachTo(session, buildTlsCalls());
      const calls = 3000;
      const bytes = 16_384;
      await runTlsCalls(session, [
        `repeat:${calls}:5:${bytes}`,
        'sleep:200',
        'write:5:9',
        'free:5',
      ]);
      closeSession(session);
      const sent = calls * bytes + 9;
      const captured = dataOf(session).reduce((sum, event) => sum + event.bytes.length, 0);
      const lost = lossesOf(session).reduce((sum, event) => sum + event.lostBytes, 0);
      assert.ok(lost > 0, 'nothing was lost: this proves nothing');
      assert.ok(captured > 0);
      assert.equal(captured + lost, sent);
      assert.equal(session.capture.counters().droppedBytes, lost);
      assert.equal(session.capture.counters().drops.control, 0);
      let position = 0;
      for (const event of session.events) {
        if (event.type === 'data') {
          assert.equal(event.position, position);
          assertBytes(event, 5);
          position += event.bytes.length;
        } else if (event.type === 'loss') {
          assert.equal(event.position, position);
          assert.equal(event.reason, 'ring-full');
          position += event.lostBytes;
        }
      }
      const close = session.events.find((event) => event.type === 'close');
      assert.equal(close?.writePosition, sent);
    } finally {
      session.capture.close();
    }
  });

  it('reports a loss at the very end of a connection before its close', async () => {
    const session = openSession({ ringBytes: 65_536 });
    try {
      attachTo(session, buildTlsCalls());
      await runTlsCalls(session, ['write:5:20000', 'write:5:4000000', 'free:5']);
      closeSession(session);
      const types = session.events
        .filter((event) => ['data', 'loss', 'close'].includes(event.type))
        .map((event) => event.type);
      assert.deepEqual(types.slice(-2), ['loss', 'close']);
      const captured = dataOf(session).reduce((sum, event) => sum + event.bytes.length, 0);
      const lost = lossesOf(session).reduce((sum, event) => sum + event.lostBytes, 0);
      assert.equal(captured + lost, 4_020_000);
    } finally {
      session.capture.close();
    }
  });

  it('stops reading while JavaScript is busy, and the kernel counts what that costs', async () => {
    const session = openSession({ ringBytes: 1024 * 1024 });
    try {
      attachTo(session, buildTlsCalls());
      const child = startWatched(session, buildTlsCalls(), [
        'repeat:3000:5:16384',
        'sync',
        'free:5',
      ]);
      const blocked = new Int32Array(new SharedArrayBuffer(4));
      // Until nothing more is put on the ring: it is full, or all was written.
      let records = -1;
      for (let i = 0; i < 100 && session.capture.counters().records !== records; i++) {
        records = session.capture.counters().records;
        Atomics.wait(blocked, 0, 0, 100);
      }
      // Eight slabs and the ring: no more than that is held while nobody takes it.
      assert.ok(session.capture.counters().bytes <= 9 * MIB);
      assert.equal(session.events.filter((event) => event.type === 'data').length, 0);
      // What was lost last is reported once there is room again.
      await delay(300);
      child.stdin?.write('\n');
      assert.equal(await ended(child), 0);
      closeSession(session);
      const captured = dataOf(session).reduce((sum, event) => sum + event.bytes.length, 0);
      const lost = lossesOf(session).reduce((sum, event) => sum + event.lostBytes, 0);
      assert.equal(captured + lost, 3000 * 16_384);
      assert.ok(captured > 0);
      assert.ok(lost > 0);
    } finally {
      session.capture.close();
    }
  });
});
