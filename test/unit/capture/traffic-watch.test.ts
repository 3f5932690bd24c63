/** When a process is told to have no traffic that anybody wants, and when not. */
import assert from 'node:assert/strict';
import type { ConnectionRef, DataEvent, SkipEvent } from '../../../src/capture/events.ts';
import { createTrafficWatch, type RestLevel } from '../../../src/capture/traffic-watch.ts';
import { NEVER_COPY, NEVER_COPY_SERVED } from '../../../src/capture/verdict.ts';

const SECOND = 1_000_000_000n;
const WINDOW = SECOND / 4n;

describe('the watch over what traffic is worth', () => {
  let told: [number, RestLevel][];
  let watch: ReturnType<typeof createTrafficWatch>;

  beforeEach(() => {
    told = [];
    watch = createTrafficWatch({
      minUnwantedCalls: 100,
      maxConnections: 3,
      onUnwanted: (pid, level) => told.push([pid, level]),
    });
  });

  function connection(pid: number, object: number): ConnectionRef {
    return { process: { pid, startNs: 1n }, stack: 'openssl', object, generation: 1n };
  }

  function data(ref: ConnectionRef, timeNs: bigint, direction: 'read' | 'write'): DataEvent {
    return {
      type: 'data',
      timeNs,
      enterNs: timeNs,
      tid: 1,
      connection: ref,
      direction,
      position: 0,
      callBytes: 1,
      callOffset: 0,
      sequence: 0,
      bytes: new Uint8Array(1),
    };
  }

  function skip(ref: ConnectionRef, timeNs: bigint, calls: number): SkipEvent {
    const base = { type: 'skip', timeNs, connection: ref, direction: 'read', position: 0 } as const;
    return { ...base, skippedBytes: calls * 1000, calls };
  }

  /** Windows of many calls that nobody wants. */
  function load(ref: ConnectionRef, windows: number, calls = 100): void {
    watch.push(skip(ref, 0n, 0));
    for (let i = 1; i <= windows; i += 1) {
      watch.push(skip(ref, BigInt(i) * WINDOW, calls));
    }
  }

  it('tells of a download as soon as a window was full of it', () => {
    const download = connection(7, 8);
    watch.push(data(download, 0n, 'write'));
    watch.judged(download, NEVER_COPY);
    load(download, 1);
    assert.deepEqual(told, [[7, 'reads']]);
    load(download, 1, 99);
    assert.equal(told.length, 1);
  });

  it('tells of a server when it went on for a second', () => {
    const served = connection(7, 8);
    watch.push(data(served, 0n, 'read'));
    watch.judged(served, NEVER_COPY_SERVED);
    load(served, 3);
    assert.deepEqual(told, []);
    watch.push(skip(served, SECOND, 100));
    assert.deepEqual(told, [[7, 'everything']]);
    assert.ok(watch.onlyServes(7, SECOND));
  });

  it('leaves a process alone in which anything was ever wanted', () => {
    const [download, asking] = [connection(7, 8), connection(7, 16)];
    watch.push(data(asking, 0n, 'write'));
    watch.wanted(asking);
    watch.push({
      type: 'close',
      timeNs: 1n,
      connection: asking,
      readPosition: 0,
      writePosition: 1,
    });
    watch.push(data(download, 0n, 'write'));
    watch.judged(download, NEVER_COPY);
    load(download, 8);
    assert.deepEqual(told, []);
    assert.equal(watch.isQuiet(7, SECOND), false);
  });

  it('waits while an exchange on another connection may become one', () => {
    const [download, other] = [connection(7, 8), connection(7, 16)];
    watch.push(data(download, 0n, 'write'));
    watch.judged(download, NEVER_COPY);
    watch.push(data(other, 0n, 'write'));
    load(download, 1);
    assert.deepEqual(told, []);
    assert.equal(watch.isQuiet(7, 5n * SECOND), false);
    assert.equal(watch.isQuiet(7, 6n * SECOND), true);
  });

  it('does not take a download beside served connections for serving', () => {
    const [served, download] = [connection(7, 8), connection(7, 16)];
    watch.push(data(served, 0n, 'read'));
    watch.judged(served, NEVER_COPY_SERVED);
    watch.push(data(download, 0n, 'write'));
    watch.judged(download, NEVER_COPY);
    assert.equal(watch.onlyServes(7, 0n), false);
    load(served, 8);
    assert.deepEqual([...new Set(told.map(([, level]) => level))], ['reads']);
  });

  it('does not judge by one stream of an HTTP/2 connection', () => {
    const shared = connection(7, 8);
    watch.push(data(shared, 0n, 'write'));
    watch.judged(shared, { readUntil: Infinity, writeUntil: 0, readStream: 3 });
    const { calls: _, ...ofStream } = skip(shared, WINDOW, 100);
    watch.push({ ...ofStream, frameStream: 3, frameHeaders: 1, frameRemainderBytes: 0 });
    assert.equal(watch.isQuiet(7, WINDOW), false);
    assert.deepEqual(told, []);
  });

  it('leaves a process alone that has more connections than are followed', () => {
    for (const object of [8, 16, 24, 32]) {
      watch.push(data(connection(7, object), 0n, 'write'));
      watch.judged(connection(7, object), NEVER_COPY);
    }
    load(connection(7, 8), 4);
    assert.deepEqual(told, []);
    watch.push({ type: 'exit', timeNs: 1n, process: { pid: 7, startNs: 1n } });
    // There is room again.
    const fresh = connection(9, 8);
    watch.push(data(fresh, 0n, 'write'));
    watch.judged(fresh, NEVER_COPY);
    load(fresh, 1);
    assert.deepEqual(told, [[9, 'reads']]);
  });

  it('knows who spoke first', () => {
    const [asked, served] = [connection(7, 8), connection(7, 16)];
    watch.push(data(asked, 0n, 'write'));
    watch.push(data(asked, 1n, 'read'));
    watch.push(data(served, 0n, 'read'));
    watch.push(data(served, 1n, 'write'));
    assert.deepEqual([watch.isAsking(asked), watch.isAsking(served)], [true, false]);
  });
});
