#!/usr/bin/env node
/** The `sightline` command: finds the command asked for, reads the configuration, and ends with its exit code. */
import { readFileSync } from 'node:fs';
import { loadConfig, unknownVariables } from '../config/load.ts';
import { createLog, type Log } from '../self/log.ts';
import { ExitCode, SightlineError } from '../util/errors.ts';
import type { Command } from './command.ts';
import { parseCommandLine } from './command-line.ts';
import { COMMANDS, DEFAULT_COMMAND } from './commands.ts';
import { commandHelp, programHelp } from './help.ts';
import { internalErrorLine } from './internal-error.ts';
import { createOutput } from './output.ts';

/** By this name, in its process table entry, another Sightline on the host recognises and leaves it out. */
const PROCESS_TITLE = 'sightline';

async function main(words: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const output = createOutput((error) => {
    endWith(
      new SightlineError(
        'SL_STDOUT',
        `stdout cannot be written (${error.message}): make room, or send it elsewhere`,
      ),
    );
  });
  const [first] = words;
  if (first === '--help' || first === '-h') {
    output.stdout(programHelp(COMMANDS));
    return ExitCode.ok;
  }
  const { command, rest } = chooseCommand(words);
  const line = parseCommandLine(command, rest);
  if (line.flags.has('help')) {
    output.stdout(commandHelp(command));
    return ExitCode.ok;
  }
  if (line.flags.has('version')) {
    output.stdout(`sightline ${ownVersion()}\n`);
    return ExitCode.ok;
  }
  const configFile = line.values.config;
  const config = loadConfig(env, configFile === undefined ? {} : { configFile });
  const log = createLog({
    level: config.otel.logLevel,
    format: config.log.format,
    write: output.stderr,
  });
  currentLog = log;
  for (const warning of unknownVariables(env)) {
    log.warn(warning);
  }
  process.title = PROCESS_TITLE;
  return await command.run({ line, config, log, env, output });
}

/** The log, once there is one: an unexpected error's stack goes there and nowhere else. */
let currentLog: Log | undefined;

/** `sightline --print calls` is `sightline run --print calls`. */
function chooseCommand(words: readonly string[]): { command: Command; rest: readonly string[] } {
  const [first] = words;
  if (first === undefined || first.startsWith('-')) {
    return { command: DEFAULT_COMMAND, rest: words };
  }
  const command = COMMANDS.find(({ name }) => name === first);
  if (command === undefined) {
    const names = COMMANDS.map(({ name }) => name).join(', ');
    throw new SightlineError(
      'SL_USAGE',
      `there is no command "${first}": the commands are ${names}; see "sightline --help"`,
      { exitCode: ExitCode.usage },
    );
  }
  return { command, rest: words.slice(1) };
}

function ownVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** One line to stderr, and the error's exit code. Ends the process: what is half done is not waited for. */
function endWith(error: unknown): never {
  const isOurs = error instanceof SightlineError;
  const message = isOurs ? error.message : internalErrorLine(error);
  process.stderr.write(`sightline: ${message.replace(/\s*\n\s*/g, ' ')}\n`);
  currentLog?.trouble('ended by an error', error);
  process.exit(isOurs ? error.exitCode : ExitCode.failed);
}

/** A pipe takes 64 KiB at once, and what it has not taken would be lost with the process. */
function stdoutTaken(): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.write('', () => resolve());
  });
}

process.on('uncaughtException', endWith);
process.on('unhandledRejection', endWith);

try {
  const code = await main(process.argv.slice(2), process.env);
  await stdoutTaken();
  // Left-over timers and sockets of exporters must not keep a finished command alive.
  process.exit(code);
} catch (error) {
  endWith(error);
}
