/**
 * Starts a command that waits before its first instruction: a stub has its pid, waits on descriptor 3 for a line
 * and then becomes the command by exec. So observation of that pid is in place before the command runs.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { ExitCode, SightlineError } from '../util/errors.ts';
import { signalExitCode } from './stop-signal.ts';

export interface HeldProcess {
  readonly pid: number;
  /** Lets the stub become the command. */
  release(): void;
  /** Ends the stub, which has not become the command. */
  abandon(): void;
  kill(signal: NodeJS.Signals): void;
  /** Resolves with the exit code, 128 + N for signal N. */
  readonly ended: Promise<number>;
}

export interface HeldProcessOptions {
  command: readonly string[];
  env: NodeJS.ProcessEnv;
  /** Words in front of the stub, such as `setpriv …`. */
  prefix: readonly string[];
}

/**
 * Without a line on descriptor 3 (Sightline died) it ends without starting anything. The descriptor is closed
 * before exec: the command inherits nothing of ours.
 */
const SHELL_STUB = [
  'echo >&3;',
  'read -r SIGHTLINE_EXEC_LINE <&3 || exit 125;',
  'exec 3>&-;',
  'unset SIGHTLINE_EXEC_LINE;',
  'exec "$@"',
].join(' ');

/** Variables that a shell sets for itself, whatever it was given. */
const SHELL_VARIABLES = new Set(['IFS', 'LINENO', 'OPTIND', 'PPID']);

const PERL = '/usr/bin/perl';

/** The same in Perl; 2 is ENOENT. Its first argument says whether PERL_BADLANG, which keeps Perl quiet, is ours. */
const PERL_STUB = [
  'delete $ENV{PERL_BADLANG} if shift @ARGV;',
  'open(my $fd, "+<&=", 3) or exit 125;',
  'syswrite($fd, "\\n");',
  'sysread($fd, my $go, 1) or exit 125;',
  'close $fd;',
  'exec { $ARGV[0] } @ARGV;',
  'print STDERR "sightline: $ARGV[0] cannot be executed: $!\\n";',
  'exit($! == 2 ? 127 : 126);',
].join(' ');

/** Resolves when the stub waits. Throws a SightlineError (SL_EXEC_STUB, exit code 125) when it does not get there. */
export async function startHeld(options: HeldProcessOptions): Promise<HeldProcess> {
  const { words, env } = stubOf(options);
  const [program, ...args] = words;
  const child = spawn(program ?? '', args, {
    env,
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
  });
  const pipe = child.stdio[3] as Duplex;
  // The stub may be gone already when the line is written; its exit code then says so.
  pipe.on('error', () => {});
  const ended = endOf(child);
  await waitingStub(child, pipe, program ?? '');
  return {
    pid: child.pid ?? 0,
    release: () => {
      pipe.end('\n');
      pipe.resume();
    },
    abandon: () => {
      pipe.destroy();
    },
    kill: (signal) => {
      child.kill(signal);
    },
    ended,
  };
}

/**
 * A POSIX shell is everywhere, but dash drops variables whose names are no shell names (`npm_config_//host:x`).
 * The command must get its environment whole, so then Perl is the stub (essential on Debian and Ubuntu). It is not
 * always, because PERL5OPT and its like are for the user's own Perl programs.
 */
function stubOf(options: HeldProcessOptions): { words: string[]; env: NodeJS.ProcessEnv } {
  const { command, env, prefix } = options;
  if (Object.keys(env).every(passesThroughShell) || !existsSync(PERL)) {
    return { words: [...prefix, '/bin/sh', '-c', SHELL_STUB, 'sightline', ...command], env };
  }
  const isOurs = env.PERL_BADLANG === undefined;
  return {
    words: [...prefix, PERL, '-e', PERL_STUB, isOurs ? '1' : '0', ...command],
    env: isOurs ? { ...env, PERL_BADLANG: '0' } : env,
  };
}

function passesThroughShell(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !SHELL_VARIABLES.has(name);
}

function endOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      resolve(signal === null ? (code ?? ExitCode.failed) : signalExitCode(signal));
    });
  });
}

function waitingStub(child: ChildProcess, pipe: Duplex, program: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown): void => {
      reject(
        new SightlineError('SL_EXEC_STUB', `the command could not be prepared: ${why}`, {
          exitCode: ExitCode.execFailed,
          cause,
        }),
      );
    };
    pipe.once('data', () => {
      pipe.pause();
      resolve();
    });
    child.once('error', (error) => fail(`${program} does not start (${error.message})`, error));
    child.once('exit', (code) => fail(`${program} ended with exit code ${code}`));
  });
}
