/** Judges which processes are observed: the variables that name targets, and those that leave some out. */
import { globPattern } from '../util/glob.ts';

/** One set of SIGHTLINE_TARGET_ or SIGHTLINE_EXCLUDE_ variables; a process matches when one value of it does. */
export interface ProcessPatterns {
  pids: readonly number[];
  /** Globs of the name that the kernel has for a process: that of its main thread. */
  comms: readonly string[];
  /** Globs of the executable's path, as the process's own mount namespace names it. */
  executables: readonly string[];
  uids: readonly number[];
  /** Globs of the path of its control group, or of one above it. */
  cgroups: readonly string[];
}

export interface ProcessSubject {
  /** Absent for a program that has just started: a pid names a process that runs when Sightline begins. */
  pid?: number;
  comm: string;
  executable: string;
  uid: number;
  /** Only asked when a pattern needs it; undefined when it cannot be read. */
  cgroups(): readonly string[] | undefined;
}

export interface Judgement {
  /** `unwanted`: no target. `excluded`: left out with all its descendants. */
  kind: 'wanted' | 'unwanted' | 'excluded';
  /** Which variable made it so; empty where none did. */
  reason: string;
}

export interface ProcessSelection {
  /** True: only targets and their descendants are wanted. */
  readonly hasTargets: boolean;
  /** True: a process may match by a name that it takes later. */
  readonly hasNames: boolean;
  /**
   * `from`: what was judged of the process before, and of its parent. Exclusion wins over being a target; of
   * descendants as of the process itself.
   */
  judge(subject: ProcessSubject, from: readonly (Judgement | undefined)[]): Judgement;
}

export interface SelectionOptions {
  targets?: ProcessPatterns;
  exclude: ProcessPatterns;
}

const WANTED: Judgement = { kind: 'wanted', reason: '' };
const UNWANTED: Judgement = { kind: 'unwanted', reason: 'matches no SIGHTLINE_TARGET_ variable' };
const INHERITED = 'descends from a process that matches ';

/** Undefined when nothing is selected: then every process is wanted. */
export function createProcessSelection(options: SelectionOptions): ProcessSelection | undefined {
  const targets = options.targets && createMatcher('SIGHTLINE_TARGET', options.targets);
  const exclude = createMatcher('SIGHTLINE_EXCLUDE', options.exclude);
  if (targets === undefined && exclude === undefined) {
    return undefined;
  }
  return {
    hasTargets: targets !== undefined,
    hasNames: (options.targets?.comms.length ?? 0) + options.exclude.comms.length > 0,
    judge(subject, from) {
      const above = from.find((judgement) => judgement?.kind === 'excluded');
      if (above) {
        return inherited(above);
      }
      const excluding = exclude?.(subject);
      if (excluding !== undefined) {
        return { kind: 'excluded', reason: excluding };
      }
      if (!targets) {
        return WANTED;
      }
      const target = targets(subject);
      if (target !== undefined) {
        return { kind: 'wanted', reason: target };
      }
      const ancestor = from.find((judgement) => judgement?.kind === 'wanted');
      return ancestor ? inherited(ancestor) : UNWANTED;
    },
  };
}

function inherited({ kind, reason }: Judgement): Judgement {
  const isSaid = reason === '' || reason.startsWith(INHERITED);
  return { kind, reason: isSaid ? reason : `${INHERITED}${reason}` };
}

/** Which of the variables the subject matches; undefined when none does. */
type Matcher = (subject: ProcessSubject) => string | undefined;

/** Undefined when none of the variables is set. The cheap ones are asked first, the files of /proc last. */
function createMatcher(prefix: string, patterns: ProcessPatterns): Matcher | undefined {
  const matchers: Matcher[] = [];

  function add<T>(
    name: string,
    values: readonly T[],
    matches: (value: T) => (subject: ProcessSubject) => boolean,
  ): void {
    for (const value of values) {
      const isMatch = matches(value);
      matchers.push((subject) => (isMatch(subject) ? `${prefix}_${name}=${value}` : undefined));
    }
  }

  add('PID', patterns.pids, (pid) => (subject) => subject.pid === pid);
  add('UID', patterns.uids, (uid) => (subject) => subject.uid === uid);
  add('COMM', patterns.comms, (glob) => {
    const pattern = globPattern(glob, { of: 'name' });
    return (subject) => pattern.test(subject.comm);
  });
  add('EXE', patterns.executables, (glob) => {
    const pattern = globPattern(glob, { of: 'path' });
    return (subject) => pattern.test(subject.executable);
  });
  add('CGROUP', patterns.cgroups, (glob) => {
    const pattern = globPattern(glob, { of: 'path', withDescendants: true });
    return (subject) => subject.cgroups()?.some((path) => pattern.test(path)) === true;
  });
  if (matchers.length === 0) {
    return undefined;
  }
  return (subject) => {
    for (const matcher of matchers) {
      const reason = matcher(subject);
      if (reason !== undefined) {
        return reason;
      }
    }
    return undefined;
  };
}
