/** `sightline check`: can capture and export work here, and how to mend what does not. */
import { ExitCode } from '../util/errors.ts';
import { checkLines } from './check-result.ts';
import type { Command } from './command.ts';
import { refusePositionals, refuseRest } from './command-line.ts';

export const check: Command = {
  name: 'check',
  summary: 'say whether capture and export work here, and how to mend what does not',
  usage: ['check [--json] [--config FILE]'],
  description: [
    'Looks at the kernel, BTF, uprobes, capabilities, the addon and its BPF programs, TLS libraries and the OTLP endpoints: a line for each, with how to mend it. A "note" is worth knowing but fails nothing.',
    'The exit code is 1 when capture cannot work, or an endpoint that was set does not take what is sent. Run it with sudo, as run needs it.',
  ],
  options: [{ name: 'json', doc: 'Write the results as one JSON object.' }],
  examples: [
    { command: 'sudo sightline check', what: 'read it' },
    { command: 'sudo sightline check --json', what: 'let a script read it' },
  ],
  isConfigured: true,
  async run(context) {
    refusePositionals(check, context.line);
    refuseRest(check, context.line);
    const { checkBtf, checkCapabilities, checkKernel, checkUprobes } = await import(
      './check-host.ts'
    );
    const { checkCapture } = await import('./check-capture.ts');
    const { checkEndpoints } = await import('./check-endpoints.ts');
    const host = [checkKernel(), checkBtf(), checkUprobes(), ...checkCapabilities()];
    const results = [
      ...host,
      ...checkCapture(host.filter(({ status }) => status === 'fail').map(({ name }) => name)),
      ...(await checkEndpoints(context.config)),
    ];
    const isOk = results.every(({ status }) => status !== 'fail');
    const text = context.line.flags.has('json')
      ? JSON.stringify({ ok: isOk, checks: results }, null, 2)
      : checkLines(results).join('\n');
    context.output.stdout(`${text}\n`);
    return isOk ? ExitCode.ok : ExitCode.failed;
  },
};
