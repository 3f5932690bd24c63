/**
 * Appends OTLP JSON lines to a file, as the collector's otlpjsonfile receiver reads them.
 * https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
 */
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import {
  DEFAULT_FILE_BYTES,
  DEFAULT_FILE_ROTATED,
  type FileSettings,
  type Notice,
} from './options.ts';

/** Content may be in it: only its owner reads a file we make. One that exists keeps the mode it was given. */
const MODE = 0o600;

/** O_NONBLOCK: a named pipe without a reader must not stop us (it has no effect on files). */
const APPENDING = constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK;

const NEWLINE = 0x0a;

export interface JsonLinesStats {
  lines: number;
  /** Lines that could not be written. */
  lostLines: number;
  rotations: number;
}

export interface JsonLinesFile {
  /** Writes one JSON text and a newline at once, so that a crash afterwards loses nothing. Never throws. */
  write(json: Uint8Array): void;
  close(): void;
  stats(): JsonLinesStats;
}

export function createJsonLinesFile(settings: FileSettings, notice: Notice): JsonLinesFile {
  const { path, owner } = settings;
  const maxBytes = settings.maxBytes ?? DEFAULT_FILE_BYTES;
  const maxRotated = settings.maxRotated ?? DEFAULT_FILE_ROTATED;
  const stats: JsonLinesStats = { lines: 0, lostLines: 0, rotations: 0 };
  let descriptor: number | undefined;
  let sizeBytes = 0;
  let canRotate = false;
  /** The last line is incomplete (a full disk, a crash): the next one needs a newline before it. */
  let isLineOpen = false;
  let isFailing = false;
  let isClosed = false;

  function open(): number {
    const opened = makeFile() ?? openSync(path, APPENDING);
    descriptor = opened;
    const stat = fstatSync(opened);
    canRotate = stat.isFile();
    sizeBytes = canRotate ? stat.size : 0;
    isLineOpen = sizeBytes > 0 && endsWithin(path, sizeBytes);
    return opened;
  }

  /** Undefined where there is one already: it keeps its owner, who may be anybody where a link leads to it. */
  function makeFile(): number | undefined {
    let made: number;
    try {
      made = openSync(path, APPENDING | constants.O_CREAT | constants.O_EXCL, MODE);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
        return undefined;
      }
      throw error;
    }
    if (owner !== undefined) {
      try {
        fchownSync(made, owner.uid, owner.gid);
      } catch (error) {
        const why = (error as Error).message;
        notice(
          'warning',
          `${path} cannot be given to user ${owner.uid}, who cannot read it: ${why}`,
        );
      }
    }
    return made;
  }

  function rotate(): void {
    if (descriptor !== undefined) {
      closeSync(descriptor);
      descriptor = undefined;
    }
    if (maxRotated === 0) {
      rmSync(path, { force: true });
    }
    for (let number = maxRotated; number > 0; number--) {
      moveIfThere(number === 1 ? path : `${path}.${number - 1}`, `${path}.${number}`);
    }
    stats.rotations += 1;
  }

  function append(json: Uint8Array): void {
    let opened = descriptor ?? open();
    const lineBytes = json.length + 1;
    if (canRotate && sizeBytes > 0 && sizeBytes + lineBytes > maxBytes) {
      rotate();
      opened = open();
    }
    const line = Buffer.allocUnsafe(lineBytes + (isLineOpen ? 1 : 0));
    let offset = 0;
    if (isLineOpen) {
      line[0] = NEWLINE;
      offset = 1;
    }
    line.set(json, offset);
    line[line.length - 1] = NEWLINE;
    let written = 0;
    try {
      while (written < line.length) {
        const count = writeSync(opened, line, written);
        written += count;
        sizeBytes += count;
      }
      isLineOpen = false;
    } catch (error) {
      if (written > 0) {
        isLineOpen = true;
      }
      throw error;
    }
  }

  function failed(error: Error): void {
    stats.lostLines += 1;
    if (!isFailing) {
      isFailing = true;
      notice(
        'warning',
        `cannot write ${path}: ${error.message}. What belongs there is lost until it can be written again.`,
      );
    }
  }

  return {
    write(json) {
      if (isClosed) {
        stats.lostLines += 1;
        return;
      }
      try {
        append(json);
      } catch (error) {
        failed(error as Error);
        return;
      }
      stats.lines += 1;
      if (isFailing) {
        isFailing = false;
        notice('info', `${path} is written again; ${stats.lostLines} lines were lost`);
      }
    },
    close() {
      isClosed = true;
      if (descriptor !== undefined) {
        closeSync(descriptor);
        descriptor = undefined;
      }
    },
    stats: () => ({ ...stats }),
  };
}

/** Whether the file stops in the middle of a line. A file that we may write but not read is taken for whole. */
function endsWithin(path: string, sizeBytes: number): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY);
  } catch {
    return false;
  }
  try {
    const byte = Buffer.alloc(1);
    return readSync(descriptor, byte, 0, 1, sizeBytes - 1) === 1 && byte[0] !== NEWLINE;
  } finally {
    closeSync(descriptor);
  }
}

function moveIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw error;
    }
  }
}
