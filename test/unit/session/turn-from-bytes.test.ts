/** A turn from captured bytes and process events, through the whole chain: what the rooms before give fits together. */
import assert from 'node:assert/strict';
import type { CaptureEvent, ConnectionRef } from '../../../src/capture/events.ts';
import { createPipeline } from '../../../src/pipeline.ts';
import { createCounters } from '../../../src/self/counters.ts';
import type { StoryPiece } from '../../../src/session/story.ts';
import { createDataEvents } from '../../support/data-events.ts';
import { labelOf } from './story-builder.ts';

const AGENT = { pid: 10, startNs: 10n };
const SHELL = { pid: 11, startNs: 500n };
const COMMAND = 'ls "a b"';

type Json = Record<string, unknown>;

interface Api {
  path: string;
  asks: Json;
  says: Json;
  /** The next request's messages after the first prompt. */
  carriesOn: Json[];
  tools: Json[];
  /** By this member later requests name the answer before them, and bring only what is new. */
  chainedBy?: string;
}

const RESPONSES_CALL = {
  type: 'function_call',
  id: 'fc_1',
  call_id: 'call_1',
  name: 'Bash',
  arguments: JSON.stringify({ command: COMMAND }),
};

const INTERACTIONS_PATH = '/v1beta/interactions';

const RESPONSES: Api = {
  path: '/v1/responses',
  tools: [{ type: 'function', name: 'Bash', parameters: {} }],
  asks: {
    id: 'r1',
    object: 'response',
    model: 'm',
    status: 'completed',
    output: [{ type: 'reasoning', id: 'rs_1', summary: [] }, RESPONSES_CALL],
  },
  carriesOn: [
    { type: 'reasoning', id: 'rs_1', summary: [] },
    RESPONSES_CALL,
    { type: 'function_call_output', call_id: 'call_1', output: 'x' },
  ],
  says: {
    id: 'r2',
    object: 'response',
    model: 'm',
    status: 'completed',
    output: [
      {
        type: 'message',
        role: 'assistant',
        content: [{ type: 'output_text', text: 'There is x.', annotations: [] }],
      },
    ],
  },
};

const apis: Record<string, Api> = {
  'openai.chat_completions': {
    path: '/v1/chat/completions',
    tools: [{ type: 'function', function: { name: 'Bash', parameters: {} } }],
    asks: {
      id: 'r1',
      model: 'm',
      choices: [
        {
          index: 0,
          finish_reason: 'tool_calls',
          message: {
            role: 'assistant',
            content: null,
            tool_calls: [
              {
                id: 'call_1',
                type: 'function',
                function: { name: 'Bash', arguments: JSON.stringify({ command: COMMAND }) },
              },
            ],
          },
        },
      ],
    },
    carriesOn: [
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          {
            id: 'call_1',
            type: 'function',
            function: { name: 'Bash', arguments: JSON.stringify({ command: COMMAND }) },
          },
        ],
      },
      { role: 'tool', tool_call_id: 'call_1', content: 'x' },
    ],
    says: {
      id: 'r2',
      model: 'm',
      choices: [
        { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'There is x.' } },
      ],
    },
  },
  'openai.responses': RESPONSES,
  'openai.responses, chained': { ...RESPONSES, chainedBy: 'previous_response_id' },
  'gemini.interactions, chained': {
    path: INTERACTIONS_PATH,
    chainedBy: 'previous_interaction_id',
    tools: [{ type: 'function', name: 'Bash', parameters: {} }],
    asks: {
      id: 'r1',
      model: 'm',
      status: 'requires_action',
      steps: [
        { type: 'thought', signature: 'x' },
        { type: 'function_call', id: 'call_1', name: 'Bash', arguments: { command: COMMAND } },
      ],
    },
    carriesOn: [{ type: 'function_result', call_id: 'call_1', name: 'Bash', result: 'x' }],
    says: {
      id: 'r2',
      model: 'm',
      status: 'completed',
      steps: [{ type: 'model_output', content: [{ type: 'text', text: 'There is x.' }] }],
    },
  },
  'anthropic.messages': {
    path: '/v1/messages',
    tools: [{ name: 'Bash', input_schema: { type: 'object' } }],
    asks: {
      id: 'r1',
      type: 'message',
      role: 'assistant',
      model: 'm',
      stop_reason: 'tool_use',
      content: [{ type: 'tool_use', id: 'toolu_1', name: 'Bash', input: { command: COMMAND } }],
    },
    carriesOn: [
      {
        role: 'assistant',
        content: [{ type: 'tool_use', id: 'toolu_1', name: 'Bash', input: { command: COMMAND } }],
      },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: 'x' }] },
    ],
    says: {
      id: 'r2',
      type: 'message',
      role: 'assistant',
      model: 'm',
      stop_reason: 'end_turn',
      content: [{ type: 'text', text: 'There is x.' }],
    },
  },
};

function play(api: Api, keepContent: boolean): StoryPiece[] {
  const pieces: StoryPiece[] = [];
  const pipeline = createPipeline(
    {
      streamTimeoutNs: 300_000_000_000n,
      turnTimeoutNs: 600_000_000_000n,
      keepContent,
      maxContentBytes: 65_536,
      limits: { transport: {}, http: {}, llm: {}, process: {}, session: {} },
    },
    { host: () => {}, piece: (piece) => pieces.push(piece) },
    createCounters(),
  );
  let timeNs = 100n;
  const connection: ConnectionRef = {
    process: AGENT,
    stack: 'openssl',
    object: 4096,
    generation: 90n,
  };
  const dataOf = createDataEvents(connection);

  function send(direction: 'read' | 'write', head: string, body: Json): void {
    const text = JSON.stringify(body);
    const bytes = Buffer.from(
      `${head}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
    );
    timeNs += 10n;
    pipeline.push(dataOf(direction, bytes, timeNs));
  }

  function exchange(messages: Json[], answer: Json, more: Json = {}): void {
    const head = `POST ${api.path} HTTP/1.1\r\nhost: model.test`;
    const isInput = [RESPONSES.path, INTERACTIONS_PATH].includes(api.path);
    const said = isInput ? { input: messages } : { messages };
    send('write', head, { model: 'm', max_tokens: 9, ...said, ...more, tools: api.tools });
    send('read', 'HTTP/1.1 200 OK', answer);
  }

  const program = { argvLostBytes: 0, uid: 0, gid: 0, cgroupId: 0n, comm: 'x' };
  const command = ['bash', '-c', `eval '${COMMAND}'`];
  const parent = { pid: 1, startNs: 1n };
  const process: CaptureEvent[] = [
    { type: 'fork', timeNs: 500n, process: SHELL, parent: AGENT },
    {
      ...program,
      type: 'exec',
      timeNs: 510n,
      process: SHELL,
      parent: AGENT,
      executable: '/bin/bash',
      argv: command,
    },
    { type: 'exit', timeNs: 520n, process: SHELL, exitCode: 3 },
  ];
  pipeline.push({
    type: 'host',
    timeNs,
    bootId: 'a-boot',
    hostName: 'h',
    arch: 'x64',
    osDescription: 'o',
    clockOffsetNs: 0n,
  });
  const argv = ['my-agent'];
  const executable = '/bin/my-agent';
  pipeline.push({ ...program, type: 'exec', timeNs, process: AGENT, parent, executable, argv });
  const prompt = { role: 'user', content: 'What is there?' };
  exchange([prompt], api.asks);
  process.forEach(pipeline.push);
  timeNs = 600n;
  const question = { role: 'user', content: 'Sure?' };
  if (api.chainedBy !== undefined) {
    exchange(api.carriesOn.slice(-1), api.says, { [api.chainedBy]: 'r1' });
    exchange([question], api.says, { [api.chainedBy]: 'r2' });
  } else {
    exchange([prompt, ...api.carriesOn], api.says);
    const next = [prompt, ...api.carriesOn, { role: 'assistant', content: 'There is x.' }];
    exchange([...next, question], api.says);
  }
  pipeline.push({ type: 'exit', timeNs: 900n, process: AGENT, exitCode: 0 });
  pipeline.push({ type: 'end', timeNs: 1_000n });
  return pieces;
}

describe('turns from captured bytes', () => {
  for (const [name, api] of Object.entries(apis)) {
    for (const keepContent of [false, true]) {
      it(`${name}, content ${keepContent ? 'on' : 'off'}`, () => {
        const pieces = play(api, keepContent);
        assert.deepEqual(pieces.map(labelOf), [
          'chat',
          `bash -c eval '${COMMAND}' [wire+process]`,
          'tool Bash [wire+process]',
          'chat',
          'turn my-agent (answer)',
          'chat',
          'turn my-agent (answer)',
        ]);
        const [first, second] = pieces.filter((piece) => piece.kind === 'turn');
        assert.deepEqual(second?.previous, first?.ids);
        assert.ok(pieces.every((piece) => piece.kind !== 'turn' || !piece.damage.any));
        const [, shell, tool] = pieces;
        assert.equal(shell?.ids.parentSpanId, tool?.ids.spanId);
        assert.equal(shell?.kind === 'process' && shell.process.exit?.exitCode, 3);
      });
    }
  }
});
