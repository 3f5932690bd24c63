/**
 * Finds a tool call's command in a process's argv.
 *
 * Agents hand the model's command to a shell inside an argument of their own (`bash -c "source … && eval 'git
 * log'"`), quoted in whatever way they like. Quotes, backslashes and runs of white space are therefore left out of
 * both sides before they are compared; what remains must stand in argv between characters that cannot belong to a
 * longer word or path. Credentials in argv are masked, so they are on this side too.
 */
import { maskArguments, maskSecretsInText } from '../util/argument-secrets.ts';

/** Keys under which tools take a shell command or a program text. */
const COMMAND_KEYS = new Set(['command', 'cmd', 'commands', 'script', 'code', 'shell_command']);

/** A value under any other key must have this many characters: `.` and `30` stand in many an argv. */
const MIN_OTHER_CHARS = 4;

/** Texts kept of one tool call, and how deep its arguments are searched for them. */
const MAX_TEXTS = 16;
const MAX_DEPTH = 6;

/** What is searched of one argv, in UTF-16 units. */
const MAX_ARGV_CHARS = 256 * 1024;

/** Shell options before the command: `-c`, `-lc`, `-ec`, …. */
const SHELL_COMMAND_OPTION = /^-[a-z]*c$/;

const QUOTING = /['"\\]+/g;
const SPACE = /\s+/g;
/** A mask may take a quote's backslash with it; how long it is says nothing. */
const MASK = /\*+/g;
const WORD = /[\p{L}\p{N}_./-]/u;

/**
 * The texts of a tool call's arguments (JSON) that may show up in argv, in comparable form. With a key such as
 * `command` only the values under such keys count; otherwise every string value does.
 */
export function commandTexts(argumentsText: string): string[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(argumentsText);
  } catch {
    return [];
  }
  const commands: string[] = [];
  const others: string[] = [];
  collect(parsed, false, commands, others, 0);
  return commands.length > 0 ? commands : others;
}

/** argv in comparable form. */
export function comparableArgv(argv: readonly string[]): string {
  return comparable(argv.join(' ').slice(0, MAX_ARGV_CHARS));
}

/** Length of the longest of `texts` that `argv` (comparable) contains; 0 when it contains none. */
export function matchedChars(argv: string, texts: readonly string[]): number {
  let longest = 0;
  for (const text of texts) {
    if (text.length > longest && containsWords(argv, text)) {
      longest = text.length;
    }
  }
  return longest;
}

function comparable(text: string): string {
  return text.replace(QUOTING, '').replace(SPACE, ' ').replace(MASK, '*').trim();
}

function collect(
  value: unknown,
  isCommand: boolean,
  commands: string[],
  others: string[],
  depth: number,
): void {
  if (commands.length >= MAX_TEXTS || others.length >= MAX_TEXTS || depth > MAX_DEPTH) {
    return;
  }
  if (typeof value === 'string') {
    const text = comparable(maskSecretsInText(value));
    if (isCommand && text.length > 0) {
      commands.push(text);
    } else if (!isCommand && text.length >= MIN_OTHER_CHARS) {
      others.push(text);
    }
    return;
  }
  if (Array.isArray(value)) {
    if (isCommand && value.every((item) => typeof item === 'string')) {
      collect(commandOfArgv(value), true, commands, others, depth + 1);
      return;
    }
    for (const item of value) {
      collect(item, isCommand, commands, others, depth + 1);
    }
    return;
  }
  if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      collect(item, isCommand || COMMAND_KEYS.has(key), commands, others, depth + 1);
    }
  }
}

/** `["bash", "-lc", "ls | wc"]` stands for `ls | wc`; any other array for its words. */
function commandOfArgv(argv: readonly string[]): string {
  const [, option, command] = argv;
  if (argv.length === 3 && command !== undefined && SHELL_COMMAND_OPTION.test(option ?? '')) {
    return command;
  }
  return maskArguments(argv).join(' ');
}

function containsWords(argv: string, text: string): boolean {
  for (let at = argv.indexOf(text); at >= 0; at = argv.indexOf(text, at + 1)) {
    const before = argv[at - 1] ?? '';
    const after = argv[at + text.length] ?? '';
    if (!WORD.test(before) && !WORD.test(after)) {
      return true;
    }
  }
  return false;
}
