/** Builds made-up calls and processes, runs them through the process table and the session stage, and reads the pieces. */
import assert from 'node:assert/strict';
import type { ProcessRef } from '../../../src/capture/events.ts';
import { type Exchange, Headers } from '../../../src/http/exchange.ts';
import type { Message, ModelCall, ToolCall, ToolResult } from '../../../src/llm/model-call.ts';
import type { Process } from '../../../src/process/process.ts';
import { createProcessTable } from '../../../src/process/process-table.ts';
import { createCounters } from '../../../src/self/counters.ts';
import {
  createSessionStage,
  type SessionStageOptions,
} from '../../../src/session/session-stage.ts';
import type {
  CallPiece,
  HttpPiece,
  ProcessPiece,
  StoryPiece,
  ToolPiece,
  TurnPiece,
} from '../../../src/session/story.ts';
import { Damage } from '../../../src/util/damage.ts';

export const MS = 1_000_000n;
export const SECOND = 1_000n * MS;
export const MINUTE = 60n * SECOND;

/** A message of a made-up conversation; what is in it is its fingerprint. */
export interface Said {
  role: 'system' | 'user' | 'assistant' | 'tool';
  text?: string;
  asks?: AskedTool[];
  results?: ToolResult[];
}

export interface AskedTool {
  id?: string;
  name: string;
  arguments?: unknown;
}

export const user = (text: string): Said => ({ role: 'user', text });
export const assistant = (text: string): Said => ({ role: 'assistant', text });
export const asks = (...tools: AskedTool[]): Said => ({ role: 'assistant', asks: tools });
export const results = (...each: ToolResult[]): Said => ({ role: 'tool', results: each });
export const bash = (id: string, command: string): AskedTool => ({
  id,
  name: 'Bash',
  arguments: { command },
});

export interface CallSpec {
  by: Process;
  messages: Said[];
  /** Names of declared tools. */
  tools?: string[];
  traceparent?: string;
  /** The rest of the request is missing. */
  isTorn?: boolean;
  role?: 'client' | 'server';
}

interface AnswerSpec {
  finishReasons?: string[];
  error?: { type: string };
  complete?: boolean;
  damage?: 'gap';
  /** When the bytes of the tool calls came, if not just now. */
  toolsNs?: bigint;
}

export interface OpenCall {
  call: ModelCall;
  /** The answer ends. */
  answer(said: Said | undefined, spec?: AnswerSpec): ModelCall;
  /** A tool call of the answer is complete while the rest of the answer is still to come. */
  streamTool(tool: AskedTool): void;
}

export type StoryOptions = Partial<Omit<SessionStageOptions, 'sink' | 'processes' | 'bootId'>>;

/** Every step takes one millisecond, so that no two things happen at the same time. */
export function createStory(options: StoryOptions = {}) {
  const pieces: StoryPiece[] = [];
  const counters = options.counters ?? createCounters();
  const table = createProcessTable({
    counters,
    onExec: (process, program) => stage.executed(process, program.startNs),
    onExit: (process) => stage.exited(process, process.exit?.timeNs ?? now),
  });
  const stage = createSessionStage({
    sink: (piece) => pieces.push(piece),
    processes: table,
    bootId: 'a-boot',
    workloadName: (process) => process.programs.at(-1)?.argv[0] ?? 'unknown',
    counters,
    ...options,
  });
  let now = 1_000n * SECOND;
  let nextPid = 100;
  let nextObject = 0x1000;

  function step(): bigint {
    now += MS;
    return now;
  }

  function get(ref: ProcessRef): Process {
    const process = table.get(ref);
    assert.ok(process);
    return process;
  }

  /** A process that ran before observation began. */
  function running(...argv: string[]): Process {
    const process = { pid: nextPid++, startNs: now - SECOND };
    table.push({
      type: 'snapshot',
      timeNs: step(),
      process,
      parent: { pid: 1, startNs: 0n },
      executable: `/usr/bin/${argv[0]}`,
      argv,
      uid: 0,
      gid: 0,
      comm: argv[0] ?? '',
    });
    return get(process);
  }

  function fork(parent: Process): Process {
    const timeNs = step();
    const process = { pid: nextPid++, startNs: timeNs };
    table.push({ type: 'fork', timeNs, process, parent: parent.ref });
    return get(process);
  }

  function exec(process: Process, ...argv: string[]): void {
    table.push({
      type: 'exec',
      timeNs: step(),
      process: process.ref,
      parent: process.parentRef ?? { pid: 1, startNs: 0n },
      executable: `/usr/bin/${argv[0]}`,
      argv,
      argvLostBytes: 0,
      uid: 0,
      gid: 0,
      cgroupId: 0n,
      comm: argv[0] ?? '',
    });
  }

  function spawn(parent: Process, ...argv: string[]): Process {
    const process = fork(parent);
    exec(process, ...argv);
    return process;
  }

  function exit(process: Process, exitCode = 0): void {
    table.push({ type: 'exit', timeNs: step(), process: process.ref, exitCode });
  }

  /** A request is complete. */
  function call(spec: CallSpec): OpenCall {
    const startNs = step();
    const model = makeCall(spec, startNs, step(), nextObject++);
    if (spec.isTorn) {
      model.damage.add('gap', 1);
    }
    stage.started(model);
    let seen: ToolCall[] = [];
    function toolCall(tool: AskedTool): ToolCall {
      const known = seen.find((each) => each.id === tool.id && each.name === tool.name);
      if (known !== undefined) {
        seen = seen.filter((each) => each !== known);
        return known;
      }
      return {
        ...(tool.id !== undefined && { id: tool.id }),
        name: tool.name,
        argumentsText: JSON.stringify(tool.arguments ?? {}),
        timeNs: now,
      };
    }
    return {
      call: model,
      streamTool(tool) {
        step();
        const streamed = toolCall(tool);
        seen.push(streamed);
        stage.toolCall(model, streamed);
      },
      answer(said, answerSpec = {}) {
        model.endNs = step();
        model.complete = answerSpec.complete ?? true;
        if (answerSpec.damage !== undefined) {
          model.damage.add(answerSpec.damage, 1);
        }
        if (answerSpec.error !== undefined) {
          model.error = answerSpec.error;
        }
        if (said !== undefined) {
          const toolCalls = (said.asks ?? []).map(toolCall);
          for (const each of answerSpec.toolsNs === undefined ? [] : toolCalls) {
            each.timeNs = answerSpec.toolsNs ?? each.timeNs;
          }
          model.response = {
            finishReasons: answerSpec.finishReasons ?? ['stop'],
            usage: {},
            messages: [],
            fingerprints: [fingerprint(said)],
            toolCalls,
          };
        }
        stage.finished(model);
        return model;
      },
    };
  }

  const of = <K extends StoryPiece['kind']>(kind: K) =>
    pieces.filter((piece): piece is Extract<StoryPiece, { kind: K }> => piece.kind === kind);

  return {
    stage,
    table,
    counters,
    pieces,
    running,
    fork,
    exec,
    spawn,
    exit,
    call,
    /** Time passes, and the stage is told so. */
    wait(ns: bigint): void {
      now += ns;
      stage.tick(now);
    },
    end(): void {
      stage.end(step());
    },
    get now(): bigint {
      return now;
    },
    calls: (): CallPiece[] => of('call'),
    tools: (): ToolPiece[] => of('tool'),
    processes: (): ProcessPiece[] => of('process'),
    turns: (): TurnPiece[] => of('turn'),
    exchanges: (): HttpPiece[] => of('http'),
    tree: (): string[] => drawTree(pieces),
  };
}

export type Story = ReturnType<typeof createStory>;

export function fingerprint(said: Said): string {
  return JSON.stringify(said);
}

export function makeCall(
  spec: CallSpec,
  startNs: bigint,
  requestEndNs: bigint,
  object: number,
): ModelCall {
  const exchange: Exchange = {
    connection: { process: spec.by.ref, stack: 'openssl', object, generation: 7n },
    role: spec.role ?? 'client',
    version: '1.1',
    ordinal: 0,
    request: {
      startNs,
      endNs: requestEndNs,
      headers: new Headers([]),
      bodyBytes: 1,
      complete: true,
      method: 'POST',
      target: '/v1/chat/completions',
    },
    damage: new Damage(),
  };
  const lastAnswer = spec.messages.findLastIndex((said) => said.role === 'assistant');
  const messages: Message[] = spec.messages.map((said) => ({ role: said.role, parts: [] }));
  return {
    api: 'openai.chat_completions',
    operation: 'chat',
    provider: 'openai',
    exchange,
    ...(spec.traceparent !== undefined && { traceparent: spec.traceparent }),
    request: {
      model: 'a-model',
      systemInstructions: [],
      messages,
      fingerprints: spec.messages.map(fingerprint),
      toolResults: spec.messages.slice(lastAnswer + 1).flatMap((said) => said.results ?? []),
      toolDefinitions: (spec.tools ?? []).map((name) => ({ type: 'function', name })),
    },
    startNs,
    endNs: startNs,
    chunkGapsNs: [],
    complete: false,
    damage: new Damage(),
  };
}

/** What a piece would be called as a span. */
export function labelOf(piece: StoryPiece): string {
  switch (piece.kind) {
    case 'turn':
      return `turn ${piece.agentName} (${piece.endedBy})`;
    case 'call':
      return 'chat';
    case 'tool':
      return `tool ${piece.toolCall.name} [${piece.evidence}]`;
    case 'http':
      return `${piece.exchange.request?.method} ${piece.exchange.request?.target}`;
    case 'process':
      return `${piece.process.programs.at(-1)?.argv.join(' ')} [${piece.evidence}]`;
  }
}

function startOf(piece: StoryPiece): bigint {
  return piece.kind === 'call' ? piece.call.startNs : piece.startNs;
}

/** The pieces as indented lines, children below their parents in order of start. */
function drawTree(pieces: readonly StoryPiece[]): string[] {
  const ids = new Set(pieces.map((piece) => piece.ids.spanId));
  const lines: string[] = [];
  function draw(parentSpanId: string | undefined, depth: number): void {
    const children = pieces
      .filter((piece) => {
        const parent = piece.ids.parentSpanId;
        return parentSpanId === undefined
          ? parent === undefined || !ids.has(parent)
          : parent === parentSpanId;
      })
      .sort((a, b) => (startOf(a) < startOf(b) ? -1 : startOf(a) > startOf(b) ? 1 : 0));
    for (const child of children) {
      lines.push(`${'  '.repeat(depth)}${labelOf(child)}`);
      draw(child.ids.spanId, depth + 1);
    }
  }
  draw(undefined, 0);
  return lines;
}
