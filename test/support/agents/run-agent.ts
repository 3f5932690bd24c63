/** Starts one of the agents of this folder and reads the summary it prints. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const NODE_AGENTS = ['openai-agent', 'anthropic-agent'] as const;
/** These need the environment that `scripts/real/python-sdks.sh` makes. */
export const PYTHON_AGENTS = ['openai_agent', 'anthropic_agent'] as const;

export type AgentProgram = (typeof NODE_AGENTS)[number] | (typeof PYTHON_AGENTS)[number];

export interface AgentOptions {
  program: AgentProgram;
  url: string;
  caPath: string;
  /** One a turn; the commands the model shall run stand in backquotes, or in a scenario marker. */
  prompts: readonly string[];
  stream?: boolean;
  prefix?: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** Needed for the Python agents. */
  pythonPath?: string;
}

export interface AgentTool {
  id: string;
  command: string;
  pid: number;
  exitCode: number | string;
  output: string;
}

export interface AgentSummary {
  pid: number;
  turns: {
    prompt: string;
    /** Response ids of the model calls, in order. */
    calls: string[];
    tools: AgentTool[];
    answer: string;
  }[];
}

export interface AgentRun {
  pid: number;
  exitCode: number | null;
  stdout: string;
  stderr: string;
  /** Undefined when the agent did not come to its end. */
  summary: AgentSummary | undefined;
}

const HERE = fileURLToPath(new URL('.', import.meta.url));

/** The command without its prefix. */
export function agentCommand(options: AgentOptions): string[] {
  const isPython = options.program.endsWith('_agent');
  const out = isPython
    ? [options.pythonPath ?? '/usr/bin/python3', `${HERE}python/${options.program}.py`]
    : [process.execPath, `${HERE}${options.program}.mjs`];
  out.push('--url', options.url);
  if (isPython) {
    out.push('--ca', options.caPath);
  }
  for (const prompt of options.prompts) {
    out.push('--prompt', prompt);
  }
  if (options.stream === true) {
    out.push('--stream');
  }
  return out;
}

export async function runAgent(options: AgentOptions): Promise<AgentRun> {
  const [program = '', ...args] = [...(options.prefix ?? []), ...agentCommand(options)];
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      // The tests' own loader must not be part of the agent.
      NODE_OPTIONS: undefined,
      NODE_EXTRA_CA_CERTS: options.caPath,
      PYTHONDONTWRITEBYTECODE: '1',
      ...options.env,
    },
  });
  const out: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on('data', (bytes: Buffer) => out.push(bytes));
  child.stderr.on('data', (bytes: Buffer) => errors.push(bytes));
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const stdout = Buffer.concat(out).toString('utf8');
  const line = stdout.split('\n').find((candidate) => candidate.startsWith('{"pid":'));
  return {
    pid: child.pid ?? 0,
    exitCode,
    stdout,
    stderr: Buffer.concat(errors).toString('utf8'),
    summary: line === undefined ? undefined : (JSON.parse(line) as AgentSummary),
  };
}
