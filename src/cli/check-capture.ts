/** Checks that try capture itself: the addon, the BPF programs, a probe, and the libraries on this host. */
import { loadBinding, type NativeBinding } from '../capture/binding.ts';
import { runtimesOnPath, systemLibraries } from '../targets/known-files.ts';
import { locateOpenssl } from '../targets/openssl-symbols.ts';
import { messageOf } from '../util/errors.ts';
import { type CheckResult, fail, note, pass } from './check-result.ts';

/** The smallest ring; nothing is captured during a check. */
const RING_BYTES = 64 * 1024;

interface OpensslFile {
  path: string;
  offsets: Record<string, number>;
}

/**
 * Addon, BPF and probe build on one another: the first that fails is the last that is told. What needs the host's
 * part is not tried where that has failed already: the kernel's own words would only hide the reason.
 */
export function checkCapture(hostFailures: readonly string[]): CheckResult[] {
  let binding: NativeBinding;
  try {
    binding = loadBinding();
  } catch (error) {
    return [fail('addon', messageOf(error), 'run "npm run setup" to build it')];
  }
  const files = findOpenssl(binding);
  const probes =
    hostFailures.length === 0
      ? checkProbes(binding, files)
      : [fail('bpf', 'not tried', `mend ${hostFailures.join(' and ')} first`)];
  return [pass('addon', 'loaded'), ...probes, checkLibraries(files)];
}

function checkProbes(binding: NativeBinding, files: readonly OpensslFile[]): CheckResult[] {
  const logLines: string[] = [];
  try {
    const capture = binding.open({
      ringBytes: RING_BYTES,
      watchAll: false,
      onSlab: () => {},
      onLog: (level, line) => {
        if (level === 0) {
          logLines.push(line);
        }
      },
    });
    try {
      return [pass('bpf', 'the programs load'), checkProbe(capture, files[0])];
    } finally {
      capture.close();
    }
  } catch (error) {
    const lastLine = logLines.at(-1);
    const detail = lastLine === undefined ? messageOf(error) : `${messageOf(error)} (${lastLine})`;
    return [
      fail('bpf', detail, 'look at kernel lockdown and at limits of the container, if it is one'),
    ];
  }
}

function checkProbe(
  capture: ReturnType<NativeBinding['open']>,
  file: OpensslFile | undefined,
): CheckResult {
  if (file === undefined) {
    return note('probe', 'there is no OpenSSL to try it on', 'install libssl3');
  }
  try {
    capture.detach(capture.attach({ stack: 'openssl', path: file.path, offsets: file.offsets }));
    return pass('probe', `attached to ${file.path} and detached again`);
  } catch (error) {
    return fail(
      'probe',
      messageOf(error),
      'uprobes are refused here: look at kernel lockdown and /proc/sys/kernel/perf_event_paranoid',
    );
  }
}

function checkLibraries(files: readonly OpensslFile[]): CheckResult {
  if (files.length === 0) {
    return note(
      'openssl',
      'no OpenSSL was found in the usual places',
      'that of containers and virtual environments is found while sightline runs',
    );
  }
  return pass('openssl', files.map(({ path }) => path).join(', '));
}

/** libssl in the system's folders, and runtimes that carry OpenSSL: what is attached to when nothing runs yet. */
function findOpenssl(binding: NativeBinding): OpensslFile[] {
  const paths = [...systemLibraries(), ...runtimesOnPath(process.env.PATH ?? ''), process.execPath];
  const found: OpensslFile[] = [];
  for (const path of new Set(paths)) {
    try {
      const location = locateOpenssl(binding, path);
      if (location.kind === 'found') {
        found.push({ path, offsets: location.offsets });
      }
    } catch {
      // No ELF file of this machine, such as a linker script: nothing to attach to.
    }
  }
  return found;
}
