/** Bodies that are valid and go as far as JSON allows: whatever is in them, the data path goes on. */
import assert from 'node:assert/strict';
import { awsEvent } from '../../support/aws-event-stream.ts';
import {
  anthropicEvents,
  type Observed,
  runExchange,
  type WireExchange,
} from '../../support/llm-fixtures/run-exchange.ts';

const MESSAGES = [{ role: 'user', content: 'Hi' }];
const SSE = 'text/event-stream';
const DEPTH = 100_000;
const DEEP = '['.repeat(DEPTH) + ']'.repeat(DEPTH);

const CHAT = {
  target: '/v1/chat/completions',
  request: { model: 'm', messages: MESSAGES, stream: true },
};
const CLAUDE = {
  target: '/v1/messages',
  request: { model: 'm', max_tokens: 1, messages: MESSAGES },
};
const GEMINI = {
  target: '/v1beta/models/g:streamGenerateContent?alt=sse',
  request: { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] },
};

/** What an event holds that is nested as deep as `DEEP`, at the place of `$`. */
const EVENTS: readonly [
  what: string,
  wire: Pick<WireExchange, 'target' | 'request'>,
  data: string,
][] = [
  [
    'a block that is not known',
    CLAUDE,
    '{"type":"content_block_start","index":0,"content_block":{"type":"odd","x":$}}',
  ],
  [
    'the input of a tool',
    CLAUDE,
    '{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","name":"f","input":{"x":$}}}',
  ],
  [
    'the arguments of a tool',
    CHAT,
    '{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":$}}]}}]}',
  ],
  ['a part that is not known', GEMINI, '{"candidates":[{"content":{"parts":[{"odd":$}]}}]}'],
  [
    'an item',
    { target: '/v1/responses', request: { model: 'm', input: 'Hi', stream: true } },
    '{"type":"response.output_item.done","output_index":0,"item":{"type":"odd_call","x":$}}',
  ],
];

/** An answer of Converse, ended as it should be; its first block is still open. */
function converse(events: readonly Buffer[]): WireExchange {
  return {
    target: '/model/m/converse-stream',
    request: { messages: [{ role: 'user', content: [{ text: 'Hi' }] }] },
    status: 200,
    contentType: 'application/vnd.amazon.eventstream',
    response: Buffer.concat([
      ...events,
      awsEvent('contentBlockStop', { contentBlockIndex: 0 }),
      awsEvent('messageStop', { stopReason: 'end_turn' }),
    ]),
  };
}

function streamed(wire: Pick<WireExchange, 'target' | 'request'>, data: string[]): Observed {
  const response = data.map((one) => `data: ${one}\n\n`).join('');
  return runExchange({ ...wire, status: 200, contentType: SSE, response });
}

describe('an event nested too deep', () => {
  for (const [what, wire, data] of EVENTS) {
    it(`is left out, and counted: ${what}`, () => {
      const end = '{"type":"content_block_stop","index":0}';
      const { call, failures, order } = streamed(wire, [data.replace('$', DEEP), end]);
      assert.equal(order.at(-1), 'finished');
      assert.ok(call!.damage.kinds.has('limit'));
      assert.deepEqual(failures, ['limit maxDepth']);
      const shallow = streamed(wire, [data.replace('$', '[[[1]]]'), end]);
      assert.deepEqual(shallow.failures, []);
    });
  }
});

describe('a list that is as long as a body may have it', () => {
  const PARTS = Array.from({ length: 190_000 }, () => 'a');
  const LISTS: readonly (readonly [what: string, target: string, request: object])[] = [
    [
      'the content of a message',
      '/v1/chat/completions',
      { model: 'm', messages: [{ role: 'user', content: PARTS }] },
    ],
    [
      'the pictures of a message',
      '/v1/chat/completions',
      { model: 'm', messages: [{ role: 'user', images: PARTS }] },
    ],
    [
      'the pictures of a message to Ollama',
      '/api/chat',
      { model: 'm', messages: [{ role: 'user', content: 'Hi', images: PARTS }] },
    ],
    [
      'what a tool printed',
      '/v1/responses',
      {
        model: 'm',
        input: [{ type: 'function_call_output', call_id: 'c', output: [{ stdout: PARTS }] }],
      },
    ],
    [
      'the instructions',
      '/v1/models/gemini:generateContent',
      { contents: [], systemInstruction: { parts: PARTS } },
    ],
  ];
  for (const [what, target, request] of LISTS) {
    it(`is read: ${what}`, () => {
      const { order } = runExchange({ target, request, status: 200, response: '{}' });
      assert.deepEqual(order, ['started', 'finished']);
    });
  }

  it('is read: what a tool that the service runs itself brought, in a stream', () => {
    const toolResult = Array.from({ length: 300_000 }, () => 1);
    const { order, call } = runExchange(
      converse([
        awsEvent('contentBlockStart', {
          contentBlockIndex: 0,
          start: { toolResult: { toolUseId: 't', type: 'search_result' } },
        }),
        awsEvent('contentBlockDelta', { contentBlockIndex: 0, delta: { toolResult } }),
      ]),
    );
    assert.deepEqual(order, ['started', 'finished']);
    assert.equal(call?.response?.messages[0]?.parts[0]?.type, 'server_tool_call_response');
  });
});

/** What is given to a tool that the provider runs itself, in pieces of which the second is too long. */
const PIECES = ['{"a":"', 'x'.repeat(30), '"}'];
const BLOCK_START = { type: 'content_block_start', index: 0 };
const SERVER_TOOLS: readonly (readonly [api: string, wire: WireExchange])[] = [
  [
    'Anthropic’s',
    {
      ...CLAUDE,
      status: 200,
      contentType: SSE,
      response: anthropicEvents([
        {
          ...BLOCK_START,
          content_block: { type: 'server_tool_use', id: 's', name: 'search', input: {} },
        },
        ...PIECES.map((piece) => ({
          type: 'content_block_delta',
          index: 0,
          delta: { type: 'input_json_delta', partial_json: piece },
        })),
        { type: 'content_block_stop', index: 0 },
        { type: 'message_stop' },
      ]),
    },
  ],
  [
    'Bedrock’s',
    converse([
      awsEvent('contentBlockStart', {
        contentBlockIndex: 0,
        start: { toolUse: { toolUseId: 's', name: 'search', type: 'server_tool_use' } },
      }),
      ...PIECES.map((input) =>
        awsEvent('contentBlockDelta', { contentBlockIndex: 0, delta: { toolUse: { input } } }),
      ),
    ]),
  ],
];

describe('the arguments of a tool that the provider runs itself', () => {
  for (const [api, wire] of SERVER_TOOLS) {
    it(`are cut at their limit, and marked: ${api}`, () => {
      const { call } = runExchange(wire, undefined, { limits: { maxArgumentBytes: 20 } });
      assert.deepEqual(call?.response?.messages[0]?.parts, [
        {
          type: 'server_tool_call',
          name: 'search',
          id: 's',
          server_tool_call: { type: 'search', input: PIECES.join('').slice(0, 20) },
          truncated: true,
        },
      ]);
      assert.deepEqual([...call!.damage.kinds], ['limit']);
    });
  }

  it('bring no more than that as a result', () => {
    const result = (text: string) =>
      awsEvent('contentBlockDelta', { contentBlockIndex: 0, delta: { toolResult: [{ text }] } });
    const start = { toolResult: { toolUseId: 's', type: 'search_result' } };
    const wire = converse([
      awsEvent('contentBlockStart', { contentBlockIndex: 0, start }),
      ...['a', 'b'.repeat(30), 'c'].map(result),
    ]);
    const { call } = runExchange(wire, undefined, { limits: { maxArgumentBytes: 30 } });
    assert.deepEqual(call!.response!.messages[0]!.parts, [
      {
        type: 'server_tool_call_response',
        id: 's',
        server_tool_call_response: {
          type: 'search_result',
          content: [{ type: 'text', content: 'a' }],
        },
        truncated: true,
      },
    ]);
    assert.deepEqual([...call!.damage.kinds], ['limit']);
  });
});

describe('the open pieces of an answer', () => {
  const numbers = Array.from({ length: 50 }, (_, index) => index);
  const OPENED: readonly (readonly [api: string, wire: WireExchange])[] = [
    [
      'messages',
      {
        ...CLAUDE,
        status: 200,
        contentType: SSE,
        response: anthropicEvents([
          ...numbers.map((index) => ({ ...BLOCK_START, index, content_block: { type: 'odd' } })),
          { type: 'message_stop' },
        ]),
      },
    ],
    [
      'responses',
      {
        target: '/v1/responses',
        request: { model: 'm', input: 'Hi', stream: true },
        status: 200,
        contentType: SSE,
        response: anthropicEvents([
          ...numbers.map((output_index) => ({
            type: 'response.output_item.added',
            output_index,
            item: { type: 'message' },
          })),
          { type: 'response.completed', response: { status: 'completed', output: [] } },
        ]),
      },
    ],
    [
      'Converse',
      converse(
        numbers.map((contentBlockIndex) =>
          awsEvent('contentBlockStart', {
            contentBlockIndex,
            start: { toolUse: { type: 'server_tool_use' } },
          }),
        ),
      ),
    ],
  ];
  for (const [api, wire] of OPENED) {
    it(`are as many as its parts may be: ${api}`, () => {
      const kinds = (maxParts: number) => [
        ...runExchange(wire, undefined, { limits: { maxParts } }).call!.damage.kinds,
      ];
      assert.deepEqual(kinds(49), ['limit']);
      assert.deepEqual(kinds(50), []);
    });
  }
});
