/** What a request says of its prompt and its tools, through the whole chain: told where content is, and masked. */
import assert from 'node:assert/strict';
import { conversationOf, type ShapedExchange } from '../support/llm-fixtures/shaped-exchanges.ts';
import { parseOtlpLines } from '../support/otlp-file.ts';
import { runChain } from '../support/secrets/chain.ts';

const SECRET = 'hunter-two-and-more';
const KEY = `sk-ant-api03-${'A1b2'.repeat(20)}`;

const EXCHANGE: ShapedExchange = {
  name: 'a stored prompt and a tool',
  shape: '',
  host: 'api.openai.com',
  target: '/v1/responses',
  status: 200,
  contentType: 'application/json',
  request: {
    prompt: {
      id: 'pmpt_1',
      version: '2',
      variables: {
        city: 'Rome',
        password: SECRET,
        file: { type: 'input_file', file_id: 'f_1', token: SECRET },
        note: `use ${KEY}`,
      },
    },
    tools: [{ type: 'function', name: 'sh', description: `Runs a command, with ${KEY}` }],
  },
  response: [
    JSON.stringify({
      id: 'resp_1',
      object: 'response',
      status: 'completed',
      model: 'gpt-5',
      output: [
        { type: 'function_call', id: 'fc', call_id: 'c1', name: 'sh', arguments: '{"cmd":"ls"}' },
        { type: 'function_call', id: 'fd', call_id: 'c2', name: 'ls', arguments: '{}' },
      ],
      usage: { input_tokens: 5, output_tokens: 5 },
    }),
  ],
};

const VARIABLES = {
  city: 'Rome',
  password: '*'.repeat(SECRET.length),
  file: JSON.stringify({
    type: 'input_file',
    file_id: 'f_1',
    token: '*'.repeat(SECRET.length),
  }),
  note: `use ${'*'.repeat(KEY.length)}`,
};

function variablesOf(attributes: Readonly<Record<string, unknown>> = {}) {
  const prefix = 'gen_ai.prompt.variable.';
  return Object.fromEntries(
    Object.entries(attributes)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, value]) => [name.slice(prefix.length), value]),
  );
}

describe('a stored prompt and the tools of a request', function () {
  this.timeout(30_000);
  for (const generation of ['1.41', 'latest']) {
    for (const capture of ['NO_CONTENT', 'SPAN_ONLY', 'EVENT_ONLY', 'SPAN_AND_EVENT']) {
      it(`conventions ${generation}, ${capture}`, async () => {
        const env = {
          SIGHTLINE_SEMCONV: generation,
          OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: capture,
        };
        const conversations = [conversationOf(EXCHANGE)];
        const {
          file,
          replayed,
          console: tree,
          print,
        } = await runChain({
          conversations,
          sizes: [37],
          env,
        });
        for (const text of [file, replayed, tree, print]) {
          assert.ok(!text.includes(SECRET) && !text.includes(KEY));
        }
        const { spans, logs } = parseOtlpLines(file);
        const isOnSpans = capture.startsWith('SPAN');
        const isLatest = generation === 'latest';
        const call = spans.find(({ kind }) => kind === 'CLIENT');
        assert.deepEqual(variablesOf(call?.attributes), isOnSpans && isLatest ? VARIABLES : {});
        assert.equal(call?.attributes['gen_ai.prompt.version'], isLatest ? '2' : undefined);
        assert.equal(logs.length, capture.includes('EVENT') ? 1 : 0);
        for (const log of logs) {
          assert.deepEqual(variablesOf(log.attributes), isLatest ? VARIABLES : {});
        }
        const descriptionOf = (tool: string) =>
          spans.find(({ name }) => name === `execute_tool ${tool}`)?.attributes[
            'gen_ai.tool.description'
          ];
        const described = `Runs a command, with ${'*'.repeat(KEY.length)}`;
        assert.equal(descriptionOf('sh'), isOnSpans ? described : undefined);
        // The request defines no such tool.
        assert.equal(descriptionOf('ls'), undefined);
      });
    }
  }
});
