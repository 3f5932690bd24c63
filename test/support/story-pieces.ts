/** Pieces of a story with fixed times and ids, for tests of what becomes of them. */
import type { HostEvent } from '../../src/capture/events.ts';
import { Headers } from '../../src/http/exchange.ts';
import type { ModelCall } from '../../src/llm/model-call.ts';
import type { Process } from '../../src/process/process.ts';
import type {
  CallPiece,
  ProcessPiece,
  ToolPiece,
  TurnPiece,
  Workload,
} from '../../src/session/story.ts';
import { Damage } from '../../src/util/damage.ts';

export const BOOT_ID = '9b2d5f1c-3c0c-4c7e-9d52-0d9f1a5c7e11';
export const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';

/** Boot time at which the stories here begin. */
export const START_NS = 1_000_000_000_000n;
/** 2026-01-01T00:00:00.123456789Z minus START_NS: nanoseconds that milliseconds would lose. */
export const OFFSET_NS = 1_767_225_600_123_456_789n - START_NS;

export const MS = 1_000_000n;

/** Milliseconds after the beginning, in boot time. */
export function at(ms: number): bigint {
  return START_NS + BigInt(Math.round(ms * 1e6));
}

export const HOST: HostEvent = {
  type: 'host',
  timeNs: 0n,
  bootId: BOOT_ID,
  machineId: '0123456789abcdef0123456789abcdef',
  hostName: 'build-7',
  arch: 'x64',
  osDescription: 'Debian GNU/Linux 12 (bookworm)',
  clockOffsetNs: OFFSET_NS,
};

export function spanId(number: number): string {
  return number.toString(16).padStart(16, '0');
}

export function makeProcess(
  fields: Partial<Process> & { argv?: string[]; executable?: string } = {},
): Process {
  const { argv = ['claude', '--print'], executable = '/usr/local/bin/claude', ...rest } = fields;
  const ref = rest.ref ?? { pid: 4242, startNs: 5_000n };
  return {
    key: `${ref.pid}@${ref.startNs}`,
    parent: undefined,
    parentRef: { pid: 1, startNs: 1n },
    startNs: ref.startNs,
    programs: [{ startNs: ref.startNs, executable, argv, argvLostBytes: 0, comm: 'claude' }],
    inherited: false,
    uid: 1000,
    gid: 1000,
    cgroupId: undefined,
    owner: 'ada',
    containerId: undefined,
    podUid: undefined,
    packageName: undefined,
    packageVersion: undefined,
    serviceName: undefined,
    exit: undefined,
    ...rest,
    ref,
  };
}

export const ROOT_PROCESS = makeProcess();

export const WORKLOAD: Workload = { root: ROOT_PROCESS, name: 'claude-code', isAgent: true };

export function makeCall(fields: Partial<ModelCall> = {}): ModelCall {
  return {
    api: 'anthropic.messages',
    operation: 'chat',
    provider: 'anthropic',
    exchange: {
      connection: {
        process: ROOT_PROCESS.ref,
        stack: 'openssl',
        object: 4096,
        generation: 7n,
      },
      role: 'client',
      version: '1.1',
      ordinal: 0,
      request: {
        startNs: at(10),
        endNs: at(11),
        headers: new Headers([]),
        bodyBytes: 100,
        complete: true,
        method: 'POST',
        target: '/v1/messages',
      },
      damage: new Damage(),
    },
    serverAddress: 'api.anthropic.com',
    serverPort: 443,
    request: {
      model: 'claude-opus-4-1',
      stream: true,
      maxTokens: 1024,
      systemInstructions: [],
      messages: [{ role: 'user', parts: [{ type: 'text', content: 'Which files are here?' }] }],
      fingerprints: ['u1'],
      toolResults: [],
      toolDefinitions: [],
    },
    response: {
      id: 'msg_01',
      model: 'claude-opus-4-1-20250805',
      finishReasons: ['end_turn'],
      usage: {
        inputTokens: 1200,
        outputTokens: 45,
        cacheReadInputTokens: 1000,
        cacheCreationInputTokens: 0,
      },
      messages: [
        {
          role: 'assistant',
          parts: [{ type: 'text', content: 'Two: a and b.' }],
          finish_reason: 'stop',
        },
      ],
      fingerprints: ['a1'],
      toolCalls: [],
    },
    startNs: at(10),
    firstChunkNs: at(320.5),
    endNs: at(1210),
    chunkGapsNs: [20_000_000, 30_000_000],
    httpStatus: 200,
    complete: true,
    damage: new Damage(),
    ...fields,
  };
}

export function callPiece(
  call: ModelCall = makeCall(),
  fields: Partial<CallPiece> = {},
): CallPiece {
  return {
    kind: 'call',
    ids: { traceId: TRACE_ID, spanId: spanId(2), parentSpanId: spanId(1) },
    workload: WORKLOAD,
    process: WORKLOAD.root,
    call,
    ...fields,
  };
}

/** A call that belongs to no turn. */
export function lonePiece(call: ModelCall = makeCall(), number = 2): CallPiece {
  return callPiece(call, { ids: { traceId: TRACE_ID, spanId: spanId(number) } });
}

export function toolPiece(fields: Partial<ToolPiece> = {}): ToolPiece {
  return {
    kind: 'tool',
    ids: { traceId: TRACE_ID, spanId: spanId(3), parentSpanId: spanId(1) },
    workload: WORKLOAD,
    toolCall: {
      id: 'toolu_01',
      name: 'Bash',
      argumentsText: '{"command":"ls -a"}',
      timeNs: at(1200),
    },
    result: { id: 'toolu_01', text: 'a\nb' },
    startNs: at(1200),
    endNs: at(2000),
    evidence: 'wire+process',
    damage: new Damage(),
    ...fields,
  };
}

export function processPiece(fields: Partial<ProcessPiece> = {}): ProcessPiece {
  return {
    kind: 'process',
    ids: { traceId: TRACE_ID, spanId: spanId(4), parentSpanId: spanId(3) },
    workload: WORKLOAD,
    process: makeProcess({
      ref: { pid: 4300, startNs: 9_000n },
      parentRef: WORKLOAD.root.ref,
      executable: '/usr/bin/bash',
      argv: ['bash', '-c', 'ls -a'],
      exit: { timeNs: at(1990), exitCode: 0 },
    }),
    startNs: at(1250),
    endNs: at(1990),
    evidence: 'process',
    ...fields,
  };
}

export function turnPiece(fields: Partial<TurnPiece> = {}): TurnPiece {
  return {
    kind: 'turn',
    ids: { traceId: TRACE_ID, spanId: spanId(1) },
    workload: WORKLOAD,
    agentName: 'claude-code',
    calls: [makeCall()],
    toolCalls: 1,
    startNs: at(10),
    endNs: at(2500),
    endedBy: 'answer',
    damage: new Damage(),
    ...fields,
  };
}

export function damaged(kinds: Parameters<Damage['add']>[0][], lostBytes = 0): Damage {
  const damage = new Damage();
  for (const kind of kinds) {
    damage.add(kind);
  }
  damage.lostBytes = lostBytes;
  return damage;
}
