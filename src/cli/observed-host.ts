/** Observes the whole host until stopped: what `run` and `record` have in common. */
import { type Config, schema } from '../config/schema.ts';
import { type AgentSummary, loadAgent, type PrintOptions } from './agent-surface.ts';
import { requireCapturePrivilege } from './capture-privilege.ts';
import type { CommandContext, Output } from './command.ts';
import { invokingOwner } from './invoking-user.ts';
import { notifyReady } from './service-manager.ts';
import { listenForStop } from './stop-signal.ts';
import { createTerminal } from './terminal.ts';

export interface ObservedHostOptions {
  recordTo?: string;
  print?: PrintOptions;
}

/** How long it may stay silent before it says what to try. */
const SILENCE_MS = 20_000;
/** Lines of a list before the rest becomes a number. */
const MAX_LINES = 8;

/** Resolves to the exit code after SIGINT, SIGTERM or the end of stdout's reader, everything flushed. */
export async function observeHost(
  context: CommandContext,
  options: ObservedHostOptions,
): Promise<number> {
  const { config, log, output, env } = context;
  requireCapturePrivilege();
  const stop = listenForStop(() => {
    output.stderr(
      'sightline is stopping and exports what it has; a second signal ends it at once\n',
    );
  });
  // Lines for a program go to stdout alone; trees for people then go to stderr.
  const isStdoutTaken = options.print !== undefined;
  const terminal = isStdoutTaken
    ? createTerminal(output.stderr, process.stderr)
    : createTerminal(output.stdout, process.stdout);
  // Under sudo what is written belongs to the user who called sudo: reading it needs no privilege.
  const owner = invokingOwner(env, process.geteuid?.() ?? -1);
  const { createLiveAgent } = await loadAgent();
  const agent = await createLiveAgent(config, {
    mode: 'host',
    log,
    terminal,
    ...(owner === undefined ? {} : { fileOwner: owner }),
    ...(options.recordTo === undefined ? {} : { recordTo: options.recordTo }),
    ...(options.print === undefined ? {} : { print: options.print }),
  });
  await agent.start();
  try {
    if (!stop.isRequested) {
      announce(output, agent.summary(), config);
      notifyReady(env, log);
      await untilStopped(context, stop.requested, () => agent.summary());
    }
  } finally {
    await agent.stop();
    stop.release();
  }
  return 0;
}

async function untilStopped(
  context: CommandContext,
  requested: Promise<unknown>,
  summary: () => AgentSummary,
): Promise<void> {
  const reminder = setTimeout(() => {
    for (const line of adviceLines(summary())) {
      context.output.stderr(`${line}\n`);
    }
  }, SILENCE_MS);
  try {
    await Promise.race([requested, context.output.stdoutClosed]);
  } finally {
    clearTimeout(reminder);
  }
}

function announce(output: Output, summary: AgentSummary, config: Config): void {
  const targets = settingLines('only', schema.target, config.target);
  const whom = targets.length > 0 ? 'targets on this host' : 'this host';
  const lines = [
    `sightline ready: observing ${whom} (${config.capture.kinds.join(', ')}), ${summary.watches.length} TLS libraries and executables attached`,
    ...targets,
    ...settingLines('without', schema.exclude, config.exclude),
    ...listLines('watching', summary.watches),
    ...listLines('found', summary.found),
  ];
  if (summary.watches.length === 0) {
    lines.push('  nothing to attach to was found yet; a program with TLS that starts now will be');
  }
  lines.push('  nothing seen yet: start an agent, or see "npm run demo"; Ctrl-C stops');
  output.stderr(`${lines.join('\n')}\n`);
}

/** The variables that select processes, as they are set. */
function settingLines(
  word: string,
  keys: typeof schema.target,
  values: Config['target'],
): string[] {
  const names = Object.keys(keys) as (keyof typeof keys)[];
  return names
    .filter((name) => values[name].length > 0)
    .map((name) => `  ${word} ${keys[name].env}=${values[name].join(',')}`);
}

function listLines(title: string, items: readonly string[]): string[] {
  const shown = items.slice(0, MAX_LINES).map((item) => `  ${title} ${item}`);
  const more = items.length - shown.length;
  return more > 0 ? [...shown, `  ${title} ${more} more`] : shown;
}

/** What to try when no model call was seen for a while; nothing when one was. */
export function adviceLines(summary: AgentSummary): string[] {
  if (summary.calls > 0) {
    return [];
  }
  if (summary.exchanges > 0) {
    return [
      `sightline saw ${summary.exchanges} HTTP exchanges but no model call yet: "--print exchanges" shows them`,
    ];
  }
  return [
    'sightline has seen no HTTP exchange yet. If an agent is at work:',
    '  - "sightline check" says whether capture works here, and how to mend it',
    '  - this version sees programs that use OpenSSL, BoringSSL, GnuTLS, NSS, Go or rustls for TLS, and plain HTTP',
    '  - "sightline exec --print exchanges -- curl -s https://example.com/" shows one exchange from start to end',
  ];
}
