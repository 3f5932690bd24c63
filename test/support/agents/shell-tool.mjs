/** The one tool the agents here have: a shell command, run as a child process. */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';

/** Longest output that is given back to the model. */
const MAX_OUTPUT_CHARACTERS = 20_000;

export const SHELL_TOOL = {
  name: 'shell',
  description: 'Run a command in a shell and get its output and exit code.',
  schema: {
    type: 'object',
    properties: { command: { type: 'string', description: 'The command line.' } },
    required: ['command'],
  },
};

/** `--url` of the server without a path, `--prompt`, `--model`, `--stream`, `--prompt` again for further turns. */
export function readAgentOptions(defaultModel) {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      prompt: { type: 'string', multiple: true },
      model: { type: 'string', default: defaultModel },
      stream: { type: 'boolean', default: false },
    },
  });
  if (values.url === undefined || values.prompt === undefined) {
    throw new Error('--url and --prompt are needed');
  }
  return { ...values, prompts: values.prompt };
}

/** Runs a command to its end. Its pid and exit code go into the agent's summary. */
export async function runShell(command) {
  const child = spawn('/bin/sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] });
  const out = [];
  child.stdout.on('data', (bytes) => out.push(bytes));
  child.stderr.on('data', (bytes) => out.push(bytes));
  const exitCode = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  const output = Buffer.concat(out).toString('utf8').slice(0, MAX_OUTPUT_CHARACTERS);
  return { command, pid: child.pid, exitCode, output };
}

/** What the model gets to read. */
export function resultText({ exitCode, output }) {
  return exitCode === 0 ? output : `${output}exit code ${exitCode}`;
}

/** The last line an agent prints. */
export function printSummary(turns) {
  process.stdout.write(`${JSON.stringify({ pid: process.pid, turns })}\n`);
}
