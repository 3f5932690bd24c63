/** Lists the running processes with what can be observed of each, and why not more. */
import { closeSync, openSync } from 'node:fs';
import type { LocatedStack } from '../capture/binding.ts';
import { createCgroupPaths } from '../capture/cgroup-paths.ts';
import { listProcesses, readProcess } from '../capture/proc-process.ts';
import { type ProcStat, TICK_NS } from '../capture/proc-stat.ts';
import { createProcessDetails } from '../capture/process-details.ts';
import type { Judgement, ProcessSelection } from '../capture/process-selection.ts';
import { byStart, createSelectedProcesses } from '../capture/selected-processes.ts';
import { isSightlineInstance } from '../capture/sightline-instance.ts';
import type { TargetFile } from '../capture/target-tracker.ts';
import { maskArguments } from '../util/argument-secrets.ts';
import type { TargetFinder } from './target-finder.ts';
import type { TlsVersions } from './tls-version.ts';
import { knownAgent, workloadName } from './workload-name.ts';

/**
 * The verdict of one of its files, the best there is, or
 * - `left-out`: by a SIGHTLINE_TARGET_ or SIGHTLINE_EXCLUDE_ variable, whatever it runs from.
 * - `ours`: a Sightline.
 * - `unreadable`: this process may not look.
 */
export type ProcessState = TargetFile['verdict'] | 'left-out' | 'ours' | 'unreadable';

export interface DiscoveredProcess {
  pid: number;
  parentPid: number;
  comm: string;
  /** Empty when it may not be known. */
  executable: string;
  /** Without credentials. */
  argv: string[];
  uid?: number;
  owner?: string;
  containerId?: string;
  podUid?: string;
  /** Paths of its control groups, without root ones. */
  cgroups: readonly string[];
  /** The `service.name` its spans would have. */
  workload: string;
  /** Set when it is a known agent. */
  agent?: string;
  state: ProcessState;
  /** One line: why. */
  reason: string;
  /** The files it runs from that have TLS, or are called as if they had, with verdict and reason. */
  files: TargetFile[];
  /** How many files it runs from were looked at. */
  examinedFiles: number;
  /** Files it runs from that cannot be reached from here. */
  unreachableFiles: string[];
}

export interface DiscoveryOptions {
  finder: Pick<TargetFinder, 'examinedFiles'>;
  selection?: ProcessSelection | undefined;
  /** What is shown of command lines, of the same number of arguments. Default: the built-in rules. */
  maskArguments?: ((argv: readonly string[]) => string[]) | undefined;
  /** Default: versions are not looked for. */
  versions?: TlsVersions;
}

/** The best first: what a process is called by its files. */
const VERDICTS: readonly TargetFile['verdict'][] = [
  'attached',
  'attachable',
  'searching',
  'failed',
  'refused',
  'no-tls',
];

/** Called like a library for TLS. */
const TLS_NAME = /\/lib(?:ssl|gnutls|nspr4|boringssl)[^/]*\.so[^/]*$/;

/** Every process but kernel threads and what has exited, by pid. */
export function discoverProcesses(options: DiscoveryOptions): DiscoveredProcess[] {
  const { finder, versions } = options;
  const mask = options.maskArguments ?? maskArguments;
  const cgroups = createCgroupPaths();
  const details = createProcessDetails(cgroups);
  const selected = options.selection && createSelectedProcesses(options.selection, cgroups);

  function discover(stat: ProcStat): DiscoveredProcess | undefined {
    const judgement = selected?.running(stat);
    const { pid, comm } = stat;
    const described = readProcess(pid);
    if (!described) {
      return undefined;
    }
    const { executable, uid, serviceName } = described;
    const argv = mask(described.argv);
    const ref = { pid, startNs: stat.startTicks * TICK_NS };
    const more = details.describe({ process: ref, executable, argv: described.argv, uid }, 0n);
    const subject = { executable, argv, comm, serviceName, packageName: more?.packageName };
    const agent = knownAgent(subject);
    const examined = finder.examinedFiles(pid);
    const files = examined.files.filter(
      ({ verdict, path }) => verdict !== 'no-tls' || TLS_NAME.test(path),
    );
    const isOurs = pid === process.pid || isSightlineInstance(pid);
    const found = {
      files: files.map((file) => withVersions(file, examined.files, versions)),
      examinedFiles: examined.files.length,
      unreachableFiles: examined.unreachable,
    };
    return {
      pid,
      parentPid: stat.parentPid,
      comm,
      executable,
      argv,
      uid,
      cgroups: cgroups.of(pid) ?? [],
      workload: workloadName(subject),
      ...stateOf(pid, found, isOurs, judgement),
      ...found,
      ...(agent === undefined ? {} : { agent }),
      ...(more?.owner === undefined ? {} : { owner: more.owner }),
      ...(more?.containerId === undefined ? {} : { containerId: more.containerId }),
      ...(more?.podUid === undefined ? {} : { podUid: more.podUid }),
    };
  }

  return listProcesses()
    .sort(byStart)
    .map(discover)
    .filter((found) => found !== undefined)
    .sort((left, right) => left.pid - right.pid);
}

function stateOf(
  pid: number,
  found: Pick<DiscoveredProcess, 'files' | 'examinedFiles' | 'unreachableFiles'>,
  isOurs: boolean,
  judgement: Judgement | undefined,
): Pick<DiscoveredProcess, 'state' | 'reason'> {
  if (isOurs) {
    return { state: 'ours', reason: 'Sightline leaves out itself' };
  }
  if (judgement && judgement.kind !== 'wanted') {
    return { state: 'left-out', reason: judgement.reason };
  }
  const { files, examinedFiles, unreachableFiles } = found;
  for (const verdict of VERDICTS) {
    const reasons = files.filter((file) => file.verdict === verdict).map(reasonOf);
    if (reasons.length > 0 && verdict !== 'no-tls') {
      return { state: verdict, reason: reasons.join('; ') };
    }
  }
  const refusal = examinedFiles === 0 ? readingError(pid) : undefined;
  if (refusal !== undefined) {
    return { state: 'unreadable', reason: refusal };
  }
  if (unreachableFiles.length > 0 && examinedFiles === 0) {
    return {
      state: 'unreadable',
      reason: `none of the ${unreachableFiles.length} files it runs from can be reached: they are in another mount namespace, or removed`,
    };
  }
  const named = files.map(reasonOf);
  return {
    state: 'no-tls',
    reason: [`no known TLS stack in the ${examinedFiles} files it runs from`, ...named].join('; '),
  };
}

function reasonOf({ path, reason }: TargetFile): string {
  return `${path}: ${reason}`;
}

/** Why the files that a process has mapped cannot be listed. */
function readingError(pid: number): string | undefined {
  try {
    closeSync(openSync(`/proc/${pid}/maps`, 'r'));
    return undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    const advice = process.geteuid?.() === 0 ? 'it is protected even from root here' : 'root may';
    return `what it runs from cannot be read (${code}): ${advice}`;
  }
}

function withVersions(
  file: TargetFile,
  all: readonly TargetFile[],
  versions: TlsVersions | undefined,
): TargetFile {
  if (!versions || !file.located) {
    return file;
  }
  const others = all.map(({ path }) => path);
  const located = file.located.map(
    (stack): LocatedStack => ({
      ...stack,
      version: numberIn(stack.version) ?? versions.find(stack.stack, file.path, others),
    }),
  );
  return { ...file, located };
}

/** A locator gives the library's own line, such as "OpenSSL 3.0.13 30 Jan 2024". */
function numberIn(version: string | undefined): string | undefined {
  return version?.replace(/^OpenSSL (\S+).*$/, '$1');
}
