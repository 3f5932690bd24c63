/** All commands, in the order in which help lists them. */
import { check } from './check.ts';
import type { Command } from './command.ts';
import { discover } from './discover.ts';
import { exec } from './exec.ts';
import { record } from './record.ts';
import { replay } from './replay.ts';
import { run } from './run.ts';

export const COMMANDS: readonly Command[] = [run, exec, record, replay, discover, check];

/** The one that is meant when none is named. */
export const DEFAULT_COMMAND: Command = run;
