/** Whether a process has TCP connections that it opened itself, by proc_pid_net(5) and proc_pid_fd(5). */
import { readdirSync } from 'node:fs';
import { readLink, readSmallText } from './small-file.ts';

/** TCP states of include/net/tcp_states.h, as /proc prints them. */
const SYN_SENT = '02';
const LISTEN = '0A';
const CLOSED = '07';

/** Of one table; a host with more sockets is not looked through. */
const MAX_TABLE_BYTES = 1024 * 1024;
const MAX_DESCRIPTORS = 4096;

interface Socket {
  localPort: string;
  state: string;
  inode: string;
}

/** True also where that cannot be found out. */
export function mayHaveOutboundSockets(pid: number): boolean {
  const own = socketsOf(pid);
  const tables = ['tcp', 'tcp6'].map((name) =>
    readSmallText(`/proc/${pid}/net/${name}`, MAX_TABLE_BYTES),
  );
  if (own === undefined || tables[0] === undefined) {
    return true;
  }
  if (tables.some((text) => text !== undefined && text.length >= MAX_TABLE_BYTES)) {
    return true;
  }
  const sockets = tables.flatMap((text) => parseSockets(text ?? ''));
  const listening = new Set(
    sockets.filter(({ state }) => state === LISTEN).map(({ localPort }) => localPort),
  );
  return sockets.some(
    ({ state, inode, localPort }) =>
      own.has(inode) &&
      state !== LISTEN &&
      state !== CLOSED &&
      (state === SYN_SENT || !listening.has(localPort)),
  );
}

function socketsOf(pid: number): Set<string> | undefined {
  let names: string[];
  try {
    names = readdirSync(`/proc/${pid}/fd`);
  } catch {
    return undefined;
  }
  if (names.length > MAX_DESCRIPTORS) {
    return undefined;
  }
  const inodes = new Set<string>();
  for (const name of names) {
    const inode = /^socket:\[(\d+)\]$/.exec(readLink(`/proc/${pid}/fd/${name}`) ?? '')?.[1];
    if (inode !== undefined) {
      inodes.add(inode);
    }
  }
  return inodes;
}

/** `sl local_address rem_address st … inode …`, addresses and ports in hexadecimal. */
function parseSockets(text: string): Socket[] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length >= 10)
    .map((fields) => ({
      localPort: fields[1]?.split(':')[1] ?? '',
      state: fields[3] ?? '',
      inode: fields[9] ?? '',
    }));
}
