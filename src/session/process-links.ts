/**
 * Finds the place of every process that starts in an agent's tree: below the tool call that made the agent start
 * it, below another process, or under the turn. `docs/how-turns-are-found.md` states the rules.
 */
import type { Process, Program } from '../process/process.ts';
import { Damage } from '../util/damage.ts';
import { comparableArgv, matchedChars } from './command-text.ts';
import type { SessionLimits } from './limits.ts';
import { deriveSpanId, processIdentity } from './span-ids.ts';
import type { Evidence, StorySink } from './story.ts';
import type { ProcessSpan, ToolState, Tree, Turn } from './turn.ts';
import { lineage } from './workloads.ts';

export interface ProcessLinks {
  /** A program started; it is the last one of `process.programs`. */
  executed(process: Process, timeNs: bigint): void;
  exited(process: Process, timeNs: bigint): void;
  /** A tool call became known: processes already running may turn out to be its own. */
  claim(tool: ToolState): void;
  /** The span the process or its nearest ancestor has, while the turn it belongs to is open. */
  openSpanAbove(process: Process): ProcessSpan | undefined;
  /** The open turn or the process's span that what the process does now belongs to. */
  placeOf(process: Process): Turn | ProcessSpan | undefined;
  /** The process runs a tool call's command, by the command's text. */
  isToolCommand(process: Process): boolean;
  /** Hands over what still runs, as unfinished. */
  end(timeNs: bigint): void;
  readonly openProcesses: number;
}

export interface ProcessLinksOptions {
  sink: StorySink;
  limits: SessionLimits;
  bootId(): string;
  /** Open turns in which the process makes the calls or is the agent. */
  turnsOf(process: Process): ReadonlySet<Turn> | undefined;
  /** The agent whose root the process is. */
  treeOf(process: Process): Tree | undefined;
  /** Something of an open turn was seen. */
  touch(turn: Turn, timeNs: bigint): void;
  onLimit(limit: keyof SessionLimits): void;
}

/** Where a process belongs, before it has a span. */
interface Place {
  turn: Turn;
  tool: ToolState | undefined;
  below: ProcessSpan | undefined;
  evidence: Evidence;
}

export function createProcessLinks(options: ProcessLinksOptions): ProcessLinks {
  const { sink, limits } = options;
  // Weak: a span is findable as long as a child can point to its process, and no longer.
  const spans = new WeakMap<Process, ProcessSpan>();
  const open = new Set<ProcessSpan>();

  function executed(process: Process, timeNs: bigint): void {
    const program = process.programs.at(-1);
    if (program === undefined) {
      return;
    }
    const known = spans.get(process);
    if (known !== undefined) {
      claimByNextProgram(known, program);
      return;
    }
    if (options.turnsOf(process) !== undefined) {
      // The agent itself goes on as another program.
      return;
    }
    const place = findPlace(process, program);
    if (place === undefined) {
      return;
    }
    const { turn } = place;
    if (turn.processCount >= limits.maxProcessesPerTurn) {
      turn.damage.add('limit');
      options.onLimit('maxProcessesPerTurn');
      return;
    }
    if (open.size >= limits.maxOpenProcesses) {
      turn.damage.add('limit');
      options.onLimit('maxOpenProcesses');
      return;
    }
    const parent = place.below ?? place.tool ?? turn;
    const span: ProcessSpan = {
      ids: {
        traceId: turn.ids.traceId,
        spanId: deriveSpanId('process', processIdentity(options.bootId(), process.ref)),
        parentSpanId: parent.ids.spanId,
      },
      process,
      workload: turn.workload,
      turn,
      tool: place.tool,
      isTop: place.below === undefined,
      startNs: timeNs,
      evidence: place.evidence,
      exchangeCount: 0,
      exchangesLeftOut: 0,
    };
    spans.set(process, span);
    open.add(span);
    turn.processCount += 1;
    if (span.tool !== undefined) {
      span.tool.running += 1;
      span.tool.linked += span.isTop ? 1 : 0;
      strengthen(span.tool, place.evidence);
    } else if (span.isTop) {
      turn.looseProcesses.add(span);
    }
    options.touch(turn, timeNs);
  }

  function findPlace(process: Process, program: Program): Place | undefined {
    if (process.parent === undefined) {
      return undefined;
    }
    for (const ancestor of lineage(process.parent)) {
      const turns = options.turnsOf(ancestor) ?? options.treeOf(ancestor)?.openTurns;
      const span = spans.get(ancestor);
      if (options.turnsOf(ancestor) === undefined && span !== undefined) {
        return placeBelow(span, program);
      }
      if (turns !== undefined && turns.size > 0) {
        return placeUnder(turns, program);
      }
    }
    return undefined;
  }

  /** A child of a process with a span, unless it is the command of a later tool call (a shell kept running). */
  function placeBelow(span: ProcessSpan, program: Program): Place {
    if (span.tool?.state !== 'outstanding') {
      const turns = options.treeOf(span.workload.root)?.openTurns ?? new Set<Turn>();
      const tool = bestMatch(outstandingTools(turns), program);
      if (tool !== undefined) {
        return { turn: tool.turn, tool, below: undefined, evidence: 'wire+process' };
      }
    }
    return { turn: span.turn, tool: span.tool, below: span, evidence: 'process' };
  }

  function placeUnder(turns: ReadonlySet<Turn>, program: Program): Place | undefined {
    const outstanding = outstandingTools(turns);
    const matched = bestMatch(outstanding, program);
    if (matched !== undefined) {
      return { turn: matched.turn, tool: matched, below: undefined, evidence: 'wire+process' };
    }
    const [only] = outstanding;
    if (outstanding.length === 1 && only !== undefined) {
      return { turn: only.turn, tool: only, below: undefined, evidence: 'process' };
    }
    // Of several turns the one begun last: it is the one that has just had an answer to act on most often.
    const turn = lastOf(turns);
    return turn && { turn, tool: undefined, below: undefined, evidence: 'process' };
  }

  /** The same process goes on as another program: a wrapper has made way for the command itself. */
  function claimByNextProgram(span: ProcessSpan, program: Program): void {
    if (!span.isTop || span.evidence === 'wire+process' || span.turn.isEnded) {
      return;
    }
    const tool = bestMatch(outstandingTools([span.turn]), program);
    if (tool !== undefined) {
      link(span, tool);
    }
  }

  function claim(tool: ToolState): void {
    for (const span of tool.turn.looseProcesses) {
      const program = span.process.programs.at(-1);
      if (program === undefined || program.startNs < tool.toolCall.timeNs) {
        continue;
      }
      if (bestMatch([tool], program) !== undefined) {
        link(span, tool);
      }
    }
  }

  function link(span: ProcessSpan, tool: ToolState): void {
    if (span.tool !== undefined) {
      span.tool.running -= 1;
      span.tool.linked -= 1;
    }
    span.tool = tool;
    span.evidence = 'wire+process';
    span.ids = { ...span.ids, parentSpanId: tool.ids.spanId };
    tool.running += 1;
    tool.linked += 1;
    strengthen(tool, 'wire+process');
    tool.turn.looseProcesses.delete(span);
  }

  function exited(process: Process, timeNs: bigint): void {
    const span = spans.get(process);
    if (span === undefined || !open.delete(span)) {
      return;
    }
    release(span);
    emit(span, timeNs);
    if (!span.turn.isEnded) {
      options.touch(span.turn, timeNs);
    }
  }

  function release(span: ProcessSpan): void {
    span.turn.looseProcesses.delete(span);
    if (span.tool !== undefined) {
      span.tool.running -= 1;
    }
  }

  function emit(span: ProcessSpan, timeNs: bigint, damage?: Damage): void {
    const { ids, workload, process, startNs, evidence } = span;
    const endNs = timeNs > startNs ? timeNs : startNs;
    sink({
      kind: 'process',
      ids,
      workload,
      process,
      startNs,
      endNs,
      evidence,
      ...(damage && { damage }),
      ...(span.exchangesLeftOut > 0 && { exchangesLeftOut: span.exchangesLeftOut }),
    });
  }

  return {
    executed,
    exited,
    claim,
    openSpanAbove(process) {
      for (const each of lineage(process)) {
        const span = spans.get(each);
        if (span !== undefined) {
          return span.turn.isEnded ? undefined : span;
        }
      }
      return undefined;
    },
    placeOf(process) {
      for (const each of lineage(process)) {
        const turns = options.turnsOf(each);
        const span = turns === undefined ? spans.get(each) : undefined;
        if (span !== undefined) {
          return span.turn.isEnded ? undefined : span;
        }
        const turn = lastOf(turns ?? options.treeOf(each)?.openTurns);
        if (turn !== undefined) {
          return turn;
        }
      }
      return undefined;
    },
    isToolCommand: (process) => spans.get(process)?.evidence === 'wire+process',
    end(timeNs) {
      for (const span of open) {
        const damage = new Damage();
        damage.add('truncated');
        release(span);
        emit(span, timeNs, damage);
      }
      open.clear();
    },
    get openProcesses() {
      return open.size;
    },
  };
}

function outstandingTools(turns: Iterable<Turn>): ToolState[] {
  const tools: ToolState[] = [];
  for (const turn of turns) {
    for (const tool of turn.tools) {
      if (tool.state === 'outstanding') {
        tools.push(tool);
      }
    }
  }
  return tools;
}

/** The tool call with the longest text in argv; of equal ones that with the fewest processes, then the earliest. */
function bestMatch(tools: readonly ToolState[], program: Program): ToolState | undefined {
  if (!tools.some((tool) => tool.texts.length > 0)) {
    return undefined;
  }
  const argv = comparableArgv(program.argv);
  let best: ToolState | undefined;
  let bestChars = 0;
  for (const tool of tools) {
    const chars = matchedChars(argv, tool.texts);
    const isBetter =
      chars > bestChars || (chars > 0 && chars === bestChars && tool.linked < (best?.linked ?? 0));
    if (isBetter) {
      best = tool;
      bestChars = chars;
    }
  }
  return best;
}

/** The turn begun last. */
function lastOf(turns: ReadonlySet<Turn> | undefined): Turn | undefined {
  return turns && [...turns].at(-1);
}

function strengthen(tool: ToolState, evidence: Evidence): void {
  if (evidence === 'wire+process') {
    tool.evidence = 'wire+process';
  }
}
