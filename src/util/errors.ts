/** The documented exit codes of every command. */
export const ExitCode = {
  ok: 0,
  failed: 1,
  usage: 2,
  captureImpossible: 3,
  /** `exec` only: Sightline itself failed. */
  execFailed: 125,
  /** `exec` only: the command exists but cannot be executed. */
  execCannotExecute: 126,
  /** `exec` only: the command was not found. */
  execNotFound: 127,
} as const;

export type ExitCodeValue = (typeof ExitCode)[keyof typeof ExitCode];

/** What an error says, in one line. */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0] ?? '';
}

/**
 * An error that a person can act on. `message` is one line: what is wrong and how to mend it. `code` is stable
 * (`SL_…`); `exitCode` is what a command ends with when nothing handles it.
 */
export class SightlineError extends Error {
  override readonly name = 'SightlineError';
  readonly code: string;
  readonly exitCode: ExitCodeValue;

  constructor(
    code: string,
    message: string,
    options: { exitCode?: ExitCodeValue; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.exitCode = options.exitCode ?? ExitCode.failed;
  }
}
