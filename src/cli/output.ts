/** The process's stdout and stderr, of which either may lose its reader. */
import type { Output } from './command.ts';
import { holdOutput } from './terminal.ts';

/** `onFailure` gets an error of stdout other than a reader that went away (a full disk, for one). */
export function createOutput(onFailure: (error: Error) => void): Output {
  let isStdoutOpen = true;
  let isStderrOpen = true;
  let resolveClosed: () => void = () => {};
  const stdoutClosed = new Promise<void>((resolve) => {
    resolveClosed = resolve;
  });
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!isStdoutOpen) {
      return;
    }
    isStdoutOpen = false;
    if (error.code !== 'EPIPE') {
      onFailure(error);
    }
    resolveClosed();
  });
  process.stderr.on('error', () => {
    isStderrOpen = false;
  });
  const stderr = holdOutput((text) => {
    if (isStderrOpen) {
      process.stderr.write(text);
    }
  });
  return {
    stdout: (text) => {
      if (isStdoutOpen) {
        process.stdout.write(text);
      }
    },
    stderr: stderr.write,
    holdStderr: stderr.hold,
    releaseStderr: stderr.release,
    stdoutClosed,
  };
}
