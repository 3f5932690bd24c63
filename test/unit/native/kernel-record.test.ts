/** Decoding kernel records: every kind, joined arguments, and bytes that are no records. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { CaptureEvent, ExecEvent, SkipEvent } from '../../../src/capture/events.ts';
import {
  KERNEL_ABI as abi,
  createRecordDecoder,
  type MalformedRecord,
} from '../../../src/capture/kernel-record.ts';
import {
  dataRecord,
  kernelRecord as record,
  STREAM_FIELDS as STREAM,
} from '../../support/kernel-records.ts';

function argvRecord(pid: number, timeNs: bigint, offset: number, text: string) {
  const payload = Buffer.from(text);
  const fields = {
    time_ns: timeNs,
    'process.pid': pid,
    offset: BigInt(offset),
    bytes: BigInt(payload.length),
  };
  return record('sl_argv_record', abi.SL_RECORD_ARGV, fields, payload);
}

function execRecord(
  pid: number,
  timeNs: bigint,
  argvBytes: number,
  path = 'true\0bin\0',
  flags = 0,
) {
  const payload = Buffer.from(path);
  const fields = {
    flags,
    time_ns: timeNs,
    'process.pid': pid,
    'process.start_ns': 5n,
    'parent.pid': 1,
    argv_bytes: BigInt(argvBytes),
    path_bytes: payload.length,
    uid: 1000,
    gid: 1001,
    cgroup_id: 99n,
  };
  return record('sl_exec_record', abi.SL_RECORD_EXEC, fields, payload);
}

function decode(
  slabs: Uint8Array[],
  limits: { maxPendingArgvBytes?: number; maxCachedConnections?: number } = {},
) {
  const events: CaptureEvent[] = [];
  const malformed: MalformedRecord[] = [];
  const decoder = createRecordDecoder({
    onEvent: (event) => events.push(event),
    onMalformed: (what) => malformed.push(what),
    ...limits,
  });
  for (const slab of slabs) {
    decoder.push(slab);
  }
  return { events, malformed };
}

function execsOf(events: CaptureEvent[]): ExecEvent[] {
  return events.filter((event) => event.type === 'exec');
}

describe('kernel record', () => {
  it('decodes data without copying it', () => {
    const slab = Buffer.concat([dataRecord('hello'), dataRecord('')]);
    const { events, malformed } = decode([slab]);
    assert.deepEqual(malformed, []);
    const [first, second] = events;
    assert.deepEqual(first, {
      type: 'data',
      timeNs: 2_000n,
      enterNs: 1_000n,
      tid: 42,
      connection: {
        process: { pid: 41, startNs: 77n },
        stack: 'openssl',
        object: 0x7fff_1234_5670,
        generation: 1_000n,
      },
      direction: 'write',
      position: 2 ** 40,
      callBytes: 5,
      callOffset: 0,
      sequence: 9,
      bytes: new Uint8Array(Buffer.from('hello')),
    });
    assert.ok(first?.type === 'data' && second?.type === 'data');
    assert.equal(first.bytes.buffer, slab.buffer);
    assert.equal(Buffer.isBuffer(first.bytes), false, 'whose slice would not copy');
    assert.equal(second.bytes.length, 0);
    assert.equal(first.connection, second.connection, 'one object for one connection');
  });

  it('tells connections of one address apart', () => {
    const { events } = decode([
      dataRecord('a'),
      dataRecord('b', { generation: 3_000n }),
      dataRecord('c', { 'process.pid': 43 }),
      dataRecord('d', { 'process.start_ns': 78n }),
    ]);
    const refs = events.map((event) => event.type === 'data' && event.connection);
    assert.equal(new Set(refs).size, 4);
  });

  it('keeps few connections and still decodes all', () => {
    const many = Array.from({ length: 50 }, (_, i) => dataRecord('x', { object: BigInt(i * 8) }));
    const { events } = decode([Buffer.concat(many)], { maxCachedConnections: 3 });
    assert.deepEqual(
      events.map((event) => event.type === 'data' && event.connection.object),
      many.map((_, i) => i * 8),
    );
  });

  it('decodes losses with their reasons', () => {
    const loss = (reason: number) =>
      record('sl_stream_record', abi.SL_RECORD_LOSS, { ...STREAM, bytes: 5_000_000_000n, reason });
    const { events, malformed } = decode([
      Buffer.concat(
        [1, 2, 3, abi['drop.orphan'], abi['drop.bad_length'], abi['drop.control']].map(loss),
      ),
    ]);
    assert.deepEqual(
      events.map((event) => event.type === 'loss' && [event.reason, event.lostBytes]),
      [
        ['ring-full', 5e9],
        ['fault', 5e9],
        ['call-limit', 5e9],
        ['orphan', 5e9],
        ['bad-length', 5e9],
      ],
    );
    assert.deepEqual(malformed, [{ reason: 'field', kind: 2, skippedBytes: 104 }]);
  });

  it('decodes a peer, and refuses one without an address that it knows', () => {
    const peer = (more: Record<string, bigint | number> = {}) => {
      const bytes = record('sl_peer_record', abi.SL_RECORD_PEER, {
        time_ns: 9n,
        'process.pid': 41,
        object: 8n,
        generation: 7n,
        stack: 5,
        ip_version: 4,
        port: 443,
        local_port: 50_000,
        is_inferred: 1,
        ...more,
      });
      bytes.set([192, 0, 2, 1], abi['sl_peer_record.address']);
      bytes.set([198, 51, 100, 7], abi['sl_peer_record.local_address']);
      return bytes;
    };
    const { events, malformed } = decode([Buffer.concat([peer(), peer({ ip_version: 5 })])]);
    assert.equal(events.length, 1);
    const [event] = events;
    assert.ok(event?.type === 'peer');
    assert.deepEqual(
      [event.address, event.port, event.localAddress, event.localPort, event.isInferred],
      ['192.0.2.1', 443, '198.51.100.7', 50_000, true],
    );
    assert.equal(event.connection.stack, 'go');
    assert.deepEqual(
      malformed.map(({ reason, kind }) => [reason, kind]),
      [['field', abi.SL_RECORD_PEER]],
    );
  });

  it('decodes what was skipped, with its calls or with its frames', () => {
    const skip = (more: Record<string, bigint | number>) =>
      record('sl_stream_record', abi.SL_RECORD_SKIP, { ...STREAM, bytes: 70_000n, ...more });
    const { events } = decode([
      Buffer.concat([
        skip({ call_offset: 3n }),
        skip({ call_offset: 4n, call_bytes: 6n, frame_stream: 9 }),
      ]),
    ]);
    const { connection, direction, ...rest } = events[0] as SkipEvent;
    const common = { type: 'skip', timeNs: 2_000n, position: 2 ** 40, skippedBytes: 70_000 };
    assert.deepEqual(rest, { ...common, calls: 3 });
    assert.deepEqual(events[1], {
      ...common,
      connection,
      direction,
      frameStream: 9,
      frameHeaders: 4,
      frameRemainderBytes: 6,
    });
  });

  it('decodes why a handshake failed, and refuses a reason of nobody', () => {
    const handshake = (codeKind: number) =>
      record('sl_handshake_record', abi.SL_RECORD_HANDSHAKE, {
        time_ns: 9n,
        begin_ns: 5n,
        'process.pid': 41,
        object: 8n,
        generation: 7n,
        code: 1040,
        code_kind: codeKind,
        outcome: abi.SL_HANDSHAKE_FAILED,
        side: abi.SL_SIDE_CLIENT,
        stack: abi.SL_STACK_BORINGSSL,
      });
    const { events, malformed } = decode([
      Buffer.concat([handshake(abi.SL_CODE_BORINGSSL), handshake(abi.SL_CODE_BORINGSSL + 1)]),
    ]);
    assert.deepEqual(
      events.map((event) => event.type === 'handshake' && [event.codeKind, event.code, event.side]),
      [['boringssl', 1040, 'client']],
    );
    assert.equal(malformed.length, 1);
  });

  it('decodes the name of a server, but no address that Go is asked for', () => {
    const named = (stack: number, text: string) => {
      const bytes = record('sl_server_name_record', abi.SL_RECORD_SERVER_NAME, {
        'process.pid': 41,
        object: 8n,
        generation: 7n,
        name_bytes: text.length,
        stack,
      });
      // What is behind a name in memory came with it.
      bytes.write(`${text}garbage`, abi['sl_server_name_record.name']);
      return bytes;
    };
    const { events, malformed } = decode([
      Buffer.concat([
        named(abi.SL_STACK_GO, '::1'),
        named(abi.SL_STACK_GO, 'model.example'),
        named(abi.SL_STACK_OPENSSL, '127.0.0.1'),
      ]),
    ]);
    assert.deepEqual(
      events.map((event) => event.type === 'server-name' && event.name),
      ['model.example', '127.0.0.1'],
    );
    assert.deepEqual(malformed, []);
  });

  it('tells of names, mappings and wakes without an event', () => {
    const told: unknown[] = [];
    const decoder = createRecordDecoder({
      onEvent: () => assert.fail('an event'),
      onMalformed: () => assert.fail('malformed'),
      onRename: (renamed) => told.push(renamed),
      onMapping: ({ key, ...mapped }) => told.push({ ...mapped, keyBytes: key.length }),
      onWake: (pid, timeNs) => told.push({ pid, timeNs }),
    });
    const fields = { time_ns: 9n, 'process.pid': 41, 'process.start_ns': 3n };
    const rename = record('sl_rename_record', abi.SL_RECORD_RENAME, { ...fields, exec_id: 5n });
    rename.write('agent\0', abi['sl_rename_record.comm']);
    const mapping = record('sl_mapping_record', abi.SL_RECORD_MAPPING, fields);
    mapping.writeBigUInt64LE(77n, abi['sl_mapping_record.file'] + abi['sl_file.inode']);
    decoder.push(
      Buffer.concat([rename, mapping, record('sl_wake_record', abi.SL_RECORD_WAKE, fields)]),
    );
    assert.deepEqual(told, [
      { process: { pid: 41, startNs: 3n }, comm: 'agent', execId: 5n },
      { timeNs: 9n, pid: 41, inode: 77n, keyBytes: abi['sizeof.sl_file'] },
      { pid: 41, timeNs: 9n },
    ]);
  });

  it('decodes close, fork and both kinds of exit', () => {
    const close = record('sl_close_record', abi.SL_RECORD_CLOSE, {
      time_ns: 9n,
      'process.pid': 41,
      object: 8n,
      generation: 7n,
      read_position: 123n,
      write_position: 2n ** 41n,
      stack: 1,
    });
    const fork = record('sl_fork_record', abi.SL_RECORD_FORK, {
      time_ns: 10n,
      'process.pid': 42,
      'process.start_ns': 3n,
      'parent.pid': 41,
      'parent.start_ns': 2n,
    });
    const exit = (code: number, signal: number) =>
      record('sl_exit_record', abi.SL_RECORD_EXIT, {
        time_ns: 11n,
        'process.pid': 42,
        code,
        signal,
      });
    const { events } = decode([Buffer.concat([close, fork, exit(7, 0), exit(0, 9)])]);
    assert.deepEqual(events, [
      {
        type: 'close',
        timeNs: 9n,
        connection: {
          process: { pid: 41, startNs: 0n },
          stack: 'openssl',
          object: 8,
          generation: 7n,
        },
        readPosition: 123,
        writePosition: 2 ** 41,
      },
      {
        type: 'fork',
        timeNs: 10n,
        process: { pid: 42, startNs: 3n },
        parent: { pid: 41, startNs: 2n },
      },
      { type: 'exit', timeNs: 11n, process: { pid: 42, startNs: 0n }, exitCode: 7 },
      { type: 'exit', timeNs: 11n, process: { pid: 42, startNs: 0n }, signal: 9 },
    ]);
  });

  it('joins arguments over slabs and between other processes’ execs', () => {
    const reused = Buffer.from(argvRecord(7, 1n, 0, 'ls\0-'));
    const decoded: CaptureEvent[] = [];
    const decoder = createRecordDecoder({
      onEvent: (event) => decoded.push(event),
      onMalformed: () => assert.fail(),
    });
    decoder.push(reused);
    // The slab's memory is given back to the kernel's reader.
    reused.fill(0xee);
    decoder.push(Buffer.concat([argvRecord(8, 1n, 0, 'other\0'), argvRecord(7, 1n, 4, 'l\0')]));
    decoder.push(Buffer.concat([execRecord(7, 1n, 6), execRecord(8, 1n, 6)]));
    const [first, second] = execsOf(decoded);
    assert.deepEqual(first?.argv, ['ls', '-l']);
    assert.equal(first?.executable, '/bin/true');
    assert.equal(first?.argvLostBytes, 0);
    assert.deepEqual([first?.uid, first?.gid, first?.cgroupId], [1000, 1001, 99n]);
    assert.deepEqual(second?.argv, ['other']);
  });

  it('counts arguments that are missing, and mixes no two execs', () => {
    const { events } = decode([
      Buffer.concat([
        // Its exec record was dropped.
        argvRecord(7, 1n, 0, 'old\0'),
        argvRecord(7, 2n, 0, 'new\0ar'),
        execRecord(7, 2n, 20),
        execRecord(7, 3n, 4),
        // The first part was dropped.
        argvRecord(7, 4n, 100, 'tail\0'),
        execRecord(7, 4n, 105),
      ]),
    ]);
    assert.deepEqual(
      execsOf(events).map((event) => [event.argv, event.argvLostBytes]),
      [
        [['new', 'ar'], 14],
        [[], 4],
        [[], 105],
      ],
    );
  });

  it('keeps no more arguments than its limit', () => {
    const { events } = decode(
      [
        Buffer.concat([
          argvRecord(7, 1n, 0, 'a'.repeat(60)),
          argvRecord(8, 1n, 0, 'b'.repeat(60)),
          execRecord(7, 1n, 60),
          execRecord(8, 1n, 60),
          argvRecord(8, 2n, 0, 'c'.repeat(60)),
          execRecord(8, 2n, 60),
        ]),
      ],
      { maxPendingArgvBytes: 100 },
    );
    assert.deepEqual(
      execsOf(events).map((event) => [event.argv[0]?.[0], event.argvLostBytes]),
      [
        ['a', 0],
        [undefined, 60],
        ['c', 0],
      ],
    );
  });

  it('marks a cut path and replaces invalid UTF-8', () => {
    const exec = execRecord(7, 1n, 0, 'file\0deep\0', abi.SL_EXEC_PATH_CUT);
    const odd = Buffer.from(execRecord(7, 1n, 0, 'x\0'));
    odd[abi['sl_exec_record.path']] = 0xff;
    const { events } = decode([exec, odd]);
    assert.deepEqual(
      execsOf(events).map((event) => event.executable),
      ['…/deep/file', '/\ufffd'],
    );
  });

  it('goes on behind an unknown kind, and ends a slab whose sizes make no sense', () => {
    const unknown = record('sl_fork_record', 99, {});
    const { events, malformed } = decode([Buffer.concat([unknown, dataRecord('x')])]);
    assert.equal(events.length, 1);
    assert.deepEqual(malformed, [{ reason: 'kind', kind: 99, skippedBytes: 48 }]);
    for (const size of [0, 7, 10_000, 2 ** 32 - 1]) {
      const bad = dataRecord('x');
      bad.writeUInt32LE(size, 0);
      const result = decode([bad, dataRecord('y')]);
      assert.equal(result.malformed[0]?.reason, 'size');
      assert.equal(result.events.length, 1);
    }
  });

  it('never throws and never reads beyond a record, whatever the bytes', () => {
    const good = Buffer.concat([
      dataRecord('hello'),
      argvRecord(7, 1n, 0, 'a\0'),
      execRecord(7, 1n, 2),
    ]);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 8 }),
        fc.nat(good.length),
        (changes, length) => {
          const slab = Buffer.from(good);
          for (const [at, value] of changes) {
            slab[at] = value;
          }
          const { events } = decode([slab.subarray(0, length)]);
          for (const event of events) {
            if (event.type === 'data') {
              assert.ok(event.bytes.length <= length);
            }
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
