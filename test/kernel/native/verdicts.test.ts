/** Verdicts in the real kernel: what is not copied, and what is said of it. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { DataEvent } from '../../../src/capture/events.ts';
import { NEVER_COPY } from '../../../src/capture/verdict.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import {
  assertBytes,
  attachTo,
  buildTlsCalls,
  closeSession,
  dataOf,
  ended,
  openSession,
  removeTlsCalls,
  runTlsCalls,
  type Session,
  startWatched,
} from './harness.ts';

describe('verdicts in the kernel', function () {
  this.timeout(60_000);
  let session: Session;

  before(function () {
    requireKernel(this);
    buildTlsCalls();
  });

  beforeEach(() => {
    session = openSession();
    attachTo(session, buildTlsCalls());
  });

  afterEach(() => session?.capture.close());
  after(removeTlsCalls);

  it('copies nothing of what a verdict names, and says how much that was, when the next request lifts it', async () => {
    const child = startWatched(session, buildTlsCalls(), [
      'write:3:100',
      'read:3:1000',
      'sync',
      // Up to 61000 unwanted: three calls, of which the last ends exactly there.
      'read:3:20000',
      'read:3:20000',
      'read:3:20000',
      'read:3:50',
      'sync',
      // Unwanted without end, until something is written.
      'read:3:70000',
      'read:3:70000',
      'write:3:200',
      'read:3:300',
      'sync',
      // Nothing is ever wanted again.
      'read:3:5000',
      'write:3:5000',
      'read:3:5000',
      'free:3',
    ]);
    const connection = async (count: number) => {
      while (dataOf(session).length < count) {
        await delay(10);
      }
      return (dataOf(session)[0] as DataEvent).connection;
    };
    const ref = await connection(2);
    session.capture.setVerdict(ref, { readUntil: 61_000, writeUntil: 0, whileWrittenBytes: 100 });
    child.stdin?.write('\n');
    await connection(3);
    session.capture.setVerdict(ref, { readUntil: Infinity, writeUntil: 0, whileWrittenBytes: 100 });
    child.stdin?.write('\n');
    await connection(5);
    session.capture.setVerdict(ref, NEVER_COPY);
    child.stdin?.write('\n');
    assert.equal(await ended(child), 0);
    closeSession(session);

    const story = session.events.flatMap((event) => {
      switch (event.type) {
        case 'data':
          assertBytes(event, 3);
          return [`${event.direction} ${event.position}+${event.bytes.length}`];
        case 'skip':
          return [`skip ${event.direction} ${event.position}+${event.skippedBytes}`];
        case 'loss':
          return ['loss'];
        case 'close':
          return [`close ${event.readPosition} ${event.writePosition}`];
        default:
          return [];
      }
    });
    assert.deepEqual(story, [
      'write 0+100',
      'read 0+1000',
      'skip read 1000+60000',
      'read 61000+50',
      'skip read 61050+140000',
      'write 100+200',
      'read 201050+300',
      'skip read 201350+10000',
      'skip write 300+5000',
      'close 211350 5300',
    ]);
  });

  it('does not apply a verdict to another connection at the same address, nor one that came too late', async () => {
    const child = startWatched(session, buildTlsCalls(), [
      'write:3:100',
      'sync',
      'read:3:1000',
      'free:3',
      'write:3:10',
      'read:3:1000',
      'free:3',
    ]);
    while (dataOf(session).length < 1) {
      await delay(10);
    }
    const ref = (dataOf(session)[0] as DataEvent).connection;
    // The request it is about was the one before: 50 bytes had been written.
    session.capture.setVerdict(ref, { readUntil: Infinity, writeUntil: 0, whileWrittenBytes: 50 });
    child.stdin?.write('\n');
    await ended(child);
    closeSession(session);
    assert.deepEqual(
      dataOf(session).map((event) => `${event.direction} ${event.position}+${event.bytes.length}`),
      ['write 0+100', 'read 0+1000', 'write 0+10', 'read 0+1000'],
    );
    assert.deepEqual(
      session.events.filter((event) => event.type === 'skip'),
      [],
    );
  });

  it('takes nothing for the content of a stream behind a call whose frames nobody has seen', async () => {
    const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n').toString('hex');
    const child = startWatched(session, buildTlsCalls(), [
      `content:1:1:${preface}`,
      // DATA of stream 1, whose 100 bytes give way to others, with the first five of the next header.
      'content:1:0:000064000000000001',
      'crowd:1:105',
      'sync',
      // The rest of that header, of HEADERS, and what is a header of DATA only at first sight.
      'content:1:0:0000000300ea60000000000001',
      'read:1:500',
      'free:1',
    ]);
    while (dataOf(session).length < 2) {
      await delay(10);
    }
    const ref = (dataOf(session)[0] as DataEvent).connection;
    session.capture.setVerdict(ref, { readUntil: Infinity, writeUntil: 0, readStream: 1 });
    child.stdin?.write('\n');
    assert.equal(await ended(child), 0);
    closeSession(session);
    const story = session.events.flatMap((event) => {
      if (!('connection' in event) || event.connection.object !== ref.object) {
        return [];
      }
      switch (event.type) {
        case 'data':
          return [`${event.direction} ${event.position}+${event.bytes.length}`];
        case 'loss':
          return [`loss ${event.position}+${event.lostBytes}`];
        default:
          return [event.type];
      }
    });
    assert.deepEqual(story, [
      'write 0+24',
      'read 0+9',
      'loss 9+105',
      'read 114+13',
      'read 127+500',
      'close',
    ]);
  });

  it('takes thousands of verdicts a second', async () => {
    const pid = await runTlsCalls(session, ['write:3:100']);
    const ref = {
      process: { pid, startNs: 1n },
      stack: 'openssl' as const,
      object: 0x1000,
      generation: 5n,
    };
    const startMs = performance.now();
    for (let count = 0; count < 20_000; count += 1) {
      session.capture.setVerdict({ ...ref, object: 0x1000 + count * 8 }, NEVER_COPY);
    }
    const tookMs = performance.now() - startMs;
    closeSession(session);
    assert.ok(tookMs < 2000, `20000 verdicts took ${tookMs} ms`);
  });
});
