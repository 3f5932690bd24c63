/** Describes the host as the first event of a capture. */
import { arch, hostname, release, type } from 'node:os';
import type { HostEvent } from './events.ts';
import type { HostClock } from './host-clock.ts';
import { readSmallText } from './small-file.ts';

const MAX_BYTES = 64 * 1024;

/** Names of processor architectures as OpenTelemetry's `host.arch` has them. */
const ARCHITECTURES: Record<string, string> = { x64: 'amd64', arm: 'arm32', ia32: 'x86' };

export function readHost(clock: HostClock): HostEvent {
  const machineId = firstLine('/etc/machine-id') ?? firstLine('/var/lib/dbus/machine-id');
  return {
    type: 'host',
    timeNs: clock.bootNs(),
    bootId: firstLine('/proc/sys/kernel/random/boot_id') ?? '',
    ...(machineId ? { machineId } : {}),
    hostName: hostname(),
    arch: ARCHITECTURES[arch()] ?? arch(),
    osDescription: readOsDescription(),
    clockOffsetNs: clock.measureOffsetNs(),
  };
}

/** os-release(5): the name made for people, else the kernel's. */
function readOsDescription(): string {
  for (const path of ['/etc/os-release', '/usr/lib/os-release']) {
    const line = /^PRETTY_NAME=(.*)$/m.exec(readSmallText(path, MAX_BYTES) ?? '')?.[1];
    const name = line?.trim().replace(/^(["'])(.*)\1$/, '$2');
    if (name) {
      return name;
    }
  }
  return `${type()} ${release()}`;
}

function firstLine(path: string): string | undefined {
  return readSmallText(path, MAX_BYTES)?.split('\n', 1)[0]?.trim() || undefined;
}
