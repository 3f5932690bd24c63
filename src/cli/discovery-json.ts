/** What `discover --json` writes; docs/discover.md explains each field. */
import type { LocatedFunction, LocatedStack } from '../capture/binding.ts';
import type { TargetFile } from '../capture/target-tracker.ts';
import type { DiscoveredProcess } from '../targets/discovery.ts';
import { showsHandshakes } from '../targets/handshake-functions.ts';

/** Raised when a field is removed or means something else; new ones do not count. */
const FORMAT_VERSION = 1;

export function discoveryJson(processes: readonly DiscoveredProcess[]): object {
  const states: Record<string, number> = {};
  for (const { state } of processes) {
    states[state] = (states[state] ?? 0) + 1;
  }
  return { version: FORMAT_VERSION, states, processes: processes.map(processJson) };
}

function processJson({ files, containerId, podUid, ...process }: DiscoveredProcess): object {
  const container = containerId === undefined ? {} : { id: containerId };
  const pod = podUid === undefined ? {} : { podUid };
  return {
    ...process,
    ...(containerId === undefined && podUid === undefined
      ? {}
      : { container: { ...container, ...pod } }),
    files: files.map(fileJson),
  };
}

function fileJson(file: TargetFile): object {
  const { path, verdict, reason, buildId, device, inode, located } = file;
  return {
    path,
    verdict,
    reason,
    ...(buildId === undefined ? {} : { buildId }),
    // 64-bit numbers, which JSON's readers do not all keep.
    device: device.toString(),
    inode: inode.toString(),
    stacks: (located ?? []).map(stackJson),
  };
}

function stackJson(located: LocatedStack): object {
  const { functions, ...stack } = located;
  const handshakes = showsHandshakes(located);
  return { ...stack, handshakes, functions: functions.map(functionJson) };
}

function functionJson(located: LocatedFunction): object {
  const { name, signature, covers, functionOffset, offset, returns, ...placement } = located;
  const { chosen, why, instruction, isEmulated, canReturnProbe, results, entries, returnsWhy } =
    placement;
  return {
    name,
    signature,
    covers,
    functionOffset,
    probe: { offset, instruction, chosen, why, isEmulated, canReturnProbe },
    returns,
    ...(results.length > 0 ? { results } : {}),
    ...(entries.length > 0 ? { entries } : {}),
    ...(returnsWhy === undefined ? {} : { returnsWhy }),
  };
}
