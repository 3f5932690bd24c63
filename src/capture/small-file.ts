/** Reads small text files of /proc and of observed programs without ever blocking, throwing or reading much. */
import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync } from 'node:fs';

/** Enough for every file of /proc read here but a long argument list or environment. */
const FIRST_READ_BYTES = 4096;

/**
 * The content, cut at `maxBytes`; undefined when it cannot be read, which for a process that has exited is the
 * normal case. Devices and FIFOs are not read: their content would be someone else's to decide.
 */
export function readSmallFile(path: string, maxBytes: number): Buffer | undefined {
  let fd: number;
  try {
    // O_NONBLOCK: a FIFO in the place of a package.json must not stop the capture.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return undefined;
  }
  try {
    if (!fstatSync(fd).isFile()) {
      return undefined;
    }
    return readUpTo(fd, maxBytes);
  } catch {
    // ESRCH: the process exited between open and read.
    return undefined;
  } finally {
    closeSync(fd);
  }
}

function readUpTo(fd: number, maxBytes: number): Buffer {
  let buffer = Buffer.allocUnsafe(Math.min(FIRST_READ_BYTES, maxBytes));
  let used = 0;
  // Files of /proc have no size: read until they end.
  for (;;) {
    const bytes = readSync(fd, buffer, used, buffer.byteLength - used, null);
    used += bytes;
    if (bytes === 0 || used >= maxBytes) {
      return buffer.subarray(0, used);
    }
    if (used === buffer.byteLength) {
      const larger = Buffer.allocUnsafe(Math.min(buffer.byteLength * 4, maxBytes));
      buffer.copy(larger, 0, 0, used);
      buffer = larger;
    }
  }
}

/** Like `readSmallFile`, as UTF-8 text. */
export function readSmallText(path: string, maxBytes: number): string | undefined {
  return readSmallFile(path, maxBytes)?.toString('utf8');
}

/** The target of a symbolic link, or undefined. */
export function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
