/** Mistral's conversations as the service side speaks them: https://docs.mistral.ai/api/endpoint/beta/conversations */
import type { Answer, StreamEvent } from './answer.ts';
import { type AnswerTruth, choiceOf } from './exchange-truth.ts';
import type { Json } from './json-value.ts';
import type { Scenario } from './scenario.ts';
import { framePieces } from './sse-framing.ts';
import { noteEnd, setUsage, textPieces, type VendorApi, viewOf } from './vendor-api.ts';

const API = 'mistral.conversations';
const CONVERSATION = 'conv_06835a34f58773bd8000f46c0d11e42c';

function usageOf(answer: Answer): Json {
  const { input, output } = answer.tokens;
  return { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
}

function noteUsage(truth: AnswerTruth, answer: Answer): void {
  truth.wireUsage = usageOf(answer);
  setUsage(truth, { inputTokens: answer.tokens.input, outputTokens: answer.tokens.output });
}

function noteModel(truth: AnswerTruth, answer: Answer): void {
  truth.model = answer.model;
}

function thinking(text: string): Json {
  return { type: 'thinking', thinking: [{ type: 'text', text }] };
}

function outputsOf(answer: Answer): Json[] {
  const { text, reasoning, toolCalls } = answer.choices[0]!;
  const content = [
    ...(reasoning === '' ? [] : [thinking(reasoning)]),
    ...(text === '' ? [] : [{ type: 'text', text }]),
  ];
  const entry = { object: 'entry', model: answer.model };
  const message = { ...entry, type: 'message.output', id: 'msg_1', role: 'assistant', content };
  return [
    ...(content.length === 0 ? [] : [message]),
    ...toolCalls.map(({ id, name, argumentsText }) => ({
      ...entry,
      type: 'function.call',
      id: `fc_${id}`,
      tool_call_id: id,
      name,
      arguments: argumentsText,
    })),
  ];
}

function event(type: string, rest: Json, effect?: () => void): StreamEvent {
  const made: StreamEvent = { event: type, data: { type, ...rest } };
  return effect === undefined ? made : { ...made, effect };
}

function eventsOf(answer: Answer, scenario: Scenario, truth: AnswerTruth): StreamEvent[] {
  const { text, reasoning, toolCalls } = answer.choices[0]!;
  const { model } = answer;
  const message = { output_index: 0, id: 'msg_1', model, role: 'assistant' };
  const events = [event('conversation.response.started', { conversation_id: CONVERSATION })];
  for (const piece of reasoning === '' ? [] : textPieces(reasoning, answer, scenario)) {
    const said = { ...message, content_index: 0, content: thinking(piece) };
    events.push(
      event('message.output.delta', said, () => {
        noteModel(truth, answer);
        choiceOf(truth, 0).reasoning += piece;
      }),
    );
  }
  for (const piece of text === '' ? [] : textPieces(text, answer, scenario)) {
    const said = { ...message, content_index: 1, content: piece };
    events.push(
      event('message.output.delta', said, () => {
        noteModel(truth, answer);
        choiceOf(truth, 0).text += piece;
      }),
    );
  }
  toolCalls.forEach(({ id, name, argumentsText }, index) => {
    const seen = { id, name, argumentsText: '' };
    const called = { output_index: index + 1, id: `fc_${id}`, tool_call_id: id, name, model };
    textPieces(argumentsText, answer, scenario).forEach((piece, position) => {
      events.push(
        event('function.call.delta', { ...called, arguments: piece }, () => {
          noteModel(truth, answer);
          if (position === 0) {
            choiceOf(truth, 0).toolCalls.push(seen);
          }
          seen.argumentsText += piece;
        }),
      );
    });
  });
  events.push(
    event('conversation.response.done', { usage: usageOf(answer) }, () => {
      choiceOf(truth, 0);
      noteUsage(truth, answer);
      noteEnd(truth, undefined);
    }),
  );
  return events;
}

export const mistralConversations: VendorApi = {
  api: API,
  matches: (path) => path.endsWith('/v1/conversations'),
  view(body) {
    const model = typeof body.model === 'string' ? body.model : undefined;
    const text = typeof body.inputs === 'string' ? body.inputs : '';
    return viewOf(API, model, body.stream === true, [
      { role: 'user', text, hasToolCalls: false, results: [] },
    ]);
  },
  whole(answer, _scenario, truth) {
    const outputs = outputsOf(answer);
    return {
      body: {
        object: 'conversation.response',
        conversation_id: CONVERSATION,
        outputs,
        usage: usageOf(answer),
      },
      effect() {
        const { text, reasoning, toolCalls } = answer.choices[0]!;
        if (outputs.length > 0) {
          noteModel(truth, answer);
        }
        Object.assign(choiceOf(truth, 0), {
          text,
          reasoning,
          toolCalls: toolCalls.map((call) => ({ ...call })),
        });
        noteUsage(truth, answer);
        noteEnd(truth, undefined);
      },
    };
  },
  stream(answer, scenario, truth) {
    const events = eventsOf(answer, scenario, truth);
    return { contentType: 'text/event-stream', pieces: framePieces(events, scenario) };
  },
  error(status, scenario) {
    const message = scenario.error?.message ?? 'The request failed.';
    const code = status === 429 ? '1300' : '3000';
    const body = { object: 'error', message, type: 'rate_limited', param: null, code };
    return { error: { type: code, message }, body };
  },
  streamError(scenario, truth) {
    const message = scenario.error?.message ?? 'The model failed.';
    const failed = event('conversation.response.error', { message, code: 3000 }, () => {
      truth.error = { type: '3000', message };
    });
    return framePieces([failed], scenario)[0]!;
  },
};
