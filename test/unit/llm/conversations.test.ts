/** Requests to Mistral's conversations: which are model calls, what they ask for, and in which conversation. */
import assert from 'node:assert/strict';
import { runExchange, type WireExchange } from '../../support/llm-fixtures/run-exchange.ts';

const TARGET = '/v1/conversations';
const HOST = 'api.mistral.ai';

function call(request: unknown, wire: Partial<WireExchange> = {}) {
  const exchange = { target: TARGET, host: HOST, request, status: undefined, ...wire };
  return runExchange(exchange, { sizes: [7] }).call;
}

describe('a request to Mistral’s conversations', () => {
  it('is a model call only when it runs a model or an agent', () => {
    for (const [target, request] of [
      [TARGET, { model: 'm', inputs: 'Hi' }],
      [TARGET, { agent_id: 'ag_1', inputs: [] }],
      [`${TARGET}/conv_1`, { inputs: 'Hi' }],
      [`${TARGET}/conv_1`, { tool_confirmations: [{ tool_call_id: 'c', confirmation: 'allow' }] }],
      [`${TARGET}/conv_1/restart`, { from_entry_id: 'msg_1' }],
    ] as const) {
      assert.ok(call(request, { target }), `${target} ${JSON.stringify(request)}`);
      assert.ok(call(request, { target: `/mistral${target}`, host: 'gateway.test' }));
    }
    // OpenAI's conversations have the same paths.
    for (const [target, request] of [
      [TARGET, { items: [{ type: 'message', role: 'user', content: 'Hi' }] }],
      [TARGET, {}],
      [`${TARGET}/conv_1`, { metadata: { a: 'b' } }],
      [`${TARGET}/conv_1/items`, { items: [] }],
      [TARGET, { inputs: 'Hi' }],
    ] as const) {
      assert.equal(call(request, { target, host: 'api.openai.com' }), undefined, target);
    }
    assert.equal(call('', { method: 'GET', target: `${TARGET}/conv_1/history` }), undefined);
  });

  it('that is torn is one where the host says so', () => {
    const torn = { isRequestComplete: false };
    assert.deepEqual(call('{"inputs":"Wha', torn)?.request.messages, []);
    assert.equal(call('{"items":[{"ty', { ...torn, host: 'api.openai.com' }), undefined);
    assert.ok(call('{"model":"m","inputs":[{"ro', { ...torn, host: 'gateway.test' }));
  });

  it('says what it asks for', () => {
    const made = call({
      model: 'mistral-medium-latest',
      stream: true,
      instructions: 'Be brief.',
      completion_args: {
        stop: 'END',
        presence_penalty: 0.2,
        frequency_penalty: 0.1,
        temperature: 0.3,
        top_p: 0.75,
        max_tokens: 100,
        random_seed: 7,
        reasoning_effort: 'high',
        response_format: { type: 'json_schema', json_schema: { name: 's', schema: {} } },
      },
      inputs: 'Hi',
      tools: [
        { type: 'function', function: { name: 'f', description: 'd', parameters: {} } },
        { type: 'web_search' },
        { type: 'connector', connector_id: 'c', authorization: { type: 'api-key', value: 'x' } },
      ],
    })!;
    const { fingerprints, ...request } = made.request;
    assert.equal(fingerprints.length, 1);
    assert.deepEqual(request, {
      model: 'mistral-medium-latest',
      stream: true,
      maxTokens: 100,
      temperature: 0.3,
      topP: 0.75,
      frequencyPenalty: 0.1,
      presencePenalty: 0.2,
      seed: 7,
      stopSequences: ['END'],
      reasoningLevel: 'high',
      outputType: 'json',
      systemInstructions: [{ type: 'text', content: 'Be brief.' }],
      messages: [{ role: 'user', parts: [{ type: 'text', content: 'Hi' }] }],
      toolResults: [],
      toolDefinitions: [
        { type: 'function', name: 'f', description: 'd', parameters: {} },
        { type: 'web_search', name: 'web_search' },
        { type: 'connector', name: 'connector' },
      ],
    });
    assert.deepEqual([made.operation, made.provider], ['chat', 'mistral_ai']);
  });

  it('has the entries of an answer as one message, and brings back results of tools', () => {
    const inputs = [
      { type: 'message.input', role: 'user', content: 'Look.' },
      { type: 'message.output', role: 'assistant', content: [{ type: 'text', text: 'I look.' }] },
      { type: 'tool.execution', id: 'te_1', name: 'web_search', arguments: '{"q":1}' },
      { type: 'function.call', tool_call_id: 'c1', name: 'f', arguments: '{"a":1}' },
      { type: 'function.result', tool_call_id: 'c1', result: 'x' },
      { role: 'user', content: [{ type: 'text', text: 'And?' }] },
    ];
    const { messages, toolResults } = call({ model: 'm', inputs: inputs.slice(0, 5) })!.request;
    assert.deepEqual(toolResults, [{ id: 'c1', text: 'x' }]);
    assert.deepEqual(messages, [
      { role: 'user', parts: [{ type: 'text', content: 'Look.' }] },
      {
        role: 'assistant',
        parts: [
          { type: 'text', content: 'I look.' },
          {
            type: 'server_tool_call',
            name: 'web_search',
            id: 'te_1',
            server_tool_call: { type: 'tool.execution', arguments: '{"q":1}' },
          },
          { type: 'tool_call', name: 'f', id: 'c1', arguments: { a: 1 } },
        ],
      },
      { role: 'tool', parts: [{ type: 'tool_call_response', response: 'x', id: 'c1' }] },
    ]);
    const again = call({ model: 'm', inputs })!.request.messages;
    assert.deepEqual(again.at(-1), { role: 'user', parts: [{ type: 'text', content: 'And?' }] });
  });

  it('is in the conversation that its path or its answer names', () => {
    const answer = (id: string): Partial<WireExchange> => ({
      status: 200,
      response: JSON.stringify({ conversation_id: id, outputs: [], usage: {} }),
    });
    const idOf = (target: string, wire: Partial<WireExchange> = {}) =>
      call({ model: 'm', inputs: 'Hi' }, { target, ...wire })!.request.conversationId;
    assert.equal(idOf(TARGET), undefined);
    assert.equal(idOf(TARGET, answer('conv_1')), 'conv_1');
    assert.equal(idOf(`${TARGET}/conv%5F1`), 'conv_1');
    assert.equal(idOf(`${TARGET}/conv_1/restart`, answer('conv_2')), 'conv_2');
  });
});

describe('a document for Mistral to read', () => {
  it('is a model call where the body or the host says so, and is not kept', () => {
    const document = { type: 'document_url', document_url: 'https://a.test' };
    const target = '/v1/ocr';
    const read = call({ model: 'mistral-ocr-latest', document }, { target })!;
    assert.deepEqual([read.operation, read.request.outputType], ['generate_content', 'text']);
    assert.equal(read.request.model, 'mistral-ocr-latest');
    assert.deepEqual(read.request.messages, []);
    const host = 'scanner.test';
    assert.ok(call({ model: 'm', document }, { target, host }));
    assert.equal(call({ document }, { target, host }), undefined);
    assert.equal(call({ model: 'm', document: 'JVBERi0' }, { target, host }), undefined);
    assert.equal(call('{"document":{"ty', { target, host, isRequestComplete: false }), undefined);
  });
});

describe('tokens of Mistral’s own tools', () => {
  it('are in no count, and say that something ran beside', () => {
    const usage = {
      prompt_tokens: 188,
      completion_tokens: 55,
      total_tokens: 7355,
      connector_tokens: 7112,
    };
    const ask = (counts: object) =>
      call(
        { model: 'm', inputs: 'Hi' },
        { status: 200, response: JSON.stringify({ outputs: [], usage: counts }) },
      )!.response!;
    const { usage: counted, hasUncountedRuns } = ask(usage);
    assert.deepEqual(counted, { inputTokens: 188, outputTokens: 55 });
    assert.equal(hasUncountedRuns, true);
    assert.equal(ask({ ...usage, connector_tokens: null }).hasUncountedRuns, undefined);
  });
});

describe('a function call of a conversation behind a hole', () => {
  it('is one only when it begins with its object', () => {
    const piece = (index: number, text: string): object => ({
      type: 'function.call.delta',
      output_index: index,
      name: `f${index}`,
      tool_call_id: `c${index}`,
      arguments: text,
    });
    const list = [
      { type: 'conversation.response.started', conversation_id: 'conv_1' },
      { type: 'x'.repeat(200) },
      piece(1, '"b":'),
      piece(1, '{}'),
      piece(2, '{"b":'),
      piece(2, '1}'),
      { type: 'conversation.response.done', usage: {} },
    ];
    const response = list.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('');
    const observed = runExchange(
      {
        target: TARGET,
        host: HOST,
        request: { model: 'm', inputs: 'Hi', stream: true },
        status: 200,
        contentType: 'text/event-stream',
        response,
      },
      { sizes: [50], gapAt: response.indexOf('xxx'), lost: 20 },
    );
    assert.deepEqual(
      observed.toolCalls.map(({ name, argumentsText }) => [name, argumentsText]),
      [['f2', '{"b":1}']],
    );
    assert.equal(observed.call!.response!.toolCalls.length, 1);
  });
});

describe('the outputs of a streamed conversation', () => {
  function streamed(list: readonly object[], limits: object = {}) {
    const response = list.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('');
    const wire = {
      target: TARGET,
      host: HOST,
      request: { model: 'm', inputs: 'Go', stream: true },
    };
    const answer = { status: 200, contentType: 'text/event-stream', response };
    return runExchange({ ...wire, ...answer }, { sizes: [7] }, { limits });
  }

  it('keep the order of texts and thoughts', () => {
    const piece = (content: unknown): object => ({
      type: 'message.output.delta',
      output_index: 0,
      content_index: 0,
      content,
    });
    const { call: made } = streamed([
      ...['a', 'b', 'c'].map(piece),
      piece({ type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] }),
      ...['d', 'e'].map(piece),
    ]);
    assert.deepEqual(
      made!.response!.messages[0]!.parts.map((part) => (part as { content: string }).content),
      ['abc', 'hm', 'de'],
    );
  });

  it('are calls of their own where their ids are, under one number or none', () => {
    const piece = (id: string, text: string): object => ({
      type: 'function.call.delta',
      name: 'f',
      tool_call_id: id,
      arguments: text,
    });
    const { toolCalls } = streamed([
      piece('c1', '{"a":'),
      piece('c1', '1}'),
      piece('c2', '{"b":2}'),
      { type: 'conversation.response.done' },
    ]);
    assert.deepEqual(
      toolCalls.map(({ id, argumentsText }) => [id, argumentsText]),
      [
        ['c1', '{"a":1}'],
        ['c2', '{"b":2}'],
      ],
    );
  });

  it('of the provider’s own tools hold no more than a call may', () => {
    const event = (kind: string, more: object): object => ({
      type: `tool.execution.${kind}`,
      output_index: 0,
      name: 'web_search',
      ...more,
    });
    const list = [
      event('started', { arguments: 'A'.repeat(400) }),
      event('delta', { arguments: 'B'.repeat(400) }),
      event('delta', { arguments: 'C'.repeat(400) }),
      event('delta', { arguments: 'D' }),
      event('done', { info: {} }),
      { type: 'conversation.response.done' },
    ];
    const { call: made } = streamed(list, { maxCallContentBytes: 1000 });
    assert.deepEqual([...made!.damage.kinds], ['limit']);
    const held = JSON.stringify(made!.response!.messages);
    assert.deepEqual(
      ['AAA', 'BBB', 'CCC', 'D'].map((text) => held.includes(text)),
      [true, true, false, false],
    );
    assert.deepEqual([...streamed(list).call!.damage.kinds], []);
  });

  it('begun within a hole are no calls, though nothing came before it', () => {
    const list = [
      { type: 'conversation.response.started', conversation_id: 'conv_1' },
      { type: 'function.call.delta', output_index: 0, name: 'f', arguments: '{"a":' },
      { type: 'function.call.delta', output_index: 0, name: 'f', arguments: '{"b":1}}' },
      { type: 'conversation.response.done' },
    ].map((event) => `data: ${JSON.stringify(event)}\n\n`);
    const { toolCalls } = runExchange(
      {
        target: TARGET,
        host: HOST,
        request: { model: 'm', inputs: 'Go', stream: true },
        status: 200,
        contentType: 'text/event-stream',
        response: list.join(''),
      },
      { sizes: [7], gapAt: list[0]!.length, lost: list[1]!.length },
    );
    assert.deepEqual(toolCalls, []);
  });
});
