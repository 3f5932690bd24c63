/** The kernel's binary records, back to back. */
import assert from 'node:assert/strict';
import type { CaptureEvent } from '../../../src/capture/events.ts';
import { KERNEL_ABI as abi, createRecordDecoder } from '../../../src/capture/kernel-record.ts';
import type { FuzzTarget, MutationTools } from '../target.ts';

const MAX_ARGV_BYTES = 2000;
const MAX_CONNECTIONS = 4;

interface Decoding {
  events: CaptureEvent[];
  malformedBytes: number;
}

/** Decodes slabs that are overwritten once each is read. */
function decode(slabs: readonly Uint8Array[]): Decoding {
  const decoding: Decoding = { events: [], malformedBytes: 0 };
  const decoder = createRecordDecoder({
    onEvent: (event) =>
      decoding.events.push(
        event.type === 'data' ? { ...event, bytes: Uint8Array.from(event.bytes) } : event,
      ),
    onMalformed: ({ skippedBytes }) => {
      decoding.malformedBytes += skippedBytes;
    },
    onMapping: ({ key }) => assert.equal(key.length, abi['sizeof.sl_file']),
    maxPendingArgvBytes: MAX_ARGV_BYTES,
    maxCachedConnections: MAX_CONNECTIONS,
  });
  for (const slab of slabs) {
    const copy = Buffer.from(slab);
    decoder.push(copy);
    copy.fill(0xee);
  }
  return decoding;
}

/** Where each record begins, as far as their sizes make sense. */
function recordsOf(bytes: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const size = bytes.readUInt32LE(at);
    const padded = Math.ceil(size / 8) * 8;
    if (size < 8 || at + size > bytes.length) {
      break;
    }
    records.push(bytes.subarray(at, at + padded));
    at += padded;
  }
  return records;
}

function record(kind: number, size: number, fill: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.alloc(Math.ceil(size / 8) * 8);
  bytes.writeUInt32LE(size, 0);
  bytes.writeUInt16LE(kind, 4);
  fill(bytes);
  return bytes;
}

function stream(kind: number, payload: string): Buffer {
  const fixed = abi['sizeof.sl_stream_record'];
  const isData = kind === abi.SL_RECORD_DATA;
  return record(kind, isData ? fixed + payload.length : fixed, (bytes) => {
    bytes.writeUInt32LE(7, 8);
    bytes.writeUInt32LE(41, abi['sl_stream_record.process'] + abi['sl_process.pid']);
    bytes.writeUInt32LE(4096, abi['sl_stream_record.object']);
    bytes.writeUInt32LE(payload.length, abi['sl_stream_record.bytes']);
    bytes[abi['sl_stream_record.direction']] = 1;
    bytes[abi['sl_stream_record.stack']] = 1;
    bytes[abi['sl_stream_record.reason']] = 1;
    if (isData) {
      bytes.write(payload, fixed);
    }
  });
}

function seeds(): Uint8Array[] {
  const argv = record(abi.SL_RECORD_ARGV, abi['sizeof.sl_argv_record'] + 5, (bytes) => {
    bytes.writeUInt32LE(5, abi['sl_argv_record.bytes']);
    bytes.write('ls\0-l', abi['sizeof.sl_argv_record']);
  });
  const exec = record(abi.SL_RECORD_EXEC, abi['sl_exec_record.path'] + 7, (bytes) => {
    bytes.writeUInt32LE(7, abi['sl_exec_record.path_bytes']);
    bytes.writeUInt32LE(5, abi['sl_exec_record.argv_bytes']);
    bytes.write('ls\0bin\0', abi['sl_exec_record.path']);
  });
  const fixed = (kind: number, size: number): Buffer => record(kind, size, () => {});
  const close = record(abi.SL_RECORD_CLOSE, abi['sizeof.sl_close_record'], (bytes) => {
    bytes[abi['sl_close_record.stack']] = 1;
  });
  return [
    Buffer.concat([stream(abi.SL_RECORD_DATA, 'hello'), stream(abi.SL_RECORD_LOSS, 'xx')]),
    Buffer.concat([stream(abi.SL_RECORD_SKIP, 'xx'), close]),
    Buffer.concat([argv, exec]),
    Buffer.concat([
      fixed(abi.SL_RECORD_FORK, abi['sizeof.sl_fork_record']),
      fixed(abi.SL_RECORD_EXIT, abi['sizeof.sl_exit_record']),
      fixed(abi.SL_RECORD_MAPPING, abi['sizeof.sl_mapping_record']),
      fixed(abi.SL_RECORD_RENAME, abi['sizeof.sl_rename_record']),
    ]),
  ];
}

/** Changes one record, and mostly keeps its size true. */
function mutate(input: Uint8Array, tools: MutationTools): Uint8Array {
  const { random } = tools;
  const records = recordsOf(Buffer.from(input));
  const index = random.uint32() % Math.max(1, records.length);
  const chosen = records[index];
  if (chosen === undefined) {
    return tools.mutateBytes(input);
  }
  if (random.uint32() % 3 === 0) {
    const others = recordsOf(Buffer.from(tools.other()));
    records.splice(index, random.uint32() % 2, ...others.slice(0, 3));
    return Buffer.concat(records);
  }
  const changed = Buffer.from(tools.mutateBytes(chosen.subarray(4)));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(4 + changed.length);
  const padding = Buffer.alloc((8 - ((4 + changed.length) % 8)) % 8);
  records[index] = Buffer.concat([size, changed, padding]);
  return Buffer.concat(records);
}

export const KERNEL_RECORDS: FuzzTarget = {
  name: 'kernel-records',
  seeds,
  mutate,
  run(input) {
    const bytes = Buffer.from(input);
    const whole = decode([bytes]);
    const payload = whole.events.reduce(
      (sum, event) => sum + (event.type === 'data' ? event.bytes.length : 0),
      0,
    );
    assert.ok(payload + whole.malformedBytes <= bytes.length, 'nothing is read twice');
    const records = recordsOf(bytes);
    const used = records.reduce((sum, one) => sum + one.length, 0);
    const apart = decode([...records, bytes.subarray(used)].filter(({ length }) => length > 0));
    assert.deepEqual(apart.events, whole.events, 'in slabs of their own, records are the same');
  },
};
