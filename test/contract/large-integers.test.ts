/** Numbers that a double does not hold exactly, through the whole chain: a file must stay OTLP, and say what was said. */
import assert from 'node:assert/strict';
import { conversationOf, type ShapedExchange } from '../support/llm-fixtures/shaped-exchanges.ts';
import { type AttributeValue, parseOtlpLines } from '../support/otlp-file.ts';
import { runChain } from '../support/secrets/chain.ts';

const NUMBERS = ['9007199254740993', '12345678901234567890', '1e300'];

function exchange(number: string, request: object): ShapedExchange {
  const call = { name: 'f', arguments: `{"id":${number}}` };
  const toolCalls = [{ id: 'c1', type: 'function', function: call }];
  const message = { role: 'assistant', content: null, tool_calls: toolCalls };
  return {
    name: number,
    shape: '',
    host: 'api.openai.com',
    target: '/v1/chat/completions',
    status: 200,
    contentType: 'application/json',
    request,
    response: [
      JSON.stringify({
        id: 'x',
        object: 'chat.completion',
        model: 'm',
        choices: [{ index: 0, message, finish_reason: 'tool_calls' }],
        usage: { prompt_tokens: 1, completion_tokens: 1 },
      }),
    ],
  };
}

/** Of the only tool call in messages, structured or as text. */
function argumentsOf(messages: AttributeValue | undefined): unknown {
  const value = typeof messages === 'string' ? JSON.parse(messages) : messages;
  return value[0].parts[0].arguments;
}

describe('large integers', function () {
  this.timeout(30_000);
  for (const number of NUMBERS) {
    it(`${number} in a request and in a tool's arguments`, async () => {
      const request = { model: 'm', messages: [], top_k: Number(number), seed: Number(number) };
      const conversations = [conversationOf(exchange(number, request))];
      const { file } = await runChain({ conversations, sizes: [65_536] });
      const { spans, logs } = parseOtlpLines(file);
      const expected = { id: number === '1e300' ? 1e300 : number };
      const call = spans.find(({ kind }) => kind === 'CLIENT');
      assert.equal(Number(call?.attributes['gen_ai.request.top_k']), Number(number));
      assert.equal(call?.attributes['gen_ai.request.seed'], undefined);
      assert.deepEqual(argumentsOf(call?.attributes['gen_ai.output.messages']), expected);
      const tool = spans.find(({ name }) => name === 'execute_tool f');
      assert.equal(tool?.attributes['gen_ai.tool.call.arguments'], `{"id":${number}}`);
      assert.equal(logs.length, 1);
      assert.deepEqual(argumentsOf(logs[0]?.attributes['gen_ai.output.messages']), expected);
    });
  }
});
