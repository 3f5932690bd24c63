/**
 * The bytes of real conversations with the tests' model server, in random shapes, taken from a real socket and
 * read by the http and llm rooms: every call must equal what the server says it sent.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import fc from 'fast-check';
import { createHttpStage } from '../../src/http/http-stage.ts';
import { createLlmStage } from '../../src/llm/llm-stage.ts';
import type { ModelCall } from '../../src/llm/model-call.ts';
import { contentOf } from '../support/llm-fixtures/check-call.ts';
import type { ExchangeTruth } from '../support/model-server/exchange-truth.ts';
import { finishReasonsOf } from '../support/model-server/exchange-truth.ts';
import type { Scenario } from '../support/model-server/scenario.ts';
import { type ModelServer, startModelServer } from '../support/model-server/server.ts';

interface Conversation {
  request: Buffer;
  response: Buffer;
}

/** Sends one request and reads until the server closes the connection. */
function converse(server: ModelServer, target: string, body: string): Promise<Conversation> {
  const request = Buffer.from(
    `POST ${target} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nContent-Type: application/json\r\n` +
      `anthropic-version: 2023-06-01\r\nAccept-Encoding: gzip, br, deflate\r\nConnection: close\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const socket = connect(server.port, '127.0.0.1', () => socket.write(request));
    socket.on('data', (part) => parts.push(part));
    socket.on('error', reject);
    socket.on('close', () => resolve({ request, response: Buffer.concat(parts) }));
  });
}

function read({ request, response }: Conversation, sizes: readonly number[], keepContent: boolean) {
  const calls: ModelCall[] = [];
  const failures: string[] = [];
  const llm = createLlmStage({
    observer: {
      started() {},
      finished(call) {
        calls.push(call);
      },
    },
    keepContent,
    maxContentBytes: 1_000_000,
    onParseFailure: (stage) => failures.push(stage),
  });
  const parser = createHttpStage({ handler: llm })({
    process: { pid: 1, startNs: 1n },
    stack: 'openssl',
    object: 8,
    generation: 1n,
  });
  let timeNs = 1_000_000n;
  for (const [direction, bytes] of [
    ['write', request],
    ['read', response],
  ] as const) {
    for (let at = 0, turn = 0; at < bytes.length; turn++) {
      const size = sizes[turn % sizes.length]!;
      const piece = Buffer.from(bytes.subarray(at, at + size));
      timeNs += 1000n;
      parser.data(direction, piece, { enterNs: timeNs - 500n, timeNs }, at);
      piece.fill(0x7e);
      at += size;
    }
  }
  parser.end('closed', timeNs);
  return { calls, failures };
}

function compareEnd(call: ModelCall, truth: ExchangeTruth): void {
  const answer = truth.answer!;
  if (answer.error === undefined && truth.response.status < 400) {
    assert.equal(call.complete, answer.complete, 'complete');
  }
  if (answer.complete && answer.error === undefined) {
    assert.deepEqual([...call.damage.kinds], []);
  }
  if (answer.error !== undefined) {
    const { error } = answer;
    assert.ok([error.code, error.type, String(call.httpStatus)].includes(call.error?.type));
    assert.equal(call.error?.message, error.message);
  } else {
    // Of an error whose body broke off the status is left, or the name that a header has.
    const { status, headers } = truth.response;
    const named = headers.find(([name]) => name === 'x-amzn-errortype')?.[1].split(':')[0];
    const expected = status >= 400 ? [String(status), named] : [undefined];
    assert.ok(expected.includes(call.error?.type), String(call.error?.type));
  }
}

function compare(
  call: ModelCall,
  truth: ExchangeTruth,
  isFailing: boolean,
  keepContent: boolean,
): void {
  const answer = truth.answer!;
  assert.equal(call.api, truth.api);
  assert.equal(call.request.model, truth.request.model);
  assert.equal(call.serverPort, truth.serverPort);
  // Where the server fails behind the last finish reason, the wire does not tell whether more was to come.
  const isEndKnown = !isFailing || finishReasonsOf(answer).length === 0;
  if (isEndKnown) {
    compareEnd(call, truth);
  }
  assert.equal(call.response?.id, answer.id);
  assert.equal(call.response?.model, answer.model);
  assert.deepEqual(call.response?.usage ?? {}, answer.usage);
  assert.deepEqual(call.response?.finishReasons ?? [], finishReasonsOf(answer));
  assert.deepEqual(
    (call.response?.toolCalls ?? []).map(({ id, name, argumentsText }) => ({
      ...(id === undefined ? {} : { id }),
      name,
      argumentsText,
    })),
    answer.choices.flatMap((choice) => choice.toolCalls),
  );
  if (keepContent) {
    const texts = (call.response?.messages ?? []).map((message) => [
      contentOf(message, 'text'),
      contentOf(message, 'reasoning'),
    ]);
    assert.deepEqual(
      texts,
      answer.choices.map((choice) => [choice.text, choice.reasoning]),
    );
  }
}

const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 60 }), fc.constant('a "b"\\\n☀️😀'));
const toolCalls = fc.array(
  fc.record({
    name: fc.constantFrom('sh', 'get_weather', 'mcp__db__query'),
    arguments: fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 1 }), { maxKeys: 3 }),
  }),
  { minLength: 1, maxLength: 3 },
);

/** Any shape that the server can give which a parser must be exact about. */
function scenario(api: 'openai' | 'anthropic'): fc.Arbitrary<Scenario> {
  const openAiOnly = {
    usageAt: fc.constantFrom(
      'auto',
      'none',
      'empty-choices',
      'last-choice',
      'every',
      'before-last',
      'vendor',
    ),
    toolDeltas: fc.constantFrom('split', 'whole', 'joined', 'interleaved'),
    toolShape: fc.subarray(['no-id', 'split-name', 'object-arguments'] as const),
    idShape: fc.constantFrom('stable', 'late', 'changing'),
    done: fc.boolean(),
  };
  const anthropicOnly = {
    usageAt: fc.constantFrom('split', 'repeated', 'corrected'),
    extendedUsage: fc.boolean(),
  };
  return fc.record(
    {
      seed: fc.nat(),
      text,
      reasoning: text,
      deltas: fc.integer({ min: 1, max: 12 }),
      toolCalls,
      stream: fc.boolean(),
      encoding: fc.constantFrom('identity', 'gzip', 'deflate', 'br'),
      newline: fc.constantFrom('lf', 'crlf'),
      comments: fc.nat(2),
      finalBlankLine: fc.boolean(),
      dataSpace: fc.boolean(),
      multilineData: fc.boolean(),
      asciiJson: fc.boolean(),
      paddingBefore: fc.constantFrom('', '\n  \n'),
      paddingAfter: fc.constantFrom('', '\n\n'),
      transfer: fc.constantFrom('chunked', 'close'),
      chunkBytes: fc.constantFrom('event', 'whole', 'random'),
      status: fc.constantFrom(200, 200, 200, 429, 500),
      contentType: fc.constantFrom('application/json', 'text/event-stream'),
      fail: fc.record({
        afterEvents: fc.integer({ min: 1, max: 6 }),
        how: fc.constantFrom('error-event', 'fin'),
      }),
      ...((api === 'openai' ? openAiOnly : anthropicOnly) as object),
    },
    { requiredKeys: ['seed'] },
  ) as fc.Arbitrary<Scenario>;
}

/** What the vendors' own APIs can be asked for: the same pieces, in each API's own shape. */
const vendorScenario: fc.Arbitrary<Scenario> = fc.record(
  {
    seed: fc.nat(),
    text,
    reasoning: text,
    deltas: fc.integer({ min: 1, max: 12 }),
    toolCalls,
    finishReason: fc.constantFrom('length', 'MAX_TOKENS', 'stop_sequence'),
    tokens: fc.record(
      {
        input: fc.nat(5000),
        output: fc.nat(900),
        cacheRead: fc.option(fc.nat(4000)),
        reasoning: fc.option(fc.nat(800)),
      },
      { requiredKeys: [] },
    ),
    encoding: fc.constantFrom('identity', 'gzip', 'deflate', 'br'),
    newline: fc.constantFrom('lf', 'crlf'),
    asciiJson: fc.boolean(),
    transfer: fc.constantFrom('chunked', 'close'),
    chunkBytes: fc.constantFrom('event', 'whole', 'random'),
    status: fc.constantFrom(200, 200, 200, 429, 500),
    fail: fc.record({
      afterEvents: fc.integer({ min: 1, max: 6 }),
      how: fc.constantFrom('error-event', 'fin'),
    }),
  },
  { requiredKeys: ['seed'] },
) as fc.Arbitrary<Scenario>;

interface VendorRequest {
  target(stream: boolean): string;
  body(stream: boolean): unknown;
}

const SAID = [{ role: 'user', content: 'Tell me.' }];
const CONVERSED = [{ role: 'user', content: [{ text: 'Tell me.' }] }];
const MODEL = 'test-model';

const VENDOR_REQUESTS: Readonly<Record<string, VendorRequest>> = {
  'Gemini, events': {
    target: (stream) =>
      `/v1beta/models/${MODEL}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    body: () => ({ contents: [{ role: 'user', parts: [{ text: 'Tell me.' }] }] }),
  },
  'Gemini, an array': {
    target: (stream) =>
      `/v1beta/models/${MODEL}:${stream ? 'streamGenerateContent' : 'generateContent'}`,
    body: () => ({ contents: [{ role: 'user', parts: [{ text: 'Tell me.' }] }] }),
  },
  Ollama: {
    target: () => '/api/chat',
    body: (stream) => ({ model: MODEL, messages: SAID, ...(stream ? {} : { stream }) }),
  },
  Cohere: {
    target: () => '/v2/chat',
    body: (stream) => ({ model: MODEL, messages: SAID, stream }),
  },
  'Bedrock, Converse': {
    target: (stream) => `/model/${MODEL}/converse${stream ? '-stream' : ''}`,
    body: () => ({ messages: CONVERSED }),
  },
  'Bedrock, InvokeModel': {
    target: (stream) => `/model/${MODEL}/invoke${stream ? '-with-response-stream' : ''}`,
    body: () => ({ anthropic_version: 'bedrock-2023-05-31', max_tokens: 9, messages: SAID }),
  },
};

describe('llm property: conversations with the model server', function () {
  this.timeout(60_000);
  let server: ModelServer;

  before(async () => {
    server = await startModelServer({ tls: false });
  });

  after(async () => {
    await server.stop();
  });

  for (const api of ['openai', 'anthropic'] as const) {
    it(`are read as the server says it sent them (${api})`, async () => {
      const target = api === 'openai' ? '/v1/chat/completions' : '/v1/messages';
      const messages = [{ role: 'user', content: 'Tell me.' }];
      await fc.assert(
        fc.asyncProperty(
          scenario(api),
          fc.boolean(),
          fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 5 }),
          async (shape, stream, sizes) => {
            server.reset();
            server.script([shape]);
            const body = JSON.stringify({ model: 'test-model', max_tokens: 99, stream, messages });
            const conversation = await converse(server, target, body);
            const [truth] = await server.settle(1);
            for (const keepContent of [true, false]) {
              const { calls, failures } = read(conversation, sizes, keepContent);
              assert.equal(calls.length, 1);
              assert.deepEqual(failures, []);
              compare(calls[0]!, truth!, shape.fail !== undefined, keepContent);
            }
          },
        ),
        { numRuns: 150 },
      );
    });
  }

  for (const [api, request] of Object.entries(VENDOR_REQUESTS)) {
    it(`are read as the server says it sent them (${api})`, async () => {
      await fc.assert(
        fc.asyncProperty(
          vendorScenario,
          fc.boolean(),
          fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 5 }),
          async (shape, stream, sizes) => {
            server.reset();
            server.script([shape]);
            const body = JSON.stringify(request.body(stream));
            const conversation = await converse(server, request.target(stream), body);
            const [truth] = await server.settle(1);
            for (const keepContent of [true, false]) {
              const { calls, failures } = read(conversation, sizes, keepContent);
              assert.equal(calls.length, 1);
              assert.deepEqual(failures, []);
              compare(calls[0]!, truth!, shape.fail !== undefined, keepContent);
            }
          },
        ),
        { numRuns: 100 },
      );
    });
  }
});
