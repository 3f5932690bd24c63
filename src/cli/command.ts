/** What a command is: how it is called, explained and run. */
import type { Config } from '../config/schema.ts';
import type { Log } from '../self/log.ts';

export interface CommandOption {
  /** Long name without dashes. */
  name: string;
  short?: string;
  /** Name of its value; absent for a flag. */
  value?: string;
  doc: string;
}

export interface Example {
  command: string;
  what: string;
}

/** The words of a command line, taken apart. */
export interface CommandLine {
  /** Values of options that take one. */
  values: Readonly<Record<string, string>>;
  flags: ReadonlySet<string>;
  positionals: readonly string[];
  /** What stands after `--`; undefined when there is no `--`. */
  rest: readonly string[] | undefined;
}

export interface CommandContext {
  line: CommandLine;
  config: Config;
  log: Log;
  env: NodeJS.ProcessEnv;
  output: Output;
}

/** Where a command writes. Both take text with its line feeds. */
export interface Output {
  stdout(text: string): void;
  stderr(text: string): void;
  /** Keeps what goes to stderr, the log included, until `releaseStderr`; in bounds, and the loss is told. */
  holdStderr(): void;
  releaseStderr(): void;
  /** Resolves when the reader of stdout has gone away: nothing written there is seen any more. */
  readonly stdoutClosed: Promise<void>;
}

export interface Command {
  name: string;
  /** One line for the list of commands. */
  summary: string;
  /** Forms in which it is called, without the program's name. */
  usage: readonly string[];
  /** What it does, in paragraphs. */
  description: readonly string[];
  options: readonly CommandOption[];
  examples: readonly Example[];
  /** True: its help ends with the list of variables. */
  isConfigured: boolean;
  /** Resolves to the exit code. */
  run(context: CommandContext): Promise<number>;
}
