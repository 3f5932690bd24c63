/** What the commands need of the composition root; it is loaded only once a command has work to do. */
import type { Config } from '../config/schema.ts';
import type { Log } from '../self/log.ts';
import type { FileOwner } from './invoking-user.ts';

/** Stages that `--print` can look into. */
export const PRINT_STAGES = ['events', 'streams', 'exchanges', 'calls', 'turns', 'spans'] as const;
export type PrintStage = (typeof PRINT_STAGES)[number];

/** Gets everything that passes the stage asked for. */
type PrintSink = (stage: PrintStage, value: unknown) => void;

export interface PrintOptions {
  stage: PrintStage;
  sink: PrintSink;
}

/** Where the tree of finished traces and notices about endpoints are written. */
export interface Terminal {
  write(text: string): void;
  /** Width in columns, asked at each write; absent: no limit. */
  columns?: () => number | undefined;
  isColoured?: boolean;
}

export interface AgentSummary {
  /** What is observed, one line each: attached libraries and executables with their stack. */
  watches: readonly string[];
  /** Running agents and other programs that can be observed, one line each. */
  found: readonly string[];
  /** Exchanges and model calls seen until now. */
  exchanges: number;
  calls: number;
}

export interface Agent {
  /** Resolves when every probe is in place. Throws a SightlineError when capture is impossible. */
  start(): Promise<void>;
  /** A command that is about to be started: attaches to what it is known to run, before this returns. */
  expect(command: readonly string[], env: NodeJS.ProcessEnv): void;
  /** `tree` mode: observe this process and its descendants from now on. */
  watch(pid: number): void;
  /** Detaches and exports everything that is still held. */
  stop(): Promise<void>;
  summary(): AgentSummary;
}

export interface LiveAgentOptions {
  /** `host`: every process. `tree`: only watched ones and their descendants. */
  mode: 'host' | 'tree';
  /** Also record to this file. */
  recordTo?: string;
  /** Who gets the recording and the OTLP JSON lines file: under sudo the invoking user. */
  fileOwner?: FileOwner;
  print?: PrintOptions;
  log: Log;
  terminal: Terminal;
}

export interface ReplayOptions {
  paths: readonly string[];
  fileOwner?: FileOwner;
  print?: PrintOptions;
  log: Log;
  terminal: Terminal;
}

export interface ReplayResult {
  /** Recordings that end in the middle. */
  truncated: readonly string[];
}

export interface AgentModule {
  /** Throws a SightlineError for a configuration that cannot be used. */
  createLiveAgent(config: Config, options: LiveAgentOptions): Promise<Agent>;
  replay(config: Config, options: ReplayOptions): Promise<ReplayResult>;
}

/** Loads the agent with all its libraries: done late, so that `--help` and usage errors answer at once. */
export async function loadAgent(): Promise<AgentModule> {
  return await import('../agent.ts');
}
