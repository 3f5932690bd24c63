/** OpenAI's SDK reads the same bytes of the responses API, and what it gives back as history is found again. */
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { contentOf } from '../../support/llm-fixtures/check-call.ts';
import { RESPONSES_FIXTURES } from '../../support/llm-fixtures/responses-fixtures.ts';
import { runExchange } from '../../support/llm-fixtures/run-exchange.ts';

type Fixture = (typeof RESPONSES_FIXTURES)[number];

const QUESTION = 'What is the weather in Paris?';
const FIXTURES = RESPONSES_FIXTURES.filter((fixture) => fixture.isForSdk);

function clientOf(fixture: Fixture): { client: OpenAI; bodies: string[] } {
  const bodies: string[] = [];
  const { status, contentType, response } = fixture.wire;
  const client = new OpenAI({
    apiKey: 'none',
    maxRetries: 0,
    fetch: async (_url, init) => {
      bodies.push(String(init?.body));
      return new Response(response ?? '', {
        status: status ?? 500,
        headers: { 'content-type': contentType ?? 'application/json' },
      });
    },
  });
  return { client, bodies };
}

async function ask(client: OpenAI, fixture: Fixture): Promise<OpenAI.Responses.Response> {
  if (fixture.wire.contentType === undefined) {
    return client.responses.create({ model: 'gpt-5', input: QUESTION });
  }
  const stream = await client.responses.create({ model: 'gpt-5', input: QUESTION, stream: true });
  let last: OpenAI.Responses.Response | undefined;
  for await (const event of stream) {
    last = 'response' in event ? event.response : last;
  }
  assert.ok(last);
  return last;
}

describe('the OpenAI SDK agrees about responses:', () => {
  for (const fixture of FIXTURES.filter(({ expected }) => expected.error === undefined)) {
    it(fixture.name, async () => {
      const { client, bodies } = clientOf(fixture);
      const seen = await ask(client, fixture);
      const { call } = runExchange(fixture.wire, { sizes: [13, 2] });
      const response = call?.response;
      assert.ok(call && response);
      assert.equal(response.id, seen.id);
      assert.equal(response.model, seen.model);
      assert.deepEqual(response.finishReasons, [seen.incomplete_details?.reason ?? seen.status]);
      assert.equal(response.usage.inputTokens, seen.usage?.input_tokens);
      assert.equal(response.usage.outputTokens, seen.usage?.output_tokens);
      const details = seen.usage?.input_tokens_details;
      assert.equal(response.usage.cacheReadInputTokens, details?.cached_tokens);
      const calls = seen.output.filter((item) => item.type === 'function_call');
      assert.deepEqual(
        response.toolCalls.map(({ id, name, argumentsText }) => ({ id, name, argumentsText })),
        calls.map((item) => ({
          id: item.call_id,
          name: item.name,
          argumentsText: item.arguments,
        })),
      );
      const parts = seen.output.flatMap((item) => (item.type === 'message' ? item.content : []));
      const text = parts.map((part) => (part.type === 'output_text' ? part.text : '')).join('');
      assert.equal(contentOf(response.messages[0]!, 'text'), text);

      // The program goes on with the whole history.
      const input = [
        { role: 'user' as const, content: QUESTION },
        ...(seen.output as OpenAI.Responses.ResponseInputItem[]),
        { role: 'user' as const, content: 'And tomorrow?' },
      ];
      await client.responses.create({ model: 'gpt-5', input }).catch(() => undefined);
      const again = runExchange({ ...fixture.wire, request: bodies.at(-1) }).call;
      const [question, answer] = again?.request.fingerprints ?? [];
      assert.equal(question, call.request.fingerprints[0]);
      assert.equal(answer, response.fingerprints[0]);
      assert.equal(again?.request.fingerprints.length, 3);
    });
  }

  for (const fixture of FIXTURES.filter(({ expected }) => expected.error !== undefined)) {
    it(fixture.name, async () => {
      const { client } = clientOf(fixture);
      const { call } = runExchange(fixture.wire);
      await assert.rejects(ask(client, fixture), (error: unknown) => {
        assert.ok(error instanceof OpenAI.APIError);
        assert.equal(call?.error?.type, error.code ?? error.type);
        assert.equal(call?.httpStatus, error.status);
        return true;
      });
    });
  }
});

describe('a request of the responses API', () => {
  function read(request: unknown, target = '/v1/responses') {
    const wire = { target, host: 'localhost:8443', request, status: 200, response: '{}' };
    return runExchange(wire).call;
  }

  it('brings back results of every kind, each with its id', () => {
    const call = read({
      model: 'm',
      previous_response_id: 'resp_1',
      conversation: { id: 'conv_1' },
      instructions: 'Be kind.',
      text: { format: { type: 'json_schema', schema: {} } },
      input: [
        { type: 'function_call_output', call_id: 'c1', output: 'one' },
        {
          type: 'custom_tool_call_output',
          call_id: 'c2',
          output: [{ type: 'input_text', text: 'two' }],
        },
        {
          type: 'shell_call_output',
          call_id: 'c3',
          output: [{ stdout: 'three', stderr: '', outcome: { type: 'exit', exit_code: 0 } }],
        },
      ],
      tools: [
        { type: 'function', name: 'f', parameters: {} },
        { type: 'namespace', name: 'mcp__s__', tools: [{ type: 'function', name: 'g' }] },
        { type: 'mcp', server_label: 'docs' },
      ],
    });
    assert.ok(call);
    const { request } = call;
    assert.deepEqual(request.toolResults, [
      { id: 'c1', text: 'one' },
      { id: 'c2', text: 'two' },
      { id: 'c3', text: 'three' },
    ]);
    assert.equal(request.previousResponseId, 'resp_1');
    assert.equal(request.conversationId, 'conv_1');
    assert.equal(request.outputType, 'json');
    assert.deepEqual(request.systemInstructions, [{ type: 'text', content: 'Be kind.' }]);
    assert.deepEqual(
      request.toolDefinitions.map(({ type, name }) => ({ type, name })),
      [
        { type: 'function', name: 'f' },
        { type: 'function', name: 'mcp__s__g' },
        { type: 'mcp', name: 'docs' },
      ],
    );
  });

  it('is no call at other paths, and not every POST to …/responses is one', () => {
    const request = { model: 'm', input: 'x' };
    assert.ok(read(request, '/api/v1/responses?x=1'));
    assert.equal(read(request, '/v1/responses/resp_1/cancel'), undefined);
    assert.equal(read(request, '/v1/responses/input_tokens'), undefined);
    assert.equal(read({ answers: [1, 2] }, '/forms/7/responses'), undefined);
  });
});
