/** The session room under any interleaving: agents that have nothing to do with one another do not meet. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { CaptureEvent, ProcessRef } from '../../src/capture/events.ts';
import type { ModelCall } from '../../src/llm/model-call.ts';
import { createProcessTable } from '../../src/process/process-table.ts';
import { createSessionStage, type SessionStage } from '../../src/session/session-stage.ts';
import type { StoryPiece } from '../../src/session/story.ts';
import {
  type AskedTool,
  asks,
  assistant,
  fingerprint,
  MS,
  makeCall,
  results,
  type Said,
  SECOND,
  user,
} from '../unit/session/story-builder.ts';

/** One thing that happens; `push` is the table's, for process events. */
interface Step {
  timeNs: bigint;
  run(stage: SessionStage, push: (event: CaptureEvent) => void): void;
}

interface RoundSpec {
  /** Commands asked for in this round; none: the final answer. */
  commands: string[];
  hasIds: boolean;
  /** How the call goes. */
  fate: 'ok' | 'error' | 'broken' | 'streamed';
  /** Which of the commands' processes still run when the results are sent. */
  lingers: boolean;
  pauseMs: number;
}

interface AgentSpec {
  /** Conversations run one after the other, or (by turns) at the same time in one process. */
  conversations: RoundSpec[][];
  prompt: string;
  exits: boolean;
}

const round: fc.Arbitrary<RoundSpec> = fc.record({
  commands: fc.array(fc.constantFrom('ls', 'ls -l', "echo 'a b'", 'make test'), { maxLength: 3 }),
  hasIds: fc.boolean(),
  fate: fc.constantFrom('ok', 'ok', 'ok', 'streamed', 'error', 'broken'),
  lingers: fc.boolean(),
  pauseMs: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.constantFrom(61_000, 700_000)),
});

const agent: fc.Arbitrary<AgentSpec> = fc.record({
  conversations: fc.array(fc.array(round, { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 3,
  }),
  // Few prompts, so that agents often say the same.
  prompt: fc.constantFrom('a', 'b'),
  exits: fc.boolean(),
});

/** What one agent does, with times of its own. `lane` keeps its pids and times apart from the other agents'. */
function stepsOf(spec: AgentSpec, lane: number): Step[] {
  const steps: Step[] = [];
  const root: ProcessRef = { pid: 1_000 * (lane + 1), startNs: BigInt(lane) };
  let nextPid = root.pid + 1;
  let nextObject = lane * 65_536;
  // No two agents act in the same nanosecond.
  let now = SECOND + BigInt(lane);
  const at = (run: Step['run'], pauseMs = 1): bigint => {
    now += BigInt(pauseMs) * MS;
    steps.push({ timeNs: now, run });
    return now;
  };
  const snapshotNs = now + MS;
  at((_, push) =>
    push({
      type: 'snapshot',
      timeNs: snapshotNs,
      process: root,
      parent: { pid: 1, startNs: 0n },
      executable: '/bin/agent',
      argv: ['agent', String(lane)],
      uid: 0,
      gid: 0,
      comm: 'agent',
    }),
  );
  const histories = spec.conversations.map((): Said[] => [user(spec.prompt)]);
  const longest = Math.max(...spec.conversations.map((rounds) => rounds.length));
  for (let index = 0; index < longest; index += 1) {
    for (const [which, rounds] of spec.conversations.entries()) {
      const played = rounds[index];
      const history = histories[which];
      if (played !== undefined && history !== undefined) {
        playRound(played, history, `${which}.${index}`);
      }
    }
  }
  if (spec.exits) {
    const endNs = now + MS;
    at((_, push) => push({ type: 'exit', timeNs: endNs, process: root, exitCode: 0 }));
  }
  return steps;

  function playRound(played: RoundSpec, history: Said[], name: string): void {
    const startNs = now + BigInt(played.pauseMs) * MS;
    const messages = [...history];
    const call: ModelCall = makeCall(
      // Only `ref` of the process is looked at.
      { by: { ref: root } as never, messages, tools: ['Bash'] },
      startNs,
      startNs,
      nextObject++,
    );
    at((stage) => stage.started(call), played.pauseMs);
    const asked = played.commands.map(
      (command, index): AskedTool => ({
        name: 'Bash',
        arguments: { command },
        ...(played.hasIds && { id: `call_${name}.${index}` }),
      }),
    );
    const said = asked.length > 0 ? asks(...asked) : assistant(`end ${name}`);
    const toolCalls = asked.map((tool) => ({
      ...(tool.id !== undefined && { id: tool.id }),
      name: tool.name,
      argumentsText: JSON.stringify(tool.arguments),
      timeNs: startNs,
    }));
    if (played.fate === 'streamed') {
      for (const toolCall of toolCalls) {
        toolCall.timeNs = now + MS;
        at((stage) => stage.toolCall(call, toolCall));
      }
    }
    const endNs = now + MS;
    at((stage) => {
      call.endNs = endNs;
      call.complete = played.fate !== 'broken';
      if (played.fate === 'error') {
        call.error = { type: '500' };
      } else {
        call.response = {
          finishReasons: ['stop'],
          usage: {},
          messages: [],
          fingerprints: [fingerprint(said)],
          toolCalls: toolCalls.map((toolCall) => {
            toolCall.timeNs = played.fate === 'streamed' ? toolCall.timeNs : endNs;
            return toolCall;
          }),
        };
      }
      stage.finished(call);
    });
    if (played.fate === 'error') {
      return;
    }
    const running = played.commands.map((command) => spawn(command));
    if (!played.lingers) {
      running.forEach(exit);
    }
    history.push(said);
    if (asked.length > 0) {
      history.push(
        results(...asked.map(({ id }) => ({ text: '', ...(id !== undefined && { id }) }))),
      );
    } else {
      history.push(user(`next ${name}`));
    }
    if (played.lingers) {
      running.forEach(exit);
    }
  }

  function spawn(command: string): ProcessRef {
    const forkNs = now + MS;
    const process = { pid: nextPid++, startNs: forkNs };
    at((_, push) => push({ type: 'fork', timeNs: forkNs, process, parent: root }));
    const execNs = now + MS;
    at((_, push) =>
      push({
        type: 'exec',
        timeNs: execNs,
        process,
        parent: root,
        executable: '/bin/sh',
        argv: ['sh', '-c', command],
        argvLostBytes: 0,
        uid: 0,
        gid: 0,
        cgroupId: 0n,
        comm: 'sh',
      }),
    );
    return process;
  }

  function exit(process: ProcessRef): void {
    const endNs = now + MS;
    at((_, push) => push({ type: 'exit', timeNs: endNs, process, exitCode: 3 }));
  }
}

const END_NS = 100_000n * SECOND;

function play(steps: readonly Step[]): StoryPiece[] {
  const pieces: StoryPiece[] = [];
  const table = createProcessTable({
    onExec: (process, program) => stage.executed(process, program.startNs),
    onExit: (process) => stage.exited(process, process.exit?.timeNs ?? 0n),
  });
  const stage = createSessionStage({
    sink: (piece) => pieces.push(piece),
    processes: table,
    bootId: 'a-boot',
    workloadName: (process) => process.programs.at(-1)?.argv.join(' ') ?? '',
  });
  for (const step of steps) {
    step.run(stage, table.push);
  }
  stage.end(END_NS);
  return pieces;
}

function inOrder(lanes: readonly Step[][]): Step[] {
  const compare = (a: Step, b: Step) => (a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : 0);
  return lanes.flat().sort(compare);
}

/** Everything of a piece that must not depend on the others. */
function digest(piece: StoryPiece): string {
  const shared = [piece.kind, piece.ids.traceId, piece.ids.spanId, piece.ids.parentSpanId];
  const own = (() => {
    switch (piece.kind) {
      case 'call':
        return [piece.call.startNs, piece.call.endNs, piece.turn?.spanId, piece.call.complete];
      case 'tool':
        return [piece.startNs, piece.endNs, piece.evidence, piece.result !== undefined];
      case 'process':
        return [piece.startNs, piece.endNs, piece.evidence, piece.process.exit?.exitCode];
      case 'http':
        return [piece.startNs, piece.endNs, piece.isBroken];
      case 'turn':
        return [
          piece.startNs,
          piece.endNs,
          piece.endedBy,
          piece.callCount,
          piece.toolCalls,
          piece.previous?.spanId,
          [...piece.damage.kinds].join(),
        ];
    }
  })();
  return [...shared, piece.workload.name, ...own].map(String).join(' ');
}

describe('any agents at the same time', () => {
  it('give the pieces that each gives alone', () => {
    fc.assert(
      fc.property(fc.array(agent, { minLength: 1, maxLength: 4 }), (specs) => {
        const alone = specs.flatMap((spec, lane) => play(stepsOf(spec, lane)).map(digest));
        const together = play(inOrder(specs.map(stepsOf))).map(digest);
        assert.deepEqual(together.toSorted(), alone.toSorted());
      }),
      { numRuns: 200 },
    );
  });

  it('give whole trees: unique ids, parents that exist in the same trace, children within reach', () => {
    fc.assert(
      fc.property(fc.array(agent, { minLength: 1, maxLength: 3 }), (specs) => {
        const lanes = specs.map(stepsOf);
        const pieces = play(inOrder(lanes));
        const byId = new Map(pieces.map((piece) => [piece.ids.spanId, piece]));
        assert.equal(byId.size, pieces.length);
        for (const piece of pieces) {
          const { parentSpanId, traceId } = piece.ids;
          const parent = parentSpanId === undefined ? undefined : byId.get(parentSpanId);
          assert.equal(parent === undefined, parentSpanId === undefined);
          assert.equal(parent?.ids.traceId ?? traceId, traceId);
          if (parent?.kind === 'turn' && piece.kind !== 'call') {
            assert.ok(piece.startNs >= parent.startNs);
          }
        }
        const calls = pieces.filter((piece) => piece.kind === 'call').length;
        const asked = specs.flatMap((spec) => spec.conversations.flat()).length;
        assert.equal(calls, asked);
        const turns = pieces.filter((piece) => piece.kind === 'turn');
        const counted = turns.reduce((sum, turn) => sum + (turn.callCount ?? 0), 0);
        assert.equal(counted, calls, 'every call of an agent belongs to one turn');
        const tools = pieces.filter((piece) => piece.kind === 'tool').length;
        const toolsOfTurns = turns.reduce((sum, turn) => sum + turn.toolCalls, 0);
        assert.equal(tools, toolsOfTurns);
      }),
      { numRuns: 200 },
    );
  });
});
