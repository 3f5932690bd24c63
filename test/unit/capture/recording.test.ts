import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type {
  CaptureEvent,
  DataEvent,
  DecodedPiece,
  HostEvent,
} from '../../../src/capture/events.ts';
import { createRecordingWriter } from '../../../src/capture/recording.ts';
import { DECODED_SINCE_VERSION, RECORDING_VERSION } from '../../../src/capture/recording-codec.ts';
import { readRecording } from '../../../src/capture/recording-reader.ts';
import { createReplaySource } from '../../../src/capture/replay-source.ts';
import { SightlineError } from '../../../src/util/errors.ts';

const HOST: HostEvent = {
  type: 'host',
  timeNs: 1n,
  bootId: 'boot',
  hostName: 'box',
  arch: 'amd64',
  osDescription: 'Linux',
  clockOffsetNs: 1_700_000_000_000_000_000n,
};

const DATA: CaptureEvent = {
  type: 'data',
  timeNs: 3n,
  enterNs: 2n,
  tid: 8,
  connection: { process: { pid: 7, startNs: 1n }, stack: 'openssl', object: 4096, generation: 2n },
  direction: 'write',
  position: 0,
  callBytes: 3,
  callOffset: 0,
  sequence: 0,
  bytes: Uint8Array.of(0xff, 0x00, 0x80),
  decoded: [],
};

const END: CaptureEvent = { type: 'end', timeNs: 9n };

const WRITER = fileURLToPath(new URL('../../../src/capture/recording.ts', import.meta.url));

let folder = '';
let count = 0;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'sightline-rec-'));
});

after(() => {
  rmSync(folder, { recursive: true });
});

function fresh(): string {
  count += 1;
  return join(folder, `file-${count}`);
}

function write(path: string, events: readonly CaptureEvent[]): void {
  const writer = createRecordingWriter({ path });
  events.forEach(writer.write);
  assert.equal(writer.close().error, undefined);
}

async function replay(...paths: string[]) {
  const events: CaptureEvent[] = [];
  const source = createReplaySource({ paths });
  let error: unknown;
  try {
    await source.start((event) => {
      events.push(
        event.type === 'data' ? { ...event, bytes: Uint8Array.from(event.bytes) } : event,
      );
    });
  } catch (thrown) {
    error = thrown;
  }
  return { events, error, outcomes: source.outcomes() };
}

function hasCode(code: string) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof SightlineError, String(error));
    assert.equal(error.code, code);
    assert.ok(!error.message.includes('\n'));
    return true;
  };
}

describe('a recording file', () => {
  it('is readable by its owner only, whatever the umask', () => {
    const before = process.umask(0);
    try {
      const path = fresh();
      write(path, [HOST]);
      assert.equal(statSync(path).mode & 0o777, 0o600);
    } finally {
      process.umask(before);
    }
  });

  it('is not written over an existing one unless allowed', async () => {
    const path = fresh();
    writeFileSync(path, 'precious');
    assert.throws(() => createRecordingWriter({ path }), hasCode('SL_RECORDING_EXISTS'));
    assert.equal(readFileSync(path, 'utf8'), 'precious');
    chmodSync(path, 0o644);
    const writer = createRecordingWriter({ path, overwrite: true });
    writer.write(HOST);
    writer.close();
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual((await replay(path)).events, [HOST, { type: 'end', timeNs: 1n }]);
  });

  it('is never written through a link', () => {
    const target = fresh();
    writeFileSync(target, 'precious');
    const link = fresh();
    symlinkSync(target, link);
    const hard = fresh();
    linkSync(target, hard);
    for (const overwrite of [false, true]) {
      for (const path of [link, hard]) {
        assert.throws(() => createRecordingWriter({ path, overwrite }), SightlineError);
      }
    }
    const dangling = fresh();
    symlinkSync(join(folder, 'nowhere'), dangling);
    assert.throws(() => createRecordingWriter({ path: dangling, overwrite: true }), SightlineError);
    assert.ok(!existsSync(join(folder, 'nowhere')));
    assert.equal(readFileSync(target, 'utf8'), 'precious');
  });

  it('is refused where it cannot be', () => {
    mkdirSync(join(folder, 'dir'), { recursive: true });
    for (const path of [join(folder, 'no/such'), join(folder, 'dir'), '/dev/null']) {
      assert.throws(
        () => createRecordingWriter({ path, overwrite: true }),
        hasCode('SL_RECORDING_UNWRITABLE'),
      );
    }
  });

  it('reports once that it can no longer be written, and goes on without recording', () => {
    const path = fresh();
    const script = `
      import { createRecordingWriter } from ${JSON.stringify(WRITER)};
      const errors = [];
      const writer = createRecordingWriter({
        path: ${JSON.stringify(path)},
        blockBytes: 4096,
        onError: (error) => errors.push(error),
      });
      process.on('SIGXFSZ', () => {});
      let seed = 1;
      const connection = { process: { pid: 7, startNs: 1n }, stack: 'openssl', object: 8, generation: 1n };
      for (let at = 0; at < 200; at += 1) {
        const bytes = Uint8Array.from({ length: 2000 }, () => (seed = (seed * 48271) % 2147483647));
        writer.write({ type: 'data', timeNs: 1n, enterNs: 1n, tid: 7, connection, direction: 'read',
          position: 0, callBytes: 2000, callOffset: 0, sequence: 0, bytes });
      }
      const summary = writer.close();
      console.log(JSON.stringify({ count: errors.length, code: summary.error?.code, message: errors[0]?.message }));
    `;
    // The limit on file size stands in for the disk's.
    const run = spawnSync(
      'sh',
      [
        '-c',
        'ulimit -f 64; exec "$0" --import=tsx --input-type=module -e "$1"',
        process.execPath,
        script,
      ],
      { encoding: 'utf8' },
    );
    assert.equal(run.status, 0, run.stderr);
    const { count, code, message } = JSON.parse(run.stdout);
    assert.equal(count, 1);
    assert.equal(code, 'SL_RECORDING_WRITE');
    assert.ok(message.includes(path) && !message.includes('\n'));
    assert.ok(statSync(path).size <= 64 * 1024);
  });

  it('keeps everything of one before a kill', async () => {
    const path = fresh();
    const writer = createRecordingWriter({ path });
    writer.write(HOST);
    writer.write(DATA);
    // Two seconds of event time later the block is on disk, though nobody closed the file.
    writer.write({ type: 'tick', timeNs: 2_000_000_000n });
    const killed = fresh();
    writeFileSync(killed, readFileSync(path));
    const { events, error, outcomes } = await replay(killed);
    writer.close();
    assert.equal(error, undefined);
    assert.deepEqual(events, [HOST, DATA, { type: 'end', timeNs: 3n }]);
    assert.equal(outcomes[0]?.truncated, true);
  });

  it('survives an event that the format has no room for', async () => {
    const path = fresh();
    const writer = createRecordingWriter({ path });
    writer.write(HOST);
    writer.write({ ...DATA, tid: -1 } as CaptureEvent);
    writer.write(DATA);
    writer.write(END);
    assert.equal(writer.close().skippedEvents, 1);
    assert.deepEqual((await replay(path)).events, [HOST, DATA, END]);
  });
});

describe('a replay', () => {
  it('delivers bytes verbatim, and several recordings one after the other', async () => {
    const first = fresh();
    const second = fresh();
    write(first, [HOST, DATA, END]);
    write(second, [{ ...HOST, hostName: 'other' }, END]);
    const { events, error, outcomes } = await replay(first, second);
    assert.equal(error, undefined);
    assert.deepEqual(events, [HOST, DATA, END, { ...HOST, hostName: 'other' }, END]);
    assert.deepEqual(
      outcomes.map(({ events, truncated }) => ({ events, truncated })),
      [
        { events: 3, truncated: false },
        { events: 2, truncated: false },
      ],
    );
  });

  it('stops when asked, and still ends', async () => {
    const path = fresh();
    write(path, [HOST, DATA, DATA, DATA, END]);
    const types: string[] = [];
    const source = createReplaySource({ paths: [path, path] });
    await source.start((event) => {
      types.push(event.type);
      if (event.type === 'data') {
        void source.stop();
      }
    });
    assert.deepEqual(types, ['host', 'data', 'end']);
  });

  it('passes on what the consumer throws', async () => {
    const path = fresh();
    write(path, [HOST, END]);
    const source = createReplaySource({ paths: [path] });
    const boom = new Error('boom');
    await assert.rejects(
      source.start((event) => {
        if (event.type === 'host') {
          throw boom;
        }
      }),
      boom,
    );
  });

  it('refuses what is no recording', async () => {
    const text = fresh();
    writeFileSync(text, 'hello, this is a text of some length\n');
    const gzip = fresh();
    writeFileSync(gzip, gzipSync('{}'));
    const empty = fresh();
    writeFileSync(empty, '');
    for (const path of [text, gzip, empty]) {
      hasCode('SL_RECORDING_FOREIGN')((await replay(path)).error);
    }
    for (const path of [join(folder, 'none'), folder, '/dev/null']) {
      hasCode('SL_RECORDING_UNREADABLE')((await replay(path)).error);
    }
  });

  it('has what compressed bytes decode to, in frames of bounded size', async () => {
    const path = fresh();
    const large = new Uint8Array(9 * 1024 * 1024).fill(0x61);
    const decoded: DecodedPiece[] = [
      { position: 0, length: 1, content: Uint8Array.of(1, 2), outcome: 'ok' },
      { position: 1, length: 2, content: large, outcome: 'corrupt' },
    ];
    write(path, [HOST, { ...DATA, decoded }, DATA, END]);
    const { events, error } = await replay(path);
    assert.equal(error, undefined);
    assert.equal(events.length, 4);
    const [, first, second] = events as [CaptureEvent, DataEvent, DataEvent];
    assert.deepEqual(second.decoded, []);
    const pieces = first.decoded ?? [];
    assert.deepEqual(pieces[0], decoded[0]);
    assert.ok(pieces.slice(1).every(({ position, length }) => position === 1 && length === 2));
    assert.ok(Buffer.concat(pieces.slice(1).map(({ content }) => content)).equals(large));
    assert.deepEqual(
      pieces.slice(1).map(({ outcome }) => outcome),
      ['ok', 'ok', 'corrupt'],
    );
  });

  it('of an older version has compressed bytes as they were', async () => {
    const path = fresh();
    write(path, [HOST, DATA, END]);
    const bytes = readFileSync(path);
    bytes[8] = DECODED_SINCE_VERSION - 1;
    writeFileSync(path, bytes);
    const { decoded: _none, ...older } = DATA as DataEvent;
    assert.deepEqual((await replay(path)).events, [HOST, older, END]);
  });

  it('refuses a newer version', async () => {
    const path = fresh();
    write(path, [HOST, END]);
    const bytes = readFileSync(path);
    bytes[8] = RECORDING_VERSION + 1;
    writeFileSync(path, bytes);
    hasCode('SL_RECORDING_VERSION')((await replay(path)).error);
  });

  it('calls corrupt what contradicts the format, after what is whole', async () => {
    const path = fresh();
    const noise = { ...DATA, bytes: Uint8Array.from({ length: 9000 }, (_, at) => (at * at) % 251) };
    const writer = createRecordingWriter({ path, blockBytes: 10_000 });
    [HOST, ...Array.from({ length: 50 }, () => noise), END].forEach(writer.write);
    writer.close();
    appendFileSync(path, 'garbage');
    const { events, error, outcomes } = await replay(path);
    hasCode('SL_RECORDING_CORRUPT')(error);
    assert.deepEqual(outcomes, []);
    assert.equal(events[0]?.type, 'host');
    assert.equal(events.at(-1)?.type, 'end');
    assert.equal(events.filter(({ type }) => type === 'end').length, 1);
    assert.ok(events.length > 20, `${events.length} events`);
  });

  it('refuses hostile frames without allocating what they claim', async () => {
    const path = fresh();
    write(path, [HOST]);
    const whole = readFileSync(path);
    const preamble = whole.subarray(0, 16 + whole.readUInt32LE(12));
    const cases = [
      Buffer.from([0, 0, 0, 0]),
      Buffer.from([0xff, 0xff, 0xff, 0xff, 1]),
      frame(9, Buffer.alloc(4)),
      frame(2, Buffer.alloc(10)),
      frame(1, Buffer.from('not json')),
      frame(1, Buffer.from('{"type":"tick"}')),
      frame(1, Buffer.from('{"type":"tick","timeNs":"-4"}')),
      frame(1, Buffer.from(`{"type":"tick","timeNs":"${'9'.repeat(30)}"}`)),
      frame(1, Buffer.from('{"type":"__proto__","timeNs":"4"}')),
      frame(1, Buffer.from('[]')),
      frame(3, Buffer.from([9, 0, 0, 0, 0, 0, 0, 0])),
      frame(3, Buffer.alloc(8, 0xff)),
    ];
    for (const body of cases) {
      writeFileSync(path, Buffer.concat([preamble, gzipSync(body)]));
      await assert.rejects(
        readRecording({ path, onEvent: () => assert.fail('an event') }),
        hasCode('SL_RECORDING_CORRUPT'),
      );
    }
  });
});

function frame(type: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32LE(1 + payload.byteLength, 0);
  head[4] = type;
  return Buffer.concat([head, payload]);
}
