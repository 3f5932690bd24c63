/** Checks of the host that need nothing of ours: kernel, BTF, uprobes, capabilities. */
import { closeSync, constants, existsSync, openSync, readSync } from 'node:fs';
import { release } from 'node:os';
import {
  effectiveCapabilities,
  hasCapability,
  NEEDED_CAPABILITIES,
  type NeededCapability,
} from './capture-privilege.ts';
import { type CheckResult, fail, note, pass } from './check-result.ts';

/** Linux 5.8 brought the BPF ring buffer and CAP_BPF. */
const OLDEST_KERNEL = { major: 5, minor: 8 };

/** BTF of the running kernel. */
const BTF_PATH = '/sys/kernel/btf/vmlinux';
/** It begins so, in the machine's byte order: https://docs.kernel.org/bpf/btf.html#btf-type-and-string-encoding */
const BTF_MAGIC = 0xeb9f;

const UPROBE_SOURCE = '/sys/bus/event_source/devices/uprobe/type';

/** Where tracefs is mounted, newest convention first. */
const TRACEFS_PATHS = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'];

export function checkKernel(version: string = release()): CheckResult {
  const match = /^(\d+)\.(\d+)/.exec(version);
  const major = Number(match?.[1] ?? 0);
  const minor = Number(match?.[2] ?? 0);
  const isNewEnough =
    major > OLDEST_KERNEL.major || (major === OLDEST_KERNEL.major && minor >= OLDEST_KERNEL.minor);
  return isNewEnough
    ? pass('kernel', `Linux ${version}`)
    : fail('kernel', `Linux ${version}`, 'Linux 5.8 or newer is needed: upgrade the kernel');
}

export function checkBtf(path: string = BTF_PATH): CheckResult {
  const problem = btfProblem(path);
  if (problem === undefined) {
    return pass('btf', path);
  }
  return fail(
    'btf',
    `${path} ${problem}`,
    'use a kernel built with CONFIG_DEBUG_INFO_BTF=y (all current distributions have it) and mount /sys',
  );
}

/** Why the kernel's types cannot be read there; undefined when they can. Only the beginning is looked at. */
function btfProblem(path: string): string | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, constants.O_RDONLY);
    const magic = new Uint16Array(1);
    const isWhole = readSync(descriptor, magic, 0, 2, 0) === 2;
    return isWhole && magic[0] === BTF_MAGIC ? undefined : 'is no BTF';
  } catch {
    return 'is not readable';
  } finally {
    if (descriptor !== undefined) {
      closeSync(descriptor);
    }
  }
}

/** Probes are attached by the uprobe event source of perf; kernels without it need tracefs for that. */
export function checkUprobes(
  eventSource: string = UPROBE_SOURCE,
  tracefs: readonly string[] = TRACEFS_PATHS,
): CheckResult {
  if (existsSync(eventSource)) {
    return pass('uprobes', 'perf has them');
  }
  const mounted = tracefs.find((path) => existsSync(`${path}/uprobe_events`));
  if (mounted !== undefined) {
    return pass('uprobes', `${mounted} has them`);
  }
  return fail(
    'uprobes',
    'neither perf nor tracefs has them',
    `mount tracefs (sudo mount -t tracefs tracefs ${tracefs[0] ?? ''}), or use a kernel built with CONFIG_UPROBE_EVENTS=y`,
  );
}

export function checkCapabilities(effective: bigint = effectiveCapabilities()): CheckResult[] {
  return NEEDED_CAPABILITIES.map((capability) => checkCapability(effective, capability));
}

function checkCapability(effective: bigint, capability: NeededCapability): CheckResult {
  const { name, why, isRequired } = capability;
  if (hasCapability(effective, capability)) {
    return pass(name, why);
  }
  const mend = `run as root, or give it ${name}`;
  return isRequired
    ? fail(name, `missing ${why}`, mend)
    : note(name, `missing ${why}: other users' programs are not seen`, mend);
}
