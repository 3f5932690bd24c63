/** Which BPF programs a process holds, and which of them the kernel still has. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Ids of the programs that the process has descriptors of, each once. */
export function programIdsOf(pid: number): number[] {
  return [...programFieldOf(pid, 'prog_id').keys()];
}

/** Of each of these programs, how many instructions the kernel looked at before it took it (since Linux 5.16). */
export function verifiedInstructionsOf(pid: number): number[] {
  return [...programFieldOf(pid, 'verified_insns').values()];
}

/** By a program's id, a number that its descriptor tells. Links tell only the id. */
function programFieldOf(pid: number, field: string): Map<number, number> {
  const found = new Map<number, number>();
  for (const fd of readdirSync(`/proc/${pid}/fdinfo`)) {
    let text: string;
    try {
      text = readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8');
    } catch {
      // The descriptor of the folder that is read is gone when it is looked at.
      continue;
    }
    const id = /^prog_id:\s*(\d+)/m.exec(text)?.[1];
    const value = new RegExp(`^${field}:\\s*(\\d+)`, 'm').exec(text)?.[1];
    if (id !== undefined && value !== undefined) {
      found.set(Number(id), Number(value));
    }
  }
  return found;
}

/** Those of the programs that the kernel still has (bpf(2), BPF_PROG_GET_FD_BY_ID). */
export function stillLoaded(ids: readonly number[]): number[] {
  const script = `
import ctypes, os, platform, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
number = 321 if platform.machine() == 'x86_64' else 280
for text in sys.argv[1:]:
    attributes = ctypes.create_string_buffer(struct.pack('=III', int(text), 0, 0), 128)
    if libc.syscall(number, 13, attributes, 128) >= 0:
        print(text)
`;
  const text = execFileSync('/usr/bin/python3', ['-c', script, ...ids.map(String)], {
    encoding: 'utf8',
  });
  return text.split('\n').filter(Boolean).map(Number);
}
