/**
 * The attributes of a process and the program it runs, on spans and on resources.
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/registry/attributes/process.md
 */
import { basename } from 'node:path';
import type { Attributes } from '@opentelemetry/api';
import type { Process, Program } from '../process/process.ts';
import { Attr } from './semconv.ts';
import { put } from './span-description.ts';

/** The program a process runs now, or ran last. */
export function currentProgram(process: Process): Program | undefined {
  return process.programs.at(-1);
}

/** File name of the executable; the kernel's short name where the path is not known. */
export function executableName(process: Process): string | undefined {
  const program = currentProgram(process);
  if (program === undefined) {
    return undefined;
  }
  const name = program.executable === '' ? program.comm : basename(program.executable);
  return name === '' ? undefined : name;
}

/** Pid, executable and arguments, whose credentials the capture has masked; `redact` masks what else shall be. */
export function putProcess(
  attributes: Attributes,
  process: Process,
  redact: (text: string) => string,
): void {
  const program = currentProgram(process);
  attributes[Attr.processPid] = process.ref.pid;
  put(attributes, Attr.processExecutableName, executableName(process));
  if (program === undefined) {
    return;
  }
  if (program.executable !== '') {
    attributes[Attr.processExecutablePath] = program.executable;
  }
  put(attributes, Attr.processCommandArgs, program.argv.map(redact));
}
