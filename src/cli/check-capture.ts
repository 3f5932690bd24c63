/** Checks that try capture itself: the addon, the BPF programs, a probe, and the libraries on this host. */
import { readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { loadBinding, type NativeBinding } from '../capture/binding.ts';
import { type CheckResult, fail, note, pass } from './check-result.ts';

/** The smallest ring; nothing is captured during a check. */
const RING_BYTES = 64 * 1024;

/** Functions of which a file must define at least the first two to be observed. */
const OPENSSL_FUNCTIONS = ['SSL_read', 'SSL_write', 'SSL_read_ex', 'SSL_write_ex', 'SSL_free'];

const LIBRARY_FOLDERS = ['/lib', '/lib64', '/usr/lib', '/usr/lib64', '/usr/local/lib', '/opt/lib'];

interface OpensslFile {
  path: string;
  offsets: Record<string, number>;
}

/** Addon, BPF and probe build on one another: the first that fails is the last that is told. */
export function checkCapture(): CheckResult[] {
  let binding: NativeBinding;
  try {
    binding = loadBinding();
  } catch (error) {
    return [fail('addon', messageOf(error), 'run "npm run setup" to build it')];
  }
  const files = findOpenssl(binding);
  return [pass('addon', 'loaded'), ...checkProbes(binding, files), checkLibraries(files)];
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
      fail('bpf', detail, 'mend what fails above; as root this works on Linux 5.8 and newer'),
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

/** libssl in the usual folders, and the Node that runs this, which carries OpenSSL. */
function findOpenssl(binding: NativeBinding): OpensslFile[] {
  const found: OpensslFile[] = [];
  const paths = new Set([...LIBRARY_FOLDERS.flatMap(librariesIn), process.execPath]);
  for (const path of paths) {
    try {
      const { offsets } = binding.locateSymbols(path, OPENSSL_FUNCTIONS);
      if (offsets.SSL_read !== undefined && offsets.SSL_write !== undefined) {
        found.push({ path, offsets });
      }
    } catch {
      // No ELF file of this machine, such as a linker script: nothing to attach to.
    }
  }
  return found;
}

/** Real paths of libssl in a folder and in its multiarch folder, such as /usr/lib/x86_64-linux-gnu. */
function librariesIn(folder: string): string[] {
  const found: string[] = [];
  for (const name of namesIn(folder)) {
    if (name.startsWith('libssl.so')) {
      found.push(realpathSync(join(folder, name)));
    } else if (name.endsWith('-linux-gnu')) {
      found.push(...librariesIn(join(folder, name)));
    }
  }
  return found;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0] ?? '';
}
