/** `sightline exec -- CMD…`: observe one command and what it starts. */
import type { Command } from './command.ts';
import { refuseNoCommand, refusePositionals, usageError } from './command-line.ts';
import { asExecFailure, runObserved } from './observed-command.ts';
import { PRINT_OPTION, printOptions } from './print.ts';

export const exec: Command = {
  name: 'exec',
  summary: 'start a command and observe it and what it starts',
  usage: ['exec [--config FILE] [--print STAGE] -- CMD [ARG…]'],
  description: [
    "Starts CMD, observes it and its descendants from its first instruction, and exits with CMD's exit code after everything is exported. Terminal and signals are passed on.",
    'Under sudo, CMD runs as the user who called sudo, with that user’s home and groups. Trees and notices go to stderr; on a terminal they wait until CMD has ended.',
  ],
  options: [PRINT_OPTION],
  examples: [
    { command: 'sudo sightline exec -- python agent.py', what: 'see what an agent does' },
    {
      command: 'sudo SIGHTLINE_FILE=trace.jsonl sightline exec -- ./agent --fast',
      what: 'also keep it as OTLP JSON lines',
    },
    {
      command: 'sudo sightline exec --print calls -- node agent.js',
      what: 'model calls as JSON lines',
    },
  ],
  isConfigured: true,
  async run(context) {
    const [stray] = context.line.positionals;
    if (context.line.rest === undefined && stray !== undefined) {
      throw usageError(exec, `put -- before the command: exec -- ${stray}`);
    }
    refusePositionals(exec, context.line);
    const command = context.line.rest ?? [];
    refuseNoCommand(exec, command);
    const print = printOptions(exec, context);
    try {
      return await runObserved(context, {
        command,
        announce: false,
        ...(print === undefined ? {} : { print }),
      });
    } catch (error) {
      throw asExecFailure(error);
    }
  },
};
