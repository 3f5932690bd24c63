/** The text of docs/commands.md, made from the commands' own help. */
import { COMMANDS } from './commands.ts';
import { commandHelp, EXIT_CODES } from './help.ts';

const INTRODUCTION = `# Commands

<!-- Made from the commands in src/cli by "npm run docs". Do not edit. -->

\`sightline\` alone is \`sightline run\`. Errors are one line on stderr that says what to do. Every command that captures
needs root, or the capabilities \`CAP_BPF\` and \`CAP_PERFMON\` (and \`CAP_SYS_PTRACE\` and \`CAP_DAC_READ_SEARCH\` to see
other users' programs). Settings are in [configuration](configuration.md).
`;

const MORE = `## Exit codes

`;

const NOTES = `
\`exec\` returns the command's own exit code, and 128 + N when signal N ended it. A failed export never changes it.

## Ready

\`run\` and \`record\` write a line that starts with \`sightline ready\` to stderr once every probe is in place; scripts wait
for it. Under systemd with \`Type=notify\` they also say so to it, by \`systemd-notify\`.

## Stopping

The first SIGINT or SIGTERM detaches every probe and exports what is held; a second one ends at once. \`exec\` passes
SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 on to its command. Ctrl-C at a terminal reaches the command by itself; without a
terminal SIGINT and SIGQUIT are passed on too.

## What \`exec\` starts

A small stub waits until the probes are in place and then becomes the command, which so is observed from its first
instruction and inherits nothing of Sightline but the environment and the terminal. Under \`sudo\` the command runs as the
invoking user, with that user's groups and HOME, USER, LOGNAME and SHELL; sudo's own variables are removed. sudo replaces
PATH: give a command from your own PATH by its full path, \`sudo sightline exec -- "$(command -v claude)"\`.

## \`--print\`

One JSON object a line on stdout for each thing that passes the stage: \`events\` (from the kernel), \`streams\` (ordered
bytes and gaps of a connection), \`exchanges\` (HTTP), \`calls\` (model calls), \`turns\`, \`spans\`. 64-bit numbers are texts.
Bodies are shown only while content is on; the bytes of events and streams never, because credentials are still in them.
`;

export function commandsPage(): string {
  const commands = COMMANDS.map((command) => {
    // The variables have a page of their own.
    const help = commandHelp({ ...command, isConfigured: false });
    return `## ${command.name}\n\n\`\`\`text\n${help}\`\`\`\n`;
  });
  const codes = EXIT_CODES.map(([code, what]) => `| ${code} | ${what} |`);
  return [
    INTRODUCTION,
    ...commands,
    `${MORE}| code | meaning |\n|---|---|\n${codes.join('\n')}\n${NOTES}`,
  ].join('\n');
}
