/** Reads from /proc what is needed of a process that already runs. */
import { readdirSync } from 'node:fs';
import { type ProcStat, parseProcStat } from './proc-stat.ts';
import { readLink, readSmallFile, readSmallText } from './small-file.ts';

const MAX_STAT_BYTES = 4096;
const MAX_STATUS_BYTES = 16 * 1024;
/** As much of the arguments as the kernel side hands over at an exec. */
const MAX_ARGV_BYTES = 512 * 1024;
const MAX_ENVIRONMENT_BYTES = 512 * 1024;

/** The variable by which a program names itself to OpenTelemetry. */
const SERVICE_NAME = 'OTEL_SERVICE_NAME=';

export interface ProcProcess {
  executable: string;
  argv: string[];
  uid: number;
  gid: number;
  serviceName?: string;
}

/** Every process there is, without kernel threads and processes that have exited. */
export function listProcesses(): ProcStat[] {
  const found: ProcStat[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const stat = Number.isInteger(pid) ? readStat(pid) : undefined;
    if (stat && !stat.isKernelThread) {
      found.push(stat);
    }
  }
  return found;
}

/** Undefined when there is no such process any more, or it has exited and only waits for its parent. */
export function readStat(pid: number): ProcStat | undefined {
  const stat = parseProcStat(readSmallText(`/proc/${pid}/stat`, MAX_STAT_BYTES) ?? '');
  return stat && stat.state !== 'Z' && stat.state !== 'X' ? stat : undefined;
}

/** What a process runs; undefined when it has exited meanwhile. */
export function readProcess(pid: number): ProcProcess | undefined {
  const status = readSmallText(`/proc/${pid}/status`, MAX_STATUS_BYTES);
  const uid = /^Uid:\s+(\d+)/m.exec(status ?? '')?.[1];
  const gid = /^Gid:\s+(\d+)/m.exec(status ?? '')?.[1];
  if (uid === undefined || gid === undefined) {
    return undefined;
  }
  const serviceName = readServiceName(pid);
  return {
    executable: readExecutable(pid) ?? '',
    argv: readArgv(pid),
    uid: Number(uid),
    gid: Number(gid),
    ...(serviceName ? { serviceName } : {}),
  };
}

/** Path as the process's own mount namespace names it; undefined when it may not be known. */
function readExecutable(pid: number): string | undefined {
  return readLink(`/proc/${pid}/exe`)?.replace(/ \(deleted\)$/, '');
}

function readArgv(pid: number): string[] {
  const bytes = readSmallFile(`/proc/${pid}/cmdline`, MAX_ARGV_BYTES);
  if (!bytes || bytes.byteLength === 0) {
    return [];
  }
  const hasTerminator = bytes[bytes.byteLength - 1] === 0;
  const text = bytes.toString('utf8', 0, bytes.byteLength - (hasTerminator ? 1 : 0));
  return text.split('\0');
}

function readServiceName(pid: number): string | undefined {
  const bytes = readSmallFile(`/proc/${pid}/environ`, MAX_ENVIRONMENT_BYTES);
  if (!bytes) {
    return undefined;
  }
  let at = bytes.indexOf(SERVICE_NAME);
  while (at > 0 && bytes[at - 1] !== 0) {
    at = bytes.indexOf(SERVICE_NAME, at + 1);
  }
  if (at < 0) {
    return undefined;
  }
  const start = at + SERVICE_NAME.length;
  const end = bytes.indexOf(0, start);
  return bytes.toString('utf8', start, end < 0 ? bytes.byteLength : end) || undefined;
}
