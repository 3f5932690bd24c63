/** Requests to Gemini's interactions: which are model calls, what they ask for, and which answer they go on with. */
import assert from 'node:assert/strict';
import {
  runExchange,
  runExchanges,
  type StageSettings,
  type WireExchange,
} from '../../support/llm-fixtures/run-exchange.ts';

const TARGET = '/v1beta/interactions';
const HOST = 'generativelanguage.googleapis.com';

function call(request: unknown, wire: Partial<WireExchange> = {}, settings: StageSettings = {}) {
  const exchange = { target: TARGET, host: HOST, request, status: undefined, ...wire };
  return runExchange(exchange, { sizes: [7] }, settings).call;
}

describe('a request to Gemini’s interactions', () => {
  it('is a model call only when it runs a model or an agent', () => {
    for (const request of [
      { model: 'm', input: 'Hi' },
      { agent: 'deep-research', input: [] },
      { model: 'm', previous_interaction_id: 'v1_a', continuation_token: 't' },
      { model: 'm', continuation_token: 't' },
    ]) {
      assert.ok(call(request), JSON.stringify(request));
      assert.ok(call(request, { host: 'gateway.test', target: '/gemini/interactions' }));
    }
    for (const [target, request] of [
      [TARGET, { input: 'Hi' }],
      [TARGET, { model: 'm' }],
      ['/api/v10/interactions', { type: 2, data: { name: 'ask' } }],
      [`${TARGET}/v1_a/cancel`, {}],
    ] as const) {
      assert.equal(call(request, { target }), undefined, target);
    }
    assert.equal(call('', { method: 'GET', target: `${TARGET}/v1_a` }), undefined);
  });

  it('is one of Vertex AI where its path names a project, encoded or not', () => {
    for (const slash of ['/', '%2F']) {
      const target = ['/v1beta1', 'projects', 'p', 'locations', 'l/interactions'].join(slash);
      const made = call({ model: 'm', input: 'Hi' }, { target, host: 'gateway.test' });
      assert.equal(made?.provider, 'gcp.vertex_ai');
    }
  });

  it('that is torn is one where the host says so', () => {
    const torn = { isRequestComplete: false };
    assert.deepEqual(call('{"input":"Wha', torn)?.request.messages, []);
    assert.ok(call('{"model":"m","input":[{"type":"te', { ...torn, host: 'gateway.test' }));
    assert.equal(call('{"type":2,"data":{', { ...torn, host: 'gateway.test' }), undefined);
  });

  it('says what it asks for', () => {
    const made = call({
      model: 'gemini-3-flash-preview',
      stream: true,
      background: false,
      store: true,
      previous_interaction_id: 'v1_a',
      service_tier: 'flex',
      system_instruction: 'Be brief.',
      generation_config: {
        max_output_tokens: 100,
        temperature: 0.3,
        top_p: 0.75,
        seed: 7,
        stop_sequences: ['END', 1],
        thinking_level: 'low',
      },
      response_format: { type: 'text', mime_type: 'application/json', schema: { a: 'b' } },
      input: 'Hi',
      tools: [
        { type: 'function', name: 'f', description: 'd', parameters: { type: 'object' } },
        { type: 'google_search' },
        { type: 'mcp_server', name: 'db', url: 'https://db.test', headers: { authorization: 'x' } },
      ],
    })!;
    const { fingerprints, ...request } = made.request;
    assert.equal(fingerprints.length, 1);
    assert.deepEqual(request, {
      model: 'gemini-3-flash-preview',
      stream: true,
      previousResponseId: 'v1_a',
      serviceTier: 'flex',
      maxTokens: 100,
      temperature: 0.3,
      topP: 0.75,
      seed: 7,
      stopSequences: ['END'],
      reasoningLevel: 'low',
      outputType: 'json',
      systemInstructions: [{ type: 'text', content: 'Be brief.' }],
      messages: [{ role: 'user', parts: [{ type: 'text', content: 'Hi' }] }],
      toolResults: [],
      toolDefinitions: [
        { type: 'function', name: 'f', description: 'd', parameters: { type: 'object' } },
        { type: 'google_search', name: 'google_search' },
        { type: 'mcp_server', name: 'db' },
      ],
    });
    assert.deepEqual([made.operation, made.provider], ['generate_content', 'gcp.gemini']);
    const silent = call(
      { model: 'm', input: 'Hi', system_instruction: 'Be brief.' },
      {},
      {
        keepContent: false,
      },
    )!.request;
    assert.deepEqual(silent.systemInstructions, []);
    assert.deepEqual(silent.messages, [{ role: 'user', parts: [] }]);
    assert.deepEqual(silent.fingerprints, call({ model: 'm', input: 'Hi' })!.request.fingerprints);
  });

  it('says what it wants the answer to be', () => {
    for (const [format, outputType] of [
      [{ type: 'text' }, 'text'],
      [{ type: 'text', schema: {} }, 'json'],
      [{ type: 'object', properties: {} }, 'json'],
      [{ type: 'image', aspect_ratio: '1:1' }, 'image'],
      [{ type: 'audio' }, 'speech'],
      [{ type: 'video' }, undefined],
      [[{ type: 'text' }, { type: 'image' }], 'image'],
      [undefined, undefined],
    ] as const) {
      const made = call({ model: 'm', input: 'Hi', response_format: format })!;
      assert.equal(made.request.outputType, outputType, JSON.stringify(format));
    }
    const older = { response_modalities: ['text', 'audio'], response_mime_type: 'text/plain' };
    assert.equal(call({ model: 'm', input: 'Hi', ...older })!.request.outputType, 'speech');
    const json = { response_mime_type: 'application/json' };
    assert.equal(call({ model: 'm', input: 'Hi', ...json })!.request.outputType, 'json');
  });

  it('has the steps of an answer as one message, and each result of a tool as its own', () => {
    const input = [
      { type: 'user_input', content: [{ type: 'text', text: 'Add.' }] },
      { type: 'thought', signature: 'x', summary: [{ type: 'text', text: 'Hm.' }] },
      { type: 'model_output', content: [{ type: 'text', text: 'I add.' }] },
      { type: 'google_search_call', id: 's1', signature: 'y', arguments: { queries: ['q'] } },
      { type: 'function_call', id: 'c1', name: 'add', arguments: { x: 17 } },
      { type: 'function_call', id: 'c2', name: 'add', arguments: {} },
      { type: 'function_result', call_id: 'c1', name: 'add', result: { result: 42 } },
      { type: 'function_result', call_id: 'c2', is_error: true, result: 'Too big.' },
      { type: 'function_result', call_id: 'c3', result: [{ type: 'text', text: 'a' }] },
      { type: 'function_result', call_id: 'c4', result: [1, 2] },
      { type: 'user_input', content: [{ type: 'text', text: 'And?' }] },
    ];
    const { messages, toolResults } = call({ model: 'm', input })!.request;
    assert.deepEqual(messages, [
      { role: 'user', parts: [{ type: 'text', content: 'Add.' }] },
      {
        role: 'assistant',
        parts: [
          { type: 'reasoning', content: 'Hm.' },
          { type: 'text', content: 'I add.' },
          {
            type: 'server_tool_call',
            name: 'google_search',
            id: 's1',
            server_tool_call: { type: 'google_search_call', arguments: '{"queries":["q"]}' },
          },
          { type: 'tool_call', name: 'add', id: 'c1', arguments: { x: 17 } },
          { type: 'tool_call', name: 'add', id: 'c2', arguments: {} },
        ],
      },
      ...[
        ['c1', '{"result":42}'],
        ['c2', 'Too big.'],
        ['c3', 'a'],
        ['c4', '[1,2]'],
      ].map(([id, response]) => ({
        role: 'tool',
        parts: [{ type: 'tool_call_response', response, id }],
      })),
      { role: 'user', parts: [{ type: 'text', content: 'And?' }] },
    ]);
    assert.deepEqual(toolResults, [
      { id: 'c1', text: '{"result":42}' },
      { id: 'c2', isError: true, text: 'Too big.' },
      { id: 'c3', text: 'a' },
      { id: 'c4', text: '[1,2]' },
    ]);
  });

  it('has contents without a step as one input, and the roles that steps once had', () => {
    const contents = [
      { type: 'text', text: 'What is it?' },
      { type: 'image', mime_type: 'image/png', data: 'iVBORw0K' },
      { type: 'document', mime_type: 'application/pdf', uri: 'https://files.test/1' },
    ];
    const parts = [
      { type: 'text', content: 'What is it?' },
      { type: 'blob', modality: 'image', content: 'iVBORw0K', mime_type: 'image/png' },
      {
        type: 'uri',
        modality: 'document',
        uri: 'https://files.test/1',
        mime_type: 'application/pdf',
      },
    ];
    const messagesOf = (input: unknown) => call({ model: 'm', input })!.request.messages;
    assert.deepEqual(messagesOf(contents), [{ role: 'user', parts }]);
    assert.deepEqual(messagesOf(contents[1]), [{ role: 'user', parts: [parts[1]] }]);
    const turns = [
      { role: 'user', content: 'Hi' },
      { role: 'model', content: [{ type: 'text', text: 'Ho' }] },
    ];
    assert.deepEqual(
      messagesOf(turns).map(({ role }) => role),
      ['user', 'assistant'],
    );
  });

  it('that repeats an answer has its fingerprint', () => {
    const steps = [
      { type: 'thought', signature: 'x' },
      { type: 'model_output', content: [{ type: 'text', text: 'I add.' }] },
      { type: 'function_call', id: 'c1', name: 'add', arguments: { x: 17 } },
    ];
    const answer = { id: 'v1_a', status: 'requires_action', steps };
    const asked = call(
      { model: 'm', input: 'Add.' },
      { status: 200, response: JSON.stringify(answer) },
    )!;
    const again = call({ model: 'm', input: [{ type: 'text', text: 'Add.' }, ...steps] })!;
    assert.deepEqual(again.request.fingerprints, [
      ...asked.request.fingerprints,
      ...asked.response!.fingerprints,
    ]);
  });
});

describe('an interaction in the background', () => {
  const USAGE = { total_input_tokens: 7, total_output_tokens: 5 };
  const done = { id: 'v1_a', status: 'completed', steps: [], usage: USAGE };

  function exchange(method: string, target: string, answer: object): WireExchange {
    const request = method === 'GET' ? '' : { agent: 'a', input: 'Look', background: true };
    return { method, target, host: HOST, request, status: 200, response: JSON.stringify(answer) };
  }

  it('is counted by the fetch that brings its end, and by no other', () => {
    const path = `${TARGET}/v1_a`;
    const observed = runExchanges([
      exchange('GET', path, done),
      exchange('POST', TARGET, { id: 'v1_a', status: 'in_progress' }),
      exchange('GET', path, { id: 'v1_a', status: 'in_progress' }),
      exchange('GET', `${path}?stream=true&last_event_id=ev-4`, done),
      exchange('GET', path, done),
    ]);
    assert.deepEqual(
      observed.map(({ call: made }) => made && [made.api, made.operation, made.response!.usage]),
      [
        undefined,
        ['gemini.interactions', 'generate_content', {}],
        ['gemini.stored_interaction', 'fetch_response', {}],
        ['gemini.stored_interaction', 'fetch_response', { inputTokens: 7, outputTokens: 5 }],
        undefined,
      ],
    );
    const { request, provider } = observed[3]!.call!;
    assert.deepEqual([request.stream, request.streamCursor], [true, 'ev-4']);
    assert.equal(provider, 'gcp.gemini');
    const [begun] = observed[1]!.call!.response!.messages;
    assert.equal(begun, undefined);
  });

  it('has no counts before its end, of which the end has all', () => {
    const path = `${TARGET}/v1_a`;
    const begun = { id: 'v1_a', status: 'in_progress', usage: { total_input_tokens: 7 } };
    const observed = runExchanges([
      exchange('POST', TARGET, begun),
      exchange('GET', path, begun),
      exchange('GET', path, done),
    ]);
    assert.deepEqual(
      observed.map(({ call: made }) => made?.response?.usage),
      [{}, {}, { inputTokens: 7, outputTokens: 5 }],
    );
  });

  it('is fetched again where the fetch of its end was cut off', () => {
    const path = `${TARGET}/v1_a`;
    const whole = exchange('GET', path, done);
    const cut = String(whole.response).indexOf('"total_output_tokens"');
    const observed = runExchanges([
      exchange('POST', TARGET, { id: 'v1_a', status: 'in_progress' }),
      { ...whole, response: String(whole.response).slice(0, cut), isResponseComplete: false },
      whole,
      whole,
    ]);
    assert.deepEqual(
      observed.map(({ call: made }) => made?.response?.usage),
      [{}, {}, { inputTokens: 7, outputTokens: 5 }, undefined],
    );
  });

  it('is the one that was asked for, whatever id its end has', () => {
    const path = `${TARGET}/v1_a`;
    const { id: _, ...nameless } = done;
    const observed = runExchanges([
      exchange('POST', TARGET, { id: 'v1_a', status: 'in_progress' }),
      exchange('GET', path, nameless),
      exchange('GET', path, nameless),
      exchange('POST', TARGET, { id: 'v1_b', status: 'in_progress' }),
      exchange('GET', `${TARGET}/v1_b`, { ...done, id: 'other' }),
      exchange('GET', `${TARGET}/v1_b`, done),
    ]);
    const counted = { inputTokens: 7, outputTokens: 5 };
    assert.deepEqual(
      observed.map(({ call: made }) => made?.response?.usage),
      [{}, counted, undefined, {}, counted, undefined],
    );
  });
});

describe('the steps of a streamed interaction', () => {
  function streamed(list: readonly object[], settings: StageSettings = {}) {
    const response = list.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('');
    const wire = { status: 200, contentType: 'text/event-stream', response };
    return call({ model: 'm', input: 'Go', stream: true }, wire, settings)!;
  }

  it('keep the order of texts and pictures', () => {
    const delta = (value: object): object => ({ event_type: 'step.delta', index: 0, delta: value });
    const text = (piece: string): object => delta({ type: 'text', text: piece });
    const made = streamed([
      { event_type: 'step.start', index: 0, step: { type: 'model_output' } },
      ...['a', 'b', 'c'].map(text),
      delta({ type: 'image', mime_type: 'image/png', data: 'QUFB' }),
      ...['d', 'e'].map(text),
      { event_type: 'step.stop', index: 0 },
    ]);
    assert.deepEqual(
      made.response!.messages[0]!.parts.map((part) => (part as { content: string }).content),
      ['abc', 'QUFB', 'de'],
    );
  });

  it('that the service runs itself hold no more than a call may', () => {
    const grow = (index: number, value: object): object => ({
      event_type: 'step.delta',
      index,
      delta: { type: 'google_search_call', ...value },
    });
    const begin = (index: number): object => ({
      event_type: 'step.start',
      index,
      step: { type: 'google_search_call', id: `s${index}` },
    });
    const list = [
      begin(0),
      begin(1),
      grow(0, { one: 'A'.repeat(400) }),
      grow(1, { two: 'B'.repeat(400) }),
      grow(0, { three: 'C'.repeat(400) }),
      { event_type: 'step.stop', index: 0 },
      { event_type: 'step.stop', index: 1 },
    ];
    const made = streamed(list, { limits: { maxCallContentBytes: 1500 } });
    assert.deepEqual([...made.damage.kinds], ['limit', 'truncated']);
    const held = JSON.stringify(made.response!.messages);
    assert.deepEqual(
      ['AAA', 'BBB', 'CCC'].map((text) => held.includes(text)),
      [true, true, false],
    );
    assert.deepEqual([...streamed(list).damage.kinds], ['truncated']);
  });
});

describe('a picture in a stream of an interaction', () => {
  it('is held only as far as it is kept', () => {
    const image = { type: 'image', mime_type: 'image/png', data: 'A'.repeat(5000) };
    const list = [
      { event_type: 'step.start', index: 0, step: { type: 'model_output' } },
      { event_type: 'step.delta', index: 0, delta: image },
      { event_type: 'step.delta', index: 0, delta: image },
      { event_type: 'interaction.completed', interaction: { id: 'v1_a', status: 'completed' } },
    ];
    const wire = {
      status: 200,
      contentType: 'text/event-stream',
      response: list.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(''),
    };
    const limits = { maxContentBytes: 1000, limits: { maxCallContentBytes: 1500 } };
    const cut = call({ model: 'm', input: 'Draw', stream: true }, wire, limits)!;
    assert.deepEqual(
      cut.response!.messages[0]!.parts.map((part) => (part as { content: string }).content.length),
      // Four bytes went to the prompt.
      [1000, 496],
    );
    assert.deepEqual([...cut.damage.kinds], ['limit']);
    const silent = call({ model: 'm', input: 'Draw', stream: true }, wire, { keepContent: false })!;
    assert.deepEqual([...silent.damage.kinds], []);
    assert.equal(silent.complete, true);
    assert.notEqual(silent.firstChunkNs, undefined);
  });
});
