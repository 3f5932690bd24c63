/** Finds a command as execvp(3) would, to tell "not found" from "cannot be executed" before anything starts. */
import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';
import { ExitCode, SightlineError } from '../util/errors.ts';

/** What execvp searches without PATH: confstr(_CS_PATH). */
const DEFAULT_PATH = '/bin:/usr/bin';

type Finding = 'executable' | 'not-executable' | 'absent';

/**
 * Throws a SightlineError (exit code 126 or 127) when `command` cannot be started. `isSudo`: PATH is not the user's
 * own, which the error then says.
 */
export function requireExecutable(command: string, env: NodeJS.ProcessEnv, isSudo = false): void {
  const path = env.PATH ?? DEFAULT_PATH;
  const candidates = command.includes('/')
    ? [command]
    : path.split(':').map((folder) => join(folder === '' ? '.' : folder, command));
  let isThere = false;
  for (const candidate of candidates) {
    const finding = look(candidate);
    if (finding === 'executable') {
      return;
    }
    isThere ||= finding === 'not-executable';
  }
  if (isThere) {
    throw new SightlineError(
      'SL_EXEC_CANNOT_EXECUTE',
      `${command} cannot be executed: it is a directory, or its mode has no x`,
      { exitCode: ExitCode.execCannotExecute },
    );
  }
  const where = command.includes('/') ? '' : ` in PATH (${path})`;
  throw new SightlineError(
    'SL_EXEC_NOT_FOUND',
    `${command} was not found${where}: ${adviceOn(command, isSudo)}`,
    { exitCode: ExitCode.execNotFound },
  );
}

function adviceOn(command: string, isSudo: boolean): string {
  if (command.includes('/')) {
    return 'check the path';
  }
  return isSudo ? "sudo replaces PATH, so give the command's full path" : 'check the name, or PATH';
}

function look(path: string): Finding {
  try {
    if (!statSync(path).isFile()) {
      return 'not-executable';
    }
    accessSync(path, constants.X_OK);
    return 'executable';
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code === 'EACCES' ? 'not-executable' : 'absent';
  }
}
