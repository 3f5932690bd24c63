/** The outcome of one check, and how it is shown. */

/** `note`: worth knowing, but no reason to fail. */
type CheckStatus = 'pass' | 'fail' | 'note';

export interface CheckResult {
  name: string;
  status: CheckStatus;
  /** What was found. One line. */
  detail: string;
  /** How to mend it; absent when it passed. */
  mend?: string;
}

export function pass(name: string, detail: string): CheckResult {
  return { name, status: 'pass', detail };
}

export function fail(name: string, detail: string, mend: string): CheckResult {
  return { name, status: 'fail', detail, mend };
}

export function note(name: string, detail: string, mend: string): CheckResult {
  return { name, status: 'note', detail, mend };
}

/** One line each: status, name, what was found, how to mend it. */
export function checkLines(results: readonly CheckResult[]): string[] {
  const width = Math.max(...results.map(({ name }) => name.length));
  return results.map(({ name, status, detail, mend }) => {
    const advice = mend === undefined ? '' : ` — ${mend}`;
    return `${status}  ${name.padEnd(width)}  ${detail}${advice}`;
  });
}
