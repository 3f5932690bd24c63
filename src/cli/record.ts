/** `sightline record -o FILE`: also keep the raw capture events, for `replay`. */
import { unwritableReason } from '../config/output-place.ts';
import type { Command } from './command.ts';
import { refuseNoCommand, refusePositionals, usageError } from './command-line.ts';
import { asExecFailure, runObserved } from './observed-command.ts';
import { observeHost } from './observed-host.ts';

export const record: Command = {
  name: 'record',
  summary: 'write what is captured to a file, credentials masked',
  usage: ['record -o FILE [--config FILE]', 'record -o FILE [--config FILE] -- CMD [ARG…]'],
  description: [
    'Does what run does, or with a command what exec does, and writes the raw capture events to FILE as well: everything that replay needs to come to the same traces. Credentials are masked; prompts and answers are in it, so the file is readable by its owner alone (mode 0600).',
    'A line that starts with "sightline ready" goes to stderr once every probe is in place.',
  ],
  options: [{ name: 'output', short: 'o', value: 'FILE', doc: 'The recording to write.' }],
  examples: [
    { command: 'sudo sightline record -o host.slrec', what: 'the whole host, until Ctrl-C' },
    { command: 'sudo sightline record -o agent.slrec -- python agent.py', what: 'one command' },
  ],
  isConfigured: true,
  async run(context) {
    refusePositionals(record, context.line);
    const recordTo = context.line.values.output;
    if (recordTo === undefined) {
      throw usageError(record, 'the file to write is missing: record -o FILE');
    }
    refuseUnwritable(recordTo);
    const command = context.line.rest;
    if (command === undefined) {
      return await observeHost(context, { recordTo });
    }
    refuseNoCommand(record, command);
    try {
      return await runObserved(context, { command, recordTo, announce: true });
    } catch (error) {
      throw asExecFailure(error);
    }
  },
};

function refuseUnwritable(path: string): void {
  const reason = unwritableReason(path);
  if (reason !== undefined) {
    throw usageError(record, `the recording is to be ${path}, but ${reason}`);
  }
}
