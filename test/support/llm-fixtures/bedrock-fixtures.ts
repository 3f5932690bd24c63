/** Answers of Amazon Bedrock: Converse, and InvokeModel with the models' own bodies. */
import { awsEvent, awsException } from '../aws-event-stream.ts';
import {
  COMMAND_R_CHUNKS,
  CONVERSE_USAGE,
  COUNT_HEADERS,
  LLAMA_CHUNKS,
  LLAMA_WHOLE,
  METRICS,
  MISTRAL_CHUNKS,
  MISTRAL_WHOLE,
  NOVA_CHUNKS,
  NOVA_WHOLE,
  TITAN_CHUNKS,
} from './bedrock-bodies.ts';
import { MESSAGE_STOP, messageDelta, messageStart, textBlock, toolBlock } from './claude-events.ts';
import type { Fixture } from './fixture.ts';
import type { WireExchange } from './run-exchange.ts';

const MODEL = 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0';
const HOST = 'bedrock-runtime.eu-central-1.amazonaws.com';
const AWS_STREAM = 'application/vnd.amazon.eventstream';
const REQUEST = { messages: [{ role: 'user', content: [{ text: 'What is the weather?' }] }] };

function path(model: string, method: string): string {
  return `/model/${encodeURIComponent(model)}/${method}`;
}

function whole(body: unknown, extra: Partial<WireExchange> = {}): WireExchange {
  return {
    target: path(MODEL, 'converse'),
    host: HOST,
    request: REQUEST,
    status: 200,
    response: JSON.stringify(body),
    ...extra,
  };
}

function streamed(messages: readonly Buffer[], extra: Partial<WireExchange> = {}): WireExchange {
  return {
    ...whole(undefined),
    target: path(MODEL, 'converse-stream'),
    contentType: AWS_STREAM,
    response: Buffer.concat(messages),
    ...extra,
  };
}

/** Padding as the service adds it, so that the length tells nothing. */
const PAD = { p: 'abcdefgh' };

function started(value?: object, contentBlockIndex = 0): Buffer {
  return value === undefined
    ? awsEvent('messageStart', { role: 'assistant', ...PAD })
    : awsEvent('contentBlockStart', { start: value, contentBlockIndex, ...PAD });
}

function delta(contentBlockIndex: number, value: object): Buffer {
  return awsEvent('contentBlockDelta', { delta: value, contentBlockIndex, ...PAD });
}

function stopped(contentBlockIndex: number): Buffer {
  return awsEvent('contentBlockStop', { contentBlockIndex, ...PAD });
}

function ended(stopReason: string, usage?: object): Buffer[] {
  const stop = awsEvent('messageStop', { stopReason, ...PAD });
  return usage === undefined
    ? [stop]
    : [stop, awsEvent('metadata', { usage, metrics: { latencyMs: 12 }, ...PAD })];
}

const COUNTED = { inputTokens: 30, outputTokens: 12 };
const TEXT_STREAM = [
  started(),
  delta(0, { text: 'It is "sunny"\n' }),
  delta(0, { text: '☀️ 😀.' }),
  stopped(0),
  ...ended('end_turn', CONVERSE_USAGE),
];
const TEXT_EXPECTED = {
  provider: 'aws.bedrock',
  usage: COUNTED,
  finishReasons: ['end_turn'],
  messages: [{ text: 'It is "sunny"\n☀️ 😀.', finishReason: 'stop', partTypes: ['text'] }],
};
const BIG = '{"city":"Paris","big":12345678901234567890}';
const CALLED = [
  { id: 'tooluse_1', name: 'weather', argumentsText: BIG },
  { id: 'tooluse_2', name: 'time', argumentsText: '{}' },
];
const WHOLE_CALLS = `{"output":{"message":{"role":"assistant","content":[{"text":"Let me see."},{"toolUse":{"toolUseId":"tooluse_1","name":"weather","input":${BIG}}},{"toolUse":{"toolUseId":"tooluse_2","name":"time","input":{}}}]}},"stopReason":"tool_use","usage":{"inputTokens":30,"outputTokens":12,"totalTokens":42},"metrics":{"latencyMs":5}}`;

export const BEDROCK_CONVERSE_FIXTURES: readonly Fixture[] = [
  {
    name: 'a stream of text, padded, with its usage at the end',
    wire: streamed(TEXT_STREAM),
    expected: TEXT_EXPECTED,
  },
  {
    name: 'an answer in one text, of a model that an ARN names',
    wire: whole(
      {
        output: {
          message: { role: 'assistant', content: [{ text: 'It is "sunny"\n☀️ 😀.' }] },
        },
        stopReason: 'end_turn',
        usage: CONVERSE_USAGE,
        metrics: { latencyMs: 300 },
      },
      {
        target: path(
          'arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/a1b2c3',
          'converse',
        ),
      },
    ),
    expected: TEXT_EXPECTED,
  },
  {
    name: 'tokens of the cache, which are on top of the input',
    wire: whole({
      output: { message: { role: 'assistant', content: [{ text: 'a' }] } },
      stopReason: 'max_tokens',
      usage: {
        inputTokens: 30,
        outputTokens: 12,
        totalTokens: 1142,
        cacheReadInputTokens: 1000,
        cacheWriteInputTokens: 100,
      },
      serviceTier: { type: 'priority' },
    }),
    expected: {
      usage: {
        inputTokens: 1130,
        outputTokens: 12,
        cacheReadInputTokens: 1000,
        cacheCreationInputTokens: 100,
      },
      finishReasons: ['max_tokens'],
      messages: [{ text: 'a', finishReason: 'length' }],
      serviceTier: 'priority',
    },
  },
  {
    name: 'reasoning, text and parallel tool calls in a stream',
    wire: streamed([
      started(),
      delta(0, { reasoningContent: { text: 'Hm' } }),
      delta(0, { reasoningContent: { text: '.' } }),
      delta(0, { reasoningContent: { signature: 'EqoB' } }),
      stopped(0),
      delta(1, { text: 'Let me see.' }),
      stopped(1),
      started({ toolUse: { toolUseId: 'tooluse_1', name: 'weather' } }, 2),
      delta(2, { toolUse: { input: BIG.slice(0, 9) } }),
      delta(2, { toolUse: { input: BIG.slice(9) } }),
      stopped(2),
      started({ toolUse: { toolUseId: 'tooluse_2', name: 'time' } }, 3),
      delta(3, { toolUse: { input: '{}' } }),
      stopped(3),
      ...ended('tool_use', CONVERSE_USAGE),
    ]),
    expected: {
      ...TEXT_EXPECTED,
      finishReasons: ['tool_use'],
      messages: [
        {
          reasoning: 'Hm.',
          text: 'Let me see.',
          finishReason: 'tool_call',
          partTypes: ['reasoning', 'text', 'tool_call', 'tool_call'],
        },
      ],
      toolCalls: CALLED,
    },
  },
  {
    name: 'tool calls in one text',
    wire: whole(undefined, { response: WHOLE_CALLS }),
    expected: {
      ...TEXT_EXPECTED,
      finishReasons: ['tool_use'],
      messages: [{ text: 'Let me see.', finishReason: 'tool_call' }],
      toolCalls: CALLED,
    },
  },
  {
    name: 'a tool that the service runs itself, beside one that the client is to run',
    wire: whole({
      output: {
        message: {
          role: 'assistant',
          content: [
            {
              toolUse: {
                input: { snippet: '6 * 7' },
                name: 'nova_code_interpreter',
                toolUseId: 'tooluse_1',
                type: 'server_tool_use',
              },
            },
            {
              toolResult: {
                content: [{ json: { exitCode: 0, stdOut: '42' } }],
                status: 'success',
                toolUseId: 'tooluse_1',
                type: 'nova_code_interpreter_result',
              },
            },
            {
              toolUse: {
                input: { result: 42.0 },
                name: 'final_result',
                toolUseId: 'tooluse_2',
                type: 'tool_use',
              },
            },
          ],
        },
      },
      stopReason: 'tool_use',
      usage: { ...CONVERSE_USAGE, serverToolUsage: {} },
      metrics: { latencyMs: 1604 },
    }),
    expected: {
      usage: COUNTED,
      finishReasons: ['tool_use'],
      messages: [
        {
          finishReason: 'tool_call',
          partTypes: ['server_tool_call', 'server_tool_call_response', 'tool_call'],
        },
      ],
      toolCalls: [{ id: 'tooluse_2', name: 'final_result', argumentsText: '{"result":42}' }],
      serverToolCalls: [{ name: 'nova_code_interpreter', argumentsText: '{"snippet":"6 * 7"}' }],
    },
  },
  {
    name: 'a stream with a tool that the service runs itself',
    wire: streamed([
      started(),
      started(
        {
          toolUse: {
            name: 'nova_code_interpreter',
            toolUseId: 'tooluse_1',
            type: 'server_tool_use',
          },
        },
        0,
      ),
      delta(0, { toolUse: { input: '{"snippet":"6 * 7"}' } }),
      stopped(0),
      started(
        {
          toolResult: {
            status: 'success',
            toolUseId: 'tooluse_1',
            type: 'nova_code_interpreter_result',
          },
        },
        1,
      ),
      delta(1, { toolResult: [{ json: { stdOut: '42', exitCode: 0 } }] }),
      stopped(1),
      started({ toolUse: { name: 'final_result', toolUseId: 'tooluse_2', type: 'tool_use' } }, 2),
      delta(2, { toolUse: { input: '{"result":42.0}' } }),
      stopped(2),
      ...ended('tool_use', CONVERSE_USAGE),
    ]),
    expected: {
      usage: COUNTED,
      finishReasons: ['tool_use'],
      messages: [
        {
          finishReason: 'tool_call',
          partTypes: ['server_tool_call', 'server_tool_call_response', 'tool_call'],
        },
      ],
      toolCalls: [{ id: 'tooluse_2', name: 'final_result', argumentsText: '{"result":42.0}' }],
    },
  },
  {
    name: 'a guardrail that intervened, in a stream without metadata',
    wire: streamed([
      started(),
      delta(0, { text: 'No.' }),
      stopped(0),
      ...ended('guardrail_intervened'),
    ]),
    expected: {
      usage: {},
      finishReasons: ['guardrail_intervened'],
      messages: [{ text: 'No.', finishReason: 'content_filter' }],
    },
  },
  {
    name: 'throttling, named by a header',
    wire: whole(
      { message: 'Too many tokens, please wait.' },
      {
        status: 429,
        responseHeaders: { 'x-amzn-ErrorType': 'ThrottlingException:http://internal.amazon.com/' },
      },
    ),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [],
      error: { type: 'ThrottlingException', message: 'Too many tokens, please wait.' },
      noResponse: true,
    },
  },
  {
    name: 'an exception in the middle of a stream',
    wire: streamed([
      started(),
      delta(0, { text: 'It is' }),
      awsException('throttlingException', 'Too many requests.'),
    ]),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [{ text: 'It is', finishReason: 'error' }],
      error: { type: 'throttlingException', message: 'Too many requests.' },
      complete: false,
    },
  },
  {
    name: 'a stream that breaks off within a message',
    wire: streamed([], {
      response: Buffer.concat([
        ...TEXT_STREAM.slice(0, 2),
        Buffer.concat(TEXT_STREAM.slice(2)).subarray(0, 50),
      ]),
      isResponseComplete: false,
    }),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [{ text: 'It is "sunny"\n', finishReason: 'error' }],
      complete: false,
      damage: ['truncated'],
    },
  },
  {
    name: 'an answer that breaks off in the arguments of a tool call',
    wire: whole(undefined, {
      response: WHOLE_CALLS.slice(0, WHOLE_CALLS.indexOf(',"big"')),
      isResponseComplete: false,
    }),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [{ text: 'Let me see.' }],
      tornToolCalls: [{ id: 'tooluse_1', name: 'weather', argumentsText: '{"city":"Paris"' }],
      complete: false,
      damage: ['truncated'],
    },
  },
];

function invoked(
  model: string,
  request: unknown,
  body: unknown,
  extra: Partial<WireExchange> = {},
): WireExchange {
  return { ...whole(body), target: path(model, 'invoke'), request, ...extra };
}

function chunks(list: readonly unknown[]): Buffer[] {
  return list.map((chunk) => {
    const text = typeof chunk === 'string' ? chunk : JSON.stringify(chunk);
    return awsEvent('chunk', { bytes: Buffer.from(text).toString('base64'), ...PAD });
  });
}

function invokedStream(
  model: string,
  request: unknown,
  list: readonly unknown[],
  extra: Partial<WireExchange> = {},
): WireExchange {
  return {
    ...streamed(chunks(list)),
    target: path(model, 'invoke-with-response-stream'),
    request,
    ...extra,
  };
}

const CLAUDE_REQUEST = {
  anthropic_version: 'bedrock-2023-05-31',
  max_tokens: 100,
  messages: [{ role: 'user', content: 'Hi' }],
};
const CLAUDE_ID = { id: 'msg_bdrk_01', model: 'claude-sonnet-4-5-20250929' };
const LLAMA = 'us.meta.llama3-3-70b-instruct-v1:0';
const TITAN = 'amazon.titan-text-express-v1';
const PROMPT = { prompt: 'Hi', max_tokens: 100 };
const PROFILE = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/q1';
const NOVA_REQUEST = { ...REQUEST, inferenceConfig: { max_new_tokens: 10 } };

export const BEDROCK_INVOKE_FIXTURES: readonly Fixture[] = [
  {
    name: 'Claude in one text: its own usage, not the headers, because only it tells the cache',
    wire: invoked(
      MODEL,
      CLAUDE_REQUEST,
      {
        ...CLAUDE_ID,
        type: 'message',
        role: 'assistant',
        content: [{ type: 'text', text: 'Hello.' }],
        stop_reason: 'end_turn',
        usage: { input_tokens: 10, cache_read_input_tokens: 20, output_tokens: 12 },
      },
      { responseHeaders: { ...COUNT_HEADERS, 'X-Amzn-Bedrock-Input-Token-Count': '10' } },
    ),
    expected: {
      ...CLAUDE_ID,
      provider: 'aws.bedrock',
      usage: { inputTokens: 30, outputTokens: 12, cacheReadInputTokens: 20 },
      finishReasons: ['end_turn'],
      messages: [{ text: 'Hello.', finishReason: 'stop' }],
    },
  },
  {
    name: 'Claude in a stream, of a profile whose ARN does not name it',
    wire: invokedStream(PROFILE, CLAUDE_REQUEST, [
      messageStart(CLAUDE_ID, { input_tokens: 30, output_tokens: 1 }),
      ...textBlock(0, 'Hel', 'lo.'),
      ...toolBlock(1, 'toolu_bdrk_1', 'f', '{"a":1}'),
      messageDelta('tool_use', { output_tokens: 12 }),
      { ...MESSAGE_STOP, ...METRICS },
    ]),
    expected: {
      ...CLAUDE_ID,
      provider: 'aws.bedrock',
      usage: COUNTED,
      finishReasons: ['tool_use'],
      messages: [{ text: 'Hello.', finishReason: 'tool_call' }],
      toolCalls: [{ id: 'toolu_bdrk_1', name: 'f', argumentsText: '{"a":1}' }],
    },
  },
  {
    name: 'Nova in one text',
    wire: invoked('us.amazon.nova-pro-v1:0', NOVA_REQUEST, {
      ...NOVA_WHOLE,
      usage: { ...CONVERSE_USAGE, cacheReadInputTokenCount: 0, cacheWriteInputTokenCount: 0 },
    }),
    expected: {
      usage: { ...COUNTED, cacheReadInputTokens: 0, cacheCreationInputTokens: 0 },
      finishReasons: ['end_turn'],
      messages: [{ text: 'Hello.' }],
    },
  },
  {
    name: 'Nova in a stream, whose events are named by their only member',
    wire: invokedStream('amazon.nova-lite-v1:0', NOVA_REQUEST, NOVA_CHUNKS),
    expected: {
      usage: COUNTED,
      finishReasons: ['end_turn'],
      messages: [{ text: 'Hello.', partTypes: ['text'] }],
    },
  },
  {
    name: 'Titan in one text, with two completions whose tokens are counted apart',
    wire: invoked(
      TITAN,
      { inputText: 'Hi', textGenerationConfig: { maxTokenCount: 9 } },
      {
        inputTextTokenCount: 30,
        results: [
          { tokenCount: 5, outputText: '\nHello.', completionReason: 'FINISH' },
          { tokenCount: 7, outputText: 'Oh', completionReason: 'LENGTH' },
        ],
      },
    ),
    expected: {
      usage: COUNTED,
      finishReasons: ['FINISH', 'LENGTH'],
      messages: [
        { text: '\nHello.', finishReason: 'stop' },
        { text: 'Oh', finishReason: 'length' },
      ],
    },
  },
  {
    name: 'Titan in a stream',
    wire: invokedStream(TITAN, { inputText: 'Hi' }, TITAN_CHUNKS),
    expected: {
      usage: COUNTED,
      finishReasons: ['FINISH'],
      messages: [{ text: 'Hello.', partTypes: ['text'] }],
    },
  },
  {
    name: 'Llama in one text, with the counts in its body',
    wire: invoked(LLAMA, { prompt: 'Hi', max_gen_len: 9 }, LLAMA_WHOLE),
    expected: {
      usage: COUNTED,
      finishReasons: ['stop'],
      messages: [{ text: 'Hello.', finishReason: 'stop' }],
    },
  },
  {
    name: 'Llama in a stream: the counts grow, the last ones count',
    wire: invokedStream(LLAMA, { prompt: 'Hi' }, LLAMA_CHUNKS),
    expected: {
      usage: COUNTED,
      finishReasons: ['length'],
      messages: [{ text: 'Hello.', finishReason: 'length' }],
    },
  },
  {
    name: 'Mistral in one text: only the headers have counts',
    wire: invoked('mistral.mistral-7b-instruct-v0:2', PROMPT, MISTRAL_WHOLE, {
      responseHeaders: COUNT_HEADERS,
    }),
    expected: {
      usage: COUNTED,
      finishReasons: ['stop'],
      messages: [{ text: 'Hello.', finishReason: 'stop' }],
    },
  },
  {
    name: 'Mistral in one text of which nothing arrived: the headers have counts',
    wire: {
      ...invoked('mistral.mistral-7b-instruct-v0:2', PROMPT, undefined, {
        responseHeaders: COUNT_HEADERS,
      }),
      response: '',
      isResponseComplete: false,
    },
    expected: {
      usage: COUNTED,
      finishReasons: [],
      messages: [],
      complete: false,
      damage: ['truncated'],
    },
  },
  {
    name: 'Mistral in a stream: only the metrics have counts',
    wire: invokedStream('mistral.mistral-7b-instruct-v0:2', PROMPT, MISTRAL_CHUNKS),
    expected: {
      usage: COUNTED,
      finishReasons: ['stop'],
      messages: [{ text: 'Hello.', finishReason: 'stop' }],
    },
  },
  {
    name: 'a guardrail’s answer in a stream: one chunk, without an end of the model’s own',
    wire: invokedStream(TITAN, { inputText: 'Hi' }, [
      {
        outputText: 'Blocked.',
        index: 0,
        totalOutputTextTokenCount: 3,
        inputTextTokenCount: 6,
        'amazon-bedrock-guardrailAction': 'INTERVENED',
        'amazon-bedrock-trace': { guardrail: { actionReason: 'Guardrail blocked.' } },
      },
    ]),
    expected: {
      usage: { inputTokens: 6, outputTokens: 3 },
      finishReasons: [],
      messages: [{ text: 'Blocked.' }],
    },
  },
  {
    name: 'Nova, asked as Titan is: the model decides about the shape of the answer',
    wire: invoked(
      'us.amazon.nova-pro-v1:0',
      { inputText: 'Hi', inferenceConfig: { max_new_tokens: 10 } },
      {
        output: { message: { role: 'assistant', content: [{ text: 'Hello.' }] } },
        stopReason: 'max_tokens',
        usage: { inputTokens: 30, outputTokens: 12 },
      },
    ),
    expected: {
      usage: COUNTED,
      finishReasons: ['max_tokens'],
      messages: [{ text: 'Hello.', finishReason: 'length' }],
    },
  },
  {
    name: 'Jurassic in one text: only the headers have counts',
    wire: invoked(
      'ai21.j2-mid-v1',
      PROMPT,
      {
        id: 1234,
        prompt: { text: 'Hi', tokens: [{ generatedToken: { token: 'Hi', logprob: -1.5 } }] },
        completions: [
          { data: { text: '\nHello.', tokens: [] }, finishReason: { reason: 'endoftext' } },
          { data: { text: 'Oh', tokens: [] }, finishReason: { reason: 'length', length: 9 } },
        ],
      },
      { responseHeaders: COUNT_HEADERS },
    ),
    expected: {
      usage: COUNTED,
      finishReasons: ['endoftext', 'length'],
      messages: [{ text: '\nHello.' }, { text: 'Oh', finishReason: 'length' }],
    },
  },
  {
    name: 'Mistral’s chat, with a tool call',
    wire: invoked(
      'mistral.mistral-large-2407-v1:0',
      { messages: [{ role: 'user', content: 'Hi' }] },
      {
        id: 'm1',
        choices: [
          {
            index: 0,
            message: {
              role: 'assistant',
              content: '',
              tool_calls: [{ id: 't1', function: { name: 'f', arguments: '{"a": 1}' } }],
            },
            stop_reason: 'tool_calls',
          },
        ],
      },
      { responseHeaders: COUNT_HEADERS },
    ),
    expected: {
      id: 'm1',
      usage: COUNTED,
      finishReasons: ['tool_calls'],
      messages: [{ finishReason: 'tool_call' }],
      toolCalls: [{ id: 't1', name: 'f', argumentsText: '{"a": 1}' }],
    },
  },
  {
    name: 'Command R in a stream',
    wire: invokedStream(
      'cohere.command-r-plus-v1:0',
      { message: 'Hi', chat_history: [] },
      COMMAND_R_CHUNKS,
    ),
    expected: {
      id: 'g-1',
      usage: COUNTED,
      finishReasons: ['COMPLETE'],
      messages: [{ text: 'Hello.', finishReason: 'stop' }],
    },
  },
  {
    name: 'an error of the model in the middle of a stream, and what was counted so far',
    wire: invokedStream(LLAMA, { prompt: 'Hi' }, [], {
      response: Buffer.concat([
        ...chunks([{ generation: 'Hel', prompt_token_count: 30, generation_token_count: 1 }]),
        awsException('modelStreamErrorException', 'The model failed.'),
      ]),
    }),
    expected: {
      usage: { inputTokens: 30, outputTokens: 1 },
      finishReasons: [],
      messages: [{ text: 'Hel', finishReason: 'error' }],
      error: { type: 'modelStreamErrorException', message: 'The model failed.' },
      complete: false,
    },
  },
  {
    name: 'a refused request, the error’s name in the body',
    wire: invoked(
      MODEL,
      CLAUDE_REQUEST,
      { __type: 'com.amazon.coral.service#AccessDeniedException', Message: 'No.' },
      { status: 403 },
    ),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [],
      error: { type: 'AccessDeniedException', message: 'No.' },
      noResponse: true,
    },
  },
];

const NOTHING = { finishReasons: [], messages: [] };

export const BEDROCK_EMBEDDINGS_FIXTURES: readonly Fixture[] = [
  {
    name: 'Titan of a profile whose ARN does not name it',
    wire: invoked(
      PROFILE,
      { inputText: 'a', normalize: true },
      { embedding: [0.1], inputTextTokenCount: 3 },
    ),
    expected: { ...NOTHING, provider: 'aws.bedrock', usage: { inputTokens: 3 } },
  },
  {
    name: 'Titan',
    wire: invoked(
      'amazon.titan-embed-text-v2:0',
      { inputText: 'a', dimensions: 256, normalize: true },
      { embedding: [0.1], embeddingsByType: { float: [0.1] }, inputTextTokenCount: 3 },
    ),
    expected: { ...NOTHING, provider: 'aws.bedrock', usage: { inputTokens: 3 } },
  },
  {
    name: 'Cohere, whose tokens are in a header',
    wire: invoked(
      'cohere.embed-english-v3',
      { texts: ['a'], input_type: 'search_query' },
      { id: 'e1', embeddings: [[0.1]], texts: ['a'], response_type: 'embeddings_floats' },
      { responseHeaders: { 'x-amzn-bedrock-input-token-count': '4' } },
    ),
    expected: { ...NOTHING, id: 'e1', usage: { inputTokens: 4 } },
  },
];
