/** Opens the file of a recording: for writing so that nobody else can read or redirect it, and for reading. */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  ftruncateSync,
  openSync,
  type Stats,
} from 'node:fs';
import { messageOf, SightlineError } from '../util/errors.ts';

/** Captured plaintext is its owner's alone. */
const RECORDING_MODE = 0o600;

export interface RecordingOwner {
  uid: number;
  gid: number;
}

export interface OpenForWritingOptions {
  path: string;
  /** False: an existing file is an error. True: an existing plain file of ours is emptied. */
  overwrite: boolean;
  /** Who gets the file; under sudo the invoking user. Default: whoever runs this. */
  owner?: RecordingOwner | undefined;
}

/**
 * Creates the file with mode 0600, or empties an existing one, and returns its descriptor. A symbolic link is
 * never followed, and a file with another name elsewhere (hard link), another owner or another kind is refused:
 * a recording made by root in a shared folder must not be steered into someone else's file.
 * Throws SL_RECORDING_EXISTS or SL_RECORDING_UNWRITABLE.
 */
export function openRecordingForWriting(options: OpenForWritingOptions): number {
  const { path } = options;
  const base = constants.O_WRONLY | constants.O_NOFOLLOW;
  let fd: number;
  try {
    fd = openSync(path, base | constants.O_CREAT | constants.O_EXCL, RECORDING_MODE);
  } catch (cause) {
    if (errorCode(cause) !== 'EEXIST') {
      throw unwritable(path, reasonOf(cause), cause);
    }
    if (!options.overwrite) {
      throw new SightlineError(
        'SL_RECORDING_EXISTS',
        `${path} exists already: choose another file, or allow it to be overwritten`,
        { cause },
      );
    }
    fd = openExisting(path, base, options.owner);
  }
  try {
    // The umask and an existing file's mode and owner must not decide.
    fchmodSync(fd, RECORDING_MODE);
    if (options.owner) {
      fchownSync(fd, options.owner.uid, options.owner.gid);
    }
  } catch (cause) {
    closeSync(fd);
    throw unwritable(path, reasonOf(cause), cause);
  }
  return fd;
}

function openExisting(path: string, flags: number, owner: RecordingOwner | undefined): number {
  let fd: number;
  try {
    // Without O_NONBLOCK a FIFO put in the file's place would block here for ever.
    fd = openSync(path, flags | constants.O_NONBLOCK);
  } catch (cause) {
    const reason =
      errorCode(cause) === 'ELOOP'
        ? 'it is a symbolic link; name the file itself'
        : reasonOf(cause);
    throw unwritable(path, reason, cause);
  }
  const refusal = refusalOf(fstatSync(fd), owner);
  if (refusal) {
    closeSync(fd);
    throw unwritable(path, refusal);
  }
  try {
    ftruncateSync(fd, 0);
  } catch (cause) {
    closeSync(fd);
    throw unwritable(path, reasonOf(cause), cause);
  }
  return fd;
}

function refusalOf(stats: Stats, owner: RecordingOwner | undefined): string | undefined {
  if (!stats.isFile()) {
    return 'it is no regular file; name a file that can be written';
  }
  if (stats.nlink > 1) {
    return 'it has several names (hard links); remove it first';
  }
  const self = process.geteuid?.();
  if (stats.uid !== self && stats.uid !== owner?.uid) {
    return 'it belongs to another user; choose another file';
  }
  return undefined;
}

function unwritable(path: string, reason: string, cause?: unknown): SightlineError {
  return new SightlineError(
    'SL_RECORDING_UNWRITABLE',
    `the recording ${path} cannot be written: ${reason}`,
    { cause },
  );
}

/** Opens a recording for reading. Throws SL_RECORDING_UNREADABLE. */
export function openRecordingForReading(path: string): { fd: number; sizeBytes: number } {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw unreadable(path, reasonOf(cause), cause);
  }
  const stats = fstatSync(fd);
  if (!stats.isFile()) {
    closeSync(fd);
    throw unreadable(path, 'it is no regular file; give the path of a recording');
  }
  return { fd, sizeBytes: stats.size };
}

export function unreadable(path: string, reason: string, cause?: unknown): SightlineError {
  return new SightlineError(
    'SL_RECORDING_UNREADABLE',
    `the recording ${path} cannot be read: ${reason}`,
    { cause },
  );
}

/** What went wrong, in words where the error number is a common one. */
export function reasonOf(error: unknown): string {
  switch (errorCode(error)) {
    case 'ENOENT':
      return 'there is no such file or folder; check the path';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied; run this as its owner, or choose another place';
    case 'EISDIR':
      return 'it is a folder; name a file in it';
    case 'ENOTDIR':
      return 'a part of the path is no folder; check the path';
    case 'ENOSPC':
    case 'EDQUOT':
      return 'no space is left on the device; free some or choose another place';
    case 'EROFS':
      return 'the file system is read-only; choose another place';
    case 'ENAMETOOLONG':
      return 'the name is too long; choose a shorter one';
    default:
      return messageOf(error);
  }
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}
