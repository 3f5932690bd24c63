/** Calls of Anthropic's SDK, at its own API, at Amazon Bedrock and at Vertex AI. https://docs.anthropic.com/en/api/messages */
import { AnthropicBedrock } from '@anthropic-ai/bedrock-sdk';
import Anthropic from '@anthropic-ai/sdk';
import { AnthropicVertex } from '@anthropic-ai/vertex-sdk';
import {
  blockDelta,
  blockStart,
  blockStop,
  MESSAGE_STOP,
  messageDelta,
  messageStart,
  PING,
  textBlock,
  toolBlock,
} from '../llm-fixtures/claude-events.ts';
import { googleCredentials } from './google-credentials.ts';
import {
  awsChunks,
  cut,
  json,
  namedEvents,
  oneCall,
  type SdkAnswer,
  type SdkCase,
  type SdkRequest,
  type SdkResult,
} from './sdk-case.ts';

const MODEL = 'claude-sonnet-4-5';
const BEDROCK_MODEL = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0';
const CALL: SdkRequest = { operation: 'chat', provider: 'anthropic', model: MODEL };
const STREAMED: SdkRequest = { ...CALL, stream: true };
const QUESTION = [{ role: 'user' as const, content: 'Hi' }];

type Messages = Pick<Anthropic['messages'], 'create' | 'stream'>;

function clientAt(url: string): Anthropic {
  return new Anthropic({ apiKey: 'none', baseURL: url, maxRetries: 0 });
}

const USAGE = {
  input_tokens: 12,
  cache_creation_input_tokens: 30,
  cache_read_input_tokens: 400,
  output_tokens: 3,
  service_tier: 'standard',
};
const HEAD = {
  id: 'msg_01',
  type: 'message',
  role: 'assistant',
  model: 'claude-sonnet-4-5-20250929',
};
const MESSAGE = {
  ...HEAD,
  content: [
    { type: 'thinking', thinking: 'Let me see.', signature: 'c2ln' },
    { type: 'text', text: 'I look.' },
    { type: 'tool_use', id: 'toolu_1', name: 'shell', input: { command: 'ls', deep: [1, {}] } },
  ],
  stop_reason: 'tool_use',
  stop_sequence: null,
  usage: { ...USAGE, output_tokens: 61 },
};
const STREAM = [
  messageStart(HEAD, USAGE),
  blockStart(0, { type: 'thinking', thinking: '', signature: '' }),
  PING,
  blockDelta(0, { type: 'thinking_delta', thinking: 'Let me see.' }),
  blockDelta(0, { type: 'signature_delta', signature: 'c2ln' }),
  blockStop(0),
  ...textBlock(1, 'I ', 'look.'),
  ...toolBlock(2, 'toolu_1', 'shell', '', '{"command": "ls", "dee', 'p": [1, {}]}'),
  messageDelta('tool_use', { output_tokens: 61 }),
  MESSAGE_STOP,
];
const SERVER_TOOLS = {
  ...HEAD,
  content: [
    {
      type: 'server_tool_use',
      id: 'srvtoolu_1',
      name: 'web_search',
      input: { query: 'weather' },
      caller: { type: 'direct' },
    },
    {
      type: 'web_search_tool_result',
      tool_use_id: 'srvtoolu_1',
      content: [
        {
          type: 'web_search_result',
          url: 'https://example.com',
          title: 'Weather',
          encrypted_content: 'abc',
          page_age: null,
        },
      ],
    },
    {
      type: 'text',
      text: 'It rains.',
      citations: [
        {
          type: 'web_search_result_location',
          cited_text: 'Rain',
          url: 'https://example.com',
          title: 'Weather',
          encrypted_index: 'abc',
        },
      ],
    },
  ],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: {
    input_tokens: 12,
    output_tokens: 70,
    server_tool_use: { web_search_requests: 1, web_fetch_requests: 0 },
  },
};
const OVERLOADED = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } };

function addMessage(result: SdkResult, message: Anthropic.Message): void {
  const { usage } = message;
  result.id = message.id;
  result.model = message.model;
  if (message.stop_reason !== null) {
    result.finishReasons = [message.stop_reason];
  }
  result.text = '';
  result.reasoning = '';
  result.toolCalls = [];
  for (const block of message.content) {
    if (block.type === 'text') {
      result.text += block.text;
    } else if (block.type === 'thinking') {
      result.reasoning += block.thinking;
    } else if (block.type === 'tool_use') {
      result.toolCalls.push({ id: block.id, name: block.name, arguments: block.input });
    }
  }
  const isCached = usage.cache_read_input_tokens != null;
  result.inputTokens =
    usage.input_tokens +
    (usage.cache_read_input_tokens ?? 0) +
    (usage.cache_creation_input_tokens ?? 0);
  result.outputTokens = usage.output_tokens;
  if (isCached) {
    result.cacheReadTokens = usage.cache_read_input_tokens!;
    result.cacheCreationTokens = usage.cache_creation_input_tokens!;
  }
}

async function ask(messages: Messages, model: string, result: SdkResult): Promise<void> {
  const request = { model, max_tokens: 1024, messages: QUESTION };
  addMessage(result, await messages.create(request));
}

/** What came before a stream broke off stays in the result. */
async function listen(messages: Messages, model: string, result: SdkResult): Promise<void> {
  const stream = messages.stream({ model, max_tokens: 1024, messages: QUESTION });
  try {
    addMessage(result, await stream.finalMessage());
  } catch (error) {
    if (stream.currentMessage !== undefined) {
      addMessage(result, stream.currentMessage);
    }
    throw error;
  }
}

const WHOLE = json(MESSAGE);
const EVENTS = namedEvents(STREAM);

function vertexAt(url: string): AnthropicVertex {
  return new AnthropicVertex({
    projectId: 'p1',
    region: 'europe-west1',
    baseURL: `${url}/v1`,
    authClient: googleCredentials(),
    maxRetries: 0,
  });
}

function bedrockAt(url: string): AnthropicBedrock {
  return new AnthropicBedrock({
    awsRegion: 'us-east-1',
    awsAccessKey: 'AKIAIOSFODNN7EXAMPLE',
    awsSecretKey: 'none',
    baseURL: url,
    maxRetries: 0,
  });
}

/** At another service, whose client has the same methods. */
function elsewhere(
  name: string,
  request: SdkRequest,
  clientOf: (url: string) => { messages: unknown },
  stream: SdkAnswer,
  refused: SdkAnswer,
  error: string,
): SdkCase[] {
  const { model } = request;
  const at = (url: string): Messages => clientOf(url).messages as Messages;
  const streamed: SdkRequest = { ...request, stream: true };
  return [
    oneCall(`${name}, whole`, request, WHOLE, (url, result) => ask(at(url), model!, result)),
    oneCall(`${name}, streamed`, streamed, stream, (url, result) =>
      listen(at(url), model!, result),
    ),
    oneCall(`${name}, cut off`, streamed, cut(stream, 9), (url, result) =>
      listen(at(url), model!, result),
    ),
    oneCall(`${name}, refused`, { ...request, error }, refused, (url, result) =>
      ask(at(url), model!, result),
    ),
  ];
}

export const ANTHROPIC_CASES: readonly SdkCase[] = [
  ...elsewhere(
    'anthropic: messages',
    CALL,
    clientAt,
    EVENTS,
    json(OVERLOADED, { status: 529 }),
    'overloaded_error',
  ),
  oneCall(
    'anthropic: a stream that fails',
    { ...STREAMED, error: 'overloaded_error' },
    namedEvents([...STREAM.slice(0, 9), OVERLOADED]),
    (url, result) => listen(clientAt(url).messages, MODEL, result),
  ),
  oneCall('anthropic: a server’s tool, and citations', CALL, json(SERVER_TOOLS), (url, result) =>
    ask(clientAt(url).messages, MODEL, result),
  ),
  {
    name: 'anthropic: tokens counted, and a batch: no calls',
    answers: [
      json({ input_tokens: 14 }),
      json({ id: 'msgbatch_1', type: 'message_batch', processing_status: 'in_progress' }),
      json({ id: 'msgbatch_1', type: 'message_batch', processing_status: 'ended' }),
      json({ data: [], has_more: false, first_id: null, last_id: null }),
    ],
    requests: [],
    async call(url) {
      const { messages } = clientAt(url);
      await messages.countTokens({ model: MODEL, messages: QUESTION });
      const params = { model: MODEL, max_tokens: 10, messages: QUESTION };
      const batch = await messages.batches.create({ requests: [{ custom_id: 'a', params }] });
      await messages.batches.retrieve(batch.id);
      await messages.batches.list();
    },
  },
  ...elsewhere(
    'anthropic: at Vertex AI',
    { ...CALL, provider: 'gcp.vertex_ai', model: 'claude-sonnet-4-5@20250929' },
    vertexAt,
    EVENTS,
    json(
      { error: { code: 429, message: 'Quota exceeded.', status: 'RESOURCE_EXHAUSTED' } },
      { status: 429 },
    ),
    'RESOURCE_EXHAUSTED',
  ),
  {
    name: 'anthropic: at Vertex AI, tokens counted: no call',
    answers: [json({ input_tokens: 14 })],
    requests: [],
    async call(url) {
      await vertexAt(url).messages.countTokens({ model: MODEL, messages: QUESTION });
    },
  },
  ...elsewhere(
    'anthropic: at Amazon Bedrock',
    { ...CALL, provider: 'aws.bedrock', model: BEDROCK_MODEL },
    bedrockAt,
    awsChunks(STREAM),
    json(
      { message: 'Too many requests.' },
      { status: 429, headers: { 'x-amzn-errortype': 'ThrottlingException:http://internal' } },
    ),
    'ThrottlingException',
  ),
];
