/** `sightline run`: observe the whole host until stopped. */
import type { Command } from './command.ts';
import { refusePositionals, refuseRest } from './command-line.ts';
import { observeHost } from './observed-host.ts';
import { PRINT_OPTION, printOptions } from './print.ts';

export const run: Command = {
  name: 'run',
  summary: 'observe the whole host until stopped',
  usage: ['[run] [--config FILE] [--print STAGE]'],
  description: [
    'Observes every process of this host and exports what AI agents do. Ctrl-C or SIGTERM stops it after all is exported; a second one ends it at once.',
    'A line that starts with "sightline ready" goes to stderr once every probe is in place. Needs root, or CAP_BPF and CAP_PERFMON.',
  ],
  options: [PRINT_OPTION],
  examples: [
    { command: 'sudo sightline', what: 'print finished traces, or export them where OTLP answers' },
    {
      command: 'sudo OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 sightline run',
      what: 'export to this receiver',
    },
    { command: 'sudo sightline run --config /etc/sightline.yaml', what: 'settings from a file' },
    { command: 'sudo sightline run --print exchanges', what: 'every HTTP exchange as JSON lines' },
  ],
  isConfigured: true,
  async run(context) {
    refusePositionals(run, context.line);
    refuseRest(run, context.line);
    const print = printOptions(run, context);
    return await observeHost(context, print === undefined ? {} : { print });
  },
};
