/** `sightline discover`: which processes could be observed, with what, and why not the others. */
import { ExitCode } from '../util/errors.ts';
import type { Command } from './command.ts';
import { refusePositionals, refuseRest } from './command-line.ts';

/** Columns of a table that goes to a file or a pipe. */
const DEFAULT_COLUMNS = 110;

export const discover: Command = {
  name: 'discover',
  summary: 'list what could be observed of each process, and why not the rest',
  usage: ['discover [--json] [--config FILE]'],
  description: [
    'Examines every running process as run would: which agent or program it is, the TLS stacks in the files it runs from with their versions, how their functions were located, and how many of the probes the kernel emulates (the others it single-steps, at ten times the cost). It attaches nothing.',
    'SIGHTLINE_TARGET_ and SIGHTLINE_EXCLUDE_ variables count as for run: what they leave out is listed with the variable. Without root, other users’ processes are listed as unreadable; the exit code is 0 all the same.',
    'The JSON has every process, file and function, with the instruction that is probed and why that one: docs/discover.md.',
  ],
  options: [{ name: 'json', doc: 'Write everything as one JSON object.' }],
  examples: [
    { command: 'sudo sightline discover', what: 'read it' },
    {
      command: `sudo sightline discover --json | jq '.processes[] | select(.agent)'`,
      what: 'the agents alone',
    },
    {
      command: 'sudo SIGHTLINE_TARGET_COMM=claude sightline discover',
      what: 'try out what a variable selects',
    },
  ],
  isConfigured: true,
  async run(context) {
    refusePositionals(discover, context.line);
    refuseRest(discover, context.line);
    const { config, output, line } = context;
    const { examineHost } = await import('./discover-host.ts');
    const processes = examineHost(config);
    if (line.flags.has('json')) {
      const { discoveryJson } = await import('./discovery-json.ts');
      output.stdout(`${JSON.stringify(discoveryJson(processes), null, 2)}\n`);
    } else {
      const { discoveryTable } = await import('./discovery-table.ts');
      const columns = process.stdout.columns ?? DEFAULT_COLUMNS;
      output.stdout(`${discoveryTable(processes, columns).join('\n')}\n`);
    }
    const unreadable = processes.filter(({ state }) => state === 'unreadable').length;
    if (unreadable > 0 && process.geteuid?.() !== 0) {
      output.stderr(
        `sightline could not look into ${unreadable} of ${processes.length} processes: sudo sightline discover can\n`,
      );
    }
    return ExitCode.ok;
  },
};
