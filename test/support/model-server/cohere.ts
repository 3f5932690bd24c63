/** Cohere's chat, version 2, as the service side speaks it: https://docs.cohere.com/v2/docs/streaming */
import type { Answer, StreamEvent } from './answer.ts';
import { type AnswerTruth, choiceOf } from './exchange-truth.ts';
import { type Json, records } from './json-value.ts';
import type { Scenario } from './scenario.ts';
import { framePieces } from './sse-framing.ts';
import { noteEnd, reasonOf, setUsage, textPieces, type VendorApi, viewOf } from './vendor-api.ts';

const WORDS = { stop: 'COMPLETE', tools: 'TOOL_CALL' };
/** What the service puts around a prompt and does not bill. */
const UNBILLED_TOKENS = 197;

function textOf(content: unknown): string {
  return typeof content === 'string'
    ? content
    : records(content)
        .map((part) => (typeof part.text === 'string' ? part.text : ''))
        .join('');
}

function usageOf(answer: Answer): Json {
  const { input, output, cacheRead } = answer.tokens;
  return {
    billed_units: { input_tokens: input, output_tokens: output },
    tokens: { input_tokens: input + UNBILLED_TOKENS, output_tokens: output + 2 },
    ...(cacheRead ? { cached_tokens: cacheRead } : {}),
  };
}

function noteUsage(truth: AnswerTruth, answer: Answer): void {
  truth.wireUsage = usageOf(answer);
  // Tokens from the cache are no part of the billed ones.
  setUsage(truth, { inputTokens: answer.tokens.input, outputTokens: answer.tokens.output });
}

/** Reasoning is the plan that precedes tool calls, and thinking otherwise. */
function hasPlan(answer: Answer): boolean {
  const { toolCalls, reasoning } = answer.choices[0]!;
  return toolCalls.length > 0 && reasoning !== '';
}

function messageOf(answer: Answer): Json {
  const { text, reasoning, toolCalls } = answer.choices[0]!;
  const thinking =
    reasoning === '' || hasPlan(answer) ? [] : [{ type: 'thinking', thinking: reasoning }];
  const content = [...thinking, ...(text === '' ? [] : [{ type: 'text', text }])];
  return {
    role: 'assistant',
    ...(content.length === 0 ? {} : { content }),
    ...(hasPlan(answer) ? { tool_plan: reasoning } : {}),
    ...(toolCalls.length === 0
      ? {}
      : {
          tool_calls: toolCalls.map(({ id, name, argumentsText }) => ({
            id,
            type: 'function',
            function: { name, arguments: argumentsText },
          })),
        }),
  };
}

function event(type: string, rest: Json, effect?: () => void): StreamEvent {
  const made: StreamEvent = { event: type, data: { type, ...rest } };
  return effect === undefined ? made : { ...made, effect };
}

function message(value: Json): Json {
  return { delta: { message: value } };
}

function eventsOf(answer: Answer, scenario: Scenario, truth: AnswerTruth): StreamEvent[] {
  const { text, reasoning, toolCalls } = answer.choices[0]!;
  const events: StreamEvent[] = [
    event('message-start', { id: answer.id, ...message({ role: 'assistant' }) }, () => {
      truth.id = answer.id;
      choiceOf(truth, 0);
    }),
  ];
  const addContent = (index: number, type: 'text' | 'thinking', whole: string): void => {
    events.push(event('content-start', { index, ...message({ content: { type, [type]: '' } }) }));
    for (const piece of textPieces(whole, answer, scenario)) {
      const data = { index, ...message({ content: { [type]: piece } }) };
      const member = type === 'text' ? 'text' : 'reasoning';
      events.push(
        event('content-delta', data, () => {
          choiceOf(truth, 0)[member] += piece;
        }),
      );
    }
    events.push(event('content-end', { index }));
  };
  if (hasPlan(answer)) {
    for (const piece of textPieces(reasoning, answer, scenario)) {
      events.push(
        event('tool-plan-delta', message({ tool_plan: piece }), () => {
          choiceOf(truth, 0).reasoning += piece;
        }),
      );
    }
  } else if (reasoning !== '') {
    addContent(0, 'thinking', reasoning);
  }
  if (text !== '') {
    addContent(1, 'text', text);
  }
  toolCalls.forEach((call, index) => {
    const seen = { id: call.id, name: call.name, argumentsText: '' };
    const called = { id: call.id, type: 'function', function: { name: call.name, arguments: '' } };
    events.push(
      event('tool-call-start', { index, ...message({ tool_calls: called }) }, () => {
        choiceOf(truth, 0).toolCalls.push(seen);
      }),
    );
    for (const piece of textPieces(call.argumentsText, answer, scenario)) {
      const data = { index, ...message({ tool_calls: { function: { arguments: piece } } }) };
      events.push(
        event('tool-call-delta', data, () => {
          seen.argumentsText += piece;
        }),
      );
    }
    events.push(event('tool-call-end', { index }));
  });
  const reason = reasonOf(answer, scenario, WORDS);
  events.push(
    event('message-end', { delta: { finish_reason: reason, usage: usageOf(answer) } }, () => {
      noteUsage(truth, answer);
      noteEnd(truth, reason);
    }),
    { data: '[DONE]' },
  );
  return events;
}

export const cohere: VendorApi = {
  api: 'cohere.chat',
  matches: (path) => path.endsWith('/v2/chat'),
  view(body) {
    const said = records(body.messages).map((entry) => ({
      role:
        entry.role === 'assistant'
          ? ('assistant' as const)
          : entry.role === 'user'
            ? ('user' as const)
            : ('other' as const),
      text: textOf(entry.content),
      hasToolCalls: records(entry.tool_calls).length > 0,
      results: entry.role === 'tool' ? [{ text: textOf(entry.content) }] : [],
    }));
    const model = typeof body.model === 'string' ? body.model : undefined;
    return viewOf('cohere.chat', model, body.stream === true, said);
  },
  whole(answer, scenario, truth) {
    const reason = reasonOf(answer, scenario, WORDS);
    return {
      body: {
        id: answer.id,
        finish_reason: reason,
        message: messageOf(answer),
        usage: usageOf(answer),
      },
      effect() {
        const choice = answer.choices[0]!;
        truth.id = answer.id;
        const seen = choiceOf(truth, 0);
        seen.text = choice.text;
        seen.reasoning = choice.reasoning;
        seen.toolCalls = choice.toolCalls.map((call) => ({ ...call }));
        noteUsage(truth, answer);
        noteEnd(truth, reason);
      },
    };
  },
  stream(answer, scenario, truth) {
    const events = eventsOf(answer, scenario, truth);
    return { contentType: 'text/event-stream', pieces: framePieces(events, scenario) };
  },
  error(status, scenario) {
    const text = scenario.error?.message ?? 'The request failed.';
    return { error: { type: String(status), message: text }, body: { message: text } };
  },
  streamError(scenario, truth) {
    const error = scenario.error?.message ?? 'the model failed';
    const failed = event('message-end', { delta: { finish_reason: 'ERROR', error } }, () => {
      if (choiceOf(truth, 0).finishReason === undefined) {
        // Behind the end nobody reads on.
        truth.error = { type: 'ERROR', message: error };
        choiceOf(truth, 0).finishReason = 'ERROR';
      }
    });
    return framePieces([failed], scenario)[0]!;
  },
};
