/** Rows of the table in docs/tls-stacks.md: each is written by a test that has just compared every byte. */
import { appendFileSync } from 'node:fs';
import type { LocatedStack } from '../../src/capture/binding.ts';

/** Path of the file to add rows to, one line of JSON each; unset, nothing is written. */
export const ROWS_VARIABLE = 'SIGHTLINE_STACK_ROWS';

export interface StackRow {
  stack: string;
  program: string;
  version: string;
  /** How its functions were found. */
  locatedBy: string;
  /** The instructions probed: how many are emulated, of how many. */
  placement: string;
  /** Where connections were compared; the bytes from the program's point of view. */
  connections?: number;
  writtenBytes?: number;
  readBytes?: number;
  /** What was compared with what. */
  exact: string;
  notes: string;
}

export function addStackRow(row: StackRow): void {
  const path = process.env[ROWS_VARIABLE];
  if (path !== undefined) {
    appendFileSync(path, `${JSON.stringify(row)}\n`);
  }
}

export function placementOf(stacks: readonly LocatedStack[], probed: readonly string[]): string {
  const places = stacks
    .flatMap(({ functions }) => functions)
    .filter(({ name }) => probed.includes(name) && !/free|clear|deinit|Close/.test(name));
  const emulated = places.filter(({ isEmulated }) => isEmulated).length;
  return `${emulated} of ${places.length}`;
}
