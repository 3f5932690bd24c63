/** Checks that try capture itself: the addon, the BPF programs, a probe, and the libraries on this host. */
import { loadBinding, type NativeBinding } from '../capture/binding.ts';
import { runtimesOnPath, systemLibraries } from '../targets/known-files.ts';
import { createTlsLocator, type LocatedProbes } from '../targets/tls-location.ts';
import { messageOf } from '../util/errors.ts';
import { type CheckResult, fail, note, pass } from './check-result.ts';

/** The smallest ring; nothing is captured during a check. */
const RING_BYTES = 64 * 1024;

interface TlsFile {
  path: string;
  probes: readonly LocatedProbes[];
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
    // The cause: the error itself says how to mend it, too.
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    return [fail('addon', messageOf(cause), 'run "npm run setup" to build it')];
  }
  const files = findTls(binding);
  const probes =
    hostFailures.length === 0
      ? checkProbes(binding, files)
      : [fail('bpf', 'not tried', `mend ${hostFailures.join(' and ')} first`)];
  return [pass('addon', 'loaded'), ...probes, checkLibraries(files)];
}

function checkProbes(binding: NativeBinding, files: readonly TlsFile[]): CheckResult[] {
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
  file: TlsFile | undefined,
): CheckResult {
  if (file === undefined) {
    return note('probe', 'there is no TLS library to try it on', 'install libssl3');
  }
  try {
    for (const { request } of file.probes) {
      capture.detach(capture.attach({ ...request, path: file.path }));
    }
    return pass('probe', `attached to ${file.path} and detached again`);
  } catch (error) {
    return fail(
      'probe',
      messageOf(error),
      'uprobes are refused here: look at kernel lockdown and /proc/sys/kernel/perf_event_paranoid',
    );
  }
}

function checkLibraries(files: readonly TlsFile[]): CheckResult {
  if (files.length === 0) {
    return note(
      'tls',
      'no TLS library was found in the usual places',
      'that of containers and virtual environments is found while sightline runs',
    );
  }
  return pass('tls', files.map(({ path }) => path).join(', '));
}

/** TLS libraries in the system's folders, and runtimes that carry one: what is attached to when nothing runs yet. */
function findTls(binding: NativeBinding): TlsFile[] {
  const paths = [...systemLibraries(), ...runtimesOnPath(process.env.PATH ?? ''), process.execPath];
  const found: TlsFile[] = [];
  const locator = createTlsLocator({ binding });
  for (const path of new Set(paths)) {
    const location = locator.locateNow(path);
    if (location.kind === 'found') {
      found.push({ path, probes: location.probes });
    }
  }
  return found;
}
