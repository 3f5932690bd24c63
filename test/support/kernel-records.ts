/** Makes records as the kernel puts them on its ring. */
import { KERNEL_ABI as abi } from '../../src/capture/kernel-record.ts';

export type KernelFields = Record<string, number | bigint>;

/** A record of the structure `of`, with a payload; fields by the header's names, process fields as `process.pid`. */
export function kernelRecord(
  of: string,
  kind: number,
  fields: KernelFields,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const table: Record<string, number> = abi;
  const isExec = of === 'sl_exec_record';
  const fixed = isExec ? abi['sl_exec_record.path'] : (table[`sizeof.${of}`] ?? 0);
  const size = fixed + payload.length;
  const bytes = Buffer.alloc(Math.ceil(size / 8) * 8);
  bytes.writeUInt32LE(size, 0);
  bytes.writeUInt16LE(kind, 4);
  for (const [name, value] of Object.entries(fields)) {
    const [outer = '', inner] = name.split('.');
    const at =
      outer === 'flags'
        ? abi['sl_record_header.flags']
        : (table[`${of}.${outer}`] ?? Number.NaN) +
          (inner === undefined ? 0 : (table[`sl_process.${inner}`] ?? Number.NaN));
    if (typeof value === 'bigint') {
      bytes.writeBigUInt64LE(value, at);
    } else if (/direction|stack|reason|version|inferred|code_kind|outcome|side/.test(outer)) {
      bytes.writeUInt8(value, at);
    } else if (/flags|port|^name_bytes/.test(outer)) {
      bytes.writeUInt16LE(value, at);
    } else {
      bytes.writeUInt32LE(value, at);
    }
  }
  bytes.set(payload, fixed);
  return bytes;
}

/** Of a call of the process 41 on one connection. */
export const STREAM_FIELDS: KernelFields = {
  time_ns: 2_000n,
  enter_ns: 1_000n,
  'process.start_ns': 77n,
  'process.pid': 41,
  'process.tid': 42,
  object: 0x7fff_1234_5670n,
  generation: 1_000n,
  position: 2n ** 40n,
  sequence: 9n,
  call_bytes: 5n,
  call_offset: 0n,
  direction: abi.SL_DIRECTION_WRITE,
  stack: abi.SL_STACK_OPENSSL,
};

export function dataRecord(text: string, more: KernelFields = {}): Buffer {
  const payload = Buffer.from(text);
  const fields = { ...STREAM_FIELDS, bytes: BigInt(payload.length), ...more };
  return kernelRecord('sl_stream_record', abi.SL_RECORD_DATA, fields, payload);
}
