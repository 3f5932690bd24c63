/** `sightline replay FILE…`: feed recordings through the same analyzers. */
import { ExitCode } from '../util/errors.ts';
import { loadAgent } from './agent-surface.ts';
import type { Command } from './command.ts';
import { refuseRest, usageError } from './command-line.ts';
import { invokingOwner } from './invoking-user.ts';
import { PRINT_OPTION, printOptions } from './print.ts';
import { createTerminal } from './terminal.ts';

export const replay: Command = {
  name: 'replay',
  summary: 'feed recordings through the same analyzers',
  usage: ['replay [--config FILE] [--print STAGE] FILE…'],
  description: [
    'Analyses recordings as if they happened now, and exports the same traces and logs as the live run did. Needs no privilege.',
    'A recording that ends in the middle is analysed as far as it goes and named on stderr; the exit code is 1 then.',
  ],
  options: [PRINT_OPTION],
  examples: [
    { command: 'sightline replay agent.slrec', what: 'the trace as a tree' },
    {
      command: 'SIGHTLINE_FILE=trace.jsonl sightline replay agent.slrec',
      what: 'the trace as OTLP JSON lines',
    },
    { command: 'sightline replay --print exchanges agent.slrec', what: 'its HTTP exchanges' },
  ],
  isConfigured: true,
  async run(context) {
    const { config, log, line, env, output } = context;
    refuseRest(replay, line);
    if (line.positionals.length === 0) {
      throw usageError(replay, 'the recording is missing: replay FILE');
    }
    const print = printOptions(replay, context);
    const terminal =
      print === undefined
        ? createTerminal(output.stdout, process.stdout)
        : createTerminal(output.stderr, process.stderr);
    const fileOwner = invokingOwner(env, process.geteuid?.() ?? -1);
    const agent = await loadAgent();
    const result = await agent.replay(config, {
      paths: line.positionals,
      log,
      terminal,
      ...(fileOwner === undefined ? {} : { fileOwner }),
      ...(print === undefined ? {} : { print }),
    });
    for (const path of result.truncated) {
      output.stderr(
        `sightline: ${path} ends in the middle: it was analysed as far as it goes; record it again for the rest\n`,
      );
    }
    return result.truncated.length > 0 ? ExitCode.failed : ExitCode.ok;
  },
};
