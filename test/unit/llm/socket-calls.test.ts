/** Model calls in the messages of WebSockets: one a response, whoever asked for it. */
import assert from 'node:assert/strict';
import type { CaptureEvent } from '../../../src/capture/events.ts';
import type { ModelCall } from '../../../src/llm/model-call.ts';
import { type Call, captureEvents } from '../../support/http-generator.ts';
import {
  recordChain,
  runChain,
  type Said,
  socketCalls,
} from '../../support/socket-conversation.ts';
import { frame, handshake } from '../../support/websocket-wire.ts';

const RESPONSES = '/v1/responses';
const REALTIME = '/v1/realtime?model=gpt-realtime';

interface RunSettings {
  path?: string;
  keepContent?: boolean;
  isDeflating?: boolean;
  isJoined?: boolean;
  more?: readonly Call[];
}

function wire(said: readonly Said[], settings: RunSettings = {}): Call[] {
  const extensions = settings.isDeflating ? 'permessage-deflate' : undefined;
  const opening = settings.isJoined ? [] : handshake(extensions, settings.path ?? RESPONSES);
  return [...opening, ...socketCalls(said, settings.isDeflating), ...(settings.more ?? [])];
}

function callsOf(said: readonly Said[], settings: RunSettings = {}): ModelCall[] {
  return runChain(captureEvents(wire(said, settings)), {
    keepContent: settings.keepContent ?? true,
  }).calls;
}

function usage(input: number, output: number): object {
  return { input_tokens: input, output_tokens: output, total_tokens: input + output };
}

/** What the server sends for one response with a text. */
function textResponse(id: string, text: string, counts = usage(11, 5)): Said[] {
  const item = { id: `msg_${id}`, type: 'message', role: 'assistant' };
  const response = { id, object: 'response', model: 'gpt-5-2026', status: 'in_progress' };
  const done = { ...item, content: [{ type: 'output_text', text }] };
  return [
    ['server', { type: 'response.created', sequence_number: 0, response }],
    ['server', { type: 'response.output_item.added', output_index: 0, item, sequence_number: 1 }],
    ...[...text].map(
      (delta, index): Said => [
        'server',
        {
          type: 'response.output_text.delta',
          item_id: item.id,
          output_index: 0,
          content_index: 0,
          delta,
          sequence_number: 2 + index,
        },
      ],
    ),
    ['server', { type: 'response.output_item.done', output_index: 0, item: done }],
    [
      'server',
      {
        type: 'response.completed',
        response: { ...response, status: 'completed', output: [done], usage: counts },
      },
    ],
  ];
}

function create(input: string, more: object = {}): Said {
  const content = [{ type: 'input_text', text: input }];
  return [
    'client',
    {
      type: 'response.create',
      model: 'gpt-5',
      input: [{ type: 'message', role: 'user', content }],
      ...more,
    },
  ];
}

function kinds(call: ModelCall | undefined): string[] {
  return [...(call?.damage.kinds ?? [])];
}

const TWO: Said[] = [
  create('first'),
  ...textResponse('resp_1', 'Hello'),
  create('second', { previous_response_id: 'resp_1' }),
  ...textResponse('resp_2', 'again', usage(23, 7)),
];

describe('the responses API over a WebSocket', () => {
  for (const isDeflating of [false, true]) {
    it(`each response is a call, exact (${isDeflating ? 'permessage-deflate' : 'plain'})`, () => {
      const calls = callsOf(TWO, { isDeflating });
      assert.equal(calls.length, 2);
      const [first, second] = calls;
      assert.equal(first?.api, 'openai.responses');
      assert.equal(first?.request.model, 'gpt-5');
      assert.equal(first?.request.stream, true);
      assert.equal(first?.serverAddress, 'h.example');
      assert.equal(first?.response?.id, 'resp_1');
      assert.equal(first?.response?.model, 'gpt-5-2026');
      assert.deepEqual(first?.response?.usage, { inputTokens: 11, outputTokens: 5 });
      assert.deepEqual(first?.response?.finishReasons, ['completed']);
      assert.deepEqual(first?.response?.messages[0]?.parts, [{ type: 'text', content: 'Hello' }]);
      assert.equal(second?.request.previousResponseId, 'resp_1');
      assert.deepEqual(second?.response?.usage, { inputTokens: 23, outputTokens: 7 });
      assert.deepEqual(second?.request.messages.length, 1);
      for (const call of calls) {
        assert.ok(call.complete && !call.damage.any && call.error === undefined);
      }
    });
  }

  it('tells the times of the messages that carried it', () => {
    const [first, second] = callsOf(TWO);
    // Calls are 1 µs apart and take 400 ns; two of the handshake come first.
    assert.equal(first?.startNs, 1_002_600n);
    assert.equal(first?.firstChunkNs, (first?.startNs ?? 0n) + 3000n + 400n);
    assert.equal(first?.chunkGapsNs.length, 4);
    assert.equal(first?.endNs, (first?.startNs ?? 0n) + 9000n + 400n);
    assert.equal(second?.startNs, (first?.startNs ?? 0n) + 10_000n);
  });

  it('the same at every split', () => {
    const whole = callsOf(TWO);
    const bytewise = wire(TWO).flatMap(({ side, bytes }) =>
      [...bytes].map((_, at): Call => ({ side, bytes: bytes.subarray(at, at + 1) })),
    );
    const split = runChain(captureEvents(bytewise)).calls;
    assert.deepEqual(split.map(answerOf), whole.map(answerOf));
  });

  it('without content keeps counts, ids and tool calls', () => {
    const [first] = callsOf(TWO, { keepContent: false });
    assert.deepEqual(first?.response?.messages[0]?.parts, []);
    assert.deepEqual(first?.request.messages[0]?.parts, []);
    assert.equal(first?.response?.usage.outputTokens, 5);
    assert.doesNotMatch(JSON.stringify(first?.request), /first/);
  });

  it('what only prepares the server is no call, and may be gone on from', () => {
    const [first, ...rest] = callsOf([
      create('', { generate: false }),
      ...textResponse('resp_0', '', usage(0, 0)),
      create('go', { previous_response_id: 'resp_0' }),
      ...textResponse('resp_1', 'ok'),
    ]);
    assert.equal(first?.response?.id, 'resp_1');
    assert.deepEqual(rest, []);
  });

  it('a tool call and the message that brings its result are one turn', () => {
    const call = { type: 'function_call', call_id: 'call_1', name: 'shell', arguments: '' };
    const response = { id: 'resp_1', status: 'in_progress' };
    const tools = [{ type: 'function', name: 'shell', parameters: { type: 'object' } }];
    const done = { ...call, arguments: '{"command":"ls"}' };
    const said: Said[] = [
      create('list', { tools }),
      ['server', { type: 'response.created', response }],
      ['server', { type: 'response.output_item.added', output_index: 0, item: call }],
      [
        'server',
        {
          type: 'response.function_call_arguments.delta',
          output_index: 0,
          delta: '{"command":"ls"}',
        },
      ],
      ['server', { type: 'response.output_item.done', output_index: 0, item: done }],
      [
        'server',
        {
          type: 'response.completed',
          response: { ...response, status: 'completed', output: [done], usage: usage(9, 3) },
        },
      ],
      [
        'client',
        {
          type: 'response.create',
          model: 'gpt-5',
          previous_response_id: 'resp_1',
          tools,
          input: [{ type: 'function_call_output', call_id: 'call_1', output: 'a.txt' }],
        },
      ],
      ...textResponse('resp_2', 'a.txt'),
    ];
    const { calls, pieces } = runChain(captureEvents(wire(said)));
    assert.deepEqual(
      calls[0]?.response?.toolCalls.map(({ id, name, argumentsText }) => [id, name, argumentsText]),
      [['call_1', 'shell', '{"command":"ls"}']],
    );
    assert.deepEqual(calls[1]?.request.toolResults, [{ id: 'call_1', text: 'a.txt' }]);
    const turns = pieces.filter((piece) => piece.kind === 'turn');
    const tool = pieces.filter((piece) => piece.kind === 'tool');
    const traces = new Set(pieces.map((piece) => piece.ids.traceId));
    assert.deepEqual([turns.length, tool.length, traces.size], [1, 1, 1]);
    assert.equal(new Set(pieces.map((piece) => piece.ids.spanId)).size, pieces.length);
  });

  it('an error is the call’s', () => {
    const error = {
      type: 'invalid_request_error',
      code: 'previous_response_not_found',
      message: 'x',
    };
    const [first, second] = callsOf([
      create('a', { previous_response_id: 'resp_0' }),
      ['server', { type: 'error', status: 400, error }],
      create('b'),
      ...textResponse('resp_2', 'fine'),
    ]);
    assert.deepEqual(first?.error, { type: 'previous_response_not_found', message: 'x' });
    assert.equal(first?.httpStatus, 400);
    assert.deepEqual(kinds(first), []);
    assert.ok(second?.complete && second.error === undefined);
  });

  it('a response that fails says why', () => {
    const error = { code: 'server_error', message: 'sorry' };
    const [first] = callsOf([
      create('a'),
      ['server', { type: 'response.created', response: { id: 'resp_1' } }],
      ['server', { type: 'response.failed', response: { id: 'resp_1', status: 'failed', error } }],
    ]);
    assert.deepEqual(first?.error, { type: 'server_error', message: 'sorry' });
    assert.equal(first?.response?.id, 'resp_1');
  });

  it('closed midway it is truncated, with what was said so far', () => {
    const close: Call = { side: 'response', bytes: frame({ opcode: 8, payload: Buffer.alloc(0) }) };
    const [first] = callsOf(TWO.slice(0, 6), { more: [close] });
    assert.deepEqual(kinds(first), ['truncated']);
    assert.equal(first?.complete, false);
    assert.equal(first?.response?.id, 'resp_1');
    assert.deepEqual(first?.response?.messages[0]?.parts, [{ type: 'text', content: 'Hel' }]);
  });

  it('asked for and never answered it is truncated', () => {
    const [first, ...rest] = callsOf([create('a')]);
    assert.deepEqual(kinds(first), ['truncated']);
    assert.equal(first?.response, undefined);
    assert.deepEqual(rest, []);
  });

  it('joined midway: the response under way is marked, the next is exact', () => {
    const [first, second, ...rest] = callsOf(TWO.slice(4), { isJoined: true });
    assert.deepEqual(kinds(first), ['joined-midway']);
    assert.deepEqual(first?.response?.usage, { inputTokens: 11, outputTokens: 5 });
    assert.equal(first?.response?.id, 'resp_1');
    assert.deepEqual(kinds(second), []);
    assert.equal(second?.request.previousResponseId, 'resp_1');
    assert.deepEqual(answerOf(second), answerOf(callsOf(TWO)[1]));
    assert.deepEqual(rest, []);
  });

  it('a message lost in a response marks it, and its counts are exact', () => {
    const calls = wire(TWO);
    (calls[2 + 4] as Call).isLost = 'announced';
    const [first, second] = runChain(captureEvents(calls)).calls;
    assert.deepEqual(kinds(first), ['gap']);
    assert.ok((first?.damage.lostBytes ?? 0) > 0);
    assert.deepEqual(first?.response?.usage, { inputTokens: 11, outputTokens: 5 });
    assert.deepEqual(kinds(second), []);
  });

  it('the last message of a response lost: it ends where the next begins, marked', () => {
    const calls = wire(TWO);
    (calls[2 + 9] as Call).isLost = 'announced';
    const [first, second] = runChain(captureEvents(calls)).calls;
    assert.deepEqual(kinds(first), ['gap']);
    assert.equal(first?.complete, false);
    assert.ok(second?.complete);
    assert.equal(second?.response?.id, 'resp_2');
  });

  it('a lost request: its response says so', () => {
    const calls = wire(TWO);
    (calls[2] as Call).isLost = 'announced';
    const [first, second] = runChain(captureEvents(calls)).calls;
    assert.deepEqual(kinds(first), ['gap']);
    assert.equal(first?.response?.id, 'resp_1');
    assert.equal(first?.request.model, undefined);
    assert.deepEqual(kinds(second), []);
  });

  it('more responses asked for than the limit: the oldest end, marked', () => {
    const calls = callsOf(Array.from({ length: 70 }, () => create('again')));
    assert.equal(calls.length, 70);
    assert.equal(calls.filter((call) => kinds(call).includes('limit')).length, 6);
  });
});

function answerOf(call: ModelCall | undefined): unknown {
  return [call?.request, call?.response, call?.error, call?.complete, kinds(call)];
}

// ---- Realtime ------------------------------------------------------------------------------------------------

const SESSION = {
  type: 'realtime',
  object: 'realtime.session',
  model: 'gpt-realtime-2026',
  output_modalities: ['audio'],
  instructions: 'Be kind.',
  max_output_tokens: 'inf',
  tools: [{ type: 'function', name: 'weather', parameters: { type: 'object' } }],
};

const COUNTS = {
  total_tokens: 253,
  input_tokens: 132,
  output_tokens: 121,
  input_token_details: {
    text_tokens: 119,
    audio_tokens: 13,
    image_tokens: 0,
    cached_tokens: 64,
    cached_tokens_details: { text_tokens: 64, audio_tokens: 0, image_tokens: 0 },
  },
  output_token_details: { text_tokens: 30, audio_tokens: 91 },
};

function realtimeResponse(id: string, transcript: string, more: object = {}): Said[] {
  const at = { response_id: id, item_id: `item_${id}`, output_index: 0, content_index: 0 };
  const response = { object: 'realtime.response', id, conversation_id: 'conv_1' };
  const item = { id: at.item_id, type: 'message', role: 'assistant', status: 'in_progress' };
  const content = [{ type: 'output_audio', transcript }];
  return [
    ['server', { type: 'response.created', response: { ...response, status: 'in_progress' } }],
    ['server', { type: 'response.output_item.added', response_id: id, output_index: 0, item }],
    ['server', { type: 'response.output_audio.delta', ...at, delta: 'UklGRgAA' }],
    ...[...transcript].map(
      (delta): Said => ['server', { type: 'response.output_audio_transcript.delta', ...at, delta }],
    ),
    ['server', { type: 'response.output_audio.done', ...at }],
    [
      'server',
      { type: 'response.output_item.done', ...at, item: { ...item, status: 'completed', content } },
    ],
    [
      'server',
      {
        type: 'response.done',
        response: { ...response, status: 'completed', output: [], usage: COUNTS, ...more },
      },
    ],
    ['server', { type: 'rate_limits.updated', rate_limits: [] }],
  ];
}

const GREETING: Said[] = [
  ['server', { type: 'session.created', event_id: 'e1', session: SESSION }],
  ['server', { type: 'conversation.created', conversation: { id: 'conv_1' } }],
];

function userText(text: string): Said {
  const item = { type: 'message', role: 'user', content: [{ type: 'input_text', text }] };
  return ['client', { type: 'conversation.item.create', item }];
}

const ASK: Said = ['client', { type: 'response.create' }];

describe('the Realtime API', () => {
  const settings: RunSettings = { path: REALTIME };

  it('a response that the client asks for', () => {
    const [call, ...rest] = callsOf(
      [...GREETING, userText('hi'), ASK, ...realtimeResponse('resp_A', 'Hello')],
      settings,
    );
    assert.ok(call && rest.length === 0);
    assert.equal(call.api, 'openai.realtime');
    assert.equal(call.request.model, 'gpt-realtime-2026');
    assert.equal(call.request.outputType, 'speech');
    assert.equal(call.request.maxTokens, undefined);
    assert.equal(call.request.conversationId, 'conv_1');
    assert.deepEqual(call.request.systemInstructions, [{ type: 'text', content: 'Be kind.' }]);
    assert.deepEqual(call.request.toolDefinitions, [
      { type: 'function', name: 'weather', parameters: { type: 'object' } },
    ]);
    assert.deepEqual(call.request.messages, [
      { role: 'user', parts: [{ type: 'text', content: 'hi' }] },
    ]);
    assert.deepEqual(call.response?.messages[0]?.parts, [{ type: 'text', content: 'Hello' }]);
    assert.deepEqual(call.response?.finishReasons, ['completed']);
    assert.deepEqual(call.response?.usage, {
      inputTokens: 132,
      outputTokens: 121,
      cacheReadInputTokens: 64,
      byModality: {
        text: { inputTokens: 119, outputTokens: 30, cacheReadInputTokens: 64 },
        audio: { inputTokens: 13, outputTokens: 91, cacheReadInputTokens: 0 },
      },
    });
    assert.ok(call.complete && !call.damage.any);
    // The first audio is the first chunk, and nothing of it is kept.
    assert.equal(call.firstChunkNs, call.startNs + 3400n);
    assert.doesNotMatch(JSON.stringify([call.request, call.response]), /UklGR/);
  });

  it('a response that the server begins when the user stops speaking', () => {
    const [call] = callsOf(
      [
        ...GREETING,
        ['client', { type: 'input_audio_buffer.append', audio: 'UklGRgAA' }],
        ['server', { type: 'input_audio_buffer.committed', item_id: 'item_1' }],
        ...realtimeResponse('resp_A', 'Yes').slice(0, 2),
        [
          'server',
          { type: 'conversation.item.input_audio_transcription.completed', transcript: 'Really?' },
        ],
        ...realtimeResponse('resp_A', 'Yes').slice(2),
      ],
      settings,
    );
    assert.ok(call?.complete && !call.damage.any);
    assert.equal(call.startNs, 1_000_000n + 7n * 1000n - 400n);
    assert.deepEqual(call.request.messages, [
      { role: 'user', parts: [] },
      { role: 'user', parts: [{ type: 'text', content: 'Really?' }] },
    ]);
  });

  it('a function call and its result are one turn', () => {
    const id = 'resp_A';
    const item = { type: 'function_call', call_id: 'call_1', name: 'weather', arguments: '' };
    const done = { ...item, arguments: '{"city":"Bern"}' };
    const output = { type: 'function_call_output', call_id: 'call_1', output: 'sunny' };
    const response = { id, conversation_id: 'conv_1', status: 'completed', usage: COUNTS };
    const said: Said[] = [
      ...GREETING,
      userText('weather?'),
      ASK,
      ['server', { type: 'response.created', response: { id } }],
      ['server', { type: 'response.output_item.added', response_id: id, output_index: 0, item }],
      [
        'server',
        {
          type: 'response.function_call_arguments.delta',
          response_id: id,
          output_index: 0,
          delta: done.arguments,
        },
      ],
      [
        'server',
        { type: 'response.output_item.done', response_id: id, output_index: 0, item: done },
      ],
      ['server', { type: 'response.done', response: { ...response, output: [done] } }],
      ['client', { type: 'conversation.item.create', item: output }],
      ASK,
      ...realtimeResponse('resp_B', 'Sunny'),
    ];
    const { calls, pieces } = runChain(captureEvents(wire(said, settings)));
    assert.equal(calls[0]?.response?.toolCalls[0]?.argumentsText, '{"city":"Bern"}');
    assert.deepEqual(calls[1]?.request.toolResults, [{ id: 'call_1', text: 'sunny' }]);
    assert.equal(calls[1]?.request.previousResponseId, 'resp_A');
    assert.equal(pieces.filter((piece) => piece.kind === 'turn').length, 1);
    assert.equal(new Set(pieces.map((piece) => piece.ids.traceId)).size, 1);
  });

  it('one response in the conversation and one apart from it, at the same time', () => {
    const apart = { conversation: 'none', input: [], output_modalities: ['text'] };
    const first = realtimeResponse('resp_A', 'Hello');
    const second = realtimeResponse('resp_B', 'Aside', { conversation_id: null });
    const calls = callsOf(
      [
        ...GREETING,
        userText('hi'),
        ASK,
        ['client', { type: 'response.create', response: apart }],
        ...first.slice(0, 4),
        ...second.slice(0, 5),
        ...first.slice(4),
        ...second.slice(5),
      ],
      settings,
    );
    assert.deepEqual(
      calls.map((call) => [
        call.response?.id,
        call.request.outputType,
        call.request.messages.length,
      ]),
      [
        ['resp_A', 'speech', 1],
        ['resp_B', 'text', 0],
      ],
    );
    assert.deepEqual(calls[1]?.response?.messages[0]?.parts, [{ type: 'text', content: 'Aside' }]);
  });

  it('a response that the user interrupts', () => {
    const details = { type: 'cancelled', reason: 'turn_detected' };
    const [call] = callsOf(
      [ASK, ...realtimeResponse('resp_A', 'Hel', { status: 'cancelled', status_details: details })],
      settings,
    );
    assert.deepEqual(call?.response?.finishReasons, ['turn_detected']);
    assert.ok(call?.complete && call.error === undefined);
  });

  it('a response that fails', () => {
    const error = { type: 'server_error', code: 'rate_limit_exceeded' };
    const details = { type: 'failed', error };
    const [call] = callsOf(
      [ASK, ...realtimeResponse('resp_A', '', { status: 'failed', status_details: details })],
      settings,
    );
    assert.equal(call?.error?.type, 'rate_limit_exceeded');
  });

  it('a refused request, named and not named', () => {
    const error = {
      type: 'invalid_request_error',
      code: 'conversation_already_has_active_response',
    };
    const named = { ...error, event_id: 'ev_2' };
    const calls = callsOf(
      [
        ['client', { type: 'response.create', event_id: 'ev_2' }],
        ['server', { type: 'error', error: named }],
        ASK,
        ['server', { type: 'error', error }],
        ASK,
        // Meant for something else: the response comes all the same.
        ['server', { type: 'error', error: { type: 'invalid_request_error', code: 'no_audio' } }],
        ...realtimeResponse('resp_A', 'Hi'),
      ],
      settings,
    );
    assert.deepEqual(
      calls.map((call) => [call.error?.type, call.complete, kinds(call)]),
      [
        [error.code, false, []],
        [error.code, false, []],
        [undefined, true, []],
      ],
    );
  });

  it('joined midway, the socket is recognised by its messages', () => {
    const said = [
      ...realtimeResponse('resp_A', 'Hello').slice(3),
      userText('more'),
      ASK,
      ...realtimeResponse('resp_B', 'More'),
    ];
    const [first, second, ...rest] = callsOf(said, { isJoined: true });
    assert.equal(first?.api, 'openai.realtime');
    assert.deepEqual(kinds(first), ['joined-midway']);
    assert.equal(first?.response?.usage.inputTokens, 132);
    assert.deepEqual(kinds(second), []);
    assert.deepEqual(second?.response?.messages[0]?.parts, [{ type: 'text', content: 'More' }]);
    assert.deepEqual(rest, []);
  });
});

describe('a recording of calls over a WebSocket', () => {
  const KEY = 'sk-proj-0123456789abcdefghij';
  const STARS = '*'.repeat(KEY.length);
  const said: Said[] = [
    create(`my key is ${KEY}, keep it`),
    ...textResponse('resp_1', 'Hello'),
    ['server', { type: 'response.created', response: { id: 'resp_2' } }],
    ['server', { type: 'response.output_text.delta', delta: `so ${KEY}!`, sequence_number: 1 }],
  ];

  function keyless(value: unknown): unknown {
    const text = JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? `${each}` : each));
    return JSON.parse(text.replaceAll(KEY, STARS));
  }

  for (const isDeflating of [false, true]) {
    const how = isDeflating ? ', compressed' : '';
    it(`has no key, and its replay gives the calls of the live run${how}`, () => {
      checkReplay(captureEvents(wire(said, { isDeflating })));
    });
  }

  function checkReplay(events: readonly CaptureEvent[]): void {
    const recorded = recordChain(events);
    const replayed = runChain(recorded).calls;
    const live = runChain(events).calls;
    assert.match(JSON.stringify(live[0]?.request), new RegExp(KEY));
    assert.match(
      JSON.stringify(replayed[0]?.request),
      new RegExp(`is ${STARS.replaceAll('*', '[*]')}, keep`),
    );
    assert.doesNotMatch(JSON.stringify(replayed.map((call) => call.request)), /sk-proj/);
    // All but the fingerprint of the text that had the key.
    const withoutPrints = (call: ModelCall): unknown => [call.response, call.startNs, call.endNs];
    assert.deepEqual(
      keyless(replayed.map(withoutPrints).slice(0, 1)),
      keyless(live.map(withoutPrints).slice(0, 1)),
    );
    for (const event of recorded) {
      const contents = event.type === 'data' ? (event.decoded ?? []) : [];
      assert.ok(event.type !== 'data' || !Buffer.from(event.bytes).includes('sk-proj'));
      assert.ok(contents.every(({ content }) => !Buffer.from(content).includes('sk-proj')));
    }
  }

  it('joined midway, replays the same', () => {
    const events = captureEvents(wire(said.slice(3), { isJoined: true }));
    assert.deepEqual(
      runChain(recordChain(events)).calls.map((call) => [call.response?.id, kinds(call)]),
      runChain(events).calls.map((call) => [call.response?.id, kinds(call)]),
    );
  });
});

describe('other WebSockets', () => {
  it('are no calls, nor is a server’s side', () => {
    assert.deepEqual(callsOf(TWO, { path: '/chat' }), []);
    const events = captureEvents(wire(TWO), { role: 'server' });
    assert.deepEqual(runChain(events).calls, []);
  });

  it('joined midway with compression unknown nothing is guessed', () => {
    assert.deepEqual(callsOf(TWO, { isJoined: true, isDeflating: true }), []);
  });
});
