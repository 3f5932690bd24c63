/** Takes the words of a command line apart, by node:util's parseArgs. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { ExitCode, SightlineError } from '../util/errors.ts';
import type { Command, CommandLine, CommandOption } from './command.ts';

/** Options that every command has. */
export const COMMON_OPTIONS: readonly CommandOption[] = [
  { name: 'config', value: 'FILE', doc: 'Read settings from a YAML or JSON file as well.' },
  { name: 'help', short: 'h', doc: 'Explain this command.' },
  { name: 'version', short: 'V', doc: 'Print the version.' },
];

/** Throws a SightlineError (SL_USAGE, exit code 2) on an option that the command does not have. */
export function parseCommandLine(command: Command, words: readonly string[]): CommandLine {
  const separator = words.indexOf('--');
  const own = separator < 0 ? words : words.slice(0, separator);
  const rest = separator < 0 ? undefined : words.slice(separator + 1);
  const options: NonNullable<ParseArgsConfig['options']> = {};
  for (const { name, short, value } of [...command.options, ...COMMON_OPTIONS]) {
    options[name] = {
      type: value === undefined ? 'boolean' : 'string',
      multiple: true,
      ...(short === undefined ? {} : { short }),
    };
  }
  const parsed = parse(command, [...own], options);
  const values: Record<string, string> = {};
  const flags = new Set<string>();
  for (const [name, given] of Object.entries(parsed.values)) {
    const all = Array.isArray(given) ? given : [given];
    const first = all[0];
    if (typeof first !== 'string') {
      flags.add(name);
      continue;
    }
    if (all.length > 1) {
      throw usageError(command, `--${name} is given ${all.length} times: give it once`);
    }
    if (first === '') {
      throw usageError(command, `--${name} has an empty value`);
    }
    values[name] = first;
  }
  return { values, flags, positionals: parsed.positionals, rest };
}

function parse(
  command: Command,
  args: string[],
  options: NonNullable<ParseArgsConfig['options']>,
): ReturnType<typeof parseArgs> {
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: true });
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    // The first sentence says what is wrong; the rest is advice about parseArgs.
    const sentence = message.split(/\.\s|\n/, 1)[0] ?? message;
    const what = sentence.replace(/\.$/, '').replace(/^[A-Z]/, (letter) => letter.toLowerCase());
    throw usageError(command, what, cause);
  }
}

/** A SightlineError (SL_USAGE, exit code 2) that names the command's help. */
export function usageError(command: Command, what: string, cause?: unknown): SightlineError {
  return new SightlineError('SL_USAGE', `${what}; see "sightline ${command.name} --help"`, {
    exitCode: ExitCode.usage,
    cause,
  });
}

/** Refuses words that the command has no use for. */
export function refusePositionals(command: Command, line: CommandLine): void {
  const [first] = line.positionals;
  if (first !== undefined) {
    throw usageError(command, `"${first}" is one word too many`);
  }
}

/** Refuses `-- CMD` for a command that starts none. */
export function refuseRest(command: Command, line: CommandLine): void {
  if (line.rest !== undefined) {
    throw usageError(command, `${command.name} starts no command after --`);
  }
}

/** Refuses `--` without a command after it. */
export function refuseNoCommand(command: Command, words: readonly string[]): void {
  if (words.length === 0) {
    throw usageError(command, `the command is missing: ${command.name} … -- CMD`);
  }
  if (words[0] === '') {
    throw usageError(command, 'the command after -- is empty: name a program');
  }
}
