/** Exchanges with Mistral's conversations, and documents that it reads. */
import type { Usage } from '../../../src/llm/model-call.ts';
import type { Random } from '../model-server/random.ts';
import {
  type AnswerTruth,
  choiceOf,
  drawReply,
  endTools,
  exchangeOf,
  isOneIn,
  type Piece,
  type PlannedExchange,
  type Reply,
  sse,
  type ToolTruth,
} from './traffic-plan.ts';

function usageOf(reply: Reply): { usage: object; counted: Usage } {
  return {
    usage: {
      prompt_tokens: reply.input,
      completion_tokens: reply.output,
      total_tokens: reply.input + reply.output + reply.cacheWrite,
      connector_tokens: reply.cacheWrite || null,
    },
    counted: { inputTokens: reply.input, outputTokens: reply.output },
  };
}

function toolsOf(reply: Reply): ToolTruth[] {
  return reply.tools.map(({ id, name, pieces }) => ({ id, name, argumentsText: pieces.join('') }));
}

function bodyOf(random: Random, reply: Reply): { body: object; tell: Piece['tell'] } {
  const { usage, counted } = usageOf(reply);
  const text = reply.texts.join('');
  const message = {
    type: 'message.output',
    id: reply.id,
    model: reply.model,
    role: 'assistant',
    content: isOneIn(random, 2)
      ? text
      : reply.texts.map((piece) => ({ type: 'text', text: piece })),
  };
  const calls = toolsOf(reply).map(({ id, name, argumentsText }) => ({
    type: 'function.call',
    tool_call_id: id,
    name,
    arguments: argumentsText,
    model: reply.model,
  }));
  const outputs = [...(reply.texts.length > 0 ? [message] : []), ...calls];
  return {
    body: { object: 'conversation.response', conversation_id: 'conv_1', outputs, usage },
    tell(truth) {
      Object.assign(truth, { model: reply.model, usage: counted });
      const choice = choiceOf(truth, 0);
      choice.text = text;
      choice.tools = toolsOf(reply);
      endTools(truth, choice.tools);
    },
  };
}

function eventsOf(random: Random, reply: Reply): Piece[] {
  const { usage, counted } = usageOf(reply);
  const isNamed = isOneIn(random, 2);
  const pieces: Piece[] = [];
  const add = (type: string, members: object, tell: Piece['tell'] = () => {}): void => {
    pieces.push(sse({ type, ...members }, tell, isNamed ? type : undefined));
  };
  const setModel = (truth: AnswerTruth): void => {
    truth.model = reply.model;
  };
  add('conversation.response.started', { conversation_id: 'conv_1' });
  const { model } = reply;
  for (const text of reply.texts) {
    const content = isOneIn(random, 2) ? text : { type: 'text', text };
    add('message.output.delta', { output_index: 0, content_index: 0, model, content }, (truth) => {
      setModel(truth);
      choiceOf(truth, 0).text += text;
    });
  }
  const all: ToolTruth[] = [];
  reply.tools.forEach(({ id, name, pieces: parts }, position) => {
    const known: ToolTruth = { id, name, argumentsText: '' };
    all.push(known);
    parts.forEach((part, index) => {
      const members = { output_index: position + 1, model, name, tool_call_id: id };
      add('function.call.delta', { ...members, arguments: part }, (truth) => {
        setModel(truth);
        if (index === 0) {
          choiceOf(truth, 0).tools.push(known);
        }
        known.argumentsText += part;
      });
    });
  });
  if (isOneIn(random, 8)) {
    add('conversation.response.error', { message: 'Oh.', code: 3000 }, (truth) => {
      truth.errorCode = '3000';
    });
    return pieces;
  }
  add('conversation.response.done', { usage }, (truth) => {
    truth.usage = counted;
    truth.isComplete = true;
    endTools(truth, all);
  });
  return pieces;
}

export function conversation(random: Random): PlannedExchange {
  const reply = drawReply(random);
  const isStream = isOneIn(random, 2);
  const isBegun = isOneIn(random, 2);
  const at = {
    api: 'mistral.conversations',
    host: isOneIn(random, 4) ? 'gateway.test' : 'api.mistral.ai',
    provider: 'mistral_ai',
    target: isBegun ? '/v1/conversations' : `/v1/conversations/conv_${random.token(6)}`,
  } as const;
  const request = {
    ...(isBegun ? { model: 'mistral-medium-latest' } : {}),
    inputs: isOneIn(random, 2)
      ? random.text(20)
      : [{ type: 'message.input', role: 'user', content: random.text(9) }],
    stream: isStream,
  };
  return exchangeOf(at, request, isStream ? eventsOf(random, reply) : bodyOf(random, reply));
}

export function ocr(random: Random): PlannedExchange {
  const model = `ocr-${random.token(4)}`;
  return exchangeOf(
    {
      api: 'mistral.ocr',
      host: 'api.mistral.ai',
      provider: 'mistral_ai',
      target: '/v1/ocr',
    },
    { model: 'mistral-ocr-latest', document: { type: 'image_url', image_url: random.text(90) } },
    {
      body: { pages: [{ index: 0, markdown: random.text(40) }], model, usage_info: {} },
      tell(truth) {
        truth.model = model;
      },
    },
  );
}
