/** Each kind of piece as a span: names, kinds, attributes, status, and what must not be there. */
import assert from 'node:assert/strict';
import type { Attributes } from '@opentelemetry/api';
import type { CallRequest, CallResponse, ModelCall } from '../../../src/llm/model-call.ts';
import type { StoryPiece } from '../../../src/session/story.ts';
import { contentPolicy } from '../../../src/telemetry/content.ts';
import { describePiece } from '../../../src/telemetry/piece-span.ts';
import { CONVENTIONS, type Generation } from '../../../src/telemetry/semconv.ts';
import {
  at,
  callPiece,
  damaged,
  makeCall,
  makeProcess,
  processPiece,
  spanId,
  TRACE_ID,
  toolPiece,
  turnPiece,
  WORKLOAD,
} from '../../support/story-pieces.ts';

const OFF = contentPolicy('NO_CONTENT');
const ON = contentPolicy('SPAN_ONLY', (text) => text.replace(/hunter2/g, '*******'));

const describeIn = (piece: StoryPiece, content = OFF, generation: Generation = '1.41') =>
  describePiece(piece, content, CONVENTIONS[generation]);
const describeOff = (piece: StoryPiece) => describeIn(piece);

function requestWith(fields: Partial<CallRequest>): ModelCall {
  const call = makeCall();
  return { ...call, request: { ...call.request, ...fields } };
}

function responseWith(fields: Partial<CallResponse>): ModelCall {
  const call = makeCall();
  return { ...call, response: { ...(call.response as CallResponse), ...fields } };
}

describe('the span of a call', () => {
  it('has exactly these attributes for a plain streamed call', () => {
    const span = describeOff(callPiece());
    assert.equal(span.name, 'chat claude-opus-4-1');
    assert.equal(span.kind, 'client');
    assert.equal(span.startNs, at(10));
    assert.equal(span.endNs, at(1210));
    assert.equal(span.error, undefined);
    assert.deepEqual(span.attributes, {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'anthropic',
      'gen_ai.request.model': 'claude-opus-4-1',
      'gen_ai.request.stream': true,
      'gen_ai.request.max_tokens': 1024,
      'gen_ai.response.id': 'msg_01',
      'gen_ai.response.model': 'claude-opus-4-1-20250805',
      'gen_ai.response.finish_reasons': ['end_turn'],
      'gen_ai.response.time_to_first_chunk': 0.3105,
      'gen_ai.usage.input_tokens': 1200,
      'gen_ai.usage.output_tokens': 45,
      'gen_ai.usage.cache_read.input_tokens': 1000,
      'gen_ai.usage.cache_creation.input_tokens': 0,
      'server.address': 'api.anthropic.com',
      'server.port': 443,
    });
  });

  const rules: {
    name: string;
    call: ModelCall;
    has?: Attributes;
    lacks?: string[];
  }[] = [
    {
      name: 'says nothing of streaming when the request did not ask for it',
      call: requestWith({ stream: false }),
      lacks: ['gen_ai.request.stream', 'gen_ai.response.time_to_first_chunk'],
    },
    {
      name: 'names the number of choices only when it is not 1',
      call: requestWith({ choiceCount: 1 }),
      lacks: ['gen_ai.request.choice.count'],
    },
    {
      name: 'names two choices, in their order',
      call: {
        ...requestWith({ choiceCount: 2 }),
        response: responseWith({ finishReasons: ['stop', 'length'] }).response!,
      },
      has: {
        'gen_ai.request.choice.count': 2,
        'gen_ai.response.finish_reasons': ['stop', 'length'],
      },
    },
    {
      name: 'carries every parameter of the request with its name',
      call: requestWith({
        temperature: 0.7,
        topP: 0.9,
        topK: 40,
        frequencyPenalty: 0.1,
        presencePenalty: -0.2,
        stopSequences: ['END'],
        seed: 7,
        outputType: 'json',
      }),
      has: {
        'gen_ai.request.temperature': 0.7,
        'gen_ai.request.top_p': 0.9,
        'gen_ai.request.top_k': 40,
        'gen_ai.request.frequency_penalty': 0.1,
        'gen_ai.request.presence_penalty': -0.2,
        'gen_ai.request.stop_sequences': ['END'],
        'gen_ai.request.seed': 7,
        'gen_ai.output.type': 'json',
      },
    },
    {
      name: 'leaves out what the wire did not say',
      call: {
        ...requestWith({ stopSequences: [] }),
        response: { finishReasons: [], usage: {}, messages: [], fingerprints: [], toolCalls: [] },
      },
      lacks: [
        'gen_ai.request.stop_sequences',
        'gen_ai.response.id',
        'gen_ai.response.model',
        'gen_ai.response.finish_reasons',
        'gen_ai.usage.input_tokens',
        'gen_ai.usage.output_tokens',
        'gen_ai.usage.cache_read.input_tokens',
        'gen_ai.usage.reasoning.output_tokens',
      ],
    },
    {
      name: 'keeps a count of 0',
      call: responseWith({ usage: { inputTokens: 0, outputTokens: 0, reasoningOutputTokens: 0 } }),
      has: {
        'gen_ai.usage.input_tokens': 0,
        'gen_ai.usage.output_tokens': 0,
        'gen_ai.usage.reasoning.output_tokens': 0,
      },
      lacks: ['gen_ai.usage.cache_read.input_tokens'],
    },
    {
      name: 'has no port without an address',
      call: (() => {
        const { serverAddress: _, ...call } = makeCall();
        return call;
      })(),
      lacks: ['server.address', 'server.port'],
    },
    {
      name: 'carries the refinements of the OpenAI API',
      call: {
        ...requestWith({ serviceTier: 'flex' }),
        ...{ api: 'openai.chat_completions', provider: 'openai' },
        response: responseWith({ serviceTier: 'default', systemFingerprint: 'fp_1' }).response!,
      },
      has: {
        'gen_ai.provider.name': 'openai',
        'openai.api.type': 'chat_completions',
        'openai.request.service_tier': 'flex',
        'openai.response.service_tier': 'default',
        'openai.response.system_fingerprint': 'fp_1',
      },
    },
    {
      name: 'leaves the requested service tier out when it is auto',
      call: { ...requestWith({ serviceTier: 'auto' }), api: 'openai.chat_completions' },
      lacks: ['openai.request.service_tier'],
    },
    {
      name: 'has no OpenAI refinement on another API',
      call: { ...requestWith({ serviceTier: 'standard_only' }) },
      lacks: ['openai.api.type', 'openai.request.service_tier', 'openai.response.service_tier'],
    },
    {
      name: 'says what is missing and how much',
      call: makeCall({ damage: damaged(['gap', 'truncated'], 4096) }),
      has: { 'sightline.damage': ['gap', 'truncated'], 'sightline.lost_bytes': 4096 },
    },
    {
      name: 'does not invent an amount where none is known',
      call: makeCall({ damage: damaged(['joined-midway']) }),
      has: { 'sightline.damage': ['joined-midway'] },
      lacks: ['sightline.lost_bytes'],
    },
  ];
  for (const { name, call, has = {}, lacks = [] } of rules) {
    it(name, () => {
      const { attributes } = describeOff(callPiece(call));
      for (const [key, value] of Object.entries(has)) {
        assert.deepEqual(attributes[key], value, key);
      }
      for (const key of lacks) {
        assert.ok(!(key in attributes), `${key} is there`);
      }
    });
  }

  it('is named by the operation alone when the model is unknown', () => {
    const call = makeCall();
    const { model: _, ...request } = call.request;
    assert.equal(describeOff(callPiece({ ...call, request })).name, 'chat');
  });

  it('says which cloud has Azure AI Inference, and which guardrail Bedrock', () => {
    const azure = describeOff(callPiece({ ...makeCall(), provider: 'azure.ai.inference' }));
    assert.equal(
      azure.attributes['azure.resource_provider.namespace'],
      'Microsoft.CognitiveServices',
    );
    const guarded = describeOff(callPiece(requestWith({ guardrailId: 'g-1' })));
    assert.equal(guarded.attributes['aws.bedrock.guardrail.id'], 'g-1');
    assert.equal(guarded.attributes['azure.resource_provider.namespace'], undefined);
  });

  it('has an error status exactly when it has an error type', () => {
    const failed = describeOff(
      callPiece(makeCall({ error: { type: 'rate_limit_error', message: 'Slow down' } })),
    );
    assert.equal(failed.attributes['error.type'], 'rate_limit_error');
    assert.deepEqual(failed.error, { message: 'Slow down' });
    const nameless = describeOff(callPiece(makeCall({ error: { type: '529' } })));
    assert.equal(nameless.attributes['error.type'], '529');
    assert.deepEqual(nameless.error, {});
    const fine = describeOff(callPiece());
    assert.ok(!('error.type' in fine.attributes));
    assert.equal(fine.error, undefined);
  });

  it("masks credentials in a provider's error message", () => {
    const call = makeCall({ error: { type: 'x', message: 'Incorrect key: hunter2' } });
    assert.deepEqual(describeIn(callPiece(call), ON).error, {
      message: 'Incorrect key: *******',
    });
  });

  it('masks what an error message calls a key, of whatever shape', () => {
    for (const [message, masked] of [
      ['Received API Key = CANARY12, x', 'Received API Key = ********, x'],
      ['Incorrect API key provided: ab-c.', 'Incorrect API key provided: *****'],
      ['Invalid token: "ab c"', 'Invalid token: "****"'],
      ['Bad x-goog-api-key=ab; retry', 'Bad x-goog-api-key=**; retry'],
      ['Limit of tokens: 5', 'Limit of tokens: 5'],
      ['Unexpected token in JSON', 'Unexpected token in JSON'],
    ]) {
      const call = makeCall({ error: { type: 'x', message: message as string } });
      assert.equal(describeIn(callPiece(call), OFF).error?.message, masked);
    }
  });

  it('names its process when that is not the root of the workload', () => {
    const child = makeProcess({ ref: { pid: 77, startNs: 8n }, executable: '/usr/bin/python3.11' });
    const { attributes } = describeOff(callPiece(makeCall(), { process: child }));
    assert.equal(attributes['process.pid'], 77);
    assert.equal(attributes['process.executable.name'], 'python3.11');
  });

  it("joins the application's trace with its flags, linked to its turn", () => {
    const parentSpanId = '00f067aa0ba902b7';
    const span = describeOff(
      callPiece(makeCall({ traceparent: `00-${TRACE_ID}-${parentSpanId}-00` }), {
        ids: { traceId: TRACE_ID, spanId: spanId(2), parentSpanId },
        turn: { traceId: 'a'.repeat(32), spanId: spanId(1) },
      }),
    );
    assert.equal(span.remoteParentFlags, 0);
    assert.deepEqual(span.links, [
      { ids: { traceId: 'a'.repeat(32), spanId: spanId(1) }, kind: 'turn' },
    ]);
  });

  it('is no remote child, and not linked, below its own turn', () => {
    const span = describeOff(
      callPiece(makeCall(), { turn: { traceId: TRACE_ID, spanId: spanId(1) } }),
    );
    assert.equal(span.remoteParentFlags, undefined);
    assert.deepEqual(span.links, []);
  });

  it('carries content only when that is on, as JSON text, masked', () => {
    const call = requestWith({
      systemInstructions: [{ type: 'text', content: 'Be brief.' }],
      messages: [
        { role: 'user', parts: [{ type: 'text', content: 'My password is hunter2' }] },
        {
          role: 'assistant',
          parts: [
            { type: 'tool_call', name: 'login', id: 't1', arguments: { password: 'swordfish' } },
          ],
        },
      ],
      toolDefinitions: [
        { type: 'function', name: 'login', description: 'Logs in', parameters: {} },
      ],
    });
    const off = describeOff(callPiece(call)).attributes;
    assert.ok(!Object.keys(off).some((key) => /messages|instructions|definitions/.test(key)));
    const on = describeIn(callPiece(call), ON).attributes;
    assert.equal(on['gen_ai.system_instructions'], '[{"type":"text","content":"Be brief."}]');
    assert.deepEqual(JSON.parse(String(on['gen_ai.input.messages'])), [
      { role: 'user', parts: [{ type: 'text', content: 'My password is *******' }] },
      {
        role: 'assistant',
        parts: [
          { type: 'tool_call', name: 'login', id: 't1', arguments: { password: '*********' } },
        ],
      },
    ]);
    assert.equal(
      on['gen_ai.output.messages'],
      '[{"role":"assistant","parts":[{"type":"text","content":"Two: a and b."}],"finish_reason":"stop"}]',
    );
    assert.equal(on['gen_ai.tool.definitions'], '[{"type":"function","name":"login"}]');
  });
});

describe('the span of a tool call', () => {
  it('has exactly these attributes', () => {
    const span = describeOff(toolPiece());
    assert.equal(span.name, 'execute_tool Bash');
    assert.equal(span.kind, 'internal');
    assert.equal(span.error, undefined);
    assert.deepEqual(span.attributes, {
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'Bash',
      'gen_ai.tool.type': 'function',
      'gen_ai.tool.call.id': 'toolu_01',
      'sightline.evidence': 'wire+process',
    });
  });

  it('is an error when its result says so', () => {
    const span = describeOff(toolPiece({ result: { text: 'No such file', isError: true } }));
    assert.equal(span.attributes['error.type'], 'tool_error');
    assert.deepEqual(span.error, {});
  });

  it('carries JSON as it was written, but for credentials', () => {
    const argumentsText =
      '{ "id": 12345678901234567890, "id": 1.0, "q": "caf\\u00e9 hunter2",\n "token" : "a\\"b", "tokens": ["x"], "n": {"api_key":"k"} }';
    const masked =
      '{ "id": 12345678901234567890, "id": 1.0, "q": "café *******",\n "token" : "***", "tokens": ["*"], "n": {"api_key":"*"} }';
    const result = { text: '"hunter2"', isError: false };
    const piece = toolPiece({ toolCall: { name: 'x', argumentsText, timeNs: at(0) }, result });
    const { attributes } = describeIn(piece, ON);
    assert.equal(attributes['gen_ai.tool.call.arguments'], masked);
    assert.equal(attributes['gen_ai.tool.call.result'], '"*******"');
  });

  it('has no arguments and no result where these are empty', () => {
    const toolCall = { name: 'now', argumentsText: '', timeNs: at(0) };
    const { attributes } = describeIn(toolPiece({ toolCall, result: { text: '' } }), ON);
    assert.equal('gen_ai.tool.call.arguments' in attributes, false);
    assert.equal('gen_ai.tool.call.result' in attributes, false);
  });

  it('carries arguments and result only when content is on', () => {
    const { attributes } = describeIn(
      toolPiece({
        toolCall: { name: 'Bash', argumentsText: '{"command": "echo hunter2"}', timeNs: at(0) },
      }),
      ON,
    );
    assert.equal(attributes['gen_ai.tool.call.arguments'], '{"command": "echo *******"}');
    assert.equal(attributes['gen_ai.tool.call.result'], 'a\nb');
    assert.ok(!('gen_ai.tool.call.id' in attributes));
  });
});

describe('the span of a process', () => {
  it('has exactly these attributes', () => {
    const span = describeOff(processPiece());
    assert.equal(span.name, 'bash');
    assert.equal(span.kind, 'internal');
    assert.deepEqual(span.attributes, {
      'process.pid': 4300,
      'process.parent_pid': WORKLOAD.root.ref.pid,
      'process.executable.name': 'bash',
      'process.executable.path': '/usr/bin/bash',
      'process.command_args': ['bash', '-c', 'ls -a'],
      'process.exit.code': 0,
      'sightline.evidence': 'process',
    });
    assert.equal(span.error, undefined);
  });

  const ends: {
    name: string;
    exit: { exitCode?: number; signal?: number } | undefined;
    code?: number;
    error?: string;
  }[] = [
    { name: 'an exit code', exit: { exitCode: 3 }, code: 3, error: '3' },
    { name: 'a signal', exit: { signal: 9 }, error: 'SIGKILL' },
    { name: 'SIGABRT by its usual name', exit: { signal: 6 }, error: 'SIGABRT' },
    { name: 'a real-time signal', exit: { signal: 40 }, error: 'SIGNAL_40' },
    { name: 'success', exit: { exitCode: 0 }, code: 0 },
    { name: 'no end seen', exit: undefined },
  ];
  for (const { name, exit, code, error } of ends) {
    it(`tells ${name}`, () => {
      const process = makeProcess({ exit: exit && { timeNs: at(5), ...exit } });
      const span = describeOff(processPiece({ process }));
      assert.equal(span.attributes['process.exit.code'], code);
      assert.equal(span.attributes['error.type'], error);
      assert.equal(span.error === undefined, error === undefined);
    });
  }

  it('says when its arguments were cut, and when it still ran', () => {
    const process = makeProcess();
    process.programs[0]!.argvLostBytes = 70_000;
    const { attributes } = describeOff(processPiece({ process, damage: damaged(['truncated']) }));
    assert.deepEqual(attributes['sightline.damage'], ['truncated', 'limit']);
    assert.equal(attributes['sightline.lost_bytes'], 70_000);
  });
});

describe('the span of a turn', () => {
  it('has exactly these attributes', () => {
    const span = describeOff(turnPiece({ calls: [makeCall(), makeCall()] }));
    assert.equal(span.name, 'invoke_agent claude-code');
    assert.equal(span.kind, 'internal');
    assert.deepEqual(span.attributes, {
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.provider.name': 'anthropic',
      'gen_ai.agent.name': 'claude-code',
      'gen_ai.request.model': 'claude-opus-4-1',
      'gen_ai.usage.input_tokens': 2400,
      'gen_ai.usage.output_tokens': 90,
      'gen_ai.usage.cache_read.input_tokens': 2000,
      'gen_ai.usage.cache_creation.input_tokens': 0,
      'gen_ai.response.finish_reasons': ['end_turn'],
      'sightline.turn.ended_by': 'answer',
    });
  });

  it('sums a count only when every answered call has it', () => {
    const { attributes } = describeOff(
      turnPiece({ calls: [makeCall(), responseWith({ usage: { inputTokens: 10 } })] }),
    );
    assert.equal(attributes['gen_ai.usage.input_tokens'], 1210);
    assert.ok(!('gen_ai.usage.output_tokens' in attributes));
    assert.ok(!('gen_ai.usage.cache_read.input_tokens' in attributes));
  });

  it('does not let a refused call take the sum away, but a broken-off one', () => {
    const { response: _, ...unanswered } = makeCall();
    const refused = { ...unanswered, httpStatus: 429, error: { type: '429' } };
    const brokenOff = { ...unanswered, httpStatus: 200, error: { type: '_OTHER' } };
    const sum = (calls: ModelCall[]) =>
      describeOff(turnPiece({ calls })).attributes['gen_ai.usage.input_tokens'];
    assert.equal(sum([refused, makeCall()]), 1200);
    assert.equal(sum([brokenOff, makeCall()]), undefined);
    assert.equal(sum([refused]), undefined);
  });

  it('has no sums when calls were not kept', () => {
    const { attributes } = describeOff(turnPiece({ calls: [makeCall()], callCount: 2 }));
    assert.ok(!('gen_ai.usage.input_tokens' in attributes));
  });

  it('names no model when its calls had several', () => {
    const { attributes } = describeOff(
      turnPiece({ calls: [makeCall(), requestWith({ model: 'claude-haiku-4-5' })] }),
    );
    assert.ok(!('gen_ai.request.model' in attributes));
  });

  const ends = [
    ['answer', undefined],
    ['new-prompt', undefined],
    ['process-exit', undefined],
    ['source-end', undefined],
    ['timeout', 'timeout'],
    ['error', 'overloaded_error'],
  ] as const;
  for (const [endedBy, errorType] of ends) {
    it(`that ended by ${endedBy} has ${errorType ?? 'no error'}`, () => {
      const calls = [makeCall({ error: { type: 'overloaded_error' } })];
      const span = describeOff(turnPiece({ endedBy, calls }));
      assert.equal(span.attributes['error.type'], errorType);
      assert.equal(span.error === undefined, errorType === undefined);
      assert.equal(span.attributes['sightline.turn.ended_by'], endedBy);
    });
  }

  it('is linked to the turn before it', () => {
    const previous = { traceId: 'b'.repeat(32), spanId: spanId(9) };
    assert.deepEqual(describeOff(turnPiece({ previous })).links, [
      { ids: previous, kind: 'previous_turn' },
    ]);
  });

  it('carries the prompt and the answer when content is on', () => {
    const { attributes } = describeIn(turnPiece(), ON);
    assert.match(String(attributes['gen_ai.input.messages']), /Which files are here\?/);
    assert.match(String(attributes['gen_ai.output.messages']), /Two: a and b\./);
  });
});
