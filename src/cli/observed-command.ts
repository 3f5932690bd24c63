/** Runs a command under observation from its first instruction: what `exec` and `record -- CMD` have in common. */
import { ExitCode, messageOf, SightlineError } from '../util/errors.ts';
import { type Agent, loadAgent, type PrintOptions } from './agent-surface.ts';
import { requireCapturePrivilege } from './capture-privilege.ts';
import type { CommandContext } from './command.ts';
import { requireExecutable } from './executable-search.ts';
import { type HeldProcess, startHeld } from './held-process.ts';
import { keepGoingOnBugs } from './internal-error.ts';
import { becomeUser, environmentOf, invokingUser } from './invoking-user.ts';
import { notifyReady } from './service-manager.ts';
import { createTerminal } from './terminal.ts';

export interface ObservedCommandOptions {
  command: readonly string[];
  recordTo?: string;
  print?: PrintOptions;
  /** Say so on stderr when every probe is in place. */
  announce: boolean;
}

/** Signals that are passed on. Those of the terminal reach the command by themselves. */
const FORWARDED: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'];
const FROM_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];

/** Resolves to the command's exit code, after everything about it was exported. */
export async function runObserved(
  context: CommandContext,
  options: ObservedCommandOptions,
): Promise<number> {
  const { config, log, env, output } = context;
  requireCapturePrivilege();
  const user = invokingUser(env, process.geteuid?.() ?? -1);
  const commandEnv = user === undefined ? env : environmentOf(user, env);
  requireExecutable(options.command[0] ?? '', commandEnv, user !== undefined);

  const { createLiveAgent } = await loadAgent();
  const agent = await createLiveAgent(config, {
    mode: 'tree',
    log,
    terminal: createTerminal(output.stderr, process.stderr),
    ...(options.recordTo === undefined ? {} : { recordTo: options.recordTo }),
    ...(user === undefined ? {} : { fileOwner: user }),
    ...(options.print === undefined ? {} : { print: options.print }),
  });
  await agent.start();
  agent.expect(options.command, commandEnv);
  const child = await holdCommand(agent, {
    command: options.command,
    env: commandEnv,
    prefix: user === undefined ? [] : becomeUser(user),
  });
  if (options.announce) {
    output.stderr(`sightline ready: observing ${options.command[0]} (pid ${child.pid})\n`);
    notifyReady(env, log);
  }
  if (process.stderr.isTTY === true) {
    // A command may draw on the whole terminal: what we have to say waits until it has ended.
    output.holdStderr();
  }
  const forwarding = forwardSignals(child);
  const patience = keepGoingOnBugs(log);
  agent.watch(child.pid);
  child.release();
  const code = await child.ended;
  forwarding.release();
  output.releaseStderr();
  const impatience = endOnSignal(code);
  await stopQuietly(agent, log);
  impatience.release();
  patience.release();
  return code;
}

async function holdCommand(
  agent: Agent,
  options: Parameters<typeof startHeld>[0],
): Promise<HeldProcess> {
  try {
    return await startHeld(options);
  } catch (error) {
    await agent.stop();
    throw error;
  }
}

/** The command's exit code is the answer; that telemetry could not be flushed is a warning beside it. */
async function stopQuietly(agent: Agent, log: CommandContext['log']): Promise<void> {
  try {
    await agent.stop();
  } catch (error) {
    log.warn(`what was observed could not be exported completely: ${messageOf(error)}`);
    log.trouble('stopping failed', error);
  }
}

/**
 * A Ctrl-C at the terminal goes to the whole foreground group, the command included: passing it on would double
 * it. Without a terminal nobody else sends it to the command.
 */
function forwardSignals(child: HeldProcess): { release(): void } {
  const hasTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  const forward = (signal: NodeJS.Signals): void => child.kill(signal);
  const leave = (): void => {};
  const listeners = new Map<NodeJS.Signals, (signal: NodeJS.Signals) => void>();
  for (const signal of FORWARDED) {
    listeners.set(signal, forward);
  }
  for (const signal of FROM_TERMINAL) {
    listeners.set(signal, hasTerminal ? leave : forward);
  }
  for (const [signal, listener] of listeners) {
    process.on(signal, listener);
  }
  return {
    release: () => {
      for (const [signal, listener] of listeners) {
        process.off(signal, listener);
      }
    },
  };
}

/** The command is over and only the export is waited for: a signal gives that up. */
function endOnSignal(code: number): { release(): void } {
  const listener = (): never => process.exit(code);
  for (const signal of FROM_TERMINAL.concat(FORWARDED)) {
    process.on(signal, listener);
  }
  return {
    release: () => {
      for (const signal of FROM_TERMINAL.concat(FORWARDED)) {
        process.off(signal, listener);
      }
    },
  };
}

/** Codes that other commands end with and that CMD may have for itself. */
const NOT_OURS_ALONE: readonly number[] = [ExitCode.failed, ExitCode.captureImpossible];

/** Ours that failed: 125, unless the error is wrong usage or has a code of its own. */
export function asExecFailure(error: unknown): unknown {
  if (error instanceof SightlineError && NOT_OURS_ALONE.includes(error.exitCode)) {
    return new SightlineError(error.code, error.message, {
      exitCode: ExitCode.execFailed,
      cause: error,
    });
  }
  return error;
}
