/** Recognises another Sightline on this host, which must not be observed: each would report the other's exports. */
import { readSmallText } from './small-file.ts';

/** The name every instance gives itself. */
const COMM = 'sightline';

/** Capability numbers of linux/capability.h; one of them is needed to load BPF programs. */
const CAP_SYS_ADMIN = 21n;
const CAP_BPF = 39n;

/**
 * True for a process that is called `sightline` and may load BPF programs. The name alone would let any program
 * hide itself; whoever has these capabilities could hide anyway.
 */
export function isSightlineInstance(pid: number): boolean {
  if (readSmallText(`/proc/${pid}/comm`, 64)?.trimEnd() !== COMM) {
    return false;
  }
  const status = readSmallText(`/proc/${pid}/status`, 16 * 1024);
  const mask = /^CapEff:\s+([0-9a-f]{1,16})$/m.exec(status ?? '')?.[1];
  if (mask === undefined) {
    return false;
  }
  const capabilities = BigInt(`0x${mask}`);
  return ((capabilities >> CAP_SYS_ADMIN) & 1n) === 1n || ((capabilities >> CAP_BPF) & 1n) === 1n;
}
