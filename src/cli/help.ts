/** The texts of `--help`, made from the commands and the configuration schema. */
import { settings } from '../config/schema.ts';
import type { Command, CommandOption, Example } from './command.ts';
import { COMMON_OPTIONS } from './command-line.ts';

const WIDTH = 100;

/** Help of the program as a whole. */
export function programHelp(commands: readonly Command[]): string {
  const rows = commands.map(({ name, summary }): [string, string] => [name, summary]);
  return joinSections([
    'Sightline observes AI agents from the kernel and exports what they do as OpenTelemetry.',
    section('Usage', [['sightline [COMMAND] [OPTION…]', 'Without a command it is run.']]),
    section('Commands', rows),
    section('Options', COMMON_OPTIONS.map(optionRow)),
    section('Examples', [
      ['sudo sightline', 'observe this host'],
      ['sudo sightline exec -- python agent.py', 'observe one program'],
      ['sudo sightline check', 'can it work here?'],
    ]),
    environmentSection(),
    exitCodeSection(),
  ]);
}

/** Help of one command. */
export function commandHelp(command: Command): string {
  const usage = command.usage.map((form) => `  sightline ${form}`).join('\n');
  return joinSections([
    command.description.map((paragraph) => wrap(paragraph, 0)).join('\n\n'),
    `Usage\n${usage}`,
    section('Options', [...command.options, ...COMMON_OPTIONS].map(optionRow)),
    section('Examples', command.examples.map(exampleRow)),
    ...(command.isConfigured ? [environmentSection()] : []),
  ]);
}

/** The variables and their defaults, straight from the schema. */
export function environmentSection(): string {
  const lines: string[] = ['Environment (docs/configuration.md explains each)'];
  for (const { key } of settings()) {
    const value = key.default === undefined ? undefined : key.format.show(key.default);
    lines.push(value === undefined || value === '' ? `  ${key.env}` : `  ${key.env}=${value}`);
  }
  return lines.join('\n');
}

export const EXIT_CODES: readonly (readonly [string, string])[] = [
  ['0', 'all is well'],
  ['1', 'a check or a run failed'],
  ['2', 'wrong usage or configuration'],
  ['3', 'capture is impossible here: privilege, kernel or addon (exec: 125)'],
  ['125', 'exec: Sightline itself failed, or capture is impossible'],
  ['126', 'exec: the command cannot be executed'],
  ['127', 'exec: the command was not found'],
];

function exitCodeSection(): string {
  return section('Exit codes', [
    ...EXIT_CODES.map(([code, what]): [string, string] => [code, what]),
    ['other', "exec: the command's own; 128 + N when signal N ended it"],
  ]);
}

function optionRow({ name, short, value, doc }: CommandOption): [string, string] {
  const letter = short === undefined ? '    ' : `-${short}, `;
  return [`${letter}--${name}${value === undefined ? '' : ` ${value}`}`, doc];
}

function exampleRow({ command, what }: Example): [string, string] {
  return [command, what];
}

/** What is explained in one column beside it; a longer left side stands on a line of its own. */
const MAX_LEFT = 32;

function section(title: string, rows: readonly (readonly [string, string])[]): string {
  const widths = rows.map(([left]) => left.length).filter((width) => width <= MAX_LEFT);
  const column = Math.max(4, ...widths) + 4;
  const lines = rows.map(([left, right]) => {
    const text = wrap(right, column);
    return left.length > MAX_LEFT
      ? `  ${left}\n${text}`
      : `  ${left.padEnd(column - 2)}${text.trimStart()}`;
  });
  return [title, ...lines].join('\n');
}

/** Breaks at spaces; every line begins with `indent` spaces. */
function wrap(text: string, indent: number): string {
  const width = Math.max(WIDTH - indent, 40);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  return lines.map((each) => ' '.repeat(indent) + each).join('\n');
}

function joinSections(sections: readonly string[]): string {
  return `${sections.join('\n\n')}\n`;
}
