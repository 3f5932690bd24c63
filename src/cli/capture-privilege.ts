/** Which capabilities this process has, and which capture needs: capabilities(7). */
import { readFileSync } from 'node:fs';
import { ExitCode, SightlineError } from '../util/errors.ts';

export interface NeededCapability {
  name: string;
  /** Bit in CapEff, from linux/capability.h. */
  bit: number;
  /** Without it capture cannot work at all; with the others missing only part of the host is seen. */
  isRequired: boolean;
  why: string;
}

export const NEEDED_CAPABILITIES: readonly NeededCapability[] = [
  { name: 'CAP_BPF', bit: 39, isRequired: true, why: 'to load BPF programs' },
  { name: 'CAP_PERFMON', bit: 38, isRequired: true, why: 'to attach them' },
  {
    name: 'CAP_SYS_PTRACE',
    bit: 19,
    isRequired: false,
    why: "to find the libraries of other users' processes",
  },
  {
    name: 'CAP_DAC_READ_SEARCH',
    bit: 2,
    isRequired: false,
    why: "to read other users' executables and libraries",
  },
];

/** Before Linux 5.8 it was all that BPF needed, and it still includes CAP_BPF and CAP_PERFMON. */
const CAP_SYS_ADMIN_BIT = 21;

/** The effective capabilities as a bit set. Throws when /proc is not mounted. */
export function effectiveCapabilities(): bigint {
  const match = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return BigInt(`0x${match?.[1] ?? '0'}`);
}

export function hasCapability(effective: bigint, capability: NeededCapability): boolean {
  const isSet = (bit: number): boolean => ((effective >> BigInt(bit)) & 1n) === 1n;
  return isSet(capability.bit) || (capability.isRequired && isSet(CAP_SYS_ADMIN_BIT));
}

/** Throws a SightlineError (SL_PRIVILEGE, exit code 3) when this process may not capture. */
export function requireCapturePrivilege(): void {
  const effective = effectiveCapabilities();
  const missing = NEEDED_CAPABILITIES.filter(
    (capability) => capability.isRequired && !hasCapability(effective, capability),
  );
  if (missing.length > 0) {
    const names = missing.map(({ name }) => name).join(' and ');
    throw new SightlineError(
      'SL_PRIVILEGE',
      `capturing needs root, or at least ${names}: run it with sudo (replay and --help need no privilege)`,
      { exitCode: ExitCode.captureImpossible },
    );
  }
}
