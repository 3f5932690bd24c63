/** Whether a file could be written at a path, asked before anything is started for its sake. */
import { accessSync, constants, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Why no file can be written there and how to mend it, to complete a sentence; undefined when one can. */
export function unwritableReason(path: string): string | undefined {
  try {
    return reasonFor(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return `no file can be there (${code}): choose another path`;
  }
}

function reasonFor(path: string): string | undefined {
  const directory = dirname(path);
  if (statOf(directory)?.isDirectory() !== true) {
    return `the directory ${directory} does not exist: create it first`;
  }
  const file = statOf(path);
  if (file?.isDirectory() === true) {
    return 'that is a directory: name a file in it';
  }
  return refusedWriting(file === undefined ? directory : path);
}

/** Undefined when nothing is there; throws on all that is no answer, such as a name too long. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      return undefined;
    }
    throw error;
  }
}

function refusedWriting(place: string): string | undefined {
  try {
    accessSync(place, constants.W_OK);
    return undefined;
  } catch (error) {
    const isReadOnly = error instanceof Error && 'code' in error && error.code === 'EROFS';
    return isReadOnly
      ? `${place} is on a file system that is mounted read-only: choose another path`
      : `${place} may not be written by this user: change its mode, or choose another path`;
  }
}
