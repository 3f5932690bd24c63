/** Conversations of Mistral's SDK, with models and agents. https://docs.mistral.ai/api/endpoint/beta/conversations */
import { Mistral } from '@mistralai/mistralai';
import type {
  ConversationEvents,
  ConversationResponse,
} from '@mistralai/mistralai/models/components';
import {
  cut,
  json,
  namedEvents,
  oneCall,
  type SdkCase,
  type SdkRequest,
  type SdkResult,
} from './sdk-case.ts';

const MODEL = 'mistral-medium-latest';
const ID = 'conv_1';
const ENTRY = { object: 'entry', created_at: '2025-05-27T11:34:39.610632Z' };
const USAGE = { prompt_tokens: 91, completion_tokens: 29, total_tokens: 120 };

function clientAt(url: string): Mistral {
  return new Mistral({ apiKey: 'none', serverURL: url, retryConfig: { strategy: 'none' } });
}

function answered(outputs: readonly object[]): object {
  return { object: 'conversation.response', conversation_id: ID, outputs, usage: USAGE };
}

const SAID = {
  ...ENTRY,
  type: 'message.output',
  id: 'msg_1',
  agent_id: 'ag_1',
  model: MODEL,
  role: 'assistant',
  content: [
    { type: 'thinking', thinking: [{ type: 'text', text: 'Let me see.' }] },
    { type: 'text', text: 'I look.' },
    { type: 'tool_reference', tool: 'web_search', title: 't' },
  ],
};
const SEARCHED = {
  ...ENTRY,
  type: 'tool.execution',
  id: 'te_1',
  name: 'web_search',
  arguments: '{"query":"x"}',
};
const CALLED = {
  ...ENTRY,
  type: 'function.call',
  id: 'fc_1',
  tool_call_id: 'c1',
  name: 'shell',
  arguments: '{"a":[1,{}]}',
  model: MODEL,
};
const WHOLE = json(answered([SEARCHED, SAID, CALLED]));

function saying(content: unknown): { type: string } & Record<string, unknown> {
  return {
    type: 'message.output.delta',
    output_index: 0,
    id: 'msg_1',
    content_index: 0,
    model: MODEL,
    role: 'assistant',
    content,
  };
}

function calling(piece: string): { type: string } & Record<string, unknown> {
  return {
    type: 'function.call.delta',
    output_index: 1,
    id: 'fc_1',
    model: MODEL,
    name: 'shell',
    tool_call_id: 'c1',
    arguments: piece,
  };
}

const STARTED = { type: 'conversation.response.started', conversation_id: ID };
const STREAM = namedEvents([
  STARTED,
  saying('I '),
  saying({ type: 'text', text: 'look.' }),
  calling('{"a":'),
  calling('[1,{}]}'),
  { type: 'conversation.response.done', usage: USAGE },
]);
const REFUSED = json(
  { detail: [{ type: 'missing', loc: ['body', 'inputs'], msg: 'Field required' }] },
  { status: 422 },
);

/** What the SDK made of a content: a text, or one part or several. */
function addContent(result: SdkResult, content: unknown): void {
  for (const part of Array.isArray(content) ? content : [content]) {
    const { text, thinking } = typeof part === 'string' ? { text: part } : part;
    if (typeof text === 'string') {
      result.text = (result.text ?? '') + text;
    }
    for (const thought of thinking ?? []) {
      result.reasoning = (result.reasoning ?? '') + thought.text;
    }
  }
}

function addWhole(result: SdkResult, said: ConversationResponse): void {
  for (const output of said.outputs) {
    if (output.type === 'message.output') {
      result.model = output.model ?? undefined;
      addContent(result, (output as { content: unknown }).content);
    } else if (output.type === 'function.call') {
      const {
        toolCallId,
        name,
        arguments: given,
      } = output as {
        toolCallId: string;
        name: string;
        arguments: string;
      };
      result.toolCalls = [{ id: toolCallId, name, arguments: JSON.parse(given) }];
    }
  }
  result.inputTokens = said.usage.promptTokens;
  result.outputTokens = said.usage.completionTokens;
}

/** `pieces` are those of the function call. */
function addEvent(result: SdkResult, { data }: ConversationEvents, pieces: string[]): void {
  switch (data.type) {
    case 'message.output.delta':
      result.model = data.model ?? undefined;
      addContent(result, data.content);
      return;
    case 'function.call.delta': {
      pieces.push(data.arguments);
      const { toolCallId, name } = data;
      result.toolCalls = [{ id: toolCallId, name, arguments: pieces.join('') }];
      return;
    }
    case 'conversation.response.done':
      result.inputTokens = data.usage.promptTokens;
      result.outputTokens = data.usage.completionTokens;
      for (const call of result.toolCalls ?? []) {
        call.arguments = JSON.parse(pieces.join(''));
      }
      return;
    case 'conversation.response.error':
      result.error = String(data.code);
      return;
    default:
  }
}

async function addAll(result: SdkResult, events: AsyncIterable<ConversationEvents>): Promise<void> {
  const pieces: string[] = [];
  for await (const event of events) {
    addEvent(result, event, pieces);
  }
}

const REQUEST: SdkRequest = { operation: 'chat', provider: 'mistral_ai', model: MODEL };
const STREAMED: SdkRequest = { ...REQUEST, stream: true };
const BY_AGENT: SdkRequest = { ...REQUEST, model: undefined };

async function ask(url: string, result: SdkResult): Promise<void> {
  const { conversations } = clientAt(url).beta;
  addWhole(result, await conversations.start({ model: MODEL, inputs: 'Hi' }));
}

async function listen(url: string, result: SdkResult): Promise<void> {
  const { conversations } = clientAt(url).beta;
  await addAll(result, await conversations.startStream({ model: MODEL, inputs: 'Hi' }));
}

export const CONVERSATIONS_CASES: readonly SdkCase[] = [
  oneCall('mistral conversations: whole', REQUEST, WHOLE, ask),
  oneCall('mistral conversations: streamed', STREAMED, STREAM, listen),
  oneCall('mistral conversations: cut off', STREAMED, cut(STREAM, 2), listen),
  oneCall('mistral conversations: cut off in a function call', STREAMED, cut(STREAM, 4), listen),
  oneCall('mistral conversations: refused', { ...REQUEST, error: '422' }, REFUSED, ask),
  oneCall(
    'mistral conversations: a stream refused',
    { ...STREAMED, error: '422' },
    REFUSED,
    listen,
  ),
  oneCall(
    'mistral conversations: an error within the stream',
    { ...STREAMED, error: '3000' },
    namedEvents([
      STARTED,
      saying('It'),
      { type: 'conversation.response.error', message: 'Oh.', code: 3000 },
    ]),
    listen,
  ),
  {
    name: 'mistral conversations: an agent’s, with the result of a tool, and restarted',
    answers: [WHOLE, WHOLE, STREAM, WHOLE],
    requests: [BY_AGENT, BY_AGENT, { ...BY_AGENT, stream: true }, BY_AGENT],
    async call(url, results) {
      const { conversations } = clientAt(url).beta;
      results.push({}, {}, {}, {});
      const inputs = [{ role: 'user', content: 'Hi' }] as const;
      addWhole(results[0]!, await conversations.start({ agentId: 'ag_1', inputs: [...inputs] }));
      const tool = { type: 'function.result', toolCallId: 'c1', result: 'x' } as const;
      const conversationId = ID;
      const appended = { conversationId, conversationAppendRequest: { inputs: [tool] } };
      addWhole(results[1]!, await conversations.append(appended));
      await addAll(
        results[2]!,
        await conversations.appendStream({
          conversationId,
          conversationAppendStreamRequest: { inputs: 'And now?' },
        }),
      );
      const restarted = { fromEntryId: 'msg_1', inputs: 'Again' };
      const again = { conversationId, conversationRestartRequest: restarted };
      addWhole(results[3]!, await conversations.restart(again));
    },
  },
  {
    name: 'mistral conversations: the list, one of it, and its entries: no calls',
    answers: [
      json([]),
      json({
        object: 'conversation',
        id: ID,
        created_at: ENTRY.created_at,
        updated_at: ENTRY.created_at,
        model: MODEL,
      }),
      json({ object: 'conversation.history', conversation_id: ID, entries: [] }),
    ],
    requests: [],
    async call(url) {
      const { conversations } = clientAt(url).beta;
      await conversations.list({});
      await conversations.get({ conversationId: ID });
      await conversations.getHistory({ conversationId: ID });
    },
  },
];
