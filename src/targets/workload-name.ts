/** What an observed workload is called: its `service.name`. */
import { posix } from 'node:path';
import { interpreterOf, scriptOf } from '../capture/script-argument.ts';
import { KNOWN_AGENTS, type KnownAgent } from './known-agents.ts';

/** The part of a process that decides; what the process room keeps has it. */
export interface WorkloadSubject {
  executable: string;
  argv: readonly string[];
  comm?: string | undefined;
  /** Its own OTEL_SERVICE_NAME. */
  serviceName?: string | undefined;
  packageName?: string | undefined;
}

/**
 * In this order: the name it gives itself, the agent it is known to be, its script's package, its script, its
 * executable. Never empty.
 */
export function workloadName(subject: WorkloadSubject): string {
  if (subject.serviceName) {
    return subject.serviceName;
  }
  const agent = knownAgent(subject);
  if (agent) {
    return agent;
  }
  if (subject.packageName) {
    return subject.packageName;
  }
  return scriptName(subject) ?? executableName(subject);
}

/** The name of the AI agent that this process is known to be. */
export function knownAgent(subject: WorkloadSubject): string | undefined {
  const script = scriptOf(subject.executable, subject.argv)?.name;
  // An interpreter's own path says nothing: a Node inside an agent's folder runs other scripts, too.
  const executable = interpreterOf(subject.executable) ? undefined : subject.executable;
  return KNOWN_AGENTS.find((agent) => isAgent(agent, subject.packageName, executable, script))
    ?.name;
}

function isAgent(
  agent: KnownAgent,
  packageName: string | undefined,
  executable: string | undefined,
  script: string | undefined,
): boolean {
  return (
    (packageName !== undefined && agent.packages?.includes(packageName) === true) ||
    (executable !== undefined &&
      agent.executables?.some((pattern) => pattern.test(executable)) === true) ||
    (script !== undefined && agent.scripts?.some((pattern) => pattern.test(script)) === true)
  );
}

/** Base name without its extension; a module's top-level name. */
function scriptName(subject: WorkloadSubject): string | undefined {
  const script = scriptOf(subject.executable, subject.argv);
  if (!script) {
    return undefined;
  }
  if (script.kind === 'module') {
    return script.name.split('.')[0] || undefined;
  }
  const base = posix.basename(script.name).replace(/\.(?:[cm]?[jt]sx?|py[cw]?|rb|pl|php|sh)$/, '');
  return base || undefined;
}

function executableName(subject: WorkloadSubject): string {
  return (
    posix.basename(subject.executable) ||
    posix.basename(subject.argv[0] ?? '') ||
    subject.comm ||
    'unknown'
  );
}
