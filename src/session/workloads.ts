/**
 * Which workload a process belongs to: the highest of its ancestors (or itself) that is an agent, else itself.
 *
 * A process is an agent when its program is known as one, or when it took a turn: it made a call that declares
 * tools or got tool calls in an answer. The way down from an agent stays the agent's, whatever runs there.
 */
import type { Process } from '../process/process.ts';
import type { Workload } from './story.ts';

/** Ancestors looked at; real chains are some dozen long. */
const MAX_ANCESTORS = 1_024;

export interface Workloads {
  of(process: Process): Workload;
  /** The process took a turn. */
  markAgent(process: Process): void;
  /** The highest agent among the process and its ancestors. */
  rootOf(process: Process): Process | undefined;
  /** The nearest agent of a known program among the process and its ancestors, up to a tool call's process. */
  knownAgentOf(process: Process): Process | undefined;
}

export interface WorkloadsOptions {
  workloadName(process: Process): string;
  isKnownAgent(process: Process): boolean;
  /** The process is a tool call's command: whatever runs from there on is no part of the agent that called it. */
  isToolCommand(process: Process): boolean;
}

export function createWorkloads(options: WorkloadsOptions): Workloads {
  const agents = new WeakSet<Process>();
  const workloads = new WeakMap<Process, Workload>();

  function rootOf(process: Process): Process | undefined {
    let root: Process | undefined;
    for (const each of lineage(process)) {
      if (agents.has(each) || options.isKnownAgent(each)) {
        root = each;
      }
    }
    return root;
  }

  return {
    rootOf,
    of(process) {
      const agent = rootOf(process);
      const root = agent ?? process;
      const name = options.workloadName(root);
      const known = workloads.get(root);
      if (known?.name === name && known.isAgent === (agent !== undefined)) {
        return known;
      }
      const workload = { root, name, isAgent: agent !== undefined };
      workloads.set(root, workload);
      return workload;
    },
    markAgent(process) {
      agents.add(process);
    },
    knownAgentOf(process) {
      for (const each of lineage(process)) {
        if (options.isKnownAgent(each)) {
          return each;
        }
        if (options.isToolCommand(each)) {
          break;
        }
      }
      return undefined;
    },
  };
}

/** The process, its parent, grandparent, …. */
export function* lineage(process: Process): Iterable<Process> {
  let current: Process | undefined = process;
  for (let depth = 0; current !== undefined && depth < MAX_ANCESTORS; depth += 1) {
    yield current;
    current = current.parent;
  }
}
