/** `sightline record -o FILE`: also keep the raw capture events, for `replay`. */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from './command.ts';
import { refusePositionals, usageError } from './command-line.ts';
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
    if (command.length === 0) {
      throw usageError(record, 'the command after -- is missing');
    }
    try {
      return await runObserved(context, { command, recordTo, announce: true });
    } catch (error) {
      throw asExecFailure(error);
    }
  },
};

function refuseUnwritable(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
    throw usageError(record, `${path} is a directory: name a file in it`);
  }
  if (statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw usageError(record, `the directory ${dirname(path)} does not exist: create it first`);
  }
}
